//! Pins: for each log, every checkpoint that it was known by, in a chain of lines that only grows.
//!
//! Bytes in, bytes to append out; the file is the device's (`sealtrace-store`). A line cut by a crash is told from damage: it is the last
//! and lacks its newline.

use sealtrace_digest::FileSha256;
use sealtrace_json::JsonError;
use sealtrace_tlog::{CheckpointError, SignedCheckpoint, TreeHead};
use serde::{Deserialize, Serialize};

use crate::known::{KnownBy, KnownTree};

/// The most bytes of one log's pins (ours): some ten thousand releases.
pub const MAX_PIN_BYTES: usize = 16 << 20;
/// The most bytes of one line (ours): a note of 1 MiB, escaped.
const MAX_LINE_BYTES: usize = 4 << 20;
const VERSION: u32 = 0;

/// Why a pin was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinReason {
    /// The first checkpoint seen of this log.
    First,
    /// It begins with the pin before.
    Consistent,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    pin_version: u32,
    origin: String,
    size: u64,
    root: FileSha256,
    checkpoint: String,
    reason: PinReason,
    previous: Option<FileSha256>,
}

/// The pins of one log, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinChain {
    origin: String,
    pins: Vec<SignedCheckpoint>,
    last: Option<FileSha256>,
    torn: usize,
}

/// Why pins cannot be used. Somebody changed the file: a crash does not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// Too large.
    #[error("pins of {found} bytes exceed the limit of {MAX_PIN_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// A line that is not one.
    #[error("pin line {line}: {source}")]
    Line {
        /// From 1.
        line: usize,
        /// Why.
        source: JsonError,
    },
    /// A line that does not follow from the one before it, or contradicts itself.
    #[error("pin line {line}: {what}")]
    Chain {
        /// From 1.
        line: usize,
        /// What does not fit.
        what: &'static str,
    },
    /// A checkpoint that is none.
    #[error("pin line {line}: {source}")]
    Checkpoint {
        /// From 1.
        line: usize,
        /// Why.
        source: CheckpointError,
    },
}

/// The name of a log's pin file.
pub fn pin_file_name(origin: &str) -> String {
    format!("{}.jsonl", FileSha256::of(origin.as_bytes()).hex())
}

impl PinChain {
    /// No pin of this log yet.
    pub fn empty(origin: &str) -> Self {
        Self { origin: origin.to_owned(), pins: Vec::new(), last: None, torn: 0 }
    }

    /// Reads a log's pins; every line must follow from the one before. `origin`: the log that the file's name says.
    ///
    /// # Errors
    /// [`PinError`]
    pub fn parse(bytes: &[u8], origin: Option<&str>) -> Result<Self, PinError> {
        if bytes.len() > MAX_PIN_BYTES {
            return Err(PinError::TooLarge { found: bytes.len() });
        }
        let mut chain = Self::empty(origin.unwrap_or_default());
        let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        // After the last newline stands nothing, or what a crash left of a line.
        chain.torn = lines.pop().map_or(0, <[u8]>::len);
        for (number, bytes) in (1..).zip(lines) {
            let line: Line = sealtrace_json::parse(bytes, MAX_LINE_BYTES).map_err(|source| PinError::Line { line: number, source })?;
            let canonical = sealtrace_json::canonical(&line).map_err(|source| PinError::Line { line: number, source })?;
            if number == 1 && origin.is_none() {
                chain.origin.clone_from(&line.origin);
            }
            chain.take(&line, canonical == bytes, number)?;
            chain.last = Some(FileSha256::of(bytes));
        }
        Ok(chain)
    }

    fn take(&mut self, line: &Line, canonical: bool, number: usize) -> Result<(), PinError> {
        let checkpoint = SignedCheckpoint::parse(&line.checkpoint).map_err(|source| PinError::Checkpoint { line: number, source })?;
        let said = checkpoint.checkpoint();
        let rules = [
            ("not in canonical form", canonical),
            ("another version", line.pin_version == VERSION),
            ("another log", line.origin == self.origin && said.origin == self.origin),
            ("size or root are not the checkpoint's", said.tree.size.0 == line.size && said.tree.root.hex() == line.root.hex()),
            ("does not follow the line before it", line.previous == self.last),
            ("is not larger than the one before it", self.newest().is_none_or(|newest| newest.size.0 < line.size)),
            ("has the wrong reason", (line.reason == PinReason::First) == self.pins.is_empty()),
        ];
        match rules.into_iter().find(|(_, holds)| !holds) {
            Some((what, _)) => Err(PinError::Chain { line: number, what }),
            None => {
                self.pins.push(checkpoint);
                Ok(())
            }
        }
    }

    /// The log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Bytes at the end that a crash left of a line, to be cut off before the next line is written.
    pub fn torn(&self) -> usize {
        self.torn
    }

    /// The newest tree.
    pub fn newest(&self) -> Option<TreeHead> {
        self.pins.last().map(|pin| pin.checkpoint().tree)
    }

    /// Every tree, oldest first.
    pub fn known(&self) -> impl Iterator<Item = KnownTree> {
        self.pins.iter().map(|pin| KnownTree::new(pin, KnownBy::State))
    }

    /// The line to append for a checkpoint that was verified and begins with the newest pin; `None` when it is not larger.
    ///
    /// # Errors
    /// [`JsonError`]
    pub fn next_line(&self, checkpoint: &SignedCheckpoint) -> Result<Option<Vec<u8>>, JsonError> {
        let said = checkpoint.checkpoint();
        if said.origin != self.origin || self.newest().is_some_and(|newest| newest.size >= said.tree.size) {
            return Ok(None);
        }
        let line = Line {
            pin_version: VERSION,
            origin: self.origin.clone(),
            size: said.tree.size.0,
            root: FileSha256::from_bytes(*said.tree.root.as_bytes()),
            checkpoint: checkpoint.text().to_owned(),
            reason: if self.pins.is_empty() { PinReason::First } else { PinReason::Consistent },
            previous: self.last,
        };
        let mut bytes = sealtrace_json::canonical(&line)?;
        bytes.push(b'\n');
        Ok(Some(bytes))
    }
}
