//! `trace-verify proof`: a C2SP `.tlog-proof` file, an entry, and the log key or tlog-policy that it must satisfy.

use std::path::{Path, PathBuf};

use clap::Args;
use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, print, print_json};
use sealtrace_tlog::{
    CheckpointError, LeafHash, MAX_PROOF_FILE_BYTES, MAX_VKEY_BYTES, NoteKey, PolicyRefusal, ProvenLeaf, QuorumMet, TlogProof,
    TlogProofRefusal,
};
use sealtrace_verdict::{Assurance, Checks, TimeInterval};

use crate::render;
use crate::sigstore::{read, read_tlog_policy};

/// The most bytes of an entry (C2SP tlog-tiles: a `u16` length).
const MAX_ENTRY_BYTES: usize = 65_535;

#[derive(Debug, Args)]
pub(crate) struct ProofArgs {
    /// The proof file
    #[arg(value_name = "F.tlog-proof")]
    proof: PathBuf,
    /// The entry: the bytes whose leaf hash is in the log
    #[arg(long, value_name = "FILE")]
    entry: PathBuf,
    /// The log's vkey, as it prints it (NAME+ID+KEY), or a file with it
    #[arg(long, value_name = "VKEY", required_unless_present = "tlog_policy", conflicts_with = "tlog_policy")]
    log_key: Option<String>,
    /// A C2SP tlog-policy that names the log and the log witnesses that must have cosigned
    #[arg(long, value_name = "F")]
    tlog_policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Runs the command.
pub(crate) fn run(args: &ProofArgs) -> Outcome {
    let bytes = read(&args.proof, MAX_PROOF_FILE_BYTES, "proof file")?;
    let entry = read(&args.entry, MAX_ENTRY_BYTES, "entry")?;
    let mut checks = Checks::new();
    let mut assurance = Assurance::None;
    match TlogProof::parse(&bytes) {
        Err(error) => checks.malformed("tlog-proof-shape", &error.to_string()),
        Ok(proof) => {
            checks.pass("tlog-proof-shape", &format!("entry {}", proof.proof.index));
            assurance = check(&proof, LeafHash::of(&entry), args, &mut checks)?;
        }
    }
    let verdict = checks.conclude(assurance);
    if args.output.json {
        print_json(&verdict);
    } else {
        print(&format!("{}  proof {}", render::word(verdict.conclusion()), escape(&args.proof.display().to_string())));
        print(&render::checked(&verdict));
        render::concluded(&verdict, |id| Some(next_step(id)));
    }
    Ok(verdict.exit())
}

fn check(proof: &TlogProof, leaf: LeafHash, args: &ProofArgs, checks: &mut Checks) -> Result<Assurance, Failure> {
    let proven = match (&args.log_key, &args.tlog_policy) {
        (Some(vkey), _) => proof.verify(leaf, &log_key(vkey)?).map(|proven| (proven, None)),
        (None, Some(path)) => proof.verify_policy(leaf, &read_tlog_policy(path)?).map(|(proven, quorum)| (proven, Some(quorum))),
        (None, None) => {
            return Err(Failure::new(ExitCode::NoVerdict, "no log key and no policy").hint("give --log-key VKEY or --tlog-policy F"));
        }
    };
    Ok(match proven {
        Ok((proven, quorum)) => passed(&proven, quorum.as_ref(), checks),
        Err(refusal) => {
            refused(&refusal, checks);
            Assurance::None
        }
    })
}

/// A vkey, or the one that a file holds.
fn log_key(argument: &str) -> Result<NoteKey, Failure> {
    const NEXT: &str = "a vkey is needed (NAME+ID+KEY), as `symbol-bundle log init` or `log witness show` print it";
    let path = Path::new(argument);
    let text = if argument.contains('+') && !path.exists() {
        argument.to_owned()
    } else {
        let bytes = read(path, MAX_VKEY_BYTES, "log key").map_err(|failure| failure.hint(NEXT))?;
        String::from_utf8_lossy(&bytes).trim().to_owned()
    };
    // A checkpoint is signed under the log's name, which a bare key does not say.
    if text.starts_with("-----BEGIN") {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("--log-key: {} is a PEM file, not a vkey", escape(argument))).hint(NEXT));
    }
    NoteKey::parse(&text).map_err(|error| Failure::from_error(ExitCode::Malformed, "--log-key", &error).hint(NEXT))
}

/// What whoever checks a proof can do; the steps of [`render::conclusion`] are for who makes a bundle.
fn next_step(id: &str) -> &'static str {
    match id {
        "checkpoint-signature" => {
            "is this the key of the right log? compare it with the vkey that the log's operator gives out of band; if it is, ask for the proof again, and do not rely on this one"
        }
        "inclusion" => {
            "is this the entry at that index? name with --entry the whole bytes that were logged; if they are, ask for the proof again, and do not rely on this one"
        }
        "witness-quorum" => {
            "compare the tlog-policy with the checkpoint's signature lines; ask for the proof again, under a checkpoint that these log witnesses cosigned"
        }
        _ => "ask for the proof again, as `symbol-bundle log prove` writes it; check that the file arrived whole",
    }
}

fn passed(proven: &ProvenLeaf, quorum: Option<&QuorumMet>, checks: &mut Checks) -> Assurance {
    let tree = proven.checkpoint().tree();
    checks.pass("checkpoint-signature", &proven.checkpoint().checkpoint().origin);
    checks.pass("inclusion", &format!("entry {} of {}", proven.index(), tree.size));
    let Some(quorum) = quorum.filter(|quorum| !quorum.witnesses().is_empty()) else { return Assurance::LoggedLocally };
    let seen: Vec<&str> = quorum.witnesses().iter().map(sealtrace_tlog::WitnessSeen::name).collect();
    checks.pass("witness-quorum", &seen.join(", "));
    if let Some(time) = quorum.existed_by() {
        let sources = vec![format!("quorum of log witnesses at {time}")];
        checks.set_time(TimeInterval { not_before: None, not_after: Some(time.to_string()), sources });
    }
    Assurance::CosignedOutside
}

fn refused(refusal: &TlogProofRefusal, checks: &mut Checks) {
    let reason = refusal.to_string();
    match refusal {
        TlogProofRefusal::Checkpoint(CheckpointError::Note(_) | CheckpointError::NotUtf8 | CheckpointError::Field { .. }) => {
            checks.malformed("checkpoint-shape", &reason);
        }
        TlogProofRefusal::Policy(PolicyRefusal::Quorum(_)) => checks.fail("witness-quorum", &reason),
        TlogProofRefusal::Inclusion(_) => checks.fail("inclusion", &reason),
        _ => checks.fail("checkpoint-signature", &reason),
    }
}
