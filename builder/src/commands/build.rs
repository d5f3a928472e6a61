//! `symbol-bundle build`: a release tree as a sealed-to-be OCI layout.

use std::path::PathBuf;

use object::{Object as _, ObjectSymbolTable as _};
use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};
use sealtrace_object_id::Os;
use sealtrace_symbols::PairedBy;
use serde::Serialize;

use super::next;
use crate::assemble::{AssembleOptions, Assembled, DebugCompression, DebugFiles, JsonRows, OnUnreadable, assemble};
use crate::collect::{CollectOptions, Collected, Ignored, LeftOut, ModuleFile, ObjectFile, OnMalformed, RefusedDebugFile, collect};
use crate::layout_dir::{Existing, StagedLayout};
use crate::release::{Label, root_tag};

/// Most lines of one kind on stderr; the rest is counted.
const MAX_LINES: usize = 20;
/// Most modules without debug information that are named on stderr; the rest is counted.
const MAX_WITHOUT_DEBUG_INFO: usize = 10;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The folder that the release was installed into
    #[arg(value_name = "RELEASE_DIR")]
    release_dir: PathBuf,
    /// Name of the release
    #[arg(long, value_name = "N")]
    name: Label,
    /// Version of the release
    #[arg(long, value_name = "V")]
    version: Label,
    /// The OCI layout folder to write
    #[arg(short = 'o', long = "output", value_name = "LAYOUT")]
    layout: PathBuf,
    /// Kernel types to include: a folder of btf-archive, or a BTFHub folder as it is (DISTRO/VERSION/ARCH/RELEASE.btf[.tar.xz])
    #[arg(long, value_name = "DIR")]
    btf: Option<PathBuf>,
    /// Another folder with debug files, for example /usr/lib/debug (repeatable, in order of preference)
    #[arg(long = "debug-dir", value_name = "DIR")]
    debug_dirs: Vec<PathBuf>,
    /// Which debug files go into the bundle whole, for gdb and the symbol server
    #[arg(long, value_enum, default_value = "none")]
    debug_files: DebugFiles,
    /// Compression of whole debug files
    #[arg(long, value_enum, default_value = "zstd")]
    compression: DebugCompression,
    #[command(flatten)]
    switches: BuildSwitches,
    /// Worker threads [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Switches that are off by default.
#[derive(Debug, clap::Args)]
struct BuildSwitches {
    /// List damaged object files and leave them out, instead of failing
    #[arg(long)]
    skip_malformed: bool,
    /// Also store the rows of each symbol table as JSON
    #[arg(long)]
    json_rows: bool,
    /// Replace LAYOUT when it is a layout with a symbol bundle
    #[arg(long)]
    force: bool,
}

/// What was built, as `--json` prints it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    manifest_digest: String,
    name: String,
    version: String,
    modules: usize,
    with_debug_info: usize,
    without_debug_info: Vec<LeftOut>,
    unidentified: Vec<LeftOut>,
    refused_debug_files: Vec<RefusedDebugFile>,
    incomplete: Vec<LeftOut>,
    ignored: Ignored,
    layers: usize,
    bytes: u64,
}

/// Runs the command.
pub(crate) fn run(args: &BuildArgs) -> Outcome {
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(jobs) = args.jobs {
        pool = pool.num_threads(usize::from(jobs));
    }
    let pool = pool.build().map_err(|error| Failure::new(ExitCode::NoVerdict, format_args!("cannot start worker threads: {error}")))?;
    let report = pool.install(|| build(args))?;
    tell(&report);
    if args.output.json {
        print_json(&report);
    } else {
        print_table(args, &report);
    }
    Ok(ExitCode::Done)
}

fn build(args: &BuildArgs) -> Result<Report, Failure> {
    let switches = &args.switches;
    if root_tag(&args.name, &args.version).is_none() {
        return Err(crate::assemble::AssembleError::TagTooLong.into());
    }
    let existing = if switches.force { Existing::Replace } else { Existing::Keep };
    let (malformed, unreadable) =
        if switches.skip_malformed { (OnMalformed::Skip, OnUnreadable::Keep) } else { (OnMalformed::Fail, OnUnreadable::Fail) };
    let staged = StagedLayout::begin(&args.layout, existing)?;
    let btf = args.btf.as_deref().map(btf_archive::collect).transpose()?.unwrap_or_default();
    let collected = collect(&CollectOptions { root: args.release_dir.clone(), debug_dirs: args.debug_dirs.clone(), malformed })?;
    let options = AssembleOptions {
        name: args.name.clone(),
        version: args.version.clone(),
        debug_files: args.debug_files,
        compression: args.compression,
        unreadable,
        json_rows: if switches.json_rows { JsonRows::Add } else { JsonRows::Leave },
        max_layers: AssembleOptions::MAX_LAYERS,
    };
    let assembled = assemble(staged, &collected.modules, &btf, &options)?;
    Ok(report(collected, assembled))
}

fn report(collected: Collected, assembled: Assembled) -> Report {
    let modules = &assembled.index.modules;
    let unidentified = modules.iter().filter_map(|module| {
        let reason = module.unidentified_reason.clone()?;
        Some(LeftOut { path: module.path.clone(), reason })
    });
    Report {
        manifest_digest: assembled.manifest.to_string(),
        name: assembled.index.name.clone(),
        version: assembled.index.version.clone(),
        modules: modules.len(),
        with_debug_info: modules.iter().filter(|module| module.debug.is_some()).count(),
        without_debug_info: without_debug_info(&collected.modules),
        unidentified: unidentified.collect(),
        refused_debug_files: collected.refused,
        incomplete: assembled.notes,
        ignored: collected.ignored,
        layers: assembled.layers,
        bytes: assembled.bytes,
    }
}

/// The modules that neither hold debug information nor have a debug file.
fn without_debug_info(modules: &[ModuleFile]) -> Vec<LeftOut> {
    let without = modules.iter().filter(|module| module.debug.is_none());
    without.map(|module| LeftOut { path: module.binary.path.clone(), reason: names_from(&module.binary) }).collect()
}

/// Where the names of a module without debug information come from, and why no PDB was asked for.
fn names_from(binary: &ObjectFile) -> String {
    let bytes = std::fs::read(&binary.location).unwrap_or_default();
    let file = object::File::parse(binary.object(&bytes));
    let full = file.is_ok_and(|file| file.symbol_table().is_some_and(|table| table.symbols().next().is_some()));
    let names = match (full, binary.info.os) {
        (true, _) => "names come from its symbol table, without lines",
        (false, Os::Linux) => "names come from the dynamic symbols only",
        (false, Os::Windows) => "names come from its exports only",
        (false, Os::Macos) => "it has no names",
    };
    match &binary.info.no_debug_id_reason {
        Some(reason) => format!("{names}; {reason}"),
        None => names.to_owned(),
    }
}

/// Says on stderr what an engineer must know about this build.
fn tell(report: &Report) {
    some(&report.refused_debug_files, MAX_LINES, |refused| {
        let RefusedDebugFile { module, debug_file, what, expected, found } = refused;
        format!(
            "refused: {} is not the debug file of {}: {what} expected {}, found {}",
            escape(debug_file),
            escape(module),
            escape(expected),
            escape(found)
        )
    });
    let left_out = |what: &'static str| move |file: &LeftOut| format!("{what}: {}: {}", escape(&file.path), escape(&file.reason));
    some(&report.unidentified, MAX_LINES, left_out("no identity"));
    some(&report.without_debug_info, MAX_WITHOUT_DEBUG_INFO, left_out("no debug information"));
    some(&report.incomplete, MAX_LINES, left_out("incomplete"));
    some(&report.ignored.malformed, MAX_LINES, left_out("left out"));
    some(&report.ignored.unsupported, MAX_LINES, left_out("left out"));
}

fn some<T>(items: &[T], most: usize, line: impl Fn(&T) -> String) {
    items.iter().take(most).for_each(|item| note(&line(item)));
    if items.len() > most {
        note(&format!("… and {} more; --json lists all", items.len() - most));
    }
}

fn print_table(args: &BuildArgs, report: &Report) {
    let Ignored { symlinks, relocatable, cores, unused_debug_files, .. } = &report.ignored;
    print(&format!("bundle   {}", report.manifest_digest));
    print(&format!("release  {} {}", report.name, report.version));
    print(&format!(
        "modules  {} ({} with debug information, {} without identity)",
        report.modules,
        report.with_debug_info,
        report.unidentified.len()
    ));
    print(&format!("layers   {} ({} bytes)", report.layers, report.bytes));
    print(&format!(
        "ignored  {symlinks} links, {relocatable} relocatable files, {cores} cores, {} debug files without a module",
        unused_debug_files.len()
    ));
    note(&format!("next: symbol-bundle sign {} --key K.key", next::word(&args.layout)));
}

/// How a debug file was found, in words.
pub(crate) fn paired_by(paired: PairedBy) -> &'static str {
    match paired {
        PairedBy::SelfContained => "in the file",
        PairedBy::BuildId => "same id",
        PairedBy::DebugLink => ".gnu_debuglink",
        PairedBy::BuildIdTree => ".build-id tree",
    }
}
