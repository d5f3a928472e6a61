//! `consistency/<m>-<n>`: the body of a C2SP tlog-witness `add-checkpoint` request, verbatim. Not here: sending or answering one.

use sealtrace_envelope::{decode_base64, encode_base64};

use super::error::ConsistencyError;
use crate::hash::{NodeHash, TreeSize};

/// The most hashes of a consistency proof (C2SP tlog-witness: 63).
const MAX_HASHES: usize = 63;

/// An `add-checkpoint` body. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConsistencyBody {
    /// Size of the older tree.
    pub(super) old: TreeSize,
    /// The consistency proof.
    pub(super) hashes: Vec<NodeHash>,
    /// The newer checkpoint, verbatim.
    pub(super) checkpoint: String,
}

impl ConsistencyBody {
    /// `old <m>`, the hashes, an empty line, the checkpoint.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ConsistencyError> {
        let wrong = |what| ConsistencyError { what };
        let text = std::str::from_utf8(bytes).map_err(|_invalid| wrong("encoding"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(wrong("shape"))?;
        let mut lines = head.split('\n');
        let size_text = lines.next().and_then(|line| line.strip_prefix("old ")).ok_or(wrong("size"))?;
        let old = size_text.parse::<u64>().ok().filter(|size| size.to_string() == size_text).ok_or(wrong("size"))?;
        let mut hashes = Vec::new();
        for line in lines {
            let hash = decode_base64(line).ok().and_then(|hash| hash.try_into().ok());
            hashes.push(NodeHash::from_bytes(hash.filter(|_hash| hashes.len() < MAX_HASHES).ok_or(wrong("hash"))?));
        }
        Ok(Self { old: TreeSize(old), hashes, checkpoint: checkpoint.to_owned() })
    }

    /// The body's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.hashes {
            text.push_str(&encode_base64(hash.as_bytes()));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_round_trips_and_malformed_ones_are_refused() {
        let body =
            ConsistencyBody { old: TreeSize(5), hashes: vec![NodeHash::from_bytes([1; 32]); 2], checkpoint: "a\n9\nb\n\n- c\n".into() };
        let text = String::from_utf8(body.encode()).unwrap();
        let line = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";
        assert_eq!(text, format!("old 5\n{line}{line}\na\n9\nb\n\n- c\n"));
        assert_eq!(ConsistencyBody::parse(text.as_bytes()), Ok(body.clone()));
        for (from, to) in
            [("old 5", "old 05"), ("old 5", "old +5"), ("old 5", "5"), ("AQ", "A"), ("AQ", "\n"), ("E=", "F="), ("5\n", "5\r\n")]
        {
            assert!(ConsistencyBody::parse(text.replacen(from, to, 1).as_bytes()).ok() != Some(body.clone()), "{from:?} → {to:?}");
        }
        let longest = ConsistencyBody { hashes: vec![NodeHash::from_bytes([1; 32]); 63], ..body.clone() };
        assert_eq!(ConsistencyBody::parse(&longest.encode()), Ok(longest));
        let longer = ConsistencyBody { hashes: vec![NodeHash::from_bytes([1; 32]); 64], ..body };
        assert!(ConsistencyBody::parse(&longer.encode()).is_err());
    }
}
