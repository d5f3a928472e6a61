//! `@sigstore/verify`, which shares no code with us, accepts what we sign, and neither it nor we accept it changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sealtrace_acceptance::release::{json, read};
use sealtrace_acceptance::{root, run, skip};
use serde_json::Value;

use crate::{Case, flipped, site};

/// The foreign verifier, or a named skip.
struct Foreign {
    node: PathBuf,
    home: PathBuf,
}

impl Foreign {
    fn find() -> Option<Self> {
        let Some(home) = std::env::var_os("SEALTRACE_INTEROP").map(PathBuf::from) else {
            skip("sigstore-js", "SEALTRACE_INTEROP names no folder with @sigstore/verify");
            return None;
        };
        let own = home.join("node_modules/.bin/node");
        let foreign = Self { node: if own.is_file() { own } else { PathBuf::from("node") }, home };
        if foreign.verify(&Case::threads().trace, &site().public_key("site")).status.code() == Some(2) {
            skip("sigstore-js", "node or @sigstore/verify cannot be loaded");
            return None;
        }
        Some(foreign)
    }

    fn verify(&self, bundle: &Path, key: &Path) -> Output {
        let mut command = Command::new(&self.node);
        command.env("SEALTRACE_INTEROP", &self.home).arg(root().join("testdata/interop/verify.mjs"));
        run(command.arg(bundle).arg(site().trust().join("trusted_root.json")).arg(key))
    }
}

/// A named change of a bundle.
type Change = (&'static str, fn(&mut Value));

fn flip(value: &mut Value, at: usize) {
    *value = Value::from(flipped(value.as_str().unwrap(), at));
}

/// One change each of what a verifier must look at.
const CHANGES: [Change; 6] = [
    ("payload", |bundle| flip(&mut bundle["dsseEnvelope"]["payload"], 200)),
    ("signature", |bundle| flip(&mut bundle["dsseEnvelope"]["signatures"][0]["sig"], 40)),
    ("log index", |bundle| {
        let entry = &mut bundle["verificationMaterial"]["tlogEntries"][0];
        let next = entry["logIndex"].as_str().unwrap().parse::<u64>().unwrap() + 1;
        entry["logIndex"] = Value::from(next.to_string());
        entry["inclusionProof"]["logIndex"] = Value::from(next.to_string());
    }),
    ("checkpoint's signature", |bundle| {
        let envelope = &mut bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"]["envelope"];
        let at = envelope.as_str().unwrap().len() - 20;
        flip(envelope, at);
    }),
    ("checkpoint's root", |bundle| {
        let envelope = &mut bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"]["envelope"];
        let at = envelope.as_str().unwrap().match_indices('\n').nth(1).unwrap().0 + 5;
        flip(envelope, at);
    }),
    ("logged entry", |bundle| flip(&mut bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"], 200)),
];

/// The exit code of our verdict on a trace.
fn ours(trace: &Path) -> Option<i32> {
    run(site().tool("trace-verify").arg(trace).arg("--capture").arg(&Case::threads().capture)).status.code()
}

#[test]
fn interop_a_foreign_verifier_accepts_trace_and_bundle_signature() {
    let Some(foreign) = Foreign::find() else { return };
    for (bundle, key) in [(Case::threads().trace.clone(), "site"), (site().bundle_signature(), "release-key")] {
        let output = foreign.verify(&bundle, &site().public_key(key));
        assert!(output.status.success(), "{}: {output:?}", bundle.display());
        let other = if key == "site" { "release-key" } else { "site" };
        assert_eq!(foreign.verify(&bundle, &site().public_key(other)).status.code(), Some(1), "another key");
    }
}

#[test]
fn interop_a_changed_trace_verifies_neither_there_nor_with_us() {
    assert_eq!(ours(&Case::threads().trace), Some(0));
    let foreign = Foreign::find();
    each_change(&Case::threads().trace, |what, changed| {
        assert!(matches!(ours(changed), Some(1 | 3)), "we accept a changed {what}");
        if let Some(foreign) = &foreign {
            let output = foreign.verify(changed, &site().public_key("site"));
            assert_eq!(output.status.code(), Some(1), "the foreign verifier accepts a changed {what}: {output:?}");
        }
    });
}

#[test]
fn interop_a_changed_bundle_signature_does_not_verify_there() {
    let Some(foreign) = Foreign::find() else { return };
    each_change(&site().bundle_signature(), |what, changed| {
        let output = foreign.verify(changed, &site().public_key("release-key"));
        assert_eq!(output.status.code(), Some(1), "the foreign verifier accepts a changed {what}: {output:?}");
    });
}

/// Makes each change in a copy of a Sigstore bundle.
fn each_change(whole: &Path, check: impl Fn(&str, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("changed.sigstore.json");
    for (what, change) in CHANGES {
        let mut bundle = json(&read(whole));
        change(&mut bundle);
        std::fs::write(&file, bundle.to_string()).unwrap();
        check(what, &file);
    }
}

#[test]
fn a_log_index_that_contradicts_its_own_proof_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut bundle = json(&read(&Case::threads().trace));
    bundle["verificationMaterial"]["tlogEntries"][0]["logIndex"] = Value::from("77");
    let file = folder.path().join("changed.sigstore.json");
    std::fs::write(&file, bundle.to_string()).unwrap();
    assert!(matches!(ours(&file), Some(1 | 3)));
}
