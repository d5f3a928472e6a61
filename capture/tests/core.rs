//! Stacks of core dumps equal those of eu-stack for the same core; what a core does not hold ends a stack, and what is no core is refused.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code outside #[test] functions")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealtrace_skip::skip;
use sealtrace_trace::{Capture, RegionKind};
use sealtrace_unwind::{Rule, TerminatedBy};
use support::cores::{Core, by_gdb, by_kernel, capture, run};
use support::{Stack, compile, compile_to, has_tool, parse_stacks, rewalk, stacks};

/// Calls of the recursion in `deep.c`.
const CALLS: usize = 5_000;
const PLAIN: [&str; 3] = ["-O1", "-fomit-frame-pointer", "-Wl,--build-id=sha1"];
const DEBUG_FRAME: [&str; 5] = ["-O1", "-g", "-fomit-frame-pointer", "-fno-asynchronous-unwind-tables", "-Wl,--build-id=sha1"];
const FRAME_POINTERS: [&str; 4] = ["-O1", "-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables", "-Wl,--build-id=sha1"];

fn deep(flags: &[&str], folder: &Path) -> PathBuf {
    let program = folder.join("deep");
    compile_to("gcc", &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/deep.c"), flags, &program);
    program
}

/// Both kinds of core of a program, as far as this host makes them.
fn cores(program: &Path, folder: &Path) -> Vec<Core> {
    [by_kernel(program, folder, None), by_gdb(program, folder)].into_iter().flatten().collect()
}

/// Every stack of ours is one of eu-stack's, in the same order of threads, frame by frame.
fn assert_as_eu_stack(core: &Core, ours: &Capture) {
    if !has_tool("eu-stack") {
        return skip("eu-stack", "eu-stack is not installed");
    }
    let output = Command::new("eu-stack").args(["-n", "0", "--core"]).arg(&core.file).arg("-e").arg(&core.program).output().unwrap();
    let theirs = parse_stacks(&String::from_utf8_lossy(&output.stdout));
    let placed = |stack: &Vec<Option<u64>>| stack.iter().map(|pc| core.maps.place(pc.unwrap())).collect::<Stack>();
    let theirs: Vec<Stack> = theirs.iter().map(placed).collect();
    let frames = |sample| {
        let one = Capture { header: ours.header.clone(), samples: vec![Clone::clone(sample)] };
        stacks(&one).into_iter().next().unwrap()
    };
    let ours: Vec<Stack> = ours.samples.iter().map(frames).collect();
    assert_eq!(ours.iter().map(Vec::len).collect::<Vec<_>>(), theirs.iter().map(Vec::len).collect::<Vec<_>>(), "{}", core.file.display());
    assert_eq!(ours, theirs, "{}", core.file.display());
}

/// The rules of the frames that lie in the program itself.
fn rules_in_program(capture: &Capture) -> Vec<Rule> {
    let walk = rewalk(capture, &capture.samples[0]);
    let main = capture.header.main_module.unwrap();
    walk.frames.iter().filter(|frame| frame.lookup.is_some_and(|at| at.region == main)).map(|frame| frame.rule).collect()
}

#[test]
fn a_core_of_5000_frames_with_eh_frame_unwinds_as_in_eu_stack() {
    let folder = tempfile::tempdir().unwrap();
    let program = deep(&PLAIN, folder.path());
    for (number, core) in cores(&program, folder.path()).iter().enumerate() {
        let (ours, said) = capture(&core.file, &[], &folder.path().join(number.to_string()));
        assert!(!said.contains("warning"), "{said}");
        assert!(rules_in_program(&ours).len() > CALLS);
        assert_eq!(rewalk(&ours, &ours.samples[0]).terminated_by, TerminatedBy::RaUndefined);
        assert_as_eu_stack(core, &ours);
    }
}

#[test]
fn a_core_of_5000_frames_with_debug_frame_alone_unwinds_as_in_eu_stack() {
    let folder = tempfile::tempdir().unwrap();
    let program = deep(&DEBUG_FRAME, folder.path());
    for (number, core) in cores(&program, folder.path()).iter().enumerate() {
        let (ours, _) = capture(&core.file, &[], &folder.path().join(number.to_string()));
        let by_debug_frame = rules_in_program(&ours).iter().filter(|&&rule| rule == Rule::CfiDebugFrame).count();
        assert!(by_debug_frame >= CALLS, "{by_debug_frame}");
        assert_as_eu_stack(core, &ours);
    }
}

#[test]
fn a_core_of_5000_frames_without_unwind_data_unwinds_by_frame_pointers() {
    let folder = tempfile::tempdir().unwrap();
    let program = deep(&FRAME_POINTERS, folder.path());
    for (number, core) in cores(&program, folder.path()).iter().enumerate() {
        let (ours, _) = capture(&core.file, &[], &folder.path().join(number.to_string()));
        let stack = stacks(&ours).into_iter().next().unwrap();
        let by_frame_pointer = rules_in_program(&ours).iter().filter(|&&rule| rule == Rule::FramePointer).count();
        // Each call's return address is that of the recursion, but for main's one and the innermost, which the C library's CFI gives.
        assert!((CALLS - 1..=CALLS + 1).contains(&by_frame_pointer), "{by_frame_pointer}");
        let counts = stack.iter().map(|frame| stack.iter().filter(|other| *other == frame).count()).max().unwrap();
        assert_eq!(counts, CALLS - 1);
        assert_as_eu_stack(core, &ours);
    }
}

#[test]
fn a_core_has_every_thread_of_a_multithreaded_program_as_in_eu_stack() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["-O2", "-fomit-frame-pointer", "-pthread", "-Wl,--build-id=sha1"];
    let program = compile("g++", "threads.cpp", &flags, folder.path());
    for (number, core) in cores(&program, folder.path()).iter().enumerate() {
        let (ours, said) = capture(&core.file, &[], &folder.path().join(number.to_string()));
        assert!(said.contains("with 8 threads"), "{said}");
        assert_eq!((ours.header.loss.kernel_hits, ours.header.loss.delivered), (8, 8));
        assert!(stacks(&ours).iter().any(|stack| stack.len() > 200));
        assert_as_eu_stack(core, &ours);
    }
}

#[test]
fn a_core_of_python_unwinds_as_in_eu_stack() {
    if !has_tool("python3") {
        return skip("python3", "python3 is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("python.sh");
    let code = "import time\ndef a(n):\n    if n:\n        return list(map(a, [n - 1]))\n    print(\"ready\", flush=True)\n    time.sleep(1000)\na(8)\n";
    std::fs::write(&script, format!("#!/bin/sh\nexec python3 -c '{code}'\n")).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&script).status().unwrap().success());
    let output = Command::new("python3").args(["-c", "import os, sys; print(os.path.realpath(sys.executable))"]).output().unwrap();
    let python = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    for (number, core) in cores(&script, folder.path()).into_iter().enumerate() {
        let core = Core { program: python.clone(), ..core };
        let (ours, said) = capture(&core.file, &[], &folder.path().join(number.to_string()));
        assert!(!said.contains("warning"), "{said}");
        assert!(stacks(&ours).iter().any(|stack| stack.len() > 30), "{:?}", stacks(&ours));
        assert_as_eu_stack(&core, &ours);
    }
}

#[test]
fn the_same_core_gives_the_same_capture_and_says_nothing_of_this_host() {
    let folder = tempfile::tempdir().unwrap();
    let program = deep(&PLAIN, folder.path());
    let Some(core) = cores(&program, folder.path()).into_iter().next() else { return };
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let (capture, _) = capture(&core.file, &[], &one);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    run(&core.file, &[], &other);
    assert_eq!(std::fs::read(one).unwrap(), std::fs::read(other).unwrap());
    let host = &capture.header.host;
    assert_eq!((host.kernel_release.as_str(), host.os_release.as_str(), &host.boot_id_hash), ("unknown", "unknown", &None));
    let kinds: BTreeSet<_> = capture.header.regions.iter().map(|region| format!("{:?}", region.kind)).collect();
    for kind in [RegionKind::Stack, RegionKind::Vdso, RegionKind::Module, RegionKind::Anonymous] {
        assert!(kinds.contains(&format!("{kind:?}")), "{kinds:?}");
    }
    assert_eq!(capture.header.libc.variant, "glibc");
}

/// Every stack ends where something is not in the core, and no frame was guessed.
fn assert_ends_without_guessing(capture: &Capture) {
    for sample in &capture.samples {
        let walk = rewalk(capture, sample);
        assert_eq!(walk.terminated_by, TerminatedBy::StackCopyLimit);
        assert!(walk.frames.iter().all(|frame| frame.rule != Rule::HeuristicScan));
    }
}

#[test]
fn a_program_that_was_replaced_afterwards_is_not_used_and_its_module_keeps_the_identity_in_the_core() {
    let folder = tempfile::tempdir().unwrap();
    let program = deep(&PLAIN, folder.path());
    for (number, core) in cores(&program, folder.path()).iter().enumerate() {
        let to = |name: &str| folder.path().join(format!("{name}{number}"));
        let (before, _) = capture(&core.file, &[], &to("before"));
        let main =
            |capture: &Capture| capture.header.regions[usize::try_from(capture.header.main_module.unwrap().0).unwrap()].module.clone();
        let kept = std::fs::read(&program).unwrap();
        // Another build at the same path; then nothing; then the right one below another folder.
        std::fs::remove_file(&program).unwrap();
        compile_to("gcc", &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/deep.c"), &["-O2", "-Wl,--build-id=sha1"], &program);
        let (replaced, said) = capture(&core.file, &[], &to("replaced"));
        assert!(said.contains("it is another build: build-id"), "{said}");
        assert_ends_without_guessing(&replaced);
        let (with, without) = (main(&before).unwrap(), main(&replaced).unwrap());
        assert_eq!(with.ids, without.ids);
        assert!(with.ids.gnu_build_id.is_some() && with.file_sha256.is_some() && without.file_sha256.is_none());
        std::fs::remove_file(&program).unwrap();
        let (missing, said) = capture(&core.file, &[], &to("missing"));
        assert!(said.contains("it is not there"), "{said}");
        assert_eq!(stacks(&missing), stacks(&replaced));
        let root = to("root");
        for module in before.header.regions.iter().filter_map(|region| region.module.as_ref()).filter(|module| module.path.starts_with('/'))
        {
            let below = root.join(module.path.strip_prefix('/').unwrap());
            std::fs::create_dir_all(below.parent().unwrap()).unwrap();
            let bytes = if Path::new(&module.path) == program { kept.clone() } else { std::fs::read(&module.path).unwrap() };
            std::fs::write(below, bytes).unwrap();
        }
        let (found, said) = capture(&core.file, &["--sysroot", root.to_str().unwrap()], &to("found"));
        assert!(!said.contains("warning"), "{said}");
        assert_eq!(found, before);
        std::fs::write(&program, &kept).unwrap();
    }
}

#[test]
fn a_program_without_build_id_is_known_by_its_first_page_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let program = deep(&["-O1", "-Wl,--build-id=none"], folder.path());
    let Some(core) = cores(&program, folder.path()).into_iter().next() else { return };
    let (used, said) = capture(&core.file, &[], &folder.path().join("capture"));
    let main = usize::try_from(used.header.main_module.unwrap().0).unwrap();
    assert_eq!(used.header.regions[main].module.as_ref().unwrap().file_sha256, None);
    assert!(said.contains("it is used because its first page is the one in the core"), "{said}");
    // One byte of the header that decides nothing about how it runs.
    let mut bytes = std::fs::read(&program).unwrap();
    bytes[15] ^= 1;
    std::fs::remove_file(&program).unwrap();
    std::fs::write(&program, bytes).unwrap();
    let (other, said) = capture(&core.file, &[], &folder.path().join("other"));
    assert!(said.contains("its first page is another one than in the core"), "{said}");
    assert_ends_without_guessing(&other);
}

#[test]
fn a_core_without_headers_of_files_names_no_build_and_guesses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = deep(&PLAIN, folder.path());
    // Private anonymous memory alone.
    let Some(core) = by_kernel(&program, folder.path(), Some("0x1")) else { return };
    let (capture, said) = capture(&core.file, &[], &folder.path().join("capture"));
    assert!(said.contains("the core does not hold its first page"), "{said}");
    let modules: Vec<_> = capture.header.regions.iter().filter_map(|region| region.module.as_ref()).map(|module| &module.path).collect();
    assert_eq!(modules, ["[vdso]"]);
    assert_ends_without_guessing(&capture);
}

#[test]
fn a_core_that_was_cut_off_gives_what_it_holds_or_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let program = deep(&PLAIN, folder.path());
    for (number, core) in cores(&program, folder.path()).iter().enumerate() {
        let bytes = std::fs::read(&core.file).unwrap();
        let cut = folder.path().join("cut");
        let mut kept = 0;
        for part in 0..40 {
            std::fs::write(&cut, &bytes[..bytes.len() * part / 40]).unwrap();
            let to = folder.path().join(format!("{number}-{part}"));
            let output = run(&cut, &["--json"], &to);
            let said = String::from_utf8_lossy(&output.stderr);
            match output.status.code() {
                Some(0) => {
                    assert!(said.contains("the core is cut off"), "{said}");
                    rewalk(&support::read(&to), &support::read(&to).samples[0]);
                    kept += 1;
                }
                Some(3) => assert!((said.contains("cut off") || part == 0) && said.contains("next:") && !to.exists(), "{said}"),
                other => panic!("{other:?}: {said}"),
            }
        }
        // gdb writes the notes last: without them there is no thread.
        let by_gdb = core.file.file_name().unwrap().to_string_lossy().starts_with("gcore.");
        assert_eq!(kept > 0, !by_gdb);
    }
}

#[test]
fn what_is_no_core_of_a_64_bit_process_is_refused_with_its_name_and_the_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let program = deep(&PLAIN, folder.path());
    let elf = |kind: u8, machine: u8| {
        let mut bytes = std::fs::read(&program).unwrap();
        (bytes[16], bytes[18]) = (kind, machine);
        bytes
    };
    let cases: [(&str, Vec<u8>, i32, &str); 8] = [
        ("empty", Vec::new(), 3, "it is empty"),
        ("text", b"no core\n".to_vec(), 3, "it is no ELF file"),
        ("program", elf(3, 62), 3, "it is an ELF executable or shared library, not a core dump"),
        ("aarch64", elf(4, 183), 2, "an aarch64 process"),
        ("i386", elf(4, 3), 2, "a 32-bit x86 process"),
        ("zstd", vec![0x28, 0xb5, 0x2f, 0xfd, 0], 2, "zstd -d"),
        ("lz4", vec![0x04, 0x22, 0x4d, 0x18, 0], 2, "lz4 -d"),
        ("threadless", elf(4, 62), 3, "cannot capture from"),
    ];
    for (name, bytes, exit, expected) in cases {
        std::fs::write(at(name), bytes).unwrap();
        let to = at("capture");
        let output = run(&at(name), &["--json"], &to);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(exit) && said.contains(expected) && said.contains("next:"), "{name}: {said}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(&format!("\"exit\":{exit}")) && !to.exists(), "{name}");
    }
}

#[test]
fn wrong_arguments_about_a_core_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "x").unwrap();
    let to = folder.path().join("capture");
    let refused = |core: &Path, arguments: &[&str], to: &Path, expected: &str| {
        let output = run(core, arguments, to);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(expected), "{arguments:?}: {said}");
    };
    refused(&folder.path().join("missing"), &[], &to, "it cannot be opened");
    refused(folder.path(), &[], &to, "it is a folder");
    refused(&text, &["--sysroot", text.to_str().unwrap()], &to, "is no folder");
    refused(&text, &["--force"], &text, "would replace the core");
    for arguments in
        [&["--pid", "1"][..], &["--backend", "ptrace"], &["--duration", "1s"], &["--frequency", "9"], &["--uprobe", "a:b"], &["--", "true"]]
    {
        refused(&text, arguments, &to, "cannot be used with");
    }
    assert!(!to.exists());
    assert_eq!(std::fs::read(&text).unwrap(), b"x");
}
