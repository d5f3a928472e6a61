//! What the benches of this crate share: which binary is measured, wall times, peak memory. Not here: what is measured.
#![expect(clippy::print_stderr, reason = "names what it cannot measure")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder that cargo builds into, in which this bench lies as `release/deps/NAME`.
pub(crate) fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(3).unwrap().to_owned()
}

/// The binary to measure: `SEALTRACE_BIN` (a file, or the folder that holds it), else the static one, else the one of this build.
pub(crate) fn binary(name: &str) -> PathBuf {
    let given = std::env::var_os("SEALTRACE_BIN").map(PathBuf::from);
    let given = given.map(|path| if path.is_dir() { path.join(name) } else { path });
    let built = ["x86_64-unknown-linux-musl/release", "release"].map(|folder| target().join(folder).join(name));
    let found = given.into_iter().chain(built).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("no {name}: cargo build --release --target x86_64-unknown-linux-musl -p {name}, or name it in SEALTRACE_BIN")
    })
}

/// A number from `--NAME N` of the command line.
pub(crate) fn argument(name: &str, default: usize) -> usize {
    let args: Vec<String> = std::env::args().collect();
    let value = args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    value.map_or(default, |value| value.parse().unwrap())
}

/// The load of this machine: figures taken beside other work are larger.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// From before the process is made until after it has ended, with the success that is a condition of every figure.
pub(crate) fn wall(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().unwrap();
    let time = start.elapsed();
    assert!(status.success(), "{command:?} ended with {status}");
    time
}

/// Peak resident memory of a command in KiB, as the kernel counted it for that process; `None` where GNU time is not installed.
pub(crate) fn peak_kib(command: &Command) -> Option<u64> {
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut timed = Command::new("/usr/bin/time");
    timed.args([OsStr::new("-f"), OsStr::new("%M"), OsStr::new("-o"), report.path().as_os_str()]);
    timed.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => timed.env(name, value),
            None => timed.env_remove(name),
        };
    }
    match timed.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) => assert!(status.success(), "{command:?} ended with {status}"),
        Err(error) => {
            eprintln!("SKIPPED: peak memory (/usr/bin/time: {error})");
            return None;
        }
    }
    Some(std::fs::read_to_string(report.path()).unwrap().trim().parse().unwrap())
}

/// The middle one.
pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
