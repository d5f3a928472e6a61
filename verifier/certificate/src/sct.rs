//! Signed certificate timestamps embedded in a certificate (RFC 6962 §3.2, §3.3): a CT log promised to publish it.

use der::Tag;
use sealtrace_crypto::{Algorithm, Hash, SignatureError, VerifyingKey};
use sealtrace_verdict::UnixTime;

use crate::asn1::{DerError, Elements, context, encode};
use crate::certificate::Certificate;
use crate::extensions::SCT_LIST;
use crate::path::VerifiedPath;

/// The most timestamps in a certificate (ours; authorities embed one to four).
const MAX_SCTS: usize = 16;
/// `log_entry_type` of a precertificate.
const PRECERT_ENTRY: [u8; 2] = [0, 1];
/// RFC 5246 §7.4.1.4.1.
const HASH_SHA256: u8 = 4;
const SIGNATURE_RSA: u8 = 1;
const SIGNATURE_ECDSA: u8 = 3;

/// A CT log that is trusted.
#[derive(Debug, Clone, PartialEq)]
pub struct CtLog {
    /// SHA-256 of its key's SPKI.
    pub id: [u8; 32],
    /// Its key.
    pub key: VerifyingKey,
    /// First moment of the key's use.
    pub from: UnixTime,
    /// Last moment; open when absent.
    pub until: Option<UnixTime>,
}

/// A timestamp that a trusted CT log signed over a certificate. Made by [`verify_scts`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSct {
    log: [u8; 32],
    time: UnixTime,
}

impl VerifiedSct {
    /// Which log.
    pub fn log(&self) -> &[u8; 32] {
        &self.log
    }

    /// When it promised.
    pub fn time(&self) -> UnixTime {
        self.time
    }
}

/// Why no trusted log vouches for a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SctError {
    /// No list.
    #[error("certificate embeds no signed certificate timestamp")]
    None,
    /// The list is malformed.
    #[error("signed certificate timestamps are malformed: {what}")]
    Malformed {
        /// What.
        what: &'static str,
    },
    /// The certificate cannot be taken apart.
    #[error(transparent)]
    Der(#[from] DerError),
    /// None of the logs is trusted at the time stated.
    #[error("no signed certificate timestamp is of a CT log that was trusted at its time")]
    Untrusted,
    /// A trusted log's signature does not hold.
    #[error("signed certificate timestamp of log {log}: {source}")]
    Signature {
        /// The log's id in hex.
        log: String,
        /// Why.
        source: SignatureError,
    },
}

/// Verifies every embedded timestamp of a trusted log; there must be at least one, and none of them may fail.
///
/// # Errors
/// [`SctError`]
pub fn verify_scts(path: &VerifiedPath<'_>, logs: &[CtLog]) -> Result<Vec<VerifiedSct>, SctError> {
    let leaf = path.leaf();
    let list = leaf.extensions.value(SCT_LIST).ok_or(SctError::None)?;
    let list = Elements::only(list, Tag::OctetString, "SCT list")?.value;
    let precertificate = without_scts(leaf)?;
    let issuer_key_hash = Hash::Sha256.digest(path.issuer().key().spki());
    let mut verified = Vec::new();
    for sct in parse_list(list)? {
        let time = UnixTime::from_seconds(sct.timestamp / 1_000);
        let in_use = |log: &&CtLog| log.id == sct.log && log.from <= time && log.until.is_none_or(|until| time <= until);
        let Some(log) = logs.iter().find(in_use) else { continue };
        let signed = sct.signed_bytes(&issuer_key_hash, &precertificate)?;
        let of_key = match log.key.algorithm() {
            Algorithm::Rsa { .. } => SIGNATURE_RSA,
            _ => SIGNATURE_ECDSA,
        };
        if (sct.hash, sct.signature_algorithm) != (HASH_SHA256, of_key) {
            return Err(SctError::Malformed { what: "signature algorithm is not that of the log's key with SHA-256" });
        }
        log.key
            .verify_hashed(Hash::Sha256, &signed, sct.signature)
            .map_err(|source| SctError::Signature { log: hex::encode(sct.log), source })?;
        verified.push(VerifiedSct { log: sct.log, time });
    }
    if verified.is_empty() { Err(SctError::Untrusted) } else { Ok(verified) }
}

struct Sct<'a> {
    log: [u8; 32],
    timestamp: u64,
    extensions: &'a [u8],
    hash: u8,
    signature_algorithm: u8,
    signature: &'a [u8],
}

impl Sct<'_> {
    /// `digitally-signed struct` of RFC 6962 §3.2, for a precertificate.
    fn signed_bytes(&self, issuer_key_hash: &[u8], precertificate: &[u8]) -> Result<Vec<u8>, SctError> {
        let length = u32::try_from(precertificate.len()).ok().filter(|length| *length < 1 << 24);
        let [_, high, middle, low] = length.ok_or(SctError::Malformed { what: "certificate too large" })?.to_be_bytes();
        let extensions = u16::try_from(self.extensions.len()).map_err(|_length| SctError::Malformed { what: "extensions too large" })?;
        let mut bytes = vec![0, 0];
        bytes.extend_from_slice(&self.timestamp.to_be_bytes());
        bytes.extend_from_slice(&PRECERT_ENTRY);
        bytes.extend_from_slice(issuer_key_hash);
        bytes.extend_from_slice(&[high, middle, low]);
        bytes.extend_from_slice(precertificate);
        bytes.extend_from_slice(&extensions.to_be_bytes());
        bytes.extend_from_slice(self.extensions);
        Ok(bytes)
    }
}

/// Takes `N` bytes off the front.
fn fixed<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(head)
}

/// Takes a vector with a two-byte length off the front.
fn vector<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u16::from_be_bytes(*fixed::<2>(bytes)?);
    let (head, rest) = bytes.split_at_checked(usize::from(length))?;
    *bytes = rest;
    Some(head)
}

fn parse_list(mut bytes: &[u8]) -> Result<Vec<Sct<'_>>, SctError> {
    let malformed = |what| SctError::Malformed { what };
    let mut list = vector(&mut bytes).ok_or(malformed("length"))?;
    if !bytes.is_empty() {
        return Err(malformed("bytes after the list"));
    }
    let mut scts = Vec::new();
    while !list.is_empty() {
        if scts.len() >= MAX_SCTS {
            return Err(malformed("more than 16"));
        }
        let one = vector(&mut list).ok_or(malformed("length of an entry"))?;
        // Another version than 1 is another structure: not ours to read (RFC 6962 §3.3 asks to ignore it).
        if one.first() == Some(&0) {
            scts.push(parse_sct(one).ok_or(malformed("an entry"))?);
        }
    }
    Ok(scts)
}

fn parse_sct(mut bytes: &[u8]) -> Option<Sct<'_>> {
    let _version = fixed::<1>(&mut bytes)?;
    let log = *fixed::<32>(&mut bytes)?;
    let timestamp = u64::from_be_bytes(*fixed::<8>(&mut bytes)?);
    let extensions = vector(&mut bytes)?;
    let [hash, signature_algorithm] = *fixed::<2>(&mut bytes)?;
    let signature = vector(&mut bytes)?;
    bytes.is_empty().then_some(Sct { log, timestamp, extensions, hash, signature_algorithm, signature })
}

/// The `TBSCertificate` without the list itself: what the log signed (RFC 6962 §3.2).
fn without_scts(leaf: &Certificate) -> Result<Vec<u8>, DerError> {
    const SEQUENCE: u8 = 0x30;
    const EXTENSIONS: u8 = 0xa3;
    let mut content = Vec::new();
    let mut fields = Elements::only(leaf.tbs(), Tag::Sequence, "certificate")?.children()?;
    while !fields.is_empty() {
        let field = fields.next()?;
        if field.tag != context(3, true) {
            content.extend_from_slice(field.raw);
            continue;
        }
        let mut kept = Vec::new();
        let mut list = Elements::only(field.value, Tag::Sequence, "certificate extensions")?.children()?;
        while !list.is_empty() {
            let extension = list.next()?;
            if extension.children()?.take(Tag::ObjectIdentifier)?.oid()?.to_string() != SCT_LIST {
                kept.extend_from_slice(extension.raw);
            }
        }
        content.extend_from_slice(&encode(EXTENSIONS, &encode(SEQUENCE, &kept)));
    }
    Ok(encode(SEQUENCE, &content))
}
