//! A target whose memory map changes: what was seen before an exec is placed in the old program, what after in the new one; a library that
//! was loaded just before is known.

use sealtrace_trace::Capture;

use crate::support::{Stack, compile_to, rewalk, source, stack_of};
use crate::{at, captured, hits, loss, turn};

/// The stacks of one kind of sample.
fn of_kind(capture: &Capture, kind: &str) -> Vec<Stack> {
    let samples = capture.samples.iter().filter(|sample| sample.probe_type == kind);
    samples.map(|sample| stack_of(capture, &rewalk(capture, sample))).collect()
}

/// Where `hit` begins: what every call's innermost frame must be.
fn assert_at_the_function(capture: &Capture, program: &str) {
    let stacks = of_kind(capture, "Uprobe");
    let first = stacks[0][0].clone();
    assert_eq!(first.0, program);
    for stack in &stacks {
        assert_eq!(stack[0], first, "{stack:x?}");
        assert!(stack.len() > 3 && stack[1].0 == program, "{stack:x?}");
    }
}

#[test]
fn samples_before_and_after_an_exec_are_placed_in_the_program_that_ran() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let before = hits(folder.path());
    let after = folder.path().join("after");
    // Another layout of the same functions: an address of one is no place of the other.
    compile_to("gcc", &source("hits.c"), &["-O0", "-pthread", "-static-pie"], &after);
    let (one, other) = (before.to_str().unwrap(), after.to_str().unwrap());
    let command = [one, "1000", "4", "500", "exec", other, "5000", "1", "1200"];
    let (capture, _) = captured(&["--uprobe", &at(&before, "hit")], command, &folder.path().join("capture.jsonl"));
    let counted = loss(&capture, "Uprobe");
    assert_eq!((counted.kernel_hits, counted.filtered), (1000, 0), "{counted:?}");
    assert_at_the_function(&capture, "hits");
    let samples = of_kind(&capture, "PerfSample");
    let has = |stack: &Stack, name: &str| stack.iter().any(|(module, _)| module == name);
    let (old, new) =
        (samples.iter().filter(|stack| has(stack, "hits")).count(), samples.iter().filter(|stack| has(stack, "after")).count());
    assert!(old > 0 && new > 0, "{samples:x?}");
    for stack in &samples {
        assert!(!(has(stack, "hits") && has(stack, "after")), "{stack:x?}");
        // The new program has no library.
        assert!(!(has(stack, "after") && has(stack, "libc.so.6")), "{stack:x?}");
    }
}

#[test]
fn a_program_that_executes_itself_is_counted_in_both_lives() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let path = program.to_str().unwrap();
    let command = [path, "1000", "1", "400", "exec", path, "700", "1", "800", "exec", path, "11", "1", "1200"];
    let probe = at(&program, "hit");
    let (capture, said) = captured(&["--uprobe", &probe, "--uretprobe", &probe], command, &folder.path().join("capture.jsonl"));
    assert!(said.starts_with("calls 11 "), "{said}");
    assert_eq!((loss(&capture, "Uprobe").kernel_hits, loss(&capture, "Uretprobe").kernel_hits), (1711, 1711));
    // Each life lies elsewhere in memory; in the file it is one place.
    assert_at_the_function(&capture, "hits");
}

#[test]
fn a_caller_in_a_library_that_was_loaded_just_before_is_found() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (program, library) = (folder.path().join("plugin"), folder.path().join("libplugin.so"));
    compile_to("gcc", &source("plugin.c"), &["-O2", "-rdynamic"], &program);
    compile_to("gcc", &source("plugin.c"), &["-O2", "-shared", "-fPIC", "-DLIBRARY"], &library);
    let command = [program.to_str().unwrap(), library.to_str().unwrap(), "500"];
    let arguments = ["--frequency", "0", "--uprobe", &at(&program, "hit")];
    let (capture, _) = captured(&arguments, command, &folder.path().join("capture.jsonl"));
    let calls = loss(&capture, "Uprobe");
    assert_eq!((calls.kernel_hits, calls.filtered), (501, 0), "{calls:?}");
    for stack in of_kind(&capture, "Uprobe") {
        let modules: Vec<&str> = stack.iter().map(|(module, _)| module.as_str()).collect();
        let direct = ["plugin", "plugin", "libc.so.6", "libc.so.6", "plugin"];
        let through = ["plugin", "libplugin.so", "plugin", "libc.so.6", "libc.so.6", "plugin"];
        assert!(modules == direct || modules == through, "{stack:x?}");
    }
}
