//! A Sigstore trusted root: logs, certificate authorities, CT logs and time stamp authorities, each with its window.

use der::Encode as _;
use sealtrace_certificate::{Certificate, CertificateError, CtLog};
use sealtrace_crypto::{KeyError, VerifyingKey};
use sealtrace_json::JsonError;
use sealtrace_verdict::{TimeError, UnixTime};
use serde::Deserialize;
use serde_json::Value;

use crate::wire::{B64, list};

/// The most bytes of a trusted root (ours; the public one has 7,000).
pub const MAX_ROOT_BYTES: usize = 4 << 20;
/// The most entries of each of its lists, and certificates of a chain (ours).
const MAX_ITEMS: usize = 256;
const MEDIA_TYPES: &[&str] = &[
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
];

/// First and last moment of trust, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First moment.
    pub from: UnixTime,
    /// Last moment; open when absent.
    pub until: Option<UnixTime>,
}

impl Window {
    /// Whether a moment is within it.
    pub fn holds(&self, time: UnixTime) -> bool {
        self.from <= time && self.until.is_none_or(|until| time <= until)
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.until {
            Some(until) => write!(f, "{} to {until}", self.from),
            None => write!(f, "{} on", self.from),
        }
    }
}

/// A transparency log.
#[derive(Debug, Clone, PartialEq)]
pub struct TransparencyLog {
    /// Host, and port where there is one, of its URL: its name in checkpoints.
    pub name: String,
    /// `logId.keyId`.
    pub id: Vec<u8>,
    /// Its key.
    pub key: VerifyingKey,
    /// When the key was in use.
    pub window: Window,
}

/// A certificate or time stamp authority.
#[derive(Debug, Clone, PartialEq)]
pub struct Authority {
    /// Leaf or issuing certificate first, root last.
    pub chain: Vec<Certificate>,
    /// When it is trusted.
    pub window: Window,
}

/// A parsed trusted root.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrustedRoot {
    /// Logs.
    pub logs: Vec<TransparencyLog>,
    /// Issuers of signing certificates.
    pub certificate_authorities: Vec<Authority>,
    /// CT logs.
    pub ct_logs: Vec<CtLog>,
    /// Time stamp authorities.
    pub timestamp_authorities: Vec<Authority>,
}

/// Why bytes are no trusted root.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustedRootError {
    /// Not strict JSON of the right shape, or too large.
    #[error("not a trusted root: {0}")]
    Json(JsonError),
    /// An unknown media type.
    #[error("trusted root media type {found:?} is not known")]
    MediaType {
        /// Found.
        found: String,
    },
    /// More of something than the limit.
    #[error("trusted root has more than {MAX_ITEMS} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
    },
    /// A key that cannot be used.
    #[error("trusted root key of {of}: {source}")]
    Key {
        /// Whose.
        of: String,
        /// Why.
        source: KeyError,
    },
    /// A certificate that cannot be used.
    #[error("trusted root certificate of {of}: {source}")]
    Certificate {
        /// Whose.
        of: String,
        /// Why.
        source: CertificateError,
    },
    /// A window without a start: nothing says from when the key may be believed.
    #[error("trusted root gives no start of validity for {of}")]
    NoStart {
        /// Whose.
        of: String,
    },
    /// A time that is none.
    #[error("trusted root validity of {of}: {source}")]
    Time {
        /// Whose.
        of: String,
        /// Why.
        source: TimeError,
    },
    /// A field that has an unacceptable value.
    #[error("trusted root {what} of {of}")]
    Field {
        /// Which.
        what: &'static str,
        /// Whose.
        of: String,
    },
}

impl TrustedRoot {
    /// Parses a trusted root. Unknown fields are passed over: later versions add some.
    ///
    /// # Errors
    /// [`TrustedRootError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustedRootError> {
        let wire: Wire = sealtrace_json::parse(bytes, MAX_ROOT_BYTES).map_err(TrustedRootError::Json)?;
        if !MEDIA_TYPES.contains(&wire.media_type.as_str()) {
            return Err(TrustedRootError::MediaType { found: wire.media_type.chars().take(100).collect() });
        }
        for (what, count) in [
            ("logs", wire.tlogs.len()),
            ("certificate authorities", wire.certificate_authorities.len()),
            ("CT logs", wire.ctlogs.len()),
            ("time stamp authorities", wire.timestamp_authorities.len()),
        ] {
            if count > MAX_ITEMS {
                return Err(TrustedRootError::Limit { what });
            }
        }
        Ok(Self {
            logs: wire.tlogs.into_iter().map(parse_log).collect::<Result<_, _>>()?,
            certificate_authorities: wire.certificate_authorities.into_iter().map(parse_authority).collect::<Result<_, _>>()?,
            ct_logs: wire.ctlogs.into_iter().map(parse_ct_log).collect::<Result<_, _>>()?,
            timestamp_authorities: wire.timestamp_authorities.into_iter().map(parse_authority).collect::<Result<_, _>>()?,
        })
    }
}

fn parse_log(wire: WireLog) -> Result<TransparencyLog, TrustedRootError> {
    let of = shown(&wire.base_url);
    let name = wire.base_url.split_once("://").map_or(wire.base_url.as_str(), |(_, rest)| rest).trim_end_matches('/');
    if name.is_empty() {
        return Err(TrustedRootError::Field { what: "base URL names no host", of });
    }
    let key = parse_key(&wire.public_key, &of)?;
    let window = window(wire.public_key.valid_for, &of)?;
    if wire.log_id.key_id.0.len() < 4 {
        return Err(TrustedRootError::Field { what: "log id is shorter than 4 bytes", of });
    }
    Ok(TransparencyLog { name: name.to_owned(), id: wire.log_id.key_id.0, key, window })
}

fn parse_ct_log(wire: WireLog) -> Result<CtLog, TrustedRootError> {
    let of = shown(&wire.base_url);
    let key = parse_key(&wire.public_key, &of)?;
    let window = window(wire.public_key.valid_for, &of)?;
    let id = wire.log_id.key_id.0.try_into();
    let id = id.map_err(|_length| TrustedRootError::Field { what: "log id is not 32 bytes", of })?;
    Ok(CtLog { id, key, from: window.from, until: window.until })
}

fn parse_authority(wire: WireAuthority) -> Result<Authority, TrustedRootError> {
    let of = shown(wire.uri.as_deref().unwrap_or("an authority"));
    let raw = wire.cert_chain.certificates;
    if raw.is_empty() || raw.len() > MAX_ITEMS {
        return Err(TrustedRootError::Field { what: "chain is empty or too long", of });
    }
    let parse = |raw: &Raw| Certificate::parse(&raw.raw_bytes.0).map_err(|source| TrustedRootError::Certificate { of: of.clone(), source });
    Ok(Authority { chain: raw.iter().map(parse).collect::<Result<_, _>>()?, window: window(wire.valid_for, &of)? })
}

/// A key as SPKI, or, as `PKCS1_RSA_PKCS1V5` says, as a bare `RSAPublicKey`.
fn parse_key(wire: &WireKey, of: &str) -> Result<VerifyingKey, TrustedRootError> {
    let raw = wire.raw_bytes.0.as_slice();
    let wrapped = wire.key_details.as_str().filter(|details| details.starts_with("PKCS1_RSA")).and_then(|_| rsa_spki(raw));
    let spki = wrapped.as_deref().unwrap_or(raw);
    VerifyingKey::parse_spki(spki).map_err(|source| TrustedRootError::Key { of: of.to_owned(), source })
}

/// The SPKI around an `RSAPublicKey` (RFC 3279 §2.3.1).
fn rsa_spki(key: &[u8]) -> Option<Vec<u8>> {
    use der::asn1::{AnyRef, BitString, Null, ObjectIdentifier};
    #[derive(der::Sequence)]
    struct Algorithm<'a> {
        oid: ObjectIdentifier,
        parameters: AnyRef<'a>,
    }
    #[derive(der::Sequence)]
    struct Spki<'a> {
        algorithm: Algorithm<'a>,
        key: BitString,
    }
    let oid = ObjectIdentifier::new("1.2.840.113549.1.1.1").ok()?;
    let spki = Spki { algorithm: Algorithm { oid, parameters: AnyRef::from(Null) }, key: BitString::from_bytes(key).ok()? };
    spki.to_der().ok()
}

fn window(wire: Option<WireWindow>, of: &str) -> Result<Window, TrustedRootError> {
    let no_start = || TrustedRootError::NoStart { of: of.to_owned() };
    let wire = wire.ok_or_else(no_start)?;
    let time = |text: String| text.parse().map_err(|source| TrustedRootError::Time { of: of.to_owned(), source });
    Ok(Window { from: time(wire.start.ok_or_else(no_start)?)?, until: wire.end.map(time).transpose()? })
}

fn shown(text: &str) -> String {
    text.chars().take(120).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    #[serde(default, deserialize_with = "list")]
    tlogs: Vec<WireLog>,
    #[serde(default, deserialize_with = "list")]
    certificate_authorities: Vec<WireAuthority>,
    #[serde(default, deserialize_with = "list")]
    ctlogs: Vec<WireLog>,
    #[serde(default, deserialize_with = "list")]
    timestamp_authorities: Vec<WireAuthority>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLog {
    base_url: String,
    public_key: WireKey,
    log_id: LogId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireKey {
    raw_bytes: B64,
    /// A name or, in some writers' roots, a number.
    #[serde(default)]
    key_details: Value,
    valid_for: Option<WireWindow>,
}

#[derive(Deserialize)]
struct WireWindow {
    start: Option<String>,
    end: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: B64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAuthority {
    uri: Option<String>,
    cert_chain: Chain,
    valid_for: Option<WireWindow>,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    raw_bytes: B64,
}
