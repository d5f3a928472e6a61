//! Blobs, archives and the tool itself.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// BTF with one integer, and `mark` as a string so that blobs differ.
pub(crate) fn blob(mark: &str) -> Vec<u8> {
    let strings = format!("\0int\0{mark}\0");
    let mut bytes = vec![0x9f, 0xeb, 1, 0];
    bytes.extend([24_u32, 0, 16, 16, u32::try_from(strings.len()).unwrap()].map(u32::to_le_bytes).concat());
    bytes.extend([1_u32, 1 << 24, 4, 32].map(u32::to_le_bytes).concat());
    bytes.extend(strings.as_bytes());
    bytes
}

/// Writes a file and the folders above it.
pub(crate) fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A blob as BTFHub packs it; `None` (a named skip) without tar or xz.
pub(crate) fn hub_archive(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    if !sealtrace_skip::has("tar") || !sealtrace_skip::has("xz") {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(name), bytes).unwrap();
    let tar = Command::new("tar").arg("-C").arg(dir.path()).args(["-cJf", "-", name]).stdout(Stdio::piped()).output().unwrap();
    assert!(tar.status.success());
    Some(tar.stdout)
}

/// Runs the tool.
pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_btf-archive")).args(arguments).output().unwrap()
}

/// Runs the tool with `--json`; its exit code and what it prints.
pub(crate) fn json(arguments: &[&str]) -> (i32, serde_json::Value) {
    let output = run(&[arguments, &["--json"]].concat());
    let value = serde_json::from_slice(&output.stdout);
    (output.status.code().unwrap(), value.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
}
