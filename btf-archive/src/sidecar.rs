//! The sidecar of a blob, `<release>.btf.json` (canonical JSON): which kernel it is for, and where it comes from.

use sealtrace_digest::FileSha256;
use sealtrace_symbols::BtfProvenance;
use serde::{Deserialize, Serialize};

use crate::identity::KernelTuple;

/// The longest sidecar accepted (ours; they have about 500 bytes).
pub(crate) const MAX_SIDECAR_BYTES: usize = 64 << 10;

/// The bytes that a sidecar is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SidecarBlob {
    /// SHA-256 of the blob, uncompressed.
    pub sha256: FileSha256,
    /// Its length.
    pub bytes: u64,
}

/// A sidecar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sidecar {
    /// 0.
    pub sidecar_version: u32,
    /// The kernel.
    pub kernel: KernelTuple,
    /// The blob.
    pub blob: SidecarBlob,
    /// Where it comes from.
    pub provenance: BtfProvenance,
}

/// Why a sidecar is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SidecarError {
    /// Not strict JSON of the right shape.
    #[error("not a sidecar: {0}")]
    Json(#[from] sealtrace_json::JsonError),
    /// A version this release does not read.
    #[error("sidecar version {found}; this release reads 0")]
    Version {
        /// Version found.
        found: u32,
    },
    /// It is about something else than what lies beside it.
    #[error("the {what} beside it is {found}, the sidecar is about {expected}")]
    Mismatch {
        /// `blob` or `kernel`.
        what: &'static str,
        /// What the sidecar says.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl Sidecar {
    /// A sidecar for these bytes.
    pub fn of(kernel: KernelTuple, blob: &[u8], provenance: BtfProvenance) -> Self {
        let blob = SidecarBlob { sha256: FileSha256::of(blob), bytes: u64::try_from(blob.len()).unwrap_or(u64::MAX) };
        Self { sidecar_version: 0, kernel, blob, provenance }
    }

    /// Parses the sidecar of a blob whose place tells no kernel, and checks that it is about these bytes.
    ///
    /// # Errors
    /// [`SidecarError`]
    pub fn of_blob(bytes: &[u8], blob: &[u8]) -> Result<Self, SidecarError> {
        let sidecar: Self = sealtrace_json::parse(bytes, MAX_SIDECAR_BYTES)?;
        Self::parse(bytes, &sidecar.kernel, blob)
    }

    /// Parses a sidecar and checks that it is about this kernel and these bytes.
    ///
    /// # Errors
    /// [`SidecarError`]
    pub fn parse(bytes: &[u8], kernel: &KernelTuple, blob: &[u8]) -> Result<Self, SidecarError> {
        let sidecar: Self = sealtrace_json::parse(bytes, MAX_SIDECAR_BYTES)?;
        if sidecar.sidecar_version != 0 {
            return Err(SidecarError::Version { found: sidecar.sidecar_version });
        }
        let mismatch = |what, expected, found| Err(SidecarError::Mismatch { what, expected, found });
        if sidecar.kernel != *kernel {
            return mismatch("kernel", sidecar.kernel.to_string(), kernel.to_string());
        }
        let found = FileSha256::of(blob);
        if sidecar.blob.sha256 != found || u64::try_from(blob.len()) != Ok(sidecar.blob.bytes) {
            return mismatch("blob", sidecar.blob.sha256.hex(), found.hex());
        }
        Ok(sidecar)
    }

    /// Canonical bytes.
    ///
    /// # Errors
    /// [`SidecarError::Json`]
    pub fn encode(&self) -> Result<Vec<u8>, SidecarError> {
        Ok(sealtrace_json::canonical(self)?)
    }
}
