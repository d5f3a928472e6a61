//! `btf-archive list` from outside.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::path::Path;
use std::process::{Command, Output};

fn blob() -> Vec<u8> {
    let mut bytes = vec![0x9f, 0xeb, 1, 0];
    bytes.extend([24_u32, 0, 4, 4, 1].map(u32::to_le_bytes).concat());
    bytes.extend(b"TYPE\0");
    bytes
}

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn list(root: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_btf-archive")).arg("list").arg(root).arg("--json").output().unwrap()
}

#[test]
fn blobs_are_listed_in_order_of_distro_version_arch_and_release() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["ubuntu/22.04/arm64/5.15.0-1-generic.btf", "debian/12/x86_64/6.1.0-18-amd64.btf", "README.md"] {
        put(dir.path(), name, &blob());
    }
    let output = list(dir.path());
    assert!(output.status.success());
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let releases: Vec<_> = value["blobs"].as_array().unwrap().iter().map(|blob| blob["release"].clone()).collect();
    assert_eq!(releases, ["6.1.0-18-amd64", "5.15.0-1-generic"]);
    assert_eq!(value["blobs"][0]["size"], 29);
}

#[test]
fn what_is_no_plain_btf_in_its_place_is_refused_with_the_documented_code() {
    for (name, bytes, code) in [
        ("debian/12/x86_64/r.btf", b"no".to_vec(), 3),
        ("debian/12/x86_64/r.btf", blob()[..20].to_vec(), 3),
        ("debian/12/x86_64/r.btf.tar.xz", blob(), 2),
        ("debian/12/r.btf", blob(), 2),
        ("debian/12/x86_64/deep/r.btf", blob(), 2),
        ("debian/12/x86_64/notes.txt", blob(), 2),
        (".hidden", blob(), 2),
    ] {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), name, &bytes);
        let output = list(dir.path());
        assert_eq!(output.status.code(), Some(code), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("next:"), "{name}");
    }
}
