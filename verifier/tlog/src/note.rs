//! Signed notes (C2SP signed-note): text, then signature lines.

use sealtrace_envelope::{decode_base64, encode_base64};

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

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Key name.
    pub name: String,
    /// Four bytes that tell keys of one name apart.
    pub key_id: [u8; 4],
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
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err(NoteError::ControlCharacter);
        }
        // The last empty line divides, so that text may contain empty lines.
        let (body, signatures) = text.rsplit_once("\n\n").ok_or(NoteError::Shape)?;
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Shape)?;
        if body.is_empty() {
            return Err(NoteError::Shape);
        }
        let mut parsed = Vec::new();
        for (number, line) in (1..).zip(lines.split('\n')) {
            if parsed.len() >= MAX_NOTE_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            parsed.push(NoteSignature::parse(line).ok_or(NoteError::SignatureLine { line: number })?);
        }
        Ok(Self { text: format!("{body}\n"), signatures: parsed })
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
    fn parse(line: &str) -> Option<Self> {
        let (name, value) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = decode_base64(value).ok()?;
        let (key_id, signature) = bytes.split_first_chunk::<4>()?;
        (is_key_name(name) && !signature.is_empty()).then(|| Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }

    fn line(&self) -> String {
        let mut bytes = self.key_id.to_vec();
        bytes.extend_from_slice(&self.signature);
        format!("— {} {}", self.name, encode_base64(&bytes))
    }
}

/// A key name is not empty and holds neither white space nor `+`.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || c.is_control())
}
