//! The index of leaves: it finds what is there, and whatever becomes of its files, no answer changes.

use std::path::PathBuf;

use super::*;

/// One long run (four short ones merged), one short run, and leaves in no run.
const LEAVES: usize = 5 * 512 + 200;

fn bodies() -> Vec<Vec<u8>> {
    (0..LEAVES).map(body).collect()
}

fn indexed(path: &Path) -> Vec<PathBuf> {
    let mut log = SiteLog::init_with_own_key(path, &origin()).unwrap();
    for part in bodies().chunks(300) {
        log.append_all(part).unwrap();
    }
    log.append_all(&bodies()).unwrap();
    let runs = files(&path.join("index"));
    let names: Vec<_> = runs.iter().map(|run| run.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["0-2048", "2048-2560"]);
    runs
}

fn expect_all_found(path: &Path, what: &str) {
    let reader = LogReader::open(path).unwrap();
    for index in [0, 700, 2047, 2048, 2559, 2560, LEAVES - 1] {
        assert_eq!(reader.position_of(&body(index)).unwrap(), Some(LeafIndex(index as u64)), "{what}");
    }
    assert_eq!(reader.position_of(b"never logged").unwrap(), None, "{what}");
    let mut log = SiteLog::open(path, None).unwrap();
    let found = log.append_all(&bodies()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(found.added, 0, "{what}");
    assert!(found.indexes.iter().zip(0..).all(|(index, position)| index.0 == position), "{what}");
}

#[test]
fn a_byte_changed_anywhere_in_the_index_changes_no_answer() {
    let dir = memory_dir();
    let path = dir.path().join("log");
    for run in indexed(&path) {
        let good = fs::read(&run).unwrap();
        for position in (0..64).step_by(3).chain((64..good.len()).step_by(499)) {
            let mut bad = good.clone();
            bad[position] ^= 0x40;
            fs::write(&run, &bad).unwrap();
            expect_all_found(&path, &format!("byte {position} of {}", run.display()));
        }
        assert_eq!(fs::read(&run).unwrap(), good, "it was made again");
    }
}

#[test]
fn an_index_cut_lost_old_or_of_another_log_changes_no_answer() {
    let dir = memory_dir();
    let path = dir.path().join("log");
    let runs = indexed(&path);
    let index = path.join("index");
    let good: Vec<_> = runs.iter().map(|run| fs::read(run).unwrap()).collect();
    for (run, bytes) in runs.iter().zip(&good) {
        for length in [0, 1, 4095, 4096, 8191, bytes.len() - 1] {
            fs::write(run, &bytes[..length]).unwrap();
            expect_all_found(&path, &format!("{} cut to {length}", run.display()));
        }
        fs::remove_file(run).unwrap();
        expect_all_found(&path, &format!("{} lost", run.display()));
        fs::write(index.join("512-1024"), bytes).unwrap();
        fs::write(index.join("0-2048.tmp"), b"half").unwrap();
        fs::write(index.join("notes"), b"not ours").unwrap();
        expect_all_found(&path, "files of no use");
        assert_eq!(files(&index), runs);
    }
    fs::remove_dir_all(&index).unwrap();
    expect_all_found(&path, "no index");
    assert_eq!(runs.iter().map(|run| fs::read(run).unwrap()).collect::<Vec<_>>(), good, "same leaves, same index");
    // Another log of the same length, whose index is sound but not of this one.
    let other = dir.path().join("other");
    let mut log = SiteLog::init_with_own_key(&other, &origin()).unwrap();
    log.append_all(&(0..LEAVES).map(|number| format!("other {number}").into_bytes()).collect::<Vec<_>>()).unwrap();
    log.append(b"so that runs are made").unwrap();
    for run in &runs {
        fs::copy(other.join("index").join(run.file_name().unwrap()), run).unwrap();
    }
    expect_all_found(&path, "the index of another log");
}

#[test]
fn a_log_restored_from_an_older_copy_uses_no_newer_index() {
    let dir = memory_dir();
    let (path, old) = (dir.path().join("log"), dir.path().join("old"));
    let mut log = SiteLog::init_with_own_key(&path, &origin()).unwrap();
    log.append_all(&bodies()[..600]).unwrap();
    copy(&path, &old);
    log.append_all(&bodies()[600..]).unwrap();
    log.append(b"so that runs are made").unwrap();
    copy(&path.join("index"), &old.join("index"));
    let batch = SiteLog::open(&old, None).unwrap().append_all(&bodies()).unwrap();
    assert_eq!(batch.added as usize, LEAVES - 600);
    expect_all_found(&old, "the index of a later state");
}

#[test]
fn reading_writes_nothing() {
    let dir = memory_dir();
    let path = dir.path().join("log");
    indexed(&path);
    fs::remove_file(path.join("index/0-2048")).unwrap();
    let before = files(&path);
    assert_eq!(LogReader::open(&path).unwrap().position_of(&body(5)).unwrap(), Some(LeafIndex(5)));
    assert_eq!(files(&path), before);
}
