//! The target survives, and every way of asking for the wrong thing gives one clear error, exit 2 and no file.
#![expect(clippy::unwrap_used, reason = "test code outside #[test] functions")]

mod support;

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Running, capture_pid, compile, ptrace_capture, read, rewalk, send, trace_capture, wait_until};

fn threads(folder: &Path) -> Running {
    let program = compile("g++", "threads.cpp", &["-O2", "-fomit-frame-pointer", "-pthread"], folder);
    Running::start(&mut Command::new(program))
}

/// How often the program's spinning threads have counted.
fn beats(running: &mut Running) -> u64 {
    running.child.stdin.as_mut().unwrap().write_all(b"?\n").unwrap();
    let mut line = String::new();
    running.lines.read_line(&mut line).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn a_running_target_goes_on_and_the_counters_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = threads(folder.path());
    let before = beats(&mut running);
    let file = folder.path().join("capture.jsonl");
    let Some((capture, _)) = capture_pid(running.pid(), &["--duration", "1s"], &file) else { return };
    let loss = capture.header.loss;
    assert_eq!(loss.kernel_hits, loss.delivered + loss.ring_lost + loss.rate_limited + loss.filtered);
    assert!(loss.delivered >= 8, "{loss:?}");
    // Threads that are blocked give the same stack each time: one sample, counted.
    assert!(capture.samples.iter().any(|sample| sample.count > 1 && sample.first_seen < sample.last_seen));
    for sample in &capture.samples {
        rewalk(&capture, sample);
    }
    assert!(running.states().iter().all(|&state| matches!(state, 'R' | 'S' | 'D')), "{:?}", running.states());
    let after = beats(&mut running);
    assert!(after > before);
    wait_until("the target counts on", || beats(&mut running) > after);
    assert!(std::fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap().contains("TracerPid:\t0\n"));
}

#[test]
fn a_target_that_is_stopped_and_continued_during_a_capture_follows() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = threads(folder.path());
    let file = folder.path().join("capture.jsonl");
    let mut tool = ptrace_capture()
        .args(["--duration", "30s", "--pid", &running.pid().to_string(), "-o"])
        .arg(&file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", running.pid());
    let traced = || !std::fs::read_to_string(&status).unwrap().contains("TracerPid:\t0\n");
    let mut refused = false;
    wait_until("the target is traced", || {
        refused = tool.try_wait().unwrap().is_some();
        refused || traced()
    });
    if refused {
        return sealtrace_skip::skip("ptrace-pid", "this host does not let one process trace another");
    }
    let before = beats(&mut running);
    running.signal("STOP");
    // A traced thread in a group stop shows as `t`; while the next round passes it stays there.
    wait_until("the target stops", || running.states().iter().all(|&state| matches!(state, 'T' | 't')));
    // A round wakes a thread for microseconds to stop it again, so one look may catch one running; a target that goes on is
    // running at nearly every look.
    let looks: Vec<bool> = (0..20)
        .map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            running.states().iter().all(|&state| matches!(state, 'T' | 't'))
        })
        .collect();
    assert!(looks.iter().filter(|&&stopped| stopped).count() > 10, "{looks:?}");
    running.signal("CONT");
    wait_until("the target goes on", || beats(&mut running) > before);
    // Ended by the user: lets go and writes what it has.
    send(tool.id(), "INT");
    assert!(tool.wait().unwrap().success());
    assert!(!traced());
    assert!(!read(&file).samples.is_empty());
    let after = beats(&mut running);
    wait_until("the target counts on", || beats(&mut running) > after);
}

#[test]
fn a_killed_tool_leaves_the_target_running_and_no_capture() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = threads(folder.path());
    let file = folder.path().join("capture.jsonl");
    let mut tool = ptrace_capture()
        .args(["--duration", "30s", "--pid", &running.pid().to_string(), "-o"])
        .arg(&file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    tool.kill().unwrap();
    tool.wait().unwrap();
    assert!(!file.exists());
    let after = beats(&mut running);
    wait_until("the target counts on", || beats(&mut running) > after);
}

#[test]
fn a_command_that_ends_at_once_gives_a_sample_and_its_status_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("capture.jsonl");
    let output = ptrace_capture().arg("-o").arg(&file).args(["--", "sh", "-c", "exit 7"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("exited with status 7"), "{stderr}");
    let capture = read(&file);
    assert!(!capture.samples.is_empty());
    assert_eq!(capture.header.backend, "ptrace");
    assert_eq!(capture.header.btf_source.source_kind, "none");
    let main = usize::try_from(capture.header.main_module.unwrap().0).unwrap();
    let module = capture.header.regions[main].module.as_ref().unwrap();
    let file = std::fs::read(std::fs::canonicalize(&module.path).unwrap()).unwrap();
    assert_eq!(module.file_sha256, Some(sealtrace_digest::FileSha256::of(&file)));
}

#[test]
fn a_command_that_outlives_the_duration_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let output = ptrace_capture()
        .args(["--duration", "200ms", "-o"])
        .arg(folder.path().join("a.jsonl"))
        // Ignores SIGTERM, so that only SIGKILL ends it.
        .args(["--", "sh", "-c", "trap '' TERM; while :; do :; done"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("was ended by signal 9"), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn wrong_requests_end_with_2_a_reason_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let existing = folder.path().join("existing");
    std::fs::write(&existing, b"theirs").unwrap();
    let new = folder.path().join("new.jsonl");
    let (new_text, existing_text) = (new.to_str().unwrap(), existing.to_str().unwrap());
    let missing = folder.path().join("no/such/folder/a.jsonl");
    let mut child = Command::new("true").spawn().unwrap();
    wait_until("the zombie is one", || std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap().contains(") Z "));
    let zombie = child.id().to_string();
    let cases: &[(&[&str], &str)] = &[
        (&["--pid", "2147483646", "-o", new_text], "no process has the id"),
        (&["--pid", &zombie, "-o", new_text], "has exited"),
        (&["--pid", "0", "-o", new_text], "0 is not in"),
        (&["-o", new_text], "required"),
        (&["-o", new_text, "--", "/no/such/command"], "/no/such/command cannot be executed: No such file"),
        (&["-o", new_text, "--", existing_text], "Permission denied"),
        (&["-o", existing_text, "--", "true"], "exists"),
        (&["-o", folder.path().to_str().unwrap(), "--force", "--", "true"], "not a regular file"),
        (&["-o", missing.to_str().unwrap(), "--", "true"], "cannot be written"),
        (&["--backend", "ptrace", "--uprobe", "/bin/true:main", "-o", new_text, "--", "true"], "need the eBPF backend"),
        (&["--duration", "0s", "-o", new_text, "--", "true"], "duration"),
        (&["--frequency", "1001", "-o", new_text, "--", "true"], "1001 is not in"),
        (&["--backend", "ptrace", "--frequency", "0", "-o", new_text, "--", "true"], "nothing to do"),
        (&["--pid", "1", "-o", new_text, "--", "true"], "cannot be used with"),
    ];
    for (arguments, reason) in cases {
        let output = trace_capture().args(*arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(reason), "{arguments:?}: {stderr}");
    }
    child.wait().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    assert_eq!(std::fs::read(&existing).unwrap(), b"theirs");
}

#[test]
fn a_process_with_a_tracer_is_refused_by_its_tracers_name() {
    let folder = tempfile::tempdir().unwrap();
    // The tool itself is the first tracer.
    let mut first = ptrace_capture()
        .args(["--duration", "20s", "-o"])
        .arg(folder.path().join("a.jsonl"))
        .args(["--", "sleep", "60"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = None;
    wait_until("the child sleeps", || {
        child = support::child_of(first.id());
        child.is_some_and(|child| std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default() == "sleep\n")
    });
    let output = ptrace_capture().args(["--pid", &child.unwrap().to_string(), "-o"]).arg(folder.path().join("b.jsonl")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(&format!("already traced by process {} (trace-capture)", first.id())), "{stderr}");
    send(first.id(), "TERM");
    first.wait().unwrap();
}
