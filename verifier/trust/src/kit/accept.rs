//! Which kit may be installed after which. Success is a value that only [`accept`] makes; writing a kit demands it.

use sealtrace_verdict::UnixTime;

use super::fingerprint::{Fingerprint, KitDigest};
use super::{KitError, SignedKit};

/// A kit that may be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    kit: SignedKit,
    already: bool,
}

impl Accepted {
    /// The kit.
    pub fn kit(&self) -> &SignedKit {
        &self.kit
    }

    /// It is the one that is installed.
    pub fn is_installed_already(&self) -> bool {
        self.already
    }
}

/// Why a kit may not be installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitRefused {
    /// A first kit, and nothing to compare it with.
    #[error("the first kit is accepted only with its fingerprint, compared by another way than the one it came")]
    FingerprintNeeded,
    /// Another kit than the one whose fingerprint was given.
    /// The right one is not told: it would be copied, and nothing compared.
    #[error("the fingerprint given is not this kit's")]
    FingerprintWrong,
    /// Not newer than the installed one: old, replayed, or forked.
    #[error("kit {offered} is not newer than the installed kit {installed}")]
    NotNewer {
        /// The sequence installed.
        installed: u64,
        /// The sequence offered.
        offered: u64,
    },
    /// A kit between is missing.
    #[error("kit {offered} follows a kit that is not installed; installed is kit {installed}")]
    Gap {
        /// The sequence installed.
        installed: u64,
        /// The sequence offered.
        offered: u64,
    },
    /// It follows another kit than the installed one.
    #[error("kit {offered} follows {found}, installed is {expected}: two kits claim to be one")]
    Forked {
        /// The sequence offered.
        offered: u64,
        /// Digest of the installed kit.
        expected: KitDigest,
        /// Digest of the one it follows.
        found: KitDigest,
    },
    /// Fewer signatures by the keys of the installed kit than its threshold.
    #[error("kit {offered} carries {found} valid signature(s) by keys of the installed kit, whose threshold is {needed}")]
    Threshold {
        /// The sequence offered.
        offered: u64,
        /// Threshold of the installed kit.
        needed: u32,
        /// Valid signatures by its keys.
        found: usize,
    },
    /// Its reference time lies before that of the installed kit.
    #[error("kit {offered} has the reference time {found}, before {expected} of the installed kit")]
    Backwards {
        /// The sequence offered.
        offered: u64,
        /// Reference time installed.
        expected: UnixTime,
        /// Reference time offered.
        found: UnixTime,
    },
    /// A signature by a key of the installed kit does not hold, or that kit's keys are none.
    #[error(transparent)]
    Kit(#[from] KitError),
}

/// Decides whether a kit may be installed. `fingerprint`: what the operator compared; needed for a first kit, compared for every other.
///
/// # Errors
/// [`KitRefused`]
pub fn accept(kit: SignedKit, installed: Option<&SignedKit>, fingerprint: Option<&Fingerprint>) -> Result<Accepted, KitRefused> {
    if fingerprint.is_some_and(|fingerprint| !fingerprint.is_of(&kit.digest())) {
        return Err(KitRefused::FingerprintWrong);
    }
    let Some(held) = installed else {
        return if fingerprint.is_some() { Ok(Accepted { kit, already: false }) } else { Err(KitRefused::FingerprintNeeded) };
    };
    if held.digest() == kit.digest() {
        return Ok(Accepted { kit: held.clone(), already: true });
    }
    let (offered, last) = (kit.kit().sequence, held.kit().sequence);
    if offered <= last {
        return Err(KitRefused::NotNewer { installed: last, offered });
    }
    match kit.kit().previous {
        Some(previous) if previous == held.digest() => {}
        _ if offered > last.saturating_add(1) => return Err(KitRefused::Gap { installed: last, offered }),
        previous => return Err(KitRefused::Forked { offered, expected: held.digest(), found: previous.unwrap_or(kit.digest()) }),
    }
    let tally = kit.draft().tally_by(held.kit())?;
    if !tally.is_reached() {
        return Err(KitRefused::Threshold { offered, needed: tally.needed, found: tally.signed.len() });
    }
    let (expected, time) = (held.kit().reference_time, kit.kit().reference_time);
    if time < expected {
        return Err(KitRefused::Backwards { offered, expected, found: time });
    }
    Ok(Accepted { kit, already: false })
}
