//! Policies and deny lists.

use sealtrace_acceptance::run;
use serde_json::{Value, json};

use crate::scene::{Scene, ids};

fn policy(scene: &Scene, changes: &Value) {
    let mut policy = json!({
        "policyVersion": 0, "signers": null, "minimumAssurance": "logged-locally", "requireTime": false, "requireQuorum": false,
        "minimumLogs": 1, "minimumTimestamps": 0, "maximumKitAgeSeconds": null, "requiredPredicateTypes": [], "minimumCoveragePercent": 0,
    });
    for (field, value) in changes.as_object().unwrap() {
        policy[field] = value.clone();
    }
    std::fs::write(scene.path("policy.json"), policy.to_string()).unwrap();
}

#[test]
fn a_policy_file_adds_rules_and_each_failure_names_its_rule_and_the_next_step() {
    let scene = Scene::new("policy");
    scene.enrolled();
    scene.resolve("site-log", "trace.sigstore.json");
    let line = "trace-verify trace.sigstore.json --capture capture.jsonl --policy policy.json";
    let replay = "trace-replay --trace trace.sigstore.json --capture capture.jsonl --policy policy.json --seeds 1";
    policy(&scene, &json!({}));
    scene.ok(replay);
    assert_eq!(scene.verdict(line).0, 0);
    for (changes, rule) in [
        (json!({"minimumAssurance": "cosigned-outside"}), "policy-assurance"),
        (json!({"requireTime": true}), "policy-time"),
        (json!({"requireQuorum": true}), "policy-quorum"),
        (json!({"minimumLogs": 2}), "policy-logs"),
        (json!({"minimumTimestamps": 1}), "policy-timestamps"),
        (json!({"requiredPredicateTypes": ["https://example.org/other/v1"]}), "policy-predicates"),
        (json!({"minimumCoveragePercent": 100}), "policy-coverage"),
        (json!({"signers": []}), "policy-signer-role"),
    ] {
        policy(&scene, &changes);
        let (code, verdict) = scene.verdict(line);
        let failed = ids(&verdict, "fail");
        assert!(code == 1 && !failed.is_empty() && failed.iter().all(|id| id == rule), "{rule}: {failed:?}");
        let said = scene.refused(line, 1);
        assert!(said.contains("next:") && said.contains(&format!("trace-verify explain {rule}")), "{said}");
        let said = scene.refused(replay, 1);
        assert!(said.contains(&format!("check {rule} did not pass")), "{said}");
    }
    // Whoever signs is told at once what this site's own trust makes of it.
    let known = "trace-resolve --bundle sample:1.0 capture.jsonl -o again.sigstore.json --log site-log --key site.key";
    assert!(!String::from_utf8_lossy(&run(&mut scene.tool(known)).stderr).contains("warning"));
    scene.ok("symbol-bundle key generate -o nobody");
    let unknown = known.replace("site.key", "nobody.key").replace("again", "nobodys");
    let said = run(&mut scene.tool(&unknown));
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && stderr.contains("warning") && stderr.contains("signer-trusted"), "{stderr}");
    // The rule is what was broken, not the signature.
    policy(&scene, &json!({"requireTime": true}));
    let shown = run(&mut scene.tool(line));
    assert!(String::from_utf8_lossy(&shown.stdout).contains("signature  valid, by "), "{shown:?}");
    std::fs::write(scene.path("policy.json"), "{}").unwrap();
    scene.refused(line, 3);
    scene.refused(&line.replace("policy.json", "absent.json"), 2);
}

#[test]
fn a_denied_key_counts_no_more_and_old_statements_only_where_order_is_anchored() {
    let scene = Scene::new("deny");
    scene.trusted("");
    scene.ok("symbol-bundle import 1.0.tar");
    let signer = scene.json("symbol-bundle kit show kit1.json")["kit"]["signers"][0]["keyId"].clone();
    let deny = |index: Value| {
        json!([{"kind": "key", "digest": signer, "compromiseTime": null, "logIndex": index, "reason": "laptop stolen"}]).to_string()
    };
    std::fs::write(scene.path("never.json"), deny(Value::Null)).unwrap();
    std::fs::write(scene.path("since.json"), deny(json!({"origin": "release.example/log", "index": 1}))).unwrap();
    let create = |list: &str, more: &str, out: &str| {
        scene.ok(&format!("symbol-bundle kit create --previous kit1.json --key k1.key --key k2.key --reference-time 2026-11-02T00:00:00Z --deny {list}{more} -o {out}"));
    };
    create("never.json", "", "never-kit.json");
    create("since.json", "", "since-kit.json");
    // What the verdict says depends on the kit in the folder that it is asked with.
    for (kit, code) in [("never-kit.json", 1), ("since-kit.json", 0)] {
        let folder = scene.path(&format!("with-{kit}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(scene.path(kit), folder.join("kit.json")).unwrap();
        let (found, verdict) = scene.verdict(&format!("trace-verify --bundle sample:1.0 --trust with-{kit}"));
        assert_eq!(found, code, "{kit}: {verdict}");
        assert_eq!(ids(&verdict, "fail").contains(&"deny-list".to_owned()), code == 1);
        // Without a pin the order of the log shows nothing: the log could have been rewritten.
        let (found, _) = scene.verdict(&format!("trace-verify --bundle sample:1.0 --trust with-{kit} --state other-state-{kit}"));
        assert_eq!(found, 1, "{kit}");
    }
    scene.ok("symbol-bundle kit apply since-kit.json");
    let said = scene.refused("symbol-bundle import 2.0.tar", 1);
    assert!(said.contains("deny-list") && said.contains("laptop stolen"), "{said}");
}

#[test]
fn a_capture_is_the_one_named_or_none_and_a_neighbour_that_is_another_is_told() {
    let scene = Scene::new("captures");
    scene.enrolled();
    scene.resolve("site-log", "trace.sigstore.json");
    let whole = scene.verdict("trace-verify trace.sigstore.json --capture capture.jsonl");
    assert_eq!(whole.0, 0, "{}", whole.1);
    std::fs::write(scene.path("other.jsonl"), "another capture\n").unwrap();
    for named in ["absent.jsonl", "other.jsonl"] {
        let said = scene.refused(&format!("trace-verify trace.sigstore.json --capture {named}"), 2);
        assert!(said.contains(named) && said.contains("leave --capture out"), "{said}");
    }
    // The store has the right one.
    std::fs::copy(scene.path("other.jsonl"), scene.path("trace.capture.jsonl")).unwrap();
    let (code, verdict) = scene.verdict("trace-verify trace.sigstore.json");
    let digest = verdict["checks"].as_array().unwrap().iter().find(|check| check["id"] == "capture-digest").unwrap().clone();
    assert_eq!((code, &digest["outcome"]), (0, &"pass".into()), "{verdict}");
    assert!(digest["reason"].as_str().unwrap().contains("trace.capture.jsonl"), "{digest}");
    let folder = run(&mut scene.tool("trace-verify ."));
    assert!(String::from_utf8_lossy(&folder.stderr).contains("warning: ./trace.sigstore.json: capture-digest"), "{folder:?}");
}
