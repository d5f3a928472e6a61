//! Nothing of a process's memory and no address of it leaves it: not in the capture, not on stderr, not in `--json`.

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use support::cores::{by_gdb, by_kernel, run};
use support::{LiveMaps, child_of, compile, ptrace_capture, read, rewalk};

/// What `testdata/src/secret.c` holds in every callee-saved register and in stack slots.
const SECRET: u64 = 0x5ec2_e7a1_1ce0_d00d;

/// Every spelling that a careless tool might use.
fn spellings(value: u64) -> Vec<Vec<u8>> {
    let text = [
        format!("{value:x}"),
        format!("{value:X}"),
        value.to_string(),
        value.cast_signed().to_string(),
        hex::encode(value.to_le_bytes()),
        hex::encode_upper(value.to_le_bytes()),
        // Halves: a 32-bit view of the same register.
        format!("{:08x}", value >> 32),
        format!("{:08x}", value & 0xffff_ffff),
    ];
    let raw = [value.to_le_bytes().to_vec(), value.to_be_bytes().to_vec()];
    text.into_iter().map(String::into_bytes).chain(raw).collect()
}

/// The secret and every start and end of a map, in every spelling.
fn forbidden(maps: &LiveMaps) -> Vec<(String, Vec<u8>)> {
    let mut needles: Vec<(String, Vec<u8>)> = spellings(SECRET).into_iter().map(|needle| ("the secret".to_owned(), needle)).collect();
    for address in maps.addresses() {
        let text = [format!("{address:x}"), format!("{address:X}"), address.to_string()];
        let raw = [address.to_le_bytes().to_vec(), address.to_be_bytes().to_vec()];
        let all = text.into_iter().filter(|text| text.len() >= 6).map(String::into_bytes).chain(raw);
        needles.extend(all.map(|needle| (format!("the live address {address:x}"), needle)));
    }
    needles
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn no_secret_and_no_live_address_appears_in_any_output() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile("gcc", "secret.c", &["-O2", "-fomit-frame-pointer"], folder.path());
    let outputs = tempfile::tempdir().unwrap();
    let file = outputs.path().join("capture.jsonl");
    let mut tool = ptrace_capture()
        .args(["--json", "--duration", "1500ms", "--frequency", "50", "-o"])
        .arg(&file)
        .arg("--")
        .arg(&program)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(tool.stdout.take().unwrap());
    let mut printed = String::new();
    stdout.read_line(&mut printed).unwrap();
    assert_eq!(printed, "ready\n");
    let target = child_of(tool.id()).unwrap();
    let maps = LiveMaps::of(target);
    stdout.read_to_string(&mut printed).unwrap();
    let output = tool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // The capture went through the frames that hold the secret, so it could have kept it.
    let capture = read(&file);
    let deepest = capture.samples.iter().map(|sample| rewalk(&capture, sample).frames.len()).max().unwrap();
    assert!(deepest > 20, "{deepest} frames");

    let mut everything: Vec<(String, Vec<u8>)> = vec![("stdout".into(), printed.into_bytes()), ("stderr".into(), output.stderr)];
    for entry in std::fs::read_dir(outputs.path()).unwrap() {
        let path = entry.unwrap().path();
        everything.push((path.display().to_string(), std::fs::read(path).unwrap()));
    }
    assert_eq!(everything.len(), 3, "the capture is the only file");
    let forbidden = forbidden(&maps);
    for (name, bytes) in &everything {
        for (what, needle) in &forbidden {
            assert!(!holds(bytes, needle), "{name} holds {what}");
        }
    }
}

#[test]
fn nothing_of_a_core_dump_leaves_it_but_places() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile("gcc", "secret.c", &["-O2", "-fomit-frame-pointer"], folder.path());
    let Some(core) = by_kernel(&program, folder.path(), None).or_else(|| by_gdb(&program, folder.path())) else { return };
    // The core holds the secret, so the capture could have kept it.
    assert!(holds(&std::fs::read(&core.file).unwrap(), &SECRET.to_le_bytes()));
    let file = folder.path().join("capture.jsonl");
    let output = run(&core.file, &["--json"], &file);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let capture = read(&file);
    let deepest = capture.samples.iter().map(|sample| rewalk(&capture, sample).frames.len()).max().unwrap();
    assert!(deepest > 20, "{deepest} frames");
    for (name, bytes) in [("stdout", output.stdout), ("stderr", output.stderr), ("capture", std::fs::read(&file).unwrap())] {
        for (what, needle) in &forbidden(&core.maps) {
            assert!(!holds(&bytes, needle), "{name} holds {what}");
        }
    }
}

#[test]
fn only_registers_that_were_needed_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile("gcc", "secret.c", &["-O2", "-fomit-frame-pointer"], folder.path());
    let file = folder.path().join("capture.jsonl");
    let status = ptrace_capture().args(["--duration", "300ms", "-o"]).arg(&file).arg("--").arg(program).stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
    let capture = read(&file);
    for sample in &capture.samples {
        let walk = rewalk(&capture, sample);
        for &number in sample.registers.0.keys() {
            assert!(matches!(number, 6 | 7 | 16) || walk.initial_registers_read.contains(&number), "register {number} was kept");
        }
        let mut read: Vec<_> = walk.frames.iter().flat_map(|frame| &frame.reads).map(|read| read.at).collect();
        read.sort_unstable();
        read.dedup();
        // Words read by rules that then failed are kept as well; words that no rule read are not.
        assert!(read.len() <= sample.words.len());
        if walk.frames.iter().all(|frame| frame.failed.is_empty()) && walk.failed.is_empty() {
            assert_eq!(read, sample.words.iter().map(|&(at, _)| at).collect::<Vec<_>>());
        }
    }
}
