//! Export, import, import again; what is refused on the way; two at once; a killed one before.

use std::path::Path;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{ArchiveReader, EntryName};
use sealtrace_store::{ArchiveBlobs, ArchiveFile, Store, StoreError};
use sealtrace_verdict::ExitCode;

use super::fixture::{Flaw, Silent, import_bytes, scratch, sealed, tree};
use crate::transfer::export::{Existing, export};
use crate::transfer::import::{Watcher, import};
use crate::transfer::{ExportError, ImportError};

fn exported(dir: &Path) -> Vec<u8> {
    let sealed = sealed(Flaw::None);
    sealed.write_layout(&dir.join("layout"));
    sealed.write_store(&dir.join("store"));
    let to = dir.join("archive.tar");
    export(&dir.join("layout"), &to, Existing::Keep, &mut |_, _| {}).unwrap();
    std::fs::read(to).unwrap()
}

#[test]
fn an_export_has_the_fixed_order_and_the_same_bytes_each_time() {
    let dir = scratch();
    let bytes = exported(dir.path());
    let names: Vec<_> = ArchiveReader::new(bytes.as_slice()).entries().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names[..2], [EntryName::OciLayout, EntryName::Index]);
    let manifests = 4;
    assert!(names[2..2 + manifests].is_sorted() && names[2 + manifests..].is_sorted());
    let blobs = ArchiveBlobs::open(ArchiveFile::open(&dir.path().join("archive.tar")).unwrap()).unwrap();
    let graph = blobs.graph().unwrap();
    assert!(names[2..2 + manifests].iter().all(
        |name| matches!(name, EntryName::Blob(digest) if graph.manifests().contains_key(digest) || graph.indexes().any(|index| index == digest))
    ));

    std::fs::write(dir.path().join("layout/blobs/sha256").join(BlobDigest::of(b"stray").hex()), b"stray").unwrap();
    let again = export(&dir.path().join("layout"), &dir.path().join("again.tar"), Existing::Keep, &mut |_, _| {}).unwrap();
    assert_eq!(std::fs::read(dir.path().join("again.tar")).unwrap(), bytes, "a blob that nothing reaches changes nothing");
    assert_eq!((again.bytes, again.sha256), (u64::try_from(bytes.len()).unwrap(), BlobDigest::of(&bytes)));
    assert!(again.signed && again.logged);
}

#[test]
fn an_export_never_replaces_by_accident_and_leaves_nothing_half_written() {
    let dir = scratch();
    exported(dir.path());
    let (layout, to) = (dir.path().join("layout"), dir.path().join("archive.tar"));
    let refused = export(&layout, &to, Existing::Keep, &mut |_, _| {}).unwrap_err();
    assert!(matches!(refused, ExportError::Exists { .. }) && refused.exit() == ExitCode::NoVerdict);
    std::fs::write(&to, b"old").unwrap();
    std::fs::write(dir.path().join("archive.tar.partial"), vec![1; 1 << 20]).unwrap();
    let replaced = export(&layout, &to, Existing::Replace, &mut |_, _| {}).unwrap();
    assert_eq!(std::fs::metadata(&to).unwrap().len(), replaced.bytes, "the rest of a killed export is gone");

    let table = layout.join("blobs/sha256").join(BlobDigest::of(b"a symbol table").hex());
    std::fs::write(&table, b"a zymbol table").unwrap();
    let before = tree(dir.path());
    let damaged = export(&layout, &dir.path().join("new.tar"), Existing::Keep, &mut |_, _| {}).unwrap_err();
    assert_eq!(damaged.exit(), ExitCode::Rejected);
    assert_eq!(tree(dir.path()), before);
    std::fs::remove_file(&table).unwrap();
    assert_eq!(export(&layout, &dir.path().join("new.tar"), Existing::Keep, &mut |_, _| {}).unwrap_err().exit(), ExitCode::NoVerdict);
    assert!(export(&dir.path().join("absent"), &to, Existing::Replace, &mut |_, _| {}).is_err());
}

#[test]
fn an_import_admits_the_bundle_once_and_the_second_changes_nothing() {
    let dir = scratch();
    let bytes = exported(dir.path());
    let root = dir.path().join("store");
    let first = import_bytes(&bytes, &root).unwrap();
    assert!(!first.already && first.unreferenced.is_empty());
    let admitted = tree(&root);
    assert!(!admitted.keys().any(|path| path.starts_with("staging")));
    let second = import_bytes(&bytes, &root).unwrap();
    assert!(second.already);
    assert_eq!(tree(&root), admitted);

    let store = Store::open(&root).unwrap();
    let bundle = store.find_bundle("demo:1.0").unwrap();
    assert_eq!(store.find_bundle(&bundle.digest.to_string()).unwrap(), bundle);
    let attached = store.attachments(&bundle.digest).unwrap();
    assert_eq!((attached.signatures.len(), attached.fragments.len()), (1, 1));
    assert_eq!(bundle.receipt.log.as_ref().map(|log| (log.origin.as_str(), log.index)), Some(("log.example/test", 1)));
    assert!(matches!(store.find_bundle("demo:2.0"), Err(StoreError::Unknown { .. })));
    assert!(matches!(store.find_bundle("sha256:12"), Err(StoreError::Reference { .. })));
    // The store's own layout can be carried on.
    let onward = export(&root.join("oci"), &dir.path().join("onward.tar"), Existing::Keep, &mut |_, _| {}).unwrap();
    assert!(onward.signed && onward.logged);
    std::fs::create_dir(dir.path().join("far")).unwrap();
    sealed(Flaw::None).write_store(&dir.path().join("far"));
    import(&dir.path().join("onward.tar"), &dir.path().join("far"), None, &mut Silent).unwrap();
    assert_eq!(tree(&dir.path().join("far")), admitted);
}

#[test]
fn a_damaged_store_is_repaired_by_importing_again() {
    let dir = scratch();
    let bytes = exported(dir.path());
    let root = dir.path().join("store");
    import_bytes(&bytes, &root).unwrap();
    let whole = tree(&root);
    let table = root.join("oci/blobs/sha256").join(BlobDigest::of(b"a symbol table").hex());
    std::fs::remove_file(&table).unwrap();
    std::fs::write(&table, b"rot").unwrap();
    std::fs::write(root.join("oci/index.json"), b"{").unwrap();
    import_bytes(&bytes, &root).unwrap();
    assert_eq!(tree(&root), whole);
}

#[test]
fn without_trust_or_with_another_trust_nothing_is_admitted() {
    let dir = scratch();
    let bytes = exported(dir.path());
    for prepare in ["absent", "empty", "other-key", "other-log"] {
        let root = dir.path().join(prepare);
        if prepare != "absent" {
            std::fs::create_dir(&root).unwrap();
        }
        let sealed = sealed(Flaw::None);
        let expected = match prepare {
            "other-key" => {
                let mut less = sealed.clone();
                less.trust.retain(|(name, _)| !name.starts_with("keys/"));
                less.write_store(&root);
                ExitCode::Rejected
            }
            "other-log" => {
                sealed.write_store(&root);
                let text = std::fs::read_to_string(root.join("trust/trusted_root.json")).unwrap();
                std::fs::write(root.join("trust/trusted_root.json"), text.replace("log.example/test", "log.example/tesu")).unwrap();
                ExitCode::Rejected
            }
            _ => ExitCode::NoVerdict,
        };
        let before = root.exists().then(|| tree(&root));
        let error = import_bytes(&bytes, &root).unwrap_err();
        assert_eq!(error.exit(), expected, "{prepare}: {error}");
        assert_eq!(root.exists().then(|| tree(&root)), before, "{prepare}");
    }
}

#[test]
fn what_a_killed_import_left_is_cleared_and_planted_links_are_not_followed() {
    let dir = scratch();
    let bytes = exported(dir.path());
    let root = dir.path().join("store");
    let outside = dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("keep"), b"keep").unwrap();
    std::fs::create_dir_all(root.join("staging/import-1")).unwrap();
    std::fs::write(root.join("staging/import-1/half"), b"half").unwrap();
    std::os::unix::fs::symlink(outside.join("keep"), root.join("staging/import-1/link")).unwrap();
    std::os::unix::fs::symlink(&outside, root.join("staging/import-2")).unwrap();
    import_bytes(&bytes, &root).unwrap();
    assert!(!root.join("staging").exists());
    assert_eq!(std::fs::read(outside.join("keep")).unwrap(), b"keep");

    std::os::unix::fs::symlink(&outside, root.join("staging")).unwrap();
    let before = tree(dir.path());
    let error = import_bytes(&bytes, &root).unwrap_err();
    assert!(matches!(error, ImportError::Device(_)) && error.exit() == ExitCode::NoVerdict);
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn a_second_importer_waits_for_the_first() {
    struct Tell(std::sync::mpsc::Sender<()>);
    impl Watcher for Tell {
        fn waiting(&mut self) {
            self.0.send(()).unwrap();
        }
        fn progress(&mut self, _: u64, _: u64) {}
    }
    let dir = scratch();
    exported(dir.path());
    let root = dir.path().join("store");
    let held = std::fs::File::open(&root).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let (archive, store) = (dir.path().join("archive.tar"), root.clone());
    let second = std::thread::spawn(move || import(&archive, &store, None, &mut Tell(sender)).map(|imported| imported.blobs));
    receiver.recv().unwrap();
    assert!(!root.join("oci").exists() && !root.join("staging").exists());
    drop(held);
    assert!(second.join().unwrap().is_ok());
    assert!(root.join("oci/index.json").exists());
}

#[test]
fn only_a_regular_file_is_an_archive_and_a_fifo_does_not_hang() {
    let dir = scratch();
    exported(dir.path());
    let root = dir.path().join("store");
    let before = tree(&root);
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let cases = [
        (fifo, ExitCode::Malformed),
        (dir.path().join("socket"), ExitCode::Malformed),
        ("/dev/zero".into(), ExitCode::Malformed),
        (dir.path().join("layout"), ExitCode::NoVerdict),
        (dir.path().join("absent"), ExitCode::NoVerdict),
    ];
    for (path, expected) in cases {
        let error = import(&path, &root, None, &mut Silent).unwrap_err();
        assert_eq!(error.exit(), expected, "{error}");
    }
    assert_eq!(tree(&root), before);
    std::os::unix::fs::symlink(dir.path().join("archive.tar"), dir.path().join("link")).unwrap();
    assert!(import(&dir.path().join("link"), &root, None, &mut Silent).is_ok(), "a link that the operator names is followed");
}
