//! `trace-verify proof`: the key as a vkey or a file with one, and the next step of whoever checks a proof.

use sealtrace_acceptance::run;

use crate::scene::Scene;

#[test]
fn a_proof_takes_a_vkey_or_its_file_and_what_fails_names_the_step_of_whoever_checks_it() {
    let scene = Scene::new("proof");
    let proved = scene.json("symbol-bundle log prove --log release-log --index 0 -o f.tlog-proof --entry entry");
    let vkey = proved["vkey"].as_str().unwrap().to_owned();
    std::fs::write(scene.path("log.vkey"), format!("{vkey}\n")).unwrap();
    let check = |key: &str, entry: &str, code: i32, says: &[&str]| {
        let output = run(&mut scene.tool(&format!("trace-verify proof f.tlog-proof --entry {entry} --log-key {key}")));
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{key} {entry}: {said}");
        for words in says {
            assert!(said.contains(words), "{key} {entry} does not say {words:?}: {said}");
        }
        assert!(!said.contains("ask for the bundle") && !said.contains("log it anew"), "{said}");
    };
    check(&vkey, "entry", 0, &["VERIFIED"]);
    check("log.vkey", "entry", 0, &["VERIFIED"]);
    // A bare key does not say the log's name.
    check("release-key.pub", "entry", 2, &["release-key.pub is a PEM file", "next: a vkey is needed", "log witness show"]);
    check("missing", "entry", 2, &["missing", "next: a vkey is needed"]);
    check("1.0.tar", "entry", 2, &["1.0.tar", "next: a vkey is needed"]);
    check("x+00000000+AAAA", "entry", 3, &["next: a vkey is needed"]);
    let other = scene.json("symbol-bundle log init --log other-log --origin release.example/log")["vkey"].as_str().unwrap().to_owned();
    check(&other, "entry", 1, &["checkpoint-signature", "next: is this the key of the right log?", "ask for the proof again"]);
    check(&vkey, "log.vkey", 1, &["inclusion", "next: is this the entry at that index?", "ask for the proof again"]);
    std::fs::write(scene.path("f.tlog-proof"), "<html>").unwrap();
    check(&vkey, "entry", 3, &["tlog-proof-shape", "next: ask for the proof again"]);
}
