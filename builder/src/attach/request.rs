//! Signing in two phases: a folder with everything that a device elsewhere needs, and the signature that comes back.
//!
//! What comes back has been out of our hands: nothing of the folder is believed but what the layout says again. Not here: how the
//! folder is written, and which spelling a signature has (`commands`).

use std::path::Path;

use sealtrace_digest::{BlobDigest, FileSha256, KeyId, StatementDigest};
use sealtrace_envelope::{Envelope, KEY_DETAILS_P256, PAYLOAD_TYPE_IN_TOTO, PublicKey, SignatureError, SigstoreBundle, pae};
use sealtrace_signer::raw_to_der;
use sealtrace_store::read_bounded;
use serde::{Deserialize, Serialize};

use super::error::AttachError;
use super::layout::Subject;
use super::seal::{OtherSignature, Signed, seal};
use super::trust_folder::TrustFolder;
use crate::layout_dir::LayoutDir;

/// The one version of the request.
const VERSION: u32 = 1;
/// The most bytes of a request (ours; one has about 800).
const MAX_REQUEST_BYTES: usize = 16 << 10;
/// The request's file in its folder.
pub(crate) const REQUEST_FILE: &str = "request.json";

/// What is to be signed, as `request.json` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SigningRequest {
    version: u32,
    /// The bundle.
    pub(crate) manifest_digest: BlobDigest,
    payload_type: String,
    statement_sha256: FileSha256,
    /// SHA-256 of `pae.bin`, the digest to sign.
    pub(crate) pae_sha256: FileSha256,
    algorithm: String,
    /// SHA-256 of the key's SPKI.
    pub(crate) key_id: KeyId,
    public_key: String,
}

/// A request and the bytes it speaks of.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) request: SigningRequest,
    /// The statement, canonical JSON.
    pub(crate) statement: Vec<u8>,
    /// The exact bytes to sign.
    pub(crate) pae: Vec<u8>,
}

impl Prepared {
    /// `request.json`, canonical JSON.
    pub(crate) fn request_bytes(&self) -> Result<Vec<u8>, AttachError> {
        sealtrace_json::canonical(&self.request).map_err(|error| AttachError::encode("the request", &error))
    }
}

/// Why a request or the signature for it is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RequestError {
    /// Not there, or no file.
    #[error("no signing request: {0}")]
    Read(#[from] sealtrace_store::StoreError),
    /// Not a request.
    #[error("{REQUEST_FILE} is malformed: {0}")]
    Json(#[from] sealtrace_json::JsonError),
    /// A field says something else than its request can.
    #[error("{REQUEST_FILE}: {field} is {found}, expected {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The key is none.
    #[error("{REQUEST_FILE}: {0}")]
    Key(#[from] sealtrace_envelope::KeyError),
    /// The request is about something else.
    #[error("the request was prepared for {what} {found}, the layout has {expected}")]
    Other {
        /// What differs.
        what: &'static str,
        /// The layout's.
        expected: String,
        /// The request's.
        found: String,
    },
    /// The key in the request is not the one that was named.
    #[error("the request names key {found}, --public-key is {expected}")]
    OtherKey {
        /// The key named.
        expected: KeyId,
        /// The request's.
        found: KeyId,
    },
    /// Neither DER nor raw.
    #[error("the signature of {found} bytes is neither the DER of an ECDSA P-256 signature nor 64 bytes r‖s")]
    Spelling {
        /// Bytes found.
        found: usize,
    },
    /// A signature that is not this key's over these bytes.
    #[error("the signature does not verify with key {key} over the bytes to sign (SHA-256 {digest})")]
    Mismatch {
        /// The key.
        key: KeyId,
        /// The digest that should have been signed.
        digest: FileSha256,
    },
}

/// How a signature file spells its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Spelling {
    /// DER, as openssl and most services write it
    Der,
    /// r and s of 32 bytes each, as pkcs11-tool writes them
    Raw,
}

/// What a layout's signer is to sign.
pub(crate) fn prepare_layout(layout: &LayoutDir, key: &PublicKey) -> Result<Prepared, AttachError> {
    prepared(&Subject::read(layout)?, key)
}

fn prepared(subject: &Subject<'_>, key: &PublicKey) -> Result<Prepared, AttachError> {
    let pae = pae(PAYLOAD_TYPE_IN_TOTO, &subject.payload);
    let request = SigningRequest {
        version: VERSION,
        manifest_digest: subject.bundle.digest,
        payload_type: PAYLOAD_TYPE_IN_TOTO.to_owned(),
        statement_sha256: FileSha256::from_bytes(*StatementDigest::of(&subject.payload).as_bytes()),
        pae_sha256: FileSha256::of(&pae),
        algorithm: KEY_DETAILS_P256.to_owned(),
        key_id: key.key_id(),
        public_key: key.to_pem().map_err(|error| AttachError::encode("the public key", &error))?,
    };
    Ok(Prepared { request, statement: subject.payload.clone(), pae })
}

/// What came back from the signer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Returned<'a> {
    /// The request's folder.
    pub(crate) request: &'a Path,
    /// The key that must have signed; the request's when none is named.
    pub(crate) key: Option<&'a PublicKey>,
    /// The signature's bytes.
    pub(crate) signature: &'a [u8],
    /// Their spelling, when it is known.
    pub(crate) spelling: Option<Spelling>,
}

/// Attaches a signature that was made elsewhere, after it has been verified. The layout is untouched otherwise.
pub(crate) fn assemble_layout(
    layout: &LayoutDir,
    returned: &Returned<'_>,
    folder: &TrustFolder,
    other: OtherSignature,
) -> Result<Signed, AttachError> {
    let subject = Subject::read(layout)?;
    let found = read_request(returned.request)?;
    let key = signing_key(&found, returned.key)?;
    let prepared = prepared(&subject, &key)?;
    compare(&prepared.request, &found)?;
    let signature = verified_der(returned, &key, &prepared)?;
    let envelope = Envelope::new(PAYLOAD_TYPE_IN_TOTO, &subject.payload, signature, &key);
    seal(&subject, &key, (folder, other), || Ok(SigstoreBundle::by_key(&key, Vec::new(), envelope)))
}

fn read_request(folder: &Path) -> Result<SigningRequest, RequestError> {
    let bytes = read_bounded(&folder.join(REQUEST_FILE), u64::try_from(MAX_REQUEST_BYTES).unwrap_or(u64::MAX))?;
    Ok(sealtrace_json::parse(&bytes, MAX_REQUEST_BYTES)?)
}

/// The key that must have signed.
fn signing_key(request: &SigningRequest, named: Option<&PublicKey>) -> Result<PublicKey, RequestError> {
    let key = PublicKey::parse_pem(request.public_key.as_bytes())?;
    match named {
        Some(named) if *named != key => Err(RequestError::OtherKey { expected: named.key_id(), found: key.key_id() }),
        _ => Ok(key),
    }
}

/// Every field of the request against what the layout gives today.
fn compare(expected: &SigningRequest, found: &SigningRequest) -> Result<(), RequestError> {
    let field = |field, expected: &dyn ToString, found: &dyn ToString| {
        let (expected, found) = (expected.to_string(), found.to_string().escape_default().to_string());
        if expected == found { Ok(()) } else { Err(RequestError::Field { field, expected, found }) }
    };
    field("version", &expected.version, &found.version)?;
    field("payloadType", &expected.payload_type, &found.payload_type)?;
    field("algorithm", &expected.algorithm, &found.algorithm)?;
    field("keyId", &expected.key_id, &found.key_id)?;
    let other =
        |what, expected: String, found: String| if expected == found { Ok(()) } else { Err(RequestError::Other { what, expected, found }) };
    other("bundle", expected.manifest_digest.to_string(), found.manifest_digest.to_string())?;
    other("statement", expected.statement_sha256.hex(), found.statement_sha256.hex())?;
    field("paeSha256", &expected.pae_sha256, &found.pae_sha256)
}

/// The signature in DER: of the spellings that the bytes can have, the one that verifies.
fn verified_der(returned: &Returned<'_>, key: &PublicKey, prepared: &Prepared) -> Result<Vec<u8>, RequestError> {
    let (bytes, mut spelled) = (returned.signature, false);
    if returned.spelling != Some(Spelling::Raw) {
        match key.verify(&prepared.pae, bytes) {
            Ok(()) => return Ok(bytes.to_vec()),
            Err(SignatureError::NotDer) => {}
            Err(_) => spelled = true,
        }
    }
    if returned.spelling != Some(Spelling::Der)
        && let Ok(der) = raw_to_der(bytes)
    {
        if key.verify(&prepared.pae, &der).is_ok() {
            return Ok(der);
        }
        spelled = true;
    }
    if spelled {
        return Err(RequestError::Mismatch { key: key.key_id(), digest: prepared.request.pae_sha256 });
    }
    Err(RequestError::Spelling { found: bytes.len() })
}
