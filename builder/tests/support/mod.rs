//! What the integration tests share: the binary, the fixtures, JSON on stdout.
#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses a part of this")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The tool.
pub(crate) fn tool() -> Command {
    Command::new(env!("CARGO_BIN_EXE_symbol-bundle"))
}

/// Runs the tool with a line of arguments and more.
pub(crate) fn run(line: &str, more: &[&Path]) -> Output {
    tool().args(line.split_whitespace()).args(more).output().unwrap()
}

/// Standard output as JSON; fails with standard error.
pub(crate) fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Builds a bundle of `tree` and returns what `--json` prints.
pub(crate) fn build(tree: &Path, layout: &Path, more: &str) -> Value {
    json(&run(&format!("build --name rel --version 1 --json {more} -o"), &[layout, tree]))
}

/// The fixtures, compiled into a folder of this test.
pub(crate) fn fixtures(dir: &Path) -> PathBuf {
    let out = dir.join("release");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/generate.sh");
    let output = Command::new("sh").arg(script).arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out
}

/// Every file and link below a folder, sorted, relative; without what an ordinary user may not list.
pub(crate) fn files(root: &Path) -> Vec<String> {
    let mut todo = vec![root.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = todo.pop() {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => continue,
            entries => entries.unwrap(),
        };
        for entry in entries {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                todo.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Copies a tree in the given order of files; links stay links.
pub(crate) fn copy_in_order(from: &Path, to: &Path, order: &[String]) {
    for name in order {
        let target = to.join(name);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        match std::fs::read_link(from.join(name)) {
            Ok(link) => std::os::unix::fs::symlink(link, target).unwrap(),
            Err(_) => std::fs::write(target, std::fs::read(from.join(name)).unwrap()).unwrap(),
        }
    }
}
