//! Strict JSON in, canonical JSON out: what every signed or digested document here is read and written with.
//!
//! Reading refuses what lets two parsers disagree: duplicate keys, floats, integers beyond 2^53, depth and size
//! beyond a limit, bytes after the value. Writing is RFC 8785 (JCS). Not here: any schema.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::{Map, Number, Value};

/// The largest magnitude of an integer in a signed document (RFC 8785, I-JSON): 2^53 − 1.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;
/// The deepest nesting accepted (notes/transfer).
pub const MAX_DEPTH: usize = 64;

/// Why bytes are not acceptable JSON, or not the document expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// More bytes than the caller's limit.
    #[error("JSON of {found} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
        /// The size found.
        found: usize,
    },
    /// Syntax, a duplicate key, a float, an integer out of range, too deep, or trailing bytes.
    #[error("not strict JSON: {0}")]
    Syntax(serde_json::Error),
    /// Well-formed JSON of another shape.
    #[error("JSON does not have the expected shape: {0}")]
    Shape(serde_json::Error),
    /// A value that cannot be written canonically (a map key that is no string, a float).
    #[error("value has no canonical JSON: {0}")]
    Encode(serde_json::Error),
}

/// Reads one strict JSON value of at most `limit` bytes.
///
/// # Errors
/// [`JsonError::TooLarge`] or [`JsonError::Syntax`].
pub fn parse_value(bytes: &[u8], limit: usize) -> Result<Value, JsonError> {
    if bytes.len() > limit {
        return Err(JsonError::TooLarge { limit, found: bytes.len() });
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let depth = Cell::new(0);
    let value = Strict { depth: &depth }.deserialize(&mut deserializer).map_err(JsonError::Syntax)?;
    deserializer.end().map_err(JsonError::Syntax)?;
    Ok(value)
}

/// Reads a strict JSON document of type `T`, at most `limit` bytes.
///
/// # Errors
/// As [`parse_value`], and [`JsonError::Shape`].
pub fn parse<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, JsonError> {
    T::deserialize(parse_value(bytes, limit)?).map_err(JsonError::Shape)
}

/// Writes canonical JSON (RFC 8785).
///
/// # Errors
/// [`JsonError::Encode`] when a value has no canonical form.
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, JsonError> {
    serde_json_canonicalizer::to_vec(value).map_err(JsonError::Encode)
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: &'a Cell<usize>,
}

impl Strict<'_> {
    fn nested<T, E: serde::de::Error>(self, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        if self.depth.get() >= MAX_DEPTH {
            return Err(E::custom(format_args!("nesting deeper than {MAX_DEPTH}")));
        }
        self.depth.set(self.depth.get() + 1);
        let value = read();
        self.depth.set(self.depth.get() - 1);
        value
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strict JSON without floats and duplicate keys")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if value > MAX_INTEGER {
            return Err(E::custom(format_args!("integer {value} is beyond 2^53 - 1")));
        }
        Ok(Value::Number(Number::from(value)))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > MAX_INTEGER {
            return Err(E::custom(format_args!("integer {value} is beyond 2^53 - 1")));
        }
        Ok(Value::Number(Number::from(value)))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Err(E::custom(format_args!("{value} is no integer, or is minus zero")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        self.nested(|| {
            let mut items = Vec::new();
            while let Some(item) = seq.next_element_seed(self)? {
                items.push(item);
            }
            Ok(Value::Array(items))
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.nested(|| {
            let mut map = Map::new();
            while let Some(key) = access.next_key::<String>()? {
                if map.contains_key(&key) {
                    return Err(serde::de::Error::custom(format_args!("duplicate key {key:?}")));
                }
                let value = access.next_value_seed(self)?;
                map.insert(key, value);
            }
            Ok(Value::Object(map))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_reading_refuses_what_parsers_disagree_on() {
        for bad in ["{\"a\":1,\"a\":2}", "1.5", "1e400", "9007199254740992", "-0", "[1] x", "{", "\"\\ud800\"", "01", ""] {
            assert!(parse_value(bad.as_bytes(), 100).is_err(), "{bad} was accepted");
        }
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert!(parse_value(deep.as_bytes(), 1000).is_err());
        let fine = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert!(parse_value(fine.as_bytes(), 1000).is_ok());
        assert!(matches!(parse_value(b"[1,2]", 4), Err(JsonError::TooLarge { limit: 4, found: 5 })));
    }

    #[test]
    fn canonical_output_sorts_keys_and_reads_back() {
        let value = parse_value(b" {\"b\": [1, null], \"a\": \"\\u00e9\\n\"} ", 100).unwrap();
        let bytes = canonical(&value).unwrap();
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), "{\"a\":\"\u{e9}\\n\",\"b\":[1,null]}");
        assert_eq!(parse_value(&bytes, 100).unwrap(), value);
    }
}
