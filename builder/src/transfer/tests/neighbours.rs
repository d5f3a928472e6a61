//! What other bundles of a store, and other processes, do to an import: nothing, unless the store is full.

use std::path::Path;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{Descriptor, ImageIndex, MAX_MANIFEST_BYTES};
use sealtrace_store::Receipt;
use sealtrace_verdict::ExitCode;

use super::fixture::{Flaw, Sealed, Silent, import_bytes, scratch, sealed, tree};
use crate::transfer::ImportError;
use crate::transfer::export::{Existing, export};
use crate::transfer::import::{Watcher, import};

type Damage = fn(&Path, &BlobDigest);

const NEIGHBOUR: &[u8] = b"a neighbour's manifest";

/// A store with the small bundle and a neighbour of it, and the bundle's archive.
fn store_of_two(dir: &Path) -> (Vec<u8>, BlobDigest, Receipt) {
    let archive = archive(&sealed(Flaw::None), dir);
    let root = dir.join("store");
    let receipt = import_bytes(&archive, &root).unwrap().bundle.receipt;
    let neighbour = BlobDigest::of(NEIGHBOUR);
    std::fs::write(blob(&root, &neighbour), NEIGHBOUR).unwrap();
    write_receipt(&root, &Receipt { bundle: neighbour, name: "neighbour".to_owned(), ..receipt.clone() });
    assert!(import_bytes(&archive, &root).unwrap().at_fault.is_empty());
    assert!(listed(&root).iter().any(|entry| entry.digest == neighbour));
    (archive, neighbour, receipt)
}

fn archive(sealed: &Sealed, dir: &Path) -> Vec<u8> {
    sealed.write_layout(&dir.join("layout"));
    sealed.write_store(&dir.join("store"));
    let to = dir.join("archive.tar");
    export(&dir.join("layout"), &to, Existing::Keep, &mut |_, _| {}).unwrap();
    std::fs::read(to).unwrap()
}

fn blob(root: &Path, digest: &BlobDigest) -> std::path::PathBuf {
    root.join("oci/blobs/sha256").join(digest.hex())
}

fn receipt_path(root: &Path, bundle: &BlobDigest) -> std::path::PathBuf {
    root.join("receipts").join(format!("{}.json", bundle.hex()))
}

fn write_receipt(root: &Path, receipt: &Receipt) {
    std::fs::write(receipt_path(root, &receipt.bundle), receipt.encode().unwrap()).unwrap();
}

fn listed(root: &Path) -> Vec<Descriptor> {
    ImageIndex::parse(&std::fs::read(root.join("oci/index.json")).unwrap()).unwrap().manifests
}

#[test]
fn a_fault_in_the_files_of_another_bundle_is_named_and_leaves_its_listing_as_it_was() {
    let damages: [(&str, Damage); 3] = [
        ("receipt", |root, bundle| std::fs::write(receipt_path(root, bundle), b"{").unwrap()),
        ("receipt too large", |root, bundle| std::fs::write(receipt_path(root, bundle), vec![b' '; 2 << 20]).unwrap()),
        ("manifest", |root, bundle| {
            std::fs::remove_file(blob(root, bundle)).unwrap();
            std::fs::create_dir(blob(root, bundle)).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let dir = scratch();
        let (archive, neighbour, receipt) = store_of_two(dir.path());
        let root = dir.path().join("store");
        let before = listed(&root);
        damage(&root, &neighbour);
        let damaged = tree(&root);
        let imported = import_bytes(&archive, &root).unwrap();
        assert_eq!(imported.at_fault.iter().map(|(bundle, _)| *bundle).collect::<Vec<_>>(), [neighbour], "{what}");
        assert_eq!(listed(&root), before, "{what}");
        assert_eq!(tree(&root), damaged, "{what}");
        // Its own files are replaced.
        std::fs::write(receipt_path(&root, &receipt.bundle), b"{").unwrap();
        assert_eq!(import_bytes(&archive, &root).unwrap().at_fault.len(), 1, "{what}");
        assert_eq!(tree(&root), damaged, "{what}");
    }
}

#[test]
fn a_neighbour_whose_manifest_is_gone_is_listed_no_more() {
    let dir = scratch();
    let (archive, neighbour, _) = store_of_two(dir.path());
    let root = dir.path().join("store");
    std::fs::remove_file(blob(&root, &neighbour)).unwrap();
    assert!(import_bytes(&archive, &root).unwrap().at_fault.is_empty());
    assert!(listed(&root).iter().all(|entry| entry.digest != neighbour));
}

#[test]
fn a_store_whose_index_would_be_more_than_readers_take_is_full_and_unchanged() {
    let dir = scratch();
    let (archive, _, receipt) = store_of_two(dir.path());
    let root = dir.path().join("store");
    // Ten thousand entries each: one fits, two do not.
    let crowd = |bytes: &[u8]| {
        std::fs::write(blob(&root, &BlobDigest::of(bytes)), bytes).unwrap();
        let fragments = vec![receipt.fragments[0]; 10_000];
        write_receipt(&root, &Receipt { bundle: BlobDigest::of(bytes), fragments, ..receipt.clone() });
    };
    crowd(b"crowd 1");
    import_bytes(&archive, &root).unwrap();
    assert!(listed(&root).len() > 10_000);
    crowd(b"crowd 2");
    let before = tree(&root);
    let error = import_bytes(&archive, &root).unwrap_err();
    assert!(matches!(error, ImportError::Full { needed, .. } if needed > MAX_MANIFEST_BYTES), "{error}");
    assert_eq!(error.exit(), ExitCode::Malformed);
    assert_eq!(tree(&root), before);
}

/// Changes the trust folder while the import waits for the lock.
struct Meanwhile<'a> {
    lock: Option<std::fs::File>,
    change: Box<dyn FnMut() + 'a>,
}

impl Watcher for Meanwhile<'_> {
    fn waiting(&mut self) {
        (self.change)();
        self.lock = None;
    }
    fn progress(&mut self, _: u64, _: u64) {}
}

fn import_after(change: impl FnMut(), dir: &Path) -> Result<(), ImportError> {
    let lock = std::fs::File::open(dir.join("store")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let mut watcher = Meanwhile { lock: Some(lock), change: Box::new(change) };
    let result = import(&dir.join("archive.tar"), &dir.join("store"), None, &mut watcher).map(|_| ());
    assert!(watcher.lock.is_none(), "the import waited");
    result
}

#[test]
fn trust_that_changes_while_an_import_waits_is_the_trust_it_uses() {
    let dir = scratch();
    let sealed = sealed(Flaw::None);
    archive(&sealed, dir.path());
    let root = dir.path().join("store");
    let before = tree(&root);
    let revoked = || std::fs::remove_dir_all(root.join("trust/keys")).unwrap();
    let error = import_after(revoked, dir.path()).unwrap_err();
    assert_eq!(error.exit(), ExitCode::Rejected, "{error}");
    assert!(!root.join("oci").exists());
    std::fs::remove_dir_all(root.join("trust")).unwrap();
    assert!(matches!(import(&dir.path().join("archive.tar"), &root, None, &mut Silent), Err(ImportError::NoTrust { .. })));
    import_after(|| sealed.write_store(&root), dir.path()).unwrap();
    assert!(before.keys().all(|path| tree(&root).contains_key(path)) && root.join("oci/index.json").exists());
}
