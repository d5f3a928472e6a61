//! The log half of a Sigstore bundle: the entry is this envelope's, the checkpoint is a trusted log's, the entry is in its tree.

use sealtrace_digest::{KeyId, PaeDigest};
use sealtrace_envelope::{EntryBody, EntryVerifier, LogEntry, SigstoreBundle};
use sealtrace_tlog::{LeafHash, LeafIndex, LogKey, NodeHash, RootHash, SignedCheckpoint, TreeHead, TreeSize, verify_inclusion};
use sealtrace_trust::Trust;
use sealtrace_verdict::Checks;

/// Where a statement is logged, as authenticated by the log's checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    pub(crate) log: LogKey,
    pub(crate) index: LeafIndex,
    pub(crate) tree: TreeHead,
    pub(crate) checkpoint: String,
    pub(crate) body: Vec<u8>,
}

impl LogPosition {
    /// The log's name.
    pub fn origin(&self) -> &str {
        self.log.origin.as_str()
    }

    /// The log's name and key.
    pub fn log(&self) -> &LogKey {
        &self.log
    }

    /// Position of the entry.
    pub fn index(&self) -> LeafIndex {
        self.index
    }

    /// Size of the tree that the checkpoint signs.
    pub fn tree_size(&self) -> TreeSize {
        self.tree.size
    }

    /// Its root.
    pub fn root(&self) -> RootHash {
        self.tree.root
    }

    /// The checkpoint, verbatim.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// The leaf's preimage.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The leaf hash.
    pub fn leaf(&self) -> LeafHash {
        LeafHash::of(&self.body)
    }
}

/// The checks that depend on knowing the log, in order.
const LOG_CHECKS: [&str; 2] = ["checkpoint-origin", "checkpoint-signature"];

/// `None` unless every check of the log entry held. `signer`: the trusted key or certificate, when there is one.
pub(crate) fn open_log_entry(
    bundle: &SigstoreBundle,
    pae: &PaeDigest,
    signer: Option<&EntryVerifier>,
    trust: &Trust,
    checks: &mut Checks,
) -> Option<LogPosition> {
    let entry = match bundle.entries.as_slice() {
        [] => {
            checks.undecided("log-entry", "the bundle carries no log entry: log it with `symbol-bundle log append`");
            return None;
        }
        [entry] => entry,
        more => {
            checks.compare("log-entry", "1", &more.len().to_string());
            return None;
        }
    };
    checks.pass("log-entry", &format!("index {}", entry.log_index));
    let bound = check_entry(bundle, pae, entry, signer, checks);
    let checkpoint = SignedCheckpoint::parse(&entry.proof.checkpoint).ok()?;
    let log = check_checkpoint(entry, &checkpoint, trust, checks);
    let tree = checkpoint.checkpoint().tree;
    let stated = (entry.proof.tree_size, RootHash::from_bytes(entry.proof.root_hash));
    let same =
        checks.compare("checkpoint-size-root", &format!("{} {}", tree.size, tree.root.hex()), &format!("{} {}", stated.0, stated.1.hex()));
    let index = LeafIndex(entry.proof.log_index);
    let indexed = checks.compare("log-index", &entry.proof.log_index.to_string(), &entry.log_index.to_string());
    let hashes: Vec<NodeHash> = entry.proof.hashes.iter().map(|&hash| NodeHash::from_bytes(hash)).collect();
    let leaf = LeafHash::of(&entry.canonicalized_body);
    let included = verify_inclusion(leaf, index, &tree, &hashes);
    let included = checks.result("inclusion", &format!("entry {index} of {}", tree.size), included).is_some();
    let Some(log) = log.filter(|_| bound && same && indexed && included) else {
        checks.skipped("log-key-window", "the log entry did not verify");
        return None;
    };
    Some(LogPosition { log, index, tree, checkpoint: entry.proof.checkpoint.clone(), body: entry.canonicalized_body.clone() })
}

/// `entry-verifier` and `entry-body`: the entry names the signer, and is byte for byte what this envelope is logged as.
fn check_entry(bundle: &SigstoreBundle, pae: &PaeDigest, entry: &LogEntry, signer: Option<&EntryVerifier>, checks: &mut Checks) -> bool {
    let stated = match EntryBody::parse(&entry.canonicalized_body) {
        Ok(body) => body,
        Err(error) => {
            checks.fail("entry-body", &error.to_string());
            return false;
        }
    };
    let named = stated.verifier.hint();
    let verifier = match signer {
        Some(signer) => checks.compare("entry-verifier", &signer.hint(), &named) && *signer == stated.verifier,
        None => {
            checks.skipped("entry-verifier", "no trusted key to compare with");
            false
        }
    };
    // The key that the entry names stands in the expected body, so that a foreign key shows as `entry-verifier` alone; that
    // there is one signature is a check of its own.
    let signature = bundle.envelope.signatures.first().map(|signature| signature.sig.clone()).unwrap_or_default();
    let expected = EntryBody { digest: *pae, signature, verifier: stated.verifier };
    let body = match expected.encode() {
        Ok(expected) if expected == entry.canonicalized_body => {
            checks.pass("entry-body", &LeafHash::of(&expected).hex());
            true
        }
        Ok(expected) => {
            checks.compare("entry-body", &LeafHash::of(&expected).hex(), &LeafHash::of(&entry.canonicalized_body).hex());
            false
        }
        Err(error) => {
            checks.fail("entry-body", &error.to_string());
            false
        }
    };
    verifier && body
}

/// `log-trusted`, `checkpoint-origin`, `checkpoint-signature`.
fn check_checkpoint(entry: &LogEntry, checkpoint: &SignedCheckpoint, trust: &Trust, checks: &mut Checks) -> Option<LogKey> {
    let Some(trusted) = trust.log_by_key_id(&entry.log_key_id) else {
        if trust.is_empty() {
            checks.undecided(
                "log-trusted",
                "no log is trusted yet: install a trust folder with `symbol-bundle trust add FOLDER --store DIR`",
            );
        } else {
            let (origin, key) = (&checkpoint.checkpoint().origin, KeyId::from_bytes(entry.log_key_id).hex());
            checks.fail("log-trusted", &format!("log {origin} with key {key} is not in {}", trust.words()));
        }
        for id in LOG_CHECKS {
            checks.skipped(id, "the log is not trusted");
        }
        return None;
    };
    let log = &trusted.log;
    checks.pass("log-trusted", &format!("{} {}", log.origin, log.key.key_id().hex()));
    let origin = checks.compare("checkpoint-origin", log.origin.as_str(), &checkpoint.checkpoint().origin);
    let signed = checks.result("checkpoint-signature", log.origin.as_str(), checkpoint.verify(log)).is_some();
    (origin && signed).then(|| log.clone())
}
