//! What evidence is judged by: logs and signer keys of a trust folder, trust kits with roles, policy and deny list, pins.
//!
//! Files as bytes in, lookups and decisions out. Not here: reading the folder, keeping state (`sealtrace-store`), the checks of evidence
//! (`sealtrace-bundle`), any clock.
#![forbid(unsafe_code)]

mod consistency;
mod cosigned;
mod courier;
mod deny;
mod enrol;
pub mod kit;
mod known;
mod pins;
mod policy;
mod role;
mod root;
mod trust;

pub use consistency::ConsistencyBody;
pub use cosigned::Cosigned;
pub use courier::{CheckpointExport, ExportError, MAX_EXPORT_BYTES, MAX_EXPORT_PROOFS};
pub use deny::{Denied, DeniedKind, Known, LogOrder, MAX_DENY_BYTES, parse_deny_list};
pub use enrol::{EnrolmentRequest, MAX_REQUEST_BYTES, REQUEST_PAYLOAD_TYPE, RequestError, request_file, request_payload};
pub use known::{KnownBy, KnownTree, Standing};
pub use pins::{MAX_PIN_BYTES, PinChain, PinError, PinReason, pin_file_name};
pub use policy::{Identity, MAX_POLICY_BYTES, MinimumAssurance, Policy, PolicyError, RELEASE_PREDICATE, Rules, SITE_PREDICATE, SignerRule};
pub use role::Role;
pub use root::{TRUSTED_ROOT_MEDIA_TYPE, TrustedLog, TrustedRootError, parse_trusted_root, trusted_root_json};
pub use trust::{Fingerprint, KIT_FILE, Memory, TRUSTED_ROOT_FILE, Trust, TrustError, key_file_name};

#[cfg(test)]
mod tests;
