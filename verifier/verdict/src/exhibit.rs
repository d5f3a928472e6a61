//! What a failed check leaves for people to keep: the two checkpoints of a fork, the proof that does not hold.

/// A file of evidence against a log. Its name says what it is and starts with a digest, so that the same evidence is one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhibit {
    /// File name, `A-Z a-z 0-9 . _ -` only.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}
