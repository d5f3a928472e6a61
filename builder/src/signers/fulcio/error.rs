//! Why a key is not certified, and what to do next.

use sealtrace_certificate::{CertificateError, MAX_PATH, PathError};
use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_json::JsonError;
use sealtrace_signer::SigningKeyError;
use sealtrace_store::StoreError;

use crate::http::HttpError;

/// Why a key is not certified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FulcioError {
    /// Nobody gives a token.
    #[error("keyless signing needs an OIDC token, and none was found")]
    NoToken,
    /// The token's file cannot be read.
    #[error("identity token: {0}")]
    TokenFile(#[from] StoreError),
    /// Not a token; never shown.
    #[error("{place} holds no OIDC token: three parts of base64url with dots between them")]
    Token {
        /// Where it was.
        place: &'static str,
    },
    /// GitHub's variables make no sense.
    #[error("ACTIONS_ID_TOKEN_REQUEST_URL is no address")]
    GitHub,
    /// There is no answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The answer is a refusal.
    #[error("{} refuses with {status}: {}", escape(url), escape(says))]
    Refused {
        /// Who.
        url: String,
        /// The status code.
        status: u16,
        /// The beginning of its words.
        says: String,
    },
    /// The answer is no JSON that we know.
    #[error("the answer: {0}")]
    Json(#[from] JsonError),
    /// No certificate in the answer.
    #[error("the answer has no certificate in it")]
    NoCertificate,
    /// The certificate's timestamp lies beside it.
    #[error("the answer has its signed certificate timestamp beside the certificate, and a bundle has no room for it")]
    DetachedSct,
    /// A chain of no use.
    #[error("the answer has {found} certificates, expected 2 to {}", MAX_PATH + 1)]
    Chain {
        /// How many.
        found: usize,
    },
    /// Not PEM of a certificate.
    #[error("the answer's certificate is not PEM: {reason}")]
    Pem {
        /// The decoder's words.
        reason: String,
    },
    /// Not a certificate.
    #[error("the answer's certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The certificate is of another key.
    #[error("the certificate is of another key than the one that was to be certified")]
    OtherKey,
    /// Leaf and chain do not hold together.
    #[error("the certificates do not hold together: {0}")]
    Path(#[from] PathError),
    /// The key cannot be made.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// The question has no JSON form.
    #[error("the request cannot be written: {reason}")]
    Encode {
        /// Why.
        reason: String,
    },
}

/// The failure, with what to do next.
pub(crate) fn failure(error: &FulcioError) -> Failure {
    let exit = match error {
        FulcioError::Http(error) => return error.into(),
        FulcioError::Refused { .. } | FulcioError::OtherKey | FulcioError::Path(_) => ExitCode::Rejected,
        FulcioError::Json(_)
        | FulcioError::NoCertificate
        | FulcioError::Chain { .. }
        | FulcioError::Pem { .. }
        | FulcioError::Certificate(_)
        | FulcioError::Token { .. } => ExitCode::Malformed,
        _ => ExitCode::NoVerdict,
    };
    Failure::from_error(exit, "fulcio", error).hint(match error {
        FulcioError::NoToken | FulcioError::Token { .. } | FulcioError::TokenFile(_) | FulcioError::GitHub => {
            "name the token with --identity-token FILE or SIGSTORE_ID_TOKEN; a GitHub Actions job needs `permissions: id-token: write`"
        }
        FulcioError::Refused { .. } => "nothing was written; get a fresh token, and check that the instance knows its issuer",
        _ => "nothing was written; check the instance's address, and tell its operator",
    })
}
