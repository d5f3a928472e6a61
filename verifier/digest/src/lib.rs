//! SHA-256 digests with a role each: a leaf of a log, a blob, a file and a capture never mix.
//!
//! Not here: Merkle hashing (`sealtrace-tlog`), signatures (`sealtrace-envelope`).
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// What a digest is a digest of. Implemented by empty marker types only.
pub trait Role {
    /// What stands before the 64 hex digits in text and JSON: `sha256:` for what OCI addresses, nothing otherwise.
    const PREFIX: &'static str;
    /// The role's name, for messages.
    const NAME: &'static str;
}

macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident, $alias:ident, $prefix:literal, $name:literal;)*) => {$(
        #[doc = concat!("Marker: ", $name, ".")]
        #[derive(Debug, Clone, Copy)]
        pub enum $role {}
        impl Role for $role {
            const PREFIX: &'static str = $prefix;
            const NAME: &'static str = $name;
        }
        $(#[$doc])*
        pub type $alias = Digest<$role>;
    )*};
}

roles! {
    /// SHA-256 of an OCI blob: a layer, a config, a manifest, the raw bytes behind a compressed layer. Written `sha256:<hex>`.
    Blob, BlobDigest, "sha256:", "blob digest";
    /// SHA-256 of a whole file of a release tree or a host. Written as bare hex.
    File, FileSha256, "", "file sha256";
    /// SHA-256 of a `capture.jsonl`. Written as bare hex.
    Capture, CaptureSha256, "", "capture sha256";
    /// SHA-256 of a DSSE payload (or of an unsigned statement file): the witness digest of notes/replay. Written `sha256:<hex>`.
    Statement, StatementDigest, "sha256:", "statement digest";
    /// SHA-256 of a DSSE pre-authentication encoding. Written `sha256:<hex>`.
    Pae, PaeDigest, "sha256:", "PAE digest";
    /// SHA-256 of a public key's SPKI in DER. Written as bare hex.
    Key, KeyId, "", "key id";
    /// SHA-256 of anything that only replay compares. Written as bare hex.
    Run, RunDigest, "", "run digest";
}

/// A SHA-256 digest of something in the role `R`.
pub struct Digest<R> {
    bytes: [u8; 32],
    role: PhantomData<fn() -> R>,
}

/// Why a text is not a digest of the role asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("not a {role}: expected {prefix:?} and 64 lower-case hex digits, found {found:?}")]
pub struct ParseDigestError {
    role: &'static str,
    prefix: &'static str,
    found: String,
}

impl<R: Role> Digest<R> {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_bytes(sha2::Sha256::digest(bytes).into())
    }

    /// A digest from its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes, role: PhantomData }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// 64 lower-case hex digits, without a prefix.
    pub fn hex(&self) -> String {
        hex::encode(self.bytes)
    }

    /// A streaming hasher for this role.
    pub fn hasher() -> Hasher<R> {
        Hasher { state: sha2::Sha256::new(), role: PhantomData }
    }

    /// Parses 64 lower-case hex digits without a prefix.
    ///
    /// # Errors
    /// When the text is anything else; upper case is refused.
    pub fn parse_hex(text: &str) -> Result<Self, ParseDigestError> {
        let wrong = || ParseDigestError { role: R::NAME, prefix: "", found: excerpt(text) };
        if text.len() != 64 || text.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_ignored| wrong())?;
        Ok(Self::from_bytes(bytes))
    }
}

impl<R: Role> FromStr for Digest<R> {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix(R::PREFIX).and_then(|hex| Self::parse_hex(hex).ok()).ok_or_else(|| ParseDigestError {
            role: R::NAME,
            prefix: R::PREFIX,
            found: excerpt(text),
        })
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

impl<R> Clone for Digest<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Digest<R> {}
impl<R> PartialEq for Digest<R> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
impl<R> Eq for Digest<R> {}
impl<R> PartialOrd for Digest<R> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<R> Ord for Digest<R> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}
impl<R> std::hash::Hash for Digest<R> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}
impl<R: Role> fmt::Display for Digest<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", R::PREFIX, self.hex())
    }
}
impl<R: Role> fmt::Debug for Digest<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", R::NAME, self.hex())
    }
}
impl<R: Role> Serialize for Digest<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
/// A text, borrowed from the document where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, R: Role> Deserialize<'de> for Digest<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Hashes a stream; see [`Digest::hasher`].
#[derive(Clone)]
pub struct Hasher<R> {
    state: sha2::Sha256,
    role: PhantomData<fn() -> R>,
}

impl<R: Role> Hasher<R> {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
    }

    /// The digest of all bytes added.
    pub fn finish(self) -> Digest<R> {
        Digest::from_bytes(self.state.finalize().into())
    }
}

impl<R> fmt::Debug for Hasher<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_round_trips_and_upper_case_is_refused() {
        let digest = BlobDigest::of(b"{}");
        let text = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse::<BlobDigest>(), Ok(digest));
        assert!(text.to_uppercase().parse::<BlobDigest>().is_err());
        assert!(digest.hex().parse::<BlobDigest>().is_err());
        assert_eq!(digest.hex().parse::<FileSha256>().map(|d| *d.as_bytes()), Ok(*digest.as_bytes()));
    }

    #[test]
    fn a_stream_hashes_like_its_concatenation() {
        let mut hasher = FileSha256::hasher();
        hasher.update(b"ab");
        hasher.update(b"c");
        assert_eq!(hasher.finish(), FileSha256::of(b"abc"));
    }
}
