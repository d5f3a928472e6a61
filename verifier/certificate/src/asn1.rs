//! Walking DER: elements in order, each with its exact bytes. Strictness about lengths is the `der` crate's.

use der::asn1::ObjectIdentifier;
use der::{AnyRef, Decode as _, Reader as _, SliceReader, Tag, TagNumber};
use sealtrace_verdict::UnixTime;

/// Why bytes are not the DER that is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("{what} is not in DER: {reason}")]
pub struct DerError {
    /// What was being read.
    pub what: &'static str,
    /// What is wrong.
    pub reason: String,
}

/// `[number]`, constructed or primitive.
pub(crate) fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific { constructed, number: TagNumber(number) }
}

/// One element: its tag, its content, and its bytes as they stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: Tag,
    pub(crate) value: &'a [u8],
    pub(crate) raw: &'a [u8],
    what: &'static str,
}

/// The elements of a content, one after another.
#[derive(Debug, Clone)]
pub(crate) struct Elements<'a> {
    reader: SliceReader<'a>,
    what: &'static str,
}

impl<'a> Elements<'a> {
    /// The elements of `bytes`, which are `what`.
    pub(crate) fn of(bytes: &'a [u8], what: &'static str) -> Result<Self, DerError> {
        let reader = SliceReader::new(bytes).map_err(|error| DerError { what, reason: error.to_string() })?;
        Ok(Self { reader, what })
    }

    /// The one element that `bytes` are.
    pub(crate) fn only(bytes: &'a [u8], tag: Tag, what: &'static str) -> Result<Element<'a>, DerError> {
        let mut elements = Self::of(bytes, what)?;
        let element = elements.take(tag)?;
        elements.end()?;
        Ok(element)
    }

    fn error(&self, reason: impl Into<String>) -> DerError {
        DerError { what: self.what, reason: reason.into() }
    }

    pub(crate) fn next(&mut self) -> Result<Element<'a>, DerError> {
        let raw = self.reader.tlv_bytes().map_err(|error| self.error(error.to_string()))?;
        let any = AnyRef::from_der(raw).map_err(|error| self.error(error.to_string()))?;
        let (tag, value) = (der::Tagged::tag(&any), any.value());
        Ok(Element { tag, value, raw, what: self.what })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.reader.is_finished()
    }

    /// The next element, which must have this tag.
    pub(crate) fn take(&mut self, tag: Tag) -> Result<Element<'a>, DerError> {
        let element = self.next()?;
        if element.tag == tag { Ok(element) } else { Err(self.error(format!("expected {tag}, found {}", element.tag))) }
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: Tag) -> Result<Option<Element<'a>>, DerError> {
        let mut ahead = self.clone();
        if ahead.is_empty() {
            return Ok(None);
        }
        let element = ahead.next()?;
        if element.tag != tag {
            return Ok(None);
        }
        *self = ahead;
        Ok(Some(element))
    }

    pub(crate) fn end(&self) -> Result<(), DerError> {
        if self.is_empty() { Ok(()) } else { Err(self.error("bytes after the last element")) }
    }

    /// Every remaining element, at most `limit`.
    pub(crate) fn rest(mut self, limit: usize) -> Result<Vec<Element<'a>>, DerError> {
        let mut all = Vec::new();
        while !self.is_empty() {
            if all.len() >= limit {
                return Err(self.error(format!("more than {limit} elements")));
            }
            all.push(self.next()?);
        }
        Ok(all)
    }
}

impl<'a> Element<'a> {
    /// The elements of its content.
    pub(crate) fn children(&self) -> Result<Elements<'a>, DerError> {
        Elements::of(self.value, self.what)
    }

    /// The same for a part with a name of its own.
    pub(crate) fn children_as(&self, what: &'static str) -> Result<Elements<'a>, DerError> {
        Elements::of(self.value, what)
    }

    fn error(&self, reason: impl Into<String>) -> DerError {
        DerError { what: self.what, reason: reason.into() }
    }

    pub(crate) fn oid(&self) -> Result<ObjectIdentifier, DerError> {
        ObjectIdentifier::from_der(self.raw).map_err(|error| self.error(error.to_string()))
    }

    pub(crate) fn boolean(&self) -> Result<bool, DerError> {
        bool::from_der(self.raw).map_err(|error| self.error(error.to_string()))
    }

    /// An INTEGER from 0 to 255.
    pub(crate) fn small(&self) -> Result<u8, DerError> {
        u8::from_der(self.raw).map_err(|error| self.error(error.to_string()))
    }

    /// The bytes of a BIT STRING without unused bits.
    pub(crate) fn whole_bits(&self) -> Result<&'a [u8], DerError> {
        match self.value.split_first() {
            Some((0, bits)) if self.tag == Tag::BitString => Ok(bits),
            _ => Err(self.error("expected a BIT STRING of whole bytes")),
        }
    }

    /// `UTCTime` or `GeneralizedTime`, as RFC 5280 restricts them; `GeneralizedTime` may have a fraction (RFC 3161), which is cut off.
    pub(crate) fn time(&self) -> Result<UnixTime, DerError> {
        let wrong = || self.error("expected a time in Zulu, with seconds, of 1970 or later");
        let text = std::str::from_utf8(self.value).ok().and_then(|text| text.strip_suffix('Z')).ok_or_else(wrong)?;
        let (digits, fraction) = text.split_once('.').map_or((text, None), |(digits, fraction)| (digits, Some(fraction)));
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(digits) || fraction.is_some_and(|fraction| !all_digits(fraction) || fraction.ends_with('0')) {
            return Err(wrong());
        }
        let (year, rest) = match (self.tag, digits.len()) {
            (Tag::UtcTime, 12) if fraction.is_none() => {
                let (year, rest) = digits.split_at_checked(2).ok_or_else(wrong)?;
                let year: u64 = year.parse().map_err(|_digits| wrong())?;
                (if year >= 50 { 1900 + year } else { 2000 + year }, rest)
            }
            (Tag::GeneralizedTime, 14) => {
                let (year, rest) = digits.split_at_checked(4).ok_or_else(wrong)?;
                (year.parse().map_err(|_digits| wrong())?, rest)
            }
            _ => return Err(wrong()),
        };
        let two = |at: usize| rest.get(at..at + 2).and_then(|text| text.parse::<u64>().ok()).ok_or_else(wrong);
        UnixTime::from_calendar((year, two(0)?, two(2)?), (two(4)?, two(6)?, two(8)?)).ok_or_else(wrong)
    }
}

/// The DER of an element with this tag octet and content.
pub(crate) fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => bytes.push(length),
        _ => {
            let length: Vec<u8> = content.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.push(0x80 | u8::try_from(length.len()).unwrap_or(0));
            bytes.extend_from_slice(&length);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}
