//! `symbol-bundle log`: a transparency log on disk, and logging signed bundles in it.

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};
use sealtrace_signer::SigningKey;
use sealtrace_site_log::{LogReader, SiteLog, SiteLogError};
use sealtrace_tlog::Origin;

use super::{kind, next};
use crate::attach::{AttachError, TrustFolder, log_failure, log_layout};
use crate::layout_dir::LayoutDir;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LogCommand {
    /// Make an empty log with its own key
    Init(InitArgs),
    /// Log a signed bundle; attach its proof and tile fragment
    Append(AppendArgs),
    /// Print the current checkpoint
    Checkpoint(CheckpointArgs),
    /// Hash every entry and tile; verify every published checkpoint
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
struct InitArgs {
    /// The log's folder
    #[arg(value_name = "DIR", required_unless_present = "log", conflicts_with = "log")]
    folder: Option<PathBuf>,
    /// The log's folder
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
    /// The log's name: a host name and path that nobody else uses, without scheme, e.g. example.org/site-log
    #[arg(long, value_name = "NAME")]
    origin: String,
    /// The log's key, kept where it is [default: a new one, DIR/log.key]
    #[arg(long, value_name = "K.key")]
    key: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct AppendArgs {
    /// The signed bundle's OCI layout
    #[arg(value_name = "LAYOUT")]
    layout: PathBuf,
    /// The log's folder
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The log's key, when `log init --key` named one
    #[arg(long, value_name = "K.key")]
    log_key: Option<PathBuf>,
    /// The trust folder that holds the signer's key, to extend by the log [default: LAYOUT-trust]
    #[arg(long, value_name = "FOLDER")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct CheckpointArgs {
    /// The log's folder
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The log's folder
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

impl LogArgs {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            LogCommand::Init(args) => args.output.json,
            LogCommand::Append(args) => args.output.json,
            LogCommand::Checkpoint(args) => args.output.json,
            LogCommand::Check(args) => args.output.json,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &LogArgs) -> Outcome {
    match &args.command {
        LogCommand::Init(args) => init(args),
        LogCommand::Append(args) => append(args),
        LogCommand::Checkpoint(args) => checkpoint(args),
        LogCommand::Check(args) => check(args),
    }
}

fn init(args: &InitArgs) -> Outcome {
    let Some(folder) = args.folder.as_ref().or(args.log.as_ref()) else {
        return Err(Failure::new(ExitCode::NoVerdict, "no folder for the log").hint("symbol-bundle log init DIR --origin NAME"));
    };
    let origin = Origin::parse(&args.origin)
        .map_err(|error| Failure::new(ExitCode::NoVerdict, error).hint("name it like a host and a path: --origin example.org/site-log"))?;
    let log = make(folder, &origin, args.key.as_deref()).map_err(|error| log_failure(&error))?;
    let key = &log.reader().log().key;
    if args.output.json {
        print_json(&serde_json::json!({ "origin": origin.as_str(), "keyId": key.key_id(), "log": folder }));
    } else {
        print(&format!("log    {} in {}", origin, escape(&folder.display().to_string())));
        print(&format!("key id {}", key.key_id()));
        let key = next::option("--log-key", args.key.as_deref());
        note(&format!("next: symbol-bundle log append LAYOUT --log {}{key}", next::word(folder)));
    }
    Ok(ExitCode::Done)
}

fn make(folder: &Path, origin: &Origin, key: Option<&Path>) -> Result<SiteLog, SiteLogError> {
    match key {
        Some(path) => SiteLog::init(folder, origin, SigningKey::load(path)?),
        None => SiteLog::init_with_own_key(folder, origin),
    }
}

fn append(args: &AppendArgs) -> Outcome {
    kind::expect_layout(&args.layout)?;
    let layout = LayoutDir::open(&args.layout)?;
    let folder = TrustFolder::beside(&args.layout, args.trust.as_deref());
    kind::expect_trust_folder(folder.path())?;
    // Logging again gives the same bytes, and the index names them all.
    let before = layout.blobs().index_bytes().ok();
    let logged = log_layout(&layout, &args.log, args.log_key.as_deref(), &folder).map_err(|error| failure(args, error))?;
    let already = before == layout.blobs().index_bytes().ok();
    let (bundle, log) = (&logged.bundle, logged.bundle.log());
    if args.output.json {
        print_json(&serde_json::json!({
            "manifestDigest": bundle.digest(), "origin": log.origin(), "index": log.index().0, "size": log.tree_size().0,
            "root": log.root().hex(), "signer": bundle.signer(), "already": already, "trust": folder.path(),
        }));
        return Ok(ExitCode::Done);
    }
    print(&format!("{}: {}", if already { "already logged" } else { "logged" }, bundle.digest()));
    print(&format!("  in {} at index {}, tree size {}", log.origin(), log.index(), log.tree_size()));
    print(&format!("  signed by key {}", bundle.signer()));
    print(&format!("  trust folder {}", escape(&folder.path().display().to_string())));
    let archive = next::quoted(&format!("{}-{}.tar", bundle.name(), bundle.version()));
    note(&format!("next: symbol-bundle export {} --to {archive}", next::word(&args.layout)));
    Ok(ExitCode::Done)
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
        _ => return error.into(),
    };
    Failure::from(error).hint(hint)
}

fn checkpoint(args: &CheckpointArgs) -> Outcome {
    let log = LogReader::open(&args.log).map_err(|error| log_failure(&error))?;
    if args.output.json {
        let tree = log.tree();
        print_json(&serde_json::json!({
            "origin": log.log().origin.as_str(), "size": tree.size.0, "root": tree.root.hex(), "checkpoint": log.checkpoint().text(),
        }));
    } else {
        print(log.checkpoint().text().trim_end_matches('\n'));
    }
    Ok(ExitCode::Done)
}

fn check(args: &CheckArgs) -> Outcome {
    let log = LogReader::open(&args.log).map_err(|error| log_failure(&error))?;
    let checked = log.check().map_err(|error| log_failure(&error))?;
    let (origin, tree) = (log.log().origin.as_str(), checked.tree());
    if args.output.json {
        print_json(&serde_json::json!({
            "origin": origin, "size": tree.size.0, "root": tree.root.hex(), "entryBytes": checked.entry_bytes(), "tiles": checked.tiles(),
            "checkpoints": checked.checkpoints(),
        }));
    } else {
        print(&format!("log {origin} agrees with itself: {} entries of {} bytes", tree.size, checked.entry_bytes()));
        print(&format!("  root {}", tree.root.hex()));
        print(&format!("  {} tiles, {} published checkpoints verified", checked.tiles(), checked.checkpoints()));
    }
    Ok(ExitCode::Done)
}
