//! One certificate (RFC 5280 §4.1): its fields, and the exact bytes that were signed.

use der::Tag;
use sealtrace_crypto::{Hash, KeyError, SignatureError, VerifyingKey};
use sealtrace_verdict::UnixTime;

use crate::algorithm::SignatureAlgorithm;
use crate::asn1::{DerError, Element, Elements, context};
use crate::extensions::{Extensions, SubjectName};

/// The most bytes of a certificate (ours; those of Sigstore have 600 to 900, with many extensions 4,000).
pub const MAX_CERTIFICATE_BYTES: usize = 64 << 10;
/// INTEGER value of version 3.
const V3: u8 = 2;
/// The longest serial number (RFC 5280 §4.1.2.2: 20 octets, and one for the sign).
const MAX_SERIAL_BYTES: usize = 21;

/// A parsed certificate. Nothing in it is believed before [`crate::verify_path`].
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    raw: Vec<u8>,
    tbs: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    not_before: UnixTime,
    not_after: UnixTime,
    key: VerifyingKey,
    pub(crate) extensions: Extensions,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
}

/// Why bytes are no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Larger than [`MAX_CERTIFICATE_BYTES`].
    #[error("certificate of {found} bytes exceeds the limit of {MAX_CERTIFICATE_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Not the DER of a certificate.
    #[error(transparent)]
    Der(#[from] DerError),
    /// Something that RFC 5280 does not allow.
    #[error("certificate {what}")]
    Field {
        /// What.
        what: &'static str,
    },
    /// A signature algorithm that is not supported.
    #[error("certificate signature algorithm {oid} is not supported")]
    Algorithm {
        /// Its object identifier.
        oid: String,
    },
    /// The public key cannot be used.
    #[error("certificate key: {0}")]
    Key(#[from] KeyError),
}

impl Certificate {
    /// Parses the DER of a certificate of version 3.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLarge { found: der.len() });
        }
        let mut parts = Elements::only(der, Tag::Sequence, "certificate")?.children()?;
        let tbs = parts.take(Tag::Sequence)?;
        let outer = parts.take(Tag::Sequence)?;
        let signature = parts.take(Tag::BitString)?.whole_bits()?.to_vec();
        parts.end()?;
        let mut fields = tbs.children()?;
        let version = fields.take(context(0, true))?;
        if Elements::only(version.value, Tag::Integer, "certificate version")?.small()? != V3 {
            return Err(CertificateError::Field { what: "is not of version 3" });
        }
        let serial = fields.take(Tag::Integer)?.value.to_vec();
        if serial.len() > MAX_SERIAL_BYTES {
            return Err(CertificateError::Field { what: "has a serial number of more than 20 octets" });
        }
        if fields.take(Tag::Sequence)?.raw != outer.raw {
            return Err(CertificateError::Field { what: "names two signature algorithms" });
        }
        let issuer = fields.take(Tag::Sequence)?.raw.to_vec();
        let (not_before, not_after) = validity(&fields.take(Tag::Sequence)?)?;
        let subject = fields.take(Tag::Sequence)?.raw.to_vec();
        let key = VerifyingKey::parse_spki(fields.take(Tag::Sequence)?.raw)?;
        fields.optional(context(1, false))?;
        fields.optional(context(2, false))?;
        let extensions = fields.optional(context(3, true))?.map(|list| Extensions::parse(list.value)).transpose()?.unwrap_or_default();
        fields.end()?;
        let algorithm = algorithm(&outer)?;
        let (raw, tbs) = (der.to_vec(), tbs.raw.to_vec());
        Ok(Self { raw, tbs, serial, issuer, subject, not_before, not_after, key, extensions, algorithm, signature })
    }

    /// Its bytes.
    pub fn der(&self) -> &[u8] {
        &self.raw
    }

    /// SHA-256 of its bytes.
    pub fn fingerprint(&self) -> Vec<u8> {
        Hash::Sha256.digest(&self.raw)
    }

    /// The bytes that are signed.
    pub(crate) fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// The key that it certifies.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// First and last moment of its validity, both included.
    pub fn validity(&self) -> (UnixTime, UnixTime) {
        (self.not_before, self.not_after)
    }

    /// Whether it is valid at this moment.
    pub fn is_valid_at(&self, time: UnixTime) -> bool {
        self.not_before <= time && time <= self.not_after
    }

    /// Whether issuer and subject are one name, as of a root.
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// The names and the OIDC issuer that it claims; believed only after [`crate::verify_path`].
    ///
    /// # Errors
    /// [`DerError`] when an extension is malformed.
    pub fn claimed_identities(&self) -> Result<(Vec<SubjectName>, Option<String>), DerError> {
        Ok((self.extensions.subject_names()?, self.extensions.oidc_issuer()?))
    }

    /// Verifies its signature by an issuer's key; nothing else about the two is compared.
    pub(crate) fn verify_signature(&self, issuer: &VerifyingKey) -> Result<(), SignatureError> {
        self.algorithm.verify(issuer, &self.tbs, &self.signature)
    }
}

fn validity(element: &Element<'_>) -> Result<(UnixTime, UnixTime), DerError> {
    let mut times = element.children_as("certificate validity")?;
    let pair = (times.next()?.time()?, times.next()?.time()?);
    times.end()?;
    Ok(pair)
}

fn algorithm(element: &Element<'_>) -> Result<SignatureAlgorithm, CertificateError> {
    let oid = element.children_as("certificate signature algorithm")?.take(Tag::ObjectIdentifier)?.oid()?;
    SignatureAlgorithm::of(&oid).ok_or_else(|| CertificateError::Algorithm { oid: oid.to_string() })
}
