//! Keys that live for one signature, certified by a Fulcio instance for the identity in an OIDC token.
//!
//! The instance is believed in nothing but that it answers: leaf, chain and key are checked against each other here; whether the
//! authority is to be trusted, and the embedded SCTs, are the verifier's to judge. Not here: how the certificate enters a bundle.

mod csr;
mod error;
mod token;

use std::path::PathBuf;

use sealtrace_certificate::{Certificate, MAX_PATH, Purpose, VerifiedPath, verify_path};
use sealtrace_console::{escape, note};
use sealtrace_envelope::{PublicKey, encode_base64};
use sealtrace_signer::{Signer, SignerError, SigningKey};
use serde::{Deserialize, Serialize};

use crate::http::NetworkArgs;
pub(crate) use error::{FulcioError, failure};
use token::IdentityToken;

/// The most bytes of an answer (ours; the public instance sends about 4 kB).
const MAX_ANSWER_BYTES: usize = 256 << 10;
/// Where certificates are asked for (fulcio.proto, `CreateSigningCertificate`).
const PATH: &str = "api/v2/signingCert";

/// Arguments of commands that may sign by `fulcio`.
#[derive(Debug, clap::Args)]
pub(crate) struct FulcioArgs {
    /// The OIDC token for --key fulcio [default: $`SIGSTORE_ID_TOKEN`, else what GitHub Actions gives]
    #[arg(long, value_name = "FILE")]
    identity_token: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArgs,
}

/// A key and its certificate.
#[derive(Debug)]
pub(crate) struct FulcioSigner {
    key: SigningKey,
    certificate: Vec<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ask<'a> {
    credentials: Credentials<'a>,
    certificate_signing_request: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credentials<'a> {
    oidc_identity_token: &'a str,
}

/// What we read of the answer; an instance may say more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    signed_certificate_embedded_sct: Option<Issued>,
    signed_certificate_detached_sct: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Issued {
    chain: Chain,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<String>,
}

impl FulcioSigner {
    /// Makes a key and has it certified.
    ///
    /// # Errors
    /// [`FulcioError`]
    pub(crate) fn open(url: &str, args: &FulcioArgs) -> Result<Self, FulcioError> {
        let server = args.network.server(url)?;
        let token = IdentityToken::find(args.identity_token.as_deref(), &args.network)?;
        let key = SigningKey::generate()?;
        let ask = Ask {
            credentials: Credentials { oidc_identity_token: token.text() },
            certificate_signing_request: encode_base64(csr::request(&key)?.as_bytes()),
        };
        let body = serde_json::to_vec(&ask).map_err(|error| FulcioError::Encode { reason: error.to_string() })?;
        let reply = server.post(PATH, "application/json", &body, u64::try_from(MAX_ANSWER_BYTES).unwrap_or(u64::MAX))?;
        if !(200..=299).contains(&reply.status) {
            return Err(FulcioError::Refused { url: server.url().to_owned(), status: reply.status, says: reply.excerpt() });
        }
        let (leaf, chain) = certificates(&reply.body)?;
        let path = checked(&leaf, &chain, &key)?;
        tell(&path)?;
        Ok(Self { key, certificate: leaf.der().to_vec() })
    }
}

impl Signer for FulcioSigner {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.key.sign(message)?)
    }

    fn certificate(&self) -> Option<&[u8]> {
        Some(&self.certificate)
    }
}

/// The leaf, and the chain above it.
fn certificates(body: &[u8]) -> Result<(Certificate, Vec<Certificate>), FulcioError> {
    let answer: Answer = sealtrace_json::parse(body, MAX_ANSWER_BYTES)?;
    let issued = match (answer.signed_certificate_embedded_sct, answer.signed_certificate_detached_sct) {
        (Some(issued), _) => issued,
        (None, Some(_)) => return Err(FulcioError::DetachedSct),
        (None, None) => return Err(FulcioError::NoCertificate),
    };
    let found = issued.chain.certificates.len();
    if !(2..=MAX_PATH + 1).contains(&found) {
        return Err(FulcioError::Chain { found });
    }
    let mut chain = Vec::new();
    for pem in &issued.chain.certificates {
        let (label, der) = der::pem::decode_vec(pem.as_bytes()).map_err(|error| FulcioError::Pem { reason: error.to_string() })?;
        if label != "CERTIFICATE" {
            return Err(FulcioError::Pem { reason: format!("a {label:?}") });
        }
        chain.push(Certificate::parse(&der)?);
    }
    let leaf = chain.remove(0);
    Ok((leaf, chain))
}

/// That the leaf is of our key and was issued under the chain that came with it, for signing, at its own first moment.
fn checked<'a>(leaf: &'a Certificate, chain: &'a [Certificate], key: &SigningKey) -> Result<VerifiedPath<'a>, FulcioError> {
    if leaf.key().spki() != key.public_key().spki() {
        return Err(FulcioError::OtherKey);
    }
    let (from, _) = leaf.validity();
    Ok(verify_path(leaf, chain, Purpose::CodeSigning, from)?)
}

/// Says whom the certificate names: a wrong token is noticed here or never.
fn tell(path: &VerifiedPath<'_>) -> Result<(), FulcioError> {
    let malformed = |error| FulcioError::Path(sealtrace_certificate::PathError::Der(error));
    let names = path.subject_names().map_err(malformed)?;
    let names: Vec<String> = names.iter().map(|name| escape(name.text())).collect();
    let issuer = path.oidc_issuer().map_err(malformed)?.unwrap_or_else(|| "an issuer that it does not name".to_owned());
    let (from, until) = path.leaf().validity();
    note(&format!("certified: {} by {}, from {from} to {until}", names.join(", "), escape(&issuer)));
    Ok(())
}
