//! A site's checkpoint leaves, is cosigned outside, comes back in a kit; and a log that was rewritten meanwhile is found out.

use std::process::Command;

use sealtrace_acceptance::{has, succeed};
use serde_json::Value;

use crate::scene::{Scene, ids};

/// When the log witness of these tests cosigns: 2026-11-02T12:00:00Z.
const COSIGNED_AT: u64 = 1_793_620_800;
const NAME: &str = "witness.example/w1";

/// A log witness made of nothing but openssl: what another implementation of C2SP tlog-cosignature would do.
struct Witness<'a> {
    scene: &'a Scene,
}

impl<'a> Witness<'a> {
    fn new(scene: &'a Scene) -> Self {
        succeed(Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out", "w.pem"]).current_dir(&scene.folder));
        Self { scene }
    }

    fn openssl(&self, line: &str) -> Vec<u8> {
        let output = Command::new("openssl").args(line.split(' ')).current_dir(&self.scene.folder).output().unwrap();
        assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn base64(&self, bytes: &[u8]) -> String {
        std::fs::write(self.scene.path("raw"), bytes).unwrap();
        String::from_utf8(self.openssl("base64 -A -in raw")).unwrap()
    }

    /// Signature type 0x04 and the public key, and the first four bytes of their hash under the name.
    fn key(&self) -> (Vec<u8>, Vec<u8>) {
        let der = self.openssl("pkey -in w.pem -pubout -outform DER");
        let typed = [&[4][..], &der[der.len() - 32..]].concat();
        std::fs::write(self.scene.path("raw"), [NAME.as_bytes(), b"\n", &typed].concat()).unwrap();
        let id = self.openssl("dgst -sha256 -binary raw")[..4].to_vec();
        (typed, id)
    }

    fn policy(&self) {
        let (typed, id) = self.key();
        let id: String = id.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let vkey = format!("{NAME}+{id}+{}", self.base64(&typed));
        std::fs::write(self.scene.path("tlog-policy"), format!("witness w1 {vkey}\nquorum w1\n")).unwrap();
    }

    /// Cosigns a checkpoint file.
    fn cosign(&self, checkpoint: &str, cosigned: &str) {
        let note = std::fs::read_to_string(self.scene.path(checkpoint)).unwrap();
        let text = format!("{}\n", note.rsplit_once("\n\n").unwrap().0);
        std::fs::write(self.scene.path("message"), format!("cosignature/v1\ntime {COSIGNED_AT}\n{text}")).unwrap();
        let signature = self.openssl("pkeyutl -sign -rawin -inkey w.pem -in message");
        let line = self.base64(&[self.key().1, COSIGNED_AT.to_be_bytes().to_vec(), signature].concat());
        std::fs::write(self.scene.path(cosigned), format!("{note}\u{2014} {NAME} {line}\n")).unwrap();
    }
}

fn kit(scene: &Scene, number: u32, more: &str) {
    let before = number - 1;
    scene.ok(&format!(
        "symbol-bundle kit create --previous kit{before}.json --key k1.key --key k2.key --reference-time 2026-11-0{number}T00:00:00Z -o kit{number}.json {more}"
    ));
}

fn minimum(scene: &Scene, assurance: &str) -> String {
    let policy = format!(
        "{{\"policyVersion\":0,\"signers\":null,\"minimumAssurance\":\"{assurance}\",\"requireTime\":false,\"requireQuorum\":false,\"minimumLogs\":1,\
         \"minimumTimestamps\":0,\"maximumKitAgeSeconds\":null,\"requiredPredicateTypes\":[],\"minimumCoveragePercent\":0}}"
    );
    std::fs::write(scene.path("policy.json"), policy).unwrap();
    "--policy policy.json".to_owned()
}

/// The trace's own assurance: its bundles are logged elsewhere.
fn own<'a>(verdict: &'a Value, id: &str) -> &'a Value {
    verdict["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap()
}

#[test]
fn a_site_that_rewrites_its_whole_log_is_taken_locally_and_refused_at_cosigned_with_both_checkpoints_exported() {
    if !has("openssl") {
        return;
    }
    let scene = Scene::new("rewritten");
    scene.enrolled();
    let witness = Witness::new(&scene);
    witness.policy();
    // The honest log: two traces, and its checkpoint leaves with the evidence.
    scene.resolve("site-log", "one.sigstore.json");
    scene.ok("trace-resolve --bundle sample:1.0 second.jsonl -o two.sigstore.json --key site.key --log site-log");
    scene.ok("symbol-bundle site checkpoint export --log site-log -o out.json");
    std::fs::write(scene.path("out.checkpoint"), scene.ok("symbol-bundle log checkpoint --log site-log")).unwrap();
    witness.cosign("out.checkpoint", "cosigned.checkpoint");
    // The site begins its log anew under the same name and key, signs again, and leaves the first trace out.
    std::fs::copy(scene.path("site-log/log.key"), scene.path("log.key")).unwrap();
    scene.ok("symbol-bundle log init --log new-log --origin site.example/log --key log.key");
    scene.ok("trace-resolve --bundle sample:1.0 second.jsonl -o forged.sigstore.json --key site.key --log new-log --log-key log.key");
    let judge = |trace: &str, capture: &str, policy: &str| scene.verdict(&format!("trace-verify {trace} --capture {capture} {policy}"));
    let (code, verdict) = judge("forged.sigstore.json", "second.jsonl", &minimum(&scene, "logged-locally"));
    assert_eq!((code, &verdict["assurance"]), (0, &"logged-locally".into()), "{verdict}");

    // The kit brings the cosigned checkpoint, without proofs: what is not proven to be that log is local at best.
    kit(&scene, 3, "--tlog-policy tlog-policy --witness w1=outside --checkpoint cosigned.checkpoint");
    scene.ok("symbol-bundle kit apply kit3.json");
    let (code, verdict) = judge("forged.sigstore.json", "second.jsonl", &minimum(&scene, "logged-locally"));
    assert_eq!((code, &verdict["assurance"]), (0, &"logged-locally".into()), "{verdict}");
    let (code, verdict) = judge("forged.sigstore.json", "second.jsonl", &minimum(&scene, "cosigned-outside"));
    assert_eq!((code, &own(&verdict, "policy-assurance")["outcome"]), (1, &"fail".into()), "{verdict}");
    let exported = scene.files("store/state/evidence");
    let both =
        |exported: &[String]| [".known.checkpoint", ".found.checkpoint"].iter().all(|end| exported.iter().any(|name| name.ends_with(end)));
    assert!(both(&exported), "{exported:?}");

    // With the proofs the rewriting is shown, whatever the policy; and the honest traces are cosigned outside.
    kit(&scene, 4, "--checkpoint out.json");
    scene.ok("symbol-bundle kit apply kit4.json");
    let (code, verdict) = judge("forged.sigstore.json", "second.jsonl", &minimum(&scene, "logged-locally"));
    assert_eq!((code, ids(&verdict, "fail")), (1, vec!["pin-consistency".to_owned()]));
    let exported = scene.files("store/state/evidence");
    assert!(exported.iter().any(|name| name.ends_with(".consistency")), "{exported:?}");
    for (trace, capture) in [("one.sigstore.json", "capture.jsonl"), ("two.sigstore.json", "second.jsonl")] {
        let (code, verdict) = judge(trace, capture, "");
        assert_eq!(code, 0, "{verdict}");
        assert_eq!(own(&verdict, "policy-assurance")["found"], "cosigned-outside", "{trace}");
        assert_eq!(verdict["time"]["notAfter"], "2026-11-02T12:00:00Z", "{trace}");
    }
}

/// A kit with a site whose log witness is known, and the site's checkpoint in `out.checkpoint`.
fn cosignable(scene: &Scene) -> Witness<'_> {
    scene.trusted("");
    scene.ok("symbol-bundle site enroll approve request.json --kit kit1.json --key k1.key --key k3.key --reference-time 2026-11-02T00:00:00Z -o kit2.json");
    scene.ok("symbol-bundle import 1.0.tar");
    scene.resolve("site-log", "one.sigstore.json");
    let witness = Witness::new(scene);
    witness.policy();
    std::fs::write(scene.path("out.checkpoint"), scene.ok("symbol-bundle log checkpoint --log site-log")).unwrap();
    witness
}

const THIRD: &str =
    "symbol-bundle kit create --previous kit2.json --key k1.key --key k2.key --reference-time 2026-11-03T00:00:00Z -o kit3.json";

/// The text with one character of its last line changed, near the end of the base64 and before its padding.
fn damaged(text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let at = characters.len() - 20;
    characters[at] = if characters[at] == 'A' { 'B' } else { 'A' };
    characters.into_iter().collect()
}

#[test]
fn a_checkpoint_with_a_line_that_does_not_hold_gets_into_no_kit() {
    if !has("openssl") {
        return;
    }
    let scene = Scene::new("damaged");
    let witness = cosignable(&scene);
    witness.cosign("out.checkpoint", "good.checkpoint");
    let read = |name: &str| std::fs::read_to_string(scene.path(name)).unwrap();
    std::fs::write(scene.path("bad.checkpoint"), damaged(&read("good.checkpoint"))).unwrap();
    let with = "--tlog-policy tlog-policy --witness w1=outside";
    for option in ["--checkpoint good.checkpoint --checkpoint", "--checkpoint", "--pin", "--freeze"] {
        let said = scene.refused(&format!("{THIRD} {with} {option} bad.checkpoint"), 1);
        let expected = "bad.checkpoint: cosignature of w1 over site.example/log at 1 does not verify";
        assert!(said.contains(expected) && said.contains("ask the log witness to cosign"), "{option}: {said}");
    }
    std::fs::write(scene.path("forged.checkpoint"), damaged(&read("out.checkpoint"))).unwrap();
    let said = scene.refused(&format!("{THIRD} --checkpoint forged.checkpoint"), 1);
    assert!(said.contains("forged.checkpoint: the signature of the log site.example/log at 1 does not verify"), "{said}");
    scene.ok("symbol-bundle log init --log other-log --origin other.example/log");
    scene.ok("symbol-bundle site checkpoint export --log other-log -o other.checkpoint");
    let said = scene.refused(&format!("{THIRD} --checkpoint other.checkpoint"), 1);
    assert!(said.contains("other.checkpoint: checkpoint of other.example/log, which is no log of this kit"), "{said}");
    assert!(!scene.path("kit3.json").exists());
    // Without a policy the damaged line is nobody's; a later kit that names the log witness would take it up with the kit before.
    scene.ok(&format!("{THIRD} --checkpoint bad.checkpoint"));
    let fourth = THIRD.replace("kit3", "kit4").replace("kit2", "kit3");
    let said = scene.refused(&format!("{fourth} {with}"), 1);
    assert!(said.contains("kit3.json: cosignature of w1"), "{said}");
}

#[test]
fn who_cosigned_a_checkpoint_is_shown_and_a_quorum_that_is_not_met_is_told() {
    if !has("openssl") {
        return;
    }
    let scene = Scene::new("cosigned");
    let witness = cosignable(&scene);
    witness.cosign("out.checkpoint", "good.checkpoint");
    let told = |more: &str| {
        let output = sealtrace_acceptance::run(&mut scene.tool(&format!("{THIRD} {more}")));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let shown = scene.json("symbol-bundle kit show kit3.json")["checkpoints"][0].clone();
        let text = scene.ok("symbol-bundle kit show kit3.json");
        std::fs::remove_file(scene.path("kit3.json")).unwrap();
        (said, shown, text)
    };
    let policy = "--tlog-policy tlog-policy --witness w1=outside";
    let warning = "assurance of site.example/log stays logged-locally: ";
    let (said, shown, text) = told(&format!("{policy} --checkpoint out.checkpoint"));
    assert!(said.contains(&format!("{warning}quorum is not met")), "{said}");
    assert_eq!(shown["cosignedBy"], serde_json::json!([]), "{shown}");
    assert!(text.contains("checkpoint  site.example/log size 1, cosigned by nobody"), "{text}");
    // Its lines may come in another file than its proofs.
    let (said, shown, text) = told(&format!("{policy} --checkpoint out.checkpoint --checkpoint good.checkpoint"));
    assert!(!said.contains("warning"), "{said}");
    assert_eq!((&shown["origin"], &shown["size"]), (&"site.example/log".into(), &1.into()), "{shown}");
    let by = serde_json::json!([{"name": "w1", "placement": "outside", "time": "2026-11-02T12:00:00Z"}]);
    assert_eq!((&shown["cosignedBy"], &shown["broken"]), (&by, &serde_json::json!([])), "{shown}");
    assert!(text.contains("checkpoint  site.example/log size 1, cosigned by w1 (outside) at 2026-11-02T12:00:00Z"), "{text}");
    let (said, ..) = told("--checkpoint good.checkpoint");
    assert!(said.contains(&format!("{warning}the kit has no tlog-policy")), "{said}");
    // A log witness that the policy does not name is a slip of the pen.
    let said = scene.refused(&format!("{THIRD} --tlog-policy tlog-policy --witness w9=outside"), 2);
    assert!(said.contains("names in the tlog-policy: w1"), "{said}");
    scene.refused(&format!("{THIRD} --tlog-policy tlog-policy --witness w1"), 2);
}
