//! `symbol-bundle log append`: a signed bundle's entry in a log, its proof and tile fragment attached.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};

use super::failure::of_log;
use super::queue_args::QueueArgs;
use super::target::{Target, TargetArgs, absolute};
use crate::attach::{AttachError, Logged, TrustFolder, check_loggable, log_failure, log_layout};
use crate::commands::{kind, next};
use crate::layout_dir::LayoutDir;
use crate::pending::{PENDING_VERSION, PendingItem};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct AppendArgs {
    /// The signed bundle's OCI layout
    #[arg(value_name = "LAYOUT")]
    layout: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    /// The trust folder that holds the signer's key, to extend by the log [default: LAYOUT-trust]
    #[arg(long, value_name = "FOLDER")]
    trust: Option<PathBuf>,
    /// When no log can be reached, or none is named: record the bundle as pending, for `log submit --pending`
    #[arg(long)]
    defer: bool,
    #[command(flatten)]
    queue: QueueArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(args: &AppendArgs) -> Outcome {
    kind::expect_layout(&args.layout)?;
    let layout = LayoutDir::open(&args.layout)?;
    let folder = TrustFolder::beside(&args.layout, args.trust.as_deref());
    kind::expect_trust_folder(folder.path())?;
    let Some(target) = args.target.open(&folder)? else {
        return if args.defer { defer(args, &layout, &folder, None) } else { Err(no_log(args)) };
    };
    match append(&layout, &target, &folder) {
        Ok((logged, already)) => report(args, &folder, &logged, already),
        Err(error) if args.defer && error.may_pass() => return defer(args, &layout, &folder, Some(&error)),
        Err(error) => return Err(failure(args, error)),
    }
    // What waited for this is done.
    let queue = args.queue.queue()?;
    if queue.exists() {
        queue.remove(&absolute(&args.layout)).map_err(|error| Failure::from(&error))?;
    }
    Ok(ExitCode::Done)
}

/// Records the bundle as pending. It must be signed: nothing else can be logged later either.
fn defer(args: &AppendArgs, layout: &LayoutDir, folder: &TrustFolder, why: Option<&AttachError>) -> Outcome {
    let loggable = check_loggable(layout, folder).map_err(|error| failure(args, error))?;
    let item = PendingItem {
        layout: absolute(&args.layout),
        log: args.target.to_keep(),
        manifest_digest: loggable.bundle.to_string(),
        signer: loggable.signer.hex(),
        trust: absolute(folder.path()),
        version: PENDING_VERSION,
    };
    let already = args.queue.queue()?.add(&item).map_err(|error| Failure::from(&error))?;
    if let Some(why) = why {
        note(&format!("not logged now: {why}"));
    }
    if args.output.json {
        print_json(&serde_json::json!({
            "pending": true, "manifestDigest": item.manifest_digest, "signer": item.signer, "already": already,
            "reason": why.map(ToString::to_string), "trust": item.trust,
        }));
    } else {
        print(&format!("{}: {}", if already { "pending already" } else { "pending" }, item.manifest_digest));
    }
    let log = if item.log.is_some() { "" } else { " --log DIR" };
    note(&format!("next: symbol-bundle log submit --pending{}{log}", args.queue.again()));
    Ok(ExitCode::Done)
}

/// Logs a layout's bundle, and tells whether it was logged there already.
pub(super) fn append(layout: &LayoutDir, target: &Target, folder: &TrustFolder) -> Result<(Logged, bool), AttachError> {
    // Logging again gives the same bytes, and the index names them all.
    let before = layout.blobs().index_bytes().ok();
    let logged = log_layout(layout, target.borrowed(), folder)?;
    Ok((logged, before == layout.blobs().index_bytes().ok()))
}

/// What a logged bundle's JSON report says.
pub(super) fn logged_json(logged: &Logged, folder: &TrustFolder, already: bool) -> serde_json::Value {
    let (bundle, log) = (&logged.bundle, logged.bundle.log());
    serde_json::json!({
        "manifestDigest": bundle.digest(), "origin": log.origin(), "index": log.index().0, "size": log.tree_size().0,
        "root": log.root().hex(), "signer": bundle.signer(), "already": already, "trust": folder.path(),
    })
}

fn report(args: &AppendArgs, folder: &TrustFolder, logged: &Logged, already: bool) {
    if args.output.json {
        print_json(&logged_json(logged, folder, already));
        return;
    }
    let (bundle, log) = (&logged.bundle, logged.bundle.log());
    print(&format!("{}: {}", if already { "already logged" } else { "logged" }, bundle.digest()));
    print(&format!("  in {} at index {}, tree size {}", log.origin(), log.index(), log.tree_size()));
    print(&format!("  signed by key {}", bundle.signer()));
    print(&format!("  trust folder {}", escape(&folder.path().display().to_string())));
    let archive = next::quoted(&format!("{}-{}.tar", bundle.name(), bundle.version()));
    note(&format!("next: symbol-bundle export {} --to {archive}", next::word(&args.layout)));
}

fn no_log(args: &AppendArgs) -> Failure {
    Failure::new(ExitCode::NoVerdict, "no log named")
        .hint(format_args!("symbol-bundle log append {0} --log DIR, or {0} --rekor URL --log-key KEY", next::word(&args.layout)))
}

fn failure(args: &AppendArgs, error: AttachError) -> Failure {
    let sign = format!("symbol-bundle sign {} --key K.key{}", next::word(&args.layout), next::option("--trust", args.trust.as_deref()));
    let hint = match &error {
        AttachError::Unsigned => format!("sign it first: {sign}"),
        AttachError::SeveralSignatures { .. } => format!("leave one: {sign} --replace"),
        AttachError::NoTrust { .. } => {
            format!("name the folder that `symbol-bundle sign` wrote with --trust FOLDER, or write it again: {sign}")
        }
        AttachError::AlreadyLogged { .. } => format!("name that log with --log DIR, or drop that log entry: {sign} --replace"),
        AttachError::Log(error) => return args.target.log.as_deref().map_or_else(|| log_failure(error), |log| of_log(log, error)),
        _ => return error.into(),
    };
    Failure::from(error).hint(hint)
}
