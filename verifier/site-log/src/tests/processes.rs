//! Several processes on one log, and disks and files that are really full.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sealtrace_skip::{has, skip};

use super::crash::{acknowledge, child, child_args};
use super::*;
use crate::lock::Lock;

/// Entries of each writer.
const EACH: usize = 40;

#[test]
fn writers_in_several_processes_take_turns_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    drop(SiteLog::init_with_own_key(&path, &origin()).unwrap());
    let writers: Vec<_> = (0..3).map(|writer| child(&format!("writer-{writer}"), &path).stdout(Stdio::piped()).spawn().unwrap()).collect();
    let mut acknowledged = Vec::new();
    for writer in writers {
        let output = writer.wait_with_output().unwrap();
        assert!(output.status.success());
        let stdout = String::from_utf8(output.stdout).unwrap();
        acknowledged.extend(stdout.lines().filter_map(|line| line.strip_prefix("logged ")).map(str::to_owned));
    }
    assert_eq!(acknowledged.len(), 3 * EACH);
    let reader = LogReader::open(&path).unwrap();
    assert_eq!(reader.check().unwrap().tree().size, TreeSize(3 * EACH as u64));
    for line in acknowledged {
        let (index, body) = line.split_once(' ').unwrap();
        assert_eq!(reader.entry(LeafIndex(index.parse().unwrap())).unwrap(), body.as_bytes());
    }
}

pub(super) fn write(path: &Path, writer: &str) {
    for number in 0..EACH {
        let body = format!("{writer}-{number}");
        let appended = SiteLog::open(path, None).unwrap().append(body.as_bytes()).unwrap();
        acknowledge(&format!("logged {} {body}", appended.index));
    }
}

#[test]
fn a_second_writer_is_told_that_the_log_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let log = SiteLog::init_with_own_key(&path, &origin()).unwrap();
    assert!(matches!(Lock::take_within(&path, 2), Err(SiteLogError::Busy { .. })));
    drop(log);
    assert!(Lock::take_within(&path, 1).is_ok());
}

#[test]
fn a_writer_whose_lock_file_was_removed_publishes_nothing_over_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut first = SiteLog::init_with_own_key(&path, &origin()).unwrap();
    first.append(b"a").unwrap();
    fs::remove_file(path.join("lock")).unwrap();
    let mut second = SiteLog::open(&path, None).unwrap();
    second.append(b"b").unwrap();
    assert!(matches!(first.append(b"c"), Err(SiteLogError::Changed { .. })));
    drop(second);
    assert_eq!(LogReader::open(&path).unwrap().check().unwrap().tree().size, TreeSize(2));
    assert_eq!(first.append(b"c").unwrap().index, LeafIndex(2), "with the lock again, it goes on from what is there");
    assert_eq!(LogReader::open(&path).unwrap().check().unwrap().tree().size, TreeSize(3));
}

fn large(number: usize) -> Vec<u8> {
    format!("{number:0>900}").into_bytes()
}

/// Appends until there is no room; what was acknowledged is there and the log is whole.
pub(super) fn fill(path: &Path) {
    let mut log = SiteLog::init_with_own_key(path, &origin()).unwrap();
    let (mut acknowledged, mut number) = (Vec::new(), 0);
    let error = loop {
        let bodies: Vec<_> = (number..number + 9).map(large).collect();
        match log.append_all(&bodies) {
            Ok(batch) => acknowledged.extend(batch.indexes.into_iter().zip(bodies)),
            Err(error) => break error,
        }
        number += 9;
        assert!(number < 100_000, "the disk never was full");
    };
    assert!(matches!(error, SiteLogError::Io { .. }), "{error}");
    drop(log);
    let reader = LogReader::open(path).unwrap();
    reader.check().unwrap();
    for (index, body) in &acknowledged {
        assert_eq!(&reader.entry(*index).unwrap(), body);
    }
    acknowledge(&format!("full after {} leaves: {error}", acknowledged.len()));
    let reserve = path.with_file_name("reserve");
    if reserve.exists() {
        fs::remove_file(reserve).unwrap();
        let mut log = SiteLog::open(path, None).unwrap();
        log.append(b"room again").unwrap();
        log.reader().check().unwrap();
        acknowledge("room again");
    }
}

#[test]
fn a_full_disk_stops_the_log_whole_and_room_lets_it_go_on() {
    let dir = tempfile::tempdir().unwrap();
    if !has("unshare") || !has("mount") {
        return;
    }
    let mount = "mount -t tmpfs -o size=600k none \"$0\"";
    let alone = |script: &str, args: &[PathBuf]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(dir.path()).args(args);
        command
    };
    if !alone(mount, &[]).output().unwrap().status.success() {
        return skip("tmpfs", "no file system can be mounted in a user namespace here");
    }
    let script = format!("{mount} && head -c 150000 /dev/zero > \"$0\"/reserve && exec \"$@\"");
    let mut command = alone(&script, &[std::env::current_exe().unwrap()]);
    command.args(child_args()).env("SEALTRACE_SITE_LOG_CHILD", "fill").env("SEALTRACE_SITE_LOG", dir.path().join("log"));
    let output = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("No space left on device") && stdout.contains("room again"), "{stdout}");
}

#[test]
fn a_file_size_limit_stops_the_log_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut command = Command::new("sh");
    // 64 blocks of 512 or 1,024 bytes; the signal that would end the process is ignored, so that the write fails.
    command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap()).args(child_args());
    let output = command.env("SEALTRACE_SITE_LOG_CHILD", "fill").env("SEALTRACE_SITE_LOG", &path).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("File too large"), "{stdout}");
    let mut log = SiteLog::open(&path, None).unwrap();
    let size = log.reader().tree().size.0;
    assert!(size > 9);
    assert_eq!(log.append(b"without the limit").unwrap().index, LeafIndex(size));
    log.reader().check().unwrap();
}
