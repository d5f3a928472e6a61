//! Logging an envelope: submit, verify what comes back, fetch the tiles that show it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use sealtrace_envelope::{EntryBody, Envelope, InclusionProof, LogEntry, PublicKey};
use sealtrace_tlog::{Fragment, FragmentSource, LeafHash, LeafIndex, LogKey, SignedCheckpoint, TileId, verify_inclusion};

use super::entry::{self, MAX_REPLY_BYTES, StatedEntry, contradiction};
use super::error::RekorError;
use super::tiles::TileServer;
use crate::http::{Reply, Server};

/// Where entries are sent, below the log's URL.
const ENTRIES: &str = "api/v2/log/entries";
/// Below the log's URL, where it serves checkpoint and tiles unless another place is named.
pub(crate) const READ_PREFIX: &str = "api/v2";
/// The header in which the log names the entry that is there already (rekor-tiles, answer 409).
const DUPLICATE_INDEX: &str = "x-log-index";

/// A Rekor v2 log, and the logs that its answers may be of.
#[derive(Debug)]
pub(crate) struct RekorClient {
    /// Takes entries.
    pub(crate) writer: Server,
    /// Serves `checkpoint` and `tile/…`.
    pub(crate) reader: Server,
    /// Logs that are trusted; an answer of any other is refused.
    pub(crate) logs: Vec<LogKey>,
}

/// An entry that is in the log: leaf, proof, checkpoint and tiles verified.
#[derive(Debug)]
pub(crate) struct LoggedEntry {
    /// The log.
    pub(crate) log: LogKey,
    /// For the Sigstore bundle.
    pub(crate) entry: LogEntry,
    /// The tiles that show it.
    pub(crate) fragment: Fragment,
}

impl RekorClient {
    /// Logs an envelope signed by `signer`, or finds it in the log.
    ///
    /// # Errors
    /// [`RekorError`]
    pub(crate) fn log(&self, envelope: &Envelope, signer: &PublicKey) -> Result<LoggedEntry, RekorError> {
        if self.logs.is_empty() {
            return Err(RekorError::NoLogKey);
        }
        let body = EntryBody::of(envelope, signer)?;
        let leaf = body.encode()?;
        let limit = u64::try_from(MAX_REPLY_BYTES).unwrap_or(u64::MAX);
        let reply = self.writer.post(ENTRIES, "application/json", &entry::request(&body)?, limit)?;
        let tiles = TileServer::new(&self.reader);
        let (index, log, checkpoint) = match reply.status {
            200 | 201 => {
                let stated = entry::parse(self.writer.url(), &reply.body, reply.excerpt())?;
                let (log, checkpoint) = self.verify(&stated, &leaf)?;
                (LeafIndex(stated.index), log, checkpoint)
            }
            409 => {
                let index = duplicate_index(&reply).ok_or_else(|| self.refused(&reply))?;
                let (log, checkpoint) = self.known(tiles.checkpoint()?)?;
                (index, log, checkpoint)
            }
            _ => return Err(self.refused(&reply)),
        };
        let fragment = build(&tiles, &log, &checkpoint, (index, leaf.clone()))?;
        let proof = fragment.verify(&log)?.entry(index).map(|entry| entry.proof.clone()).unwrap_or_default();
        let tree = checkpoint.checkpoint().tree;
        let entry = LogEntry {
            log_index: index.0,
            log_key_id: log.key_id(),
            canonicalized_body: leaf,
            proof: InclusionProof {
                log_index: index.0,
                root_hash: *tree.root.as_bytes(),
                tree_size: tree.size.0,
                hashes: proof.iter().map(|hash| *hash.as_bytes()).collect(),
                checkpoint: checkpoint.text().to_owned(),
            },
        };
        Ok(LoggedEntry { log, entry, fragment })
    }

    /// The answer is about what was sent, and follows from a checkpoint that a trusted log signed.
    fn verify(&self, stated: &StatedEntry, leaf: &[u8]) -> Result<(LogKey, SignedCheckpoint), RekorError> {
        if stated.body != leaf {
            let found = String::from_utf8_lossy(&stated.body).into_owned();
            return Err(contradiction("canonicalizedBody", "the entry that was sent".to_owned(), &found));
        }
        let (log, checkpoint) = self.known(SignedCheckpoint::parse(&stated.checkpoint)?)?;
        let tree = checkpoint.checkpoint().tree;
        let differs =
            |what, expected: String, found: String| if expected == found { Ok(()) } else { Err(contradiction(what, expected, &found)) };
        differs("logId.keyId", shown(&log.key_id()), shown(&stated.log_key_id))?;
        differs("inclusionProof.logIndex", stated.index.to_string(), stated.proof_index.to_string())?;
        differs("inclusionProof.treeSize", tree.size.to_string(), stated.size.to_string())?;
        differs("inclusionProof.rootHash", tree.root.hex(), shown(&stated.root))?;
        verify_inclusion(LeafHash::of(leaf), LeafIndex(stated.index), &tree, &stated.hashes)?;
        Ok((log, checkpoint))
    }

    /// A checkpoint's log, when it is one that is trusted and signed it. The one place here that knows of kinds of log keys.
    fn known(&self, checkpoint: SignedCheckpoint) -> Result<(LogKey, SignedCheckpoint), RekorError> {
        let Some(log) = self.logs.iter().find(|log| checkpoint.is_of(log)) else {
            let trusted: Vec<&str> = self.logs.iter().map(|log| log.origin.as_str()).collect();
            let origin = checkpoint.checkpoint().origin.chars().take(120).collect();
            return Err(RekorError::UntrustedLog { origin, trusted: trusted.join(", ") });
        };
        checkpoint.verify(log)?;
        Ok((log.clone(), checkpoint))
    }

    fn refused(&self, reply: &Reply) -> RekorError {
        RekorError::Refused { url: self.writer.url().to_owned(), status: reply.status, says: reply.excerpt() }
    }
}

/// The fragment of one entry; every tile is authenticated against the checkpoint.
fn build(
    tiles: &TileServer<'_>,
    log: &LogKey,
    checkpoint: &SignedCheckpoint,
    (index, leaf): (LeafIndex, Vec<u8>),
) -> Result<Fragment, RekorError> {
    let failed = RefCell::new(None);
    let tile = |id: &TileId| match tiles.tile(id) {
        Ok(hashes) => Some(hashes),
        Err(error) => {
            failed.replace(Some(error));
            None
        }
    };
    let entries = BTreeMap::from([(index, leaf)]);
    let built = Fragment::build(&FragmentSource { log, checkpoint, entries: &entries, tile: &tile });
    match failed.into_inner() {
        Some(error) => Err(error),
        None => Ok(built?),
    }
}

fn duplicate_index(reply: &Reply) -> Option<LeafIndex> {
    reply.header(DUPLICATE_INDEX).and_then(|text| text.parse().ok()).map(LeafIndex)
}

/// Bytes as people compare them: hex.
fn shown(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
