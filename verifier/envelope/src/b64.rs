//! Standard base64 with padding, one spelling per value: other alphabets, missing padding and stray bits are refused.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serializer};

/// Why text is not the base64 of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("not standard base64 with padding: {reason}")]
pub struct Base64Error {
    reason: String,
}

/// Encodes bytes.
pub fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes the one canonical spelling.
///
/// # Errors
/// [`Base64Error`] for everything else.
pub fn decode_base64(text: &str) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(|error| Base64Error { reason: error.to_string() })
}

/// `#[serde(with = "b64")]` for byte fields.
pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&encode_base64(bytes))
}

/// A text, borrowed from the document where nothing in it is escaped.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// `#[serde(with = "b64")]` for byte fields.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    decode_base64(&Text::deserialize(deserializer)?.0).map_err(serde::de::Error::custom)
}

/// `#[serde(with = "b64::hash")]` for fields of 32 bytes.
pub(crate) mod hash {
    use super::{Deserialize as _, Deserializer, Serializer, Text, decode_base64, encode_base64};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode_base64(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let bytes = decode_base64(&Text::deserialize(deserializer)?.0).map_err(serde::de::Error::custom)?;
        let length = bytes.len();
        bytes.try_into().map_err(|_wrong| serde::de::Error::invalid_length(length, &"32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_spelling() {
        assert_eq!(decode_base64("AQ==").unwrap(), [1]);
        for other in ["AQ", "AR==", "AQ=", "AQ==\n", " AQ==", "_-==", "AQ==AQ=="] {
            assert!(decode_base64(other).is_err(), "{other:?} was accepted");
        }
    }
}
