//! Log entries: of a trusted log, about this signature, in the tree whose checkpoint the log signed.

use std::collections::BTreeSet;

use sealtrace_crypto::{Hash, VerifyingKey};
use sealtrace_tlog::{LeafHash, LeafIndex, NodeHash, RootHash, SignedCheckpoint, TreeHead, TreeSize, verify_inclusion};
use sealtrace_verdict::{Checks, UnixTime};
use serde_json::json;

use crate::artifact::Artifact;
use crate::body::{ClaimedSubject, Claims, EntryKind, is_label_of, parse};
use crate::bundle::{Bundle, Content, InclusionProof, LogEntry, Version};
use crate::root::{TransparencyLog, TrustedRoot};
use crate::time::{AuthenticatedTime, TimeSource};

/// An entry all of whose checks held.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoggedEntry<'a> {
    pub(crate) log: &'a TransparencyLog,
    pub(crate) index: u64,
    pub(crate) promise: Option<AuthenticatedTime>,
}

/// What entries are compared with.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) bundle: &'a Bundle,
    pub(crate) artifact: &'a Artifact,
    pub(crate) key: &'a VerifyingKey,
    pub(crate) verifier: &'a [u8],
}

/// Every entry of the bundle must hold; there must be one at least, and none may stand twice.
pub(crate) fn check_entries<'a>(signed: &Signed<'_>, root: &'a TrustedRoot, checks: &mut Checks) -> Option<Vec<LoggedEntry<'a>>> {
    let entries = &signed.bundle.entries;
    if entries.is_empty() {
        checks.fail("log-entry", "the bundle carries no log entry");
        return None;
    }
    let distinct: BTreeSet<_> = entries.iter().map(|entry| (&entry.log_id, entry.log_index)).collect();
    let bodies: BTreeSet<_> = entries.iter().map(|entry| (&entry.log_id, &entry.body)).collect();
    if distinct.len() != entries.len() || bodies.len() != entries.len() {
        checks.fail("log-entry", "one log entry stands twice in the bundle");
        return None;
    }
    checks.pass("log-entry", &format!("{} entries", entries.len()));
    let checked: Vec<_> = entries.iter().map(|entry| check_entry(entry, signed, root, checks)).collect();
    checked.into_iter().collect()
}

fn check_entry<'a>(entry: &LogEntry, signed: &Signed<'_>, root: &'a TrustedRoot, checks: &mut Checks) -> Option<LoggedEntry<'a>> {
    let Some(kind) = EntryKind::of(&entry.kind.0, &entry.kind.1) else {
        let shown: String = format!("{} {}", entry.kind.0, entry.kind.1).chars().take(80).collect();
        checks.fail("entry-body", &format!("entries of kind {shown:?} are not understood"));
        return None;
    };
    let bound = match parse(kind, &entry.body) {
        Ok(claims) => check_claims(&claims, signed, checks),
        Err(error) => {
            checks.fail("entry-body", &error.to_string());
            false
        }
    };
    let named: Vec<&TransparencyLog> = root.logs.iter().filter(|log| log.id == entry.log_id).collect();
    let Some(first) = named.first().copied() else {
        checks.fail("log-trusted", &format!("log {} is not in the trusted root", hex::encode(&entry.log_id)));
        return None;
    };
    checks.pass("log-trusted", &first.name);
    let promise = check_promise(entry, kind, first, signed.bundle.version, checks);
    let included = check_proof(entry, kind, first, signed.bundle.version, checks);
    // One key may stand in the root with several windows: the one that was open when the log promised.
    let at = promise.as_ref().ok().cloned().flatten().map(|time: AuthenticatedTime| time.time);
    let log = at.and_then(|at| named.iter().copied().find(|log| log.window.holds(at))).unwrap_or(first);
    let promise = promise.ok()?;
    (bound && included).then_some(LoggedEntry { log, index: entry.log_index, promise })
}

/// `entry-body`: digest and signature are those of this bundle. `entry-verifier`: and so is who signed, under the right label.
fn check_claims(claims: &Claims, signed: &Signed<'_>, checks: &mut Checks) -> bool {
    let content = &signed.bundle.content;
    let (hash, expected, found) = match &claims.subject {
        ClaimedSubject::Signed(hash, digest) => (*hash, signed_digest(content, signed.artifact, *hash), digest),
        ClaimedSubject::Payload(hash, digest) => (*hash, payload_digest(content, *hash), digest),
    };
    let Some(expected) = expected else {
        if signed.key.usual_hash().is_some_and(|usual| usual != hash) {
            checks.fail("entry-body", "the entry's digest is by another function than the key's");
            return false;
        }
        checks.undecided("entry-body", "the entry's digest is by a function that the one given is not: give the artifact itself");
        return false;
    };
    let digest = checks.compare("entry-body", &hex::encode(expected), &hex::encode(found));
    let signatures: Vec<&[u8]> = match content {
        Content::Message { signature, .. } => vec![signature],
        Content::Envelope { signatures, .. } => signatures.iter().map(|(signature, _)| signature.as_slice()).collect(),
    };
    let logged: Vec<&[u8]> = claims.signatures.iter().map(|claimed| claimed.signature.as_slice()).collect();
    let joined = |list: &[&[u8]]| list.iter().map(hex::encode).collect::<Vec<_>>().join(" ");
    let same = checks.compare("entry-signature", &joined(&signatures), &joined(&logged));
    let same_type = match (&claims.payload_type, content) {
        (Some(claimed), Content::Envelope { payload_type, .. }) => checks.compare("entry-payload-type", payload_type, claimed),
        _ => true,
    };
    let verifier = claims.signatures.iter().all(|claimed| claimed.verifier == signed.verifier);
    if verifier {
        checks.pass("entry-verifier", &hex::encode(Hash::Sha256.digest(signed.verifier)));
    } else {
        checks.fail("entry-verifier", "the entry names another certificate or key than the bundle's");
    }
    let labels = claims.signatures.iter().filter_map(|claimed| claimed.label.as_deref());
    let mislabelled = labels.into_iter().find(|label| !is_label_of(label, signed.key, label_hash(claims, signed.key, hash)));
    if let Some(label) = mislabelled {
        checks.fail("entry-algorithm", &format!("the entry calls an {} signature {label:?}", signed.key.algorithm()));
    }
    digest && same && same_type && verifier && mislabelled.is_none()
}

/// The hash function that a label speaks of: that of what was signed. A payload digest says nothing about it.
fn label_hash(claims: &Claims, key: &VerifyingKey, hash: Hash) -> Hash {
    match claims.subject {
        ClaimedSubject::Signed(..) => hash,
        ClaimedSubject::Payload(..) => key.usual_hash().unwrap_or(hash),
    }
}

fn signed_digest(content: &Content, artifact: &Artifact, hash: Hash) -> Option<Vec<u8>> {
    match content.pae() {
        Some(pae) => Some(hash.digest(&pae)),
        None => artifact.digest(hash).map(<[u8]>::to_vec),
    }
}

fn payload_digest(content: &Content, hash: Hash) -> Option<Vec<u8>> {
    match content {
        Content::Envelope { payload, .. } => Some(hash.digest(payload)),
        Content::Message { .. } => None,
    }
}

/// `inclusion-promise`: Rekor v1's signature over body, index, log and time. `Err` when it fails or is missing where it is needed.
fn check_promise(
    entry: &LogEntry,
    kind: EntryKind,
    log: &TransparencyLog,
    version: Version,
    checks: &mut Checks,
) -> Result<Option<AuthenticatedTime>, ()> {
    const ID: &str = "inclusion-promise";
    let promise = match &entry.promise {
        Some(promise) if !kind.is_v2() => promise,
        Some(_) => {
            checks.fail(ID, "entries of this kind carry no promise");
            return Err(());
        }
        None if version == Version::V01 => {
            checks.fail(ID, "a bundle of version 0.1 needs a signed entry timestamp");
            return Err(());
        }
        None => {
            checks.skipped(ID, "the entry carries no promise");
            return Ok(None);
        }
    };
    let value = json!({
        "body": sealtrace_envelope::encode_base64(&entry.body), "integratedTime": entry.integrated_time,
        "logID": hex::encode(&entry.log_id), "logIndex": entry.log_index,
    });
    let signed = sealtrace_json::canonical(&value).map_err(|error| checks.fail(ID, &error.to_string()))?;
    let time = UnixTime::from_seconds(entry.integrated_time);
    checks.result(ID, &time.to_string(), log.key.verify(&signed, promise)).ok_or(())?;
    Ok(Some(AuthenticatedTime { time, source: TimeSource::Promise { log: log.name.clone() } }))
}

/// `inclusion`, and the checkpoint's checks. A bundle of version 0.1 may do with the promise alone.
fn check_proof(entry: &LogEntry, kind: EntryKind, log: &TransparencyLog, version: Version, checks: &mut Checks) -> bool {
    let Some(proof) = &entry.proof else {
        if version == Version::V01 {
            checks.skipped("inclusion", "the entry carries no proof; version 0.1 rests on the promise");
            return true;
        }
        checks.fail("inclusion", "the entry carries no inclusion proof");
        return false;
    };
    let indexed = !kind.is_v2() || checks.compare("log-index", &proof.log_index.to_string(), &entry.log_index.to_string());
    let tree = match &proof.checkpoint {
        Some(text) => check_checkpoint(text, proof, kind, log, checks),
        None if version == Version::V01 => {
            checks.skipped("checkpoint-signature", "the proof carries no checkpoint; version 0.1 rests on the promise");
            Some(TreeHead { size: TreeSize(proof.tree_size), root: RootHash::from_bytes(proof.root) })
        }
        None => {
            checks.fail("checkpoint-signature", "the proof carries no checkpoint");
            None
        }
    };
    let Some(tree) = tree else { return false };
    let hashes: Vec<NodeHash> = proof.hashes.iter().map(|&hash| NodeHash::from_bytes(hash)).collect();
    let included = verify_inclusion(LeafHash::of(&entry.body), LeafIndex(proof.log_index), &tree, &hashes);
    let found = format!("entry {} of {}", proof.log_index, tree.size);
    checks.result("inclusion", &found, included).is_some() && indexed
}

/// `checkpoint-shape`, `checkpoint-origin`, `checkpoint-signature`, `checkpoint-size-root`.
fn check_checkpoint(text: &str, proof: &InclusionProof, kind: EntryKind, log: &TransparencyLog, checks: &mut Checks) -> Option<TreeHead> {
    let checkpoint = match SignedCheckpoint::parse(text) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            checks.malformed("checkpoint-shape", &error.to_string());
            return None;
        }
    };
    let stated = checkpoint.checkpoint();
    // Rekor v1 names the shard behind the log: `host - treeID`.
    let host = if kind.is_v2() { stated.origin.as_str() } else { shard_host(&stated.origin) };
    let of_log = checks.compare("checkpoint-origin", &log.name, host);
    let signed = check_signature(&checkpoint, log, checks);
    let expected = format!("{} {}", stated.tree.size, stated.tree.root.hex());
    let same = checks.compare("checkpoint-size-root", &expected, &format!("{} {}", proof.tree_size, hex::encode(proof.root)));
    (of_log && signed && same).then_some(stated.tree)
}

fn shard_host(origin: &str) -> &str {
    let digits = |shard: &str| !shard.is_empty() && shard.bytes().all(|byte| byte.is_ascii_digit());
    origin.split_once(" - ").filter(|(_, shard)| digits(shard)).map_or(origin, |(host, _)| host)
}

/// A line by the log's name and key id must verify; a second one by the same key must verify as well.
fn check_signature(checkpoint: &SignedCheckpoint, log: &TransparencyLog, checks: &mut Checks) -> bool {
    const ID: &str = "checkpoint-signature";
    let lines = checkpoint.signatures().iter().filter(|line| line.name.as_str() == log.name && log.id.starts_with(line.key_id.as_bytes()));
    let mut signed = false;
    for line in lines {
        if let Err(error) = log.key.verify(checkpoint.signed_text().as_bytes(), &line.signature) {
            checks.fail(ID, &format!("{}: {error}", log.name));
            return false;
        }
        signed = true;
    }
    if signed {
        checks.pass(ID, &log.name);
    } else {
        checks.fail(ID, &format!("no signature line is of {} with key id {}", log.name, hex::encode(log.id.get(..4).unwrap_or_default())));
    }
    signed
}
