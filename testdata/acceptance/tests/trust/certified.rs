//! A site CA profile: a release and a site that sign by certificate, with time stamps, under an instance of their own.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use sealtrace_acceptance::tools;
use serde_json::{Value, json};

use crate::scene::{Scene, ids};

const STATEMENTS: [&str; 2] = ["https://sealtrace.dev/attestation/symbol-bundle/v0", "https://sealtrace.dev/attestation/micro-witness/v0"];

/// A scene with the instance's authorities, certificate and key, and a policy that names its identity.
struct Certified {
    scene: Scene,
}

impl Certified {
    fn new(name: &str) -> Self {
        let scene = Scene::new(name);
        sealtrace_instance::write(&scene.path("instance")).unwrap();
        let key = scene.path("instance/openssl/leaf.key");
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        let (identity, issuer) = sealtrace_instance::IDENTITY;
        Self::write_policy(&scene, "policy.json", &[json!({"identity": identity, "issuer": issuer})]);
        Self::write_policy(&scene, "others.json", &[json!({"identity": "https://other.example/job", "issuer": issuer})]);
        scene.ok("symbol-bundle trust enroll release-trust --authorities instance/trusted_root.json");
        Self { scene }
    }

    fn write_policy(scene: &Scene, name: &str, identities: &[Value]) {
        let rules = STATEMENTS.map(|predicate| json!({"predicateType": predicate, "roles": [], "keys": [], "identities": identities}));
        let policy = json!({
            "policyVersion": 0, "signers": rules, "minimumAssurance": "logged-locally", "requireTime": true, "requireQuorum": false,
            "minimumLogs": 1, "minimumTimestamps": 1, "maximumKitAgeSeconds": null, "requiredPredicateTypes": [],
            "minimumCoveragePercent": 0,
        });
        std::fs::write(scene.path(name), policy.to_string()).unwrap();
    }

    /// Signs a layout by certificate; `stamped`: with a time stamp.
    fn sign(&self, layout: &str, stamped: bool) -> Command {
        let mut sign = self.scene.tool(&format!(
            "symbol-bundle sign {layout} --key instance/openssl/leaf.key --certificate instance/openssl/leaf.pem --trust release-trust --replace"
        ));
        if stamped {
            sign.arg("--timestamp").arg(format!("exec:{} stamp", tools().join("sealtrace-instance").display()));
        }
        sign
    }

    fn sealed(&self) {
        sealtrace_acceptance::succeed(&mut self.sign("b1.0", true));
        // Authorities alone are trust as well: this log is the first.
        self.scene.ok("symbol-bundle log append b1.0 --log release-log --trust release-trust");
        self.scene.ok("symbol-bundle trust enroll release-trust --log site-log");
        self.scene.ok("symbol-bundle export b1.0 --to certified.tar");
        self.scene.ok("symbol-bundle trust add release-trust");
    }
}

#[test]
fn a_bundle_signed_by_certificate_verifies_for_the_identity_that_the_policy_names_at_the_time_that_is_stamped() {
    let certified = Certified::new("certified-bundle");
    certified.sealed();
    let scene = &certified.scene;
    scene.ok("symbol-bundle import certified.tar --policy policy.json");
    let (exit, verdict) = scene.verdict("trace-verify --bundle sample:1.0 --policy policy.json");
    assert_eq!(exit, 0, "{verdict}");
    for id in ["certificate-path", "certificate-sct", "signer-trusted", "timestamp", "policy-signer-role", "policy-time", "log-key-window"]
    {
        assert!(ids(&verdict, "pass").iter().any(|passed| passed == id), "{id}: {verdict}");
    }
    assert_eq!(verdict["time"]["notAfter"], "2025-06-12T12:00:05Z");
    let (exit, verdict) = scene.verdict("trace-verify --bundle sample:1.0 --policy others.json");
    assert_eq!((exit, ids(&verdict, "fail")), (1, vec!["signer-trusted".to_owned()]), "{verdict}");
    let (exit, verdict) = scene.verdict("trace-verify --bundle sample:1.0");
    assert_eq!(exit, 1, "no policy names anybody: {verdict}");
}

#[test]
fn a_trace_signed_by_certificate_verifies_and_one_without_a_time_does_not() {
    let certified = Certified::new("certified-trace");
    certified.sealed();
    let scene = &certified.scene;
    scene.ok("symbol-bundle import certified.tar --policy policy.json");
    let resolve = |trace: &str, stamped: bool| {
        let mut resolve = scene.tool(&format!(
            "trace-resolve --bundle sample:1.0 capture.jsonl -o {trace} --policy policy.json --key instance/openssl/leaf.key --certificate instance/openssl/leaf.pem --log site-log"
        ));
        if stamped {
            resolve.arg("--timestamp").arg(format!("exec:{} stamp", tools().join("sealtrace-instance").display()));
        }
        sealtrace_acceptance::succeed(&mut resolve);
    };
    resolve("stamped.sigstore.json", true);
    let (exit, verdict) = scene.verdict("trace-verify stamped.sigstore.json --policy policy.json");
    assert_eq!(exit, 0, "{verdict}");
    assert_eq!(verdict["time"]["notAfter"], "2025-06-12T12:00:05Z");
    scene.ok("trace-replay --trace stamped.sigstore.json --policy policy.json --seeds 2 --strict");
    scene.refused("trace-replay --trace stamped.sigstore.json --policy others.json --seeds 2", 1);
    resolve("unstamped.sigstore.json", false);
    let (exit, verdict) = scene.verdict("trace-verify unstamped.sigstore.json --policy policy.json");
    assert_eq!((exit, ids(&verdict, "fail")), (1, vec!["certificate-path".to_owned()]), "{verdict}");
}

#[test]
fn a_kit_carries_the_authorities_and_names_the_identities() {
    let certified = Certified::new("certified-kit");
    certified.sealed();
    let scene = &certified.scene;
    std::fs::remove_dir_all(scene.path("store/trust")).unwrap();
    scene.trusted("--policy policy.json");
    scene.ok("symbol-bundle import certified.tar");
    let (exit, verdict) = scene.verdict("trace-verify --bundle sample:1.0");
    assert_eq!(exit, 0, "{verdict}");
    // The next kit follows from the first and keeps them.
    scene.ok("symbol-bundle kit create --previous kit1.json --key k1.key --key k2.key --policy others.json --reference-time 2026-11-02T00:00:00Z -o kit2.json");
    scene.ok("symbol-bundle kit apply kit2.json");
    let (exit, verdict) = scene.verdict("trace-verify --bundle sample:1.0");
    assert_eq!((exit, ids(&verdict, "fail")), (1, vec!["signer-trusted".to_owned()]), "{verdict}");
}

#[test]
fn a_certificate_of_another_key_and_a_stamp_over_other_bytes_are_refused_and_nothing_is_written() {
    let certified = Certified::new("certified-refused");
    let scene = &certified.scene;
    let before = std::fs::read(scene.path("b2.0/index.json")).unwrap();
    let said =
        scene.refused("symbol-bundle sign b2.0 --key site.key --certificate instance/openssl/leaf.pem --trust release-trust --replace", 1);
    assert!(said.contains("the certificate is over the key"), "{said}");
    let said =
        scene.refused("symbol-bundle sign b2.0 --key instance/openssl/leaf.key --certificate site.pub --trust release-trust --replace", 3);
    assert!(said.contains("no certificate"), "{said}");
    let mut wrong = certified.sign("b2.0", false);
    let stamper = scene.path("stamper");
    std::fs::write(&stamper, "#!/bin/sh\nexec cat instance/openssl/timestamp.tsr\n").unwrap();
    std::fs::set_permissions(&stamper, Permissions::from_mode(0o755)).unwrap();
    wrong.arg("--timestamp").arg("exec:./stamper");
    let said = sealtrace_acceptance::refused(&mut wrong, 1);
    assert!(said.contains("over other bytes"), "{said}");
    assert_eq!(std::fs::read(scene.path("b2.0/index.json")).unwrap(), before);
}
