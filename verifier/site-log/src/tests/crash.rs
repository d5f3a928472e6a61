//! Every write point of a sequence of appends fails, is cut, or kills the process: the log reopens consistent with all that was acknowledged.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use rustix::io::Errno;

use super::fault::{self, Fault};
use super::*;

/// Leaves of the log before the sequence: the tile is one short of full after its first append.
const BASE: usize = 254;
/// How many bodies each append of the sequence brings: past a full tile, past the first run of the index, over several tiles.
const SEQUENCE: [usize; 6] = [1, 1, 2, 300, 1, 1];
/// Tells the child what to do.
const CHILD: &str = "SEALTRACE_SITE_LOG_CHILD";

pub(super) fn base(path: &Path) {
    let mut log = SiteLog::init_with_own_key(path, &origin()).unwrap();
    log.append_all(&(0..BASE).map(body).collect::<Vec<_>>()).unwrap();
}

/// Runs the sequence until the first error; `acknowledge` is told the number of leaves after each append.
pub(super) fn run(log: &mut SiteLog, mut acknowledge: impl FnMut(usize, &SiteLog)) -> Result<(), SiteLogError> {
    let mut next = BASE;
    for count in SEQUENCE {
        let bodies: Vec<_> = (next..next + count).map(body).collect();
        if let [one] = bodies.as_slice() {
            log.append(one)?;
        } else {
            log.append_all(&bodies)?;
        }
        next += count;
        acknowledge(next, log);
    }
    Ok(())
}

/// The log opens, agrees with itself, has all that was acknowledged where it was, nothing but the sequence, and goes on.
pub(super) fn expect_whole(path: &Path, acknowledged: usize, what: &str) {
    let mut log = SiteLog::open(path, None).unwrap_or_else(|error| panic!("{what}: {error}"));
    let size = usize::try_from(log.reader().tree().size.0).unwrap();
    assert!(size >= acknowledged, "{what}: {acknowledged} leaves were acknowledged, {size} are there");
    assert_eq!(log.reader().tree().root, root_of_leaves(&leaves(size)), "{what}");
    log.reader().check().unwrap_or_else(|error| panic!("{what}: {error}"));
    let batch = log.append_all(&(0..size + 2).map(body).collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(batch.added, 2, "{what}");
    assert!(batch.indexes.iter().zip(0..).all(|(index, position)| index.0 == position), "{what}");
    assert_eq!(log.reader().tree().root, root_of_leaves(&leaves(size + 2)), "{what}");
    log.reader().check().unwrap_or_else(|error| panic!("{what}: {error}"));
}

#[test]
fn an_error_at_any_write_point_loses_nothing_and_the_next_append_succeeds() {
    let dir = memory_dir();
    let before = dir.path().join("before");
    base(&before);
    for fault in [Fault::Fail(Errno::IO), Fault::Short(Errno::NOSPC), Fault::FailFromHere(Errno::ROFS)] {
        let mut met = 0;
        for at in 0.. {
            let what = format!("{fault:?} at step {at}");
            let path = dir.path().join("faulty");
            let _old = fs::remove_dir_all(&path);
            copy(&before, &path);
            let mut log = SiteLog::open(&path, None).unwrap();
            let mut acknowledged = BASE;
            fault::inject(at, fault);
            let result = run(&mut log, |count, _log| acknowledged = count);
            let steps = fault::clear();
            met += usize::from(result.is_err());
            if let Err(error) = &result {
                assert!(matches!(error, SiteLogError::Io { .. }), "{what}: {error}");
                // Readers see a whole log at once, and the open log goes on as if nothing had been.
                LogReader::open(&path).unwrap().check().unwrap_or_else(|error| panic!("{what}: {error}"));
                run(&mut log, |_count, _log| ()).unwrap_or_else(|error| panic!("{what}, once more: {error}"));
                acknowledged = BASE + SEQUENCE.iter().sum::<usize>();
            }
            drop(log);
            expect_whole(&path, acknowledged, &what);
            if steps <= at {
                break;
            }
        }
        assert!(met > 60, "{fault:?} was met {met} times");
    }
}

#[test]
fn an_append_that_fails_leaves_no_file_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    base(&path);
    let before = files(&path);
    let mut log = SiteLog::open(&path, None).unwrap();
    fault::inject(20, Fault::Fail(Errno::NOSPC));
    assert!(log.append_all(&(BASE..BASE + 3000).map(body).collect::<Vec<_>>()).is_err());
    fault::clear();
    assert_eq!(files(&path), before);
}

#[test]
fn kill_at_every_write_point_loses_no_acknowledged_leaf() {
    let dir = memory_dir();
    let before = dir.path().join("before");
    base(&before);
    for short in [false, true] {
        let mut killed = 0;
        for at in 0.. {
            let path = dir.path().join("killed");
            let _old = fs::remove_dir_all(&path);
            copy(&before, &path);
            let output = child("killed", &path)
                .env("SEALTRACE_KILL_AT", at.to_string())
                .env("SEALTRACE_KILL_SHORT", short.to_string())
                .output()
                .unwrap();
            let stdout = String::from_utf8(output.stdout).unwrap();
            let acknowledged =
                stdout.lines().rev().find_map(|line| line.strip_prefix("acknowledged ")).map_or(BASE, |count| count.parse().unwrap());
            if output.status.success() {
                assert_eq!(acknowledged, BASE + SEQUENCE.iter().sum::<usize>());
                break;
            }
            assert_eq!(output.status.signal(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
            killed += 1;
            expect_whole(&path, acknowledged, &format!("killed at {at}, short {short}"));
        }
        assert!(killed > 60, "killed {killed} times");
    }
}

/// This test binary, told to run [`child_process`].
pub(super) fn child(what: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(child_args()).env(CHILD, what).env("SEALTRACE_SITE_LOG", path);
    command
}

pub(super) fn child_args() -> [&'static str; 4] {
    ["--exact", "tests::crash::child_process", "--ignored", "--nocapture"]
}

#[test]
#[ignore = "the child of the tests that kill, fill a disk, or let processes meet"]
fn child_process() {
    let what = std::env::var(CHILD).expect("a parent");
    let path = std::path::PathBuf::from(std::env::var_os("SEALTRACE_SITE_LOG").unwrap());
    match what.as_str() {
        "killed" => killed(&path),
        "fill" => processes::fill(&path),
        writer => processes::write(&path, writer),
    }
}

fn killed(path: &Path) {
    let number = |name: &str| std::env::var(name).unwrap();
    let fault = if number("SEALTRACE_KILL_SHORT") == "true" { Fault::ShortKill } else { Fault::Kill };
    // Opening for appending writes as well.
    fault::inject(number("SEALTRACE_KILL_AT").parse().unwrap(), fault);
    let mut log = SiteLog::open(path, None).unwrap();
    run(&mut log, |count, _log| acknowledge(&format!("acknowledged {count}"))).unwrap();
}

pub(super) fn acknowledge(line: &str) {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}").unwrap();
    stdout.flush().unwrap();
}
