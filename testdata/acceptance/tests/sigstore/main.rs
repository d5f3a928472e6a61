//! Evidence by anybody: the public conformance cases, and a private instance whose evidence, honest and broken,
//! is given to us and to every peer that is installed.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "test code outside #[test] functions")]

mod conformance;
mod instance;
mod known;
mod peers;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use sealtrace_acceptance::{run, skip, tools};
use sha2::{Digest as _, Sha256};

/// What a verifier said of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Accept,
    Reject,
    /// It has no notion of such evidence.
    Unsupported,
    /// It could not decide, or was used wrongly.
    NoVerdict,
}

/// A command that finds no network, where namespaces may be made; else a named skip of that part.
fn offline(program: impl AsRef<OsStr>) -> Command {
    static ISOLATES: OnceLock<bool> = OnceLock::new();
    let isolates = *ISOLATES.get_or_init(|| {
        let able = Command::new("unshare").args(["-rn", "true"]).output().is_ok_and(|output| output.status.success());
        if !able {
            skip("unshare-net", "no network namespace can be made: the verifiers run with the network that is there");
        }
        able
    });
    if !isolates {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.arg("-rn").arg(program);
    command
}

/// `trace-verify sigstore` as installed, without a network and without a store.
fn trace_verify() -> Command {
    let mut command = offline(tools().join("trace-verify"));
    command.env_remove("SEALTRACE_STORE").arg("sigstore");
    command
}

/// Our verdict, and what stands on stderr.
fn ours(command: &mut Command) -> (Said, String) {
    let output = run(command);
    let said = match output.status.code() {
        Some(0) => Said::Accept,
        Some(1 | 3) => Said::Reject,
        _ => Said::NoVerdict,
    };
    (said, String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// A file as the digest that stands in its place.
fn digest_of(file: &Path) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(std::fs::read(file).unwrap())))
}
