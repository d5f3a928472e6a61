//! `kit create`. Not here: its signatures (`sign.rs`), what a kit says of what it is given (`crate::kit`).

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note};
use sealtrace_tlog::{LogKey, TlogPolicy};
use sealtrace_trust::kit::{Kit, KitWitness, Placement, SignedKit, Staleness};
use sealtrace_trust::{
    CheckpointExport, ConsistencyBody, MAX_DENY_BYTES, MAX_EXPORT_BYTES, MAX_POLICY_BYTES, Policy, Role, parse_deny_list,
};
use sealtrace_verdict::UnixTime;

use super::checkpoints::{self, Brought};
use super::files::{make_failure, read_export, read_file, read_kit, read_request};
use super::sign::{KitKeys, Target, make, write_kit};
use crate::attach::TrustFolder;
use crate::kit::Making;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// A trust folder whose logs and signers to take up, in a role [default role: release] (repeatable)
    #[arg(long, value_name = "[ROLE=]FOLDER")]
    from: Vec<String>,
    /// The kit that this one follows
    #[arg(long, value_name = "KIT")]
    previous: Option<PathBuf>,
    #[command(flatten)]
    keys: KitKeys,
    /// The time at which this kit is made, YYYY-MM-DDThh:mm:ssZ
    #[arg(long, value_name = "TIME")]
    reference_time: String,
    /// Rules for evidence
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A C2SP tlog-policy: log witnesses and their quorum
    #[arg(long, value_name = "FILE")]
    tlog_policy: Option<PathBuf>,
    /// Where a log witness of that policy stands (repeatable)
    #[arg(long, value_name = "NAME=peer|outside", requires = "tlog_policy")]
    witness: Vec<String>,
    /// Entries for the deny list
    #[arg(long, value_name = "FILE")]
    deny: Vec<PathBuf>,
    /// A checkpoint to pin (repeatable)
    #[arg(long, value_name = "CHECKPOINT")]
    pin: Vec<PathBuf>,
    /// The last checkpoint of a log that takes no more entries (repeatable)
    #[arg(long, value_name = "CHECKPOINT")]
    freeze: Vec<PathBuf>,
    /// A site's checkpoint that comes back, cosigned; also the file that `site checkpoint export` wrote (repeatable)
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// A proof that a released size is a beginning of a pinned or returned checkpoint (repeatable)
    #[arg(long, value_name = "FILE")]
    consistency: Vec<PathBuf>,
    /// A site's enrolment request (repeatable)
    #[arg(long, value_name = "REQUEST")]
    enroll: Vec<PathBuf>,
    /// From which age on this kit is stale and warns
    #[arg(long, value_name = "SECONDS")]
    warn_after: Option<u64>,
    /// From which age on this kit is too old and fails
    #[arg(long, value_name = "SECONDS")]
    fail_after: Option<u64>,
    /// The kit to write
    #[arg(short, long, value_name = "KIT")]
    output: PathBuf,
    #[command(flatten)]
    pub(super) report: OutputArgs,
}

/// Makes a kit.
pub(crate) fn run(args: &CreateArgs) -> Outcome {
    let previous = args.previous.as_deref().map(read_kit).transpose()?;
    let target = Target { previous: args.previous.as_deref().zip(previous.as_ref()), output: &args.output, report: args.report };
    let mut making = begin(previous.as_ref(), &args.reference_time)?;
    let mut logs = previous.as_ref().map(log_keys).transpose()?.unwrap_or_default();
    logs.extend(add_parties(&mut making, args)?);
    let brought = add_logs(&mut making, args)?;
    let policy = tlog_policy(args, previous.as_ref())?;
    add_rules(&mut making, args, policy.as_ref())?;
    checkpoints::check(&brought, &logs, policy.as_ref())?;
    if let Some((path, kit)) = target.previous {
        checkpoints::check(&checkpoints::of_kit(path, kit.kit()), &logs, policy.as_ref())?;
    }
    let draft = make(making, &args.keys, target)?;
    checkpoints::warn_of_quorum(&brought, draft.kit());
    if trusts_nobody(draft.kit()) {
        note("warning: the kit trusts nobody yet: name --from FOLDER, or --previous KIT for the next one");
    }
    write_kit(&draft, target)
}

fn trusts_nobody(kit: &Kit) -> bool {
    let no_logs = kit.logs().is_ok_and(|logs| logs.is_empty());
    kit.signers.is_empty() && no_logs && kit.authorities().is_ok_and(|authorities| authorities.is_empty())
}

/// Begins a kit, which is not from before the one that it follows.
pub(crate) fn begin(previous: Option<&SignedKit>, time: &str) -> Result<Making, Failure> {
    let time = reference_time(time)?;
    if let Some(before) = previous.map(|kit| kit.kit().reference_time).filter(|before| time < *before) {
        return Err(Failure::new(
            ExitCode::NoVerdict,
            format_args!("--reference-time {time} is before {before} of the kit that it follows"),
        )
        .hint("nothing was written, since `kit apply` would refuse it: give the time at which this kit is made"));
    }
    Making::after(previous, time).map_err(|error| make_failure(&error))
}

fn log_keys(kit: &SignedKit) -> Result<Vec<LogKey>, Failure> {
    let logs = kit.kit().logs().map_err(|error| make_failure(&error.into()))?;
    Ok(logs.into_iter().map(|log| log.log).collect())
}

/// Trust folders and sites; the logs that came with them.
fn add_parties(making: &mut Making, args: &CreateArgs) -> Result<Vec<LogKey>, Failure> {
    let mut logs = Vec::new();
    for from in &args.from {
        let (role, folder) = from.split_once('=').unwrap_or((Role::RELEASE, from));
        let role = Role::parse(role).ok_or_else(|| {
            Failure::new(ExitCode::NoVerdict, format_args!("{:?} is no role", escape(role)))
                .hint("a role is lower-case letters, digits and hyphens: release, site")
        })?;
        let trust = TrustFolder::at(Path::new(folder)).read_existing()?;
        making.add_folder(&trust, &[role]).map_err(|error| make_failure(&error))?;
        logs.extend(trust.logs().iter().map(|log| log.log.clone()));
    }
    for path in &args.enroll {
        let request = read_request(path)?;
        making.enroll(&request).map_err(|error| make_failure(&error))?;
        logs.push(request.log().clone());
    }
    Ok(logs)
}

/// Pins, ends, returned checkpoints and proofs; the checkpoints with their files.
fn add_logs(making: &mut Making, args: &CreateArgs) -> Result<Vec<Brought>, Failure> {
    let mut brought = Vec::new();
    let mut bring = |path: &Path, export: &CheckpointExport, comes_back| {
        brought.push(Brought { path: path.to_owned(), checkpoint: export.checkpoint.clone(), comes_back });
    };
    for path in &args.pin {
        let export = read_export(path)?;
        making.pin(&export.checkpoint);
        bring(path, &export, false);
    }
    for path in &args.freeze {
        let export = read_export(path)?;
        making.freeze(&export.checkpoint);
        bring(path, &export, false);
    }
    for path in &args.checkpoint {
        let export = read_export(path)?;
        making.courier(&export);
        bring(path, &export, true);
    }
    for path in &args.consistency {
        let bytes = read_file("consistency proof", path, MAX_EXPORT_BYTES)?;
        let body = String::from_utf8_lossy(&bytes);
        let body = ConsistencyBody::parse(&body).map_err(|error| {
            Failure::from_error(ExitCode::Malformed, &escape(&path.display().to_string()), &error)
                .hint("a proof is a C2SP add-checkpoint body: old SIZE, hashes, an empty line, the newer checkpoint")
        })?;
        making.consistency(&body);
    }
    Ok(brought)
}

/// The tlog-policy of the kit to be: the one given, else that of the kit before.
fn tlog_policy(args: &CreateArgs, previous: Option<&SignedKit>) -> Result<Option<TlogPolicy>, Failure> {
    let (shown, bytes) = match (&args.tlog_policy, previous.and_then(|kit| kit.kit().tlog_policy.as_ref())) {
        (Some(path), _) => (escape(&path.display().to_string()), read_file("tlog-policy", path, MAX_POLICY_BYTES)?),
        (None, Some(text)) => ("tlog-policy of the kit before".to_owned(), text.clone().into_bytes()),
        (None, None) => return Ok(None),
    };
    TlogPolicy::parse(&bytes)
        .map(Some)
        .map_err(|error| Failure::from_error(ExitCode::Malformed, &shown, &error).hint("its lines stand in docs/formats/tlog-policy.md"))
}

/// Policies, deny list and ages.
fn add_rules(making: &mut Making, args: &CreateArgs, policy: Option<&TlogPolicy>) -> Result<(), Failure> {
    if let Some(path) = &args.policy {
        let policy = Policy::parse(&read_file("policy", path, MAX_POLICY_BYTES)?).map_err(|error| {
            Failure::from_error(ExitCode::Malformed, &escape(&path.display().to_string()), &error)
                .hint("its fields stand in docs/formats/policy.md")
        })?;
        making.policy(policy);
    }
    if let Some(path) = &args.tlog_policy {
        let text = String::from_utf8(read_file("tlog-policy", path, MAX_POLICY_BYTES)?);
        let text = text.map_err(|_invalid| Failure::new(ExitCode::Malformed, format_args!("{} is not UTF-8", path.display())))?;
        let witnesses = args.witness.iter().map(|text| witness(text, policy)).collect::<Result<Vec<_>, _>>()?;
        making.tlog_policy(text, witnesses);
    }
    for path in &args.deny {
        let entries = parse_deny_list(&read_file("deny list", path, MAX_DENY_BYTES)?).map_err(|error| {
            Failure::from_error(ExitCode::Malformed, &escape(&path.display().to_string()), &error)
                .hint("its entries stand in docs/formats/deny-list.md")
        })?;
        making.deny(entries);
    }
    if args.warn_after.is_some() || args.fail_after.is_some() {
        making.staleness(Staleness { warn_after_seconds: args.warn_after, fail_after_seconds: args.fail_after });
    }
    Ok(())
}

fn witness(text: &str, policy: Option<&TlogPolicy>) -> Result<KitWitness, Failure> {
    let (name, placement) = text.rsplit_once('=').unwrap_or((text, ""));
    let names: Vec<&str> = policy.into_iter().flat_map(TlogPolicy::witnesses).map(|(name, _)| name).collect();
    let listed = if names.is_empty() { "none".to_owned() } else { escape(&names.join(", ")) };
    let usage = |what: &str| {
        Failure::new(ExitCode::NoVerdict, format_args!("--witness {}: {what}", escape(text)))
            .hint(format_args!("write --witness NAME=outside or NAME=peer; names in the tlog-policy: {listed}"))
    };
    let placement = match placement {
        "peer" => Placement::Peer,
        "outside" => Placement::Outside,
        _ => return Err(usage("it does not say where the log witness stands")),
    };
    if names.contains(&name) {
        Ok(KitWitness { name: name.to_owned(), placement })
    } else {
        Err(usage("no log witness of the tlog-policy"))
    }
}

/// The time a kit is made at.
fn reference_time(text: &str) -> Result<UnixTime, Failure> {
    text.parse().map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "--reference-time", &error).hint("write it as date -u +%Y-%m-%dT%H:%M:%SZ does")
    })
}
