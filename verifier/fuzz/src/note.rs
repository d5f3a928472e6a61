//! Signed notes, checkpoints and cosignatures: what a known key is found to have signed is what it did sign.

use sealtrace_tlog::{CosignerKey, Note, NoteSignature, SignedCheckpoint};
use sealtrace_verdict::UnixTime;

use crate::{keys, tree};

/// The time in every cosignature of the seeds.
const TIME: u64 = 1_700_000_000;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        assert!(SignedCheckpoint::parse_bytes(data).is_err(), "a checkpoint that is no text");
        return;
    };
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.encode(), text, "a note has one form");
    }
    if let Ok(lines) = NoteSignature::parse_lines(text) {
        let again: String = lines.iter().flat_map(|line| [line.line(), "\n".to_owned()]).collect();
        assert_eq!(again, text, "signature lines have one form");
    }
    if let Ok(checkpoint) = SignedCheckpoint::parse(text) {
        assert_eq!((checkpoint.text(), checkpoint.checkpoint().text().as_str()), (text, checkpoint.signed_text()));
        check(&checkpoint);
    }
}

/// Whether the known log ever signed this text.
pub(crate) fn was_signed(text: &str) -> bool {
    seeds_signed().iter().any(|signed| signed.signed_text() == text)
}

fn check(checkpoint: &SignedCheckpoint) {
    let log = keys::log();
    let key = log.note_key().expect("the log's key is a note key");
    let own = checkpoint.verify(&log);
    assert_eq!(own.is_ok(), checkpoint.verify_key(&key).is_ok(), "both ways to verify agree");
    if own.is_ok() {
        assert!(was_signed(checkpoint.signed_text()), "a signature by the log holds for what it never signed");
        assert_eq!(checkpoint.open(&key).is_ok(), checkpoint.is_of(&log));
    }
    for witness in [keys::ed25519_witness(), keys::ml_dsa_witness()] {
        check_witness(&witness, checkpoint);
    }
}

fn check_witness(witness: &CosignerKey, checkpoint: &SignedCheckpoint) {
    for seen in witness.cosignatures(checkpoint).unwrap_or_default() {
        assert_eq!(seen.time(), Some(UnixTime::from_seconds(TIME)), "a cosignature holds for another time");
        let tree = checkpoint.checkpoint().tree;
        assert!(tree::signed_heads().contains(&tree), "a cosignature holds for another tree");
    }
}

fn seeds_signed() -> &'static [SignedCheckpoint] {
    static SIGNED: std::sync::OnceLock<Vec<SignedCheckpoint>> = std::sync::OnceLock::new();
    SIGNED.get_or_init(|| {
        let plain = tree::signed_heads().into_iter().map(|head| keys::checkpoint(head, &[]));
        let extended = keys::checkpoint(tree::head(5), &["more", "and more"]);
        plain.chain([extended]).collect()
    })
}

/// A checkpoint with all three kinds of signature.
pub(crate) fn cosigned() -> SignedCheckpoint {
    let plain = keys::checkpoint(tree::head(5), &[]);
    let time = UnixTime::from_seconds(TIME);
    let lines = [keys::ed25519_line(plain.signed_text(), time), keys::ml_dsa_line(plain.checkpoint(), time)];
    plain.with_signatures(&lines).expect("three lines are not too many")
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let plain = keys::checkpoint(tree::head(5), &[]);
    let ed25519 = keys::ed25519_line(plain.signed_text(), UnixTime::from_seconds(TIME));
    let small = plain.with_signatures(std::slice::from_ref(&ed25519)).expect("two lines are not too many");
    let lines = format!("{}\n", ed25519.line());
    let other = Note { text: "any text\n\nof lines\n".to_owned(), signatures: vec![ed25519] }.encode();
    let mut seeds: Vec<Vec<u8>> = seeds_signed().iter().map(|signed| signed.text().as_bytes().to_vec()).collect();
    seeds.extend([small.text().as_bytes().to_vec(), cosigned().text().as_bytes().to_vec(), lines.into_bytes(), other.into_bytes()]);
    seeds
}
