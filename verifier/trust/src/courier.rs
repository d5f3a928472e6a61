//! A site's checkpoint on its way out, with the proofs that every kept checkpoint of the log is a beginning of it.

use sealtrace_json::JsonError;
use sealtrace_tlog::{AddCheckpointError, CheckpointError, SignedCheckpoint};
use serde::{Deserialize, Serialize};

use crate::consistency::ConsistencyBody;

/// The most bytes of an exported checkpoint (ours).
pub const MAX_EXPORT_BYTES: usize = 16 << 20;
/// The most proofs in it (ours): as many as a kit has.
pub const MAX_EXPORT_PROOFS: usize = 4096;
const VERSION: u32 = 0;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    export_version: u32,
    origin: String,
    checkpoint: String,
    consistency: Vec<String>,
}

/// A checkpoint with the proofs that lead to it. Nothing in it is verified: the log's key is the reader's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointExport {
    /// The newest checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// Proofs from older sizes to it.
    pub consistency: Vec<ConsistencyBody>,
}

/// Why bytes are no exported checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Not strict JSON of the right shape.
    #[error("not an exported checkpoint: {0}")]
    Json(JsonError),
    /// A checkpoint that is none.
    #[error("exported checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A proof that is none.
    #[error("exported checkpoint: {0}")]
    Consistency(#[from] AddCheckpointError),
    /// A value that is not one of those allowed.
    #[error("exported checkpoint {what}: expected {expected}")]
    Field {
        /// Which field.
        what: &'static str,
        /// What is accepted.
        expected: &'static str,
    },
}

impl CheckpointExport {
    /// Parses an exported checkpoint; a plain checkpoint is one without proofs.
    ///
    /// # Errors
    /// [`ExportError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, ExportError> {
        if bytes.first() != Some(&b'{') {
            return Ok(Self { checkpoint: SignedCheckpoint::parse_bytes(bytes)?, consistency: Vec::new() });
        }
        let wire: Wire = sealtrace_json::parse(bytes, MAX_EXPORT_BYTES).map_err(ExportError::Json)?;
        if wire.export_version != VERSION {
            return Err(ExportError::Field { what: "exportVersion", expected: "0" });
        }
        if wire.consistency.len() > MAX_EXPORT_PROOFS {
            return Err(ExportError::Field { what: "consistency", expected: "at most 4096 proofs" });
        }
        let checkpoint = SignedCheckpoint::parse(&wire.checkpoint)?;
        let consistency = wire.consistency.iter().map(|text| ConsistencyBody::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let same = consistency.iter().all(|body| body.checkpoint().checkpoint() == checkpoint.checkpoint());
        if wire.origin != checkpoint.checkpoint().origin || !same {
            return Err(ExportError::Field { what: "origin and consistency", expected: "those of the checkpoint" });
        }
        Ok(Self { checkpoint, consistency })
    }

    /// The file.
    ///
    /// # Errors
    /// [`ExportError::Json`]
    pub fn encode(&self) -> Result<Vec<u8>, ExportError> {
        let wire = Wire {
            export_version: VERSION,
            origin: self.checkpoint.checkpoint().origin.clone(),
            checkpoint: self.checkpoint.text().to_owned(),
            consistency: self.consistency.iter().map(ConsistencyBody::encode).collect(),
        };
        sealtrace_json::canonical(&wire).map_err(ExportError::Json)
    }
}
