//! Which of our checks notices each broken case: the one that is broken, and no other.
//!
//! Where more than one fails, what is broken is bound in more than one place, and no evidence exists in which only one of them is.

use std::collections::BTreeSet;

/// A check, and the cases that it alone notices.
const ALONE: &[(&str, &[&str])] = &[
    ("message-signature", &["signature-by-other-key", "key-signature-by-other-key"]),
    ("message-digest", &["message-digest-of-other-file"]),
    ("entry-algorithm", &["signer-ed25519", "entry-with-wrong-key-details"]),
    ("subject-digest", &["dsse-artifact-changed", "dsse-without-subject"]),
    ("dsse-signature", &["dsse-signature-by-other-key"]),
    ("key-id", &["dsse-keyid-not-hint"]),
    ("certificate-identity", &["identity-other", "identity-prefix", "leaf-without-identity"]),
    ("certificate-issuer", &["issuer-other"]),
    ("key-hint", &["given-key-other", "hint-of-other-key"]),
    (
        "certificate-path",
        &[
            "leaf-without-extended-key-usage",
            "leaf-for-servers",
            "leaf-without-digital-signature",
            "leaf-is-authority",
            "leaf-with-unknown-critical-extension",
            "leaf-signed-by-other-key",
            "authority-without-basic-constraints",
            "authority-is-none",
            "authority-may-not-sign",
            "path-too-long",
            "intermediate-signed-by-other-key",
            "intermediate-for-servers",
            "intermediate-expired",
            "authority-ended",
            "authority-unknown",
            "rekor1-time-after-certificate",
            "rekor1-without-promise",
            "signed-after-certificate",
            "signed-before-certificate",
            "no-time",
            "integrated-time-is-no-time",
            "integrated-time-against-timestamp",
            "tsa-missing",
        ],
    ),
    ("certificate-sct", &["sct-missing", "sct-by-unknown-log", "sct-signed-by-other-key", "sct-over-other-certificate", "sct-log-ended"]),
    ("log-entry", &["entry-missing", "entry-twice"]),
    ("entry-verifier", &["entry-names-other-key", "dsse-entry-names-other-key", "entry-names-other-certificate"]),
    ("entry-signature", &["entry-of-other-signature", "rekor1-entry-of-other-signature"]),
    (
        "entry-body",
        &[
            "entry-of-other-digest",
            "dsse-entry-of-other-digest",
            "entry-kind-not-body",
            "entry-with-extra-field",
            "entry-not-canonical",
            "rekor1-dsse-payload-of-other",
        ],
    ),
    ("inclusion", &["proof-missing", "proof-of-other-leaf", "proof-hash-changed", "proof-with-more-hashes", "checkpoint-of-other-tree"]),
    ("log-index", &["log-index-not-proof-index"]),
    ("checkpoint-size-root", &["proof-root-not-checkpoint-root", "proof-size-not-checkpoint-size"]),
    ("checkpoint-origin", &["checkpoint-origin-other", "key-checkpoint-origin-other"]),
    ("checkpoint-signature", &["checkpoint-key-name-other", "checkpoint-by-unknown-key", "checkpoint-signature-broken"]),
    ("log-key-window", &["log-key-ended", "log-key-not-begun", "key-log-key-ended"]),
    ("log-trusted", &["log-unknown"]),
    ("inclusion-promise", &["rekor1-promise-by-other-key", "rekor1-time-changed"]),
    (
        "timestamp",
        &[
            "timestamp-names-other-certificate",
            "tsa-unknown",
            "timestamp-over-other-bytes",
            "timestamp-over-artifact",
            "timestamp-signed-by-other-key",
            "timestamp-digest-attribute-other",
            "timestamp-status-rejection",
            "key-timestamp-over-other-bytes",
            "tsa-without-extended-key-usage",
            "tsa-for-code-signing",
            "tsa-purpose-not-critical",
            "tsa-expired",
            "tsa-ended",
            "tsa-signed-by-other-key",
        ],
    ),
];

/// Cases that several checks notice, and which.
const TOGETHER: &[(&str, &[&str])] = &[
    ("artifact-changed", &["message-digest", "message-signature", "entry-body"]),
    ("dsse-payload-changed", &["dsse-signature", "entry-body"]),
    ("dsse-two-signatures", &["envelope-one-signature", "entry-signature"]),
    ("dsse-same-signature-twice", &["envelope-one-signature", "entry-signature"]),
    ("entry-with-wrong-hash", &["entry-body", "entry-algorithm"]),
    ("proof-index-changed", &["log-index", "inclusion"]),
];

/// The ids of the checks that a case must fail; none for honest evidence.
pub(crate) fn failing(case: &str) -> BTreeSet<&'static str> {
    let alone = ALONE.iter().filter(|(_, cases)| cases.contains(&case)).map(|(check, _)| *check);
    let together = TOGETHER.iter().filter(|(name, _)| *name == case).flat_map(|(_, checks)| checks.iter().copied());
    alone.chain(together).collect()
}
