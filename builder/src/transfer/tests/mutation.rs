//! Every byte changed, every place cut: refused with the store unchanged, or the very same store.

use std::path::Path;

use sealtrace_layout::{ArchiveReader, EntryName, ImageIndex};
use sealtrace_verdict::ExitCode;

use super::fixture::{Flaw, Sealed, Tree, import_bytes, scratch, sealed, tree};
use crate::transfer::export::{Existing, export};

fn archive(sealed: &Sealed, dir: &Path) -> Vec<u8> {
    sealed.write_layout(&dir.join("layout"));
    export(&dir.join("layout"), &dir.join("archive.tar"), Existing::Keep, &mut |_, _| {}).unwrap();
    std::fs::read(dir.join("archive.tar")).unwrap()
}

/// Imports into a store that must stay as it is, or become `expected` and is then made anew.
fn attempt(bytes: &[u8], sealed: &Sealed, root: &Path, (empty, expected): (&Tree, &Tree)) -> Result<(), ExitCode> {
    match import_bytes(bytes, root) {
        Err(error) => {
            assert_eq!(tree(root), *empty, "refused, and the store has changed: {error}");
            Err(error.exit())
        }
        Ok(_) => {
            assert_eq!(tree(root), *expected);
            std::fs::remove_dir_all(root).unwrap();
            sealed.write_store(root);
            Ok(())
        }
    }
}

/// What of `index.json` decides anything: all but annotations, artifact types and whitespace.
fn authenticated(index: &[u8]) -> Option<ImageIndex> {
    let mut index = ImageIndex::parse(index).ok()?;
    index.annotations.clear();
    for descriptor in &mut index.manifests {
        descriptor.annotations.clear();
        descriptor.artifact_type = None;
    }
    Some(index)
}

#[test]
fn an_archive_with_any_byte_changed_is_refused_or_gives_the_same_store() {
    let dir = scratch();
    let sealed = sealed(Flaw::None);
    let bytes = archive(&sealed, dir.path());
    let root = dir.path().join("store");
    sealed.write_store(&root);
    let empty = tree(&root);
    import_bytes(&bytes, &root).unwrap();
    let expected = tree(&root);
    std::fs::remove_dir_all(&root).unwrap();
    sealed.write_store(&root);

    let entries = ArchiveReader::new(bytes.as_slice()).entries().unwrap();
    let index = entries.iter().find(|entry| entry.name == EntryName::Index).unwrap();
    let start = usize::try_from(index.offset).unwrap();
    let index = start..start + usize::try_from(index.size).unwrap();
    let original = authenticated(&bytes[index.clone()]).unwrap();
    let mut accepted = 0;
    for at in 0..bytes.len() {
        for mask in [0x01, 0x20] {
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            match attempt(&changed, &sealed, &root, (&empty, &expected)) {
                Ok(()) => {
                    accepted += 1;
                    assert!(index.contains(&at), "byte {at} ^ {mask} is not listed as unauthenticated");
                    assert_eq!(authenticated(&changed[index.clone()]), Some(original.clone()), "byte {at} ^ {mask}");
                }
                Err(exit) => assert!(exit != ExitCode::Done, "byte {at}"),
            }
        }
    }
    assert!(accepted > 0, "some tag was changed, and the store did not care");
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    let dir = scratch();
    let sealed = sealed(Flaw::None);
    let bytes = archive(&sealed, dir.path());
    let root = dir.path().join("store");
    sealed.write_store(&root);
    let empty = tree(&root);
    let near = (0..=bytes.len() / 512).flat_map(|block| [block * 512, (block * 512).saturating_sub(1), block * 512 + 1]);
    for cut in near.filter(|cut| *cut < bytes.len()) {
        let exit = attempt(&bytes[..cut], &sealed, &root, (&empty, &empty)).unwrap_err();
        let at_entry = cut % 512 == 0;
        assert!(
            exit == ExitCode::NoVerdict || (at_entry || cut > bytes.len() - 1024) && exit == ExitCode::Malformed,
            "cut at {cut}: {exit:?}"
        );
    }
}
