//! What travels between logs, log witnesses and auditors as text: keys, policies, proofs, requests; and tiles.

use std::sync::OnceLock;

use sealtrace_tlog::{
    AddCheckpoint, LeafHash, LeafIndex, NoteKey, ProofFile, TlogPolicy, TlogProof, TreeSize, WitnessedLog, consistency_proof, decide,
    entry_bundle, parse_entry_bundle, parse_tile,
};
use sealtrace_trust::{CheckpointExport, ConsistencyBody};

use crate::{keys, note, tree};

/// The entry and the tree that proofs of the seeds show.
const SHOWN: (u64, u64) = (2, 5);

fn log_key() -> NoteKey {
    keys::log().note_key().expect("the log's key is a note key")
}

/// A vkey: its own form leads back to the same key.
pub(crate) fn run_vkey(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(key) = NoteKey::parse(text) else { return };
    assert_eq!(NoteKey::parse(&key.vkey()).expect("what was encoded can be parsed"), key);
    assert_eq!(key.log_id().first_chunk::<4>(), Some(key.id().as_bytes()), "the id is the beginning of the hash");
    let known = vkeys().iter().any(|known| NoteKey::parse(known).is_ok_and(|known| known.key() == key.key() && known.name() == key.name()));
    assert!(known || note::cosigned().verify_key(&key).is_err(), "a checkpoint verifies with a key that never signed it");
}

/// Keys of each type. RSA, P-384 and P-521 are the keys of the tests of `sealtrace-tlog`.
fn vkeys() -> Vec<String> {
    let cosigners = [keys::ed25519_witness(), keys::ml_dsa_witness()];
    let ed25519 = cosigners[0].key();
    let plain = NoteKey::of_log(ed25519.name().clone(), ed25519.key().clone()).expect("an Ed25519 key signs checkpoints");
    let others = keys::OTHER_VKEYS.map(str::to_owned);
    [log_key().vkey(), plain.vkey()].into_iter().chain(cosigners.map(|cosigner| cosigner.key().vkey())).chain(others).collect()
}

pub(crate) fn vkey_seeds() -> Vec<Vec<u8>> {
    vkeys().into_iter().map(String::into_bytes).collect()
}

/// A tlog-policy: where it asks for log witnesses, none of them may be missing.
pub(crate) fn run_policy(data: &[u8]) {
    static CHECKPOINTS: OnceLock<[sealtrace_tlog::SignedCheckpoint; 2]> = OnceLock::new();
    let Ok(policy) = TlogPolicy::parse(data) else { return };
    let [cosigned, plain] = CHECKPOINTS.get_or_init(|| [note::cosigned(), keys::checkpoint(tree::head(SHOWN.1), &[])]);
    if let Ok(met) = policy.check(cosigned) {
        assert_eq!(met.checkpoint().tree(), tree::head(SHOWN.1));
        assert!(policy.logs().contains(met.checkpoint().log()), "a log that the policy does not name");
        assert!(met.at_least() <= met.existed_by() || met.existed_by().is_none());
        assert_eq!(policy.needs_witnesses(), policy.check(plain).is_err(), "a quorum met by nobody");
        assert!(!policy.needs_witnesses() || !met.witnesses().is_empty(), "a quorum met by nobody");
    }
}

fn policy_text(rule: &str) -> String {
    let witnesses = [keys::ed25519_witness(), keys::ml_dsa_witness()].map(|cosigner| cosigner.key().vkey());
    let [first, second] = witnesses;
    format!("log {}\n\nwitness W1 {first} https://witness.example/w1\nwitness W2 {second}\n# a comment\n{rule}\n", log_key().vkey())
}

pub(crate) fn policy_seeds() -> Vec<Vec<u8>> {
    ["quorum none", "quorum W1", "group both all W1 W2\nquorum both", "group operator-a any W1\ngroup g 2 operator-a W2\nquorum g"]
        .map(|rule| policy_text(rule).into_bytes())
        .into()
}

/// A tlog-proof: believed only for the entry at its place in a signed tree.
pub(crate) fn run_proof(data: &[u8]) {
    static POLICY: OnceLock<TlogPolicy> = OnceLock::new();
    if let Ok(file) = ProofFile::parse(data) {
        assert_eq!(file.encode(), data, "a proof has one form");
    }
    let Ok(proof) = TlogProof::parse(data) else { return };
    assert_eq!(proof.encode(), data, "a proof has one form");
    let leaf = LeafHash::of(&tree::entry(SHOWN.0));
    let policy = POLICY.get_or_init(|| TlogPolicy::parse(policy_text("quorum W1").as_bytes()).expect("the policy is well formed"));
    let by_policy = proof.verify_policy(leaf, policy);
    let by_key = proof.verify(leaf, &log_key());
    assert!(by_policy.is_err() || by_key.is_ok(), "a policy asks for less than a key");
    if let Ok(proven) = by_key {
        assert_eq!((proven.index(), proven.leaf()), (LeafIndex(SHOWN.0), leaf), "another place");
        assert!(note::was_signed(proven.checkpoint().signed().signed_text()), "a tree that the log never signed");
    }
}

pub(crate) fn proof_seeds() -> Vec<Vec<u8>> {
    let proof =
        |checkpoint: &str| ProofFile { index: LeafIndex(SHOWN.0), hashes: tree::path(SHOWN.0, SHOWN.1), checkpoint: checkpoint.to_owned() };
    let plain = proof(keys::checkpoint(tree::head(SHOWN.1), &[]).text());
    let cosigned = TlogProof { extra: Some(b"not signed".to_vec()), proof: proof(note::cosigned().text()) };
    vec![plain.encode(), cosigned.encode()]
}

fn request(older: u64, newer: u64) -> AddCheckpoint {
    let reader = tree::reader(newer);
    let proof = match older {
        0 => Vec::new(),
        _ => consistency_proof(TreeSize(older), TreeSize(newer), &|at| reader.node(at)).expect("every tile is there"),
    };
    AddCheckpoint { old: TreeSize(older), proof, checkpoint: keys::checkpoint(tree::head(newer), &[]) }
}

/// A log witness's request: what it would cosign is a tree of the log that continues the last one.
pub(crate) fn run_request(data: &[u8]) {
    let Ok(request) = AddCheckpoint::parse(data) else { return };
    assert_eq!(request.encode(), data, "a request has one form");
    for last in [None, Some(tree::head(3)), Some(tree::head(5))] {
        let known = WitnessedLog { origin: keys::ORIGIN.to_owned(), keys: vec![log_key()], last };
        if let Ok(cosignable) = decide(&request, &[known]) {
            assert!(note::was_signed(cosignable.checkpoint().signed_text()), "a tree that the log never signed");
            assert!(last.is_none_or(|last| last.size <= cosignable.tree().size), "a tree that is smaller than the last one");
        }
    }
}

pub(crate) fn request_seeds() -> Vec<Vec<u8>> {
    [(0, 5), (3, 5), (5, 5), (5, 300), (3, 256)].map(|(older, newer)| request(older, newer).encode()).into()
}

/// A consistency body, alone and in a courier's export.
pub(crate) fn run_consistency(data: &[u8]) {
    if let Some(body) = std::str::from_utf8(data).ok().and_then(|text| ConsistencyBody::parse(text).ok()) {
        assert_eq!(body.encode().as_bytes(), data, "a body has one form");
        check_body(&body);
    }
    let Ok(export) = CheckpointExport::parse(data) else { return };
    let bytes = export.encode().expect("what was parsed can be encoded");
    assert_eq!(CheckpointExport::parse(&bytes).expect("what was encoded can be parsed"), export);
    export.consistency.iter().for_each(check_body);
}

fn check_body(body: &ConsistencyBody) {
    for older in [3, 5] {
        let holds = body.verify(&tree::head(older)).is_ok();
        let same_size = body.checkpoint().checkpoint().tree.size.0 == older;
        if holds && same_size {
            assert_eq!(body.checkpoint().checkpoint().tree, tree::head(older), "two trees of one size");
        }
    }
}

pub(crate) fn consistency_seeds() -> Vec<Vec<u8>> {
    let body = |older, newer| {
        let AddCheckpoint { old, proof, checkpoint } = request(older, newer);
        ConsistencyBody::new(old.0, proof, checkpoint)
    };
    let bodies = [body(3, 300), body(5, 300), body(3, 5)];
    let [first, second, _] = bodies.clone();
    let export = CheckpointExport { checkpoint: first.checkpoint().clone(), consistency: vec![first, second] };
    let export = export.encode().expect("the export is well formed");
    bodies.iter().map(|body| body.encode().into_bytes()).chain([export, note::cosigned().text().into()]).collect()
}

/// The first two bytes: how wide. The rest: a tile, and an entry bundle.
pub(crate) fn run_tiles(data: &[u8]) {
    let Some((width, rest)) = data.split_first_chunk::<2>() else { return };
    let width = u16::from_be_bytes(*width);
    if let Some(hashes) = parse_tile(rest, width) {
        assert_eq!(hashes.len(), usize::from(width));
        assert_eq!(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect::<Vec<u8>>(), rest);
    }
    if let Ok(entries) = parse_entry_bundle(rest, width) {
        assert_eq!(entries.len(), usize::from(width));
        assert_eq!(entry_bundle(&entries).expect("what was read can be written"), rest, "an entry bundle has one form");
    }
}

pub(crate) fn tiles_seeds() -> Vec<Vec<u8>> {
    let entries: Vec<Vec<u8>> = (0..5).map(tree::entry).collect();
    let bundle = entry_bundle(&entries).expect("the entries are short");
    let tile: Vec<u8> = tree::leaves(5).iter().flat_map(|leaf| *leaf.as_bytes()).collect();
    [bundle, tile].map(|bytes| [&[0, 5], bytes.as_slice()].concat()).into()
}
