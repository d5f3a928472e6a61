//! A host's clock warns and decides nothing.

use sealtrace_acceptance::{has, run};

use crate::scene::Scene;

#[test]
fn a_clock_at_1970_or_2099_changes_no_verdict_and_says_so() {
    if !has("faketime") {
        return;
    }
    let scene = Scene::new("clock");
    scene.trusted("--warn-after 86400 --fail-after 8640000");
    scene.ok("symbol-bundle import 1.0.tar");
    let at = |time: &str| {
        let mut command = std::process::Command::new("faketime");
        let tool = scene.tool("trace-verify --bundle sample:1.0 --json");
        command
            .arg(time)
            .arg(tool.get_program())
            .args(tool.get_args())
            .current_dir(&scene.folder)
            .env("SEALTRACE_STORE", scene.path("store"));
        let output = run(&mut command);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (right, quiet) = at("2026-11-01 12:00:00");
    assert!(!quiet.contains("warning"), "{quiet}");
    let time = serde_json::from_slice::<serde_json::Value>(&right).unwrap()["time"].clone();
    let receipt = "import receipt: admitted to this store under kit 1, so not before 2026-11-01T00:00:00Z; a record, which bounds nothing";
    assert!(time["sources"].as_array().unwrap().contains(&receipt.into()), "{time}");
    for time in ["1970-01-02 00:00:00", "2099-12-31 00:00:00"] {
        let (verdict, said) = at(time);
        assert_eq!(verdict, right, "{time}");
        assert!(said.contains("warning") && said.contains("no verdict depends"), "{time}: {said}");
    }
}

#[test]
fn a_kit_that_is_too_old_against_a_later_authenticated_time_fails_whatever_the_clock_says() {
    let scene = Scene::new("stale");
    scene.trusted("--warn-after 86400 --fail-after 864000");
    scene.ok("symbol-bundle import 1.0.tar");
    let later =
        |time: &str| std::fs::write(scene.path("store/state/reference-time.json"), format!("{{\"referenceTime\":\"{time}\"}}")).unwrap();
    later("2026-11-05T00:00:00Z");
    let said = run(&mut scene.tool("trace-verify --bundle sample:1.0"));
    assert!(said.status.success() && String::from_utf8_lossy(&said.stderr).contains("kit-age"));
    later("2026-12-01T00:00:00Z");
    let (code, verdict) = scene.verdict("trace-verify --bundle sample:1.0");
    assert_eq!((code, crate::scene::ids(&verdict, "fail")), (1, vec!["kit-age".to_owned()]));
}
