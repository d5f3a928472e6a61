//! Cosignatures: those that Go made, and those made here.

use ed25519_dalek::Signer as _;
use sealtrace_crypto::VerifyingKey;
use sealtrace_verdict::UnixTime;

use super::vectors::{GO_POLICY, GO_PROOF, REAL_WITNESSES};
use super::*;

/// A log witness with its private key.
pub(super) struct Cosigner {
    private: ed25519_dalek::SigningKey,
    pub(super) key: CosignerKey,
}

impl Cosigner {
    pub(super) fn new(fill: u8, name: &str) -> Self {
        let private = ed25519_dalek::SigningKey::from_bytes(&[fill; 32]);
        let public = VerifyingKey::ed25519(private.verifying_key().as_bytes()).unwrap();
        let key = NoteKey::of_cosigner(KeyName::parse(name).unwrap(), public).unwrap();
        Self { private, key: CosignerKey::new(key).unwrap() }
    }

    pub(super) fn line(&self, checkpoint: &SignedCheckpoint, time: u64) -> NoteSignature {
        let prepared = self.key.prepare(&cosignable(checkpoint), UnixTime::from_seconds(time)).unwrap();
        prepared.assemble(&self.private.sign(prepared.message()).to_bytes()).unwrap()
    }

    pub(super) fn cosign(&self, checkpoint: &SignedCheckpoint, time: u64) -> SignedCheckpoint {
        checkpoint.with_signatures(&[self.line(checkpoint, time)]).unwrap()
    }
}

/// The decision of a log witness that sees the log for the first time.
fn cosignable(checkpoint: &SignedCheckpoint) -> Cosignable {
    let log = Log::new(1, "example.org/log").log.note_key().unwrap();
    let known = WitnessedLog { origin: "example.org/log".into(), keys: vec![log], last: None };
    decide(&AddCheckpoint { old: TreeSize(0), proof: Vec::new(), checkpoint: checkpoint.clone() }, &[known]).unwrap()
}

fn checkpoint() -> SignedCheckpoint {
    Log::new(1, "example.org/log").checkpoint(head(&leaves(5)))
}

/// A line by an ML-DSA-44 key of the test's, over a message of the test's.
pub(super) fn ml_dsa(name: &str, time: u64, message: &[u8]) -> (CosignerKey, NoteSignature) {
    use ml_dsa::signature::{Keypair as _, Signer as _};
    let private = ml_dsa::SigningKey::<ml_dsa::MlDsa44>::from_seed(&[7; 32].into());
    let public = VerifyingKey::ml_dsa_44(&private.verifying_key().encode()).unwrap();
    let key = CosignerKey::new(NoteKey::of_cosigner(KeyName::parse(name).unwrap(), public).unwrap()).unwrap();
    let signature = [time.to_be_bytes().as_slice(), &private.sign(message).encode()].concat();
    let line = NoteSignature { name: key.key().name().clone(), key_id: key.key().id(), signature };
    (key, line)
}

/// The message of tlog-cosignature, written out.
pub(super) fn subtree(name: &str, time: u64, checkpoint: &Checkpoint) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let origin = text(&checkpoint.origin);
    let size = checkpoint.tree.size.0.to_be_bytes();
    let parts: [&[u8]; 7] = [b"subtree/v1\n\0", &text(name), &time.to_be_bytes(), &origin, &[0; 8], &size, checkpoint.tree.root.as_bytes()];
    parts.concat()
}

#[test]
fn the_cosignatures_that_go_made_verify_with_their_time() {
    let policy = TlogPolicy::parse(GO_POLICY.as_bytes()).unwrap();
    let checkpoint = SignedCheckpoint::parse(&TlogProof::parse(GO_PROOF.as_bytes()).unwrap().proof.checkpoint).unwrap();
    for (name, witness) in policy.witnesses() {
        let seen = witness.key().cosignatures(&checkpoint).unwrap();
        assert_eq!((seen.len(), seen[0].time()), (1, Some(UnixTime::from_seconds(1_679_315_147))), "{name}");
        assert_eq!((seen[0].witness(), seen[0].key_id()), (witness.key().key().name(), witness.key().key().id()));
    }
    assert_eq!(policy.witnesses().count(), 2);
}

#[test]
fn the_message_is_that_of_the_specification() {
    let witness = Cosigner::new(3, "witness.example/w1");
    let signed = checkpoint();
    let prepared = witness.key.prepare(&cosignable(&signed), UnixTime::from_seconds(1_679_315_147)).unwrap();
    let expected = format!("cosignature/v1\ntime 1679315147\n{}", signed.checkpoint().text());
    assert_eq!(prepared.message(), expected.as_bytes());
    let line = witness.line(&signed, 1_679_315_147);
    assert_eq!(line.signature[..8], 1_679_315_147_u64.to_be_bytes());
    assert_eq!(line.signature.len(), 72);
    let (key, _) = ml_dsa("witness.example/w2", 5, b"");
    let prepared = key.prepare(&cosignable(&signed), UnixTime::from_seconds(5)).unwrap();
    assert_eq!(prepared.message(), subtree("witness.example/w2", 5, signed.checkpoint()));
}

#[test]
fn a_signature_of_something_else_is_not_assembled() {
    let witness = Cosigner::new(3, "witness.example/w1");
    let prepared = witness.key.prepare(&cosignable(&checkpoint()), UnixTime::from_seconds(7)).unwrap();
    let other = witness.private.sign(b"something else").to_bytes();
    assert!(matches!(prepared.assemble(&other), Err(NoteSignatureError::Signature(_))));
    assert_eq!(prepared.assemble(&other[..63]), Err(NoteSignatureError::Length { expected: 72, found: 71 }));
    let stranger = Cosigner::new(4, "witness.example/w1");
    assert!(matches!(prepared.assemble(&stranger.private.sign(prepared.message()).to_bytes()), Err(NoteSignatureError::Signature(_))));
}

#[test]
fn a_line_of_a_known_key_that_fails_rejects_and_an_unknown_key_is_ignored() {
    let witness = Cosigner::new(3, "witness.example/w1");
    let cosigned = witness.cosign(&checkpoint(), 7);
    assert_eq!(witness.key.cosignatures(&cosigned).unwrap().len(), 1);
    assert_eq!(Cosigner::new(4, "witness.example/w1").key.cosignatures(&cosigned), Ok(Vec::new()));
    assert_eq!(Cosigner::new(3, "witness.example/w2").key.cosignatures(&cosigned), Ok(Vec::new()));
    let mut bad = witness.line(&checkpoint(), 8);
    bad.signature[7] ^= 1;
    let doubled = cosigned.with_signatures(&[bad]).unwrap();
    assert!(matches!(witness.key.cosignatures(&doubled), Err(NoteVerifyError::Signature { .. })));
    let twice = cosigned.with_signatures(&[witness.line(&checkpoint(), 7), witness.line(&checkpoint(), 9)]).unwrap();
    let times: Vec<_> = witness.key.cosignatures(&twice).unwrap().iter().map(|seen| seen.time().unwrap().seconds()).collect();
    assert_eq!(times, [7, 9]);
}

#[test]
fn the_time_the_origin_the_size_the_root_and_ed25519_extension_lines_are_signed() {
    let witness = Cosigner::new(3, "witness.example/w1");
    let line = witness.line(&checkpoint(), 7);
    for position in 0..8 {
        let mut changed = line.clone();
        changed.signature[position] ^= 1;
        let cosigned = checkpoint().with_signatures(&[changed]).unwrap();
        assert!(witness.key.cosignatures(&cosigned).is_err(), "byte {position} of the time");
    }
    let log = Log::new(1, "example.org/log");
    let tree = head(&leaves(5));
    let said = |origin: &str, tree: TreeHead, extension: &[&str]| {
        let extension = extension.iter().map(|line| (*line).to_owned()).collect();
        log.sign(Checkpoint { origin: origin.into(), tree, extension }).with_signatures(std::slice::from_ref(&line)).unwrap()
    };
    assert!(witness.key.cosignatures(&said("example.org/log", tree, &[])).is_ok());
    let larger = TreeHead { size: TreeSize(6), ..tree };
    for changed in
        [said("example.org/lob", tree, &[]), said("example.org/log", larger, &[]), said("example.org/log", head(&leaves(6)), &[])]
    {
        assert!(witness.key.cosignatures(&changed).is_err(), "{}", changed.text());
    }
    assert!(witness.key.cosignatures(&said("example.org/log", tree, &["more"])).is_err());
}

#[test]
fn ml_dsa_signs_its_name_makes_no_statement_at_time_zero_and_covers_no_extension_lines() {
    let signed = checkpoint();
    let message = |name, time| subtree(name, time, signed.checkpoint());
    let time_of = |(key, line): (CosignerKey, NoteSignature)| {
        let cosigned = signed.with_signatures(&[line]).unwrap();
        key.cosignatures(&cosigned).map(|seen| seen[0].time().map(UnixTime::seconds))
    };
    assert_eq!(time_of(ml_dsa("w1", 7, &message("w1", 7))), Ok(Some(7)));
    assert_eq!(time_of(ml_dsa("w1", 0, &message("w1", 0))), Ok(None));
    for wrong in [ml_dsa("w1", 7, &message("w2", 7)), ml_dsa("w1", 8, &message("w1", 7)), ml_dsa("w1", 7, b"")] {
        assert!(time_of(wrong).is_err());
    }
    let log = Log::new(1, "example.org/log");
    let extended = log.sign(Checkpoint { extension: vec!["more".into()], ..signed.checkpoint().clone() });
    let (key, line) = ml_dsa("w1", 7, &message("w1", 7));
    let refused = key.cosignatures(&extended.with_signatures(&[line]).unwrap());
    assert!(matches!(refused, Err(NoteVerifyError::Signature { source: NoteSignatureError::Extension, .. })), "{refused:?}");
}

#[test]
fn times_beyond_2_63_long_names_and_wrong_lengths_are_refused() {
    let signed = checkpoint();
    let reason = |key: &CosignerKey, line: NoteSignature| match key.cosignatures(&signed.with_signatures(&[line]).unwrap()) {
        Err(NoteVerifyError::Signature { source, .. }) => source,
        other => panic!("{other:?}"),
    };
    let (key, late) = ml_dsa("w1", 1 << 63, b"");
    assert_eq!(reason(&key, late), NoteSignatureError::Time { found: 1 << 63 });
    let (key, short) = ml_dsa("w1", 7, b"");
    let short = NoteSignature { signature: short.signature[1..].to_vec(), ..short };
    assert_eq!(reason(&key, short), NoteSignatureError::Length { expected: 2428, found: 2427 });
    let name = "n".repeat(256);
    let (key, long) = ml_dsa(&name, 7, b"");
    assert_eq!(reason(&key, long), NoteSignatureError::NameTooLong { what: "cosigner name", found: 256 });
    let note = Note { text: "no checkpoint\n".into(), signatures: vec![Cosigner::new(3, "w").line(&signed, 7)] };
    let key = Cosigner::new(3, "w").key;
    assert_eq!(key.key().verify(&note, &note.signatures[0]), Err(NoteSignatureError::NotACheckpoint));
}

#[test]
fn only_keys_whose_signatures_carry_a_time_cosign() {
    let ed25519 = NoteKey::parse(vectors::SPEC_VKEY).unwrap();
    assert!(matches!(CosignerKey::new(ed25519), Err(NoteKeyError::NoCosigner { .. })));
    assert!(CosignerKey::new(NoteKey::parse(REAL_WITNESSES[0]).unwrap()).is_ok());
    let p256 = Log::new(1, "example.org/log").log.note_key().unwrap();
    let refused = NoteKey::of_cosigner(p256.name().clone(), p256.key().clone());
    assert_eq!(refused, Err(NoteKeyError::Algorithm { kind: 4, found: "ECDSA P-256".into() }));
}
