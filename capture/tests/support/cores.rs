//! Cores of sample programs, written by the kernel and by gdb.
#![allow(dead_code, reason = "each test binary uses its part")]
#![expect(clippy::unwrap_used, reason = "test code outside #[test] functions")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sealtrace_skip::skip;
use sealtrace_trace::Capture;

use crate::support::{LiveMaps, Running, has_tool, read, trace_capture, wait_until};

/// A core, and where things were mapped in the process that it is of.
pub(crate) struct Core {
    pub(crate) file: PathBuf,
    pub(crate) maps: LiveMaps,
    pub(crate) program: PathBuf,
}

/// A program running so that the kernel writes a core into `folder` when it dies.
fn start(program: &Path, folder: &Path) -> Running {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\""]).arg(program).current_dir(folder);
    let running = Running::start(&mut shell);
    // Threads that said nothing come to where they stay.
    std::thread::sleep(std::time::Duration::from_millis(50));
    running
}

/// Lets the kernel write a core; `None`, and a named skip, where this host sends cores elsewhere. `filter`: see `coredump_filter` in core(5).
pub(crate) fn by_kernel(program: &Path, folder: &Path, filter: Option<&str>) -> Option<Core> {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.trim().is_empty() || pattern.contains(['|', '/', '@']) {
        skip("kernel-core", &format!("kernel.core_pattern is {pattern:?}: the kernel writes no core beside the program"));
        return None;
    }
    let place = folder.join("dumped");
    std::fs::create_dir_all(&place).unwrap();
    let mut running = start(program, &place);
    let maps = LiveMaps::of(running.pid());
    if let Some(filter) = filter {
        std::fs::write(format!("/proc/{}/coredump_filter", running.pid()), filter).unwrap();
    }
    running.signal("ABRT");
    running.child.wait().unwrap();
    let file = std::fs::read_dir(&place).unwrap().next().map(|entry| entry.unwrap().path());
    if file.is_none() {
        skip("kernel-core", "this host limits the size of cores to nothing (`ulimit -Hc`)");
    }
    Some(Core { file: file?, maps, program: program.to_owned() })
}

/// Lets gdb write a core of a program that runs on and is killed then; `None`, and a named skip, without gdb.
pub(crate) fn by_gdb(program: &Path, folder: &Path) -> Option<Core> {
    if !has_tool("gcore") && !has_tool("gdb") {
        skip("gdb", "gdb is not installed");
        return None;
    }
    let running = start(program, folder);
    let maps = LiveMaps::of(running.pid());
    let output = Command::new("gcore").arg("-o").arg(folder.join("gcore")).arg(running.pid().to_string()).output().unwrap();
    let file = folder.join(format!("gcore.{}", running.pid()));
    if !file.is_file() {
        skip("gdb", &format!("gcore wrote no core: {}", String::from_utf8_lossy(&output.stderr).replace('\n', " ")));
        return None;
    }
    wait_until("gdb lets go", || running.states().iter().all(|&state| matches!(state, 'R' | 'S' | 'D')));
    Some(Core { file, maps, program: program.to_owned() })
}

/// Runs the tool on a core.
pub(crate) fn run(core: &Path, arguments: &[&str], to: &Path) -> Output {
    trace_capture().arg("--core").arg(core).arg("-o").arg(to).args(arguments).output().unwrap()
}

/// Captures from a core; the capture and what was said on stderr.
pub(crate) fn capture(core: &Path, arguments: &[&str], to: &Path) -> (Capture, String) {
    let output = run(core, arguments, to);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    (read(to), said)
}
