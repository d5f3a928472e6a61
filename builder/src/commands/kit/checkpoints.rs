//! Checkpoints that a kit brings back: whether every line that counts holds, whether they are cosigned enough, and by whom.
//!
//! A line that does not hold rejects the checkpoint wherever it is judged, good lines with it; so it is found before the kit is made.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, escape, note};
use sealtrace_tlog::{LogKey, NoteVerifyError, SignedCheckpoint, TlogPolicy, VerifiedCosignature};
use sealtrace_trust::kit::{Kit, Placement};
use sealtrace_verdict::UnixTime;
use serde::Serialize;

/// A checkpoint and the file that it stands in.
#[derive(Debug)]
pub(super) struct Brought {
    pub(super) path: PathBuf,
    pub(super) checkpoint: SignedCheckpoint,
    /// It is to be judged by its cosignatures: `--checkpoint`.
    pub(super) comes_back: bool,
}

/// The checkpoints of the kit before, which a new tlog-policy may see with other eyes.
pub(super) fn of_kit(path: &Path, kit: &Kit) -> Vec<Brought> {
    let parsed = kit.checkpoints.iter().filter_map(|text| SignedCheckpoint::parse(text).ok());
    parsed.map(|checkpoint| Brought { path: path.to_owned(), checkpoint, comes_back: false }).collect()
}

/// That each is signed by a log of the kit, and that every cosignature by a log witness of the policy holds.
pub(super) fn check(brought: &[Brought], logs: &[LogKey], policy: Option<&TlogPolicy>) -> Result<(), Failure> {
    for one in brought {
        let said = one.checkpoint.checkpoint();
        let (file, origin) = (escape(&one.path.display().to_string()), escape(&said.origin));
        let rejected = |what: &str| Failure::new(ExitCode::Rejected, format_args!("{file}: {what}"));
        let Some(log) = logs.iter().find(|log| log.origin.as_str() == said.origin) else {
            return Err(rejected(&format!("checkpoint of {origin}, which is no log of this kit"))
                .hint("nothing was written: name the trust folder that has the log with --from, or have the site enrolled first"));
        };
        if one.checkpoint.verify(log).is_err() {
            return Err(rejected(&format!("the signature of the log {origin} at {} does not verify", said.tree.size.0))
                .hint("nothing was written: ask for the checkpoint again; it was changed, or is another log's of that name"));
        }
        let broken = cosigners(&one.checkpoint, policy).into_iter().find(|(_name, lines)| lines.is_err());
        if let Some((name, _)) = broken {
            return Err(rejected(&format!("cosignature of {} over {origin} at {} does not verify", escape(&name), said.tree.size.0))
                .hint("nothing was written: ask the log witness to cosign the checkpoint again"));
        }
    }
    Ok(())
}

/// What each log witness of a policy says under a checkpoint; those who say nothing are left out.
fn cosigners(
    checkpoint: &SignedCheckpoint,
    policy: Option<&TlogPolicy>,
) -> Vec<(String, Result<Vec<VerifiedCosignature>, NoteVerifyError>)> {
    let witnesses = policy.into_iter().flat_map(TlogPolicy::witnesses);
    let lines = witnesses.map(|(name, witness)| (name.to_owned(), witness.key().cosignatures(checkpoint)));
    lines.filter(|(_name, lines)| !matches!(lines, Ok(lines) if lines.is_empty())).collect()
}

/// Warns of logs none of whose checkpoints that came back is cosigned enough.
pub(super) fn warn_of_quorum(brought: &[Brought], kit: &Kit) {
    let policy = policy_of(kit);
    let back: Vec<&Brought> = brought.iter().filter(|one| one.comes_back).collect();
    let origins: BTreeSet<&str> = back.iter().map(|one| one.checkpoint.checkpoint().origin.as_str()).collect();
    for origin in origins {
        // Lines from several files stand together in the kit.
        let came = |held: &SignedCheckpoint| back.iter().any(|one| one.checkpoint.checkpoint() == held.checkpoint());
        let held = kit.checkpoints.iter().filter_map(|text| SignedCheckpoint::parse(text).ok());
        let held: Vec<_> = held.filter(|held| held.checkpoint().origin == origin && came(held)).collect();
        let why = match &policy {
            Some(policy) => held.iter().map(|one| short(one, kit, policy)).reduce(Option::and).flatten(),
            None if held.iter().any(|one| one.signatures().len() > 1) => Some("the kit has no tlog-policy (--tlog-policy FILE)".to_owned()),
            None => None,
        };
        if let Some(why) = why {
            note(&format!("warning: assurance of {} stays logged-locally: {}", escape(origin), escape(&why)));
        }
    }
}

/// Why a checkpoint does not meet the quorum; nothing when it does.
fn short(checkpoint: &SignedCheckpoint, kit: &Kit, policy: &TlogPolicy) -> Option<String> {
    let logs = kit.logs().unwrap_or_default();
    let log = logs.iter().find(|log| checkpoint.is_of(&log.log))?;
    let opened = checkpoint.open(&log.log.note_key().ok()?).ok()?;
    policy.check_opened(&opened).err().map(|refusal| refusal.to_string())
}

fn policy_of(kit: &Kit) -> Option<TlogPolicy> {
    kit.tlog_policy.as_ref().and_then(|text| TlogPolicy::parse(text.as_bytes()).ok())
}

/// A checkpoint as `kit show` lists it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    origin: String,
    size: u64,
    root: String,
    cosigned_by: Vec<Cosigner>,
    /// Log witnesses with a line that does not hold: it rejects the checkpoint.
    broken: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Cosigner {
    name: String,
    placement: Placement,
    time: Option<UnixTime>,
}

/// The checkpoints of a kit, and who cosigned them.
pub(super) fn list(kit: &Kit) -> Vec<Listed> {
    let policy = policy_of(kit);
    let parsed = kit.checkpoints.iter().filter_map(|text| SignedCheckpoint::parse(text).ok());
    parsed.map(|checkpoint| listed(&checkpoint, kit, policy.as_ref())).collect()
}

fn listed(checkpoint: &SignedCheckpoint, kit: &Kit, policy: Option<&TlogPolicy>) -> Listed {
    let said = checkpoint.checkpoint();
    let (mut cosigned_by, mut broken) = (Vec::new(), Vec::new());
    for (name, lines) in cosigners(checkpoint, policy) {
        let placed = kit.witnesses.iter().find(|witness| witness.name == name);
        let placement = placed.map_or(Placement::Peer, |witness| witness.placement);
        match lines {
            Ok(lines) => cosigned_by.extend(lines.iter().map(|line| Cosigner { name: name.clone(), placement, time: line.time() })),
            Err(_) => broken.push(name),
        }
    }
    Listed { origin: said.origin.clone(), size: said.tree.size.0, root: said.tree.root.hex(), cosigned_by, broken }
}

impl Listed {
    /// For people, one line.
    pub(super) fn line(&self) -> String {
        let good = self.cosigned_by.iter().map(|one| {
            let place = if one.placement == Placement::Outside { "outside" } else { "peer" };
            let at = one.time.map_or_else(String::new, |time| format!(" at {time}"));
            format!("{} ({place}){at}", escape(&one.name))
        });
        let bad = self.broken.iter().map(|name| format!("{} (DOES NOT VERIFY)", escape(name)));
        let all: Vec<String> = good.chain(bad).collect();
        let by = if all.is_empty() { "nobody of its tlog-policy".to_owned() } else { all.join(", ") };
        format!("{} size {}, cosigned by {by}", escape(&self.origin), self.size)
    }
}
