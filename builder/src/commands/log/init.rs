//! `symbol-bundle log init`: an empty log.

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};
use sealtrace_signer::SigningKey;
use sealtrace_site_log::{SiteLog, SiteLogError};
use sealtrace_tlog::Origin;

use super::failure::of_log;
use crate::commands::next;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
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
    pub(super) output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(args: &InitArgs) -> Outcome {
    let Some(folder) = args.folder.as_ref().or(args.log.as_ref()) else {
        return Err(Failure::new(ExitCode::NoVerdict, "no folder for the log").hint("symbol-bundle log init DIR --origin NAME"));
    };
    let origin = parse_origin(&args.origin)?;
    let log = make(folder, &origin, args.key.as_deref()).map_err(|error| of_log(folder, &error))?;
    let key = &log.reader().log().key;
    let vkey = log.reader().log().note_key().map(|key| key.vkey()).unwrap_or_default();
    if args.output.json {
        print_json(&serde_json::json!({ "origin": origin.as_str(), "keyId": key.key_id(), "vkey": vkey, "log": folder }));
    } else {
        print(&format!("log    {} in {}", origin, escape(&folder.display().to_string())));
        print(&format!("key id {}", key.key_id()));
        print(&format!("vkey   {vkey}"));
        let key = next::option("--log-key", args.key.as_deref());
        note(&format!("next: symbol-bundle log append LAYOUT --log {}{key}", next::word(folder)));
    }
    Ok(ExitCode::Done)
}

/// A log's name from the command line.
///
/// # Errors
/// Exit 2.
pub(super) fn parse_origin(text: &str) -> Result<Origin, Failure> {
    Origin::parse(text)
        .map_err(|error| Failure::new(ExitCode::NoVerdict, error).hint("name it like a host and a path: --origin example.org/site-log"))
}

fn make(folder: &Path, origin: &Origin, key: Option<&Path>) -> Result<SiteLog, SiteLogError> {
    match key {
        Some(path) => SiteLog::init(folder, origin, SigningKey::load(path)?),
        None => SiteLog::init_with_own_key(folder, origin),
    }
}
