//! The tools as installed, for the acceptance tests in `tests/`: finding and running them, skipping by name, a sealed sample release.
#![forbid(unsafe_code)]
#![expect(
    clippy::panic,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    reason = "a library for tests only: it fails by panicking and names skips on stderr"
)]

pub mod process;
pub mod release;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder that holds the built tools: `SEALTRACE_BIN`, else the folder of this build's profile, filled by cargo when a tool is missing or stale.
pub fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        if let Some(folder) = std::env::var_os("SEALTRACE_BIN") {
            return PathBuf::from(folder);
        }
        let own = std::env::current_exe().unwrap_or_else(|error| panic!("no path of this test: {error}"));
        let folder = own.parent().and_then(Path::parent).map_or_else(|| panic!("{} has no folder", own.display()), Path::to_owned);
        let packages =
            ["btf-archive", "symbol-bundle", "trace-capture", "trace-resolve", "trace-replay", "trace-verify", "sealtrace-instance"];
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "-q"]).current_dir(root());
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let status = build.args(packages.iter().flat_map(|package| ["-p", package])).status();
        assert!(status.is_ok_and(|status| status.success()), "the tools do not build");
        folder
    })
}

/// A tool of ours, ready to be given arguments; `SEALTRACE_STORE` is not inherited.
pub fn tool(name: &str) -> Command {
    let mut command = Command::new(tools().join(name));
    command.env_remove("SEALTRACE_STORE");
    command
}

/// Runs a command to its end; panics only when it cannot be started.
pub fn run(command: &mut Command) -> Output {
    // A program that this process has just copied is busy for as long as a child that another test forked meanwhile has not executed.
    for _ in 0..500 {
        match command.output() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::sleep(Duration::from_millis(10)),
            output => return output.unwrap_or_else(|error| panic!("{command:?} does not start: {error}")),
        }
    }
    panic!("{command:?} stays busy")
}

/// Runs a command that must exit 0 and returns its stdout.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?} ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command that must end with this exit code and say something on stderr; returns what it said.
pub fn refused(command: &mut Command, code: i32) -> String {
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{command:?} said:\n{said}");
    assert!(!said.trim().is_empty(), "{command:?} ended with {code} and said nothing");
    assert!(!said.contains("panicked"), "{command:?} panicked:\n{said}");
    said
}

/// Whether a foreign program is there; says SKIPPED, or fails where `SEALTRACE_REQUIRE` names it.
pub fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if !found {
        skip(program, "the program is not installed");
    }
    found
}

/// Names a skip; fails where `SEALTRACE_REQUIRE` (comma separated) names the capability.
pub fn skip(capability: &str, why: &str) {
    let required = std::env::var("SEALTRACE_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name == capability), "{capability} is required here: {why}");
    eprintln!("SKIPPED: {capability} ({why})");
}
