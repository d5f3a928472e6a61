//! `.tlog-proof` files (C2SP tlog-proof@v1): index, audit path and checkpoint in one text.

use sealtrace_envelope::{decode_base64, encode_base64};

use crate::hash::{LeafIndex, NodeHash};

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// The most hashes of an audit path (C2SP tlog-proof: 63).
const MAX_HASHES: usize = 63;

/// A parsed proof file. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// Position of the entry.
    pub index: LeafIndex,
    /// Audit path.
    pub hashes: Vec<NodeHash>,
    /// Checkpoint, verbatim.
    pub checkpoint: String,
}

/// Why bytes are no proof file of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tlog-proof {what} is malformed")]
pub struct ProofFileError {
    what: &'static str,
}

impl ProofFile {
    /// Parses a proof file without `extra` data.
    ///
    /// # Errors
    /// [`ProofFileError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileError> {
        let wrong = |what| ProofFileError { what };
        let text = std::str::from_utf8(bytes).map_err(|_invalid| wrong("encoding"))?;
        let rest = text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n')).ok_or(wrong("header"))?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(wrong("shape"))?;
        let mut lines = head.split('\n');
        let index_text = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(wrong("index"))?;
        let index = index_text.parse::<u64>().ok().filter(|index| index.to_string() == index_text).ok_or(wrong("index"))?;
        let mut hashes = Vec::new();
        for line in lines {
            let hash = decode_base64(line).ok().and_then(|hash| hash.try_into().ok());
            hashes.push(NodeHash::from_bytes(hash.filter(|_hash| hashes.len() < MAX_HASHES).ok_or(wrong("hash"))?));
        }
        Ok(Self { index: LeafIndex(index), hashes, checkpoint: checkpoint.to_owned() })
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{HEADER}\nindex {}\n", self.index);
        for hash in &self.hashes {
            text.push_str(&encode_base64(hash.as_bytes()));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text.into_bytes()
    }
}
