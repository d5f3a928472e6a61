//! `symbol-bundle site`: enrolment of a site, and its checkpoints on their way out.

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};
use sealtrace_envelope::EnvelopeSignature;
use sealtrace_signer::SigningKey;
use sealtrace_site_log::LogReader;
use sealtrace_tlog::TreeSize;
use sealtrace_trust::{CheckpointExport, EnrolmentRequest, MAX_EXPORT_PROOFS, request_file, request_payload};

use super::kit::{KitKeys, Target, begin, make, make_failure, read_kit, read_request, write_kit, write_new};
use super::next;
use crate::attach::{key_failure, log_failure};
use crate::kit::body_of;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct SiteArgs {
    #[command(subcommand)]
    command: SiteCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SiteCommand {
    /// Have a site's keys and log trusted
    #[command(subcommand)]
    Enroll(EnrollCommand),
    /// Carry a site's checkpoint out, to be cosigned
    #[command(subcommand)]
    Checkpoint(CheckpointCommand),
}

#[derive(Debug, clap::Subcommand)]
enum EnrollCommand {
    /// Write a request, signed by every key it names; it leaves by courier
    Request(RequestArgs),
    /// Take a request up in the next kit
    Approve(ApproveArgs),
}

#[derive(Debug, clap::Subcommand)]
enum CheckpointCommand {
    /// Write the log's checkpoint with the proofs that its earlier trees are beginnings of it
    Export(ExportArgs),
}

#[derive(Debug, clap::Args)]
struct RequestArgs {
    /// The site's signing key (repeatable)
    #[arg(long, value_name = "K.key", required = true)]
    key: Vec<PathBuf>,
    /// The site's log
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The log's key, when `log init --key` named one
    #[arg(long, value_name = "K.key")]
    log_key: Option<PathBuf>,
    /// What the site is called
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The request to write
    #[arg(short, long, value_name = "REQUEST")]
    output: PathBuf,
    #[command(flatten)]
    report: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct ApproveArgs {
    /// The request
    #[arg(value_name = "REQUEST")]
    request: PathBuf,
    /// The kit that the new one follows
    #[arg(long, value_name = "KIT")]
    kit: PathBuf,
    #[command(flatten)]
    keys: KitKeys,
    /// The time at which the new kit is made, YYYY-MM-DDThh:mm:ssZ
    #[arg(long, value_name = "TIME")]
    reference_time: String,
    /// The new kit to write
    #[arg(short, long, value_name = "KIT")]
    output: PathBuf,
    #[command(flatten)]
    report: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct ExportArgs {
    /// The log
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The smallest tree to prove [default: 1, or the newest 4096]
    #[arg(long, value_name = "SIZE")]
    since: Option<u64>,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    report: OutputArgs,
}

impl SiteArgs {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        let output = match &self.command {
            SiteCommand::Enroll(EnrollCommand::Request(args)) => args.report,
            SiteCommand::Enroll(EnrollCommand::Approve(args)) => args.report,
            SiteCommand::Checkpoint(CheckpointCommand::Export(args)) => args.report,
        };
        output.json
    }
}

/// Runs the command.
pub(crate) fn run(args: &SiteArgs) -> Outcome {
    match &args.command {
        SiteCommand::Enroll(EnrollCommand::Request(args)) => request(args),
        SiteCommand::Enroll(EnrollCommand::Approve(args)) => approve(args),
        SiteCommand::Checkpoint(CheckpointCommand::Export(args)) => export(args),
    }
}

fn request(args: &RequestArgs) -> Outcome {
    let keys = args.key.iter().map(|path| SigningKey::load(path)).collect::<Result<Vec<_>, _>>().map_err(|error| key_failure(&error))?;
    let log = LogReader::open(&args.log).map_err(|error| log_failure(&error))?;
    let in_folder = args.log.join("log.key");
    let log_key = SigningKey::load(args.log_key.as_deref().unwrap_or(&in_folder)).map_err(|error| key_failure(&error))?;
    if log_key.public_key() != &log.log().key {
        return Err(Failure::new(ExitCode::NoVerdict, "this is not the log's key").hint("name the log's own key with --log-key"));
    }
    let public: Vec<_> = keys.iter().map(|key| key.public_key().clone()).collect();
    let encode = |error: sealtrace_trust::RequestError| {
        Failure::from_error(ExitCode::Malformed, "request", &error).hint("name the site in plain words: --name NAME")
    };
    let (message, payload) = request_payload(&args.name, log.log(), &public).map_err(encode)?;
    let sign = |key: &SigningKey| Ok(EnvelopeSignature { sig: key.sign(&message)?, keyid: key.public_key().hint() });
    let signatures = keys.iter().chain([&log_key]).map(sign).collect::<Result<Vec<_>, _>>().map_err(|error| key_failure(&error))?;
    let file = request_file(&payload, signatures).map_err(encode)?;
    let request = EnrolmentRequest::parse(&file).map_err(encode)?;
    write_new(&args.output, &file)?;
    report(&request, &args.output, args.report);
    if !args.report.json {
        note("  take it out with a courier, and read the request's digest to whoever makes the kits");
        note(&format!(
            "  next: symbol-bundle site enroll approve {} --kit KIT --key K.key --reference-time TIME -o NEXT",
            next::word(&args.output)
        ));
    }
    Ok(ExitCode::Done)
}

fn report(request: &EnrolmentRequest, path: &Path, output: OutputArgs) {
    let signers: Vec<String> = request.signers().map(|key| key.key_id().hex()).collect();
    if output.json {
        print_json(&serde_json::json!({
            "request": path, "sha256": request.sha256(), "name": request.name(), "origin": request.log().origin.as_str(),
            "logKey": request.log().key.key_id(), "signers": signers,
        }));
        return;
    }
    print(&format!("request {} of site {}", request.sha256(), escape(request.name())));
    for signer in &signers {
        print(&format!("signer  {signer}"));
    }
    print(&format!("log     {} {}", request.log().key.key_id(), request.log().origin));
}

fn approve(args: &ApproveArgs) -> Outcome {
    let request = read_request(&args.request)?;
    let previous = read_kit(&args.kit)?;
    let mut making = begin(Some(&previous), &args.reference_time)?;
    making.enroll(&request).map_err(|error| make_failure(&error))?;
    if !args.report.json {
        report(&request, &args.request, args.report);
    }
    let held = &previous.kit().sites;
    if held.iter().any(|site| site.name == request.name() && site.request_sha256 == request.sha256()) {
        note(&format!("  enrolled already: kit {} has site {} by this request", previous.kit().sequence, escape(request.name())));
    }
    let target = Target { previous: Some((&args.kit, &previous)), output: &args.output, report: args.report };
    write_kit(&make(making, &args.keys, target)?, target)
}

fn export(args: &ExportArgs) -> Outcome {
    let log = LogReader::open(&args.log).map_err(|error| log_failure(&error))?;
    let size = log.tree().size.0;
    let most = u64::try_from(MAX_EXPORT_PROOFS).unwrap_or(u64::MAX);
    let first = args.since.unwrap_or(1).max(1).max(size.saturating_sub(most));
    let bodies = (first..size).map(|older| Ok(body_of(older, log.consistency_from(TreeSize(older))?, log.checkpoint())));
    let consistency = bodies.collect::<Result<Vec<_>, _>>().map_err(|error| log_failure(&error))?;
    let export = CheckpointExport { checkpoint: log.checkpoint().clone(), consistency };
    let file = export.encode().map_err(|error| Failure::from_error(ExitCode::NoVerdict, "checkpoint", &error))?;
    write_new(&args.output, &file)?;
    let tree = log.tree();
    if args.report.json {
        print_json(&serde_json::json!({
            "file": args.output, "origin": log.log().origin.as_str(), "size": tree.size.0, "root": tree.root.hex(), "proofs": export.consistency.len(),
        }));
        return Ok(ExitCode::Done);
    }
    print(&format!(
        "checkpoint of {} size {} with {} proof(s) in {}",
        log.log().origin,
        tree.size.0,
        export.consistency.len(),
        escape(&args.output.display().to_string())
    ));
    note(
        "  it leaves with the evidence; outside a log witness cosigns it, and the next kit brings it back: symbol-bundle kit create --checkpoint FILE …",
    );
    Ok(ExitCode::Done)
}
