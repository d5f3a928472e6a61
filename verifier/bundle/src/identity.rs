//! Signers by certificate: a site CA's path, its transparency, and an identity that the policy names.
//!
//! Not here: the checks of the certificate itself (`sealtrace-sigstore`).

use sealtrace_digest::FileSha256;
use sealtrace_envelope::{EntryVerifier, PublicKey};
use sealtrace_sigstore::{AuthenticatedTime, Certificate, check_certificate};
use sealtrace_trust::{Identity, Trust};
use sealtrace_verdict::Checks;

use crate::statement::{Certified, Found};

/// `certificate-shape`, `key-hint`, `certificate-path`, `certificate-sct`, `signer-trusted`.
pub(crate) fn check(der: &[u8], keyid: &str, trust: &Trust, times: &[AuthenticatedTime], checks: &mut Checks) -> Option<Found> {
    let parsed = Certificate::parse(der).map_err(|error| error.to_string());
    let parsed = parsed.and_then(|certificate| match PublicKey::parse_der(certificate.key().spki()) {
        Ok(key) => Ok((certificate, key)),
        Err(error) => Err(error.to_string()),
    });
    let (certificate, key) = match parsed {
        Ok(parsed) => parsed,
        Err(reason) => {
            checks.malformed("certificate-shape", &reason);
            return None;
        }
    };
    let fingerprint = FileSha256::of(der);
    checks.pass("certificate-shape", &fingerprint.hex());
    // A certificate needs no hint; one that is there must not lie.
    let hinted = keyid.is_empty() || checks.compare("key-hint", &key.hint(), keyid);
    let authorities = trust.authorities();
    if authorities.is_empty() {
        checks.fail("certificate-path", "no certificate authority is trusted");
        return None;
    }
    let (names, issuer) = check_certificate(&certificate, authorities.root(), times, checks)?;
    let candidates = names.iter().map(|name| Identity { identity: name.text().to_owned(), issuer: issuer.clone() });
    let found: Vec<Identity> = candidates.collect();
    let Some(identity) = found.iter().find(|identity| trust.rules().names(identity)) else {
        let shown: Vec<&str> = found.iter().map(|identity| identity.identity.as_str()).collect();
        checks.fail("signer-trusted", &format!("no policy names the identity {} of {issuer}", shown.join(", ")));
        return None;
    };
    checks.pass("signer-trusted", &format!("{} of {issuer}", identity.identity));
    let certified = Some(Certified { identity: identity.clone(), fingerprint });
    Some(Found { key, verifier: EntryVerifier::Certificate(der.to_vec()), certified, hinted })
}
