//! RFC 3161 responses: a CMS `SignedData` over a `TSTInfo`, with the signed attributes and the `ESSCertIDv2` that RFC 5816 asks for.
//!
//! SHA-256 throughout. A token says what is claimed and what really is apart, as the certificate templates do.

use crate::asn1::{explicit, generalized_time, integer, octets, oid, sequence, set_of, utc_time};
use crate::certificate::Template;
use crate::key::{Key, sha256};

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";
const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";
const SHA256: &str = "2.16.840.1.101.3.4.2.1";
/// The policy under which Sigstore's authorities stamp.
const POLICY: &str = "1.3.6.1.4.1.57264.2";

/// A response to be made.
#[derive(Clone)]
pub(crate) struct Token {
    /// `PKIStatus`: 0 is granted, 2 is rejection.
    pub(crate) status: u64,
    /// The bytes whose digest is stamped.
    pub(crate) over: Vec<u8>,
    /// Seconds since 1970.
    pub(crate) time: u64,
    /// The authority that is named as signer.
    pub(crate) authority: Template,
    /// The key that signs.
    pub(crate) signed_by: Key,
    /// Whether the authority's certificate comes along.
    pub(crate) embedded: bool,
    /// The certificate whose digest the signing-certificate attribute holds.
    pub(crate) ess_certificate: Vec<u8>,
    /// The bytes whose digest the message-digest attribute holds, where they are not the `TSTInfo`.
    pub(crate) attribute_over: Option<Vec<u8>>,
}

impl Token {
    fn info(&self) -> Vec<u8> {
        let imprint = sequence(&[hash_algorithm(), octets(&sha256(&self.over))]);
        sequence(&[integer(1), oid(POLICY), imprint, integer(7), generalized_time(self.time), sequence(&[integer(1)])])
    }

    fn attributes(&self, info: &[u8]) -> Vec<Vec<u8>> {
        let attribute = |kind: &str, value: Vec<u8>| sequence(&[oid(kind), set_of(&[value])]);
        // The default of ESSCertIDv2's algorithm is SHA-256, so DER leaves it out.
        let certificate = sequence(&[octets(&sha256(&self.ess_certificate))]);
        let digest = sha256(self.attribute_over.as_deref().unwrap_or(info));
        vec![
            attribute(CONTENT_TYPE, oid(TST_INFO)),
            attribute(SIGNING_TIME, utc_time(self.time)),
            attribute(MESSAGE_DIGEST, octets(&digest)),
            attribute(SIGNING_CERTIFICATE_V2, sequence(&[sequence(&[certificate])])),
        ]
    }

    /// The `TimeStampResp` in DER.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let info = self.info();
        let attributes = set_of(&self.attributes(&info));
        let signature = self.signed_by.sign(&attributes);
        let mut in_place = attributes;
        in_place[0] = 0xa0;
        let signer = sequence(&[
            integer(1),
            self.authority.issuer_and_serial(),
            hash_algorithm(),
            in_place,
            self.signed_by.signature_algorithm(),
            octets(&signature),
        ]);
        let certificates = if self.embedded { explicit(0, &self.authority.issue(None)) } else { Vec::new() };
        let content = sequence(&[oid(TST_INFO), explicit(0, &octets(&info))]);
        let signed = sequence(&[integer(3), set_of(&[hash_algorithm()]), content, certificates, set_of(&[signer])]);
        sequence(&[sequence(&[integer(self.status)]), sequence(&[oid(SIGNED_DATA), explicit(0, &signed)])])
    }
}

fn hash_algorithm() -> Vec<u8> {
    sequence(&[oid(SHA256)])
}
