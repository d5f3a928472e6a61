//! `symbol-bundle export`: a layout as one deterministic archive.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, Progress, escape, note, print, print_json};

use super::{kind, next};
use crate::attach::TrustFolder;
use crate::transfer::ExportError;
use crate::transfer::export::{Existing, Exported, export};

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
    kind::expect_layout(&args.layout)?;
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    let bar = Progress::of_bytes("export");
    let result = export(&args.layout, &args.to, existing, &mut |done, total| bar.set(done, total));
    drop(bar);
    let exported = result.map_err(|error| failure(&error))?;
    let archive = args.to.display().to_string();
    if args.output.json {
        print_json(&serde_json::json!({
            "archive": archive, "bytes": exported.bytes, "sha256": exported.sha256.hex(), "blobs": exported.blobs
        }));
    } else {
        print(&format!("exported {} ({} blobs, {} bytes)", escape(&archive), exported.blobs, exported.bytes));
        print(&format!("sha256   {}", exported.sha256.hex()));
    }
    tell(args, &exported);
    Ok(ExitCode::Done)
}

/// Says on stderr what is next, which for an archive that no store admits is not to carry it over.
fn tell(args: &ExportArgs, exported: &Exported) {
    let (layout, archive) = (next::word(&args.layout), next::word(&args.to));
    if !exported.signed {
        note("warning: the bundle carries no signature; no store will admit it");
        note(&format!(
            "next: symbol-bundle sign {layout} --key K.key, symbol-bundle log append {layout} --log DIR, \
             then: symbol-bundle export {layout} --to {archive} --force"
        ));
    } else if !exported.logged {
        note("warning: the bundle is not in a log; no store will admit it");
        note(&format!("next: symbol-bundle log append {layout} --log DIR, then: symbol-bundle export {layout} --to {archive} --force"));
    } else if !args.output.json {
        let trust = TrustFolder::beside(&args.layout, None);
        let trust = if trust.path().is_dir() { next::word(trust.path()) } else { "FOLDER".to_owned() };
        note("next: carry the archive over, and the trust folder by another way; there:");
        note(&format!("  symbol-bundle trust add {trust}"));
        note(&format!("  symbol-bundle import {archive}"));
    }
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
