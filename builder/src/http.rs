//! Requests to servers that are not trusted: bounded in bytes and time, no redirect followed, tried again where that may help.
//!
//! Nothing that comes back is believed here. Not here: what is asked and what an answer means (`rekor`, `witness`).

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealtrace_console::{ExitCode, Failure, escape};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// How often a request is made in all when the connection is cut or the server says that it is busy.
const ATTEMPTS: u32 = 4;
/// How long before the second attempt; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest that a server's `Retry-After` is obeyed.
const MAX_PAUSE: Duration = Duration::from_secs(15);
/// The most bytes of a response's header (ours).
const MAX_HEADER_BYTES: usize = 32 << 10;
/// The most bytes of a file of TLS roots (ours; what distributions install is about 220 kB).
const MAX_ROOTS_BYTES: u64 = 8 << 20;
/// How much of a server's words is shown.
const EXCERPT: usize = 200;
/// Where distributions keep the TLS roots that they trust, in this order.
const SYSTEM_ROOTS: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Arguments of commands that ask a server.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct NetworkArgs {
    /// How long to wait for one answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// TLS roots (PEM) to accept a server by [default: those of this system]
    #[arg(long, value_name = "PEM")]
    tls_ca: Option<PathBuf>,
}

impl NetworkArgs {
    /// The server at a URL. Nothing is sent yet.
    ///
    /// # Errors
    /// [`HttpError::Url`], [`HttpError::Roots`].
    pub(crate) fn server(&self, url: &str) -> Result<Server, HttpError> {
        let base = check_url(url)?;
        let timeout = Duration::from_secs(self.timeout);
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(MAX_HEADER_BYTES)
            .timeout_global(Some(timeout))
            .user_agent(concat!("symbol-bundle/", env!("CARGO_PKG_VERSION")));
        if base.starts_with("https:") {
            config = config.tls_config(tls(self.tls_ca.as_deref())?);
        }
        Ok(Server { base, agent: config.build().into(), timeout })
    }
}

/// A server, by the URL before every path.
#[derive(Debug)]
pub(crate) struct Server {
    base: String,
    agent: ureq::Agent,
    timeout: Duration,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Status code: 200 to 299, or 400 to 499 but for 429.
    pub(crate) status: u16,
    /// The body, no longer than the caller allowed.
    pub(crate) body: Vec<u8>,
    headers: ureq::http::HeaderMap,
}

/// Why there is no answer to look at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum HttpError {
    /// Not a URL that can be asked.
    #[error("{} is no URL of a server: {why}", escape(url))]
    Url {
        /// What was given.
        url: String,
        /// Why not.
        why: &'static str,
    },
    /// The TLS roots cannot be used.
    #[error("TLS roots {}: {why}", escape(&path.display().to_string()))]
    Roots {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// No connection, or it was cut, or TLS failed.
    #[error("{}: no answer: {why} (attempts made: {attempts})", escape(url))]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why.
        why: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// It took too long.
    #[error("{}: no whole answer within {seconds} s", escape(url))]
    TooSlow {
        /// What was asked.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// The server says that it cannot, now.
    #[error("{}: the server answers {status}, after {attempts} attempts: {}", escape(url), escape(says))]
    Busy {
        /// What was asked.
        url: String,
        /// 429 or 500 to 599.
        status: u16,
        /// How often it was tried.
        attempts: u32,
        /// The beginning of its words.
        says: String,
    },
    /// The server sends elsewhere.
    #[error("{}: the server answers {status} and sends to {}, which is not followed", escape(url), escape(to))]
    Redirect {
        /// What was asked.
        url: String,
        /// 300 to 399.
        status: u16,
        /// Where to.
        to: String,
    },
    /// More bytes than any right answer has.
    #[error("{}: the answer is longer than {limit} bytes", escape(url))]
    TooLarge {
        /// What was asked.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// Not HTTP.
    #[error("{}: the answer is no HTTP: {why}", escape(url))]
    NotHttp {
        /// What was asked.
        url: String,
        /// Why not.
        why: String,
    },
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
enum Ask<'a> {
    Get,
    /// With a password that is sent to this server alone.
    #[cfg(feature = "fulcio")]
    GetAs {
        bearer: &'a str,
    },
    Post {
        content_type: &'a str,
        body: &'a [u8],
    },
}

/// One attempt that may be followed by another.
enum Attempt {
    Answered(Reply),
    Again { why: HttpError, after: Option<Duration> },
}

impl Server {
    /// The URL before every path, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.base
    }

    /// `GET base/path`.
    ///
    /// # Errors
    /// [`HttpError`]
    pub(crate) fn get(&self, path: &str, limit: u64) -> Result<Reply, HttpError> {
        self.ask(path, Ask::Get, limit)
    }

    /// `GET base/path` with a bearer token.
    ///
    /// # Errors
    /// [`HttpError`]
    #[cfg(feature = "fulcio")]
    pub(crate) fn get_as(&self, path: &str, bearer: &str, limit: u64) -> Result<Reply, HttpError> {
        self.ask(path, Ask::GetAs { bearer }, limit)
    }

    /// `POST base/path`. It may arrive more than once.
    ///
    /// # Errors
    /// [`HttpError`]
    pub(crate) fn post(&self, path: &str, content_type: &str, body: &[u8], limit: u64) -> Result<Reply, HttpError> {
        self.ask(path, Ask::Post { content_type, body }, limit)
    }

    fn ask(&self, path: &str, ask: Ask<'_>, limit: u64) -> Result<Reply, HttpError> {
        let url = format!("{}/{path}", self.base);
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.attempt(&url, ask, limit, attempt)? {
                Attempt::Answered(reply) => return Ok(reply),
                Attempt::Again { why, .. } if attempt >= ATTEMPTS => return Err(why),
                Attempt::Again { after, .. } => std::thread::sleep(after.unwrap_or(pause).min(MAX_PAUSE)),
            }
            pause = pause.saturating_mul(2);
        }
        Err(HttpError::Unreachable { url, why: "not tried".to_owned(), attempts: 0 })
    }

    fn attempt(&self, url: &str, ask: Ask<'_>, limit: u64, attempt: u32) -> Result<Attempt, HttpError> {
        let started = Instant::now();
        let sent = match ask {
            Ask::Get => self.agent.get(url).call(),
            #[cfg(feature = "fulcio")]
            Ask::GetAs { bearer } => self.agent.get(url).header("authorization", format!("bearer {bearer}")).call(),
            Ask::Post { content_type, body } => self.agent.post(url).header("content-type", content_type).send(body),
        };
        let response = match sent {
            Ok(response) => response,
            Err(error) => return self.failed(url, &error, attempt),
        };
        let (parts, body) = response.into_parts();
        let mut bytes = Vec::new();
        let read = body.into_reader().take(limit.saturating_add(1)).read_to_end(&mut bytes);
        if let Err(error) = read {
            return self.failed(url, &ureq::Error::from(error), attempt);
        }
        // A server that sends a byte now and then resets no limit of ours.
        if started.elapsed() > self.timeout {
            return Err(self.too_slow(url));
        }
        if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
            return Err(HttpError::TooLarge { url: url.to_owned(), limit });
        }
        let reply = Reply { status: parts.status.as_u16(), body: bytes, headers: parts.headers };
        match reply.status {
            200..=299 | 400..=428 | 430..=499 => Ok(Attempt::Answered(reply)),
            300..=399 => Err(HttpError::Redirect {
                url: url.to_owned(),
                status: reply.status,
                to: reply.header("location").unwrap_or("an unnamed place").chars().take(EXCERPT).collect(),
            }),
            429 | 500..=599 => {
                let after = reply.header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
                let why = HttpError::Busy { url: url.to_owned(), status: reply.status, attempts: attempt, says: reply.excerpt() };
                Ok(Attempt::Again { why, after })
            }
            other => Err(HttpError::NotHttp { url: url.to_owned(), why: format!("status {other}") }),
        }
    }

    fn failed(&self, url: &str, error: &ureq::Error, attempts: u32) -> Result<Attempt, HttpError> {
        let unreachable = |why: String| HttpError::Unreachable { url: url.to_owned(), why, attempts };
        match error {
            ureq::Error::Timeout(_) => Err(self.too_slow(url)),
            ureq::Error::Io(error) if matches!(error.kind(), std::io::ErrorKind::TimedOut) => Err(self.too_slow(url)),
            ureq::Error::Io(error) => Ok(Attempt::Again { why: unreachable(error.to_string()), after: None }),
            ureq::Error::ConnectionFailed => Ok(Attempt::Again { why: unreachable("connection failed".to_owned()), after: None }),
            ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::LargeResponseHeader(..) => {
                Err(HttpError::NotHttp { url: url.to_owned(), why: error.to_string() })
            }
            other => Err(unreachable(other.to_string())),
        }
    }

    fn too_slow(&self, url: &str) -> HttpError {
        HttpError::TooSlow { url: url.to_owned(), seconds: self.timeout.as_secs() }
    }
}

impl Reply {
    /// A header's value, when it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The beginning of the body, for an error's words.
    pub(crate) fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let words: Vec<&str> = text.split_whitespace().collect();
        let line: String = words.join(" ").chars().take(EXCERPT).collect();
        if line.is_empty() { "nothing".to_owned() } else { line }
    }
}

/// A URL without a slash at its end.
fn check_url(url: &str) -> Result<String, HttpError> {
    let wrong = |why| HttpError::Url { url: url.to_owned(), why };
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let rest = rest.ok_or_else(|| wrong("it begins neither with http:// nor with https://"))?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() {
        return Err(wrong("it names no host"));
    }
    if host.contains('@') {
        return Err(wrong("it carries a password, which would be shown to others"));
    }
    if rest.contains(['?', '#']) || !rest.bytes().all(|byte| byte.is_ascii_graphic()) || url.parse::<ureq::http::Uri>().is_err() {
        return Err(wrong("it is a scheme, a host and a path, and nothing else"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn tls(named: Option<&Path>) -> Result<TlsConfig, HttpError> {
    let system = || SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.is_file());
    let path = named.or_else(system).unwrap_or(Path::new("/etc/ssl/certs/ca-certificates.crt"));
    let wrong = |why: String| HttpError::Roots { path: path.to_owned(), why };
    let bytes = sealtrace_store::read_bounded(path, MAX_ROOTS_BYTES).map_err(|error| wrong(error.to_string()))?;
    let mut roots: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&bytes) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.to_string()))? {
            roots.push(certificate);
        }
    }
    if roots.is_empty() {
        return Err(wrong("no certificate in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = TlsConfig::builder().provider(TlsProvider::Rustls).root_certs(RootCerts::new_with_certs(&roots));
    Ok(config.unversioned_rustls_crypto_provider(provider).build())
}

impl From<&HttpError> for Failure {
    fn from(error: &HttpError) -> Self {
        let (exit, hint) = match error {
            HttpError::Url { .. } => (ExitCode::NoVerdict, "name the server like https://log.example.org"),
            HttpError::Roots { .. } => (ExitCode::NoVerdict, "name a PEM file of the certificates that vouch for the server with --tls-ca"),
            HttpError::Unreachable { .. } => (
                ExitCode::NoVerdict,
                "check the address and the network; a bundle can wait: `symbol-bundle log append … --defer`, later `symbol-bundle log submit --pending`",
            ),
            HttpError::TooSlow { .. } => (ExitCode::NoVerdict, "run it again, or allow more time with --timeout SECONDS"),
            HttpError::Busy { .. } => {
                (ExitCode::NoVerdict, "run it again later; what was sent already is found again and not logged twice")
            }
            HttpError::Redirect { .. } => (ExitCode::NoVerdict, "name the address that the server gives, if you trust it"),
            HttpError::TooLarge { .. } | HttpError::NotHttp { .. } => {
                (ExitCode::Malformed, "this is no such server; check the address, and whether a portal or a proxy answers in its place")
            }
        };
        Self::new(exit, error).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_scheme_a_host_and_a_path() {
        for (url, base) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("https://log.example.org/", "https://log.example.org"),
            ("https://log.example.org/a/b//", "https://log.example.org/a/b"),
        ] {
            assert_eq!(check_url(url).unwrap(), base);
        }
        for url in [
            "",
            "log.example.org",
            "ftp://x",
            "http://",
            "http:///x",
            "http://a b",
            "http://u:p@x",
            "http://x/?q",
            "http://x/#f",
            "file:///etc",
        ] {
            assert!(matches!(check_url(url), Err(HttpError::Url { .. })), "{url}");
        }
    }
}
