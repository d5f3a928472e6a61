//! Checkpoints (C2SP tlog-checkpoint): a signed note with origin, size and root, verified by a log's key.
//!
//! Not here: which logs and how many log witnesses a policy asks for (`policy`, `quorum`).

use sealtrace_crypto::VerifyingKey;
use sealtrace_envelope::{PublicKey, SignatureError, decode_base64, encode_base64};

use crate::hash::{RootHash, TreeHead, TreeSize};
use crate::note::{KeyName, Note, NoteError, NoteKeyId, NoteSignature, is_key_name};
use crate::note_key::{NoteKey, NoteKeyError, NoteVerifyError, VerifiedSignature};

/// The longest origin accepted (ours).
const MAX_ORIGIN_BYTES: usize = 255;

/// The name of a log: a schema-less URL or another text without white space and `+`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

/// Why a text names no log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a log origin (1 to {MAX_ORIGIN_BYTES} printable ASCII characters, no white space, no '+', no scheme): {found:?}")]
pub struct OriginError {
    found: String,
}

impl Origin {
    /// Checks a log's name.
    ///
    /// # Errors
    /// [`OriginError`]
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_key_name(text) && printable && text.len() <= MAX_ORIGIN_BYTES && !text.contains("://") {
            return Ok(Self(text.to_owned()));
        }
        Err(OriginError { found: text.chars().take(80).collect() })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A log's name and its ECDSA P-256 key: what a checkpoint of a log of ours is verified with. Other logs: [`NoteKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    /// The log's name; also the name of its key.
    pub origin: Origin,
    /// Its key.
    pub key: PublicKey,
}

impl LogKey {
    /// SHA-256 of the SPKI: `logId.keyId` of Sigstore's trusted root; the first four bytes stand in signature lines.
    pub fn key_id(&self) -> [u8; 32] {
        *self.key.key_id().as_bytes()
    }

    fn note_key_id(&self) -> NoteKeyId {
        NoteKeyId::of_hash(&self.key_id())
    }

    /// The same key as a verifier key of signed notes.
    ///
    /// # Errors
    /// [`NoteKeyError`] when the key's SPKI does not parse, which no P-256 key's does.
    pub fn note_key(&self) -> Result<NoteKey, NoteKeyError> {
        NoteKey::of_log(KeyName::of_origin(&self.origin), VerifyingKey::parse_spki(self.key.spki())?)
    }
}

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// First line.
    pub origin: String,
    /// Second and third line.
    pub tree: TreeHead,
    /// Further lines, tolerated and not interpreted.
    pub extension: Vec<String>,
}

/// Why bytes are no checkpoint, or a checkpoint is not the log's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not UTF-8.
    #[error("checkpoint is not UTF-8")]
    NotUtf8,
    /// Fewer than three lines, an empty line, a size that is no decimal number, a root that is not 32 bytes.
    #[error("checkpoint {what} is malformed")]
    Field {
        /// Which part.
        what: &'static str,
    },
    /// No signature line names the log's key.
    #[error("checkpoint carries no signature by the log {origin} (key {key_id})")]
    Unsigned {
        /// The log.
        origin: String,
        /// Its key id in hex.
        key_id: String,
    },
    /// A signature by the log's key does not hold.
    #[error("checkpoint signature by {origin}: {source}")]
    Signature {
        /// The log.
        origin: String,
        /// Why.
        source: SignatureError,
    },
    /// No signature by the key that was asked for, or one that does not hold.
    #[error("checkpoint: {0}")]
    NoteSignature(#[from] NoteVerifyError),
    /// Signed by the log's key, under another log's name.
    #[error("checkpoint origin: expected {expected:?}, found {found:?}")]
    Origin {
        /// The name of the key.
        expected: String,
        /// The origin line.
        found: String,
    },
}

impl Checkpoint {
    /// The note text.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.tree.size, encode_base64(self.tree.root.as_bytes()));
        for line in &self.extension {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    pub(crate) fn parse(text: &str) -> Result<Self, CheckpointError> {
        let field = |what| CheckpointError::Field { what };
        let mut lines = text.strip_suffix('\n').ok_or(field("text"))?.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(field("origin"))?;
        let size_text = lines.next().ok_or(field("size"))?;
        let size = size_text.parse::<u64>().ok().filter(|size| size.to_string() == size_text).ok_or(field("size"))?;
        let root = lines.next().and_then(|line| decode_base64(line).ok()).ok_or(field("root"))?;
        let root = RootHash::from_bytes(root.try_into().map_err(|_wrong| field("root"))?);
        let extension: Vec<String> = lines.map(str::to_owned).collect();
        if extension.iter().any(String::is_empty) {
            return Err(field("extension"));
        }
        Ok(Self { origin: origin.to_owned(), tree: TreeHead { size: TreeSize(size), root }, extension })
    }
}

/// A parsed checkpoint with its signature lines and its exact text. Not yet verified: see [`SignedCheckpoint::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
    text: String,
}

impl SignedCheckpoint {
    /// Parses a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`]
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let note = Note::parse(text)?;
        Ok(Self { checkpoint: Checkpoint::parse(&note.text)?, note, text: text.to_owned() })
    }

    /// Parses a checkpoint file.
    ///
    /// # Errors
    /// [`CheckpointError`]
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        Self::parse(std::str::from_utf8(bytes).map_err(|_invalid| CheckpointError::NotUtf8)?)
    }

    /// A checkpoint from its parts and the log's DER signature over [`Checkpoint::text`].
    pub fn assemble(checkpoint: Checkpoint, log: &LogKey, signature: Vec<u8>) -> Self {
        let line = NoteSignature { name: KeyName::of_origin(&log.origin), key_id: log.note_key_id(), signature };
        let note = Note { text: checkpoint.text(), signatures: vec![line] };
        Self { checkpoint, text: note.encode(), note }
    }

    /// What it says; only to be believed after [`SignedCheckpoint::verify`].
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Its signature lines, in order; none is verified.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.note.signatures
    }

    /// What every line signs: the note's text.
    pub fn signed_text(&self) -> &str {
        &self.note.text
    }

    /// The exact text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its text and its signature lines.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// The same checkpoint with further signature lines, e.g. a log witness's answer. Lines that stand there already are not repeated.
    ///
    /// # Errors
    /// [`CheckpointError::Note`] when the note would exceed its limits.
    pub fn with_signatures(&self, lines: &[NoteSignature]) -> Result<Self, CheckpointError> {
        let mut note = self.note.clone();
        for line in lines {
            if !note.signatures.contains(line) {
                note.signatures.push(line.clone());
            }
        }
        Self::parse(&note.encode())
    }

    /// Verifies every line by a key of any type; the signatures, in the order of the lines. The origin line is *not* compared:
    /// Rekor v1 signs `rekor.sigstore.dev - <tree id>` by the key `rekor.sigstore.dev`. Where name and origin must agree, use
    /// [`SignedCheckpoint::open`].
    ///
    /// # Errors
    /// [`CheckpointError::NoteSignature`] when there is none, or one does not hold.
    pub fn verify_key(&self, key: &NoteKey) -> Result<Vec<VerifiedSignature>, CheckpointError> {
        Ok(self.note.verify(&[key])?)
    }

    /// As [`SignedCheckpoint::verify_key`], where no line by the key is no error.
    pub(crate) fn signatures_by(&self, key: &NoteKey) -> Result<Vec<VerifiedSignature>, NoteVerifyError> {
        match self.note.verify(&[key]) {
            Err(NoteVerifyError::Unsigned) => Ok(Vec::new()),
            other => other,
        }
    }

    /// Verifies the log's signature by a key of any type, and that the origin line is the key's name.
    ///
    /// # Errors
    /// [`CheckpointError::NoteSignature`], [`CheckpointError::Origin`].
    pub fn open(&self, log: &NoteKey) -> Result<VerifiedCheckpoint, CheckpointError> {
        self.verify_key(log)?;
        let (expected, found) = (log.name().as_str(), self.checkpoint.origin.as_str());
        if expected == found {
            return Ok(VerifiedCheckpoint { signed: self.clone(), log: log.clone() });
        }
        Err(CheckpointError::Origin { expected: expected.to_owned(), found: found.to_owned() })
    }

    /// Verifies the log's signature. Lines by unknown keys are ignored; a line by the log's key that fails rejects the note,
    /// whatever another line says. The origin line is *not* compared here: see [`SignedCheckpoint::is_of`].
    ///
    /// # Errors
    /// [`CheckpointError::Unsigned`], [`CheckpointError::Signature`].
    pub fn verify(&self, log: &LogKey) -> Result<(), CheckpointError> {
        let origin = log.origin.as_str();
        let mut signed = false;
        for line in self.note.signatures.iter().filter(|line| line.name.as_str() == origin && line.key_id == log.note_key_id()) {
            log.key
                .verify(self.note.text.as_bytes(), &line.signature)
                .map_err(|source| CheckpointError::Signature { origin: origin.to_owned(), source })?;
            signed = true;
        }
        if signed {
            return Ok(());
        }
        Err(CheckpointError::Unsigned { origin: origin.to_owned(), key_id: log.key.key_id().hex() })
    }

    /// The log's own signature, DER, not verified here.
    pub fn signature_of(&self, log: &LogKey) -> Option<&[u8]> {
        let own = |line: &&NoteSignature| line.name.as_str() == log.origin.as_str() && line.key_id == log.note_key_id();
        self.note.signatures.iter().find(own).map(|line| line.signature.as_slice())
    }

    /// Whether the origin line is the log's name.
    pub fn is_of(&self, log: &LogKey) -> bool {
        self.checkpoint.origin == log.origin.as_str()
    }
}

/// A checkpoint that the log of its origin signed. Made by [`SignedCheckpoint::open`] and by a policy's check only.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedCheckpoint {
    signed: SignedCheckpoint,
    log: NoteKey,
}

impl VerifiedCheckpoint {
    /// For a caller that has verified the log's signature and compared the origin.
    pub(crate) fn of_verified(signed: SignedCheckpoint, log: NoteKey) -> Self {
        Self { signed, log }
    }

    /// What it says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.signed.checkpoint
    }

    /// The tree it commits to.
    pub fn tree(&self) -> TreeHead {
        self.signed.checkpoint.tree
    }

    /// The checkpoint with its signature lines, of which only the log's were verified.
    pub fn signed(&self) -> &SignedCheckpoint {
        &self.signed
    }

    /// The key that signed it.
    pub fn log(&self) -> &NoteKey {
        &self.log
    }
}
