//! `log append --rekor` against a real Rekor v2 server (`rekor-tiles`, POSIX storage) on loopback, where `.ci/rekor.sh` has built one.
//!
//! The server takes entries; its storage is served by the test as a web server would serve it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

#[path = "support/server.rs"]
mod server;
#[path = "support/site.rs"]
mod site;
mod support;

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use server::{Answer, Server};
use site::Site;

const ORIGIN: &str = "rekor.loopback.example";

/// The server's program, or a named skip.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("SEALTRACE_REKOR").map(PathBuf::from).filter(|path| path.is_file());
    if path.is_none() {
        sealtrace_skip::skip("rekor-tiles", "SEALTRACE_REKOR names no rekor-server; sh .ci/rekor.sh builds one and runs this");
    }
    path
}

/// A running server; it is ended when dropped.
struct Rekor {
    child: Child,
    url: String,
}

impl Rekor {
    fn start(program: &Path, site: &Site) -> Self {
        let [http, grpc, metrics] = free_ports();
        let flags = [
            format!("--http-port={http}"),
            format!("--grpc-port={grpc}"),
            format!("--http-metrics-port={metrics}"),
            format!("--hostname={ORIGIN}"),
            format!("--storage-dir={}", site.path("storage").display()),
            format!("--signer-filepath={}", site.path("rekor.key").display()),
            "--checkpoint-interval=1s".to_owned(),
            "--batch-max-age=50ms".to_owned(),
            "--persistent-antispam=true".to_owned(),
        ];
        let log = std::fs::File::create(site.path("rekor.log")).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").args(flags).stdout(Stdio::null()).stderr(log);
        let rekor = Self { child: command.spawn().unwrap(), url: format!("http://127.0.0.1:{http}") };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", http)).is_err() || TcpStream::connect(("127.0.0.1", grpc)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "the server does not start: {}", site.read("rekor.log"));
            std::thread::sleep(Duration::from_millis(50));
        }
        rekor
    }
}

impl Drop for Rekor {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Three ports that were free a moment ago.
fn free_ports() -> [u16; 3] {
    let listeners: [TcpListener; 3] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// The log's storage, as a web server shows it.
fn serve(storage: PathBuf) -> Server {
    Server::start(move |request| match std::fs::read(storage.join(request.path.trim_start_matches('/'))) {
        Ok(bytes) => Answer::bytes(bytes),
        Err(_) => Answer::status(404, "not here"),
    })
}

#[test]
fn bundles_are_logged_in_a_real_rekor_v2_server_found_again_imported_and_shown_by_their_tiles() {
    let Some(program) = program() else { return };
    let site = Site::signed();
    site.done("key generate -o rekor");
    let rekor = Rekor::start(&program, &site);
    let tiles = serve(site.path("storage"));
    let line = |layout: &str| {
        format!("log append {layout} --rekor {} --tiles {} --log-key rekor.pub --origin {ORIGIN} --trust trust", rekor.url, tiles.url())
    };
    let report = site.json(&line("bundle"));
    assert_eq!((&report["origin"], &report["already"]), (&json!(ORIGIN), &json!(false)));
    assert_eq!(site.json(&line("bundle"))["already"], true);

    // The same signature from a layout that does not know that it is logged: the server answers 409.
    site.done("build tree --name demo --version 1.0 -o copy");
    site.done("sign copy --key k.key --trust trust");
    let found = site.json(&line("copy"));
    assert_eq!((&found["index"], &found["already"]), (&report["index"], &json!(false)));

    // A second entry; proof and fragment are of the larger tree.
    site.done("build tree --name demo --version 2.0 -o second");
    site.done("sign second --key k.key --trust trust");
    let second = site.json(&line("second"));
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    assert!(number(&second["size"]) > number(&report["size"]) && second["index"] != report["index"], "{second}");

    site.done("trust add trust --store store");
    for (layout, archive) in [("bundle", "demo-1.tar"), ("second", "demo-2.tar")] {
        site.done(&format!("export {layout} --to {archive}"));
        site.done(&format!("import {archive} --store store"));
    }
    wrong_key_is_refused(&site, &line("bundle"));
}

/// Another key under the log's name: nothing is believed.
fn wrong_key_is_refused(site: &Site, line: &str) {
    site.done("key generate -o other");
    site.done("build tree --name demo --version 3.0 -o third");
    site.done("sign third --key k.key --trust third-trust");
    let line =
        line.replace("append bundle", "append third").replace("rekor.pub", "other.pub").replace("--trust trust", "--trust third-trust");
    let output = site.run(&line);
    let said = support::stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no signature by the log"), "{said}");
    if !site.path("third-trust/trusted_root.json").is_file() {
        panic!("sign writes the trust folder");
    }
    assert!(!site.read("third-trust/trusted_root.json").contains(ORIGIN));
}
