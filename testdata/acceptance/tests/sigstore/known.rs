//! On which cases each peer, in the version that `.ci/interop.sh` pins, is not right.
//!
//! Not a judgement of the peers: they have other aims and older formats. It is here so that the table cannot change unseen.

use std::collections::BTreeSet;

/// The columns other than ours.
pub(crate) const PEERS: [&str; 4] = ["js", "python", "rust", "cosign"];

/// Honest evidence that a peer refuses, and why.
const REFUSES: &[(&str, &str, &str)] = &[
    ("js", "dsse-signer-p384", "compares the digest of an envelope by SHA-256 only"),
    ("js", "dsse-key-p384", "compares the digest of an envelope by SHA-256 only"),
    ("python", "signer-p384", "knows SHA-256 only"),
    ("python", "dsse-signer-p384", "knows SHA-256 only"),
    ("python", "rekor1-v0.1", "demands an inclusion proof of every entry"),
    ("cosign", "dsse-key", "takes no keyid but an SSH fingerprint"),
    ("cosign", "dsse-key-timestamp", "takes no keyid but an SSH fingerprint"),
];

/// Broken evidence that a peer accepts.
const ACCEPTS: &[(&str, &[&str])] = &[];

/// The cases on which a column is known not to be right.
pub(crate) fn differences(column: &str) -> BTreeSet<&'static str> {
    let refuses = REFUSES.iter().filter(|(peer, _, _)| *peer == column).map(|(_, case, _)| *case);
    let accepts = ACCEPTS.iter().filter(|(peer, _)| *peer == column).flat_map(|(_, cases)| cases.iter().copied());
    refuses.chain(accepts).collect()
}
