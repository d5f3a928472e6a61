//! `trusted_root.json`, Sigstore's format: our logs, and the lists of authorities as they are.

use std::collections::BTreeMap;

use sealtrace_envelope::{KEY_DETAILS_P256, KeyError, PublicKey, decode_base64, encode_base64};
use sealtrace_json::JsonError;
use sealtrace_tlog::{LogKey, Origin, OriginError};
use sealtrace_verdict::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::authorities::Authorities;

/// The media type every reader asks for.
pub const TRUSTED_ROOT_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
/// The most bytes of a trusted root (ours).
const MAX_ROOT_BYTES: usize = 4 << 20;
/// The most logs of a trusted root (ours).
const MAX_LOGS: usize = 256;
/// What we write: without authenticated time a window has no start (notes/trust).
const VALID_FROM: &str = "1970-01-01T00:00:00Z";
const HASH_ALGORITHM: &str = "SHA2_256";
const SCHEME: &str = "https://";

/// A log that is trusted, and its key's validity window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedLog {
    /// Name and key.
    pub log: LogKey,
    /// Start of the key's validity, RFC 3339 as written.
    pub valid_from: String,
    /// End of it; open when absent.
    pub valid_until: Option<String>,
}

impl TrustedLog {
    /// A log whose key has no validity window.
    pub fn new(log: LogKey) -> Self {
        Self { log, valid_from: VALID_FROM.to_owned(), valid_until: None }
    }

    /// The times that are within both windows, as start and end; `None` where there are none, or where two different times are
    /// not both written `YYYY-MM-DDThh:mm:ssZ`, the one form in which order of text is order of time.
    pub(crate) fn common_window(&self, other: &Self) -> Option<(String, Option<String>)> {
        let from = match (self.valid_from.as_str(), other.valid_from.as_str()) {
            (VALID_FROM, start) | (start, VALID_FROM) => start,
            (one, two) => ordered(one, two)?.1,
        };
        let until = match (self.valid_until.as_deref(), other.valid_until.as_deref()) {
            (None, end) | (end, None) => end,
            (Some(one), Some(two)) => Some(ordered(one, two)?.0),
        };
        // A window that stands so in one of the files is taken as it is.
        let stands = |log: &Self| log.valid_from == from && log.valid_until.as_deref() == until;
        let in_order = |until| from == VALID_FROM || ordered(from, until).is_some_and(|(first, _)| first == from);
        let holds = stands(self) || stands(other) || until.is_none_or(in_order);
        holds.then(|| (from.to_owned(), until.map(str::to_owned)))
    }

    /// The window as people compare it.
    pub fn shown_window(&self) -> String {
        format!("from {} to {}", excerpt(&self.valid_from), self.valid_until.as_deref().map_or_else(|| "open".to_owned(), excerpt))
    }

    /// Whether the window limits nothing.
    pub fn is_unlimited(&self) -> bool {
        self.valid_from == VALID_FROM && self.valid_until.is_none()
    }
}

/// Why bytes are no trusted root of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustedRootError {
    /// Not strict JSON of the right shape, or too large.
    #[error("not a trusted root: {0}")]
    Json(JsonError),
    /// A field that has one allowed value has another.
    #[error("trusted root {what}: expected {expected}, found {found}")]
    Field {
        /// Which field.
        what: &'static str,
        /// The one allowed value.
        expected: String,
        /// The value found.
        found: String,
    },
    /// A log key that is no P-256 key.
    #[error("trusted root log key: {0}")]
    Key(#[from] KeyError),
    /// A log name that is none.
    #[error("trusted root baseUrl: {0}")]
    Origin(#[from] OriginError),
    /// Two logs of one name.
    #[error("trusted root names the log {origin} twice")]
    TwoLogs {
        /// The name.
        origin: String,
    },
    /// One key for two logs: an entry names its log by the key alone.
    #[error("trusted root names the logs {first} and {second} with one key, {key}")]
    OneKey {
        /// The key.
        key: String,
        /// The first name.
        first: String,
        /// The second name.
        second: String,
    },
    /// More logs than the limit.
    #[error("trusted root holds {found} logs, the limit is {MAX_LOGS}")]
    Logs {
        /// How many.
        found: usize,
    },
    /// A certificate authority, CT log or time stamp authority that cannot be used.
    #[error(transparent)]
    Authorities(sealtrace_sigstore::TrustedRootError),
}

/// Parses a trusted root: logs with P-256 keys, and the authorities.
///
/// # Errors
/// [`TrustedRootError`]
pub fn parse_trusted_root(bytes: &[u8]) -> Result<(Vec<TrustedLog>, Authorities), TrustedRootError> {
    let root: Root = sealtrace_json::parse(bytes, MAX_ROOT_BYTES).map_err(TrustedRootError::Json)?;
    require("mediaType", TRUSTED_ROOT_MEDIA_TYPE, &root.media_type)?;
    let authorities = Authorities::of(root.certificate_authorities, root.ctlogs, root.timestamp_authorities)?;
    if root.tlogs.len() > MAX_LOGS {
        return Err(TrustedRootError::Logs { found: root.tlogs.len() });
    }
    let (mut logs, mut keys) = (BTreeMap::new(), BTreeMap::new());
    for entry in root.tlogs {
        let log = parse_log(entry)?;
        let origin = log.log.origin.clone();
        if let Some(first) = keys.insert(log.log.key_id(), origin.clone()).filter(|first| *first != origin) {
            let (first, second) = (first.as_str().to_owned(), origin.as_str().to_owned());
            return Err(TrustedRootError::OneKey { key: log.log.key.key_id().hex(), first, second });
        }
        if logs.insert(origin.clone(), log).is_some() {
            return Err(TrustedRootError::TwoLogs { origin: origin.as_str().to_owned() });
        }
    }
    Ok((logs.into_values().collect(), authorities))
}

/// The canonical trusted root of these logs, ordered by name, and authorities, with every field the foreign verifiers need.
///
/// # Errors
/// [`TrustedRootError::Json`]
pub fn trusted_root_json(logs: &[TrustedLog], authorities: &Authorities) -> Result<Vec<u8>, TrustedRootError> {
    let mut tlogs: Vec<&TrustedLog> = logs.iter().collect();
    tlogs.sort_by(|a, b| a.log.origin.cmp(&b.log.origin));
    let root = Root {
        media_type: TRUSTED_ROOT_MEDIA_TYPE.to_owned(),
        tlogs: tlogs.into_iter().map(wire_log).collect(),
        certificate_authorities: authorities.issuers.clone(),
        ctlogs: authorities.ctlogs.clone(),
        timestamp_authorities: authorities.stampers.clone(),
    };
    sealtrace_json::canonical(&root).map_err(TrustedRootError::Json)
}

fn parse_log(entry: WireLog) -> Result<TrustedLog, TrustedRootError> {
    require("hashAlgorithm", HASH_ALGORITHM, &entry.hash_algorithm)?;
    require("keyDetails", KEY_DETAILS_P256, &entry.public_key.key_details)?;
    let base_url = || TrustedRootError::Field { what: "baseUrl", expected: "https://<origin>".to_owned(), found: excerpt(&entry.base_url) };
    let origin = Origin::parse(entry.base_url.strip_prefix(SCHEME).ok_or_else(base_url)?)?;
    let spki = decode_base64(&entry.public_key.raw_bytes).map_err(|error| TrustedRootError::Field {
        what: "rawBytes",
        expected: "base64".to_owned(),
        found: error.to_string(),
    })?;
    let log = LogKey { origin, key: PublicKey::parse_der(&spki)? };
    require("logId", &encode_base64(&log.key_id()), &entry.log_id.key_id)?;
    let window = entry.public_key.valid_for;
    require_time("validFor.start", &window.start)?;
    window.end.as_deref().map_or(Ok(()), |end| require_time("validFor.end", end))?;
    Ok(TrustedLog { log, valid_from: window.start, valid_until: window.end })
}

fn wire_log(log: &TrustedLog) -> WireLog {
    WireLog {
        base_url: format!("{SCHEME}{}", log.log.origin),
        hash_algorithm: HASH_ALGORITHM.to_owned(),
        public_key: WireKey {
            raw_bytes: encode_base64(log.log.key.spki()),
            key_details: KEY_DETAILS_P256.to_owned(),
            valid_for: Window { start: log.valid_from.clone(), end: log.valid_until.clone() },
        },
        log_id: LogId { key_id: encode_base64(&log.log.key_id()) },
    }
}

fn require(what: &'static str, expected: &str, found: &str) -> Result<(), TrustedRootError> {
    if expected == found {
        return Ok(());
    }
    Err(TrustedRootError::Field { what, expected: expected.to_owned(), found: excerpt(found) })
}

/// A window that is no time would leave every entry of its log undecided, and later readers disagree about it.
fn require_time(what: &'static str, found: &str) -> Result<(), TrustedRootError> {
    match found.parse::<UnixTime>() {
        Ok(_) => Ok(()),
        Err(_) => Err(TrustedRootError::Field { what, expected: "a time (RFC 3339)".to_owned(), found: excerpt(found) }),
    }
}

/// Two times, the earlier first.
fn ordered<'a>(one: &'a str, two: &'a str) -> Option<(&'a str, &'a str)> {
    if one == two {
        return Some((one, two));
    }
    (is_plain_time(one) && is_plain_time(two)).then(|| if one < two { (one, two) } else { (two, one) })
}

/// `YYYY-MM-DDThh:mm:ssZ`
fn is_plain_time(text: &str) -> bool {
    let shape = "dddd-dd-ddTdd:dd:ddZ";
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, form)| if form == b'd' { byte.is_ascii_digit() } else { byte == form })
}

fn excerpt(text: &str) -> String {
    text.chars().take(120).collect()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Root {
    media_type: String,
    tlogs: Vec<WireLog>,
    certificate_authorities: Vec<Value>,
    ctlogs: Vec<Value>,
    timestamp_authorities: Vec<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireLog {
    base_url: String,
    hash_algorithm: String,
    public_key: WireKey,
    log_id: LogId,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireKey {
    raw_bytes: String,
    key_details: String,
    valid_for: Window,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    start: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogId {
    key_id: String,
}
