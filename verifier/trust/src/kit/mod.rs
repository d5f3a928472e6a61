//! The trust kit: everything a site needs to judge evidence, in one signed and content-addressed object.
//!
//! Here: its format ([`Kit`]), its signatures ([`KitDraft`], [`SignedKit`]), which kit may follow which ([`accept()`]), what changed ([`changes`]).

mod accept;
mod diff;
mod draft;
mod fingerprint;
mod payload;
mod sound;
mod words;

use std::collections::{BTreeMap, BTreeSet};

pub use accept::{Accepted, KitRefused, accept};
pub use diff::{Change, changes};
pub use draft::{KitDraft, Tally};
pub use fingerprint::{Fingerprint, FingerprintError, KitDigest};
pub use payload::{Kit, KitConsistency, KitFrozen, KitKey, KitPin, KitSigner, KitSite, KitWitness, Placement, Staleness};
use sealtrace_digest::KeyId;
use sealtrace_envelope::{Envelope, EnvelopeSignature, KeyError, MAX_ENVELOPE_SIGNATURES, PublicKey};
use sealtrace_json::JsonError;
use sealtrace_tlog::CheckpointError;
use sealtrace_verdict::TimeError;

use crate::policy::PolicyError;
use crate::root::TrustedRootError;

/// The DSSE payload type of a kit.
pub const KIT_PAYLOAD_TYPE: &str = "application/vnd.sealtrace.trust-kit.v0+json";
/// The most bytes of a kit's file (ours): a proof for each of 4,096 released sizes takes 8 MiB.
pub const MAX_KIT_BYTES: usize = 16 << 20;
/// The most keys of a kit: as many as an envelope has signatures.
pub const MAX_KIT_KEYS: usize = MAX_ENVELOPE_SIGNATURES;
/// `kitVersion` of this release.
pub const KIT_VERSION: u32 = 0;

/// Why bytes are no kit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// Not strict JSON of the right shape, or too large.
    #[error("not a trust kit: {0}")]
    Json(JsonError),
    /// A value that is not one of those allowed.
    #[error("trust kit {what}: expected {expected}, found {found}")]
    Field {
        /// Which field.
        what: &'static str,
        /// What is accepted.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A key that is none.
    #[error("trust kit {what}: {source}")]
    Key {
        /// Which key.
        what: &'static str,
        /// Why.
        source: KeyError,
    },
    /// A trusted root that is none.
    #[error("trust kit trustedRoot: {0}")]
    Root(#[from] TrustedRootError),
    /// A checkpoint that is none.
    #[error("trust kit {what}: {source}")]
    Checkpoint {
        /// Which list.
        what: &'static str,
        /// Why.
        source: CheckpointError,
    },
    /// A tlog-policy that is none.
    #[error("trust kit tlogPolicy: {0}")]
    TlogPolicy(#[from] sealtrace_tlog::PolicyError),
    /// A policy that is none.
    #[error("trust kit policy: {0}")]
    Policy(#[from] PolicyError),
    /// A time that is none.
    #[error("trust kit: {0}")]
    Time(#[from] TimeError),
    /// Fewer valid signatures by the kit's own keys than its threshold.
    #[error("trust kit carries {found} valid signature(s) by its own keys, its threshold is {needed}")]
    Unsigned {
        /// Its threshold.
        needed: u32,
        /// Valid ones.
        found: usize,
    },
    /// A signature that names a key of the kit and does not hold.
    #[error("trust kit: the signature by key {key} does not hold")]
    Signature {
        /// The key.
        key: String,
    },
}

/// A kit that carries a threshold of signatures by its own keys. That says nothing about whom to believe: see [`accept()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedKit(KitDraft);

impl SignedKit {
    /// Parses a kit's file and verifies its own threshold.
    ///
    /// # Errors
    /// [`KitError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, KitError> {
        KitDraft::parse(bytes)?.try_into()
    }

    /// Wraps a payload and its signatures as a kit's file.
    ///
    /// # Errors
    /// [`KitError::Json`]
    pub fn file(payload: &[u8], signatures: Vec<EnvelopeSignature>) -> Result<Vec<u8>, KitError> {
        let envelope = Envelope { payload_type: KIT_PAYLOAD_TYPE.to_owned(), payload: payload.to_vec(), signatures };
        sealtrace_json::canonical(&envelope).map_err(KitError::Json)
    }

    /// What it says.
    pub fn kit(&self) -> &Kit {
        self.0.kit()
    }

    /// Its content address.
    pub fn digest(&self) -> KitDigest {
        self.0.digest()
    }

    /// The file, verbatim.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// It, as what it was before enough signed it.
    pub fn draft(&self) -> &KitDraft {
        &self.0
    }

    /// Which of `keys` signed it. Signatures by other keys are ignored; one that names one of these and fails rejects the kit.
    ///
    /// # Errors
    /// [`KitError::Signature`]
    pub fn signers(&self, keys: &BTreeMap<KeyId, PublicKey>) -> Result<BTreeSet<KeyId>, KitError> {
        self.0.signers(keys)
    }
}

impl TryFrom<KitDraft> for SignedKit {
    type Error = KitError;

    /// # Errors
    /// [`KitError::Unsigned`]
    fn try_from(draft: KitDraft) -> Result<Self, KitError> {
        let own = draft.own();
        if own.is_reached() { Ok(Self(draft)) } else { Err(KitError::Unsigned { needed: own.needed, found: own.signed.len() }) }
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(120).collect()
}
