//! Facts about keys and signatures: vectors of openssl, and strictness.

use super::*;

/// RFC 8032 §7.1, test 2.
const ED25519_KEY: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const ED25519_SIGNATURE: &str =
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

#[test]
fn an_ed25519_signature_holds_for_its_message_only() {
    let key = VerifyingKey::ed25519(&bytes(ED25519_KEY).try_into().unwrap()).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Ed25519);
    assert_eq!(key.verify(&[0x72], &bytes(ED25519_SIGNATURE)), Ok(()));
    assert_eq!(key.verify(&[0x73], &bytes(ED25519_SIGNATURE)), Err(SignatureError::Mismatch));
    assert_eq!(key.verify(&[0x72], &bytes(ED25519_SIGNATURE)[..63]), Err(SignatureError::NotDer));
    assert_eq!(key.verify_digest(Hash::Sha256, &[0; 32], &bytes(ED25519_SIGNATURE)), Err(SignatureError::NeedsMessage));
    assert_eq!(VerifyingKey::parse_spki(key.spki()).unwrap().raw(), bytes(ED25519_KEY));
}

#[test]
fn an_ed25519_key_of_small_order_verifies_nothing() {
    // The neutral element: a signature of (R = neutral, s = 0) would hold for every message under a lax rule.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let key = VerifyingKey::ed25519(&neutral).unwrap();
    let mut signature = vec![0; 64];
    signature[0] = 1;
    assert_eq!(key.verify(b"anything", &signature), Err(SignatureError::Mismatch));
}

#[test]
fn an_ecdsa_signature_is_strict_der_and_of_its_digest() {
    use p256::ecdsa::signature::Signer as _;
    let signing = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let point = signing.verifying_key().to_sec1_point(false);
    let mut spki = bytes("3059301306072a8648ce3d020106082a8648ce3d030107034200");
    spki.extend_from_slice(point.as_bytes());
    let key = VerifyingKey::parse_spki(&spki).unwrap();
    let signature: p256::ecdsa::DerSignature = signing.sign(b"message");
    assert_eq!(key.verify(b"message", signature.as_bytes()), Ok(()));
    assert_eq!(key.verify_digest(Hash::Sha256, &Hash::Sha256.digest(b"message"), signature.as_bytes()), Ok(()));
    assert_eq!(key.verify_digest(Hash::Sha256, &[0; 31], signature.as_bytes()), Err(SignatureError::DigestLength));
    assert_eq!(key.verify_hashed(Hash::Sha384, b"message", signature.as_bytes()), Err(SignatureError::Mismatch));
    let mut trailing = signature.as_bytes().to_vec();
    trailing.push(0);
    assert_eq!(key.verify(b"message", &trailing), Err(SignatureError::NotDer));
    let raw: p256::ecdsa::Signature = signing.sign(b"message");
    assert_eq!(key.verify(b"message", &raw.to_bytes()), Err(SignatureError::NotDer));
    // A compressed point is a second encoding of the key, with another fingerprint.
    let compressed = signing.verifying_key().to_sec1_point(true);
    let mut second = bytes("3039301306072a8648ce3d020106082a8648ce3d030107032200");
    second.extend_from_slice(compressed.as_bytes());
    assert_eq!(VerifyingKey::parse_spki(&second), Err(KeyError::NotCanonical));
}

#[test]
fn bytes_that_are_no_key_are_refused_and_named() {
    assert!(matches!(VerifyingKey::parse_spki(&[]), Err(KeyError::Malformed { .. })));
    assert!(matches!(VerifyingKey::parse_spki(&[0x30; 9000]), Err(KeyError::TooLarge { found: 9000 })));
    // X25519: an algorithm that signs nothing.
    let x25519 = bytes("302a300506032b656e0321000000000000000000000000000000000000000000000000000000000000000000");
    assert_eq!(VerifyingKey::parse_spki(&x25519), Err(KeyError::Unsupported { oid: "1.3.101.110".to_owned() }));
    assert!(matches!(VerifyingKey::ml_dsa_44(&[0; 1311]), Err(KeyError::Malformed { .. })));
    let private = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
    assert!(matches!(VerifyingKey::parse_pem(private.as_bytes()), Err(KeyError::Malformed { .. })));
}

#[test]
fn an_rsa_key_of_1024_bits_is_refused_by_its_size() {
    let mut modulus = vec![0x00, 0xff];
    modulus.extend_from_slice(&[0x11; 127]);
    let mut sequence = vec![0x02, 0x81, 0x81];
    sequence.extend_from_slice(&modulus);
    sequence.extend_from_slice(&[0x02, 0x03, 0x01, 0x00, 0x01]);
    let mut public = vec![0x30, 0x81, u8::try_from(sequence.len()).unwrap()];
    public.extend_from_slice(&sequence);
    let mut bits = vec![0x03, 0x81, u8::try_from(public.len() + 1).unwrap(), 0x00];
    bits.extend_from_slice(&public);
    let mut spki = vec![0x30, 0x81, u8::try_from(15 + bits.len()).unwrap()];
    spki.extend_from_slice(&bytes("300d06092a864886f70d0101010500"));
    spki.extend_from_slice(&bits);
    assert_eq!(VerifyingKey::parse_spki(&spki), Err(KeyError::RsaSize { bits: 1024 }));
}

#[test]
fn every_byte_of_a_signature_counts() {
    let key = VerifyingKey::ed25519(&bytes(ED25519_KEY).try_into().unwrap()).unwrap();
    let good = bytes(ED25519_SIGNATURE);
    for position in 0..good.len() {
        let mut changed = good.clone();
        changed[position] ^= 1;
        assert!(key.verify(&[0x72], &changed).is_err(), "byte {position}");
    }
}
