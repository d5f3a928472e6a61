//! Who signed: the expected key, or a certificate whose path, transparency and identity hold.

use sealtrace_certificate::{Certificate, PathError, Purpose, SubjectName, VerifiedPath, verify_path, verify_scts};
use sealtrace_crypto::VerifyingKey;
use sealtrace_envelope::encode_base64;
use sealtrace_verdict::{Checks, UnixTime};

use crate::bundle::Material;
use crate::root::TrustedRoot;
use crate::time::AuthenticatedTime;

/// Who is expected to have signed.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// The holder of a certificate with this identity.
    Identity {
        /// A subject alternative name, whole.
        identity: String,
        /// The OIDC issuer, whole.
        issuer: String,
    },
    /// The holder of this key.
    Key(Box<VerifyingKey>),
}

/// Who signed, as verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// A certificate's subject.
    Identity {
        /// Its name.
        identity: String,
        /// The OIDC issuer that vouched for it.
        issuer: String,
        /// SHA-256 of the certificate.
        certificate: Vec<u8>,
    },
    /// A key known out of band.
    Key {
        /// SHA-256 of its SPKI in hex.
        key_id: String,
    },
}

/// `signing-material`: the key to verify with, and the DER that a log entry names.
pub(crate) fn signing_key<'a>(material: &'a Material, expected: &'a Expected, checks: &mut Checks) -> Option<(&'a VerifyingKey, &'a [u8])> {
    match (material, expected) {
        (Material::Certificate(certificate), Expected::Identity { .. }) => {
            checks.pass("signing-material", "certificate");
            Some((certificate.key(), certificate.der()))
        }
        (Material::PublicKey { hint }, Expected::Key(key)) => {
            checks.pass("signing-material", "public key");
            let own = encode_base64(key.key_id().as_bytes());
            if hint.is_empty() {
                checks.skipped("key-hint", "the bundle gives no hint");
            } else if !checks.compare("key-hint", &own, hint) {
                return None;
            }
            Some((key, key.spki()))
        }
        (Material::Certificate(_), Expected::Key(_)) => {
            checks.fail("signing-material", "the bundle carries a certificate, and a key was expected");
            None
        }
        (Material::PublicKey { .. }, Expected::Identity { .. }) => {
            checks.fail("signing-material", "the bundle names a public key, and a certificate identity was expected");
            None
        }
    }
}

/// `certificate-path`, `certificate-sct`, `certificate-identity`, `certificate-issuer`; for a key there is nothing more to check.
pub(crate) fn check_signer(
    material: &Material,
    expected: &Expected,
    root: &TrustedRoot,
    times: &[AuthenticatedTime],
    checks: &mut Checks,
) -> Option<Signer> {
    match (material, expected) {
        (Material::Certificate(certificate), Expected::Identity { identity, issuer }) => {
            let path = check_path(certificate, root, times, checks)?;
            let transparent = check_scts(&path, root, checks);
            let named = check_identity(&path, identity, issuer, checks);
            let certificate = certificate.fingerprint();
            (transparent && named).then(|| Signer::Identity { identity: identity.clone(), issuer: issuer.clone(), certificate })
        }
        (Material::PublicKey { .. }, Expected::Key(key)) => Some(Signer::Key { key_id: key.key_id().hex() }),
        _ => None,
    }
}

/// The path must hold at every authenticated time, so that no one of them can be picked.
fn check_path<'a>(
    certificate: &'a Certificate,
    root: &'a TrustedRoot,
    times: &[AuthenticatedTime],
    checks: &mut Checks,
) -> Option<VerifiedPath<'a>> {
    const ID: &str = "certificate-path";
    let mut verified = None;
    for time in times {
        match path_at(certificate, root, time.time) {
            Ok(path) => verified = Some(path),
            Err(reason) => {
                checks.fail(ID, &format!("at {} ({}): {reason}", time.time, time.source));
                return None;
            }
        }
    }
    match verified {
        Some(path) => {
            let moments: Vec<String> = times.iter().map(|time| time.time.to_string()).collect();
            checks.pass(ID, &format!("held at {}", moments.join(", ")));
            Some(path)
        }
        None => {
            checks.fail(ID, "there is no authenticated time at which the certificate could have been valid");
            None
        }
    }
}

fn path_at<'a>(certificate: &'a Certificate, root: &'a TrustedRoot, at: UnixTime) -> Result<VerifiedPath<'a>, String> {
    let mut reason = None;
    for authority in root.certificate_authorities.iter().filter(|authority| authority.window.holds(at)) {
        match verify_path(certificate, &authority.chain, Purpose::CodeSigning, at) {
            Ok(path) => return Ok(path),
            // Another authority's failure says less than that of the one which issued the certificate.
            Err(error @ PathError::Issuer { position: 0 }) => reason = reason.or(Some(error.to_string())),
            Err(error) => reason = Some(error.to_string()),
        }
    }
    Err(reason.unwrap_or_else(|| "no certificate authority was trusted then".to_owned()))
}

fn check_scts(path: &VerifiedPath<'_>, root: &TrustedRoot, checks: &mut Checks) -> bool {
    let verified = verify_scts(path, &root.ct_logs);
    let found = verified.as_ref().map_or_else(|_error| String::new(), |scts| format!("{} CT log(s)", scts.len()));
    checks.result("certificate-sct", &found, verified).is_some()
}

fn check_identity(path: &VerifiedPath<'_>, identity: &str, issuer: &str, checks: &mut Checks) -> bool {
    let names = match path.subject_names() {
        Ok(names) => names,
        Err(error) => {
            checks.fail("certificate-identity", &error.to_string());
            return false;
        }
    };
    let texts: Vec<&str> = names.iter().map(SubjectName::text).collect();
    let found = if texts.contains(&identity) { identity.to_owned() } else { texts.join(", ") };
    let named = checks.compare("certificate-identity", identity, &found);
    let issued = match path.oidc_issuer() {
        Ok(found) => checks.compare("certificate-issuer", issuer, found.as_deref().unwrap_or("none")),
        Err(error) => {
            checks.fail("certificate-issuer", &error.to_string());
            false
        }
    };
    named && issued
}
