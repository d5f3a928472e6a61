//! Other tools carry our archives without changing a digest, and what they make of them imports.

use std::path::Path;
use std::process::Command;

use sealtrace_layout::LayoutGraph;
use sealtrace_store::LayoutBlobs;

use super::fixture::{Flaw, Silent, sealed, tree};
use sealtrace_skip::has;

use crate::transfer::export::{Existing, export};
use crate::transfer::import::import;

fn run(tool: &str, arguments: &[&str]) {
    let output = Command::new(tool).args(arguments).output().unwrap();
    assert!(output.status.success(), "{tool} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Writes layout and archive, and the store that the archive itself gives.
fn prepare(dir: &Path) -> LayoutGraph {
    let sealed = sealed(Flaw::None);
    sealed.write_layout(&dir.join("layout"));
    export(&dir.join("layout"), &dir.join("archive.tar"), Existing::Keep, &mut |_, _| {}).unwrap();
    for store in ["expected", "store"] {
        sealed.write_store(&dir.join(store));
    }
    import(&dir.join("archive.tar"), &dir.join("expected"), None, &mut Silent).unwrap();
    LayoutBlobs::open(&dir.join("layout")).unwrap().graph().unwrap()
}

#[test]
fn skopeo_carries_bundle_signature_and_fragment_with_unchanged_digests_both_ways() {
    if !has("skopeo") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let graph = prepare(dir.path());
    let path = |name: &str| dir.path().join(name).display().to_string();
    let copy = ["--insecure-policy", "copy", "--all"];
    let from = format!("oci-archive:{}:demo-1.0", path("archive.tar"));
    run("skopeo", &[&copy[..], &[&from, &format!("oci:{}:x", path("mirror"))]].concat());
    let carried = LayoutBlobs::open(&dir.path().join("mirror")).unwrap().graph().unwrap();
    assert_eq!(carried.manifests(), graph.manifests());
    assert_eq!(carried.reachable(), graph.reachable());

    let back = format!("oci-archive:{}:demo-1.0", path("foreign.tar"));
    run("skopeo", &[&copy[..], &[&format!("oci:{}:x", path("mirror")), &back]].concat());
    import(&dir.path().join("foreign.tar"), &dir.path().join("store"), None, &mut Silent).unwrap();
    assert_eq!(tree(&dir.path().join("store")), tree(&dir.path().join("expected")));
}

#[test]
fn an_archive_that_gnu_tar_makes_in_ustar_form_imports_to_the_same_store() {
    if !has("tar") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let (layout, to) = (dir.path().join("layout").display().to_string(), dir.path().join("gnu.tar").display().to_string());
    run("tar", &["--format=ustar", "-cf", &to, "-C", &layout, "blobs", "index.json", "oci-layout"]);
    import(&dir.path().join("gnu.tar"), &dir.path().join("store"), None, &mut Silent).unwrap();
    assert_eq!(tree(&dir.path().join("store")), tree(&dir.path().join("expected")));
}
