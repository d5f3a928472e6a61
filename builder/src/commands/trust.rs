//! `symbol-bundle trust`: the keys and logs that a store trusts.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, StoreArgs, escape, print, print_json};
use sealtrace_signer::read_public_key_file;
use sealtrace_site_log::LogReader;
use sealtrace_trust::{Fingerprint, Trust, TrustedLog};

use crate::attach::{AttachError, TrustFolder, key_failure, log_failure};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct TrustArgs {
    #[command(subcommand)]
    command: TrustCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TrustCommand {
    /// Trust the keys and logs of a folder that came by another way than the archive
    Add(AddArgs),
    /// Print the fingerprints of what a store trusts
    List(ListArgs),
    /// Add a site's signer or log to a trust folder, for an auditor
    Enroll(EnrollArgs),
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The trust folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct EnrollArgs {
    /// The trust folder to extend; made when it does not exist
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// A signer's public key
    #[arg(long, value_name = "K.pub", required_unless_present = "log")]
    signer: Vec<PathBuf>,
    /// A log's folder
    #[arg(long, value_name = "DIR")]
    log: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

impl TrustArgs {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            TrustCommand::Add(args) => args.output.json,
            TrustCommand::List(args) => args.output.json,
            TrustCommand::Enroll(args) => args.output.json,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &TrustArgs) -> Outcome {
    match &args.command {
        TrustCommand::Add(args) => add(args),
        TrustCommand::List(args) => list(args),
        TrustCommand::Enroll(args) => enroll(args),
    }
}

fn installed(store: &StoreArgs) -> Result<TrustFolder, Failure> {
    Ok(TrustFolder::at(&store.path(rustix::process::geteuid().is_root())?.join("trust")))
}

fn add(args: &AddArgs) -> Outcome {
    let offered = TrustFolder::at(&args.folder).read_existing()?;
    let installed = installed(&args.store)?;
    let trust = installed.extend(&offered)?;
    if !args.output.json {
        print(&format!("trusted in {}; compare these with what the sender reads to you:", escape(&installed.path().display().to_string())));
    }
    report(&trust, args.output);
    Ok(ExitCode::Done)
}

fn list(args: &ListArgs) -> Outcome {
    let installed = installed(&args.store)?;
    let trust = installed.read()?;
    if trust.is_empty() {
        let shown = escape(&installed.path().display().to_string());
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("nothing is trusted yet: {shown} does not exist or is empty"))
            .hint("install a trust folder with: symbol-bundle trust add FOLDER --store DIR"));
    }
    report(&trust, args.output);
    Ok(ExitCode::Done)
}

fn enroll(args: &EnrollArgs) -> Outcome {
    let mut more = Trust::default();
    for path in &args.signer {
        more.add_signer(read_public_key_file(path).map_err(|error| key_failure(&error))?);
    }
    for path in &args.log {
        let log = LogReader::open(path).map_err(|error| log_failure(&error))?;
        more.add_log(TrustedLog::new(log.log().clone())).map_err(|source| AttachError::Trust { path: path.clone(), source })?;
    }
    let trust = TrustFolder::at(&args.folder).extend(&more)?;
    report(&trust, args.output);
    Ok(ExitCode::Done)
}

fn report(trust: &Trust, output: OutputArgs) {
    if !output.json {
        for fingerprint in trust.fingerprints() {
            print(&fingerprint.to_string());
        }
        return;
    }
    let (mut signers, mut logs) = (Vec::new(), Vec::new());
    for fingerprint in trust.fingerprints() {
        match fingerprint {
            Fingerprint::Signer { key } => signers.push(key.hex()),
            Fingerprint::Log { origin, key } => logs.push(serde_json::json!({ "origin": origin, "keyId": key })),
        }
    }
    print_json(&serde_json::json!({ "signers": signers, "logs": logs }));
}
