//! Core dumps: captured, resolved against the bundle and replayed like any other capture.

use std::path::PathBuf;
use std::process::Command;

use sealtrace_acceptance::process::Running;
use sealtrace_acceptance::release::{json, stacks};
use sealtrace_acceptance::{has, run, skip, succeed};

use crate::site;

/// A core that gdb writes of a sample program; `None`, and a named skip, where it cannot.
fn core_of(program: &str) -> Option<PathBuf> {
    if !has("gcore") {
        skip("gdb", "gdb is not installed");
        return None;
    }
    let folder = site().path("cores");
    std::fs::create_dir_all(&folder).unwrap();
    let running = Running::start(&mut Command::new(site().program(program)));
    let output = run(Command::new("gcore").arg("-o").arg(folder.join(program)).arg(running.pid().to_string()));
    let core = folder.join(format!("{program}.{}", running.pid()));
    if !core.is_file() {
        skip("gdb", &format!("gcore wrote no core: {}", String::from_utf8_lossy(&output.stderr).replace('\n', " ")));
        return None;
    }
    Some(core)
}

#[test]
fn a_core_dump_is_resolved_with_names_and_every_seed_replays_it_whole() {
    let Some(core) = core_of("threads") else { return };
    let capture = core.with_extension("capture.jsonl");
    let trace = core.with_extension("sigstore.json");
    let said = json(&succeed(site().tool("trace-capture").args(["--json", "--core"]).arg(&core).arg("-o").arg(&capture)));
    assert_eq!((said["backend"].as_str(), said["samples"].as_u64(), said["distinctStacks"].as_u64()), (Some("core"), Some(8), Some(8)));
    let report = site().resolve(&capture, &trace);
    let statement = site().resolve_unsigned(&capture, &core.with_extension("statement.json"));
    let stacks = stacks(&statement);
    assert_eq!(stacks.len(), 8);
    let calls = |name: &str| {
        let named = |frame: &&serde_json::Value| frame["function"].as_str().is_some_and(|function| function.starts_with(name));
        stacks.iter().flatten().filter(named).count()
    };
    // The recursion to its bottom, the blocked threads and the handler are there by their names.
    assert!(calls("recurse") > 200, "{}", calls("recurse"));
    for name in ["read_deep", "wait_deep", "spin_three"] {
        assert_eq!(calls(name), 1, "{name}");
    }
    let output = run(site().tool("trace-replay").args(["--seeds", "5", "--strict", "--json", "--trace"]).arg(&trace));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let events: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(json).collect();
    let (_, results) = events.split_last().unwrap();
    assert_eq!(results.len(), 5);
    for result in results {
        assert_eq!(result["replay_success_ratio"], 1.0, "{result}");
        assert_eq!(result["total"], report["coverage"]["framesTotal"], "{result}");
    }
}
