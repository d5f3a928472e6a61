//! Nothing of a process's memory and no address of it leaves it: not in a capture, not in anything made from one, not on a stream.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use sealtrace_acceptance::process::{LiveMaps, Running, child_of};
use sealtrace_acceptance::run;

use crate::site;

/// What `testdata/src/secret.c` holds in every callee-saved register and in stack slots.
const SECRET: u64 = 0x5ec2_e7a1_1ce0_d00d;
/// Shorter hexadecimal numbers occur in digests by chance.
const MIN_HEX_DIGITS: usize = 6;
/// An address with fewer digits is mostly zero bytes, which occur everywhere.
const MIN_HEX_DIGITS_AS_BYTES: usize = 9;

/// The secret as a careless tool might spell it.
fn spellings() -> Vec<Vec<u8>> {
    let text = [format!("{SECRET:x}"), format!("{:016x}", SECRET.swap_bytes()), SECRET.to_string(), SECRET.cast_signed().to_string()];
    let both_cases = text.into_iter().flat_map(|text| [text.to_uppercase(), text]).map(String::into_bytes);
    both_cases.chain([SECRET.to_le_bytes().to_vec(), SECRET.to_be_bytes().to_vec()]).collect()
}

/// Everything that was said and written, each with where.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    /// Runs a tool that must succeed and keeps what it says.
    fn run(&mut self, command: &mut Command) {
        let output = run(command);
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        self.0.push((format!("stdout of {command:?}"), output.stdout));
        self.0.push((format!("stderr of {command:?}"), output.stderr));
    }

    /// Keeps every file below a folder.
    fn folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.folder(&path);
            } else {
                self.0.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }

    /// Where a text, in either case, or a number's bytes stand.
    fn place_of(&self, needle: &[u8]) -> Option<&str> {
        let holds = |bytes: &[u8]| {
            let starts = bytes.iter().enumerate().filter(|(_, byte)| byte.eq_ignore_ascii_case(&needle[0]));
            let mut candidates = starts.filter_map(|(at, _)| bytes.get(at..at + needle.len()));
            candidates.any(|candidate| candidate.eq_ignore_ascii_case(needle))
        };
        self.0.iter().find(|(_, bytes)| holds(bytes)).map(|(place, _)| place.as_str())
    }

    fn assert_without(&self, needle: &[u8]) {
        if let Some(place) = self.place_of(needle) {
            panic!("{place} holds {:?}", String::from_utf8_lossy(needle));
        }
    }
}

/// Captures the program that keeps secrets while it spins below 20 calls; what the tool said, and the live address space.
fn capture(capture: &Path, seen: &mut Seen) -> LiveMaps {
    let mut tool = site().tool("trace-capture");
    tool.args(["--json", "--backend", "ptrace", "--duration", "1s", "--frequency", "50", "-o"])
        .arg(capture)
        .arg("--")
        .arg(site().program("secret"));
    let running = Running::start(&mut tool);
    let maps = LiveMaps::of(child_of(running.pid()).unwrap());
    let (said, noted) = running.finish();
    seen.0.push(("stdout of trace-capture".to_owned(), said.into_bytes()));
    seen.0.push(("stderr of trace-capture".to_owned(), noted.into_bytes()));
    maps
}

/// Resolves, verifies, replays, packs, audits and explains a capture in `folder`.
fn all_stations(folder: &Path, seen: &mut Seen) {
    let tool = |name: &str, arguments: &[&str]| {
        let mut command = site().tool(name);
        command.current_dir(folder).args(arguments);
        command
    };
    let report = site().with_log(|log| {
        let mut resolve = tool("trace-resolve", &["--json", "--bundle", "sample:1.0", "capture.jsonl", "--events", "events.jsonl"]);
        resolve.arg("--key").arg(site().path("site.key")).arg("--log").arg(log);
        seen.run(&mut resolve);
        sealtrace_acceptance::release::json(&String::from_utf8_lossy(&seen.0[seen.0.len() - 2].1))
    });
    let frames = report["coverage"]["framesResolved"].as_u64().unwrap();
    assert!(frames > 20, "the capture went through the frames that hold the secret: {report}");
    seen.run(&mut tool("trace-verify", &["trace.sigstore.json", "--json"]));
    seen.run(&mut tool("trace-replay", &["--trace", "trace.sigstore.json", "--junit", "replay.xml", "--card", "replay.html", "--strict"]));
    seen.run(&mut tool("trace-verify", &["pack", "trace.sigstore.json", "--to", "evidence.tar"]));
    let trust = site().trust();
    seen.run(tool("trace-verify", &["audit", "evidence.tar", "--strict", "--card", "card.html", "--json", "--trust"]).arg(trust));
    for (frame, materials) in [("0", "materials-0"), ("5", "materials-5")] {
        seen.run(&mut tool("trace-verify", &["explain", "trace.sigstore.json", "--frame", frame, "--materials", materials]));
        seen.run(&mut tool("trace-verify", &["explain", "trace.sigstore.json", "--frame", frame, "--json"]));
    }
    for written in ["card.html", "materials-5/table.bin", "events.jsonl", "replay.xml"] {
        assert!(folder.join(written).is_file(), "{written}");
    }
}

#[test]
fn no_secret_and_no_live_address_appears_in_any_output_of_any_station() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Seen::default();
    let maps = capture(&folder.path().join("capture.jsonl"), &mut seen);
    all_stations(folder.path(), &mut seen);
    seen.folder(folder.path());
    seen.folder(&site().path("site-log"));
    seen.folder(&site().store().join("captures"));
    for spelling in spellings() {
        seen.assert_without(&spelling);
    }
    for address in maps.addresses().into_iter().collect::<BTreeSet<_>>() {
        let hex = format!("{address:x}");
        if hex.len() >= MIN_HEX_DIGITS {
            seen.assert_without(hex.as_bytes());
        }
        if hex.len() >= MIN_HEX_DIGITS_AS_BYTES {
            seen.assert_without(&address.to_le_bytes());
        }
    }
}

#[test]
fn the_search_for_secrets_finds_each_spelling() {
    for spelling in spellings() {
        let seen = Seen(vec![("here".to_owned(), [b"before ".as_slice(), &spelling, b" after"].concat())]);
        assert_eq!(seen.place_of(&spelling), Some("here"));
    }
}
