//! The OIDC token that says who signs: from a file, the environment, or GitHub Actions.
//!
//! It is a password for some minutes: never shown, sent to the Fulcio instance only. Not here: what it says, which Fulcio checks.

use std::path::Path;

use sealtrace_store::read_bounded;
use serde::Deserialize;

use super::error::FulcioError;
use crate::http::NetworkArgs;

/// The most bytes of a token (ours; GitHub's have about 2 kB).
const MAX_TOKEN_BYTES: usize = 32 << 10;
/// Names a token, as the Sigstore clients read it.
const TOKEN_VARIABLE: &str = "SIGSTORE_ID_TOKEN";
/// Where a GitHub Actions job asks for a token, and with what (GitHub's documentation, *`OpenID` Connect reference*).
const GITHUB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const GITHUB_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// Whom the token is for.
const AUDIENCE: &str = "sigstore";

/// A token; its `Debug` output is none.
pub(super) struct IdentityToken(String);

#[derive(Deserialize)]
struct GitHubAnswer {
    value: String,
}

impl IdentityToken {
    /// The token of the first of these places that has one.
    pub(super) fn find(file: Option<&Path>, network: &NetworkArgs) -> Result<Self, FulcioError> {
        if let Some(path) = file {
            let bytes = read_bounded(path, u64::try_from(MAX_TOKEN_BYTES).unwrap_or(u64::MAX))?;
            return Self::parse(&String::from_utf8_lossy(&bytes), "the file");
        }
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(text) = variable(TOKEN_VARIABLE) {
            return Self::parse(&text, TOKEN_VARIABLE);
        }
        match variable(GITHUB_URL).zip(variable(GITHUB_TOKEN)) {
            Some((url, bearer)) => Self::from_github(&url, &bearer, network),
            None => Err(FulcioError::NoToken),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    fn from_github(url: &str, bearer: &str, network: &NetworkArgs) -> Result<Self, FulcioError> {
        // The address has a path and a query, a server has none.
        let host = url
            .find("://")
            .and_then(|scheme| url.get(scheme.saturating_add(3)..))
            .and_then(|rest| rest.find('/').map(|at| rest.len() - at));
        let (base, path) = host.and_then(|from_end| url.split_at_checked(url.len() - from_end)).ok_or(FulcioError::GitHub)?;
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{}{joint}audience={AUDIENCE}", path.strip_prefix('/').unwrap_or(path));
        let reply = network.server(base)?.get_as(&path, bearer, u64::try_from(MAX_TOKEN_BYTES).unwrap_or(u64::MAX))?;
        if reply.status != 200 {
            return Err(FulcioError::Refused { url: base.to_owned(), status: reply.status, says: reply.excerpt() });
        }
        let answer: GitHubAnswer = sealtrace_json::parse(&reply.body, MAX_TOKEN_BYTES)?;
        Self::parse(&answer.value, "GitHub's answer")
    }

    /// Three parts of base64url with dots between them (RFC 7519); anything else is not sent anywhere.
    fn parse(text: &str, place: &'static str) -> Result<Self, FulcioError> {
        let text = text.trim();
        let part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if text.split('.').count() == 3 && text.split('.').all(part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(FulcioError::Token { place })
        }
    }
}

impl std::fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityToken(…)")
    }
}
