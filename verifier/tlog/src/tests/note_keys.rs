//! Verifier keys of every type, and notes signed by them.

use super::vectors::{ENOCH_VKEY, GO_NOTE, OTHER_TEXT, OTHER_TYPES, PETER_VKEY, SPEC_NOTE, SPEC_VKEY};
use super::*;

fn key(vkey: &str) -> NoteKey {
    NoteKey::parse(vkey).unwrap()
}

#[test]
fn the_examples_of_the_specification_and_of_go_verify_and_are_written_back_byte_for_byte() {
    let (peter, enoch) = (key(PETER_VKEY), key(ENOCH_VKEY));
    for (vkey, note) in [(SPEC_VKEY, SPEC_NOTE), (PETER_VKEY, GO_NOTE), (ENOCH_VKEY, GO_NOTE)] {
        let (key, note) = (key(vkey), Note::parse(note).unwrap());
        assert_eq!(key.vkey(), vkey);
        let signed = note.verify(&[&key]).unwrap();
        assert_eq!((signed.len(), signed[0].name(), signed[0].key_id(), signed[0].time()), (1, key.name(), key.id(), None));
    }
    assert_eq!(Note::parse(GO_NOTE).unwrap().verify(&[&enoch, &peter]).unwrap().len(), 2);
}

#[test]
fn no_flipped_bit_of_a_note_verifies_and_unknown_keys_alone_do_not() {
    let key = key(SPEC_VKEY);
    let verified = |bytes: &[u8]| {
        let note = std::str::from_utf8(bytes).ok().and_then(|text| Note::parse(text).ok());
        note.is_some_and(|note| note.verify(&[&key]).is_ok())
    };
    assert!(verified(SPEC_NOTE.as_bytes()));
    for position in 0..SPEC_NOTE.len() {
        for bit in 0..8 {
            let mut changed = SPEC_NOTE.as_bytes().to_vec();
            changed[position] ^= 1 << bit;
            assert!(!verified(&changed), "byte {position} bit {bit}");
        }
        assert!(!verified(&SPEC_NOTE.as_bytes()[..position]), "cut at {position}");
    }
    let note = Note::parse(GO_NOTE).unwrap();
    assert_eq!(note.verify(&[&key]), Err(NoteVerifyError::Unsigned));
    assert_eq!(note.verify(&[]), Err(NoteVerifyError::Unsigned));
    assert_eq!(key.verify(&note, &note.signatures[0]), Err(NoteSignatureError::OtherKey));
}

#[test]
fn rsa_and_every_ecdsa_curve_verify_over_sha_256() {
    for (vkey, line) in OTHER_TYPES {
        let key = key(vkey);
        assert_eq!(key.vkey(), vkey);
        let signed = SignedCheckpoint::parse(&format!("{OTHER_TEXT}\n{line}\n")).unwrap();
        let algorithm = key.key().algorithm();
        assert_eq!(signed.verify_key(&key).map(|lines| lines.len()), Ok(1), "{algorithm}");
        assert_eq!(signed.open(&key).unwrap().log(), &key);
        let changed = SignedCheckpoint::parse(&format!("{}\n{line}\n", OTHER_TEXT.replace("\n7\n", "\n8\n"))).unwrap();
        assert!(matches!(changed.open(&key), Err(CheckpointError::NoteSignature(_))), "{algorithm}");
        let of_log = NoteKey::of_log(key.name().clone(), key.key().clone()).unwrap();
        assert_eq!(of_log, key, "{algorithm}");
    }
}

#[test]
fn an_ecdsa_key_has_the_hash_of_its_spki_as_id_and_others_that_of_name_and_key() {
    let log = Log::new(1, "example.org/log");
    let key = log.log.note_key().unwrap();
    assert_eq!((key.signature_type(), key.log_id()), (SignatureType::Ecdsa, &log.log.key_id()));
    let renamed = NoteKey::of_log(KeyName::parse("other").unwrap(), key.key().clone()).unwrap();
    assert_eq!(renamed.id(), key.id());
    let ed25519 = NoteKey::parse(SPEC_VKEY).unwrap();
    let renamed = NoteKey::of_log(KeyName::parse("other").unwrap(), ed25519.key().clone()).unwrap();
    assert_ne!(renamed.id(), ed25519.id());
    let cosigner = NoteKey::of_cosigner(ed25519.name().clone(), ed25519.key().clone()).unwrap();
    assert_ne!((cosigner.id(), cosigner.signature_type()), (ed25519.id(), SignatureType::Ed25519));
    // The key id of the trusted root of log2025-alpha1.rekor.sigstage.dev.
    let name = KeyName::parse("log2025-alpha1.rekor.sigstage.dev").unwrap();
    let raw = hex::decode("3e7f804441e805a67bc204b5cc1aa9c662d21a7ca1c578f8945c52756541f28f").unwrap();
    let rekor = NoteKey::of_log(name, sealtrace_crypto::VerifyingKey::ed25519(&raw.try_into().unwrap()).unwrap()).unwrap();
    assert_eq!(sealtrace_envelope::encode_base64(rekor.log_id()), "8w1amZ2S5mJIQkQmPxdMuOrL/oJkvFg9MnQXmeOCXck=");
}

#[test]
fn a_checkpoint_of_our_log_opens_by_its_note_key_under_its_own_name_only() {
    let log = Log::new(1, "example.org/log");
    let key = log.log.note_key().unwrap();
    let signed = log.checkpoint(head(&leaves(5)));
    assert_eq!(signed.open(&key).unwrap().tree(), head(&leaves(5)));
    let other = log.sign(Checkpoint { origin: "example.org/other".into(), tree: head(&leaves(5)), extension: Vec::new() });
    assert_eq!(other.verify_key(&key).unwrap().len(), 1);
    let refused = CheckpointError::Origin { expected: "example.org/log".into(), found: "example.org/other".into() };
    assert_eq!(other.open(&key), Err(refused));
    assert!(matches!(signed.open(&Log::new(2, "example.org/log").log.note_key().unwrap()), Err(CheckpointError::NoteSignature(_))));
}

#[test]
fn a_text_that_is_no_vkey_is_refused_and_says_why() {
    let malformed = |what| NoteKeyError::Malformed { what };
    let stated = NoteKeyId::from_bytes([0x53, 0x0d, 0x90, 0x3b]);
    let cases = [
        ("example.com/foo", malformed("shape")),
        ("example.com/foo+530d903a", malformed("shape")),
        ("example.com/foo+530d903+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", malformed("id")),
        ("example.com/foo++530d903+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", malformed("id")),
        ("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2", malformed("base64")),
        ("example.com/foo+530d903a+", malformed("key")),
        ("example.com/foo+530d903a+Aek=", malformed("key")),
        ("example.com/foo+530d903a+A+ky", NoteKeyError::Type { found: 3 }),
        ("example.com/foo+530d903a+/+ky", NoteKeyError::Type { found: 0xff }),
        (&SPEC_VKEY.replace("903a", "903b"), NoteKeyError::Id { computed: key(SPEC_VKEY).id(), stated }),
    ];
    for (text, error) in cases {
        assert_eq!(NoteKey::parse(text), Err(error), "{text}");
    }
    assert!(matches!(NoteKey::parse(&SPEC_VKEY.replace("/foo", " foo")), Err(NoteKeyError::Name(_))));
    assert!(matches!(NoteKey::parse(&SPEC_VKEY.replacen("example", "exämple", 1)), Err(NoteKeyError::Id { .. })));
    assert!(matches!(NoteKey::parse(&"a".repeat(MAX_VKEY_BYTES + 1)), Err(NoteKeyError::TooLarge { .. })));
    // An Ed25519 SPKI where an ECDSA one is said to be.
    let spki = hex::decode("02302a300506032b6570032100e932791ae6e7a840a46164c904786426d5e7821dd8b29a00d61cae72afdd4da4").unwrap();
    let vkey = format!("example.com/foo+530d903a+{}", sealtrace_envelope::encode_base64(&spki));
    assert_eq!(NoteKey::parse(&vkey), Err(NoteKeyError::Algorithm { kind: 2, found: "Ed25519".into() }));
}

#[test]
fn every_flipped_byte_of_a_vkey_is_refused_or_is_the_case_of_the_id() {
    for position in 0..SPEC_VKEY.len() {
        for bit in 0..8 {
            let mut changed = SPEC_VKEY.as_bytes().to_vec();
            changed[position] ^= 1 << bit;
            let Ok(text) = String::from_utf8(changed) else { continue };
            let same = text.eq_ignore_ascii_case(SPEC_VKEY) && text.split('+').next_back() == SPEC_VKEY.split('+').next_back();
            let parsed = NoteKey::parse(&text);
            assert!(parsed.is_err() || (same && parsed.unwrap() == key(SPEC_VKEY)), "byte {position} bit {bit}: {text}");
        }
    }
}

#[test]
fn notes_take_what_the_specification_allows_and_no_more() {
    let line = SPEC_NOTE.split('\n').nth(2).unwrap();
    for text in ["a\n\n\n", "\n", "a\u{7f}b\n", "a\u{85}b\n", "a\n\n— b c\n"] {
        let note = Note::parse(&format!("{text}\n{line}\n")).unwrap();
        assert_eq!(note.text, text);
        assert_eq!(note.encode(), format!("{text}\n{line}\n"));
    }
    for text in
        ["", "a", "a\n", "a\n\n", &format!("\n{line}\n"), &format!("a\tb\n\n{line}\n"), &format!("a\n\n{line}"), "a\n\n— k AAAAAA==\n"]
    {
        assert!(Note::parse(text).is_err(), "{text:?} was accepted");
    }
    assert!(matches!(Note::parse(&format!("{}\n\n{line}\n", "a".repeat(MAX_NOTE_BYTES))), Err(NoteError::TooLarge { .. })));
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\u{3000}b", "a\nb", "a\u{1}b"] {
        assert!(KeyName::parse(name).is_err(), "{name:?} was accepted");
    }
    assert_eq!(KeyName::parse("witneß.example/w1").unwrap().as_str(), "witneß.example/w1");
}
