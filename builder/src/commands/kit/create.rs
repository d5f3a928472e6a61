//! `kit create` and `kit sign`.

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, Overwrite, escape, note, print, print_json, write_atomic};
use sealtrace_signer::{SigningKey, read_public_key_file};
use sealtrace_trust::kit::{KitDigest, KitWitness, MAX_KIT_BYTES, Placement, SignedKit, Staleness};
use sealtrace_trust::{ConsistencyBody, MAX_DENY_BYTES, MAX_EXPORT_BYTES, MAX_POLICY_BYTES, Policy, Role, parse_deny_list};
use sealtrace_verdict::UnixTime;

use super::files::{kit_failure, make_failure, read_export, read_file, read_kit, read_request};
use crate::attach::{TrustFolder, key_failure};
use crate::commands::next;
use crate::kit::{Making, sign as sign_payload};

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

/// Who signs.
#[derive(Debug, clap::Args)]
pub(crate) struct KitKeys {
    /// A key that signs this kit (repeatable); other hands add theirs with `kit sign`
    #[arg(long, value_name = "K.key", required = true)]
    key: Vec<PathBuf>,
    /// A public key that may sign the next kit (repeatable) [default: those of the kit before, else those of --key]
    #[arg(long, value_name = "K.pub")]
    kit_key: Vec<PathBuf>,
    /// How many of these keys must sign [default: that of the kit before, else 1]
    #[arg(long, value_name = "N")]
    threshold: Option<u32>,
}

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct SignArgs {
    /// The kit
    #[arg(value_name = "KIT")]
    kit: PathBuf,
    /// The key
    #[arg(long, value_name = "K.key")]
    key: Vec<PathBuf>,
    /// The kit to write
    #[arg(short, long, value_name = "KIT")]
    output: PathBuf,
    #[command(flatten)]
    pub(super) report: OutputArgs,
}

/// Makes a kit.
pub(crate) fn run(args: &CreateArgs) -> Outcome {
    let previous = args.previous.as_deref().map(read_kit).transpose()?;
    let mut making = Making::after(previous.as_ref(), reference_time(&args.reference_time)?).map_err(|error| make_failure(&error))?;
    for from in &args.from {
        let (role, folder) = from.split_once('=').unwrap_or((Role::RELEASE, from));
        let role = Role::parse(role).ok_or_else(|| {
            Failure::new(ExitCode::NoVerdict, format_args!("{:?} is no role", escape(role)))
                .hint("a role is lower-case letters, digits and hyphens: release, site")
        })?;
        let trust = TrustFolder::at(Path::new(folder)).read_existing()?;
        making.add_folder(&trust, &[role]).map_err(|error| make_failure(&error))?;
    }
    for path in &args.enroll {
        making.enroll(&read_request(path)?).map_err(|error| make_failure(&error))?;
    }
    add_logs(&mut making, args)?;
    add_rules(&mut making, args)?;
    finish_kit(making, &args.keys, &args.output, args.report)
}

/// Pins, ends, returned checkpoints and proofs.
fn add_logs(making: &mut Making, args: &CreateArgs) -> Result<(), Failure> {
    for path in &args.pin {
        making.pin(&read_export(path)?.checkpoint);
    }
    for path in &args.freeze {
        making.freeze(&read_export(path)?.checkpoint);
    }
    for path in &args.checkpoint {
        making.courier(&read_export(path)?);
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
    Ok(())
}

/// Policies, deny list and ages.
fn add_rules(making: &mut Making, args: &CreateArgs) -> Result<(), Failure> {
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
        let witnesses = args.witness.iter().map(|text| witness(text)).collect::<Result<Vec<_>, _>>()?;
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

fn witness(text: &str) -> Result<KitWitness, Failure> {
    let (name, placement) = text.rsplit_once('=').unwrap_or((text, ""));
    let placement = match placement {
        "peer" => Placement::Peer,
        "outside" => Placement::Outside,
        _ => return Err(Failure::new(ExitCode::NoVerdict, format_args!("--witness {}: expected NAME=peer or NAME=outside", escape(text)))),
    };
    Ok(KitWitness { name: name.to_owned(), placement })
}

/// The time a kit is made at.
pub(crate) fn reference_time(text: &str) -> Result<UnixTime, Failure> {
    text.parse().map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "--reference-time", &error).hint("write it as date -u +%Y-%m-%dT%H:%M:%SZ does")
    })
}

/// Sets the keys, signs, writes and reports a kit.
pub(crate) fn finish_kit(mut making: Making, keys: &KitKeys, output: &Path, report: OutputArgs) -> Outcome {
    let signing = load(&keys.key)?;
    if !keys.kit_key.is_empty() {
        let public = keys
            .kit_key
            .iter()
            .map(|path| read_public_key_file(path))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| key_failure(&error))?;
        making.keys(&public, keys.threshold.unwrap_or(1)).map_err(|error| make_failure(&error))?;
    } else if !making.has_keys() {
        let public: Vec<_> = signing.iter().map(|key| key.public_key().clone()).collect();
        making.keys(&public, keys.threshold.unwrap_or(1)).map_err(|error| make_failure(&error))?;
    } else if let Some(threshold) = keys.threshold {
        making.threshold(threshold);
    }
    let payload = making.payload().map_err(|error| make_failure(&error))?;
    let signatures = sign_payload(&payload, &signing).map_err(|error| make_failure(&error))?;
    let file = SignedKit::file(&payload, signatures).map_err(|error| kit_failure(output, &error))?;
    write_kit(&file, output, report)
}

fn load(paths: &[PathBuf]) -> Result<Vec<SigningKey>, Failure> {
    paths.iter().map(|path| SigningKey::load(path)).collect::<Result<Vec<_>, _>>().map_err(|error| key_failure(&error))
}

/// Adds signatures to a kit.
pub(crate) fn sign(args: &SignArgs) -> Outcome {
    let bytes = read_file("trust kit", &args.kit, MAX_KIT_BYTES)?;
    let wrong = |error| kit_failure(&args.kit, &error);
    let (kit, mut signatures) = SignedKit::read_draft(&bytes).map_err(wrong)?;
    let payload = kit.encode().map_err(wrong)?;
    for signature in sign_payload(&payload, &load(&args.key)?).map_err(|error| make_failure(&error))? {
        signatures.retain(|held| held.keyid != signature.keyid);
        signatures.push(signature);
    }
    signatures.sort_by(|a, b| a.keyid.cmp(&b.keyid));
    let file = SignedKit::file(&payload, signatures).map_err(wrong)?;
    write_kit(&file, &args.output, args.report)
}

fn write_kit(file: &[u8], output: &Path, report: OutputArgs) -> Outcome {
    let wrong = |error| kit_failure(output, &error);
    let (kit, signatures) = SignedKit::read_draft(file).map_err(wrong)?;
    let digest = KitDigest::of(&kit.encode().map_err(wrong)?);
    write_atomic(output, file, Overwrite::Refuse)?;
    if report.json {
        print_json(&serde_json::json!({
            "kit": output, "sequence": kit.sequence, "digest": digest, "words": digest.words(), "previous": kit.previous,
            "threshold": kit.threshold, "signatures": signatures.len(),
        }));
        return Ok(ExitCode::Done);
    }
    print(&format!(
        "kit {} in {}, {} signature(s), threshold {}",
        kit.sequence,
        escape(&output.display().to_string()),
        signatures.len(),
        kit.threshold
    ));
    print(&format!("fingerprint {digest}"));
    print(&format!("      words {}", digest.words()));
    note("  tell the fingerprint by another way than the kit goes; a site that has no kit yet asks for it");
    note(&format!("  next: symbol-bundle kit apply {} --store DIR --fingerprint {digest}", next::word(output)));
    Ok(ExitCode::Done)
}
