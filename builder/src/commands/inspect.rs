//! `symbol-bundle inspect`: the modules of a bundle with their identities and coverage.

use sealtrace_console::{ExitCode, Outcome, OutputArgs, escape, print, print_json};
use sealtrace_object_id::{Arch, ObjectIds, Os};
use sealtrace_symbols::{Coverage, Module};
use serde::Serialize;

use super::build::paired_by;
use super::target::TargetArgs;
use crate::opened::OpenedBundle;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    bundle: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// One module, as DESIGN fixes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ModuleView<'a> {
    path: &'a str,
    arch: &'a Arch,
    os: Os,
    file_sha256: String,
    ids: &'a ObjectIds,
    coverage: Coverage,
    unidentified_reason: Option<&'a str>,
}

/// Runs the command.
pub(crate) fn run(args: &InspectArgs) -> Outcome {
    let opened = args.bundle.open()?;
    if args.output.json {
        let modules: Vec<_> = opened.index.modules.iter().map(view).collect();
        print_json(&serde_json::json!({
            "manifestDigest": opened.digest,
            "name": opened.index.name,
            "version": opened.index.version,
            "modules": modules,
        }));
    } else {
        print_text(&opened);
    }
    Ok(ExitCode::Done)
}

fn view(module: &Module) -> ModuleView<'_> {
    ModuleView {
        path: &module.path,
        arch: &module.arch,
        os: module.os,
        file_sha256: module.file_sha256.hex(),
        ids: &module.ids,
        coverage: module.coverage,
        unidentified_reason: module.unidentified_reason.as_deref(),
    }
}

fn print_text(opened: &OpenedBundle) {
    print(&format!("bundle   {}", opened.digest));
    print(&format!("release  {} {}", escape(&opened.index.name), escape(&opened.index.version)));
    print(&format!("modules  {}", opened.index.modules.len()));
    for module in &opened.index.modules {
        let Coverage { functions, lines, unwind } = module.coverage;
        let id = module.ids.primary().map(|id| id.id);
        let id = id.or_else(|| module.unidentified_reason.clone()).unwrap_or_default();
        let debug = module.debug.as_ref().map_or("no debug information", |debug| paired_by(debug.paired_by));
        print(&format!(
            "  {}  {}  {}  {functions} functions, {lines} lines, {unwind} FDEs; {debug}",
            escape(&module.path),
            escape(&module.arch.0),
            escape(&id)
        ));
    }
    for entry in &opened.index.btf {
        let place = [&entry.distro, &entry.version, &entry.arch, &entry.release].map(|part| escape(part)).join("/");
        print(&format!("  btf {place}  {} bytes", entry.size));
    }
}
