//! The shape of the workspace, read from `cargo metadata`: arrows only downward, golden dependency lists, licences.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "a test over the repository itself")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every workspace member and its rank; an arrow must go to a lower rank. Raising a rank is a reviewed change.
const RANKS: &[(&str, u32)] = &[
    ("sealtrace-digest", 0),
    ("sealtrace-json", 0),
    ("sealtrace-verdict", 0),
    ("sealtrace-object-id", 1),
    ("sealtrace-crypto", 1),
    ("sealtrace-envelope", 1),
    ("sealtrace-layout", 1),
    ("sealtrace-unwind", 1),
    ("sealtrace-certificate", 2),
    ("sealtrace-tlog", 2),
    ("sealtrace-symbols", 2),
    ("sealtrace-trace", 2),
    ("sealtrace-sigstore", 3),
    ("sealtrace-trust", 4),
    ("sealtrace-bundle", 5),
    ("sealtrace-resolve", 6),
    ("sealtrace-replay", 7),
    ("sealtrace-card", 8),
    ("sealtrace-store", 9),
    ("sealtrace-signer", 9),
    ("sealtrace-site-log", 10),
    ("sealtrace-case", 10),
    ("sealtrace-console", 9),
    ("trace-verify", 11),
    ("trace-resolve", 11),
    ("trace-replay", 11),
    ("symbol-bundle", 12),
    ("sealtrace-fuzz", 11),
    ("sealtrace-btf", 1),
    ("sealtrace-probe", 1),
    ("btf-archive", 11),
    ("trace-capture", 12),
    ("sealtrace-manual", 13),
    ("sealtrace-layers", 13),
    ("sealtrace-skip", 0),
    ("sealtrace-acceptance", 13),
    ("sealtrace-instance", 1),
];
/// Crates that only work on bytes: none of them may depend on a device crate.
const PURE_BELOW: u32 = 9;
/// What the audit boundary's two binaries must never link (DESIGN, *Map*).
const NEVER_IN_VERIFIER: &[&str] = &["sealtrace-signer", "sealtrace-site-log"];
/// Test only: it may use what other folders make as seeds, and nothing may depend on it.
const FUZZ: &str = "sealtrace-fuzz";
/// Crates that open sockets or speak a network protocol.
const NETWORK: &[&str] =
    &["hyper", "reqwest", "tokio", "ureq", "curl", "native-tls", "rustls", "openssl", "socket2", "mio", "quinn", "h2", "oci-client"];
const LICENCES: &[&str] =
    &["Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "Unicode-3.0", "Unlicense", "0BSD", "CC0-1.0", "BSL-1.0"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Package id → name, and id → ids of its normal and build dependencies.
fn graph(metadata: &Value) -> (BTreeMap<String, String>, BTreeMap<String, Vec<String>>) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names = metadata["packages"].as_array().unwrap().iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    let edges = metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| {
        let normal = |dep: &&Value| dep["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
        let deps = node["deps"].as_array().unwrap().iter().filter(normal).map(|dep| text(&dep["pkg"])).collect();
        (text(&node["id"]), deps)
    });
    (names, edges.collect())
}

fn closure(start: &str, edges: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![start.to_owned()];
    while let Some(id) = todo.pop() {
        if seen.insert(id.clone()) {
            todo.extend(edges[&id].iter().cloned());
        }
    }
    seen
}

#[test]
fn arrows_between_members_run_downward_only() {
    let metadata = metadata();
    let (names, edges) = graph(&metadata);
    let ranks: BTreeMap<&str, u32> = RANKS.iter().copied().collect();
    let members: BTreeSet<&str> = metadata["workspace_members"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    for id in &members {
        let name = names[*id].as_str();
        let rank = *ranks.get(name).unwrap_or_else(|| panic!("{name} has no rank: add it to RANKS"));
        for dep in edges[*id].iter().filter(|dep| members.contains(dep.as_str())) {
            let below = ranks[names[dep].as_str()];
            assert!(below < rank, "{name} (rank {rank}) depends on {} (rank {below}): arrows run downward only", names[dep]);
            assert!(rank >= PURE_BELOW || below < PURE_BELOW, "{name} is pure and depends on the device {}", names[dep]);
        }
    }
}

#[test]
fn the_verifier_folder_depends_on_no_other_product_folder() {
    let metadata = metadata();
    let (names, edges) = graph(&metadata);
    let ours = |id: &&String| id.contains("/verifier/") && names[*id] != FUZZ;
    for id in names.keys().filter(ours) {
        for dep in edges.get(id).into_iter().flatten().filter(|dep| dep.starts_with("path+")) {
            assert!(dep.contains("/verifier/"), "{} reaches out of verifier/ to {}", names[id], names[dep]);
        }
    }
}

#[test]
fn nothing_depends_on_the_fuzz_targets() {
    let metadata = metadata();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let dependent = node["deps"].as_array().unwrap().iter().any(|dep| dep["name"] == FUZZ.replace('-', "_"));
        assert!(!dependent, "{} depends on {FUZZ}", node["id"]);
    }
}

#[test]
fn the_dependency_lists_of_the_verifier_binaries_are_the_golden_file() {
    let metadata = metadata();
    let (names, edges) = graph(&metadata);
    let mut text = String::from(
        "# Every crate that each binary of verifier/ links, by name. Held by verifier/layers/tests/layers.rs;\n\
         # a change here is reviewed. Rewrite with: SEALTRACE_BLESS=1 cargo test -p sealtrace-layers\n",
    );
    for binary in ["trace-verify", "trace-replay", "trace-resolve"] {
        let id = names.iter().find(|(_, name)| *name == binary).map(|(id, _)| id.clone()).unwrap();
        let linked: BTreeSet<&str> = closure(&id, &edges).iter().map(|id| names[id].as_str()).collect::<BTreeSet<_>>();
        for never in NETWORK.iter().chain(if binary == "trace-resolve" { &[] } else { NEVER_IN_VERIFIER }) {
            assert!(!linked.contains(never), "{binary} links {never}");
        }
        text.extend(["\n[", binary, "]\n"]);
        for name in linked {
            text.extend([name, "\n"]);
        }
    }
    let golden = root().join("verifier/DEPENDENCIES.txt");
    if std::env::var_os("SEALTRACE_BLESS").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(
        text, expected,
        "verifier/DEPENDENCIES.txt is not what is linked; if the change is meant, rewrite it with SEALTRACE_BLESS=1"
    );
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    for package in metadata()["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or("none").replace('/', " OR ");
        let allowed = licence.split(" OR ").any(|choice| {
            choice.trim_matches(['(', ')']).split(" AND ").all(|one| {
                let base = one.trim_matches(['(', ')', ' ']).split(" WITH ").next().unwrap_or("");
                LICENCES.contains(&base)
            })
        });
        assert!(allowed, "{} is licensed {licence}", package["name"]);
    }
}

#[test]
fn no_source_file_passes_500_lines_of_code_and_no_main_80() {
    let listing = Command::new("git").args(["ls-files", "-co", "--exclude-standard", "*.rs"]).current_dir(root()).output();
    let Some(listing) = listing.ok().filter(|output| output.status.success()) else {
        eprintln!("SKIPPED: file sizes (no git here)");
        return;
    };
    for file in String::from_utf8(listing.stdout).unwrap().lines().filter(|file| !file.contains("/tests/")) {
        let Ok(text) = std::fs::read_to_string(root().join(file)) else { continue };
        let code = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
        let count = code.filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//")).count();
        let limit = if file.ends_with("/main.rs") { 80 } else { 500 };
        assert!(count <= limit, "{file} has {count} lines of code, the limit is {limit}");
    }
}
