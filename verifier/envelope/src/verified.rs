//! Signatures that a key was found to have made. Many statements rest on one checkpoint: its signature is computed once.
//!
//! Not a decision: what is remembered is that this key made exactly this signature over a message of exactly this SHA-256, which is all that
//! ECDSA looks at. What did not hold is computed again.

use std::sync::{Arc, Mutex};

/// The most signatures remembered for a key (ours): a log's checkpoints that the traces at hand and their bundles share.
const MAX_REMEMBERED: usize = 8;

/// Digests of messages with their signatures; the one used last stands last. Copies of a key share them.
#[derive(Clone, Default)]
pub(crate) struct VerifiedSignatures(Arc<Mutex<Vec<Verified>>>);

#[derive(PartialEq, Eq)]
struct Verified {
    sha256: [u8; 32],
    signature: Vec<u8>,
}

// What was computed already is no part of a key.
impl PartialEq for VerifiedSignatures {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for VerifiedSignatures {}

impl VerifiedSignatures {
    pub(crate) fn holds(&self, sha256: &[u8; 32], signature: &[u8]) -> bool {
        let Ok(mut known) = self.0.lock() else { return false };
        let Some(at) = known.iter().position(|one| one.sha256 == *sha256 && one.signature == signature) else { return false };
        let found = known.remove(at);
        known.push(found);
        true
    }

    pub(crate) fn remember(&self, sha256: [u8; 32], signature: &[u8]) {
        let Ok(mut known) = self.0.lock() else { return };
        if known.len() >= MAX_REMEMBERED {
            known.remove(0);
        }
        known.push(Verified { sha256, signature: signature.to_vec() });
    }
}
