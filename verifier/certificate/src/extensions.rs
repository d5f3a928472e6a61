//! Certificate extensions: those of RFC 5280 that a path needs, and the identities that Fulcio writes.

use std::collections::BTreeMap;

use der::Tag;

use crate::asn1::{DerError, Element, Elements, context};
use crate::certificate::CertificateError;

/// The most extensions of a certificate (ours; Fulcio writes up to 25).
const MAX_EXTENSIONS: usize = 128;
/// The most names of a subject alternative name, and key purposes (ours).
const MAX_NAMES: usize = 64;

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const SUBJECT_ALTERNATIVE_NAME: &str = "2.5.29.17";
const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
/// RFC 6962 §3.3.
pub(crate) const SCT_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";
/// Fulcio's OID documentation: issuer as raw bytes (deprecated), as DER `UTF8String`, and user names as other names.
const FULCIO_ISSUER_V1: &str = "1.3.6.1.4.1.57264.1.1";
const FULCIO_ISSUER_V2: &str = "1.3.6.1.4.1.57264.1.8";
const FULCIO_OTHER_NAME: &str = "1.3.6.1.4.1.57264.1.7";
/// Critical extensions whose meaning is taken into account here; every other one refuses the certificate (RFC 5280 §4.2).
const UNDERSTOOD: &[&str] = &[BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE, SUBJECT_ALTERNATIVE_NAME, SUBJECT_KEY_IDENTIFIER];

/// One name of the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectName {
    /// An e-mail address.
    Email(String),
    /// A DNS name.
    Dns(String),
    /// A URI.
    Uri(String),
    /// A user name (Fulcio's other name).
    User(String),
}

impl SubjectName {
    /// The text that an identity is compared with.
    pub fn text(&self) -> &str {
        match self {
            Self::Email(text) | Self::Dns(text) | Self::Uri(text) | Self::User(text) => text,
        }
    }
}

/// What a certificate says about being an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// May sign certificates.
    pub is_authority: bool,
    /// How many further authorities may stand below it.
    pub path_length: Option<u8>,
}

/// All extensions, by identifier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    by_oid: BTreeMap<String, Extension>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Extension {
    critical: bool,
    value: Vec<u8>,
}

impl Extensions {
    /// Parses the list; one identifier twice is refused (RFC 5280 §4.2).
    pub(crate) fn parse(list: &[u8]) -> Result<Self, CertificateError> {
        let mut by_oid = BTreeMap::new();
        for element in Elements::only(list, Tag::Sequence, "certificate extensions")?.children()?.rest(MAX_EXTENSIONS)? {
            let mut parts = element.children()?;
            let oid = parts.take(Tag::ObjectIdentifier)?.oid()?.to_string();
            let critical = parts.optional(Tag::Boolean)?.map(|flag| flag.boolean()).transpose()?.unwrap_or(false);
            let value = parts.take(Tag::OctetString)?.value.to_vec();
            parts.end()?;
            if by_oid.insert(oid, Extension { critical, value }).is_some() {
                return Err(CertificateError::Field { what: "has one extension twice" });
            }
        }
        Ok(Self { by_oid })
    }

    pub(crate) fn value(&self, oid: &str) -> Option<&[u8]> {
        self.by_oid.get(oid).map(|extension| extension.value.as_slice())
    }

    /// The first critical extension whose meaning is not taken into account.
    pub(crate) fn unknown_critical(&self) -> Option<&str> {
        let unknown = |(oid, extension): &(&String, &Extension)| extension.critical && !UNDERSTOOD.contains(&oid.as_str());
        self.by_oid.iter().find(unknown).map(|(oid, _)| oid.as_str())
    }

    pub(crate) fn basic_constraints(&self) -> Result<Option<BasicConstraints>, DerError> {
        let Some(value) = self.value(BASIC_CONSTRAINTS) else { return Ok(None) };
        let mut parts = Elements::only(value, Tag::Sequence, "basic constraints")?.children()?;
        let is_authority = parts.optional(Tag::Boolean)?.map(|flag| flag.boolean()).transpose()?.unwrap_or(false);
        let path_length = parts.optional(Tag::Integer)?.map(|length| length.small()).transpose()?;
        parts.end()?;
        Ok(Some(BasicConstraints { is_authority, path_length }))
    }

    /// Whether key usage has this bit (0 digitalSignature, 5 keyCertSign); `None` without the extension.
    pub(crate) fn key_usage(&self, bit: u8) -> Result<Option<bool>, DerError> {
        let Some(value) = self.value(KEY_USAGE) else { return Ok(None) };
        let bits = Elements::only(value, Tag::BitString, "key usage")?.value;
        let first = bits.get(1).copied().unwrap_or(0);
        Ok(Some(first & (0x80_u8.checked_shr(u32::from(bit)).unwrap_or(0)) != 0))
    }

    /// Key purposes, and whether the extension is critical; `None` without it.
    pub(crate) fn purposes(&self) -> Result<Option<(Vec<String>, bool)>, DerError> {
        let Some(extension) = self.by_oid.get(EXTENDED_KEY_USAGE) else { return Ok(None) };
        let list = Elements::only(&extension.value, Tag::Sequence, "extended key usage")?.children()?.rest(MAX_NAMES)?;
        let purposes = list.iter().map(|purpose| purpose.oid().map(|oid| oid.to_string())).collect::<Result<_, _>>()?;
        Ok(Some((purposes, extension.critical)))
    }

    pub(crate) fn subject_key_identifier(&self) -> Result<Option<Vec<u8>>, DerError> {
        let value = self.value(SUBJECT_KEY_IDENTIFIER);
        value.map(|value| Ok(Elements::only(value, Tag::OctetString, "subject key identifier")?.value.to_vec())).transpose()
    }

    /// E-mail addresses, DNS names, URIs and Fulcio user names.
    pub(crate) fn subject_names(&self) -> Result<Vec<SubjectName>, DerError> {
        let Some(value) = self.value(SUBJECT_ALTERNATIVE_NAME) else { return Ok(Vec::new()) };
        let list = Elements::only(value, Tag::Sequence, "subject alternative name")?.children()?.rest(MAX_NAMES)?;
        Ok(list.iter().map(subject_name).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// The OIDC issuer: the DER text, else the raw one. Both present and different: none.
    pub(crate) fn oidc_issuer(&self) -> Result<Option<String>, DerError> {
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let second = match self.value(FULCIO_ISSUER_V2) {
            Some(value) => text(Elements::only(value, Tag::Utf8String, "OIDC issuer")?.value),
            None => None,
        };
        let first = self.value(FULCIO_ISSUER_V1).and_then(text);
        Ok(match (first, second) {
            (Some(first), Some(second)) if first != second => None,
            (first, second) => second.or(first),
        })
    }
}

fn subject_name(element: &Element<'_>) -> Result<Option<SubjectName>, DerError> {
    let text = || std::str::from_utf8(element.value).ok().map(str::to_owned);
    Ok(if element.tag == context(1, false) {
        text().map(SubjectName::Email)
    } else if element.tag == context(2, false) {
        text().map(SubjectName::Dns)
    } else if element.tag == context(6, false) {
        text().map(SubjectName::Uri)
    } else if element.tag == context(0, true) {
        other_name(element)?
    } else {
        None
    })
}

fn other_name(element: &Element<'_>) -> Result<Option<SubjectName>, DerError> {
    let mut parts = element.children()?;
    let oid = parts.take(Tag::ObjectIdentifier)?.oid()?.to_string();
    let value = parts.take(context(0, true))?;
    parts.end()?;
    if oid != FULCIO_OTHER_NAME {
        return Ok(None);
    }
    let name = Elements::only(value.value, Tag::Utf8String, "user name")?.value;
    Ok(std::str::from_utf8(name).ok().map(|name| SubjectName::User(name.to_owned())))
}
