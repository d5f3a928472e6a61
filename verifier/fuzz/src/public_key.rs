//! Public keys as SPKI, PEM and raw bytes: one key, one encoding; and nothing verifies that was not signed.

use std::sync::OnceLock;

use sealtrace_crypto::{Algorithm, VerifyingKey, decode_pem};
use sealtrace_envelope::PublicKey;
use sealtrace_tlog::NoteKey;

use crate::keys;

const MESSAGE: &[u8] = b"a message";

pub(crate) fn run(data: &[u8]) {
    if let Ok(key) = VerifyingKey::parse_spki(data) {
        assert_eq!(key.spki(), data, "a key has one encoding");
        check(&key);
    }
    if let Ok(key) = PublicKey::parse_der(data) {
        assert_eq!(key.spki(), data, "a key has one encoding");
    }
    assert_eq!(PublicKey::parse_der(data).is_ok(), VerifyingKey::parse_spki(data).is_ok_and(|key| key.algorithm() == Algorithm::EcdsaP256));
    if let Ok((label, der)) = decode_pem(data) {
        let whole = VerifyingKey::parse_pem(data);
        assert_eq!(whole.is_ok(), label == "PUBLIC KEY" && data.len() <= 16 << 10 && VerifyingKey::parse_spki(&der).is_ok());
    }
    if let Ok(key) = PublicKey::parse_pem(data) {
        let pem = key.to_pem().expect("what was parsed can be encoded");
        assert_eq!(PublicKey::parse_pem(pem.as_bytes()).expect("what was encoded can be parsed"), key);
    }
    if let Ok(key) = <&[u8; 32]>::try_from(data).map_err(drop).and_then(|raw| VerifyingKey::ed25519(raw).map_err(drop)) {
        assert_eq!(key.raw(), data);
        check(&key);
    }
    // The bytes as a signature, by the keys there are.
    for key in known() {
        assert!(key.verify(MESSAGE, data).is_err() || data == own_signature(), "a signature that nobody made");
    }
}

fn check(key: &VerifyingKey) {
    assert_eq!(VerifyingKey::parse_spki(key.spki()).expect("what was encoded can be parsed"), *key);
    for length in [0, 64, 72, 256] {
        assert!(key.verify(MESSAGE, &vec![1; length]).is_err(), "a signature that nobody made");
    }
}

fn own_signature() -> &'static [u8] {
    static OWN: OnceLock<Vec<u8>> = OnceLock::new();
    OWN.get_or_init(|| keys::p256_sign(keys::SIGNER, MESSAGE))
}

fn known() -> &'static [VerifyingKey] {
    static KNOWN: OnceLock<Vec<VerifyingKey>> = OnceLock::new();
    KNOWN.get_or_init(make_known)
}

fn make_known() -> Vec<VerifyingKey> {
    let spki = |key: &PublicKey| VerifyingKey::parse_spki(key.spki()).expect("the key is well formed");
    let notes = keys::OTHER_VKEYS.map(|vkey| NoteKey::parse(vkey).expect("the key is well formed").key().clone());
    let cosigners = [keys::ed25519_witness(), keys::ml_dsa_witness()].map(|cosigner| cosigner.key().key().clone());
    [spki(&keys::p256_public(keys::SIGNER))].into_iter().chain(cosigners).chain(notes).collect()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let pem = keys::p256_public(keys::SIGNER).to_pem().expect("the key has an encoding").into_bytes();
    let raw = keys::ed25519_witness().key().key().raw();
    let spki = known().iter().map(|key| key.spki().to_vec());
    spki.chain([pem, raw, own_signature().to_vec()]).collect()
}
