//! `.tlog-proof` files, whole.

use super::cosignatures::Cosigner;
use super::vectors::{GO_ENTRY, GO_POLICY, GO_PROOF, SPEC_VKEY};
use super::*;

fn go() -> (TlogProof, TlogPolicy) {
    (TlogProof::parse(GO_PROOF.as_bytes()).unwrap(), TlogPolicy::parse(GO_POLICY.as_bytes()).unwrap())
}

#[test]
fn the_proof_that_go_made_verifies_by_policy_and_by_key_and_is_written_back_byte_for_byte() {
    let (proof, policy) = go();
    assert_eq!(proof.encode(), GO_PROOF.as_bytes());
    assert_eq!(proof.extra.as_deref(), Some(b"not signed".as_slice()));
    let (leaf, quorum) = proof.verify_policy(LeafHash::of(GO_ENTRY), &policy).unwrap();
    assert_eq!((leaf.index(), leaf.leaf(), leaf.checkpoint().tree().size), (LeafIndex(1), LeafHash::of(GO_ENTRY), TreeSize(3)));
    assert_eq!(quorum.witnesses().iter().map(WitnessSeen::name).collect::<Vec<_>>(), ["W1", "W2"]);
    assert_eq!(quorum.existed_by().map(|time| time.to_string()).as_deref(), Some("2023-03-20T12:25:47Z"));
    assert_eq!(proof.verify(LeafHash::of(GO_ENTRY), &policy.logs()[0]).unwrap(), leaf);
}

#[test]
fn another_entry_another_place_another_key_and_a_missed_quorum_are_refused_each_by_its_name() {
    let (proof, policy) = go();
    let leaf = LeafHash::of(GO_ENTRY);
    assert!(matches!(proof.verify_policy(LeafHash::of(b"two"), &policy), Err(TlogProofRefusal::Inclusion(ProofError::Root { .. }))));
    let moved = TlogProof { proof: ProofFile { index: LeafIndex(2), ..proof.proof.clone() }, ..proof.clone() };
    assert!(matches!(moved.verify_policy(leaf, &policy), Err(TlogProofRefusal::Inclusion(ProofError::Length { .. }))));
    let spec = NoteKey::parse(SPEC_VKEY).unwrap();
    assert!(matches!(proof.verify(leaf, &spec), Err(TlogProofRefusal::Checkpoint(CheckpointError::NoteSignature(_)))));
    let more = GO_POLICY
        .replace("group both all W1 W2", &format!("witness W3 {}\ngroup both all W1 W2 W3", Cosigner::new(5, "w").key.key().vkey()));
    let more = TlogPolicy::parse(more.as_bytes()).unwrap();
    assert!(matches!(proof.verify_policy(leaf, &more), Err(TlogProofRefusal::Policy(PolicyRefusal::Quorum(_)))));
    let empty = TlogProof { proof: ProofFile { checkpoint: String::new(), ..proof.proof.clone() }, ..proof };
    assert!(matches!(empty.verify_policy(leaf, &policy), Err(TlogProofRefusal::Checkpoint(CheckpointError::Note(_)))));
}

#[test]
fn every_flipped_byte_of_a_proof_is_refused_but_those_of_extra_and_of_an_unknown_key() {
    let (_, policy) = go();
    let verified = |bytes: &[u8]| TlogProof::parse(bytes).is_ok_and(|proof| proof.verify_policy(LeafHash::of(GO_ENTRY), &policy).is_ok());
    let place = |text: &str| GO_PROOF.find(text).unwrap();
    let extra = place("extra ") + 6..place("\nindex ");
    let unknown = place("— unknown.example.com")..place("\n— witness.example.com/w1");
    let mut tolerated = 0;
    for position in 0..GO_PROOF.len() {
        let mut changed = GO_PROOF.as_bytes().to_vec();
        changed[position] ^= 1;
        if verified(&changed) {
            assert!(extra.contains(&position) || unknown.contains(&position), "byte {position}");
            tolerated += 1;
        }
        assert!(!verified(&GO_PROOF.as_bytes()[..position]), "cut at {position}");
    }
    assert!(tolerated > 0 && tolerated <= extra.len() + unknown.len(), "{tolerated}");
}

#[test]
fn extra_data_is_optional_and_may_be_empty_and_fragments_refuse_it() {
    let plain = ProofFile { index: LeafIndex(0), hashes: Vec::new(), checkpoint: "a\n1\nb\n".into() };
    for (extra, line) in [(None, ""), (Some(vec![]), "extra \n"), (Some(vec![1]), "extra AQ==\n")] {
        let proof = TlogProof { extra: extra.clone(), proof: plain.clone() };
        let text = format!("c2sp.org/tlog-proof@v1\n{line}index 0\n\na\n1\nb\n");
        assert_eq!(String::from_utf8(proof.encode()).unwrap(), text);
        assert_eq!(TlogProof::parse(text.as_bytes()), Ok(proof));
        assert_eq!(ProofFile::parse(text.as_bytes()).is_ok(), extra.is_none());
    }
    for wrong in [
        "extra AQ\nindex 0\n\na",
        "extra AQ==\nextra AQ==\nindex 0\n\na",
        "index 0\nextra AQ==\n\na",
        "extra\nindex 0\n\na",
        "extra  \nindex 0\n\na",
    ] {
        assert!(TlogProof::parse(format!("c2sp.org/tlog-proof@v1\n{wrong}").as_bytes()).is_err(), "{wrong:?} was accepted");
    }
    let large = format!("c2sp.org/tlog-proof@v1\nextra {}\nindex 0\n\na", "A".repeat(MAX_PROOF_FILE_BYTES));
    assert!(TlogProof::parse(large.as_bytes()).is_err());
}
