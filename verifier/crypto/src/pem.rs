//! PEM (RFC 7468) with white space wherever a line may break: writers differ in the width of lines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::KeyError;

/// The most bytes of a PEM text (ours; a certificate with many extensions has 6,000).
const MAX_PEM_BYTES: usize = 128 << 10;

/// The label and the DER of a text that is one PEM block, with white space around it at most.
///
/// # Errors
/// [`KeyError::Malformed`], [`KeyError::TooLarge`].
pub fn decode_pem(pem: &[u8]) -> Result<(String, Vec<u8>), KeyError> {
    if pem.len() > MAX_PEM_BYTES {
        return Err(KeyError::TooLarge { found: pem.len() });
    }
    let wrong = |reason: &str| KeyError::Malformed { reason: format!("not PEM: {reason}") };
    let text = std::str::from_utf8(pem).map_err(|_invalid| wrong("not text"))?.trim_ascii();
    let rest = text.strip_prefix("-----BEGIN ").ok_or_else(|| wrong("no BEGIN line"))?;
    let (label, rest) = rest.split_once("-----").ok_or_else(|| wrong("BEGIN line without an end"))?;
    let body = rest
        .strip_suffix(&format!("-----END {label}-----"))
        .ok_or_else(|| wrong("no END line of the same label, or more than one block"))?;
    let digits: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(digits).map_err(|error| KeyError::Malformed { reason: format!("not PEM: {error}") })?;
    Ok((label.to_owned(), der))
}
