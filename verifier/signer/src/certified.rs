//! A signer with what a site's own authorities say: a certificate over its key, time stamps over its signatures.
//!
//! Not here: whether anybody trusts those authorities. The stamp's imprint is compared, so that one over other bytes is not kept.

use std::path::{Path, PathBuf};

use sealtrace_certificate::{Certificate, CertificateError, MAX_TOKEN_BYTES, TimestampError, TimestampToken};
use sealtrace_crypto::{KeyError, decode_pem};
use sealtrace_digest::FileSha256;
use sealtrace_envelope::{PublicKey, SigningMaterial, SigstoreBundle};

use crate::exec;
use crate::file;
use crate::reference::ExecWords;
use crate::signer::{Signer, SignerError, sign_envelope};

/// `TimeStampReq` around the SHA-256 of what is stamped (RFC 3161 §2.4.1): version 1, the imprint, certificates asked for.
const QUERY_HEAD: &[u8] = &[
    0x30, 0x39, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];
const QUERY_TAIL: &[u8] = &[0x01, 0x01, 0xff];

/// Why a certificate or a time stamp cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertifiedError {
    /// The file is no PEM certificate.
    #[error("{} holds no certificate: {reason}", path.display())]
    NotPem {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The certificate cannot be read.
    #[error("{}: {source}", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: CertificateError,
    },
    /// The certificate is over another key.
    #[error("the certificate is over the key {found}, and {key} signs")]
    OtherKey {
        /// The signer's key.
        key: String,
        /// The certificate's.
        found: String,
    },
    /// The answer is no time stamp.
    #[error("the time stamp authority's answer: {0}")]
    Timestamp(#[from] TimestampError),
    /// The stamp is over other bytes.
    #[error("the time stamp is over other bytes than the signature")]
    OtherBytes,
}

/// A signer, its certificate and its time stamp authority, each of the two where there is one.
#[derive(Debug)]
pub struct CertifiedSigner {
    signer: Box<dyn Signer>,
    certificate: Option<Vec<u8>>,
    stamps: Option<ExecWords>,
}

impl CertifiedSigner {
    /// Puts a certificate file (PEM, the leaf first) and a program that answers RFC 3161 queries beside a signer.
    ///
    /// # Errors
    /// [`SignerError::Certified`] unless the certificate is over the signer's key.
    pub fn new(signer: Box<dyn Signer>, certificate: Option<&Path>, stamps: Option<&ExecWords>) -> Result<Self, SignerError> {
        let certificate = certificate.map(|path| read_certificate(path, signer.public_key())).transpose()?;
        Ok(Self { signer, certificate, stamps: stamps.cloned() })
    }
}

impl Signer for CertifiedSigner {
    fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.signer.sign(message)
    }

    fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref().or_else(|| self.signer.certificate())
    }

    fn timestamp(&self, signature: &[u8]) -> Result<Option<Vec<u8>>, SignerError> {
        let Some(words) = &self.stamps else { return self.signer.timestamp(signature) };
        let response = exec::ask(words, "timestamp", &timestamp_query(signature), MAX_TOKEN_BYTES)?;
        let token = TimestampToken::parse(&response).map_err(CertifiedError::from)?;
        if !token.is_over(signature) {
            return Err(CertifiedError::OtherBytes.into());
        }
        Ok(Some(response))
    }
}

/// The DER of a query for a stamp over these bytes.
pub fn timestamp_query(bytes: &[u8]) -> Vec<u8> {
    [QUERY_HEAD, FileSha256::of(bytes).as_bytes(), QUERY_TAIL].concat()
}

fn read_certificate(path: &Path, key: &PublicKey) -> Result<Vec<u8>, SignerError> {
    let bytes = file::read_public(path).map_err(SignerError::Key)?;
    let not_pem = |reason: String| CertifiedError::NotPem { path: path.to_owned(), reason };
    let der = first_certificate(&bytes).map_err(not_pem)?;
    let certificate = Certificate::parse(&der).map_err(|source| CertifiedError::Certificate { path: path.to_owned(), source })?;
    if certificate.key().spki() != key.spki() {
        let (key, found) = (key.key_id().hex(), certificate.key().key_id().hex());
        return Err(CertifiedError::OtherKey { key, found }.into());
    }
    Ok(der)
}

/// The first block of a PEM file: a chain has its leaf there.
fn first_certificate(pem: &[u8]) -> Result<Vec<u8>, String> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = std::str::from_utf8(pem).map_err(|error| error.to_string())?;
    let end = text.find(END).map(|at| at.saturating_add(END.len())).ok_or("no PEM certificate")?;
    let start = text.find("-----BEGIN CERTIFICATE-----").ok_or("no PEM certificate")?;
    let block = text.get(start..end).ok_or("no PEM certificate")?;
    decode_pem(block.as_bytes()).map(|(_, der)| der).map_err(|error: KeyError| error.to_string())
}

/// Signs a payload: the Sigstore bundle, not yet logged, with the certificate and the time stamp that the signer has.
///
/// # Errors
/// [`SignerError`]
pub fn sign_bundle(payload_type: &str, payload: &[u8], signer: &dyn Signer) -> Result<SigstoreBundle, SignerError> {
    let mut envelope = sign_envelope(payload_type, payload, signer)?;
    let signature = envelope.signatures.first().map(|one| one.sig.clone()).unwrap_or_default();
    let timestamps: Vec<Vec<u8>> = signer.timestamp(&signature)?.into_iter().collect();
    let material = match signer.certificate() {
        None => SigningMaterial::Key { hint: signer.public_key().hint() },
        Some(der) => {
            // The certificate says whose the signature is; a keyid would be a second word on it.
            envelope.signatures.iter_mut().for_each(|signature| signature.keyid.clear());
            SigningMaterial::Certificate(der.to_vec())
        }
    };
    Ok(SigstoreBundle { material, entries: Vec::new(), timestamps, envelope })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_der_over_the_sha256_of_the_bytes() {
        let query = timestamp_query(b"abc");
        assert_eq!(query.len(), 59);
        assert_eq!(usize::from(query[1]) + 2, query.len());
        assert_eq!(query[24..56], *FileSha256::of(b"abc").as_bytes());
    }

    #[test]
    fn the_first_certificate_of_a_chain_is_the_leaf() {
        let block = |der: &str| format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
        assert_eq!(first_certificate(format!("comment\n{}{}", block("AQI="), block("AwQ=")).as_bytes()), Ok(vec![1, 2]));
        assert!(first_certificate(b"-----BEGIN PUBLIC KEY-----").is_err());
        assert!(first_certificate(b"-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----").is_err());
    }
}
