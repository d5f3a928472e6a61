//! Keys, bundles and entry bodies: round trips, strictness, flipped bytes.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};

use super::*;

fn signing_key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

fn public_key() -> PublicKey {
    PublicKey::from_verifying_key(*signing_key().verifying_key()).unwrap()
}

fn envelope() -> Envelope {
    let payload = Statement::new("n:1", &[1; 32], "https://example.org/p/v0", &serde_json::json!({"a": 1})).unwrap().encode().unwrap();
    let signature: DerSignature = signing_key().sign(&pae(PAYLOAD_TYPE_IN_TOTO, &payload));
    Envelope::new(PAYLOAD_TYPE_IN_TOTO, &payload, signature.as_bytes().to_vec(), &public_key())
}

fn bundle() -> SigstoreBundle {
    let body = EntryBody::of(&envelope(), &public_key()).unwrap().encode().unwrap();
    let proof = InclusionProof {
        log_index: 3,
        root_hash: [2; 32],
        tree_size: 5,
        hashes: vec![[4; 32], [5; 32]],
        checkpoint: "example.org/log\n5\nAAAA\n\n— example.org/log AAAAAA==\n".to_owned(),
    };
    let entry = LogEntry { log_index: 3, log_key_id: [6; 32], canonicalized_body: body, proof };
    SigstoreBundle::by_key(&public_key(), vec![entry], envelope())
}

#[test]
fn a_key_round_trips_through_pem_and_der_and_has_one_encoding() {
    let key = public_key();
    assert_eq!(PublicKey::parse_pem(key.to_pem().unwrap().as_bytes()).unwrap(), key);
    assert_eq!(PublicKey::parse_der(key.spki()).unwrap(), key);
    assert_eq!(key.spki().len(), 91);
    // The same point compressed is the same key under another hash.
    let mut compressed = key.spki()[..26].to_vec();
    compressed[1] = 0x39;
    compressed[24] = 0x22;
    compressed.push(if key.spki()[90] & 1 == 1 { 3 } else { 2 });
    compressed.extend_from_slice(&key.spki()[27..59]);
    assert!(PublicKey::parse_der(&compressed).is_err());
    for length in 0..key.spki().len() {
        assert!(PublicKey::parse_der(&key.spki()[..length]).is_err(), "cut at {length}");
    }
    assert!(PublicKey::parse_pem(&[b'a'; 5000]).is_err());
}

#[test]
fn a_signature_that_verified_before_makes_no_other_message_signature_or_key_verify() {
    let other = SigningKey::from_slice(&[8; 32]).unwrap();
    let signed = |key: &SigningKey, message: &str| -> Vec<u8> {
        let signature: DerSignature = key.sign(message.as_bytes());
        signature.as_bytes().to_vec()
    };
    let held = public_key();
    let copy = held.clone();
    let stranger = PublicKey::from_verifying_key(*other.verifying_key()).unwrap();
    // Twice, and more than are remembered: before, while and after a signature is.
    for number in (0..20).chain(0..20).chain([19, 19]) {
        let message = format!("checkpoint {number}");
        let signature = signed(&signing_key(), &message);
        for key in [&held, &copy] {
            assert_eq!(key.verify(message.as_bytes(), &signature), Ok(()), "{message}");
            assert_eq!(key.verify(b"another", &signature), Err(SignatureError::Mismatch), "{message}");
            assert_eq!(key.verify(message.as_bytes(), &signed(&other, &message)), Err(SignatureError::Mismatch), "{message}");
            assert_eq!(key.verify(message.as_bytes(), &signature[1..]), Err(SignatureError::NotDer), "{message}");
        }
        assert_eq!(stranger.verify(message.as_bytes(), &signature), Err(SignatureError::Mismatch), "{message}");
    }
}

#[test]
fn no_flipped_byte_of_message_or_signature_verifies() {
    let (key, envelope) = (public_key(), envelope());
    let (message, signature) = (envelope.pae(), envelope.signatures[0].sig.clone());
    assert_eq!(key.verify(&message, &signature), Ok(()));
    for position in 0..signature.len() {
        let mut changed = signature.clone();
        changed[position] ^= 1;
        assert!(key.verify(&message, &changed).is_err(), "signature byte {position}");
        assert!(key.verify(&message, &signature[..position]).is_err(), "signature cut at {position}");
    }
    for position in 0..message.len() {
        let mut changed = message.clone();
        changed[position] ^= 1;
        assert_eq!(key.verify(&changed, &signature), Err(SignatureError::Mismatch), "message byte {position}");
    }
    let trailing = [signature.as_slice(), &[0]].concat();
    assert_eq!(key.verify(&message, &trailing), Err(SignatureError::NotDer));
    assert!(envelope.verify(&key).is_ok());
}

#[test]
fn a_bundle_round_trips_and_every_cut_or_unknown_field_is_refused() {
    let bytes = bundle().encode().unwrap();
    assert_eq!(SigstoreBundle::parse(&bytes).unwrap(), bundle());
    assert_eq!(SigstoreBundle::parse(&bytes).unwrap().encode().unwrap(), bytes);
    for length in 0..bytes.len() {
        assert!(SigstoreBundle::parse(&bytes[..length]).is_err(), "cut at {length}");
    }
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in [
        ("bundle.v0.3", "bundle.v0.2"),
        ("\"hint\"", "\"extra\":1,\"hint\""),
        ("\"hashedrekord\"", "\"dsse\""),
        ("\"version\":\"0.0.2\"", "\"version\":\"0.0.1\""),
        ("\"logIndex\":\"3\"", "\"logIndex\":3"),
        ("\"logIndex\":\"3\"", "\"logIndex\":\"03\""),
        ("\"logIndex\":\"3\"", "\"logIndex\":\"-3\""),
        ("\"treeSize\":\"5\"", "\"treeSize\":\"9223372036854775808\""),
        ("\"kindVersion\"", "\"integratedTime\":\"1\",\"kindVersion\""),
        ("\"kindVersion\"", "\"inclusionPromise\":{},\"kindVersion\""),
        ("\"tlogEntries\"", "\"timestampVerificationData\":{},\"tlogEntries\""),
        ("\"publicKey\"", "\"certificate\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(SigstoreBundle::parse(changed.as_bytes()).is_err(), "{from} → {to} was accepted");
    }
    let zero_time = text.replacen("\"kindVersion\"", "\"integratedTime\":\"0\",\"kindVersion\"", 1);
    assert_eq!(SigstoreBundle::parse(zero_time.as_bytes()).unwrap(), bundle());
}

#[test]
fn a_bundle_without_log_entries_round_trips() {
    let unlogged = SigstoreBundle { entries: Vec::new(), ..bundle() };
    let bytes = unlogged.encode().unwrap();
    assert_eq!(SigstoreBundle::parse(&bytes).unwrap(), unlogged);
}

#[test]
fn an_entry_body_is_the_canonical_form_of_the_client_specification() {
    let body = EntryBody::of(&envelope(), &public_key()).unwrap();
    let text = String::from_utf8(body.encode().unwrap()).unwrap();
    let expected = format!(
        "{{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\",\"spec\":{{\"hashedRekordV002\":{{\"data\":{{\"algorithm\":\"SHA2_256\",\"digest\":\"{}\"}},\
         \"signature\":{{\"content\":\"{}\",\"verifier\":{{\"keyDetails\":\"PKIX_ECDSA_P256_SHA_256\",\"publicKey\":{{\"rawBytes\":\"{}\"}}}}}}}}}}}}",
        encode_base64(envelope().pae_digest().as_bytes()),
        encode_base64(&envelope().signatures[0].sig),
        encode_base64(public_key().spki()),
    );
    assert_eq!(text, expected);
    assert_eq!(EntryBody::parse(text.as_bytes()).unwrap(), body);
    for (from, to) in [
        ("\"apiVersion\":\"0.0.2\"", "\"apiVersion\":\"0.0.1\""),
        ("hashedrekord", "dsse"),
        ("SHA2_256", "SHA2_512"),
        ("P256_SHA_256", "P384_SHA_256"),
        ("\"publicKey\"", "\"certificate\""),
        ("\"publicKey\":", "\"x509Certificate\":{\"rawBytes\":\"AQ==\"},\"publicKey\":"),
        ("\"data\"", "\"extra\":0,\"data\""),
        ("{\"apiVersion\"", "{ \"apiVersion\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(EntryBody::parse(changed.as_bytes()).is_err(), "{from} → {to} was accepted");
    }
}
