//! The decision of a log witness, case by case.

use super::cosignatures::Cosigner;
use super::*;

const ORIGIN: &str = "example.org/log";

fn request(log: &Log, old: usize, new: usize) -> AddCheckpoint {
    let all = leaves(new);
    let reader = reader(&all);
    let proof = match old {
        0 => Vec::new(),
        old => consistency_proof(TreeSize(old as u64), TreeSize(new as u64), &|at| reader.node(at)).unwrap(),
    };
    AddCheckpoint { old: TreeSize(old as u64), proof, checkpoint: log.checkpoint(head(&all)) }
}

fn known(log: &Log, last: usize) -> Vec<WitnessedLog> {
    let last = (last > 0).then(|| head(&leaves(last)));
    vec![WitnessedLog { origin: ORIGIN.into(), keys: vec![log.log.note_key().unwrap()], last }]
}

#[test]
fn a_checkpoint_that_continues_the_tree_cosigned_last_may_be_cosigned() {
    let log = Log::new(1, ORIGIN);
    for (old, new) in [(0, 1), (0, 5), (1, 5), (4, 5), (5, 5), (5, 70), (64, 70)] {
        let request = request(&log, old, new);
        let cosignable = decide(&request, &known(&log, old)).unwrap();
        assert_eq!((cosignable.tree(), cosignable.checkpoint()), (head(&leaves(new)), &request.checkpoint));
    }
}

#[test]
fn every_refusal_has_the_status_of_the_specification() {
    let log = Log::new(1, ORIGIN);
    let good = request(&log, 5, 9);
    let status = |request: &AddCheckpoint, logs: &[WitnessedLog]| {
        let refusal = decide(request, logs).unwrap_err();
        (refusal.status(), refusal.known_size(), refusal.is_fork())
    };
    let at5 = known(&log, 5);
    assert_eq!(status(&good, &[]), (404, None, false));
    let elsewhere = [WitnessedLog { origin: "example.org/other".into(), ..at5[0].clone() }];
    assert_eq!(status(&good, &elsewhere), (404, None, false));
    assert_eq!(status(&good, &known(&Log::new(2, ORIGIN), 5)), (403, None, false));
    // A key of another name under this origin is no key of this log.
    let misnamed = [WitnessedLog { keys: vec![Log::new(1, "example.org/other").log.note_key().unwrap()], ..at5[0].clone() }];
    assert_eq!(status(&good, &misnamed), (403, None, false));
    assert_eq!(status(&AddCheckpoint { old: TreeSize(10), ..good.clone() }, &at5), (400, None, false));
    assert_eq!(status(&good, &known(&log, 4)), (409, Some(TreeSize(4)), false));
    assert_eq!(status(&good, &known(&log, 0)), (409, Some(TreeSize(0)), false));
    assert_eq!(status(&AddCheckpoint { old: TreeSize(4), ..good.clone() }, &at5), (409, Some(TreeSize(5)), false));
    assert_eq!(status(&AddCheckpoint { proof: Vec::new(), ..good.clone() }, &at5), (422, None, false));
    let from_zero = AddCheckpoint { old: TreeSize(0), ..good.clone() };
    assert_eq!(status(&from_zero, &known(&log, 0)), (422, None, false));
    let repeated = AddCheckpoint { proof: good.proof.clone(), ..request(&log, 5, 5) };
    assert_eq!(status(&repeated, &at5), (422, None, false));
}

#[test]
fn a_log_that_forks_or_rewrites_is_not_cosigned() {
    let log = Log::new(1, ORIGIN);
    let mut rewritten = leaves(9);
    rewritten[2] = LeafHash::of(b"rewritten");
    let fork = AddCheckpoint { checkpoint: log.checkpoint(head(&rewritten[..5])), ..request(&log, 5, 5) };
    let refusal = decide(&fork, &known(&log, 5)).unwrap_err();
    assert_eq!((refusal.status(), refusal.known_size(), refusal.is_fork()), (409, Some(TreeSize(5)), true));
    let reader = reader(&rewritten);
    let proof = consistency_proof(TreeSize(5), TreeSize(9), &|at| reader.node(at)).unwrap();
    let continued = AddCheckpoint { old: TreeSize(5), proof, checkpoint: log.checkpoint(head(&rewritten)) };
    assert!(matches!(decide(&continued, &known(&log, 5)), Err(CosignRefusal::Proof(ProofError::Root { .. }))));
    // Whoever carries the request chooses `old` and the proof: neither hides the fork, and the status is that of the specification.
    for (old, proof, status) in [(0, vec![], 409), (3, vec![], 409), (5, vec![NodeHash::from_bytes([1; 32])], 409), (9, vec![], 400)] {
        let hidden = AddCheckpoint { old: TreeSize(old), proof, ..fork.clone() };
        let refusal = decide(&hidden, &known(&log, 5)).unwrap_err();
        assert_eq!((refusal.status(), refusal.is_fork()), (status, true), "old {old}");
        assert_eq!(refusal.known_size(), (status == 409).then_some(TreeSize(5)), "old {old}");
    }
    let empty = log.checkpoint(TreeHead { size: TreeSize(0), root: head(&leaves(1)).root });
    let empty = AddCheckpoint { old: TreeSize(0), proof: Vec::new(), checkpoint: empty };
    assert_eq!(decide(&empty, &known(&log, 0)).unwrap_err().status(), 409);
}

#[test]
fn an_older_copy_of_the_log_is_a_rollback_whatever_old_size_the_request_states() {
    let log = Log::new(1, ORIGIN);
    for (old, status) in [(0, 409), (3, 409), (5, 409), (9, 400), (12, 400)] {
        let request = AddCheckpoint { old: TreeSize(old), ..request(&log, 0, 5) };
        let refusal = decide(&request, &known(&log, 9)).unwrap_err();
        assert!(matches!(refusal, CosignRefusal::RolledBack { size: TreeSize(5), known: TreeSize(9), .. }), "{refusal}");
        assert_eq!((refusal.status(), refusal.is_fork()), (status, false), "old {old}");
        assert_eq!(refusal.known_size(), (status == 409).then_some(TreeSize(9)), "old {old}");
        assert!(refusal.to_string().contains("this copy of the log is older"), "{refusal}");
    }
}

#[test]
fn a_body_round_trips_and_malformed_ones_are_refused() {
    let log = Log::new(1, ORIGIN);
    let request = request(&log, 5, 9);
    let bytes = request.encode();
    assert_eq!(AddCheckpoint::parse(&bytes), Ok(request.clone()));
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.starts_with("old 5\n") && text.contains("=\n\nexample.org/log\n9\n"), "{text}");
    for (from, to) in [("old 5", "old 05"), ("old 5", "old"), ("old 5", "old +5"), ("old 5\n", "old 5\n\n"), ("=\n", "\n"), ("\n\n", "\n")]
    {
        assert!(AddCheckpoint::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{from:?} → {to:?} was accepted");
    }
    assert_eq!(AddCheckpoint::parse(&[0xff]), Err(AddCheckpointError::Field { what: "encoding" }));
    let many = AddCheckpoint { proof: vec![NodeHash::from_bytes([1; 32]); 64], ..request };
    assert_eq!(AddCheckpoint::parse(&many.encode()), Err(AddCheckpointError::TooManyHashes));
    let large = vec![b'a'; MAX_REQUEST_BYTES + 1];
    assert_eq!(AddCheckpoint::parse(&large), Err(AddCheckpointError::TooLarge { found: large.len() }));
}

#[test]
fn no_flipped_byte_of_a_request_is_cosigned() {
    let log = Log::new(1, ORIGIN);
    let bytes = request(&log, 5, 9).encode();
    let accepted = |bytes: &[u8]| AddCheckpoint::parse(bytes).is_ok_and(|request| decide(&request, &known(&log, 5)).is_ok());
    assert!(accepted(&bytes));
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[position] ^= 1 << bit;
            assert!(!accepted(&changed), "byte {position} bit {bit}");
        }
        assert!(!accepted(&bytes[..position]), "cut at {position}");
    }
}

#[test]
fn the_answer_of_a_log_witness_is_added_to_the_checkpoint_once() {
    let log = Log::new(1, ORIGIN);
    let signed = log.checkpoint(head(&leaves(5)));
    let witness = Cosigner::new(3, "witness.example/w1");
    let answer = format!("{}\n", witness.line(&signed, 7).line());
    let lines = NoteSignature::parse_lines(&answer).unwrap();
    let cosigned = signed.with_signatures(&lines).unwrap();
    assert_eq!(cosigned.text(), format!("{}{answer}", signed.text()));
    assert_eq!(cosigned.with_signatures(&lines).unwrap(), cosigned);
    for wrong in ["", "\n", answer.trim_end(), "— w\n", "<html>\n"] {
        assert!(NoteSignature::parse_lines(wrong).is_err(), "{wrong:?} was accepted");
    }
    let lines: Vec<NoteSignature> = (0..64).map(|time| witness.line(&signed, time)).collect();
    assert_eq!(signed.with_signatures(&lines), Err(CheckpointError::Note(NoteError::TooManySignatures)));
}
