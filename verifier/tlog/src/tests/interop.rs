//! Notes between this crate and Go: what testdata/interop/notes makes is what is committed, and what is made here it verifies.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "another implementation is another program")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sealtrace_skip::{has, skip};

use super::cosignatures::{Cosigner, ml_dsa, subtree};
use super::vectors::{GO_POLICY, GO_PROOF};
use super::*;

/// The program, built in a folder of the test's; `None` names the skip.
fn program(dir: &Path) -> Option<PathBuf> {
    if !has("go") {
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/interop/notes");
    let program = dir.join("notes");
    let built = Command::new("go").args(["build", "-p", "1", "-o"]).arg(&program).arg(".").current_dir(source).output().unwrap();
    if !built.status.success() {
        skip("go-modules", &String::from_utf8_lossy(&built.stderr));
        return None;
    }
    Some(program)
}

fn run(program: &Path, what: &str, dir: &Path, entry: &str) -> Output {
    Command::new(program).args([what.as_ref(), dir.as_os_str(), entry.as_ref()]).output().unwrap()
}

#[test]
fn interop_go_makes_what_is_committed_and_verifies_what_is_made_here() {
    let dir = tempfile::tempdir().unwrap();
    let Some(program) = program(dir.path()) else { return };
    let made = run(&program, "make", dir.path(), "one");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (policy, proof) = (dir.path().join("policy.txt"), dir.path().join("cosigned.tlog-proof"));
    assert_eq!(std::fs::read_to_string(&policy).unwrap(), GO_POLICY);
    assert_eq!(std::fs::read_to_string(&proof).unwrap(), GO_PROOF);

    // A log of ours (ECDSA P-256) and log witnesses of both types.
    let all = leaves(70);
    let log = Log::new(1, "example.org/log");
    let first = Cosigner::new(2, "witness.example.com/w1");
    let signed = first.cosign(&log.checkpoint(head(&all)), 1_700_000_000);
    let message = subtree("witness.example.com/w2", 1_700_000_000, signed.checkpoint());
    let (second, line) = ml_dsa("witness.example.com/w2", 1_700_000_000, &message);
    let signed = signed.with_signatures(&[line]).unwrap();
    let tiles = reader(&all);
    let hashes = inclusion_proof(LeafIndex(5), TreeSize(70), &|at| tiles.node(at)).unwrap();
    let ours = TlogProof { extra: None, proof: ProofFile { index: LeafIndex(5), hashes, checkpoint: signed.text().to_owned() } };
    let text = format!(
        "log {}\nwitness W1 {} https://w1.example/\nwitness W2 {} https://w2.example/\ngroup q all W1 W2\nquorum q\n",
        log.log.note_key().unwrap().vkey(),
        first.key.key().vkey(),
        second.key().vkey()
    );
    assert!(ours.verify_policy(all[5], &TlogPolicy::parse(text.as_bytes()).unwrap()).is_ok());
    std::fs::write(&policy, text).unwrap();
    std::fs::write(&proof, ours.encode()).unwrap();
    let verified = run(&program, "verify", dir.path(), "entry 5");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(!run(&program, "verify", dir.path(), "entry 6").status.success());
}
