//! Verifies any Sigstore bundle offline: v0.1 to v0.3, message signatures and DSSE, Rekor v1 and v2, RFC 3161, certificates and managed keys.
//!
//! Bytes, a trusted root and the expected signer come in; a verdict with every check goes out, and with it, where all of them held, a
//! [`VerifiedArtifact`]. Pure: no clock is asked, time is what was authenticated. Not here: which root to trust, our own predicates.
#![forbid(unsafe_code)]

mod artifact;
mod body;
mod bundle;
mod log;
mod material;
mod root;
mod thresholds;
mod time;
mod verify;
mod wire;

pub use sealtrace_certificate::{Certificate, SubjectName};

pub use artifact::{Artifact, ArtifactError};
pub use body::{BodyError, EntryKind};
pub use bundle::{Bundle, BundleError, Content, LogEntry, MAX_BUNDLE_BYTES, Material, Version};
pub use material::{Expected, Signer, check_certificate};
pub use root::{Authority, MAX_ROOT_BYTES, TransparencyLog, TrustedRoot, TrustedRootError, Window};
pub use thresholds::{Thresholds, Witnessed};
pub use time::{AuthenticatedTime, TimeSource, check_timestamps};
pub use verify::{Request, VerifiedArtifact, verify};

#[cfg(test)]
mod tests;
