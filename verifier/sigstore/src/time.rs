//! Authenticated time: RFC 3161 time stamps over the signature, and Rekor v1's promises.

use sealtrace_certificate::{TimestampError, TimestampToken, VerifiedTimestamp, verify_timestamp};
use sealtrace_verdict::{Checks, UnixTime};

use crate::root::TrustedRoot;

/// A moment that a trusted party vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedTime {
    /// When.
    pub time: UnixTime,
    /// Who says so.
    pub source: TimeSource,
}

/// What vouches for a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeSource {
    /// A time stamp authority, by the SHA-256 of its certificate.
    Timestamp {
        /// In hex.
        authority: String,
    },
    /// A Rekor v1 log's signed entry timestamp.
    Promise {
        /// The log's name.
        log: String,
    },
}

impl std::fmt::Display for TimeSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Timestamp { authority } => write!(f, "time stamp authority {}", authority.chars().take(16).collect::<String>()),
            Self::Promise { log } => write!(f, "signed entry timestamp of {log}"),
        }
    }
}

/// `timestamp`: every stamp of a trusted authority must hold. Stamps of unknown authorities say nothing.
pub(crate) fn check_timestamps(
    stamps: &[Vec<u8>],
    signature: &[u8],
    root: &TrustedRoot,
    checks: &mut Checks,
) -> Option<Vec<AuthenticatedTime>> {
    const ID: &str = "timestamp";
    if stamps.is_empty() {
        checks.skipped(ID, "the bundle carries no time stamp");
        return Some(Vec::new());
    }
    let (mut times, mut all) = (Vec::new(), true);
    for stamp in stamps {
        let token = match TimestampToken::parse(stamp) {
            Ok(token) => token,
            Err(error) => {
                checks.fail(ID, &error.to_string());
                all = false;
                continue;
            }
        };
        match verified(&token, signature, root) {
            Ok(stamp) => {
                checks.pass(ID, &stamp.time().to_string());
                times.push(AuthenticatedTime {
                    time: stamp.time(),
                    source: TimeSource::Timestamp { authority: hex::encode(stamp.authority()) },
                });
            }
            Err(Refused::Unknown) => checks.skipped(ID, "the time stamp is of no authority that is trusted: it proves nothing"),
            Err(Refused::Invalid(reason)) => {
                checks.fail(ID, &reason);
                all = false;
            }
        }
    }
    all.then_some(times)
}

enum Refused {
    Unknown,
    Invalid(String),
}

fn verified(token: &TimestampToken, signature: &[u8], root: &TrustedRoot) -> Result<VerifiedTimestamp, Refused> {
    let mut refused = Refused::Unknown;
    for authority in &root.timestamp_authorities {
        match verify_timestamp(token, signature, &authority.chain) {
            Ok(stamp) if authority.window.holds(stamp.time()) => return Ok(stamp),
            Ok(stamp) => {
                refused = Refused::Invalid(format!("the authority is trusted from {}, the stamp is of {}", authority.window, stamp.time()));
            }
            Err(TimestampError::Signer) => {}
            Err(error) => refused = Refused::Invalid(error.to_string()),
        }
    }
    Err(refused)
}
