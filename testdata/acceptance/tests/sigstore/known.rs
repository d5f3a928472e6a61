//! On which cases each peer, in the version that `.ci/interop.sh` pins, is not right.
//!
//! Versions: `@sigstore/verify` 4.1.3, `sigstore` for Python 4.5.1, the crate `sigstore-verify` 0.15.1, `cosign` 3.1.3.
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
    ("python", "two-logs", "demands exactly one log entry"),
    ("rust", "signer-p384", "knows P-256 with SHA-256 only in the entries of Rekor v2"),
    ("rust", "dsse-signer-p384", "knows P-256 with SHA-256 only in the entries of Rekor v2"),
    ("rust", "dsse-key-p384", "knows P-256 with SHA-256 only in the entries of Rekor v2"),
    ("cosign", "dsse-key-p384", "does not verify a managed key's envelope over SHA-384"),
    ("cosign", "dsse-key", "takes no keyid but an SSH fingerprint"),
    ("cosign", "dsse-key-timestamp", "takes no keyid but an SSH fingerprint"),
];

/// Broken evidence that a peer accepts.
const ACCEPTS: &[(&str, &[&str])] = &[
    (
        "js",
        &[
            "dsse-keyid-not-hint",
            "leaf-without-extended-key-usage",
            "leaf-for-servers",
            "leaf-without-digital-signature",
            "leaf-is-authority",
            "leaf-with-unknown-critical-extension",
            "intermediate-for-servers",
            "entry-names-other-key",
            "dsse-entry-names-other-key",
            "entry-names-other-certificate",
            "entry-with-extra-field",
            "entry-not-canonical",
            "entry-with-wrong-key-details",
            "entry-with-wrong-hash",
            "log-index-not-proof-index",
            "proof-root-not-checkpoint-root",
            "proof-size-not-checkpoint-size",
            "checkpoint-origin-other",
            "key-checkpoint-origin-other",
            "log-key-ended",
            "log-key-not-begun",
            "key-log-key-ended",
            "timestamp-names-other-certificate",
            "timestamp-status-rejection",
            "tsa-without-extended-key-usage",
            "tsa-for-code-signing",
            "tsa-purpose-not-critical",
        ],
    ),
    (
        "python",
        &[
            "sct-log-ended",
            "path-too-long",
            "intermediate-signed-by-other-key",
            "intermediate-for-servers",
            "authority-ended",
            "entry-not-canonical",
            "log-index-not-proof-index",
            "proof-size-not-checkpoint-size",
            "checkpoint-origin-other",
            "checkpoint-key-name-other",
            "log-key-ended",
            "log-key-not-begun",
            "timestamp-names-other-certificate",
        ],
    ),
    (
        "rust",
        &[
            "dsse-keyid-not-hint",
            "hint-of-other-key",
            "leaf-without-digital-signature",
            "authority-without-basic-constraints",
            "authority-is-none",
            "authority-may-not-sign",
            "path-too-long",
            "intermediate-signed-by-other-key",
            "intermediate-for-servers",
            "intermediate-expired",
            "entry-twice",
            "entry-with-extra-field",
            "entry-not-canonical",
            "proof-index-changed",
            "proof-root-not-checkpoint-root",
            "proof-size-not-checkpoint-size",
            "checkpoint-origin-other",
            "key-checkpoint-origin-other",
            "checkpoint-key-name-other",
            "log-key-ended",
            "log-key-not-begun",
            "key-log-key-ended",
            "timestamp-names-other-certificate",
            "tsa-purpose-not-critical",
        ],
    ),
    (
        "cosign",
        &[
            "hint-of-other-key",
            "leaf-without-extended-key-usage",
            "leaf-without-digital-signature",
            "leaf-is-authority",
            "entry-kind-not-body",
            "proof-index-changed",
            "proof-root-not-checkpoint-root",
            "proof-size-not-checkpoint-size",
            "log-key-ended",
            "log-key-not-begun",
            "key-log-key-ended",
            "timestamp-names-other-certificate",
            "key-timestamp-over-other-bytes",
        ],
    ),
];

/// The cases on which a column is known not to be right.
pub(crate) fn differences(column: &str) -> BTreeSet<&'static str> {
    let refuses = REFUSES.iter().filter(|(peer, _, _)| *peer == column).map(|(_, case, _)| *case);
    let accepts = ACCEPTS.iter().filter(|(peer, _)| *peer == column).flat_map(|(_, cases)| cases.iter().copied());
    refuses.chain(accepts).collect()
}
