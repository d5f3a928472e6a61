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

/// The most nodes of one document (ours): 16,777,216. A node stands for 32 bytes, the size of one [`Value`] in memory, so what is read takes
/// about 512 MiB at most. Counted are each value, one more for a text and for a key (their allocations), and 20 for every 6 members of an
/// object (a leaf of the map behind it). The number does not grow with the document: `[0,0,…]` takes 17 times its length in memory and
/// `[{"":0},…]` 90 times. Real documents of some length have 0.2 to 0.4 nodes per byte: the witness of 442 samples has 0.9 MB and 240,000.
pub const MAX_NODES: usize = 1 << 24;
/// A leaf of the map behind an object has room for 11 members, 632 bytes, whether or not it is full.
const NODES_PER_LEAF: usize = 20;
/// Leaves are split when full; members that come in order leave 6 behind.
const MEMBERS_PER_LEAF: usize = 6;

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
    /// A document that takes more memory than any real one.
    #[error("JSON has more than {limit} nodes")]
    TooManyNodes {
        /// The limit: [`MAX_NODES`].
        limit: usize,
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
/// [`JsonError::TooLarge`], [`JsonError::TooManyNodes`] or [`JsonError::Syntax`].
pub fn parse_value(bytes: &[u8], limit: usize) -> Result<Value, JsonError> {
    if bytes.len() > limit {
        return Err(JsonError::TooLarge { limit, found: bytes.len() });
    }
    parse_budgeted(bytes, MAX_NODES)
}

fn parse_budgeted(bytes: &[u8], limit: usize) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let (depth, left) = (Cell::new(0), Cell::new(Some(limit)));
    let value = Strict { depth: &depth, left: &left }.deserialize(&mut deserializer);
    if left.get().is_none() {
        return Err(JsonError::TooManyNodes { limit });
    }
    let value = value.map_err(JsonError::Syntax)?;
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

/// Reads a document of type `T` from a part of what [`parse_value`] gave: it was read strictly already.
///
/// # Errors
/// [`JsonError::Shape`]
pub fn parse_part<T: DeserializeOwned>(value: &Value) -> Result<T, JsonError> {
    T::deserialize(value).map_err(JsonError::Shape)
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
    /// Nodes that may still be made; `None` when there were too many.
    left: &'a Cell<Option<usize>>,
}

impl Strict<'_> {
    fn spend<E: serde::de::Error>(self, nodes: usize) -> Result<(), E> {
        self.left.set(self.left.get().and_then(|left| left.checked_sub(nodes)));
        if self.left.get().is_some() { Ok(()) } else { Err(E::custom("too many nodes")) }
    }

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
        self.spend(1)?;
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

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.spend(1)?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        self.spend(1)?;
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
                let leaf = if map.len().is_multiple_of(MEMBERS_PER_LEAF) { NODES_PER_LEAF } else { 0 };
                self.spend(1 + leaf)?;
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

    #[test]
    fn a_document_has_as_many_nodes_as_it_takes_memory() {
        let object = |members: usize| {
            let members: Vec<String> = (0..members).map(|number| format!("\"{number}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        let cases = [
            ("0".to_owned(), 1),
            ("\"text\"".to_owned(), 2),
            ("[]".to_owned(), 1),
            ("[0,null,true]".to_owned(), 4),
            ("{}".to_owned(), 1),
            (object(1), 23),
            (object(6), 33),
            (object(7), 55),
            ("[[\"1:0\",\"null\"]]".to_owned(), 6),
        ];
        for (text, nodes) in cases {
            assert!(parse_budgeted(text.as_bytes(), nodes).is_ok(), "{text} has more than {nodes} nodes");
            let refused = parse_budgeted(text.as_bytes(), nodes - 1);
            assert!(matches!(refused, Err(JsonError::TooManyNodes { limit }) if limit == nodes - 1), "{text} has fewer than {nodes} nodes");
        }
    }

    #[test]
    fn a_document_of_small_objects_is_refused_before_it_fills_the_memory() {
        let many = |item: &str, count: usize| format!("[{}{item}]", format!("{item},").repeat(count - 1));
        let (fine, bomb) = (many("{\"\":0}", 100_000), many("{\"\":0}", MAX_NODES / 23 + 1));
        assert!(parse_value(fine.as_bytes(), usize::MAX).is_ok());
        assert!(matches!(parse_value(bomb.as_bytes(), usize::MAX), Err(JsonError::TooManyNodes { limit: MAX_NODES })));
        assert!(matches!(parse::<serde::de::IgnoredAny>(bomb.as_bytes(), usize::MAX), Err(JsonError::TooManyNodes { .. })));
    }
}
