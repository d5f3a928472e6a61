//! Signed notes (C2SP signed-note): text, then signature lines. Not here: keys and what they verify (`note_key`).

use sealtrace_envelope::{decode_base64, encode_base64};

use crate::checkpoint::Origin;

/// The most bytes of a note (as Go's note package: 1 MB; sixteen ML-DSA cosignatures fit).
pub const MAX_NOTE_BYTES: usize = 1 << 20;
/// The most signature lines read (ours; C2SP asks readers to accept at least 16).
pub const MAX_NOTE_SIGNATURES: usize = 64;

/// A parsed note: nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is signed: lines, each ended by a newline.
    pub text: String,
    /// Signature lines in order.
    pub signatures: Vec<NoteSignature>,
}

/// The name of a key: not empty, without Unicode white space, `+` and control characters (which no note can hold).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// Why a text names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a key name (not empty, no white space, no '+', no control character): {found:?}")]
pub struct KeyNameError {
    found: String,
}

impl KeyName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`KeyNameError`]
    pub fn parse(text: &str) -> Result<Self, KeyNameError> {
        if is_key_name(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(KeyNameError { found: text.chars().take(80).collect() })
    }

    /// A log's name is the name of its key: every origin is a key name.
    pub(crate) fn of_origin(origin: &Origin) -> Self {
        Self(origin.as_str().to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Four bytes that tell keys of one name apart: an identifier, not a commitment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoteKeyId([u8; 4]);

impl NoteKeyId {
    /// From its bytes.
    pub fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The first four bytes of a hash.
    pub(crate) fn of_hash(hash: &[u8; 32]) -> Self {
        let [a, b, c, d, ..] = *hash;
        Self([a, b, c, d])
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    /// Eight lower-case hex digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl std::fmt::Debug for NoteKeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NoteKeyId({})", self.hex())
    }
}

impl std::fmt::Display for NoteKeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.hex())
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Key name.
    pub name: KeyName,
    /// Which key of that name.
    pub key_id: NoteKeyId,
    /// Signature bytes; what they mean depends on the key.
    pub signature: Vec<u8>,
}

/// Why bytes are no signed note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Larger than [`MAX_NOTE_BYTES`].
    #[error("note of {found} bytes exceeds the limit of {MAX_NOTE_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// More signatures than [`MAX_NOTE_SIGNATURES`].
    #[error("note has more than {MAX_NOTE_SIGNATURES} signatures")]
    TooManySignatures,
    /// A control character other than the newline.
    #[error("note contains a control character")]
    ControlCharacter,
    /// No text, an empty line, a missing newline, or no signature.
    #[error("note is not text, an empty line and signature lines")]
    Shape,
    /// A signature line that is not `— name base64`.
    #[error("note signature line {line} is malformed")]
    SignatureLine {
        /// From 1.
        line: usize,
    },
}

impl Note {
    /// Parses a note.
    ///
    /// # Errors
    /// [`NoteError`]
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        if text.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLarge { found: text.len() });
        }
        if text.chars().any(|c| is_control(c) && c != '\n') {
            return Err(NoteError::ControlCharacter);
        }
        // The last empty line divides, so that text may contain empty lines.
        let (body, signatures) = text.rsplit_once("\n\n").ok_or(NoteError::Shape)?;
        Ok(Self { text: format!("{body}\n"), signatures: NoteSignature::parse_lines(signatures)? })
    }

    /// The note's bytes.
    pub fn encode(&self) -> String {
        let mut text = format!("{}\n", self.text);
        for signature in &self.signatures {
            text.push_str(&signature.line());
            text.push('\n');
        }
        text
    }
}

impl NoteSignature {
    /// Parses signature lines, each ended by a newline: the end of a note, or a log witness's answer.
    ///
    /// # Errors
    /// [`NoteError`]
    pub fn parse_lines(text: &str) -> Result<Vec<Self>, NoteError> {
        if text.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLarge { found: text.len() });
        }
        let lines = text.strip_suffix('\n').ok_or(NoteError::Shape)?;
        let mut parsed = Vec::new();
        for (number, line) in (1..).zip(lines.split('\n')) {
            if parsed.len() >= MAX_NOTE_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            parsed.push(Self::parse(line).ok_or(NoteError::SignatureLine { line: number })?);
        }
        Ok(parsed)
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, value) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = decode_base64(value).ok()?;
        let (key_id, signature) = bytes.split_first_chunk::<4>()?;
        let name = KeyName::parse(name).ok()?;
        (!signature.is_empty()).then(|| Self { name, key_id: NoteKeyId(*key_id), signature: signature.to_vec() })
    }

    /// The line, without its newline.
    pub fn line(&self) -> String {
        let mut bytes = self.key_id.0.to_vec();
        bytes.extend_from_slice(&self.signature);
        format!("— {} {}", self.name, encode_base64(&bytes))
    }
}

/// A key name is not empty and holds neither Unicode white space nor `+`.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || is_control(c))
}

/// What signed-note calls a control character: below U+0020.
fn is_control(c: char) -> bool {
    c < ' '
}
