//! The shape of an RFC 3161 response: status, CMS signed data (RFC 5652) with one signer, and the `TSTInfo` in it. Nothing is verified here.

use der::Tag;
use der::asn1::ObjectIdentifier;
use sealtrace_crypto::Hash;
use sealtrace_verdict::UnixTime;

use crate::algorithm::{SignatureAlgorithm, hash_of};
use crate::asn1::{DerError, Element, Elements, context};
use crate::certificate::Certificate;
use crate::timestamp::TimestampError;

/// The most bytes of a response (ours; with a chain of certificates a token has 5,000).
pub const MAX_TOKEN_BYTES: usize = 256 << 10;
/// The most certificates, digest algorithms and attributes of a token (ours).
const MAX_ITEMS: usize = 32;

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const SIGNING_CERTIFICATE: &str = "1.2.840.113549.1.9.16.2.12";
const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";
const SHA256: &str = "2.16.840.1.101.3.4.2.1";

/// A parsed response: what it claims, and what is needed to verify the claim.
#[derive(Debug, Clone)]
pub struct TimestampToken {
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) info: Vec<u8>,
    pub(crate) imprint_hash: Hash,
    pub(crate) imprint: Vec<u8>,
    pub(crate) time: UnixTime,
    pub(crate) signer: SignerInfo,
}

/// Who is said to have signed.
#[derive(Debug, Clone)]
pub(crate) enum SignerId {
    IssuerAndSerial { issuer: Vec<u8>, serial: Vec<u8> },
    KeyIdentifier(Vec<u8>),
}

/// How the signing certificate is named among the signed attributes (RFC 5035, RFC 2634).
#[derive(Debug, Clone)]
pub(crate) enum CertificateHash {
    Sha1(Vec<u8>),
    Sha2(Hash, Vec<u8>),
}

#[derive(Debug, Clone)]
pub(crate) struct SignerInfo {
    pub(crate) id: SignerId,
    pub(crate) digest: Hash,
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) signature: Vec<u8>,
    /// The bytes that are signed: the attributes as a SET.
    pub(crate) attributes: Vec<u8>,
    pub(crate) message_digest: Vec<u8>,
    pub(crate) certificate_hash: Option<CertificateHash>,
}

impl TimestampToken {
    /// Parses a `TimeStampResp`.
    ///
    /// # Errors
    /// [`TimestampError`]
    pub fn parse(response: &[u8]) -> Result<Self, TimestampError> {
        if response.len() > MAX_TOKEN_BYTES {
            return Err(TimestampError::TooLarge { found: response.len() });
        }
        let mut parts = Elements::only(response, Tag::Sequence, "time stamp response")?.children()?;
        let status = parts.take(Tag::Sequence)?.children()?.take(Tag::Integer)?.small()?;
        // RFC 3161 §2.4.2: granted, granted with modifications.
        if status > 1 {
            return Err(TimestampError::Status { status });
        }
        let content = parts.take(Tag::Sequence)?;
        parts.end()?;
        let mut content = content.children()?;
        expect(&content.take(Tag::ObjectIdentifier)?, SIGNED_DATA, "content type")?;
        let signed = content.take(context(0, true))?;
        content.end()?;
        Self::of_signed_data(&Elements::only(signed.value, Tag::Sequence, "time stamp signed data")?)
    }

    fn of_signed_data(signed: &Element<'_>) -> Result<Self, TimestampError> {
        let mut parts = signed.children()?;
        parts.take(Tag::Integer)?;
        parts.take(Tag::Set)?.children()?.rest(MAX_ITEMS)?;
        let mut encapsulated = parts.take(Tag::Sequence)?.children()?;
        expect(&encapsulated.take(Tag::ObjectIdentifier)?, TST_INFO, "encapsulated content type")?;
        let content = encapsulated.take(context(0, true))?;
        encapsulated.end()?;
        let info = Elements::only(content.value, Tag::OctetString, "time stamp info")?.value;
        let certificates = match parts.optional(context(0, true))? {
            Some(set) => certificates(&set)?,
            None => Vec::new(),
        };
        parts.optional(context(1, true))?;
        let signers = parts.take(Tag::Set)?.children()?.rest(MAX_ITEMS)?;
        parts.end()?;
        let [signer] = signers.as_slice() else { return Err(TimestampError::Signers { found: signers.len() }) };
        let signer = SignerInfo::of(signer)?;
        let (imprint_hash, imprint, time) = info_fields(info)?;
        Ok(Self { certificates, info: info.to_vec(), imprint_hash, imprint, time, signer })
    }
}

fn certificates(set: &Element<'_>) -> Result<Vec<Certificate>, TimestampError> {
    let all = set.children_as("time stamp certificates")?.rest(MAX_ITEMS)?;
    // Attribute certificates and other choices carry a context tag; a certificate is a SEQUENCE.
    let plain = all.iter().filter(|element| element.tag == Tag::Sequence);
    // One that cannot be used is no reason to refuse the token: which one signed is decided by its signature.
    Ok(plain.filter_map(|element| Certificate::parse(element.raw).ok()).collect())
}

/// Message imprint and time of a `TSTInfo` of version 1.
fn info_fields(info: &[u8]) -> Result<(Hash, Vec<u8>, UnixTime), TimestampError> {
    let mut fields = Elements::only(info, Tag::Sequence, "time stamp info")?.children()?;
    if fields.take(Tag::Integer)?.small()? != 1 {
        return Err(TimestampError::Field { what: "version" });
    }
    fields.take(Tag::ObjectIdentifier)?;
    let mut imprint = fields.take(Tag::Sequence)?.children()?;
    let algorithm = imprint.take(Tag::Sequence)?.children()?.take(Tag::ObjectIdentifier)?.oid()?;
    let digest = imprint.take(Tag::OctetString)?.value.to_vec();
    imprint.end()?;
    let hash = hash_of(&algorithm).filter(|hash| hash.size() == digest.len()).ok_or(TimestampError::Field { what: "message imprint" })?;
    fields.take(Tag::Integer)?;
    let time = fields.take(Tag::GeneralizedTime)?.time()?;
    fields.optional(Tag::Sequence)?;
    fields.optional(Tag::Boolean)?;
    fields.optional(Tag::Integer)?;
    fields.optional(context(0, true))?;
    fields.optional(context(1, true))?;
    fields.end()?;
    Ok((hash, digest, time))
}

impl SignerInfo {
    fn of(signer: &Element<'_>) -> Result<Self, TimestampError> {
        let mut parts = signer.children_as("time stamp signer")?;
        parts.take(Tag::Integer)?;
        let id = match parts.optional(context(0, false))? {
            Some(key) => SignerId::KeyIdentifier(key.value.to_vec()),
            None => issuer_and_serial(&parts.take(Tag::Sequence)?)?,
        };
        let digest = parts.take(Tag::Sequence)?.children()?.take(Tag::ObjectIdentifier)?.oid()?;
        let digest = hash_of(&digest).ok_or(TimestampError::Algorithm { oid: digest.to_string() })?;
        let attributes = parts.take(context(0, true))?;
        let algorithm = parts.take(Tag::Sequence)?.children()?.take(Tag::ObjectIdentifier)?.oid()?;
        let algorithm =
            SignatureAlgorithm::of_signer(&algorithm, digest).ok_or(TimestampError::Algorithm { oid: algorithm.to_string() })?;
        let signature = parts.take(Tag::OctetString)?.value.to_vec();
        parts.optional(context(1, true))?;
        parts.end()?;
        let named = Attributes::of(&attributes)?;
        let message_digest = named.message_digest.ok_or(TimestampError::Field { what: "attribute message digest" })?;
        let certificate_hash = named.certificate_hash;
        // RFC 5652 §5.4: signed as a SET OF, not under the tag that stands in the message.
        let attributes = crate::asn1::encode(0x31, attributes.value);
        Ok(Self { id, digest, algorithm, signature, attributes, message_digest, certificate_hash })
    }
}

fn issuer_and_serial(element: &Element<'_>) -> Result<SignerId, DerError> {
    let mut parts = element.children()?;
    let issuer = parts.take(Tag::Sequence)?.raw.to_vec();
    let serial = parts.take(Tag::Integer)?.value.to_vec();
    parts.end()?;
    Ok(SignerId::IssuerAndSerial { issuer, serial })
}

#[derive(Default)]
struct Attributes {
    message_digest: Option<Vec<u8>>,
    certificate_hash: Option<CertificateHash>,
}

impl Attributes {
    fn of(set: &Element<'_>) -> Result<Self, TimestampError> {
        let (mut found, mut typed, mut seen) = (Self::default(), false, Vec::new());
        for attribute in set.children_as("time stamp attributes")?.rest(MAX_ITEMS)? {
            let mut parts = attribute.children()?;
            let oid = parts.take(Tag::ObjectIdentifier)?.oid()?.to_string();
            let values = parts.take(Tag::Set)?.children()?.rest(MAX_ITEMS)?;
            parts.end()?;
            if seen.contains(&oid) {
                return Err(TimestampError::Field { what: "attribute that stands twice" });
            }
            let [value] = values.as_slice() else {
                seen.push(oid);
                continue;
            };
            match oid.as_str() {
                CONTENT_TYPE => {
                    expect(value, TST_INFO, "attribute content type")?;
                    typed = true;
                }
                MESSAGE_DIGEST if value.tag == Tag::OctetString => found.message_digest = Some(value.value.to_vec()),
                SIGNING_CERTIFICATE_V2 => found.certificate_hash = Some(signing_certificate_v2(value)?),
                SIGNING_CERTIFICATE if found.certificate_hash.is_none() => found.certificate_hash = Some(signing_certificate(value)?),
                _ => {}
            }
            seen.push(oid);
        }
        if typed { Ok(found) } else { Err(TimestampError::Field { what: "attribute content type" }) }
    }
}

/// The first `ESSCertIDv2`: the hash of the signer's own certificate.
fn signing_certificate_v2(value: &Element<'_>) -> Result<CertificateHash, TimestampError> {
    let mut first = value.children_as("signing certificate")?.take(Tag::Sequence)?.children()?.take(Tag::Sequence)?.children()?;
    let algorithm = match first.optional(Tag::Sequence)? {
        Some(algorithm) => algorithm.children()?.take(Tag::ObjectIdentifier)?.oid()?,
        None => ObjectIdentifier::new(SHA256).map_err(|_error| TimestampError::Field { what: "signing certificate" })?,
    };
    let hash = hash_of(&algorithm).ok_or(TimestampError::Algorithm { oid: algorithm.to_string() })?;
    Ok(CertificateHash::Sha2(hash, first.take(Tag::OctetString)?.value.to_vec()))
}

fn signing_certificate(value: &Element<'_>) -> Result<CertificateHash, TimestampError> {
    let mut first = value.children_as("signing certificate")?.take(Tag::Sequence)?.children()?.take(Tag::Sequence)?.children()?;
    Ok(CertificateHash::Sha1(first.take(Tag::OctetString)?.value.to_vec()))
}

fn expect(element: &Element<'_>, oid: &str, what: &'static str) -> Result<(), TimestampError> {
    if element.oid()?.to_string() == oid { Ok(()) } else { Err(TimestampError::Field { what }) }
}
