//! Fields as Sigstore's protobuf-JSON spells them: base64, 64-bit numbers as text, absent lists as null.

use sealtrace_envelope::decode_base64;
use serde::{Deserialize, Deserializer};

/// Bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct B64(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for B64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decode_base64(&String::deserialize(deserializer)?).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A number from 0 to 2^63 - 1, as decimal text (proto3 JSON of an int64) or as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Int64(pub(crate) u64);

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Number(u64),
        }
        let value = match Either::deserialize(deserializer)? {
            Either::Number(number) => Some(number),
            Either::Text(text) => text.parse::<u64>().ok().filter(|value| value.to_string() == text),
        };
        let value = value.filter(|value| i64::try_from(*value).is_ok());
        value.map(Self).ok_or_else(|| serde::de::Error::custom("expected a decimal number from 0 to 2^63 - 1"))
    }
}

/// A list that may be absent or null.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}
