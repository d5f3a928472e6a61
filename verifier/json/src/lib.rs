//! Strict JSON in, canonical JSON out: what every signed or digested document here is read and written with.
//!
//! Reading refuses what lets two parsers disagree: duplicate keys, floats, integers beyond 2^53, depth and size
//! beyond a limit, bytes after the value. Writing is RFC 8785 (JCS). Not here: any schema.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::Value;

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
/// Keys of one object that are compared one by one; those beyond are looked up in a set.
const FEW_KEYS: usize = 32;

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
    parse(bytes, limit)
}

/// Reads a strict JSON document of type `T`, at most `limit` bytes. It is read twice: once to see that it is strict, which makes nothing
/// of it, then into `T`.
///
/// # Errors
/// As [`parse_value`], and [`JsonError::Shape`].
pub fn parse<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, JsonError> {
    if bytes.len() > limit {
        return Err(JsonError::TooLarge { limit, found: bytes.len() });
    }
    let text = check(bytes, MAX_NODES)?;
    serde_json::from_str(text).map_err(JsonError::Shape)
}

/// The bytes as text, when they are one strict JSON value of at most `limit` nodes.
fn check(bytes: &[u8], limit: usize) -> Result<&str, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| JsonError::Syntax(Error::custom(error)))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let walk = Walk { depth: Cell::new(0), left: Cell::new(Some(limit)), keys: RefCell::default() };
    let checked = Strict(&walk).deserialize(&mut deserializer);
    if walk.left.get().is_none() {
        return Err(JsonError::TooManyNodes { limit });
    }
    checked.map_err(JsonError::Syntax)?;
    deserializer.end().map_err(JsonError::Syntax)?;
    Ok(text)
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

/// Where in a document a check is.
struct Walk<'de> {
    depth: Cell<usize>,
    /// Nodes that may still come; `None` when there were too many.
    left: Cell<Option<usize>>,
    /// The first keys of each object that has not ended yet, the outermost object's first.
    keys: RefCell<Vec<Cow<'de, str>>>,
}

impl<'de> Walk<'de> {
    fn spend<E: Error>(&self, nodes: usize) -> Result<(), E> {
        self.left.set(self.left.get().and_then(|left| left.checked_sub(nodes)));
        if self.left.get().is_some() { Ok(()) } else { Err(E::custom("too many nodes")) }
    }

    fn nested<E: Error>(&self, read: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if self.depth.get() >= MAX_DEPTH {
            return Err(E::custom(format_args!("nesting deeper than {MAX_DEPTH}")));
        }
        self.depth.set(self.depth.get() + 1);
        let value = read();
        self.depth.set(self.depth.get() - 1);
        value
    }

    /// Whether a key is new to the object whose keys begin at `from`. `more`: its keys that are not among the first.
    fn is_new(&self, key: Cow<'de, str>, from: usize, more: &mut BTreeSet<Cow<'de, str>>) -> bool {
        let mut keys = self.keys.borrow_mut();
        let first = keys.get(from..).unwrap_or_default();
        if first.contains(&key) {
            return false;
        }
        if first.len() >= FEW_KEYS {
            return more.insert(key);
        }
        keys.push(key);
        true
    }
}

/// Goes through a value and keeps nothing of it.
#[derive(Clone, Copy)]
struct Strict<'a, 'de>(&'a Walk<'de>);

impl<'de> DeserializeSeed<'de> for Strict<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.spend(1)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strict JSON without floats and duplicate keys")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.0.spend(1)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        within(value, value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        within(value.unsigned_abs(), value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        Err(E::custom(format_args!("{value} is no integer, or is minus zero")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.nested(|| {
            while seq.next_element_seed(self)?.is_some() {}
            Ok(())
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        self.0.nested(|| {
            let from = self.0.keys.borrow().len();
            let (mut members, mut more) = (0_usize, BTreeSet::new());
            while let Some(key) = access.next_key_seed(Key)? {
                let leaf = if members.is_multiple_of(MEMBERS_PER_LEAF) { NODES_PER_LEAF } else { 0 };
                self.0.spend(1 + leaf)?;
                members = members.saturating_add(1);
                if !self.0.is_new(key.clone(), from, &mut more) {
                    return Err(Error::custom(format_args!("duplicate key {key:?}")));
                }
                access.next_value_seed(self)?;
            }
            self.0.keys.borrow_mut().truncate(from);
            Ok(())
        })
    }
}

fn within<E: Error>(magnitude: u64, value: impl fmt::Display) -> Result<(), E> {
    if magnitude > MAX_INTEGER {
        return Err(E::custom(format_args!("integer {value} is beyond 2^53 - 1")));
    }
    Ok(())
}

/// A key as it stands in the document, or unescaped where it must be.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
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
        assert!(matches!(parse_value(b"\"\xff\"", 100), Err(JsonError::Syntax(_))));
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert!(parse_value(deep.as_bytes(), 1000).is_err());
        let fine = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert!(parse_value(fine.as_bytes(), 1000).is_ok());
        assert!(matches!(parse_value(b"[1,2]", 4), Err(JsonError::TooLarge { limit: 4, found: 5 })));
    }

    #[test]
    fn a_key_is_new_to_its_own_object_however_many_there_are() {
        let object = |keys: &[String]| format!("{{{}}}", keys.iter().map(|key| format!("{key}:{{\"a\":0}}")).collect::<Vec<_>>().join(","));
        let keys: Vec<String> = (0..3 * FEW_KEYS).map(|number| format!("\"{number}\"")).collect();
        assert!(parse_value(object(&keys).as_bytes(), 1 << 20).is_ok());
        for (first, second) in [(0, 1), (0, 2 * FEW_KEYS), (2 * FEW_KEYS, 3 * FEW_KEYS - 1)] {
            let mut twice = keys.clone();
            twice[second] = twice[first].clone();
            assert!(matches!(parse_value(object(&twice).as_bytes(), 1 << 20), Err(JsonError::Syntax(_))), "{first} {second}");
        }
        assert!(parse_value(br#"{"a":{"a":[{"a":0}]},"b":{"a":0}}"#, 100).is_ok());
        assert!(parse_value(br#"{"a":{"b":0},"\u0061":0}"#, 100).is_err());
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
            assert!(check(text.as_bytes(), nodes).is_ok(), "{text} has more than {nodes} nodes");
            let refused = check(text.as_bytes(), nodes - 1);
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
