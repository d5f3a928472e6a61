//! Wrong input to the commands of the site operator: import, trust, and the verification of a bundle of the store.

use crate::fixture::{assert_same, promptly, tree};
use crate::wrong::{Case, scene};

const IMPORT: &[Case] = &[
    ("import", 2, "ARCHIVE"),
    ("import missing --store store", 2, "missing"),
    ("import folder --store store", 2, "symbol-bundle export"),
    ("import file --store store", 2, "cut short"),
    ("import fifo --store store", 3, "FIFO"),
    ("import cut.tar --store store", 2, "cut short"),
    ("import whole.so --store store", 3, "not a ustar header"),
    ("import sealed/demo-1.0.tar --store missing", 2, "symbol-bundle trust add"),
    ("import sealed/demo-1.0.tar --store empty", 2, "symbol-bundle trust add"),
    ("import sealed/demo-1.0.tar --store untrusting", 2, "symbol-bundle trust add"),
    ("import sealed/demo-1.0.tar --store distrusting", 3, "symbol-bundle trust add"),
    ("import sealed/demo-1.0.tar --store file", 2, "file is not a folder"),
    ("import sealed/demo-1.0.tar --store fifo", 2, "fifo is not a folder"),
    ("import sealed/demo-1.0.tar --store /proc", 2, "symbol-bundle trust add"),
];

#[test]
fn import_refuses_what_is_no_archive_or_no_store_that_trusts_with_one_error_and_admits_nothing() {
    let scene = scene();
    scene.refuses_all("symbol-bundle", IMPORT);
    scene.refuses_as_json("symbol-bundle", "import sealed/demo-1.0.tar --store empty", 2);
}

#[test]
fn a_bundle_that_is_unsigned_unlogged_or_signed_by_a_stranger_is_not_admitted() {
    let scene = scene();
    for made in ["export unsigned --to unsigned.tar", "export signed --to unlogged.tar", "trust add other-trust --store elsewhere"] {
        if made.starts_with("trust") {
            let enroll = scene.command("symbol-bundle", "trust enroll other-trust --signer other.pub --log other-log").output().unwrap();
            assert!(enroll.status.success());
        }
        assert!(scene.command("symbol-bundle", made).output().unwrap().status.success(), "{made}");
    }
    scene.refuses_all(
        "symbol-bundle",
        &[
            ("import unsigned.tar --store trusting", 2, "symbol-bundle sign"),
            ("import unlogged.tar --store trusting", 2, "log"),
            ("import sealed/demo-1.0.tar --store elsewhere", 1, "symbol-bundle trust add"),
        ],
    );
}

const TRUST: &[Case] = &[
    ("trust add", 2, "FOLDER"),
    ("trust add missing --store new", 2, "missing"),
    ("trust add empty --store new", 2, "empty"),
    ("trust add folder --store new", 3, "folder"),
    ("trust add file --store new", 2, "file"),
    ("trust add fifo --store new", 2, "fifo"),
    ("trust add sealed/layout --store new", 2, "sealed/layout"),
    ("trust add sealed/release.key --store new", 2, "release.key"),
    ("trust add damaged-trust --store new", 3, "damaged-trust"),
    ("trust add damaged-trust --store store", 3, "damaged-trust"),
    ("trust add sealed/trust --store file", 2, "file"),
    ("trust add sealed/trust --store /proc/new", 2, "/proc/new"),
    ("trust add sealed/trust --store distrusting", 3, "distrusting"),
    ("trust list --store missing", 2, "symbol-bundle trust add"),
    ("trust list --store empty", 2, "symbol-bundle trust add"),
    ("trust list --store file", 2, "file"),
    ("trust list --store distrusting", 3, "distrusting"),
    ("trust enroll new", 2, "--signer"),
    ("trust enroll new --signer missing", 2, "missing"),
    ("trust enroll new --signer folder", 2, "folder"),
    ("trust enroll new --signer fifo", 2, "fifo"),
    ("trust enroll new --signer other.key", 3, "other.key"),
    ("trust enroll new --signer file", 3, "file"),
    ("trust enroll new --log missing", 2, "symbol-bundle log init"),
    ("trust enroll new --log folder", 2, "symbol-bundle log init"),
    ("trust enroll file --signer other.pub", 2, "file"),
    ("trust enroll folder --signer other.pub", 3, "folder"),
    ("trust enroll /proc/new --signer other.pub", 2, "/proc/new"),
    ("trust enroll damaged-trust --signer other.pub", 3, "damaged-trust"),
];

#[test]
fn trust_refuses_what_is_no_trust_folder_no_key_and_no_log_with_one_error_and_trusts_nobody_new() {
    let scene = scene();
    scene.refuses_all("symbol-bundle", TRUST);
    scene.refuses_as_json("symbol-bundle", "trust list --store empty", 2);
}

const VERIFY: &[Case] = &[
    ("--bundle", 2, "--bundle"),
    ("--bundle '' --store store", 2, "names no bundle"),
    ("--bundle demo --store store", 2, "names no bundle"),
    ("--bundle sha256:00 --store store", 2, "names no bundle"),
    ("--bundle sha256:0000000000000000000000000000000000000000000000000000000000000000 --store store", 2, "has no bundle"),
    ("--bundle demo:9 --store store", 2, "has no bundle demo:9"),
    ("--bundle demo:1.0 --store missing", 2, "missing"),
    ("--bundle demo:1.0 --store file", 2, "file is not a folder"),
    ("--bundle demo:1.0 --store empty", 2, "symbol-bundle trust add"),
    ("--bundle demo:1.0 --store trusting", 2, "has no bundle demo:1.0"),
    ("--bundle demo:1.0 --store untrusting", 2, "symbol-bundle trust add"),
    ("--bundle demo:1.0 --store distrusting", 3, "distrusting"),
    ("--bundle demo:1.0 --store store --trust missing", 2, "symbol-bundle trust add"),
    ("--bundle demo:1.0 --store store --trust empty", 2, "symbol-bundle trust add"),
    ("--bundle demo:1.0 --store store --trust folder", 3, "folder"),
    ("--bundle demo:1.0 --store store --trust file", 2, "file"),
    ("--bundle demo:1.0 --store store --trust fifo", 2, "fifo"),
    ("--bundle demo:1.0 --store store --trust damaged-trust", 3, "damaged-trust"),
    ("--bundle demo:1.0 --store store --skip unknown", 2, "--skip unknown"),
    ("--bundle demo:1.0 --store store --unknown", 2, "--unknown"),
    ("bundles --store missing", 2, "missing"),
    ("bundles --store file", 2, "file is not a folder"),
];

#[test]
fn trace_verify_refuses_an_unknown_bundle_a_store_without_trust_and_a_folder_that_is_neither_with_one_error() {
    let scene = scene();
    scene.refuses_all("trace-verify", VERIFY);
    scene.refuses_as_json("trace-verify", "--bundle demo:9 --store store", 2);
    let good = scene.command("trace-verify", &format!("--bundle {} --dsse --rekor --store store", scene.digest)).output().unwrap();
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
}

/// What notices a change of this blob: the verification reads every manifest, the index, the signature and the fragment; symbol tables and
/// unwind data are compared when they are used.
fn reader(blob: &[u8]) -> Option<(&'static str, &'static str)> {
    match () {
        () if blob.starts_with(b"SEALSYMT") => Some(("symbol-bundle", "index demo:1.0 --expand lib/libsmall.so --store store")),
        () if blob.starts_with(b"STUNWIND") || blob == b"{}" => None,
        () => Some(("trace-verify", "--bundle demo:1.0 --dsse --rekor --store store")),
    }
}

#[test]
fn a_byte_changed_in_the_store_is_noticed_where_it_is_read_and_importing_again_repairs_it() {
    let scene = scene();
    let store = scene.folder.path().join("store");
    let whole = tree(&store);
    let blobs: Vec<_> = whole.keys().filter(|path| path.starts_with("oci/blobs") && store.join(path).is_file()).collect();
    let noticed = blobs.iter().filter(|path| reader(&whole[**path].1).is_some()).count();
    assert!(blobs.len() >= 10 && noticed >= 8, "{noticed} of {}", blobs.len());
    for path in blobs {
        let mut bytes = whole[path].1.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::remove_file(store.join(path)).unwrap();
        std::fs::write(store.join(path), &bytes).unwrap();
        let damaged = tree(&store);
        if let Some((tool, line)) = reader(&whole[path].1) {
            let output = promptly(&mut scene.command(tool, line));
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{}: {said}", path.display());
            assert!(said.contains("has the content of") && said.contains("  next: "), "{}: {said}", path.display());
            assert_same(&tree(&store), &damaged, "reading changes nothing");
        }
        let again = promptly(&mut scene.command("symbol-bundle", "import sealed/demo-1.0.tar --store store"));
        assert!(again.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&again.stderr));
        assert_same(&tree(&store), &whole, &path.display().to_string());
    }
}
