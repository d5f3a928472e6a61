//! Timestamped signatures of checkpoints (C2SP tlog-cosignature): what log witnesses make.
//!
//! A cosignature says: at this time, this was the largest tree of the log that I had seen, and it continues every earlier one. Not here:
//! the decision to cosign (`log_witness`), how many count (`quorum`), private keys.

use sealtrace_crypto::Algorithm;
use sealtrace_verdict::UnixTime;

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::log_witness::Cosignable;
use crate::note::{KeyName, Note, NoteKeyId, NoteSignature};
use crate::note_key::{NoteKey, NoteKeyError, NoteSignatureError, NoteVerifyError, VerifiedSignature};

/// Bytes of an Ed25519 signature (RFC 8032).
const ED25519_BYTES: usize = 64;
/// Bytes of an ML-DSA-44 signature (FIPS 204, table 2).
const ML_DSA_44_BYTES: usize = 2420;
/// Bytes of the time before a signature.
const TIME_BYTES: usize = 8;
/// The latest time (C2SP tlog-cosignature: 2^63 − 1).
const MAX_TIME: u64 = u64::MAX >> 1;
/// What an ML-DSA-44 message begins with; domain separation.
const SUBTREE_LABEL: &[u8] = b"subtree/v1\n\0";

/// Verifies a timestamped signature over a note's text; the time it states.
pub(crate) fn verify(key: &NoteKey, text: &str, signature: &[u8]) -> Result<Option<UnixTime>, NoteSignatureError> {
    let ml_dsa = key.key().algorithm() == Algorithm::MlDsa44;
    let expected = TIME_BYTES.saturating_add(if ml_dsa { ML_DSA_44_BYTES } else { ED25519_BYTES });
    let split = signature.split_first_chunk::<TIME_BYTES>().filter(|_split| signature.len() == expected);
    let (time, raw) = split.ok_or(NoteSignatureError::Length { expected, found: signature.len() })?;
    let seconds = u64::from_be_bytes(*time);
    key.key().verify(&message(key, seconds, text)?, raw)?;
    // Zero is "no statement about time" for ML-DSA-44 only; for Ed25519 it is 1970.
    Ok((!ml_dsa || seconds != 0).then(|| UnixTime::from_seconds(seconds)))
}

/// The bytes that a cosigner's key signs.
fn message(key: &NoteKey, seconds: u64, text: &str) -> Result<Vec<u8>, NoteSignatureError> {
    if seconds > MAX_TIME {
        return Err(NoteSignatureError::Time { found: seconds });
    }
    let checkpoint = Checkpoint::parse(text).map_err(|_reason| NoteSignatureError::NotACheckpoint)?;
    if key.key().algorithm() == Algorithm::MlDsa44 {
        return subtree_message(key.name(), seconds, &checkpoint);
    }
    Ok(format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes())
}

/// `cosigned_message` of tlog-cosignature, for the whole tree: start is 0, end is the size.
fn subtree_message(name: &KeyName, seconds: u64, checkpoint: &Checkpoint) -> Result<Vec<u8>, NoteSignatureError> {
    if !checkpoint.extension.is_empty() {
        return Err(NoteSignatureError::Extension);
    }
    let mut bytes = SUBTREE_LABEL.to_vec();
    push_text(&mut bytes, "cosigner name", name.as_str())?;
    bytes.extend_from_slice(&seconds.to_be_bytes());
    push_text(&mut bytes, "log origin", &checkpoint.origin)?;
    bytes.extend_from_slice(&0_u64.to_be_bytes());
    bytes.extend_from_slice(&checkpoint.tree.size.0.to_be_bytes());
    bytes.extend_from_slice(checkpoint.tree.root.as_bytes());
    Ok(bytes)
}

fn push_text(bytes: &mut Vec<u8>, what: &'static str, text: &str) -> Result<(), NoteSignatureError> {
    let length = u8::try_from(text.len()).map_err(|_long| NoteSignatureError::NameTooLong { what, found: text.len() })?;
    bytes.push(length);
    bytes.extend_from_slice(text.as_bytes());
    Ok(())
}

/// The key of a log witness: a [`NoteKey`] whose signatures carry a time.
#[derive(Debug, Clone, PartialEq)]
pub struct CosignerKey(NoteKey);

impl CosignerKey {
    /// A key of type 0x04 or 0x06.
    ///
    /// # Errors
    /// [`NoteKeyError::NoCosigner`] for other types.
    pub fn new(key: NoteKey) -> Result<Self, NoteKeyError> {
        if key.signature_type().is_timestamped() {
            return Ok(Self(key));
        }
        Err(NoteKeyError::NoCosigner { name: key.name().clone() })
    }

    /// The key.
    pub fn key(&self) -> &NoteKey {
        &self.0
    }

    /// This log witness's cosignatures of a checkpoint, in the order of the lines; none is no error.
    ///
    /// # Errors
    /// [`NoteVerifyError::Signature`] when a line by this key does not hold.
    pub fn cosignatures(&self, checkpoint: &SignedCheckpoint) -> Result<Vec<VerifiedCosignature>, NoteVerifyError> {
        let verified = checkpoint.signatures_by(&self.0)?;
        Ok(verified.into_iter().map(VerifiedCosignature::of).collect())
    }

    /// The first half of making a cosignature: the bytes to sign. Demands that the decision to cosign was made.
    ///
    /// # Errors
    /// [`NoteSignatureError`] for a time or a name that the format cannot hold.
    pub fn prepare(&self, cosignable: &Cosignable, time: UnixTime) -> Result<PreparedCosignature, NoteSignatureError> {
        let note = cosignable.checkpoint().note().clone();
        let message = message(&self.0, time.seconds(), &note.text)?;
        Ok(PreparedCosignature { key: self.0.clone(), time, note, message })
    }
}

/// Proof that a log witness vouched for a checkpoint at a time. Made by verification only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCosignature {
    signature: VerifiedSignature,
}

impl VerifiedCosignature {
    pub(crate) fn of(signature: VerifiedSignature) -> Self {
        Self { signature }
    }

    /// The log witness's name.
    pub fn witness(&self) -> &KeyName {
        self.signature.name()
    }

    /// Its key's id.
    pub fn key_id(&self) -> NoteKeyId {
        self.signature.key_id()
    }

    /// When it was made, by the log witness's clock; `None` when it says nothing about time.
    pub fn time(&self) -> Option<UnixTime> {
        self.signature.time()
    }
}

/// A cosignature that lacks its signature.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedCosignature {
    key: NoteKey,
    time: UnixTime,
    note: Note,
    message: Vec<u8>,
}

impl PreparedCosignature {
    /// What the log witness's private key signs.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The second half: the signature line, verified before it is handed out.
    ///
    /// # Errors
    /// [`NoteSignatureError`] when the signature is not of the message by the key.
    pub fn assemble(&self, signature: &[u8]) -> Result<NoteSignature, NoteSignatureError> {
        let mut timed = self.time.seconds().to_be_bytes().to_vec();
        timed.extend_from_slice(signature);
        let line = NoteSignature { name: self.key.name().clone(), key_id: self.key.id(), signature: timed };
        self.key.verify(&self.note, &line)?;
        Ok(line)
    }
}
