//! What cosignatures on a checkpoint are worth under the kit's tlog-policy.

use sealtrace_verdict::UnixTime;

use crate::kit::Placement;
use crate::trust::Trust;

/// A checkpoint whose cosignatures meet the quorum of the kit's tlog-policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Outside when the quorum is met by log witnesses outside alone.
    pub placement: Placement,
    /// When the quorum was reached, by the cosignatures' own times.
    pub time: Option<UnixTime>,
    /// Whose cosignatures were counted.
    pub witnesses: Vec<String>,
    /// Size of the tree.
    pub size: u64,
}

impl Trust {
    /// What a checkpoint's cosignatures are worth; `None` where there is no tlog-policy or its quorum is not met.
    pub fn cosigned(&self, _checkpoint: &str) -> Option<Cosigned> {
        None
    }
}
