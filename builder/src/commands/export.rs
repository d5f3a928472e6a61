//! `symbol-bundle export`: a layout as one deterministic archive.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json, shows_progress};

use crate::transfer::ExportError;
use crate::transfer::export::{Existing, export};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// The OCI layout of the bundle
    layout: PathBuf,
    /// The archive to write
    #[arg(long, value_name = "ARCHIVE")]
    to: PathBuf,
    /// Replace an archive that is already there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Runs the command.
pub(crate) fn run(args: &ExportArgs) -> Outcome {
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    let bar = byte_bar("exporting");
    let result = export(&args.layout, &args.to, existing, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let exported = result.map_err(|error| failure(&error))?;
    let layout = escape(&args.layout.display().to_string());
    if !exported.signed {
        note(&format!("warning: the bundle carries no signature; no store will admit it. First: symbol-bundle sign {layout}"));
    } else if !exported.logged {
        note(&format!("warning: the bundle is not in a log. First: symbol-bundle log append {layout} --log DIR"));
    }
    let archive = args.to.display().to_string();
    if args.output.json {
        print_json(&serde_json::json!({
            "archive": archive, "bytes": exported.bytes, "sha256": exported.sha256.hex(), "blobs": exported.blobs
        }));
    } else {
        print(&format!("exported {} ({} blobs, {} bytes)", escape(&archive), exported.blobs, exported.bytes));
        print(&format!("sha256   {}", exported.sha256.hex()));
        print(&format!("next: carry it over, then: symbol-bundle import {} --store DIR", escape(&archive)));
    }
    Ok(ExitCode::Done)
}

/// A bar of bytes on a terminal, nothing in a pipe.
pub(crate) fn byte_bar(doing: &'static str) -> ProgressBar {
    if !shows_progress() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(doing)
}

fn failure(error: &ExportError) -> Failure {
    let failure = Failure::from_error(error.exit(), "export", error);
    match error {
        ExportError::Layout(_) => failure.hint("make a layout with: symbol-bundle build RELEASE_DIR --name N --version V -o LAYOUT"),
        ExportError::Graph(_) | ExportError::BlobDigest { .. } | ExportError::BlobSize { .. } => {
            failure.hint("the layout is damaged: build and sign it again")
        }
        ExportError::Exists { .. } => failure.hint("name another archive, or replace this one with --force"),
        ExportError::Busy { .. } => failure.hint("wait for the other export to end"),
        ExportError::Archive(_) => failure.hint("a blob of 8 GiB or more fits no archive: build with --debug-files none"),
        ExportError::Device(_) => failure.hint("check that the folder of --to exists, is writable and has space"),
        ExportError::Encode(_) => failure,
    }
}
