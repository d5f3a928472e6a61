//! Trace and replay ids: UUIDv8 (RFC 9562 §5.8) from SHA-256, so that the same bytes give the same id.

use std::fmt;

use sealtrace_digest::{CaptureSha256, RunDigest, StatementDigest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A trace's id: UUIDv8 from SHA-256("trace-id/v1" ‖ capture digest).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// The id of a capture.
    pub fn of(capture: &CaptureSha256) -> Self {
        Self(uuid_v8(&[b"trace-id/v1", capture.as_bytes()]))
    }
}

/// The id of one replay: UUIDv8 from SHA-256("replay-id/v1" ‖ witness digest ‖ u64be(seed)).
pub fn replay_id(witness: &StatementDigest, seed: u64) -> String {
    TraceId(uuid_v8(&[b"replay-id/v1", witness.as_bytes(), &seed.to_be_bytes()])).to_string()
}

fn uuid_v8(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = RunDigest::hasher();
    for part in parts {
        hasher.update(part);
    }
    let digest = hasher.finish();
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom(format_args!("not a UUIDv8: {text:?}"));
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        let mut bytes = [0_u8; 16];
        for (to, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let value = pair.iter().fold(0, |value, digit| value * 16 + digit);
            *to = u8::try_from(value).map_err(|_overflow| wrong())?;
        }
        let id = Self(bytes);
        // One spelling: what is not written back equal was not a UUID in lower case.
        if id.to_string() == text { Ok(id) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_a_version_8_uuid_and_reads_back() {
        let id = TraceId::of(&CaptureSha256::of(b"capture"));
        let text = id.to_string();
        assert_eq!(text.len(), 36);
        assert_eq!(text.chars().nth(14), Some('8'));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<TraceId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<TraceId>(&json.to_uppercase()).is_err());
        assert_ne!(replay_id(&StatementDigest::of(b"w"), 1), replay_id(&StatementDigest::of(b"w"), 2));
    }
}
