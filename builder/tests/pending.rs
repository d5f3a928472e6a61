//! Bundles that wait for a log: recorded when none can be reached, logged later, and never lost in between.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

#[path = "support/fake_rekor.rs"]
mod fake_rekor;
#[path = "support/server.rs"]
mod server;
#[path = "support/site.rs"]
mod site;
mod support;

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fake_rekor::{FakeRekor, Shared};
use serde_json::{Value, json};
use server::{Answer, Server};
use site::Site;
use support::stderr;

const ORIGIN: &str = "log.example.org/2026";
const AWAY: &str = "http://127.0.0.1:1";

fn site_and_log() -> (Site, Shared) {
    let site = Site::signed();
    let log = FakeRekor::with_entries(ORIGIN, 7, 300);
    site.write("log.pub", log.lock().unwrap().log.key.to_pem().unwrap());
    (site, log)
}

fn honest(log: &Shared) -> Server {
    let log = Arc::clone(log);
    Server::start(move |request| log.lock().unwrap().answer(request))
}

fn defer(url: &str) -> String {
    format!("log append bundle --trust trust --rekor {url} --log-key log.pub --origin {ORIGIN} --defer --queue queue --timeout 5")
}

fn pending(site: &Site) -> usize {
    site.json("log pending --queue queue")["pending"].as_array().unwrap().len()
}

#[test]
fn what_cannot_be_logged_now_waits_once_and_is_logged_when_the_log_is_back() {
    let (site, log) = site_and_log();
    let report = site.json(&defer(AWAY));
    assert_eq!((&report["pending"], &report["already"]), (&json!(true), &json!(false)));
    assert!(report["reason"].as_str().unwrap().contains("no answer"), "{report}");
    let before = site.snapshot();
    assert_eq!(site.json(&defer(AWAY))["already"], true);
    assert!(site.snapshot() == before);
    let listed = site.json("log pending --queue queue");
    assert_eq!(listed["pending"][0]["log"]["rekor"]["url"], AWAY);
    assert_eq!(listed["pending"][0]["manifestDigest"], report["manifestDigest"]);
    // Still away: it stays, and the exit code says so.
    let output = site.run("log submit --pending --queue queue --timeout 5");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("no answer") && stderr(&output).contains("next: symbol-bundle log submit"));
    assert!(site.snapshot() == before);
    // Back, at another address.
    let server = honest(&log);
    let done = site.json(&format!("log submit --pending --queue queue --rekor {} --log-key log.pub --origin {ORIGIN}", server.url()));
    assert_eq!((&done["submitted"][0]["index"], &done["pending"]), (&json!(300), &json!([])));
    assert_eq!(pending(&site), 0);
    assert_eq!(site.json("log submit --pending --queue queue"), json!({ "submitted": [], "pending": [] }));
    site.done("export bundle --to demo.tar");
    site.done("trust add trust --store store");
    site.done("import demo.tar --store store");
}

#[test]
fn a_bundle_waits_without_a_log_named_and_a_log_on_disk_takes_it() {
    let site = Site::signed();
    let report = site.json("log append bundle --trust trust --defer --queue queue");
    assert_eq!((&report["pending"], &report["reason"]), (&json!(true), &Value::Null));
    let output = site.run("log submit --pending --queue queue");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no log was named, then or now"));
    // A log that is not there yet, e.g. on a disk that is not mounted.
    site.json("log append bundle --trust trust --defer --queue queue --log log");
    assert_eq!(site.run("log submit --pending --queue queue").status.code(), Some(2));
    site.done("log init log --origin example.org/log");
    let done = site.json("log submit --pending --queue queue");
    assert_eq!((&done["submitted"][0]["origin"], pending(&site)), (&json!("example.org/log"), 0));
    // The default place is in the store.
    let output =
        site.command("log append bundle --trust trust --defer --json").env("SEALTRACE_STORE", site.path("store")).output().unwrap();
    assert!(output.status.success() && site.path("store/state/pending").is_dir(), "{}", stderr(&output));
}

#[test]
fn logging_at_once_clears_what_waited() {
    let (site, log) = site_and_log();
    site.json(&defer(AWAY));
    let server = honest(&log);
    assert_eq!(site.json(&defer(&server.url()))["index"], 300);
    assert_eq!(pending(&site), 0);
}

#[test]
fn only_what_may_pass_is_deferred_and_only_what_could_be_logged() {
    let (site, log) = site_and_log();
    let refusing = Server::start(|_| Answer::status(400, "no"));
    site.refused(&defer(&refusing.url()), 2, &["refuses the entry with 400"]);
    let foreign = FakeRekor::with_entries("other.example.org", 9, 3);
    site.refused(&defer(&honest(&foreign).url()), 1, &["not a log that is trusted here"]);
    assert!(!site.path("queue").exists());
    site.done("build tree --name demo --version 2 -o unsigned");
    site.refused("log append unsigned --trust trust --defer --queue queue", 2, &["is not signed"]);
    site.refused("log append tree --trust trust --defer --queue queue", 2, &["is no OCI layout"]);
    site.refused("log submit --queue queue", 2, &["--pending"]);
    site.write("file", "text");
    site.refused("log append bundle --trust trust --defer --queue file", 2, &["file"]);
    drop(log);
}

#[test]
fn one_bundle_that_is_gone_or_another_now_keeps_no_other_waiting() {
    let (site, log) = site_and_log();
    for (layout, version) in [("gone", "2"), ("changed", "3"), ("moved", "4")] {
        site.done(&format!("build tree --name demo --version {version} -o {layout}"));
        site.done(&format!("sign {layout} --key k.key --trust trust"));
        site.json(&defer(AWAY).replace("append bundle", &format!("append {layout}")));
    }
    site.json(&defer(AWAY));
    std::fs::remove_dir_all(site.path("gone")).unwrap();
    std::fs::rename(site.path("moved"), site.path("elsewhere")).unwrap();
    site.done("build tree --name demo --version 5 --force -o changed");
    site.done("sign changed --key k.key --trust trust");
    let server = honest(&log);
    let output =
        site.run(&format!("log submit --pending --queue queue --json --rekor {} --log-key log.pub --origin {ORIGIN}", server.url()));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), report["submitted"].as_array().unwrap().len()), (Some(2), 1), "{report}");
    let kept: Vec<String> = report["pending"].as_array().unwrap().iter().map(|item| item["error"]["message"].to_string()).collect();
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().any(|why| why.contains("the layout now holds sha256:")), "{kept:?}");
    assert!(kept.iter().filter(|why| why.contains("does not exist")).count() == 2, "{kept:?}");
    assert_eq!((pending(&site), log.lock().unwrap().entries.len()), (3, 301));
}

#[test]
fn a_log_that_is_away_is_asked_for_the_first_bundle_only() {
    let (site, _log) = site_and_log();
    for version in ["2", "3"] {
        site.done(&format!("build tree --name demo --version {version} -o b{version}"));
        site.done(&format!("sign b{version} --key k.key --trust trust"));
        site.json(&format!("log append b{version} --trust trust --defer --queue queue"));
    }
    let cut = Server::start(|_| Answer::Cut);
    let line = format!("log submit --pending --queue queue --rekor {} --log-key log.pub --origin {ORIGIN}", cut.url());
    let output = site.run(&line);
    assert_eq!((output.status.code(), cut.requests()), (Some(2), 4));
    assert!(stderr(&output).contains("not tried: "), "{}", stderr(&output));
    assert_eq!(pending(&site), 2);
}

#[test]
fn a_queue_that_was_changed_is_named_and_nothing_is_passed_over() {
    let site = Site::signed();
    site.json("log append bundle --trust trust --defer --queue queue");
    let name = format!("queue/{}", support::files(&site.path("queue"))[0]);
    let good = site.read(&name);
    let both = ["log pending --queue queue", "log submit --pending --queue queue"];
    for text in ["", "{}", "[]", &good.replace("\"version\":1", "\"version\":2"), good.get(..good.len() - 1).unwrap()] {
        site.write(&name, text);
        for line in both {
            site.refused(line, 3, &["not a pending item"]);
        }
    }
    site.write(&name, &good);
    std::fs::copy(site.path(&name), site.path("queue/other.json")).unwrap();
    site.refused(both[0], 3, &["under its own name"]);
    std::fs::remove_file(site.path("queue/other.json")).unwrap();
    // What a killed writer left is no item.
    site.write("queue/.x.json", "{");
    assert_eq!(pending(&site), 1);
}

#[test]
fn killed_at_any_request_the_bundle_still_waits_or_is_logged_and_is_logged_once_in_the_end() {
    // Submission, then two tiles: the tool is killed while the server has the n-th request in its hands, before or after it acts.
    for (at, acts) in [(1, false), (1, true), (2, true), (3, true)] {
        let (site, log) = site_and_log();
        site.json("log append bundle --trust trust --defer --queue queue");
        let before = site.snapshot();
        let victim: Arc<Mutex<Option<Child>>> = Arc::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let (shared, prey, count) = (Arc::clone(&log), Arc::clone(&victim), Arc::clone(&asked));
        let server = Server::start(move |request| {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            if number == at && !acts {
                kill(&prey);
                return Answer::Cut;
            }
            let answer = shared.lock().unwrap().answer(request);
            if number == at {
                kill(&prey);
            }
            answer
        });
        let line = format!("log submit --pending --queue queue --rekor {} --log-key log.pub --origin {ORIGIN} --json", server.url());
        {
            // Held while the child starts, so that it is there to be killed.
            let mut slot = victim.lock().unwrap();
            *slot = Some(site.command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        }
        while asked.load(Ordering::SeqCst) < at || victim.lock().unwrap().is_some() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(site.snapshot() == before, "killed at request {at}");
        assert_eq!(site.json(line.trim_end_matches(" --json"))["submitted"][0]["index"], 300);
        assert_eq!((pending(&site), log.lock().unwrap().entries.len()), (0, 301), "killed at request {at}");
    }
}

/// Ends the tool at once, and waits until it is gone.
fn kill(victim: &Mutex<Option<Child>>) {
    if let Some(mut child) = victim.lock().unwrap().take() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
