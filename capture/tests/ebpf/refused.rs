//! Wrong requests and hosts that do not allow it: one clear error, a next step, nothing written, no program started or left.

use std::path::Path;
use std::process::{Command, Output};

use sealtrace_skip::skip;

use crate::support::{child_of, trace_capture};
use crate::{at, hits, turn};

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One line with `reason`, one with the next step, the exit code, and the folder as it was.
pub(crate) fn assert_refused(output: &Output, exit: i32, reason: &str) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let of_arguments = lines.first().is_some_and(|line| line.starts_with("error: "));
    assert!(said.contains(reason) && (of_arguments || said.contains("next: ")), "{reason:?}: {said}");
    let errors = lines.iter().filter(|line| line.starts_with("trace-capture: ")).count();
    assert!(of_arguments || errors == 1, "{said}");
}

/// A command that leaves a trace if it is ever started.
pub(crate) fn tell_tale(folder: &Path) -> [String; 3] {
    ["sh".to_owned(), "-c".to_owned(), format!("echo > {}", folder.join("started").display())]
}

#[test]
fn a_probe_that_has_no_place_is_refused_before_the_command_is_started() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let text = folder.path().join("text");
    std::fs::write(&text, "not a program\n").unwrap();
    let damaged = folder.path().join("damaged");
    let whole = std::fs::read(&program).unwrap();
    std::fs::write(&damaged, &whole[..whole.len() / 2]).unwrap();
    let new = folder.path().join("new.jsonl");
    let libc = Command::new("sh").args(["-c", "grep -o '/.*/libc.so.6$' /proc/self/maps | head -n 1"]).output().unwrap();
    let libc = String::from_utf8(libc.stdout).unwrap().trim().to_owned();
    let path = program.to_str().unwrap();
    let cases: Vec<(Vec<String>, &str)> = vec![
        (vec![at(&program, "no_such_function")], "has no function no_such_function"),
        (vec![at(&program, "calls_each")], "has no function calls_each"),
        (vec![at(&program, "puts")], "has no function puts"),
        (vec!["/no/such/file:hit".to_owned()], "/no/such/file cannot be read"),
        (vec![format!("{}:hit", folder.path().display())], "cannot be read"),
        (vec![at(&text, "hit")], "is not a 64-bit ELF file"),
        (vec![at(&damaged, "hit")], "is not a 64-bit ELF file"),
        (vec![format!("{libc}:strlen")], "indirect function"),
        (vec![path.to_owned()], "is not PATH:SYMBOL"),
        (vec![format!("{path}:")], "is not PATH:SYMBOL"),
        (vec![":hit".to_owned()], "is not PATH:SYMBOL"),
        (vec![String::new()], "is not PATH:SYMBOL"),
        (vec!["\u{1b}[31m/x:y".to_owned()], "cannot be read"),
        ((0..9).map(|_| at(&program, "hit")).collect(), "9 probes of one kind, more than the 8"),
    ];
    for (probes, reason) in &cases {
        for kind in ["--uprobe", "--uretprobe"] {
            let mut tool = trace_capture();
            tool.args(["--backend", "ebpf", "-o"]).arg(&new);
            tool.args(probes.iter().flat_map(|probe| [kind, probe])).arg("--").args(tell_tale(folder.path()));
            let output = tool.output().unwrap();
            assert_refused(&output, 2, reason);
            assert!(!said(&output).contains('\u{1b}'), "{}", said(&output));
        }
    }
    let left: std::collections::BTreeSet<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.into_iter().collect::<Vec<_>>(), ["damaged", "hits", "text"]);
}

#[test]
fn requests_that_contradict_themselves_are_refused_at_once() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let new = folder.path().join("new.jsonl");
    let probe = at(&program, "hit");
    let cases: &[(&[&str], &str)] = &[
        (&["--backend", "ptrace", "--uprobe", &probe], "need the eBPF backend"),
        (&["--backend", "ptrace", "--frequency", "0"], "--frequency 0"),
        (&["--backend", "ebpf", "--frequency", "0"], "--frequency 0"),
        (&["--backend", "ebpf", "--frequency", "1001"], "1001 is not in"),
        (&["--backend", "ebpf", "--duration", "0s"], "duration"),
        (&["--backend", "ebpf", "--allow-unbound-btf"], "--with-btf"),
    ];
    for (arguments, reason) in cases {
        let started = std::time::Instant::now();
        let output = trace_capture().args(*arguments).arg("-o").arg(&new).arg("--").args(["sleep", "30"]).output().unwrap();
        assert_refused(&output, 2, reason);
        assert!(started.elapsed().as_secs() < 20, "{arguments:?} waited");
    }
    let missing = trace_capture().args(["--backend", "ebpf", "-o"]).arg(&new).args(["--", "/no/such/command"]).output().unwrap();
    assert_refused(&missing, 2, "/no/such/command cannot be executed: No such file");
    let nobody = trace_capture().args(["--backend", "ebpf", "--pid", "2147483646", "-o"]).arg(&new).output().unwrap();
    assert_refused(&nobody, 2, "no process has the id");
    assert_eq!(child_of(std::process::id()), None, "a command is left");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// The tool where the kernel shows no types; `None`, and a named skip, where this host does not let a mount be hidden.
pub(crate) fn tool_without_btf() -> Option<Command> {
    let hide = |command: &mut Command| {
        command.args(["-m", "sh", "-c", "mount -t tmpfs none /sys/kernel/btf && exec \"$0\" \"$@\""]);
    };
    let mut trial = Command::new("unshare");
    hide(&mut trial);
    if !trial.arg("true").status().is_ok_and(|status| status.success()) {
        skip("unshare-mount", "a mount namespace of its own is not allowed here");
        return None;
    }
    let mut tool = Command::new("unshare");
    hide(&mut tool);
    tool.arg(trace_capture().get_program());
    Some(tool)
}

/// Runs it for a moment.
fn without_btf(arguments: &[&str], file: &Path) -> Option<Output> {
    let mut tool = tool_without_btf()?;
    tool.args(["--duration", "300ms", "-o"]).arg(file).args(arguments);
    Some(tool.output().unwrap())
}

#[test]
fn without_btf_nothing_is_captured_through_ebpf_and_the_keys_are_named() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let new = folder.path().join("new.jsonl");
    let probe = at(&program, "hit");
    let command = tell_tale(folder.path());
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let asked: [&[&str]; 4] =
        [&["--backend", "ebpf"], &["--with-btf"], &["--uprobe", &probe], &["--backend", "ebpf", "--with-btf", "--uretprobe", &probe]];
    for arguments in asked {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--"]).chain(command.iter().map(String::as_str)).collect();
        let Some(output) = without_btf(&arguments, &new) else { return };
        assert_refused(&output, 5, "/sys/kernel/btf/vmlinux");
        assert!(said(&output).contains(release.trim()) && said(&output).contains("--with-btf="), "{}", said(&output));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{arguments:?}");
    }
}

#[test]
fn without_btf_auto_takes_ptrace_and_says_why() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new.jsonl");
    let Some(output) = without_btf(&["--", "sleep", "30"], &new) else { return };
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("using the ptrace backend, not eBPF") && said.contains("/sys/kernel/btf/vmlinux"), "{said}");
    let capture = crate::support::read(&new);
    assert_eq!((capture.header.backend.as_str(), &capture.header.probe_object), ("ptrace", &None));
}

#[test]
fn an_ordinary_user_is_told_what_is_missing_and_auto_takes_ptrace() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    // Where the tool is built others may not look.
    let tool = folder.path().join("tool");
    std::fs::copy(trace_capture().get_program(), &tool).unwrap();
    let program = hits(folder.path());
    let probe = at(&program, "hit");
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&tool).args(arguments);
        command.args(["--duration", "300ms", "-o"]).arg(folder.path().join("new.jsonl"));
        command.args(["--", "sleep", "30"]).output().unwrap()
    };
    for arguments in [&["--backend", "ebpf"][..], &["--uprobe", &probe]] {
        let output = as_nobody(arguments);
        assert_refused(&output, 2, "ermi");
        assert!(said(&output).contains("doctor"), "{}", said(&output));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
    let output = as_nobody(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("using the ptrace backend, not eBPF"), "{}", said(&output));
}
