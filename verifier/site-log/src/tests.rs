//! The log on disk: growth past tiles, repeated appends, kills between any two writes, two writers.
#![expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "counts of test data are small")]

use std::fs;
use std::path::Path;

use sealtrace_signer::SigningKey;
use sealtrace_tlog::{LeafHash, LeafIndex, Origin, RootHash, SignedCheckpoint, TreeSize, root_of_leaves, verify_inclusion};

use super::*;

mod check;
mod crash;
mod earlier;
pub(crate) mod fault;
mod interop;
mod positions;
mod power;
mod processes;

fn origin() -> Origin {
    Origin::parse("example.org/site-log").unwrap()
}

fn body(index: usize) -> Vec<u8> {
    format!("body {index}").into_bytes()
}

fn leaves(count: usize) -> Vec<LeafHash> {
    (0..count).map(|index| LeafHash::of(&body(index))).collect()
}

/// A folder in memory where there is one: hundreds of logs are opened, and what is on a real disk is not what the test is about.
fn memory_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_none| tempfile::tempdir()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn a_log_grows_past_full_tiles_and_every_entry_keeps_its_first_proof() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = SiteLog::init(&path, &origin(), SigningKey::from_scalar(&[5; 32]).unwrap()).unwrap();
    let mut first = Vec::new();
    for index in 0..520 {
        let appended = log.append(&body(index)).unwrap();
        assert_eq!(appended.index, LeafIndex(index as u64));
        assert_eq!(appended.tree.root, root_of_leaves(&leaves(index + 1)), "size {}", index + 1);
        first.push(appended);
    }
    for (index, appended) in first.iter().enumerate() {
        verify_inclusion(LeafHash::of(&body(index)), appended.index, &appended.tree, &appended.proof).unwrap();
        appended.checkpoint.verify(log.reader().log()).unwrap();
        assert_eq!(log.reader().entry(appended.index).unwrap(), body(index));
    }
    for index in [0, 100, 255, 256, 511, 519] {
        assert_eq!(log.append(&body(index)).unwrap(), first[index], "entry {index} again");
        let fragment = log.reader().fragment(&first[index].checkpoint, &[LeafIndex(index as u64)]).unwrap();
        assert_eq!(fragment.verify(log.reader().log()).unwrap().tree(), first[index].tree);
    }
    assert_eq!(log.reader().tree().size, TreeSize(520));
    assert!(path.join("tile/0/000").exists() && path.join("tile/1/000.p/2").exists() && !path.join("tile/0/000.p").exists());
    assert!(!path.join("tile/entries/001.p").exists());
}

#[test]
fn a_log_reopens_with_its_key_and_refuses_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    assert!(matches!(SiteLog::open(&path, None), Err(SiteLogError::NoLog { .. })));
    drop(SiteLog::init_with_own_key(&path, &origin()).unwrap());
    assert!(matches!(SiteLog::init_with_own_key(&path, &origin()), Err(SiteLogError::Exists { .. })));
    SiteLog::open(&path, None).unwrap().append(b"a").unwrap();
    let other = dir.path().join("other.key");
    SigningKey::generate().unwrap().create_file(&other).unwrap();
    assert!(matches!(SiteLog::open(&path, Some(&other)), Err(SiteLogError::WrongKey { .. })));
    assert_eq!(SiteLog::open(&path, None).unwrap().append(b"b").unwrap().index, LeafIndex(1));
    let busy = dir.path().join("busy");
    fs::create_dir(&busy).unwrap();
    fs::write(busy.join("thesis"), "x").unwrap();
    assert!(matches!(SiteLog::init_with_own_key(&busy, &origin()), Err(SiteLogError::Exists { .. })));
    assert_eq!(files(&busy).len(), 1);
}

#[test]
fn damage_under_the_checkpoint_is_found_at_the_door() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = SiteLog::init_with_own_key(&path, &origin()).unwrap();
    for index in 0..3 {
        log.append(&body(index)).unwrap();
    }
    drop(log);
    let tile = path.join("tile/0/000.p/3");
    let good = fs::read(&tile).unwrap();
    let mut bad = good.clone();
    bad[0] ^= 1;
    fs::write(&tile, &bad).unwrap();
    assert!(matches!(LogReader::open(&path), Err(SiteLogError::Damaged)));
    fs::write(&tile, &good[..32]).unwrap();
    assert!(LogReader::open(&path).is_err());
    fs::write(&tile, &good).unwrap();
    let checkpoint = fs::read_to_string(path.join("checkpoint")).unwrap();
    let parsed = SignedCheckpoint::parse(&checkpoint).unwrap();
    assert_ne!(parsed.checkpoint().tree.root, RootHash::empty());
    fs::write(path.join("checkpoint"), checkpoint.replacen("\n3\n", "\n2\n", 1)).unwrap();
    assert!(matches!(LogReader::open(&path), Err(SiteLogError::Checkpoint(_))));
}

#[test]
fn two_writers_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    drop(SiteLog::init_with_own_key(&path, &origin()).unwrap());
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                for index in 0..5 {
                    SiteLog::open(path, None).unwrap().append(format!("{writer}-{index}").as_bytes()).unwrap();
                }
            });
        }
    });
    assert_eq!(LogReader::open(&path).unwrap().tree().size, TreeSize(20));
}

#[test]
fn a_batch_gives_the_tree_of_single_appends_and_names_repeated_entries_once() {
    let dir = tempfile::tempdir().unwrap();
    let key = || SigningKey::from_scalar(&[5; 32]).unwrap();
    let mut log = SiteLog::init(&dir.path().join("log"), &origin(), key()).unwrap();
    let mut size = 0;
    for count in [1, 254, 1, 0, 255, 257, 600, 256] {
        let mut bodies: Vec<_> = (size..size + count).map(body).collect();
        bodies.extend([body(0), body(size)].into_iter().filter(|_| count > 0));
        let batch = log.append_all(&bodies).unwrap();
        size += count;
        assert_eq!(batch.added, count as u64);
        assert_eq!(batch.checkpoint.checkpoint().tree.root, root_of_leaves(&leaves(size)), "size {size}");
        assert_eq!(log.reader().tree().size, TreeSize(size as u64));
        for (body, index) in bodies.iter().zip(&batch.indexes) {
            assert_eq!(&log.reader().entry(*index).unwrap(), body);
        }
        if count > 0 {
            let [.., first, last] = batch.indexes.as_slice() else { panic!("two at least") };
            assert_eq!((first.0, last.0), (0, (size - count) as u64));
            let logged = log.logged(*last).unwrap();
            assert_eq!(logged.checkpoint, batch.checkpoint, "all entries of a batch have its checkpoint");
            verify_inclusion(LeafHash::of(&body(size - count)), *last, &logged.tree, &logged.proof).unwrap();
        }
    }
    let again = log.append_all(&(0..size).map(body).collect::<Vec<_>>()).unwrap();
    assert_eq!((again.added, again.indexes.len()), (0, size));
    assert!(again.indexes.iter().zip(0..).all(|(index, expected)| index.0 == expected));
}

#[test]
fn an_entry_too_large_leaves_the_batch_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = SiteLog::init_with_own_key(&dir.path().join("log"), &origin()).unwrap();
    let bodies = [vec![1; 65_535], vec![2; 65_536]];
    assert!(matches!(log.append_all(&bodies), Err(SiteLogError::Entry(_))));
    assert_eq!(log.reader().tree().size, TreeSize(0));
    assert_eq!(log.append(&bodies[0]).unwrap().index, LeafIndex(0));
}
