//! What `log append --rekor` makes of a log's answers: an honest log's entry is attached, everything else is refused by name and
//! changes no file.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

#[path = "support/fake_rekor.rs"]
mod fake_rekor;
#[path = "support/server.rs"]
mod server;
#[path = "support/site.rs"]
mod site;
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fake_rekor::{FakeRekor, Shared};
use sealtrace_envelope::encode_base64;
use serde_json::{Value, json};
use server::{Answer, Request, Server};
use site::Site;
use support::{files, stderr, tool};

/// What becomes of the JSON of an answer.
type Change = Box<dyn Fn(&mut Value) + Send>;
/// What becomes of the bytes of a tile.
type ChangeTile = fn(Vec<u8>) -> Answer;

const ORIGIN: &str = "log.example.org/2026";

/// A signed bundle, the log's public key in `log.pub`, and the log with entries of others.
fn site_and_log(size: usize) -> (Site, Shared) {
    let site = Site::signed();
    let log = FakeRekor::with_entries(ORIGIN, 7, size);
    site.write("log.pub", log.lock().unwrap().log.key.to_pem().unwrap());
    (site, log)
}

/// A server whose answers the test may change: `change` gets the request and the honest answer.
fn serve(log: &Shared, change: impl Fn(&Request, Answer) -> Answer + Send + 'static) -> Server {
    let log = Arc::clone(log);
    Server::start(move |request| {
        let honest = log.lock().unwrap().answer(request);
        change(request, honest)
    })
}

fn honest(log: &Shared) -> Server {
    serve(log, |_, answer| answer)
}

fn append(server: &Server) -> String {
    format!("log append bundle --rekor {} --log-key log.pub --origin {ORIGIN} --trust trust --timeout 5", server.url())
}

/// A server that changes the JSON of its answer to a submission.
fn lying(log: &Shared, change: impl Fn(&mut Value) + Send + 'static) -> Server {
    serve(log, move |request, answer| match answer {
        Answer::Reply(201, headers, body) if request.method == "POST" => {
            let mut entry: Value = serde_json::from_slice(&body).unwrap();
            change(&mut entry);
            Answer::Reply(201, headers, entry.to_string().into_bytes())
        }
        other => other,
    })
}

#[test]
fn an_honest_log_s_entry_is_attached_imported_and_not_sent_again() {
    let (site, log) = site_and_log(700);
    let server = honest(&log);
    let report = site.json(&append(&server));
    assert_eq!((&report["origin"], &report["index"], &report["size"]), (&json!(ORIGIN), &json!(700), &json!(701)));
    assert_eq!(report["already"], false);
    // Tiles of the right edge and of the path; the leaf's tile is in the right edge.
    let asked = server.paths();
    assert_eq!(asked[0], "POST /api/v2/log/entries");
    assert_eq!(asked[1..].iter().collect::<std::collections::BTreeSet<_>>().len(), 2, "{asked:?}");
    let before = site.snapshot();
    let again = site.json(&append(&server));
    assert_eq!((&again["already"], server.requests()), (&json!(true), asked.len()));
    assert!(site.snapshot() == before);
    site.done("export bundle --to demo.tar");
    site.done("trust add trust --store store");
    site.done("import demo.tar --store store");
    // The trust folder knows the log now.
    site.done(&format!("log append bundle --rekor {} --trust trust", server.url()));
}

#[test]
fn the_log_s_key_may_be_given_as_a_vkey_which_names_the_log_too() {
    let (site, log) = site_and_log(3);
    let server = honest(&log);
    let vkey = log.lock().unwrap().log.note_key().unwrap().vkey();
    let append = |key: &str| format!("log append bundle --rekor {} --trust trust --timeout 5 --log-key {key}", server.url());
    let other = format!("{} --origin other.example.org", append(&vkey));
    site.refused(&other, 2, &["--origin says other.example.org, and the vkey is of log.example.org/2026"]);
    site.refused(&append(vkey.get(..vkey.len() - 8).unwrap()), 3, &["NAME+ID+KEY"]);
    // A log witness's key is of another kind.
    site.done("log witness init --state w --name log.example.org/2026");
    let ed25519 = site.json("log witness show --state w")["vkey"].as_str().unwrap().to_owned();
    site.refused(&append(&ed25519), 2, &["another kind than ECDSA P-256", "sign with ECDSA P-256"]);
    assert_eq!(server.requests(), 0);
    // Deferred first: the vkey is kept as it was given.
    let deferred = append(&vkey).replace(&server.url(), "http://127.0.0.1:1");
    site.done(&format!("{deferred} --defer --queue queue"));
    assert_eq!(site.json("log pending --queue queue")["pending"][0]["log"]["rekor"]["logKey"], json!(vkey));
    assert_eq!(site.json(&append(&vkey))["origin"], json!(ORIGIN));
    site.write("log.vkey", vkey);
    assert_eq!(site.json(&append("log.vkey"))["already"], true);
}

#[test]
fn the_log_may_be_named_by_the_trust_folder_alone() {
    let (site, log) = site_and_log(3);
    let server = honest(&log);
    site.done("log init other --origin example.org/other");
    site.done("trust enroll trust --log other");
    site.refused(
        &format!("log append bundle --rekor {} --trust trust --timeout 5", server.url()),
        1,
        &["not a log that is trusted here (example.org/other)"],
    );
    site.refused(&format!("log append bundle --rekor {} --trust trust --origin {ORIGIN}", server.url()), 2, &["no log is trusted"]);
    assert_eq!(log.lock().unwrap().entries.len(), 4, "one request was sent, the other not");
    site.done(&append(&server));
}

#[test]
fn an_entry_that_is_there_already_is_found_by_the_index_that_the_log_gives() {
    let (site, log) = site_and_log(300);
    let server = honest(&log);
    let copy = site.snapshot();
    site.done(&append(&server));
    for name in files(&site.path("")) {
        std::fs::remove_file(site.path(&name)).unwrap();
    }
    for (name, bytes) in copy {
        site.write(&name, bytes);
    }
    log.lock().unwrap().entries.extend((0..300).map(|number| format!("later {number}").into_bytes()));
    let report = site.json(&append(&server));
    assert_eq!((&report["index"], &report["size"], &report["already"]), (&json!(300), &json!(601), &json!(false)));
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again_and_the_entry_is_logged_once() {
    let (site, log) = site_and_log(5);
    let once = std::sync::atomic::AtomicBool::new(false);
    let server = serve(&log, move |request, answer| {
        let first = request.method == "POST" && !once.swap(true, std::sync::atomic::Ordering::SeqCst);
        if first { Answer::Cut } else { answer }
    });
    let report = site.json(&append(&server));
    assert_eq!((&report["index"], log.lock().unwrap().entries.len()), (&json!(5), 6));
}

#[test]
fn a_busy_log_is_asked_again_and_in_the_end_left_alone() {
    for (status, header) in [(503, None), (429, Some(("retry-after", "0".to_owned()))), (500, None)] {
        let (site, log) = site_and_log(1);
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let own = header.clone();
        let server = serve(&log, move |_, answer| {
            let busy = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2;
            if busy { Answer::Reply(status, own.clone().into_iter().collect(), b"later".to_vec()) } else { answer }
        });
        site.done(&append(&server));
        let (site, _log) = site_and_log(1);
        let always = Server::start(move |_| Answer::Reply(status, header.clone().into_iter().collect(), b"come back later".to_vec()));
        site.refused(&append(&always), 2, &[&status.to_string(), "come back later", "after 4 attempts"]);
        assert_eq!(always.requests(), 4);
    }
}

#[test]
fn what_is_no_answer_of_a_log_is_refused_within_bounds() {
    let (site, _log) = site_and_log(1);
    let html = "<!doctype html><title>Sign in to the network</title>";
    let page = |status| Server::start(move |_| Answer::status(status, html));
    site.refused(&append(&page(200)), 3, &["is no log entry", "<!doctype html>"]);
    site.refused(&append(&page(404)), 2, &["refuses the entry with 404", "Sign in"]);
    site.refused(&append(&page(400)), 2, &["refuses the entry with 400"]);
    let to = vec![("location", "http://elsewhere.example/".to_owned())];
    let redirect = Server::start(move |_| Answer::Reply(307, to.clone(), Vec::new()));
    site.refused(&append(&redirect), 2, &["sends to http://elsewhere.example/, which is not followed"]);
    assert_eq!(redirect.requests(), 1);
    site.refused(&append(&Server::start(|_| Answer::Endless)), 3, &["longer than 4194304 bytes"]);
    site.refused(&append(&Server::start(|_| Answer::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()))), 3, &["is no HTTP"]);
    let cut = Server::start(|_| Answer::Cut);
    site.refused(&append(&cut), 2, &["no answer", "attempts made: 4", "--defer"]);
    assert_eq!(cut.requests(), 4);
    let gone = format!("log append bundle --rekor http://127.0.0.1:1 --log-key log.pub --origin {ORIGIN} --trust trust");
    site.refused(&gone, 2, &["no answer"]);
    site.refused(&append(&Server::start(|_| Answer::Reply(409, Vec::new(), Vec::new()))), 2, &["refuses the entry with 409"]);
}

#[test]
fn a_slow_log_costs_no_more_than_the_time_allowed() {
    let (site, _log) = site_and_log(1);
    let server = Server::start(|_| Answer::Slow);
    let started = Instant::now();
    let line = append(&server).replace("--timeout 5", "--timeout 1");
    site.refused(&line, 2, &["no whole answer within 1 s"]);
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}

#[test]
fn each_part_of_an_answer_that_does_not_hold_is_refused() {
    let other = FakeRekor::with_entries("other.example.org", 9, 12);
    let forged = FakeRekor::with_entries(ORIGIN, 9, 12);
    let (foreign, forged) = (other.lock().unwrap().checkpoint(12), forged.lock().unwrap().checkpoint(12));
    let cases: Vec<(&str, i32, &str, Change)> = vec![
        ("another entry", 1, "canonicalizedBody", Box::new(|entry| entry["canonicalizedBody"] = json!(encode_base64(b"entry 3")))),
        (
            "another proof",
            1,
            "leads to another root",
            Box::new(|entry| entry["inclusionProof"]["hashes"][0] = json!(encode_base64(&[0; 32]))),
        ),
        ("a shorter proof", 1, "wrong number of hashes", Box::new(|entry| entry["inclusionProof"]["hashes"] = json!([]))),
        ("a short hash", 3, "32 bytes in base64", Box::new(|entry| entry["inclusionProof"]["hashes"][0] = json!("AAAA"))),
        ("too many hashes", 3, "at most 64", Box::new(|entry| entry["inclusionProof"]["hashes"] = json!(vec![""; 65]))),
        (
            "another log's checkpoint",
            1,
            "which is not a log that is trusted here",
            Box::new(move |entry| entry["inclusionProof"]["checkpoint"]["envelope"] = json!(foreign)),
        ),
        (
            "a checkpoint by another key",
            1,
            "no signature by the log",
            Box::new(move |entry| entry["inclusionProof"]["checkpoint"]["envelope"] = json!(forged)),
        ),
        ("no checkpoint", 3, "checkpoint", Box::new(|entry| entry["inclusionProof"]["checkpoint"]["envelope"] = json!("x"))),
        (
            "another root",
            1,
            "inclusionProof.rootHash",
            Box::new(|entry| entry["inclusionProof"]["rootHash"] = json!(encode_base64(&[1; 32]))),
        ),
        ("another size", 1, "inclusionProof.treeSize", Box::new(|entry| entry["inclusionProof"]["treeSize"] = json!("99"))),
        ("two indexes", 1, "inclusionProof.logIndex", Box::new(|entry| entry["logIndex"] = json!("4"))),
        ("a negative index", 3, "logIndex", Box::new(|entry| entry["logIndex"] = json!("-1"))),
        ("another key's id", 1, "logId.keyId", Box::new(|entry| entry["logId"]["keyId"] = json!(encode_base64(&[2; 32])))),
        ("another kind", 1, "kind", Box::new(|entry| entry["kindVersion"]["kind"] = json!("dsse"))),
        ("no proof", 3, "is no log entry", Box::new(|entry| entry["inclusionProof"] = Value::Null)),
    ];
    for (what, code, says, change) in cases {
        let (site, log) = site_and_log(11);
        site.refused(&append(&lying(&log, change)), code, &[says]);
        assert_eq!(log.lock().unwrap().entries.len(), 12, "{what}");
    }
}

#[test]
fn defaults_that_protobuf_leaves_out_and_fields_of_later_servers_are_no_obstacle() {
    let (site, log) = site_and_log(0);
    let server = lying(&log, |entry| {
        let object = entry.as_object_mut().unwrap();
        object.remove("logIndex");
        object.remove("integratedTime");
        object.insert("newField".to_owned(), json!({"a": [1]}));
        let proof = entry["inclusionProof"].as_object_mut().unwrap();
        proof.remove("logIndex");
        proof.remove("hashes");
    });
    assert_eq!(site.json(&append(&server))["index"], 0);
}

#[test]
fn a_partial_tile_that_is_gone_is_read_from_the_wider_one() {
    // The tree is of 257 entries; the log has grown to 600 and keeps full tiles and the newest partial ones only.
    for (grown, wider) in [(600, "GET /api/v2/tile/0/001"), (300, "GET /api/v2/tile/0/001.p/44")] {
        let (site, log) = site_and_log(256);
        let shared = Arc::clone(&log);
        let server = Server::start(move |request| {
            let mut log = shared.lock().unwrap();
            let answer = log.answer(request);
            if request.method == "POST" {
                log.entries.extend((257..grown).map(|number| format!("later {number}").into_bytes()));
            }
            answer
        });
        let report = site.json(&append(&server));
        assert_eq!((&report["index"], &report["size"]), (&json!(256), &json!(257)));
        let asked = server.paths();
        assert!(asked.contains(&"GET /api/v2/tile/0/001.p/1".to_owned()) && asked.contains(&wider.to_owned()), "{asked:?}");
    }
}

#[test]
fn tiles_that_are_missing_short_or_of_another_tree_are_refused_and_nothing_is_attached() {
    let tiles = |change: ChangeTile| {
        move |request: &Request, answer: Answer| match answer {
            Answer::Reply(200, _, bytes) if request.path.contains("/tile/") => change(bytes),
            other => other,
        }
    };
    let cases: [(i32, &str, ChangeTile); 6] = [
        (2, "is not there", |_| Answer::status(404, "gone")),
        (2, "is not there", |_| Answer::status(403, "AccessDenied")),
        (3, "expected 32", |bytes| Answer::bytes(bytes[1..].to_vec())),
        (3, "expected", |_| Answer::bytes(vec![0; 9000])),
        (1, "tree that the checkpoint signs", |mut bytes| {
            bytes[0] ^= 1;
            Answer::bytes(bytes)
        }),
        (3, "expected", |_| Answer::status(200, "<!doctype html>")),
    ];
    for (code, says, change) in cases {
        let (site, log) = site_and_log(256);
        site.refused(&append(&serve(&log, tiles(change))), code, &[says]);
        // What went wrong was on the way back: the entry is found.
        assert_eq!(site.json(&append(&honest(&log)))["index"], 256);
    }
}

#[test]
fn a_duplicate_s_index_that_does_not_hold_is_refused() {
    for (index, says) in
        [("3", "entry has leaf hash"), ("99", "tile fragment"), ("-1", "refuses the entry with 409"), ("x", "refuses the entry with 409")]
    {
        let (site, log) = site_and_log(20);
        let server = serve(&log, move |request, answer| {
            if request.method == "POST" { Answer::Reply(409, vec![("x-log-index", index.to_owned())], Vec::new()) } else { answer }
        });
        let code = if says.contains("refuses") { 2 } else { 1 };
        site.refused(&append(&server), code, &[says]);
    }
}

#[test]
fn wrong_arguments_are_named_before_anything_is_sent() {
    let (site, log) = site_and_log(1);
    let server = honest(&log);
    let url = server.url();
    site.refused(&format!("log append bundle --rekor {url} --trust trust"), 2, &["no log is trusted", "--log-key KEY"]);
    site.refused(&format!("log append bundle --rekor {url} --trust trust --log-key k.key"), 2, &["k.key is a private key", "K.pub"]);
    site.refused(&format!("log append bundle --rekor {url} --trust trust --log-key lib.c"), 3, &["lib.c"]);
    site.refused(&format!("log append bundle --rekor {url} --log x --trust trust"), 2, &["cannot be used with"]);
    site.refused("log append bundle --log x --origin a --trust trust", 2, &["--origin"]);
    site.refused("log append bundle --trust trust", 2, &["no log named", "--rekor URL"]);
    site.refused(
        "log append bundle --rekor log.example.org --log-key log.pub --trust trust",
        2,
        &["neither with http:// nor with https://"],
    );
    site.refused(&format!("log append bundle --rekor {url}?x --log-key log.pub --trust trust"), 2, &["nothing else"]);
    site.refused("log append bundle --rekor https://127.0.0.1:1 --tls-ca lib.c --log-key log.pub --trust trust", 2, &["TLS roots lib.c"]);
    site.refused(&format!("log append bundle --rekor {url} --log-key log.pub --trust trust --timeout 0"), 2, &["--timeout"]);
    let missing = format!("log append bundle --rekor {url} --trust trust --log-key missing.pub");
    site.refused(&missing, 2, &["missing.pub", "name a vkey"]);
    assert!(!stderr(&site.run(&missing)).contains("key generate"));
    assert_eq!(server.requests(), 0);
    // Without --origin the name is the URL's, and this log has another.
    site.refused(
        &format!("log append bundle --rekor {url} --log-key log.pub --trust trust"),
        1,
        &["which is not a log that is trusted here"],
    );
    let output = tool().args(["log", "append", "--json", "--rekor", "x"]).arg(site.path("bundle")).output().unwrap();
    assert!(stderr(&output).contains("is no URL") && !output.status.success());
}
