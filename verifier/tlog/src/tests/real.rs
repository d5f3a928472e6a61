//! Checkpoints of real logs, cosigned by real log witnesses, and those of the conformance suite.

#![expect(clippy::disallowed_methods, reason = "third-party test data lies in a folder that the environment names")]

use std::fmt::Write as _;
use std::path::PathBuf;

use sealtrace_skip::skip;
use sealtrace_verdict::UnixTime;
use serde_json::Value;

use super::cosignatures::Cosigner;
use super::vectors::{REAL_LOG, REAL_WITNESSES};
use super::*;

/// A policy of the real log and of k of these vkeys.
fn policy(log: &str, k: &str, witnesses: &[&str]) -> TlogPolicy {
    let mut text = format!("log {log}\n");
    for (number, vkey) in witnesses.iter().enumerate() {
        writeln!(text, "witness w{number} {vkey}").unwrap();
    }
    let names: Vec<String> = (0..witnesses.len()).map(|number| format!("w{number}")).collect();
    TlogPolicy::parse(format!("{text}group q {k} {}\nquorum q\n", names.join(" ")).as_bytes()).unwrap()
}

/// What the acceptance of the real quorum means, on one checkpoint.
fn the_real_quorum(text: &str, time: u64) {
    let checkpoint = SignedCheckpoint::parse(text).unwrap();
    for (k, keys) in [("all", REAL_WITNESSES.as_slice()), ("2", &REAL_WITNESSES), ("2", &REAL_WITNESSES[..2])] {
        let quorum = policy(REAL_LOG, k, keys).check(&checkpoint).unwrap();
        assert_eq!((quorum.witnesses().len(), quorum.operators().len()), (keys.len(), keys.len()));
        assert_eq!((quorum.existed_by(), quorum.at_least()), (Some(UnixTime::from_seconds(time)), Some(UnixTime::from_seconds(time))));
    }
    // One key replaced: under another name, and by another key under the same name.
    let name = NoteKey::parse(REAL_WITNESSES[1]).unwrap().name().to_string();
    for replacement in [Cosigner::new(9, "witness.example"), Cosigner::new(9, &name)] {
        let vkey = replacement.key.key().vkey();
        let keys = [REAL_WITNESSES[0], &vkey, REAL_WITNESSES[2]];
        let refused = policy(REAL_LOG, "all", &keys).check(&checkpoint).unwrap_err();
        assert_eq!(refused.to_string(), "quorum is not met: q has 2 of 3 (missing: w1)");
        assert!(policy(REAL_LOG, "2", &keys).check(&checkpoint).is_ok());
    }
    // Another origin: in the checkpoint, and as the name of the log's key.
    let moved = text.replacen("log2025-alpha3.rekor.sigstage.dev\n", "log2026-alpha3.rekor.sigstage.dev\n", 1);
    let refused = policy(REAL_LOG, "2", &REAL_WITNESSES).check(&SignedCheckpoint::parse(&moved).unwrap());
    assert!(matches!(refused, Err(PolicyRefusal::Signature(_))), "{refused:?}");
    let key = NoteKey::parse(REAL_LOG).unwrap();
    let renamed = NoteKey::of_log(KeyName::parse("log2026-alpha3.rekor.sigstage.dev").unwrap(), key.key().clone()).unwrap();
    let refused = policy(&renamed.vkey(), "2", &REAL_WITNESSES).check(&checkpoint);
    assert!(matches!(refused, Err(PolicyRefusal::Unsigned { .. })), "{refused:?}");
}

#[test]
fn a_real_checkpoint_meets_its_quorum_and_no_flipped_bit_of_it_does() {
    the_real_quorum(REAL, 1_778_700_214);
    let policy = policy(REAL_LOG, "all", &REAL_WITNESSES);
    for position in 0..REAL.len() {
        let mut changed = REAL.as_bytes().to_vec();
        changed[position] ^= 1;
        let met = SignedCheckpoint::parse_bytes(&changed).is_ok_and(|checkpoint| policy.check(&checkpoint).is_ok());
        assert!(!met, "byte {position}");
    }
}

/// The checkpoints of a Sigstore bundle.
fn checkpoints(bundle: &Value) -> Vec<String> {
    let entries = bundle["verificationMaterial"]["tlogEntries"].as_array().unwrap();
    entries.iter().filter_map(|entry| entry["inclusionProof"]["checkpoint"]["envelope"].as_str()).map(str::to_owned).collect()
}

fn corpus() -> Option<PathBuf> {
    let found = std::env::var_os("SEALTRACE_CORPUS").map(PathBuf::from);
    if found.is_none() {
        skip("corpus", "SEALTRACE_CORPUS names no folder of third-party test data");
    }
    found
}

fn json(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_real_bundles_of_the_corpus_meet_the_quorum_of_their_log_witnesses() {
    let Some(corpus) = corpus() else { return };
    let happy = json(corpus.join("sigstore-conformance/bundle-verify/rekor2-dsse-happy-path/bundle.sigstore.json"));
    assert_eq!(checkpoints(&happy), [REAL]);
    let conda = checkpoints(&json(corpus.join("witness/conda-attestation-rekor2.sigstore.json")));
    assert_eq!(conda.len(), 1);
    the_real_quorum(&conda[0], 1_779_781_340);
}

/// The keys of a trusted root's logs, named by their base URL.
fn log_keys(root: &Value) -> Vec<NoteKey> {
    let key = |log: &Value| {
        let spki = sealtrace_envelope::decode_base64(log["publicKey"]["rawBytes"].as_str().unwrap()).unwrap();
        let name = KeyName::parse(log["baseUrl"].as_str().unwrap().strip_prefix("https://").unwrap()).unwrap();
        let key = NoteKey::of_log(name, sealtrace_crypto::VerifyingKey::parse_spki(&spki).unwrap()).unwrap();
        if key.signature_type() == SignatureType::Ed25519 {
            let stated = log["logId"]["keyId"].as_str().unwrap();
            assert_eq!(sealtrace_envelope::encode_base64(key.log_id()), stated, "the key id of the trusted root");
        }
        key
    };
    root["tlogs"].as_array().unwrap().iter().map(key).collect()
}

/// Whether every checkpoint of the bundle opens by a key of the trusted root.
fn opens(bundle: &Value, keys: &[NoteKey]) -> bool {
    let checkpoints = checkpoints(bundle);
    let opened = |text: &String| SignedCheckpoint::parse(text).is_ok_and(|signed| keys.iter().any(|key| signed.open(key).is_ok()));
    !checkpoints.is_empty() && checkpoints.iter().all(opened)
}

#[test]
fn the_checkpoints_of_the_conformance_suite_are_opened_or_refused_as_their_names_say() {
    let Some(corpus) = corpus() else { return };
    let mut seen = [0, 0];
    for case in std::fs::read_dir(corpus.join("sigstore-conformance/bundle-verify")).unwrap() {
        let case = case.unwrap();
        let name = case.file_name().into_string().unwrap();
        if !name.starts_with("rekor2-") || !case.path().join("trusted_root.json").is_file() {
            continue;
        }
        let keys = log_keys(&json(case.path().join("trusted_root.json")));
        let opened = opens(&json(case.path().join("bundle.sigstore.json")), &keys);
        // Only the cases about checkpoints, and the one without a proof, fail here; the others fail at what is not looked at here.
        let fails = name.ends_with("_fail") && (name.starts_with("rekor2-checkpoint-") || name == "rekor2-no-inclusion-proof_fail");
        assert_eq!(opened, !fails, "{name}");
        seen[usize::from(fails)] += 1;
    }
    assert!(seen[0] >= 8 && seen[1] >= 6, "{seen:?}");
}
