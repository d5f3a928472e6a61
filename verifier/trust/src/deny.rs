//! Deny list: artifacts, keys and certificates that no longer count, and until when they did.
//!
//! A key that was stolen did sign honest statements before. They stay valid only where authenticated time, or the order of a log that can no
//! longer be rewritten, says that they are from before. Not here: where that time and order come from.

use sealtrace_digest::FileSha256;
use sealtrace_json::JsonError;
use sealtrace_verdict::UnixTime;
use serde::{Deserialize, Serialize};

/// What is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeniedKind {
    /// An artifact by the SHA-256 that statements have as their subject; denied whenever it was signed.
    Artifact,
    /// A signer's key by the SHA-256 of its SPKI.
    Key,
    /// A certificate by the SHA-256 of its DER.
    Certificate,
}

/// A place in a log: what stands before it was logged before the compromise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogOrder {
    /// The log.
    pub origin: String,
    /// The first index that no longer counts.
    pub index: u64,
}

/// One entry of a deny list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Denied {
    /// What.
    pub kind: DeniedKind,
    /// Its digest.
    pub digest: FileSha256,
    /// Since when it counts no more; null: it never counted. For keys and certificates.
    pub compromise_time: Option<UnixTime>,
    /// Since which entry of a log; null: no log tells. For keys and certificates.
    pub log_index: Option<LogOrder>,
    /// Why, for people.
    pub reason: String,
}

/// The most bytes of a file of deny entries (ours).
pub const MAX_DENY_BYTES: usize = 4 << 20;

/// Parses a file of deny entries: a JSON list, which the next kit takes up.
///
/// # Errors
/// [`JsonError`]
pub fn parse_deny_list(bytes: &[u8]) -> Result<Vec<Denied>, JsonError> {
    sealtrace_json::parse(bytes, MAX_DENY_BYTES)
}

/// When a statement is known to have been made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Authenticated: not after this.
    pub not_after: Option<UnixTime>,
    /// Its place in a log, where that log's tree is anchored, i.e. can no longer be rewritten unnoticed.
    pub anchored: Option<(&'a str, u64)>,
}

impl Denied {
    /// Whether a statement that this entry names is nevertheless from before the compromise.
    pub fn spares(&self, known: Known<'_>) -> bool {
        let by_time = self.compromise_time.zip(known.not_after).is_some_and(|(since, not_after)| not_after < since);
        let by_order = self
            .log_index
            .as_ref()
            .zip(known.anchored)
            .is_some_and(|(order, (origin, index))| order.origin == origin && index < order.index);
        self.kind != DeniedKind::Artifact && (by_time || by_order)
    }

    /// Whether the entry makes sense: an artifact has no time of compromise.
    pub(crate) fn is_sound(&self) -> bool {
        self.kind != DeniedKind::Artifact || (self.compromise_time.is_none() && self.log_index.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(kind: DeniedKind, time: Option<u64>, index: Option<u64>) -> Denied {
        let log_index = index.map(|index| LogOrder { origin: "example.org/log".to_owned(), index });
        Denied {
            kind,
            digest: FileSha256::of(b"x"),
            compromise_time: time.map(UnixTime::from_seconds),
            log_index,
            reason: "stolen".to_owned(),
        }
    }

    #[test]
    fn only_authenticated_time_or_anchored_order_before_the_compromise_spares_a_statement() {
        let at = |seconds| Some(UnixTime::from_seconds(seconds));
        let key = denied(DeniedKind::Key, Some(100), Some(5));
        assert!(!key.spares(Known::default()));
        assert!(key.spares(Known { not_after: at(99), anchored: None }));
        assert!(!key.spares(Known { not_after: at(100), anchored: None }));
        assert!(key.spares(Known { not_after: None, anchored: Some(("example.org/log", 4)) }));
        assert!(!key.spares(Known { not_after: None, anchored: Some(("example.org/log", 5)) }));
        assert!(!key.spares(Known { not_after: None, anchored: Some(("other.org/log", 4)) }));
        assert!(!denied(DeniedKind::Key, None, None).spares(Known { not_after: at(1), anchored: Some(("example.org/log", 0)) }));
        assert!(!denied(DeniedKind::Artifact, None, None).spares(Known { not_after: at(1), anchored: None }));
        assert!(!denied(DeniedKind::Artifact, Some(9), None).is_sound());
    }
}
