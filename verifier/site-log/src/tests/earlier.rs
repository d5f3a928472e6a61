//! Logs of the version before `checkpoints/signatures` and the index: read, gone on from, and answered from byte for byte.

use super::*;
use crate::Appended;

/// A log as that version left it: each published checkpoint in a file of its own. Gives what it had answered.
fn earlier(path: &Path, count: usize) -> Vec<Appended> {
    let mut log = SiteLog::init_with_own_key(path, &origin()).unwrap();
    let empty = log.reader().checkpoint().text().to_owned();
    let answers: Vec<_> = (0..count).map(|index| log.append(&body(index)).unwrap()).collect();
    fs::remove_file(path.join("checkpoints/signatures")).unwrap();
    fs::write(path.join("checkpoints/0"), empty).unwrap();
    for answer in &answers {
        fs::write(path.join("checkpoints").join(answer.tree.size.to_string()), answer.checkpoint.text()).unwrap();
    }
    answers
}

#[test]
fn a_log_of_the_earlier_version_gives_the_same_answers_and_goes_on() {
    let dir = memory_dir();
    for count in [0, 1, 300] {
        let path = dir.path().join(format!("log-{count}"));
        let answers = earlier(&path, count);
        for answer in &answers {
            assert_eq!(LogReader::open(&path).unwrap().first_checkpoint_of(answer.index).unwrap(), answer.checkpoint);
        }
        LogReader::open(&path).unwrap().check().unwrap();
        let mut log = SiteLog::open(&path, None).unwrap();
        let later = log.append(b"later").unwrap();
        let last = log.append(b"last").unwrap();
        for answer in &answers {
            let index = usize::try_from(answer.index.0).unwrap();
            assert_eq!(&log.append(&body(index)).unwrap(), answer, "entry {index} of {count}");
        }
        assert_eq!(log.append(b"later").unwrap(), later);
        assert_eq!(log.append(b"last").unwrap(), last);
        let checked = log.reader().check().unwrap();
        // Each of the earlier files, a record for the size the new version began with, and two more.
        assert_eq!(checked.checkpoints(), count as u64 + 1 + 1 + 2);
    }
}

#[test]
fn the_earlier_version_killed_before_its_copy_loses_no_checkpoint() {
    let dir = memory_dir();
    let path = dir.path().join("log");
    let answers = earlier(&path, 3);
    fs::remove_file(path.join("checkpoints/3")).unwrap();
    let mut log = SiteLog::open(&path, None).unwrap();
    log.append(b"later").unwrap();
    assert_eq!(log.append(&body(2)).unwrap(), answers[2]);
}

#[test]
fn a_kept_checkpoint_of_either_form_that_was_changed_is_refused() {
    let dir = memory_dir();
    let path = dir.path().join("log");
    let answers = earlier(&path, 3);
    let mut log = SiteLog::open(&path, None).unwrap();
    log.append(b"later").unwrap();
    log.append(b"last").unwrap();
    drop(log);
    fs::write(path.join("checkpoints/1"), answers[1].checkpoint.text()).unwrap();
    let reader = LogReader::open(&path).unwrap();
    assert!(matches!(reader.first_checkpoint_of(LeafIndex(0)), Err(SiteLogError::Damaged)));
    fs::write(path.join("checkpoints/1"), answers[0].checkpoint.text()).unwrap();
    reader.check().unwrap();
    let records = path.join("checkpoints/signatures");
    let mut bytes = fs::read(&records).unwrap();
    bytes[80 + 20] ^= 1;
    fs::write(&records, bytes).unwrap();
    assert!(matches!(reader.first_checkpoint_of(LeafIndex(3)), Err(SiteLogError::Checkpoint(_))));
    assert!(matches!(reader.check(), Err(SiteLogError::Disagrees { .. })));
}
