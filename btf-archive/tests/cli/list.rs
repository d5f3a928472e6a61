//! `btf-archive list` from outside.

use crate::support::{blob, hub_archive, json, put, run};

#[test]
fn blobs_are_listed_in_order_of_distro_version_arch_and_release() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["ubuntu/22.04/arm64/5.15.0-1-generic.btf", "debian/12/x86_64/6.1.0-18-amd64.btf", "README.md"] {
        put(dir.path(), name, &blob("a"));
    }
    let (code, value) = json(&["list", dir.path().to_str().unwrap()]);
    assert_eq!(code, 0);
    let releases: Vec<_> = value["blobs"].as_array().unwrap().iter().map(|blob| blob["release"].clone()).collect();
    assert_eq!(releases, ["6.1.0-18-amd64", "5.15.0-1-generic"]);
    assert_eq!(value["blobs"][0]["size"], blob("a").len());
    assert!(value["blobs"][0]["provenance"].is_null());
}

#[test]
fn a_packed_blob_is_listed_with_the_digest_of_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let Some(packed) = hub_archive("r.btf", &blob("packed")) else { return };
    put(dir.path(), "debian/12/x86_64/p.btf.tar.xz", &packed);
    put(dir.path(), "debian/12/x86_64/q.btf", &blob("packed"));
    let (_, value) = json(&["list", dir.path().to_str().unwrap()]);
    assert_eq!(value["blobs"][0]["sha256"], value["blobs"][1]["sha256"]);
}

#[test]
fn what_is_no_btf_in_its_place_is_refused_with_the_documented_code() {
    for (name, bytes, code) in [
        ("debian/12/x86_64/r.btf", b"no".to_vec(), 3),
        ("debian/12/x86_64/r.btf", blob("")[..20].to_vec(), 3),
        ("debian/12/x86_64/r.btf.tar.xz", blob(""), 3),
        ("debian/12/x86_64/r.btf.json", b"{}".to_vec(), 2),
        ("debian/12/r.btf", blob(""), 2),
        ("debian/12/x86_64/deep/r.btf", blob(""), 2),
        ("debian/12/x86_64/notes.txt", blob(""), 2),
        ("debian/12/x86_64/.btf", blob(""), 2),
        (".hidden", blob(""), 2),
    ] {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), name, &bytes);
        let output = run(&["list", dir.path().to_str().unwrap(), "--json"]);
        assert_eq!(output.status.code(), Some(code), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stderr).contains("next:"), "{name}");
    }
}

#[test]
fn a_sidecar_of_other_bytes_or_another_kernel_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (source, archive) = (dir.path().join("debian/12/x86_64/r.btf"), dir.path().join("archive"));
    put(dir.path(), "debian/12/x86_64/r.btf", &blob("a"));
    let archive_text = archive.to_str().unwrap();
    assert_eq!(json(&["add", archive_text, source.to_str().unwrap()]).0, 0);
    assert_eq!(json(&["list", archive_text]).1["blobs"][0]["provenance"]["sourceKind"], "btf");
    let place = archive.join("debian/12/x86_64");
    put(&place, "r.btf", &blob("b"));
    assert_eq!(run(&["list", archive_text]).status.code(), Some(1));
    put(&place, "s.btf", &blob("a"));
    std::fs::rename(place.join("r.btf.json"), place.join("s.btf.json")).unwrap();
    assert_eq!(run(&["list", archive_text]).status.code(), Some(1));
}
