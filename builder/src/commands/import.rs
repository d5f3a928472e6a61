//! `symbol-bundle import`: quarantine, verify, admit.

use std::path::{Path, PathBuf};

use sealtrace_console::{
    ExitCode, Failure, Outcome, OutputArgs, Progress, StoreArgs, Stream, Tone, escape, finish, note, paint, print, print_json,
};
use sealtrace_store::{OpenArchiveError, Store};
use sealtrace_verdict::codes;

use super::next;
use crate::transfer::ImportError;
use crate::transfer::import::{Imported, Watcher, import};

/// Most unreferenced blobs named one by one.
const MAX_NAMED_BLOBS: usize = 5;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// Archives to verify and admit, each on its own
    #[arg(required = true, value_name = "ARCHIVE")]
    archives: Vec<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Runs the command. Each archive is admitted or refused on its own; the exit code is the worst.
pub(crate) fn run(args: &ImportArgs) -> Outcome {
    let store = args.store.path(rustix::process::geteuid().is_root())?;
    let (mut results, mut refused) = (Vec::new(), Vec::new());
    let mut worst = ExitCode::Done;
    for archive in &args.archives {
        let mut watcher = BarWatcher { bar: Progress::of_bytes("import") };
        let result = import(archive, &store, &mut watcher);
        drop(watcher);
        let error = match result {
            Ok(imported) => {
                report(archive, &imported, &mut results, args.output.json);
                tell_next(&imported, &store, args.output.json);
                continue;
            }
            Err(error) => error,
        };
        let failure = failure(archive, &store, &error);
        if args.archives.len() == 1 {
            return Err(failure);
        }
        let exit = failure.exit();
        refused.push(serde_json::json!({ "archive": archive, "exit": exit.code(), "message": error.to_string() }));
        worst = if exit.code() > worst.code() { exit } else { worst };
        // Reported at once, beside what is said about the others; the process goes on.
        finish("symbol-bundle", false, Err(failure));
    }
    if !refused.is_empty() {
        note(&format!("{} of {} archives were not admitted", refused.len(), args.archives.len()));
    }
    if args.output.json {
        print_json(&serde_json::json!({ "imported": results, "refused": refused }));
    }
    Ok(worst)
}

/// Says on stderr how to verify what was admitted, and warns when its name does not name it.
fn tell_next(imported: &Imported, store: &Path, json: bool) {
    let reference = imported.bundle.reference();
    let bundles = Store::open(store).and_then(|store| store.bundles()).unwrap_or_default();
    let same: Vec<_> = bundles.iter().filter(|bundle| bundle.reference() == reference).map(|bundle| bundle.digest.to_string()).collect();
    let shared = same.len() > 1;
    if shared {
        note(&format!("warning: another bundle is named {}: name them by digest: {}", escape(&reference), same.join(", ")));
    }
    if !json {
        let name = if shared { imported.bundle.digest.to_string() } else { next::quoted(&reference) };
        note(&format!("next: trace-verify --bundle {name} --store {}", next::word(store)));
    }
}

struct BarWatcher {
    bar: Progress,
}

impl Watcher for BarWatcher {
    fn waiting(&mut self) {
        note("another import is using this store; waiting for it to end");
    }

    fn progress(&mut self, done: u64, total: u64) {
        self.bar.set(done, total);
    }
}

fn report(archive: &Path, imported: &Imported, results: &mut Vec<serde_json::Value>, json: bool) {
    let receipt = &imported.bundle.receipt;
    let archive = escape(&archive.display().to_string());
    if !imported.unreferenced.is_empty() {
        let named: Vec<_> = imported.unreferenced.iter().take(MAX_NAMED_BLOBS).map(ToString::to_string).collect();
        note(&format!(
            "warning: {archive} holds {} blobs that no manifest names; not admitted: {}",
            imported.unreferenced.len(),
            named.join(", ")
        ));
    }
    for (bundle, error) in &imported.at_fault {
        note(&format!(
            "warning: {bundle} of the store is at fault and stays listed as it was; import its archive again: {}",
            escape(&error.to_string())
        ));
    }
    if json {
        results.push(serde_json::json!({
            "archive": archive, "manifestDigest": imported.bundle.digest, "name": receipt.name, "version": receipt.version,
            "already": imported.already, "blobs": imported.blobs, "signer": receipt.signer, "log": receipt.log,
            "assurance": receipt.assurance, "unreferenced": imported.unreferenced,
        }));
        return;
    }
    let state = if imported.already { "already in the store" } else { "admitted" };
    let state = paint(Stream::Stdout, Tone::Good, state);
    print(&format!("{state}: {} {}", escape(&imported.bundle.reference()), imported.bundle.digest));
    print(&format!("  signed by key {}", receipt.signer));
    match &receipt.log {
        Some(log) => print(&format!("  logged in {} at index {} ({})", escape(&log.origin), log.index, receipt.assurance)),
        None => print("  not logged"),
    }
}

fn failure(archive: &Path, store: &Path, error: &ImportError) -> Failure {
    let shown = escape(&archive.display().to_string());
    let failure = Failure::from_error(error.exit(), &format!("import {shown}"), error);
    let store = next::word(store);
    match error {
        ImportError::Open(OpenArchiveError::Folder { .. }) => {
            failure.hint(format_args!("write an archive of an OCI layout with: symbol-bundle export {} --to ARCHIVE", next::word(archive)))
        }
        ImportError::Open(OpenArchiveError::Special { .. }) => failure.hint("copy it into a regular file first"),
        ImportError::Open(_) => failure.hint("check the path and its permissions"),
        ImportError::NoTrust { .. } => failure.hint(format_args!(
            "install the trust folder that came apart from the archive: symbol-bundle trust add FOLDER --store {store}"
        )),
        ImportError::Trust(_) => failure.hint(format_args!("install it again: symbol-bundle trust add FOLDER --store {store}")),
        ImportError::Unsigned { .. } => {
            failure.hint("where it was built: symbol-bundle sign LAYOUT, symbol-bundle log append LAYOUT --log DIR, then export again")
        }
        ImportError::NotVerified { verdict, .. } if !verdict.exhibits().is_empty() => failure.hint(format_args!(
            "nothing was admitted; what speaks against the log is kept in {store}/state/evidence: show it to the log's operator"
        )),
        ImportError::NotVerified { verdict, .. } => {
            let untrusted = |id: &str| matches!(id, "signer-trusted" | "log-trusted");
            match verdict.decisive().filter(|check| !untrusted(&check.id)).and_then(|check| codes::explain(&check.id)) {
                Some(text) => failure.hint(format_args!("nothing was admitted; {} (more: trace-verify explain {})", text.next, text.id)),
                None => failure.hint(format_args!(
                    "nothing was admitted; if the signer or log should be trusted: symbol-bundle trust add FOLDER --store {store}, or the next kit: symbol-bundle kit apply KIT --store {store}"
                )),
            }
        }
        ImportError::Full { .. } => {
            failure.hint("nothing was admitted; import into another store: symbol-bundle import ARCHIVE --store DIR")
        }
        ImportError::Space { .. } => failure.hint("free some space, or name another store with --store DIR"),
        ImportError::Store(_) | ImportError::Device(_) => failure.hint("check that the store exists, is writable and has space"),
        _ if error.exit() == ExitCode::NoVerdict => failure.hint("nothing was admitted; copy the archive again and run the same command"),
        _ => failure.hint("nothing was admitted; ask for the archive again, and tell its sender what this says"),
    }
}
