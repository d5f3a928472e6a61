//! DER, written only: the handful of types that certificates, SCT lists and timestamp tokens need.
//!
//! Not a reader, and not checked against one: the peers that verify what is written here are the check. It is written by hand so that
//! a certificate can be broken in one place, which the builders of well-meant libraries refuse to do.

use crate::time::Utc;

/// One tag, its length, its contents.
pub(crate) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let significant: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            out.push(0x80 | u8::try_from(significant.len()).expect("a length of at most 8 bytes"));
            out.extend(significant);
        }
    }
    out.extend(contents);
    out
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// SET OF, in the order that DER demands.
pub(crate) fn set_of(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut sorted = parts.to_vec();
    sorted.sort();
    tlv(0x31, &sorted.concat())
}

/// A context tag around what is already encoded.
pub(crate) fn explicit(number: u8, inner: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, inner)
}

/// A context tag in place of a primitive type's own.
pub(crate) fn implicit(number: u8, contents: &[u8]) -> Vec<u8> {
    tlv(0x80 | number, contents)
}

/// A non-negative INTEGER from big-endian bytes.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let mut contents: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if contents.first().is_none_or(|first| *first >= 0x80) {
        contents.insert(0, 0);
    }
    tlv(0x02, &contents)
}

pub(crate) fn integer(value: u64) -> Vec<u8> {
    unsigned(&value.to_be_bytes())
}

pub(crate) fn yes() -> Vec<u8> {
    tlv(0x01, &[0xff])
}

pub(crate) fn octets(contents: &[u8]) -> Vec<u8> {
    tlv(0x04, contents)
}

/// A BIT STRING whose last `unused` bits do not count.
pub(crate) fn bits(unused: u8, contents: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[unused], contents].concat())
}

pub(crate) fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0c, text.as_bytes())
}

pub(crate) fn printable(text: &str) -> Vec<u8> {
    tlv(0x13, text.as_bytes())
}

/// An OBJECT IDENTIFIER from its dotted form.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').map(|arc| arc.parse().expect("an arc is a number")).collect();
    let mut contents = Vec::new();
    base128(arcs[0] * 40 + arcs[1], &mut contents);
    for arc in &arcs[2..] {
        base128(*arc, &mut contents);
    }
    tlv(0x06, &contents)
}

fn base128(value: u64, out: &mut Vec<u8>) {
    let groups = (0..10).rev().map(|group| (value >> (7 * group)) & 0x7f).skip_while(|bits| *bits == 0);
    let mut digits: Vec<u8> = groups.map(|bits| u8::try_from(bits).expect("seven bits")).collect();
    if digits.is_empty() {
        digits.push(0);
    }
    let last = digits.len() - 1;
    for digit in &mut digits[..last] {
        *digit |= 0x80;
    }
    out.extend(digits);
}

/// `UTCTime` for the years that it can hold, as RFC 5280 demands of a certificate.
pub(crate) fn utc_time(seconds: u64) -> Vec<u8> {
    let at = Utc::of(seconds);
    assert!((1950..2050).contains(&at.year), "UTCTime holds 1950 to 2049");
    tlv(0x17, format!("{:02}{}Z", at.year % 100, at.after_year()).as_bytes())
}

pub(crate) fn generalized_time(seconds: u64) -> Vec<u8> {
    let at = Utc::of(seconds);
    tlv(0x18, format!("{:04}{}Z", at.year, at.after_year()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_lengths_are_those_of_x690() {
        assert_eq!(hex::encode(oid("1.2.840.113549.1.7.2")), "06092a864886f70d010702");
        assert_eq!(hex::encode(oid("2.5.29.15")), "0603551d0f");
        assert_eq!(hex::encode(integer(128)), "02020080");
        assert_eq!(hex::encode(integer(0)), "020100");
        assert_eq!(tlv(0x04, &[0; 200])[..3], [0x04, 0x81, 200]);
        assert_eq!(tlv(0x04, &[0; 300])[..4], [0x04, 0x82, 1, 44]);
    }

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(utc_time(1_749_729_600), tlv(0x17, b"250612120000Z"));
        assert_eq!(generalized_time(1_749_729_600), tlv(0x18, b"20250612120000Z"));
    }
}
