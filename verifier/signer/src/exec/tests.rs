//! External signers that answer, and those that hang, flood, fail or sign with another key.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use super::*;
use crate::{KeyRef, SigningKey, sign_verified};

/// A script that answers `public-key` with this key and `sign` by running `sign`.
fn script(dir: &Path, key: &SigningKey, sign: &str) -> KeyRef {
    std::fs::write(dir.join("k.pub"), key.public_key().to_pem().unwrap()).unwrap();
    let text = format!("#!/bin/sh\ncd '{}' || exit 9\ncase $1 in\npublic-key) cat k.pub ;;\nsign) {sign} ;;\nesac\n", dir.display());
    let path = dir.join("signer");
    // Written by another process: a file that this one has open for writing could be held by a fork of another test, and not be executed.
    let mut tee = std::process::Command::new("tee").arg(&path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut tee.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(tee.wait().unwrap().success());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    KeyRef::parse(OsStr::new(&format!("exec:{}", path.display()))).unwrap()
}

use std::process::Stdio;

fn open(reference: &KeyRef, seconds: u64) -> Result<ExecSigner, ExecError> {
    let KeyRef::Exec(words) = reference else { panic!("{reference}") };
    ExecSigner::open_within(words, Duration::from_secs(seconds))
}

fn key() -> SigningKey {
    SigningKey::from_scalar(&[9; 32]).unwrap()
}

#[test]
fn a_program_gets_message_and_digest_and_its_answer_is_the_signature() {
    let dir = tempfile::tempdir().unwrap();
    let (key, message) = (key(), vec![7; 300_000]);
    std::fs::write(dir.path().join("sig"), key.sign(&message).unwrap()).unwrap();
    let reference = script(dir.path(), &key, "echo \"$2\" >digest; cat >message; cat sig");
    let signer = open(&reference, 20).unwrap();
    assert_eq!(signer.public_key(), key.public_key());
    assert_eq!(sign_verified(&message, &signer).unwrap(), key.sign(&message).unwrap());
    assert_eq!(std::fs::read(dir.path().join("message")).unwrap(), message);
    let digest = std::fs::read_to_string(dir.path().join("digest")).unwrap();
    assert_eq!(digest.trim(), format!("sha256:{}", FileSha256::of(&message).hex()));
    // A program that reads nothing is as good.
    let reference = script(dir.path(), &key, "cat sig");
    assert!(sign_verified(&message, &open(&reference, 20).unwrap()).is_ok());
}

#[test]
fn a_program_that_hangs_is_killed_with_what_it_started() {
    let dir = tempfile::tempdir().unwrap();
    for sign in ["sleep 300 & echo $! >pid; wait", "exec sleep 300", "sleep 300 & echo $! >pid; exit 0", "exec >&-; sleep 300"] {
        let signer = open(&script(dir.path(), &key(), sign), 1).unwrap();
        let start = Instant::now();
        let refused = signer.sign(b"x").unwrap_err();
        assert!(matches!(refused, SignerError::Exec(ExecError::Timeout { verb: "sign", seconds: 1, .. })), "{sign}: {refused}");
        assert!(start.elapsed() < Duration::from_secs(20), "{sign}");
    }
    let pid: i32 = std::fs::read_to_string(dir.path().join("pid")).unwrap().trim().parse().unwrap();
    let gone = || std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
    assert!(
        (0..500).any(|_| gone() || {
            std::thread::sleep(Duration::from_millis(10));
            false
        }),
        "{pid} is still there"
    );
}

#[test]
fn a_program_that_floods_is_killed_and_one_that_talks_much_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let signer = open(&script(dir.path(), &key(), "exec cat /dev/zero"), 20).unwrap();
    assert!(matches!(signer.sign(b"x"), Err(SignerError::Exec(ExecError::Flood { limit: 1024, .. }))));
    std::fs::write(dir.path().join("sig"), key().sign(b"x").unwrap()).unwrap();
    let signer = open(&script(dir.path(), &key(), "head -c 1000000 /dev/zero >&2; cat sig"), 20).unwrap();
    assert!(sign_verified(b"x", &signer).is_ok());
}

#[test]
fn a_failure_is_told_with_its_status_and_last_words() {
    let dir = tempfile::tempdir().unwrap();
    let signer = open(&script(dir.path(), &key(), "printf 'no \\033[2J token' >&2; exit 4"), 20).unwrap();
    let refused = signer.sign(b"x").unwrap_err().to_string();
    assert!(refused.contains("exit status: 4") && refused.contains("no \\u{1b}[2J token"), "{refused}");
    let signer = open(&script(dir.path(), &key(), "kill -9 $$"), 20).unwrap();
    assert!(signer.sign(b"x").unwrap_err().to_string().contains("signal: 9"));
    let missing = KeyRef::parse(OsStr::new("exec:/nonexistent/signer")).unwrap();
    assert!(matches!(open(&missing, 20), Err(ExecError::Start { .. })));
    let no_key = KeyRef::parse(OsStr::new("exec:/bin/echo")).unwrap();
    assert!(matches!(open(&no_key, 20), Err(ExecError::PublicKey { .. })));
}

#[test]
fn an_answer_that_is_not_the_key_s_signature_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let other = SigningKey::from_scalar(&[8; 32]).unwrap();
    let mut tail = key().sign(b"x").unwrap();
    tail.push(b'\n');
    for (what, answer) in [
        ("another key", other.sign(b"x").unwrap()),
        ("another message", key().sign(b"y").unwrap()),
        ("a byte too many", tail),
        ("nothing", Vec::new()),
        ("raw", vec![1; 64]),
    ] {
        std::fs::write(dir.path().join("sig"), answer).unwrap();
        let signer = open(&script(dir.path(), &key(), "cat sig"), 20).unwrap();
        let refused = sign_verified(b"x", &signer);
        assert!(matches!(refused, Err(SignerError::Answer { .. })), "{what}: {refused:?}");
    }
}

#[test]
fn the_timeout_is_a_number_of_seconds() {
    assert_eq!(timeout(None).unwrap().as_secs(), 60);
    assert_eq!(timeout(Some(OsStr::new(""))).unwrap().as_secs(), 60);
    assert_eq!(timeout(Some(OsStr::new("5"))).unwrap().as_secs(), 5);
    for wrong in ["0", "3601", "-1", "x", "1.5"] {
        assert!(matches!(timeout(Some(OsStr::new(wrong))), Err(ExecError::TimeoutVariable)), "{wrong}");
    }
}

#[test]
fn a_pin_in_the_environment_does_not_reach_the_program() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("sig"), key().sign(b"x").unwrap()).unwrap();
    let reference = script(dir.path(), &key(), "env >environment; cat sig");
    sign_verified(b"x", &open(&reference, 20).unwrap()).unwrap();
    let environment = std::fs::read_to_string(dir.path().join("environment")).unwrap();
    assert!(environment.contains("PATH=") && !environment.contains(crate::PIN_VARIABLE));
}
