//! X.509 certificates from templates, with the precertificate flow of RFC 6962 for embedded SCTs.
//!
//! A template says what is claimed (`authority`) apart from who really signs (`signed_by`), so that a variant can break the one and keep
//! the other. Not a general builder: it writes what Fulcio and a timestamp authority write.

use crate::asn1::{bits, explicit, implicit, integer, octets, oid, printable, sequence, set_of, tlv, utc_time, utf8, yes};
use crate::key::{Key, sha256};

pub(crate) const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub(crate) const KEY_USAGE: &str = "2.5.29.15";
pub(crate) const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
pub(crate) const ALTERNATIVE_NAME: &str = "2.5.29.17";
pub(crate) const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
pub(crate) const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";
pub(crate) const SERVER: &str = "1.3.6.1.5.5.7.3.1";
const SUBJECT_KEY: &str = "2.5.29.14";
const AUTHORITY_KEY: &str = "2.5.29.35";
const SCT_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";
/// Fulcio's issuer, raw text and DER text.
const ISSUER_RAW: &str = "1.3.6.1.4.1.57264.1.1";
const ISSUER: &str = "1.3.6.1.4.1.57264.1.8";

/// `KeyUsage` as the bits of its first octet and how many bits follow the last one set.
pub(crate) const DIGITAL_SIGNATURE: (u8, u8) = (7, 0x80);
pub(crate) const KEY_ENCIPHERMENT: (u8, u8) = (5, 0x20);
pub(crate) const CERT_AND_CRL_SIGN: (u8, u8) = (1, 0x06);
pub(crate) const CRL_SIGN: (u8, u8) = (1, 0x02);

/// One extension, its value already encoded.
#[derive(Clone)]
pub(crate) struct Extension {
    pub(crate) oid: &'static str,
    pub(crate) critical: bool,
    pub(crate) value: Vec<u8>,
}

impl Extension {
    fn critical(oid: &'static str, value: Vec<u8>) -> Self {
        Self { oid, critical: true, value }
    }

    fn plain(oid: &'static str, value: Vec<u8>) -> Self {
        Self { oid, critical: false, value }
    }

    fn encode(&self) -> Vec<u8> {
        let critical = if self.critical { yes() } else { Vec::new() };
        sequence(&[oid(self.oid), critical, octets(&self.value)])
    }
}

/// An authority with at most so many authorities below it.
pub(crate) fn authority(path_length: Option<u64>) -> Extension {
    let length = path_length.map(integer).unwrap_or_default();
    Extension::critical(BASIC_CONSTRAINTS, sequence(&[yes(), length]))
}

/// `BasicConstraints` that say: no authority.
pub(crate) fn no_authority() -> Extension {
    Extension::critical(BASIC_CONSTRAINTS, sequence(&[]))
}

pub(crate) fn key_usage((unused, octet): (u8, u8)) -> Extension {
    Extension::critical(KEY_USAGE, bits(unused, &[octet]))
}

pub(crate) fn extended_key_usage(purpose: &str) -> Extension {
    Extension::plain(EXTENDED_KEY_USAGE, sequence(&[oid(purpose)]))
}

/// What RFC 3161, section 2.3, demands of a timestamp authority: the one purpose, critical.
pub(crate) fn time_stamping() -> Extension {
    Extension::critical(EXTENDED_KEY_USAGE, sequence(&[oid(TIME_STAMPING)]))
}

/// Fulcio's name of a workload: a URI, critical since the subject is empty.
pub(crate) fn identity(uri: &str) -> Extension {
    Extension::critical(ALTERNATIVE_NAME, sequence(&[implicit(6, uri.as_bytes())]))
}

/// Fulcio's two extensions that name the token's issuer.
pub(crate) fn issuer(url: &str) -> [Extension; 2] {
    [Extension::plain(ISSUER_RAW, url.as_bytes().to_vec()), Extension::plain(ISSUER, utf8(url))]
}

/// An extension that no verifier knows.
pub(crate) fn unknown_critical() -> Extension {
    Extension::critical("1.3.6.1.4.1.57264.9.9", utf8("must understand"))
}

/// A distinguished name of the instance's organization, or the empty one.
pub(crate) fn name(common: &str) -> Vec<u8> {
    if common.is_empty() {
        return sequence(&[]);
    }
    let part = |kind: &str, text: &str| set_of(&[sequence(&[oid(kind), printable(text)])]);
    sequence(&[part("2.5.4.10", "instance.example"), part("2.5.4.3", common)])
}

/// What a certificate is to say, and who signs it.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) serial: u64,
    pub(crate) subject: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) key: Key,
    /// The key that the authority key identifier and the SCT name.
    pub(crate) authority: Key,
    /// The key that signs, which a broken variant sets apart from `authority`.
    pub(crate) signed_by: Key,
    pub(crate) extensions: Vec<Extension>,
}

impl Template {
    /// Puts an extension in the place of the one with the same identifier.
    pub(crate) fn replace(&mut self, extension: Extension) {
        self.remove(extension.oid);
        self.extensions.push(extension);
    }

    pub(crate) fn remove(&mut self, oid: &str) {
        self.extensions.retain(|extension| extension.oid != oid);
    }

    /// The serial number and issuer, as CMS names a certificate.
    pub(crate) fn issuer_and_serial(&self) -> Vec<u8> {
        sequence(&[name(self.issuer), integer(self.serial)])
    }

    fn tbs(&self, sct_list: Option<&[u8]>) -> Vec<u8> {
        let mut extensions = self.extensions.clone();
        extensions.push(Extension::plain(SUBJECT_KEY, octets(&self.key.short_id())));
        extensions.push(Extension::plain(AUTHORITY_KEY, sequence(&[implicit(0, &self.authority.short_id())])));
        extensions.extend(sct_list.map(|list| Extension::plain(SCT_LIST, list.to_vec())));
        let extensions: Vec<Vec<u8>> = extensions.iter().map(Extension::encode).collect();
        sequence(&[
            explicit(0, &integer(2)),
            integer(self.serial),
            self.signed_by.signature_algorithm(),
            name(self.issuer),
            sequence(&[utc_time(self.not_before), utc_time(self.not_after)]),
            name(self.subject),
            self.key.spki(),
            explicit(3, &sequence(&extensions)),
        ])
    }

    /// The certificate in DER, with an SCT list where one is given.
    pub(crate) fn issue(&self, sct: Option<&Sct>) -> Vec<u8> {
        let list = sct.map(|sct| sct.list(&self.authority.spki(), &self.tbs(None)));
        let tbs = self.tbs(list.as_deref());
        let signature = self.signed_by.sign(&tbs);
        sequence(&[tbs, self.signed_by.signature_algorithm(), bits(0, &signature)])
    }
}

/// A signed certificate timestamp to be made (RFC 6962, section 3.2).
#[derive(Clone)]
pub(crate) struct Sct {
    /// The log that is named.
    pub(crate) log: Key,
    /// The key that signs.
    pub(crate) signed_by: Key,
    /// Seconds since 1970.
    pub(crate) time: u64,
    /// What the log saw, changed for a broken variant.
    pub(crate) seen: fn(&mut Vec<u8>),
}

impl Sct {
    fn list(&self, issuer_spki: &[u8], precertificate: &[u8]) -> Vec<u8> {
        let mut seen = precertificate.to_vec();
        (self.seen)(&mut seen);
        let time = (self.time * 1000).to_be_bytes();
        let signed = [&[0, 0], &time[..], &[0, 1], &sha256(issuer_spki), &length(3, &seen), &seen, &[0, 0]].concat();
        let signature = self.signed_by.sign(&signed);
        let sct = [&[0], &self.log.id()[..], &time, &[0, 0, 4, 3], &length(2, &signature), &signature].concat();
        let entry = [length(2, &sct), sct].concat();
        tlv(0x04, &[length(2, &entry), entry].concat())
    }
}

/// A TLS length of so many octets.
fn length(octets: usize, of: &[u8]) -> Vec<u8> {
    let bytes = of.len().to_be_bytes();
    bytes[bytes.len() - octets..].to_vec()
}
