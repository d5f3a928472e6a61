//! Which kit is installed, and what it changes.

use sealtrace_acceptance::run;

use crate::scene::{Scene, ids};

/// What a command that succeeds says, on both streams.
fn told(scene: &Scene, line: &str) -> String {
    let output = run(&mut scene.tool(line));
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(output.status.success(), "{line}: {said}");
    said
}

/// A key's id, as a kit of which it is the only key shows it.
fn key_id(scene: &Scene, key: &str) -> String {
    let out = format!("of-{key}.json");
    scene.ok(&format!("symbol-bundle kit create --key {key}.key --reference-time 2026-11-01T00:00:00Z -o {out}"));
    scene.json(&format!("symbol-bundle kit show {out}"))["kit"]["keys"][0]["keyId"].as_str().unwrap().to_owned()
}

#[test]
fn a_first_kit_is_refused_without_its_fingerprint_and_with_a_wrong_one_and_taken_with_hex_or_words() {
    let scene = Scene::new("first");
    scene.first_kit("");
    let said = scene.refused("symbol-bundle kit apply kit1.json", 2);
    assert!(said.contains("--fingerprint"), "{said}");
    let wrong = "0".repeat(64);
    let said = scene.refused(&format!("symbol-bundle kit apply kit1.json --fingerprint {wrong}"), 1);
    assert!(!said.contains(&scene.digest("kit1.json")), "the right one would be copied: {said}");
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
    scene.ok("symbol-bundle kit sign stolen.json --key k1.key --previous kit1.json -o half.json");
    let said = scene.refused("symbol-bundle kit apply half.json", 1);
    let key = |name: &str| key_id(&scene, name);
    assert!(
        said.contains(&format!("signed by {}; may still sign: ", key("k1"))) && said.contains(&key("k2")) && said.contains(&key("k3")),
        "{said}"
    );
    scene.ok("symbol-bundle kit create --previous kit1.json --key k3.key --reference-time 2026-11-02T00:00:00Z -o draft.json");
    let said = scene.refused("symbol-bundle kit apply draft.json", 1);
    assert!(said.contains(&format!("signed by {}; may still sign: ", key("k3"))) && said.contains(&key("k1")), "{said}");
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

const SECOND: &str = "symbol-bundle kit create --previous kit1.json --reference-time 2026-11-02T00:00:00Z";

#[test]
fn a_key_whose_signature_nobody_asks_for_signs_no_kit() {
    let scene = Scene::new("foreign-key");
    scene.first_kit("");
    scene.ok("symbol-bundle key generate -o evil");
    let foreign = format!("evil.key is none of this kit's keys (key ID {})", key_id(&scene, "evil"));
    for line in [
        format!("{SECOND} --key k1.key --key evil.key -o out.json"),
        "symbol-bundle kit create --key evil.key --kit-key k1.pub --reference-time 2026-11-01T00:00:00Z -o out.json".to_owned(),
        "symbol-bundle kit sign kit1.json --key evil.key -o out.json".to_owned(),
    ] {
        let said = scene.refused(&line, 1);
        assert!(said.contains(&foreign), "{line}: {said}");
        assert!(!scene.path("out.json").exists(), "{line}");
    }
    scene.refused("symbol-bundle kit sign kit1.json -o out.json", 2);
    // A key of the kit before counts once that kit is named, and only the right one.
    scene.ok("symbol-bundle key generate -o new");
    scene.ok(&format!("{SECOND} --key new.key --kit-key new.pub --threshold 1 -o rotated.json"));
    let said = scene.refused("symbol-bundle kit sign rotated.json --key k1.key -o out.json", 1);
    assert!(said.contains("--previous KIT"), "{said}");
    scene.refused("symbol-bundle kit sign rotated.json --key k1.key --previous of-evil.json -o out.json", 2);
    scene.ok("symbol-bundle kit sign rotated.json --key k1.key --previous kit1.json -o out.json");
}

#[test]
fn signing_again_says_so_and_changes_nothing() {
    let scene = Scene::new("again");
    scene.first_kit("");
    let said = told(&scene, "symbol-bundle kit sign kit1.json --key k2.key -o again.json");
    assert!(said.contains(&format!("signed already by {}", key_id(&scene, "k2"))), "{said}");
    assert_eq!(std::fs::read(scene.path("again.json")).unwrap(), std::fs::read(scene.path("kit1.json")).unwrap());
    let said = scene.refused("symbol-bundle kit sign kit1.json --key k3.key -o again.json", 2);
    assert!(said.contains("name another file") && !said.contains("--force"), "{said}");
}

#[test]
fn who_may_still_sign_is_told_until_enough_did_and_only_then_the_kit_is_to_be_applied() {
    let scene = Scene::new("told");
    let said = told(
        &scene,
        "symbol-bundle kit create --from release-trust --key k1.key --kit-key k1.pub --kit-key k2.pub --threshold 2 --reference-time 2026-11-01T00:00:00Z -o half.json",
    );
    let open = format!("1 of 2 signatures needed; may still sign: {}", key_id(&scene, "k2"));
    assert!(said.contains(&open) && said.contains("next: symbol-bundle kit sign half.json") && !said.contains("kit apply"), "{said}");
    let said = told(&scene, "symbol-bundle kit sign half.json --key k2.key -o kit1.json");
    let digest = scene.digest("kit1.json");
    assert!(said.contains("2 of 2 signatures needed") && !said.contains("may still sign"), "{said}");
    assert!(said.contains(&format!("next: symbol-bundle kit apply kit1.json --store DIR --fingerprint {digest}")), "{said}");
    // New keys: those of the kit before must agree as well. The fingerprint is asked for with the first kit only.
    let said = told(&scene, &format!("{SECOND} --key k3.key --kit-key k3.pub --threshold 1 -o new.json"));
    assert!(
        said.contains("0 of 2 signatures needed by the keys of the kit before") && said.contains("1 of 1 signatures needed by its own"),
        "{said}"
    );
    assert!(said.contains("kit sign new.json --key K.key --previous kit1.json") && !said.contains("kit apply"), "{said}");
    let said = told(&scene, "symbol-bundle kit sign new.json --key k1.key --key k2.key --previous kit1.json -o kit2.json");
    assert!(said.contains("next: symbol-bundle kit apply kit2.json --store DIR\n") && !said.contains("asks for it"), "{said}");
    let shown = scene.ok("symbol-bundle kit show kit2.json");
    assert!(shown.contains(&format!("signature   {} (none of these keys", key_id(&scene, "k1"))), "{shown}");
    // Without word of a threshold the one of the kit before stays.
    let said = told(&scene, &format!("{SECOND} --key k1.key --kit-key k1.pub --kit-key k3.pub -o kept.json"));
    assert!(said.contains("1 of 2 signatures needed by its own keys"), "{said}");
}

#[test]
fn who_is_to_sign_a_kit_can_look_at_it_first_and_at_no_kit_with_a_wrong_signature() {
    let scene = Scene::new("look");
    scene.first_kit("");
    scene.ok(&format!("{SECOND} --key k1.key -o half.json"));
    let shown = scene.ok("symbol-bundle kit show half.json");
    assert!(shown.starts_with("NOT VALID YET: 1 of 2 signatures\n") && shown.contains("\nlog "), "{shown}");
    let shown = scene.json("symbol-bundle kit show half.json");
    assert_eq!((&shown["valid"], &shown["signers"]["ownKeys"]["needed"]), (&false.into(), &2.into()));
    assert_eq!(scene.json("symbol-bundle kit show kit1.json")["valid"], true);
    let changed = scene.ok("symbol-bundle kit diff kit1.json half.json");
    assert!(changed.starts_with("NOT VALID YET: 1 of 2 signatures") && changed.contains("+ sequence: 2"), "{changed}");
    assert_eq!(scene.json("symbol-bundle kit diff kit1.json half.json")["valid"], serde_json::json!({"older": true, "newer": false}));
    let same = scene.ok("symbol-bundle kit diff kit1.json kit1.json");
    assert!(same.contains("no difference") && !same.contains("NOT VALID"), "{same}");
    // The signature of another kit.
    let read = |name: &str| -> serde_json::Value { serde_json::from_slice(&std::fs::read(scene.path(name)).unwrap()).unwrap() };
    let mut wrong = read("half.json");
    wrong["signatures"] = read("kit1.json")["signatures"].clone();
    std::fs::write(scene.path("wrong.json"), wrong.to_string()).unwrap();
    scene.refused("symbol-bundle kit show wrong.json", 1);
    scene.refused("symbol-bundle kit diff kit1.json wrong.json", 1);
}

#[test]
fn what_is_denied_is_shown_with_the_time_and_the_entry_from_which_on() {
    let scene = Scene::new("denied");
    let digest = "a".repeat(64);
    let entry = format!(
        "[{{\"kind\":\"key\",\"digest\":\"{digest}\",\"compromiseTime\":\"2026-11-02T00:00:00Z\",\"logIndex\":{{\"origin\":\"release.example/log\",\"index\":7}},\"reason\":\"stolen\"}}]"
    );
    std::fs::write(scene.path("deny.json"), entry).unwrap();
    scene.first_kit("--deny deny.json");
    let shown = scene.ok("symbol-bundle kit show kit1.json");
    let expected = format!("denied      key {digest} since 2026-11-02T00:00:00Z from entry 7 of release.example/log on: stolen");
    assert!(shown.contains(&expected), "{shown}");
}

#[test]
fn a_kit_that_could_not_be_applied_is_not_made() {
    let scene = Scene::new("usage");
    scene.first_kit("");
    let early = "--key k1.key --reference-time 2026-10-31T23:59:59Z -o out.json";
    for line in [
        format!("symbol-bundle kit create --previous kit1.json {early}"),
        format!("symbol-bundle site enroll approve request.json --kit kit1.json {early}"),
    ] {
        let said = scene.refused(&line, 2);
        assert!(said.contains("2026-11-01T00:00:00Z") && said.contains("kit apply"), "{said}");
    }
    scene.refused(&format!("{SECOND} --key k1.key --threshold 0 -o out.json"), 2);
    for keys in ["", "--kit-key k1.pub --kit-key k1.pub", "--kit-key k1.pub --kit-key k2.pub --kit-key k3.pub"] {
        let said = scene.refused(&format!("{SECOND} --key k1.key {keys} --threshold 4 -o out.json"), 2);
        assert!(said.contains("--kit-key"), "{said}");
    }
    assert!(!scene.path("out.json").exists());
}

#[test]
fn a_kit_that_trusts_nobody_and_a_site_that_is_enrolled_already_are_told() {
    let scene = Scene::new("notes");
    let said = told(&scene, "symbol-bundle kit create --key k1.key --reference-time 2026-11-01T00:00:00Z -o empty.json");
    assert!(said.contains("trusts nobody yet: name --from FOLDER, or --previous KIT"), "{said}");
    let approve = |kit: &str, time: &str, out: &str| {
        told(&scene, &format!("symbol-bundle site enroll approve request.json --kit {kit} --key k1.key --reference-time {time} -o {out}"))
    };
    let said = approve("empty.json", "2026-11-02T00:00:00Z", "one.json");
    assert!(!said.contains("enrolled already") && !said.contains("trusts nobody"), "{said}");
    let said = approve("one.json", "2026-11-03T00:00:00Z", "two.json");
    assert!(said.contains("enrolled already"), "{said}");
    scene.ok("symbol-bundle site checkpoint export --log site-log -o export.json");
    std::fs::write(scene.path("export.json"), "other").unwrap();
    let said = scene.refused("symbol-bundle site checkpoint export --log site-log -o export.json", 2);
    assert!(said.contains("name another file") && !said.contains("--force"), "{said}");
}
