//! `--json`: each command prints one JSON document and nothing else on stdout, or, where it is documented, one on each line.

use std::process::Command;

use sealtrace_acceptance::{run, tool};
use serde_json::Value;

use crate::fixture::{scratch, small_release};

/// The whole way of a bundle, in order; each command with `--json`.
const WAY: &[&str] = &[
    "symbol-bundle key generate -o release",
    "symbol-bundle log init log --origin release.example/log",
    "symbol-bundle build tree --name demo --version 1.0 -o layout",
    "symbol-bundle inspect layout",
    "symbol-bundle index layout",
    "symbol-bundle sign layout --key release.key --trust trust",
    "symbol-bundle log append layout --log log --trust trust",
    "symbol-bundle log checkpoint --log log",
    "symbol-bundle export layout --to demo.tar",
    "symbol-bundle trust add trust --store store",
    "symbol-bundle trust list --store store",
    "symbol-bundle trust enroll audit --signer release.pub --log log",
    "symbol-bundle import demo.tar --store store",
    "symbol-bundle import demo.tar demo.tar --store store",
    "symbol-bundle diff layout demo.tar",
    "trace-verify --bundle demo:1.0 --store store",
    "trace-verify bundles --store store",
];

/// Commands that fail, each in another place.
const FAILING: &[&str] = &[
    "symbol-bundle build missing --name n --version 1 -o out",
    "symbol-bundle inspect missing",
    "symbol-bundle index missing",
    "symbol-bundle diff missing missing",
    "symbol-bundle key generate",
    "symbol-bundle sign missing --key missing",
    "symbol-bundle log append missing --log missing",
    "symbol-bundle log wrong",
    "symbol-bundle export missing --to out.tar",
    "symbol-bundle import missing --store store",
    "symbol-bundle trust list missing",
    "symbol-bundle --wrong",
    "trace-verify --bundle missing:1 --store missing",
    "trace-verify missing --store missing",
    "trace-verify audit missing --trust missing",
    "trace-verify explain missing --frame 0",
    "trace-verify pack missing --to out.tar",
    "trace-verify bundles --store missing",
    "trace-replay --trace missing",
    "trace-replay --seeds 0 --trace missing",
    "trace-resolve --bundle demo:1.0 missing",
];

fn command(line: &str) -> Command {
    let mut words = line.split(' ');
    let mut command = tool(words.next().unwrap());
    command.args(words).arg("--json");
    command
}

#[test]
fn every_command_on_the_way_of_a_bundle_prints_one_document() {
    let folder = scratch();
    small_release(&folder.path().join("tree"));
    for line in WAY {
        let output = run(command(line).current_dir(folder.path()));
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(serde_json::from_str::<Value>(&stdout).is_ok() && stdout.ends_with('\n'), "{line}: {stdout}");
        assert_eq!(stdout.lines().count(), 1, "{line}: {stdout}");
    }
    let index: Value = serde_json::from_slice(&run(command("symbol-bundle index layout").current_dir(folder.path())).stdout).unwrap();
    let path = index["modules"][0]["path"].as_str().unwrap();
    let rows = run(command(&format!("symbol-bundle index layout --expand {path}")).current_dir(folder.path()));
    let rows = String::from_utf8(rows.stdout).unwrap();
    assert!(rows.lines().count() > 2 && rows.lines().all(|row| serde_json::from_str::<Value>(row).is_ok()), "{rows}");
}

#[test]
fn every_failure_is_one_document_with_its_exit_code_message_and_next_step() {
    let folder = scratch();
    for line in FAILING {
        let output = run(command(line).current_dir(folder.path()));
        let stdout = String::from_utf8_lossy(&output.stdout);
        let document: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{line}: {error}: {stdout}"));
        assert_eq!(document["error"]["exit"].as_i64(), output.status.code().map(i64::from), "{line}: {stdout}");
        assert!(document["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{line}: {stdout}");
        assert!(document["error"]["next"].as_str().is_some_and(|next| !next.is_empty()), "{line}: {stdout}");
        assert!(!output.stderr.is_empty(), "{line} says nothing to people");
    }
}
