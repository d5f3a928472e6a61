//! `symbol-bundle diff`: what changed from one bundle to another.

use sealtrace_console::{ExitCode, Outcome, OutputArgs, StoreArgs, Stream, Tone, escape, paint, print, print_json};
use sealtrace_symbols::Coverage;
use serde::Serialize;
use serde_json::Value;

use super::compare::{BtfBlob, Change, ChangedBtf, ChangedModule, Changes, Counts, ModuleEntry, btf, modules};
use super::target;
use crate::opened::OpenedBundle;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The first bundle: a layout folder, an archive, or a bundle of the store (sha256:… or NAME:VERSION)
    #[arg(value_name = "A")]
    before: String,
    /// The second bundle
    #[arg(value_name = "B")]
    after: String,
    /// End with exit code 1 when the bundles are not identical
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// One of the two bundles.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Side {
    manifest_digest: String,
    name: String,
    version: String,
    modules: usize,
    btf: usize,
    /// Sums over all modules.
    coverage: Coverage,
}

/// What `--json` prints: verifier/schemas/bundle-diff.json.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// One manifest digest: the same bundle.
    identical: bool,
    /// No module and no BTF blob differs; name, version or packing may.
    same_contents: bool,
    before: Side,
    after: Side,
    modules: Changes<ModuleEntry, ChangedModule>,
    btf: Changes<BtfBlob, ChangedBtf>,
}

/// Runs the command. Differences are a result, not a failure, unless `--exit-code` asks.
pub(crate) fn run(args: &DiffArgs) -> Outcome {
    let before = target::open(&args.before, &args.store)?;
    let after = target::open(&args.after, &args.store)?;
    let report = compare(&before, &after);
    if args.output.json {
        print_json(&report);
    } else {
        print_text(&report);
    }
    Ok(if args.exit_code && !report.identical { ExitCode::Rejected } else { ExitCode::Done })
}

fn compare(before: &OpenedBundle, after: &OpenedBundle) -> Report {
    let (modules, btf) = (modules(&before.index, &after.index), btf(&before.index, &after.index));
    Report {
        identical: before.digest == after.digest,
        same_contents: modules.counts.is_unchanged() && btf.counts.is_unchanged(),
        before: side(before),
        after: side(after),
        modules,
        btf,
    }
}

fn side(bundle: &OpenedBundle) -> Side {
    let index = &bundle.index;
    let sum = |field: fn(&Coverage) -> u64| index.modules.iter().map(|module| field(&module.coverage)).fold(0, u64::saturating_add);
    Side {
        manifest_digest: bundle.digest.to_string(),
        name: index.name.clone(),
        version: index.version.clone(),
        modules: index.modules.len(),
        btf: index.btf.len(),
        coverage: Coverage { functions: sum(|of| of.functions), lines: sum(|of| of.lines), unwind: sum(|of| of.unwind) },
    }
}

fn print_text(report: &Report) {
    for (name, side) in [("before", &report.before), ("after", &report.after)] {
        print(&format!("{name:<8} {}  {} {}", side.manifest_digest, escape(&side.name), escape(&side.version)));
    }
    if report.identical {
        print("identical");
        return;
    }
    print(&format!("modules  {}", counted(report.modules.counts)));
    report.modules.removed.iter().for_each(|module| print(&entry_line(Sign::Removed, module)));
    report.modules.added.iter().for_each(|module| print(&entry_line(Sign::Added, module)));
    for module in &report.modules.changed {
        print(&format!("  {} {}  {}", Sign::Changed.shown(), escape(&module.path), escape(&module.arch.0)));
        module.changes.iter().for_each(|change| print(&change_line(change)));
    }
    print(&format!("btf      {}", counted(report.btf.counts)));
    let blob_line = |sign: Sign, blob: &BtfBlob| print(&format!("  {} {}  {} bytes", sign.shown(), escape(&blob.kernel), blob.size));
    report.btf.removed.iter().for_each(|blob| blob_line(Sign::Removed, blob));
    report.btf.added.iter().for_each(|blob| blob_line(Sign::Added, blob));
    for blob in &report.btf.changed {
        print(&format!("  {} {}", Sign::Changed.shown(), escape(&blob.kernel)));
        blob.changes.iter().for_each(|change| print(&change_line(change)));
    }
    let (before, after) = (report.before.coverage, report.after.coverage);
    print(&format!(
        "covers   functions {} → {}, lines {} → {}, unwind {} → {}",
        before.functions, after.functions, before.lines, after.lines, before.unwind, after.unwind
    ));
    if report.same_contents {
        print("same     every module and BTF blob; the bundles differ in name, version or packing only");
    }
}

/// What became of an entry, as one character.
#[derive(Clone, Copy)]
enum Sign {
    Added,
    Removed,
    Changed,
}

impl Sign {
    fn shown(self) -> String {
        let (tone, sign) = match self {
            Self::Added => (Tone::Good, "+"),
            Self::Removed => (Tone::Bad, "-"),
            Self::Changed => (Tone::Unsure, "~"),
        };
        paint(Stream::Stdout, tone, sign)
    }
}

fn counted(Counts { added, removed, changed, unchanged }: Counts) -> String {
    format!("{added} added, {removed} removed, {changed} changed, {unchanged} unchanged")
}

fn entry_line(sign: Sign, module: &ModuleEntry) -> String {
    let id = module.id.as_deref().unwrap_or("no identity");
    format!("  {} {}  {}  {}", sign.shown(), escape(&module.path), escape(&module.arch.0), escape(id))
}

fn change_line(change: &Change) -> String {
    let shown = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => escape(text),
        other => other.to_string(),
    };
    format!("      {:<15}  {} → {}", change.field, shown(&change.before), shown(&change.after))
}
