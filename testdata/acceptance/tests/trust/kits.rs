//! Which kit is installed, and what it changes.

use crate::scene::{Scene, ids};

#[test]
fn a_first_kit_is_refused_without_its_fingerprint_and_with_a_wrong_one_and_taken_with_hex_or_words() {
    let scene = Scene::new("first");
    scene.first_kit("");
    let said = scene.refused("symbol-bundle kit apply kit1.json", 2);
    assert!(said.contains("--fingerprint"), "{said}");
    let wrong = "0".repeat(64);
    scene.refused(&format!("symbol-bundle kit apply kit1.json --fingerprint {wrong}"), 1);
    scene.refused("symbol-bundle kit apply kit1.json --fingerprint maple", 2);
    assert!(!scene.path("store/trust").exists(), "nothing is installed by a refusal");
    let shown = scene.json("symbol-bundle kit show kit1.json");
    let words = shown["words"].as_str().unwrap().replace(' ', "-");
    scene.ok(&format!("symbol-bundle kit apply kit1.json --fingerprint {words}"));
    assert_eq!(scene.files("store/trust"), ["keys", "kit.json", "trusted_root.json"]);
    assert_eq!(std::fs::read(scene.path("store/trust/kit.json")).unwrap(), std::fs::read(scene.path("kit1.json")).unwrap());
    scene.ok("symbol-bundle kit apply kit1.json");
}

#[test]
fn an_older_a_replayed_and_a_forked_kit_are_refused_and_a_missing_one_is_asked_for() {
    let scene = Scene::new("sequence");
    scene.trusted("");
    let create = |previous: &str, time: &str, keys: &str, out: &str| {
        scene.ok(&format!("symbol-bundle kit create --previous {previous} {keys} --reference-time {time} -o {out}"));
    };
    let both = "--key k1.key --key k2.key";
    create("kit1.json", "2026-11-02T00:00:00Z", both, "kit2.json");
    create("kit1.json", "2026-11-03T00:00:00Z", both, "fork2.json");
    create("kit2.json", "2026-11-04T00:00:00Z", both, "kit3.json");
    create("fork2.json", "2026-11-05T00:00:00Z", both, "fork3.json");
    scene.refused("symbol-bundle kit apply kit3.json", 2);
    scene.ok("symbol-bundle kit apply kit2.json");
    scene.refused("symbol-bundle kit apply kit1.json", 1);
    scene.refused("symbol-bundle kit apply fork2.json", 1);
    scene.refused("symbol-bundle kit apply fork3.json", 1);
    scene.ok("symbol-bundle kit apply kit3.json");
    create("kit3.json", "2026-10-01T00:00:00Z", both, "back.json");
    scene.refused("symbol-bundle kit apply back.json", 1);
    let changed = scene.ok("symbol-bundle kit diff kit1.json kit3.json");
    assert!(changed.contains("+ sequence: 3") && changed.contains("- sequence: 1"), "{changed}");
}

#[test]
fn a_kit_needs_a_threshold_of_the_installed_kits_keys_and_hands_may_sign_one_after_another() {
    let scene = Scene::new("threshold");
    scene.trusted("");
    scene.ok("symbol-bundle key generate -o thief");
    scene.ok("symbol-bundle kit create --previous kit1.json --key thief.key --kit-key thief.pub --threshold 1 --reference-time 2026-11-02T00:00:00Z -o stolen.json");
    scene.refused("symbol-bundle kit apply stolen.json", 1);
    scene.ok("symbol-bundle kit sign stolen.json --key k1.key -o half.json");
    scene.refused("symbol-bundle kit apply half.json", 1);
    scene.ok("symbol-bundle kit create --previous kit1.json --key k3.key --reference-time 2026-11-02T00:00:00Z -o draft.json");
    scene.refused("symbol-bundle kit apply draft.json", 1);
    scene.ok("symbol-bundle kit sign draft.json --key k2.key -o kit2.json");
    scene.ok("symbol-bundle kit apply kit2.json");
}

#[test]
fn what_a_kit_says_is_changed_by_the_next_kit_only() {
    let scene = Scene::new("only-kits");
    scene.trusted("");
    scene.ok("symbol-bundle trust enroll site-trust --signer site.pub --log site-log");
    let said = scene.refused("symbol-bundle trust add site-trust", 2);
    assert!(said.contains("kit create") && said.contains("kit apply"), "{said}");
    let folder = scene.path("store/trust");
    std::fs::copy(scene.path("site.pub"), folder.join("keys").join(key_file(&scene, "site"))).unwrap();
    scene.refused("symbol-bundle import 1.0.tar", 3);
}

fn key_file(scene: &Scene, key: &str) -> String {
    let listed = scene.json("symbol-bundle trust list site-trust");
    assert!(key == "site");
    format!("{}.pem", listed["signers"][0].as_str().unwrap())
}

#[test]
fn a_site_is_trusted_after_its_request_was_taken_up_and_not_before() {
    let scene = Scene::new("enrolment");
    scene.trusted("");
    scene.ok("symbol-bundle import 1.0.tar");
    scene.resolve("site-log", "trace.sigstore.json");
    let (code, verdict) = scene.verdict("trace-verify trace.sigstore.json --capture capture.jsonl");
    assert_eq!((code, ids(&verdict, "fail").contains(&"signer-trusted".to_owned())), (1, true), "{verdict}");
    scene.ok("symbol-bundle site enroll approve request.json --kit kit1.json --key k1.key --key k3.key --reference-time 2026-11-02T00:00:00Z -o kit2.json");
    scene.ok("symbol-bundle kit apply kit2.json");
    let (code, verdict) = scene.verdict("trace-verify trace.sigstore.json --capture capture.jsonl");
    assert_eq!((code, &verdict["assurance"]), (0, &"logged-locally".into()), "{verdict}");
    // The request is worth nothing without the keys.
    let request = std::fs::read_to_string(scene.path("request.json")).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&request).unwrap();
    value["signatures"].as_array_mut().unwrap().pop();
    std::fs::write(scene.path("cut.json"), value.to_string()).unwrap();
    scene.refused("symbol-bundle site enroll approve cut.json --kit kit2.json --key k1.key --key k2.key --reference-time 2026-11-03T00:00:00Z -o kit3.json", 1);
}

#[test]
fn a_sites_key_seals_no_release() {
    let scene = Scene::new("roles");
    scene.enrolled();
    scene.ok("symbol-bundle build release --name sample --version 6.6 -o evil");
    scene.ok("symbol-bundle sign evil --key site.key --trust evil-trust");
    scene.ok("symbol-bundle log append evil --log site-log --trust evil-trust");
    scene.ok("symbol-bundle export evil --to evil.tar");
    let said = scene.refused("symbol-bundle import evil.tar", 1);
    assert!(said.contains("policy-signer-role") && said.contains("role release"), "{said}");
    let more = scene.ok("trace-verify explain policy-signer-role");
    assert!(more.contains("holds when") && more.contains("then"), "{more}");
    scene.refused("trace-verify explain no-such-check", 2);
}

#[test]
fn an_archive_that_is_older_than_the_pin_is_refused_until_the_kit_brings_the_proof() {
    let scene = Scene::new("rollback");
    scene.trusted("");
    scene.ok("symbol-bundle import 2.0.tar");
    let said = scene.refused("symbol-bundle import 1.0.tar", 1);
    assert!(said.contains("pin") && said.contains("rollback") && said.contains("state/evidence"), "{said}");
    assert_eq!(scene.files("store/state/evidence").len(), 2);
    scene.ok("symbol-bundle site checkpoint export --log release-log -o export.json");
    scene.ok("symbol-bundle kit create --previous kit1.json --key k1.key --key k2.key --reference-time 2026-11-02T00:00:00Z --checkpoint export.json -o kit2.json");
    scene.ok("symbol-bundle kit apply kit2.json");
    scene.ok("symbol-bundle import 1.0.tar");
    scene.ok("symbol-bundle import 2.0.tar");
    let lines = std::fs::read_dir(scene.path("store/state/pins"))
        .unwrap()
        .flatten()
        .map(|entry| std::fs::read_to_string(entry.path()).unwrap().lines().count());
    assert_eq!(lines.sum::<usize>(), 1);
}

#[test]
fn pins_that_somebody_changed_stop_everything_and_a_torn_line_does_not() {
    let scene = Scene::new("pins");
    scene.trusted("");
    scene.ok("symbol-bundle import 1.0.tar");
    let pins = scene.path("store/state/pins").join(&scene.files("store/state/pins")[0]);
    let good = std::fs::read(&pins).unwrap();
    std::fs::write(&pins, [&good[..], b"{\"checkpoint\":\"rel"].concat()).unwrap();
    scene.ok("trace-verify --bundle sample:1.0");
    scene.ok("symbol-bundle import 2.0.tar");
    let healed = std::fs::read_to_string(&pins).unwrap();
    assert_eq!(healed.lines().count(), 2);
    std::fs::write(&pins, healed.replacen("\"size\":1", "\"size\":7", 1)).unwrap();
    let said = scene.refused("trace-verify --bundle sample:1.0", 1);
    assert!(said.contains("pin line 1"), "{said}");
    scene.refused("symbol-bundle import 1.0.tar", 2);
}
