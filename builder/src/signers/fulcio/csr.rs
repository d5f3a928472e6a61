//! A certificate signing request (RFC 2986) with an empty subject: the key, and the proof that we hold it.
//!
//! Fulcio takes the identity from the token and nothing from here but the key. Not here: a general DER writer.

use sealtrace_signer::{SigningKey, SigningKeyError};

/// `INTEGER 0`, version 1.
const VERSION: &[u8] = &[0x02, 0x01, 0x00];
/// An empty `Name`.
const NO_NAME: &[u8] = &[0x30, 0x00];
/// `[0]` without attributes.
const NO_ATTRIBUTES: &[u8] = &[0xa0, 0x00];
/// `ecdsa-with-SHA256` (RFC 5758, section 3.2).
const ECDSA_SHA256: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// The request as PEM.
pub(super) fn request(key: &SigningKey) -> Result<String, SigningKeyError> {
    let info = element(SEQUENCE, &[VERSION, NO_NAME, key.public_key().spki(), NO_ATTRIBUTES])?;
    let signature = element(BIT_STRING, &[&[0], &key.sign(&info)?])?;
    let request = element(SEQUENCE, &[&info, ECDSA_SHA256, &signature])?;
    der::pem::encode_string("CERTIFICATE REQUEST", der::pem::LineEnding::LF, &request).map_err(|error| unusable(&error))
}

/// One element; its content is short, since a P-256 key and signature are.
fn element(tag: u8, parts: &[&[u8]]) -> Result<Vec<u8>, SigningKeyError> {
    let content = parts.concat();
    let length = u8::try_from(content.len()).map_err(|error| unusable(&error))?;
    let header = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    Ok([header, content].concat())
}

fn unusable(error: &dyn std::fmt::Display) -> SigningKeyError {
    SigningKeyError::Unusable { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn openssl_verifies_the_request_and_finds_the_key_in_it() {
        if !sealtrace_skip::has("openssl") {
            return;
        }
        let key = SigningKey::from_scalar(&[7; 32]).unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-verify", "-noout", "-pubkey"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut openssl = openssl.spawn().unwrap();
        openssl.stdin.take().unwrap().write_all(request(&key).unwrap().as_bytes()).unwrap();
        let output = openssl.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap().to_lowercase();
        assert!(output.status.success() && said.contains("verify ok"), "{said}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), key.public_key().to_pem().unwrap());
    }
}
