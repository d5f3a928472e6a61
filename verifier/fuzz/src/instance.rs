//! The evidence of the private Sigstore instance (`testdata/instance`), made once.

use std::sync::OnceLock;

use sealtrace_crypto::VerifyingKey;
use sealtrace_instance::Expected as Outcome;
use sealtrace_sigstore::{Artifact, Expected, TrustedRoot};

/// One case of the instance.
pub(crate) struct Case {
    pub(crate) honest: bool,
    pub(crate) bundle: Vec<u8>,
    pub(crate) root_bytes: Vec<u8>,
    pub(crate) root: Option<TrustedRoot>,
    pub(crate) artifact: Artifact,
    pub(crate) expected: Expected,
}

/// Every case, honest ones first.
pub(crate) fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let written = sealtrace_instance::write(folder.path()).expect("the instance can be written");
        let read = |path: &std::path::Path| std::fs::read(path).expect("what was written can be read");
        let case = |case: &sealtrace_instance::WrittenCase| {
            let root_bytes = read(&case.trusted_root);
            let expected = match &case.key {
                Some(key) => Expected::Key(Box::new(VerifyingKey::parse_pem(&read(key)).expect("the key is well formed"))),
                None => Expected::Identity { identity: case.identity.to_owned(), issuer: case.issuer.to_owned() },
            };
            Case {
                honest: case.expected == Outcome::Accept,
                bundle: compact(&read(&case.bundle)),
                root: TrustedRoot::parse(&root_bytes).ok(),
                root_bytes: compact(&root_bytes),
                artifact: Artifact::of(&read(&case.artifact)),
                expected,
            }
        };
        written.iter().map(case).collect()
    })
}

/// Without white space: mutations then hit what means something.
fn compact(json: &[u8]) -> Vec<u8> {
    let value: serde_json::Value = serde_json::from_slice(json).expect("the instance is JSON");
    value.to_string().into_bytes()
}
