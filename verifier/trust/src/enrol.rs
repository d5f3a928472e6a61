//! Enrolment: a site's request to have its signers and its log trusted, with proof that it holds every one of the keys.

use std::collections::BTreeMap;

use sealtrace_digest::{FileSha256, KeyId};
use sealtrace_envelope::{Envelope, EnvelopeSignature, KeyError, PublicKey, pae};
use sealtrace_json::JsonError;
use sealtrace_tlog::{LogKey, Origin, OriginError};
use serde::{Deserialize, Serialize};

/// The DSSE payload type of a request.
pub const REQUEST_PAYLOAD_TYPE: &str = "application/vnd.sealtrace.enrolment-request.v0+json";
/// The most bytes of a request (ours).
pub const MAX_REQUEST_BYTES: usize = 256 << 10;
/// The most signers of a request: with the log's key as many as an envelope has signatures.
const MAX_SIGNERS: usize = 15;
/// The most characters of a site's name (ours).
const MAX_NAME: usize = 256;
const VERSION: u32 = 0;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Payload {
    request_version: u32,
    name: String,
    origin: String,
    log_key: String,
    signer_keys: Vec<String>,
}

/// A request in which every key has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentRequest {
    name: String,
    log: LogKey,
    signers: BTreeMap<KeyId, PublicKey>,
    sha256: FileSha256,
}

/// Why bytes are no request that can be approved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Not strict JSON of the right shape.
    #[error("not an enrolment request: {0}")]
    Json(JsonError),
    /// A value that is not one of those allowed.
    #[error("enrolment request {what}: expected {expected}, found {found}")]
    Field {
        /// Which field.
        what: &'static str,
        /// What is accepted.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A key that is none.
    #[error("enrolment request: {0}")]
    Key(#[from] KeyError),
    /// A log's name that is none.
    #[error("enrolment request: {0}")]
    Origin(#[from] OriginError),
    /// A key that did not sign the request, or whose signature does not hold: nobody showed that the site has it.
    #[error("enrolment request is not signed by key {key}, which it asks to enrol")]
    Possession {
        /// The key.
        key: String,
    },
}

/// The bytes that every key of a request signs, and the payload in them.
///
/// # Errors
/// [`RequestError`]
pub fn request_payload(name: &str, log: &LogKey, signers: &[PublicKey]) -> Result<(Vec<u8>, Vec<u8>), RequestError> {
    let payload = Payload {
        request_version: VERSION,
        name: name.to_owned(),
        origin: log.origin.as_str().to_owned(),
        log_key: log.key.to_pem()?,
        signer_keys: signers.iter().map(PublicKey::to_pem).collect::<Result<_, _>>()?,
    };
    let payload = sealtrace_json::canonical(&payload).map_err(RequestError::Json)?;
    Ok((pae(REQUEST_PAYLOAD_TYPE, &payload), payload))
}

/// The file of a request.
///
/// # Errors
/// [`RequestError::Json`]
pub fn request_file(payload: &[u8], signatures: Vec<EnvelopeSignature>) -> Result<Vec<u8>, RequestError> {
    let envelope = Envelope { payload_type: REQUEST_PAYLOAD_TYPE.to_owned(), payload: payload.to_vec(), signatures };
    sealtrace_json::canonical(&envelope).map_err(RequestError::Json)
}

impl EnrolmentRequest {
    /// Parses a request and verifies that each of its keys signed it.
    ///
    /// # Errors
    /// [`RequestError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        let envelope: Envelope = sealtrace_json::parse(bytes, MAX_REQUEST_BYTES).map_err(RequestError::Json)?;
        let field = |what, expected, found: &str| RequestError::Field { what, expected, found: found.chars().take(120).collect() };
        if envelope.payload_type != REQUEST_PAYLOAD_TYPE {
            return Err(field("payloadType", REQUEST_PAYLOAD_TYPE, &envelope.payload_type));
        }
        let payload: Payload = sealtrace_json::parse(&envelope.payload, MAX_REQUEST_BYTES).map_err(RequestError::Json)?;
        if sealtrace_json::canonical(&payload).map_err(RequestError::Json)? != envelope.payload {
            return Err(field("payload", "canonical JSON", "another spelling"));
        }
        if payload.request_version != VERSION {
            return Err(field("requestVersion", "0", &payload.request_version.to_string()));
        }
        let printable = !payload.name.is_empty() && payload.name.chars().count() <= MAX_NAME && !payload.name.chars().any(char::is_control);
        if !printable {
            return Err(field("name", "1 to 256 printable characters", &payload.name));
        }
        if payload.signer_keys.is_empty() || payload.signer_keys.len() > MAX_SIGNERS {
            return Err(field("signerKeys", "1 to 15", &payload.signer_keys.len().to_string()));
        }
        let log = LogKey { origin: Origin::parse(&payload.origin)?, key: PublicKey::parse_pem(payload.log_key.as_bytes())? };
        let mut signers = BTreeMap::new();
        for pem in &payload.signer_keys {
            let key = PublicKey::parse_pem(pem.as_bytes())?;
            signers.insert(key.key_id(), key);
        }
        let pae = envelope.pae();
        for key in signers.values().chain([&log.key]) {
            let own = envelope.signatures.iter().filter(|signature| signature.keyid == key.hint());
            if !own
                .map(|signature| key.verify(&pae, &signature.sig).is_ok())
                .fold(None, |all, one| Some(all.unwrap_or(true) && one))
                .unwrap_or(false)
            {
                return Err(RequestError::Possession { key: key.key_id().hex() });
            }
        }
        Ok(Self { name: payload.name, log, signers, sha256: FileSha256::of(bytes) })
    }

    /// The site's name, as it calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its log.
    pub fn log(&self) -> &LogKey {
        &self.log
    }

    /// Its signers.
    pub fn signers(&self) -> impl Iterator<Item = &PublicKey> {
        self.signers.values()
    }

    /// SHA-256 of the file.
    pub fn sha256(&self) -> FileSha256 {
        self.sha256
    }
}
