//! Fixed keys and what they sign. Not secret, and trusted by nothing but the targets.

use ed25519_dalek::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use sealtrace_crypto::VerifyingKey;
use sealtrace_envelope::PublicKey;
use sealtrace_tlog::{Checkpoint, CosignerKey, KeyName, LogKey, NoteKey, NoteSignature, Origin, SignedCheckpoint, TreeHead};
use sealtrace_verdict::UnixTime;

/// The name of the log whose key is known.
pub(crate) const ORIGIN: &str = "example.org/log";
/// The scalar of the log's key.
pub(crate) const LOG: u8 = 2;
/// The scalar of the signer's key.
pub(crate) const SIGNER: u8 = 1;

/// Keys of RSA-2048, P-384 and P-521, made for the tests of `sealtrace-tlog`.
pub(crate) const OTHER_VKEYS: [&str; 3] = [
    "log.example.com/old+33bdab85+/1BLSVgtUlNBLVBLQ1MjMXYxLjUwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQCiJjR/sjb4jWkiolQl5UB+3AyiUW7rJaDnkBzynIVp5VsLiBMEmieYIg11OH7n6dbF7AEYs0bxQlfbSCJ8U+MdFPUBxx38NY98R68DXttLyqAnH2ig1/cKD1d1EUrEzm1jTkXk0E8FR9qIkPNjKKYnik8trhyZXKEd0Cpw1bJMdEKVLl7rP7SNupgQycrQfjvZ6o6FhOCqGTcWyFZ9NCIXwfLJEmsrHS2gZiTTDCPsPgRxG45vVqFAw9vXIjnySTTGccPnlNwUgf+L4RvjgmjK0MMDUUbBXbEUBLL6qbNWNAtXiIEqoeuQwyHx5UiYqDv9EG4iJSJI0k5rtfpX1QlVAgMBAAE=",
    "log.example.com/old+e4a9238e+AjB2MBAGByqGSM49AgEGBSuBBAAiA2IABO99B/N9Qh5ioxrDuo9MbVJBxaukCcXhPrZlcvo52ydOnvtIzlqjNxImiSOQV9iDJGbupS4CbM2LKVMbujM/8MXDDQSHp+EdLvu8Hct2QbwTiBmjM32WDSi9/3IZzPLS7Q==",
    "log.example.com/old+6f849a1a+AjCBmzAQBgcqhkjOPQIBBgUrgQQAIwOBhgAEAHpczuMRLLEqEckUyZ9k4PNzq9aqu05ewrSVQ9j78cS6ZF0v70TaSYM82iI1WIu6QCYUSzj92cikUR2TsXwpW6mnAHlCnoA/JYTCVc0Z/p1/Y37PJ3ztGICIMY8/79Py+xqRXOAftIRG535zDEjby3io73jnhqZcXPp4eqVS+wU185sZ",
];

/// A P-256 key.
pub(crate) fn p256_key(scalar: u8) -> SigningKey {
    SigningKey::from_slice(&[scalar; 32]).expect("32 equal small bytes are a scalar")
}

/// Its public key.
pub(crate) fn p256_public(scalar: u8) -> PublicKey {
    PublicKey::from_verifying_key(*p256_key(scalar).verifying_key()).expect("the key has an encoding")
}

/// A DER signature of `message`.
pub(crate) fn p256_sign(scalar: u8, message: &[u8]) -> Vec<u8> {
    let signature: DerSignature = p256_key(scalar).sign(message);
    signature.as_bytes().to_vec()
}

/// The known log.
pub(crate) fn log() -> LogKey {
    LogKey { origin: Origin::parse(ORIGIN).expect("the name is well formed"), key: p256_public(LOG) }
}

/// A checkpoint of the known log.
pub(crate) fn checkpoint(tree: TreeHead, extension: &[&str]) -> SignedCheckpoint {
    let extension = extension.iter().map(|line| (*line).to_owned()).collect();
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), tree, extension };
    let signature = p256_sign(LOG, checkpoint.text().as_bytes());
    SignedCheckpoint::assemble(checkpoint, &log(), signature)
}

fn cosigner(name: &str, key: VerifyingKey) -> CosignerKey {
    let name = KeyName::parse(name).expect("the name is well formed");
    CosignerKey::new(NoteKey::of_cosigner(name, key).expect("the key can cosign")).expect("the key can cosign")
}

fn line(key: &CosignerKey, time: UnixTime, signature: &[u8]) -> NoteSignature {
    let signature = [time.seconds().to_be_bytes().as_slice(), signature].concat();
    NoteSignature { name: key.key().name().clone(), key_id: key.key().id(), signature }
}

/// The Ed25519 log witness.
pub(crate) fn ed25519_witness() -> CosignerKey {
    let private = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    cosigner("witness.example/w1", VerifyingKey::ed25519(private.verifying_key().as_bytes()).expect("the key is on the curve"))
}

/// Its cosignature/v1 of a checkpoint.
pub(crate) fn ed25519_line(text: &str, time: UnixTime) -> NoteSignature {
    let message = format!("cosignature/v1\ntime {}\n{text}", time.seconds());
    line(&ed25519_witness(), time, &ed25519_dalek::SigningKey::from_bytes(&[3; 32]).sign(message.as_bytes()).to_bytes())
}

/// The ML-DSA-44 log witness.
pub(crate) fn ml_dsa_witness() -> CosignerKey {
    use ml_dsa::signature::Keypair as _;
    let private = ml_dsa::SigningKey::<ml_dsa::MlDsa44>::from_seed(&[7; 32].into());
    cosigner("witness.example/w2", VerifyingKey::ml_dsa_44(&private.verifying_key().encode()).expect("the key has its length"))
}

/// Its cosignature of a checkpoint (tlog-cosignature, subtree from 0).
pub(crate) fn ml_dsa_line(checkpoint: &Checkpoint, time: UnixTime) -> NoteSignature {
    let key = ml_dsa_witness();
    let text = |text: &str| [&[u8::try_from(text.len()).expect("the name is short")], text.as_bytes()].concat();
    let (name, origin) = (text(key.key().name().as_str()), text(&checkpoint.origin));
    let (start, size) = ([0; 8], checkpoint.tree.size.0.to_be_bytes());
    let parts: [&[u8]; 7] =
        [b"subtree/v1\n\0", &name, &time.seconds().to_be_bytes(), &origin, &start, &size, checkpoint.tree.root.as_bytes()];
    let signature = ml_dsa::SigningKey::<ml_dsa::MlDsa44>::from_seed(&[7; 32].into()).sign(&parts.concat());
    line(&key, time, &signature.encode())
}
