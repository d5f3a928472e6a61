//! Two machines of a site watch each other: a log witness cosigns the other's checkpoints, by files and over HTTP, and refuses what
//! does not continue what it has seen.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

#[path = "support/server.rs"]
mod server;
#[path = "support/site.rs"]
mod site;
mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use sealtrace_site_log::SiteLog;
use sealtrace_tlog::{CosignerKey, NoteKey, SignedCheckpoint};
use serde_json::{Value, json};
use server::{Answer, Server};
use site::Site;

const COSIGN: &str = "log witness cosign --state w --request add.txt -o cosignature --force --time 2026-03-01T00:00:00Z";

/// A site with a log of `entries` entries, its vkey in `log.vkey`, and a log witness `w`, its vkey in `w.vkey`.
fn site(entries: usize) -> Site {
    let site = Site::empty();
    let log = site.json("log init log --origin site.example.org/log");
    site.write("log.vkey", log["vkey"].as_str().unwrap());
    grow(&site, "log", 0..entries);
    let witness = site.json("log witness init --state w --name witness.example.org");
    site.write("w.vkey", witness["vkey"].as_str().unwrap());
    site
}

fn grow(site: &Site, log: &str, entries: std::ops::Range<usize>) {
    let mut log = SiteLog::open(&site.path(log), None).unwrap();
    for number in entries {
        log.append(format!("entry {number}").as_bytes()).unwrap();
    }
}

fn cosign(site: &Site, old: usize) -> Value {
    site.done(&format!("log request-cosign --log log --old {old} -o add.txt --force"));
    site.json(&format!("{COSIGN} --log-key log.vkey"))
}

/// The times of the log witness's cosignatures on a checkpoint's text.
fn times(site: &Site, text: &str) -> Vec<String> {
    let key = CosignerKey::new(NoteKey::parse(site.read("w.vkey").trim()).unwrap()).unwrap();
    let found = key.cosignatures(&SignedCheckpoint::parse(text).unwrap()).unwrap();
    found.iter().map(|one| one.time().unwrap().to_string()).collect()
}

#[test]
fn a_cosignature_goes_from_the_log_to_the_log_witness_and_back_and_the_next_one_needs_a_proof() {
    let site = site(3);
    let first = cosign(&site, 0);
    assert_eq!((&first["size"], &first["before"], &first["time"]), (&json!(3), &Value::Null, &json!("2026-03-01T00:00:00Z")));
    let added = site.json("log add-cosignature --log log --witness w.vkey cosignature");
    assert_eq!((&added["size"], &added["current"], &added["already"]), (&json!(3), &json!(true), &json!(false)));
    assert_eq!(times(&site, &site.read("log/checkpoint")), ["2026-03-01T00:00:00Z"]);
    assert_eq!(site.read("log/checkpoint"), site.read("log/cosigned/3"));
    let before = site.snapshot();
    assert_eq!(site.json("log add-cosignature --log log --witness w.vkey cosignature")["already"], true);
    assert!(site.snapshot() == before);

    // The log goes on; the cosigned checkpoint stays beside the new one.
    grow(&site, "log", 3..300);
    assert!(times(&site, &site.read("log/checkpoint")).is_empty());
    let second = cosign(&site, 3);
    assert_eq!((&second["size"], &second["before"]), (&json!(300), &json!(3)));
    // Before the answer is back the log has grown again: the request says what was answered.
    grow(&site, "log", 300..301);
    site.refused("log add-cosignature --log log --witness w.vkey cosignature", 1, &["--request FILE"]);
    let late = site.json("log add-cosignature --log log --witness w.vkey --request add.txt cosignature");
    assert_eq!((&late["size"], &late["current"]), (&json!(300), &json!(false)));
    assert_eq!(times(&site, &site.read("log/cosigned/300")).len(), 1);
    // A whole cosigned checkpoint is an answer too, and the log can be opened and appended to.
    std::fs::copy(site.path("log/cosigned/300"), site.path("whole")).unwrap();
    std::fs::remove_file(site.path("log/cosigned/300")).unwrap();
    assert_eq!(site.json("log add-cosignature --log log --witness w.vkey whole")["size"], 300);
    grow(&site, "log", 301..302);
    let shown = site.json("log witness show --state w");
    assert_eq!((&shown["logs"][0]["size"], &shown["logs"][0]["cosigned"]), (&json!(300), &json!(2)));
}

#[test]
fn a_lost_answer_is_given_again_and_of_many_the_first_and_the_last_are_kept() {
    let site = site(2);
    cosign(&site, 0);
    for (time, kept) in [("2026-03-01T00:00:00Z", 1), ("2026-03-02T00:00:00Z", 2), ("2026-03-03T00:00:00Z", 2), ("2026-02-01T00:00:00Z", 2)]
    {
        let again =
            site.run(&format!("log witness cosign --state w --request add.txt -o cosignature --force --log-key log.vkey --time {time}"));
        assert!(again.status.success(), "{}", support::stderr(&again));
        assert_eq!(support::stderr(&again).contains("it was set back"), time.starts_with("2026-02"));
        site.done("log add-cosignature --log log --witness w.vkey cosignature");
        assert_eq!(times(&site, &site.read("log/checkpoint")).len(), kept, "{time}");
    }
    assert_eq!(times(&site, &site.read("log/checkpoint")), ["2026-02-01T00:00:00Z", "2026-03-03T00:00:00Z"]);
    assert_eq!(site.json("log witness show --state w")["logs"][0]["cosigned"], 1);
}

#[test]
fn rollback_fork_bad_proof_unknown_log_and_wrong_key_are_refused_and_change_nothing() {
    let site = site(5);
    let old = tar(&site, "log", "old-log");
    grow(&site, "log", 5..9);
    cosign(&site, 0);
    let cosign = format!("{COSIGN} --log-key log.vkey");
    // An older copy of the log.
    site.done(&format!("log request-cosign --log {old} --old 0 -o add.txt --force"));
    let older = ["rollback", "has cosigned this log at size 9, and the checkpoint has size 5", "do not append to it"];
    site.refused(&cosign, 1, &older);
    site.done(&format!("log request-cosign --log {old} --old 5 -o add.txt --force"));
    site.refused(&cosign, 1, &older);
    let beyond = ["rollback", "cosigned at size 9, and it has 5 entries here", "witness show` says size 9", "do not append to it"];
    site.refused(&format!("log request-cosign --log {old} --old 9 -o new.txt"), 1, &beyond);
    // The older copy goes on differently: a fork of the same size, with evidence, and of a larger one.
    grow(&site, &old, 100..104);
    site.done(&format!("log request-cosign --log {old} --old 9 -o add.txt --force"));
    let forked = site.run(&cosign);
    let said = support::stderr(&forked);
    assert_eq!(forked.status.code(), Some(1), "{said}");
    assert!(said.contains("another root than the one cosigned") && said.contains("both checkpoints are in"), "{said}");
    let evidence: Vec<_> = support::files(&site.path("w/evidence")).iter().map(|name| site.read(&format!("w/evidence/{name}"))).collect();
    assert_eq!(evidence.len(), 2);
    assert!(evidence.contains(&site.read("log/checkpoint")) && evidence.contains(&site.read("old-log/checkpoint")));
    grow(&site, &old, 104..105);
    site.done(&format!("log request-cosign --log {old} --old 9 -o add.txt --force"));
    site.refused(&cosign, 1, &["consistency proof", "leads to another root"]);
    // An unknown log, and a log under the same name with another key.
    site.done("log init other --origin other.example.org/log");
    site.done("log request-cosign --log other --old 0 -o add.txt --force");
    site.refused(&cosign, 1, &["unknown log"]);
    site.done("log init twin --origin site.example.org/log");
    site.done("log request-cosign --log twin --old 0 -o add.txt --force");
    site.refused(&cosign, 1, &["no signature by a known key"]);
    assert_eq!(site.json("log witness show --state w")["logs"][0]["size"], 9);
    // And the log itself goes on.
    grow(&site, "log", 9..12);
    assert_eq!(self::cosign(&site, 9)["size"], 12);
}

/// A copy of a folder; its name.
fn tar(site: &Site, from: &str, to: &str) -> String {
    let copied = std::process::Command::new("cp").arg("-R").arg(site.path(from)).arg(site.path(to)).status().unwrap();
    assert!(copied.success());
    to.to_owned()
}

#[test]
fn a_fork_is_kept_as_evidence_whatever_old_size_the_request_states() {
    for old_size in [0, 2, 4] {
        let site = site(3);
        let twin = tar(&site, "log", "twin");
        grow(&site, "log", 3..4);
        cosign(&site, 0);
        grow(&site, &twin, 100..101);
        site.done(&format!("log request-cosign --log {twin} --old {old_size} -o add.txt --force"));
        let forked = site.run(&format!("{COSIGN} --log-key log.vkey"));
        let said = support::stderr(&forked);
        assert_eq!(forked.status.code(), Some(1), "{said}");
        assert!(said.contains("fork: checkpoint of size 4") && said.contains("both checkpoints are in"), "old {old_size}: {said}");
        let kept = support::files(&site.path("w/evidence"));
        let evidence: Vec<_> = kept.iter().map(|name| site.read(&format!("w/evidence/{name}"))).collect();
        assert!(evidence.contains(&site.read("log/checkpoint")) && evidence.contains(&site.read("twin/checkpoint")), "{kept:?}");
    }
}

#[test]
fn a_larger_checkpoint_from_a_wrong_size_is_told_the_request_to_make() {
    let site = site(2);
    cosign(&site, 0);
    grow(&site, "log", 2..4);
    site.done("log request-cosign --log log --old 1 -o add.txt --force");
    let next = "log request-cosign --log DIR --old 2 -o add.txt --force";
    site.refused(&format!("{COSIGN} --log-key log.vkey"), 1, &["old size 1 is not the size cosigned last, 2", next]);
}

#[test]
fn an_earlier_request_or_cosignature_is_replaced_only_when_that_is_asked_for() {
    let site = site(2);
    cosign(&site, 0);
    grow(&site, "log", 2..3);
    site.refused("log request-cosign --log log --old 2 -o add.txt", 2, &["add.txt is already there", "--force"]);
    site.done("log request-cosign --log log --old 2 -o new.txt");
    let again = "log witness cosign --state w --log-key log.vkey --request new.txt -o cosignature";
    site.refused(again, 2, &["cosignature is already there", "--force"]);
    assert_eq!(site.json("log witness show --state w")["logs"][0]["size"], 2, "nothing was cosigned");
    site.done(&format!("{again} --force"));
    // Nothing but what the command itself wrote.
    site.refused("log request-cosign --log log --old 0 -o log.vkey --force", 2, &["log.vkey"]);
}

#[test]
fn cosigning_an_empty_log_says_that_it_is_empty() {
    let site = site(0);
    let empty = |line: &str, says: bool| {
        let said = support::stderr(&site.done(line));
        assert_eq!(said.contains("the log is empty"), says, "{line}: {said}");
    };
    empty("log request-cosign --log log --old 0 -o add.txt", true);
    empty(&format!("{COSIGN} --log-key log.vkey"), true);
    grow(&site, "log", 0..1);
    empty("log request-cosign --log log --old 0 -o add.txt --force", false);
    empty(&format!("{COSIGN} --log-key log.vkey"), false);
    let served = Served::start(&site, "log witness serve --state w --log-key log.vkey");
    empty(&format!("log cosign --log log --witness {} --witness-key w.vkey", served.url), false);
}

#[test]
fn a_state_that_may_not_be_read_is_not_called_missing() {
    let site = site(1);
    site.refused("log witness show --state ww", 2, &["holds no log witness", "check the path", "log witness init"]);
    if rustix::process::geteuid().is_root() {
        sealtrace_skip::skip("ordinary-user", "root reads every folder");
        return;
    }
    std::fs::set_permissions(site.path("w"), std::fs::Permissions::from_mode(0o0)).unwrap();
    site.refused("log witness show --state w", 2, &["cannot read w/witness.json: Permission denied", "owner and mode"]);
    std::fs::set_permissions(site.path("w"), std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::set_permissions(site.path("log/log.json"), std::fs::Permissions::from_mode(0o0)).unwrap();
    site.refused("log checkpoint --log log", 2, &["cannot read log/log.json: Permission denied", "owner and mode"]);
}

#[test]
fn an_answer_that_is_not_the_log_witness_s_or_not_of_this_log_is_refused() {
    let site = site(4);
    cosign(&site, 0);
    let good = site.read("cosignature");
    let add = "log add-cosignature --log log --witness w.vkey";
    site.json("log witness init --state v --name witness.example.org");
    let other = site.json("log witness show --state v")["vkey"].as_str().unwrap().to_owned();
    site.refused(&format!("log add-cosignature --log log --witness {other} cosignature"), 1, &["no cosignature by"]);
    site.refused("log add-cosignature --log log --witness log.vkey cosignature", 2, &["log.vkey"]);
    let mut flipped = good.clone().into_bytes();
    let place = flipped.len() - 12;
    flipped[place] = if flipped[place] == b'A' { b'B' } else { b'A' };
    site.write("flipped", flipped);
    site.refused(&format!("{add} flipped"), 1, &["signature"]);
    for (name, text, code) in
        [("empty", "", 3), ("html", "<!doctype html>", 3), ("cut", good.get(..good.len() - 9).unwrap(), 3), ("two", "\u{2014} x\n", 3)]
    {
        site.write(name, text);
        site.refused(&format!("{add} {name}"), code, &[name]);
    }
    site.refused(&format!("{add} missing"), 2, &["missing"]);
    site.refused(&format!("{add} --request lost cosignature"), 2, &["lost"]);
    site.refused("log add-cosignature --log w --witness w.vkey cosignature", 2, &["holds no log"]);
    site.refused("log add-cosignature --log log --witness nobody+00000000+AAAA cosignature", 3, &["nobody+00000000+AAAA"]);
    // Of another copy of the log, which has another tree.
    site.done("log init twin --origin site.example.org/log --key log/log.key");
    let mut twin = SiteLog::open(&site.path("twin"), Some(&site.path("log/log.key"))).unwrap();
    (0..4).for_each(|number| drop(twin.append(format!("other {number}").as_bytes()).unwrap()));
    drop(twin);
    site.done("log request-cosign --log twin --old 0 -o add.txt --force");
    site.done("log witness cosign --state v --log-key log.vkey --request add.txt -o of-twin");
    site.refused(&format!("log add-cosignature --log log --witness {other} --request add.txt of-twin"), 1, &["this log has"]);
}

#[test]
fn wrong_requests_arguments_and_states_are_named() {
    let site = site(1);
    let cosign = format!("{COSIGN} --log-key log.vkey");
    site.refused(&cosign, 2, &["add.txt"]);
    for text in ["", "old", "old -1\n\nx", "old 0\n\n", "<html>"] {
        site.write("add.txt", text);
        site.refused(&cosign, 3, &["the request"]);
    }
    site.write("add.txt", vec![b'a'; 2 << 20]);
    site.refused(&cosign, 2, &["add.txt"]);
    std::fs::remove_file(site.path("add.txt")).unwrap();
    site.done("log request-cosign --log log --old 0 -o add.txt --force");
    site.refused(&cosign.replace("--state w", "--state nothing"), 2, &["holds no log witness", "log witness init"]);
    // The state says that it was cosigned, whether or not the answer can be written; then it is asked for again.
    for to in ["no/such/place", "log.vkey"] {
        let output = site.run(&cosign.replace("-o cosignature", &format!("-o {to}")));
        assert_eq!(output.status.code(), Some(2));
        assert!(support::stderr(&output).contains(to));
    }
    site.done(&cosign);
    site.refused("log witness init --state w --name witness.example.org", 2, &["is not an empty folder"]);
    site.refused("log witness init --state v --name a+b", 2, &["name"]);
    site.refused("log request-cosign --log log --old 0 -o log.vkey", 2, &["log.vkey"]);
    site.refused(&format!("{COSIGN} --log-key log/log.key"), 2, &["a key without a name"]);
    site.refused(&format!("{COSIGN} --log-key log/log.key --origin site.example.org/log"), 3, &["log/log.key"]);
    site.refused("log witness serve --state w --log-key log.vkey --listen 0.0.0.0:0", 2, &["is not on loopback"]);
    let mode = std::fs::metadata(site.path("w/witness.key")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    std::fs::set_permissions(site.path("w/witness.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    site.refused(&cosign, 2, &["mode 0644"]);
    std::fs::set_permissions(site.path("w/witness.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    // Another witness's key in this folder; a changed description.
    site.done("log witness init --state v --name witness.example.org");
    std::fs::copy(site.path("v/witness.json"), site.path("w/witness.json")).unwrap();
    site.refused(&cosign, 1, &["is not the key of witness.json"]);
    site.write("w/witness.json", "{}");
    site.refused(&cosign, 3, &["witness.json"]);
}

#[test]
fn a_changed_state_is_not_cosigned_with() {
    let site = site(2);
    cosign(&site, 0);
    grow(&site, "log", 2..4);
    cosign(&site, 2);
    grow(&site, "log", 4..5);
    site.done("log request-cosign --log log --old 4 -o add.txt --force");
    let journal = format!("w/logs/{}", support::files(&site.path("w/logs"))[0]);
    let whole = site.read(&journal);
    let lines: Vec<&str> = whole.lines().collect();
    for (text, says) in [
        (format!("{}\n", lines[1]), "record 1 does not follow"),
        (format!("{}\n{}\n", lines[0], lines[0]), "record 2 does not follow"),
        (whole.replacen("2026", "2025", 1), "record 2 does not follow"),
        (format!("x\n{whole}"), "record 1 is no record"),
    ] {
        site.write(&journal, text);
        site.refused(&format!("{COSIGN} --log-key log.vkey"), 1, &[says, "do not cosign with it"]);
    }
    site.write(&journal, whole);
    assert_eq!(site.json(&format!("{COSIGN} --log-key log.vkey"))["size"], 5);
}

#[test]
fn a_journal_cut_at_any_byte_is_the_state_before_or_after_and_never_less_than_was_given_out() {
    let site = site(1);
    cosign(&site, 0);
    let journal = format!("w/logs/{}", support::files(&site.path("w/logs"))[0]);
    let first = std::fs::read(site.path(&journal)).unwrap();
    grow(&site, "log", 1..3);
    cosign(&site, 1);
    let both = std::fs::read(site.path(&journal)).unwrap();
    let mut lengths: Vec<usize> = (first.len()..both.len()).step_by(23).collect();
    lengths.extend([both.len() - 1, both.len()]);
    for length in lengths {
        site.write(&journal, &both[..length]);
        let size = site.json("log witness show --state w")["logs"][0]["size"].clone();
        assert_eq!(size, if length == both.len() { json!(3) } else { json!(1) }, "{length}");
        // What was cut was never given out; the same request is answered, and the journal is whole again.
        site.done(&format!("log request-cosign --log log --old {size} -o add.txt --force"));
        assert_eq!(site.json(&format!("{COSIGN} --log-key log.vkey"))["size"], 3);
        assert!(std::fs::read(site.path(&journal)).unwrap() == both, "{length}");
    }
}

#[test]
fn without_room_for_the_state_nothing_is_cosigned() {
    let site = site(1);
    site.done("log request-cosign --log log --old 0 -o add.txt --force");
    // A limit on the size of files is what a full disk looks like to a writer; the signal that goes with it is ignored.
    let line = format!("ulimit -f 0; trap '' XFSZ; exec {} {COSIGN} --log-key log.vkey", env!("CARGO_BIN_EXE_symbol-bundle"));
    let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(site.path("")).output().unwrap();
    let said = support::stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("nothing was cosigned") && !site.path("cosignature").exists(), "{said}");
    assert_eq!(site.json("log witness show --state w")["logs"], json!([]));
    assert_eq!(site.json(&format!("{COSIGN} --log-key log.vkey"))["size"], 1);
}

/// A served log witness; it is ended when dropped.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start(site: &Site, line: &str) -> Self {
        let mut child = site.command(&format!("{line} --json")).stdout(Stdio::piped()).spawn().unwrap();
        let mut text = String::new();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        while serde_json::from_str::<Value>(&text).is_err() {
            assert!(reader.read_line(&mut text).unwrap() > 0, "the log witness does not start");
        }
        let said: Value = serde_json::from_str(&text).unwrap();
        Self { child, url: said["url"].as_str().unwrap().to_owned() }
    }

    /// Sends bytes as they are; what comes back.
    fn send(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        drop(stream.write_all(bytes));
        let mut answer = String::new();
        drop(stream.read_to_string(&mut answer));
        answer
    }

    fn post(&self, body: &[u8]) -> String {
        let mut request = format!("POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        request.extend_from_slice(body);
        self.send(&request)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_served_log_witness_cosigns_over_http_and_survives_a_kill_without_forgetting() {
    let site = site(2);
    let serve = "log witness serve --state w --log-key log.vkey --time 2026-04-01T00:00:00Z";
    let cosign = |served: &Served| format!("log cosign --log log --witness {} --witness-key w.vkey", served.url);
    let served = Served::start(&site, serve);
    assert_eq!(site.json(&cosign(&served))["size"], 2);
    grow(&site, "log", 2..7);
    let report = site.json(&cosign(&served));
    assert_eq!((&report["size"], &report["time"], &report["current"]), (&json!(7), &json!("2026-04-01T00:00:00Z"), &json!(true)));
    drop(served);
    let served = Served::start(&site, serve);
    let old = tar(&site, "log", "old-log");
    grow(&site, "log", 7..8);
    site.done(&cosign(&served));
    site.refused(
        &cosign(&served).replace("--log log", &format!("--log {old}")),
        1,
        &["cosigned this log at size 8, and it has 7 entries here"],
    );
    grow(&site, &old, 100..103);
    site.refused(&cosign(&served).replace("--log log", &format!("--log {old}")), 1, &["answers 422", "another tree"]);
    site.done("log init other --origin other.example.org/log");
    site.refused(&cosign(&served).replace("--log log", "--log other"), 2, &["answers 404", "does not know this log"]);
}

#[test]
fn a_served_log_witness_answers_wrong_requests_by_their_status() {
    let site = site(1);
    let served = Served::start(&site, "log witness serve --state w --log-key log.vkey");
    let status = |answer: String, code: u16| assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
    status(served.send(b"GET / HTTP/1.1\r\n\r\n"), 404);
    status(served.send(b"GET /add-checkpoint HTTP/1.1\r\n\r\n"), 405);
    status(served.send(b"SSH-2.0\r\n\r\n"), 400);
    status(served.send(&vec![b'a'; 20_000]), 400);
    status(served.send(b"POST /add-checkpoint HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n"), 413);
    status(served.send(b"POST /add-checkpoint HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"), 400);
    status(served.send(b"POST /add-checkpoint HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"), 411);
    status(served.send(b"POST /add-checkpoint HTTP/1.1\r\ncontent-length: 9\r\n\r\nold"), 400);
    status(served.post(b"old 0\n\n"), 400);
    site.done("log request-cosign --log log --old 0 -o add.txt --force");
    let request = std::fs::read(site.path("add.txt")).unwrap();
    status(served.post(&request), 200);
    let stale = served.post(&request);
    assert!(stale.starts_with("HTTP/1.1 409 ") && stale.contains("text/x.tlog.size") && stale.ends_with("\r\n\r\n1\n"), "{stale}");
    // Clients that say nothing do not keep others out.
    let _silent: Vec<TcpStream> = (0..6).map(|_| TcpStream::connect(served.url.strip_prefix("http://").unwrap()).unwrap()).collect();
    status(served.post(&request), 409);
}

#[test]
fn a_log_witness_that_lies_is_not_believed() {
    let site = site(3);
    let ask = |server: &Server| format!("log cosign --log log --witness {} --witness-key w.vkey --timeout 5", server.url());
    let text = |status: u16, body: &'static str| Server::start(move |_| Answer::status(status, body));
    site.refused(&ask(&text(200, "<!doctype html>")), 3, &["is no cosignature"]);
    site.refused(&ask(&text(200, "\u{2014} witness.example.org AAAAAAAA\n")), 1, &["no cosignature by"]);
    site.refused(&ask(&text(409, "0\n")), 1, &["answers 409"]);
    site.refused(&ask(&text(409, "99\n")), 1, &["this copy of the log is older"]);
    site.refused(&ask(&text(403, "no")), 1, &["answers 403"]);
    let turn = std::sync::atomic::AtomicUsize::new(1);
    let restless = Server::start(move |_| {
        let size = 1 + turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 2;
        Answer::status(409, if size == 1 { "1\n" } else { "2\n" })
    });
    site.refused(&ask(&restless), 2, &["names another size each time"]);
    // Another key under the log witness's name.
    site.done("log witness init --state v --name witness.example.org");
    let served = Served::start(&site, "log witness serve --state v --log-key log.vkey");
    let before = site.read("log/checkpoint");
    let output = site.run(&format!("log cosign --log log --witness {} --witness-key w.vkey", served.url));
    assert_eq!(output.status.code(), Some(1));
    let said = support::stderr(&output);
    assert!(said.contains("no cosignature by") && said.contains("compare --witness-key") && !said.contains("--request"), "{said}");
    assert_eq!(site.read("log/checkpoint"), before);
    // Nobody there: nothing of a log witness can be deferred.
    let output = site.run("log cosign --log log --witness http://127.0.0.1:1 --witness-key w.vkey --timeout 5");
    let said = support::stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("log request-cosign --log log") && !said.contains("defer"), "{said}");
}
