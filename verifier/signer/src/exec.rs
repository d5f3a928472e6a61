//! External signers: a program that is asked for a public key and for signatures (docs/formats/exec-signer.md).
//!
//! No shell is started, and nothing that the program answers is believed: its signatures are verified by [`crate::sign_verified`].

mod process;

use std::time::Duration;

use sealtrace_digest::FileSha256;
use sealtrace_envelope::{KeyError, PublicKey};

use crate::reference::ExecWords;
use crate::signer::{Signer, SignerError};
use process::{Answer, Call};

/// The most bytes of a public key that are read (ours, as for files).
const MAX_PUBLIC_KEY_BYTES: usize = 4 << 10;
/// The most bytes of a signature that are read (ours; DER of P-256 has at most 72).
const MAX_SIGNATURE_BYTES: usize = 1 << 10;
/// Seconds that a program has for one answer (ours: long enough to touch a device).
const DEFAULT_SECONDS: u64 = 60;
/// The environment's word on these seconds.
const TIMEOUT_VARIABLE: &str = "SEALTRACE_EXEC_TIMEOUT";
/// The most seconds (ours).
const MAX_SECONDS: u64 = 3_600;

/// A signer behind a program.
#[derive(Debug)]
pub struct ExecSigner {
    words: ExecWords,
    timeout: Duration,
    public: PublicKey,
}

/// Why an external signer gives no answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// It cannot be started.
    #[error("the signer {program} cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The system fails while it runs.
    #[error("the signer {program} cannot be talked to: {source}")]
    Talk {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// No answer in time; it was killed.
    #[error("the signer {program} gave no answer to `{verb}` in {seconds} s and was killed")]
    Timeout {
        /// The program.
        program: String,
        /// What it was asked.
        verb: &'static str,
        /// How long it had.
        seconds: u64,
    },
    /// More bytes than an answer can have; it was killed.
    #[error("the signer {program} answered `{verb}` with more than {limit} bytes and was killed")]
    Flood {
        /// The program.
        program: String,
        /// What it was asked.
        verb: &'static str,
        /// The limit.
        limit: usize,
    },
    /// It says that it failed.
    #[error("the signer {program} failed at `{verb}` with {status}: {said}")]
    Failed {
        /// The program.
        program: String,
        /// What it was asked.
        verb: &'static str,
        /// Its exit status.
        status: String,
        /// The begin of its standard error, escaped.
        said: String,
    },
    /// Its public key is none of ours.
    #[error("the signer {program} answered `public-key` with {source}")]
    PublicKey {
        /// The program.
        program: String,
        /// Why.
        source: KeyError,
    },
    /// The timeout in the environment is no number of seconds.
    #[error("{TIMEOUT_VARIABLE} is not a number of seconds from 1 to {MAX_SECONDS}")]
    TimeoutVariable,
}

impl ExecSigner {
    /// Asks the program for its public key.
    ///
    /// # Errors
    /// [`ExecError`]
    pub fn open(words: &ExecWords) -> Result<Self, ExecError> {
        Self::open_within(words, timeout(std::env::var_os(TIMEOUT_VARIABLE).as_deref())?)
    }

    /// As [`Self::open`], with the time that each answer may take.
    ///
    /// # Errors
    /// [`ExecError`]
    pub fn open_within(words: &ExecWords, timeout: Duration) -> Result<Self, ExecError> {
        let call = Call { words, verb: "public-key", argument: None, input: &[], limit: MAX_PUBLIC_KEY_BYTES, timeout };
        let pem = process::run(&call).and_then(|answer| success(&call, answer))?;
        let public = PublicKey::parse_pem(&pem).map_err(|source| ExecError::PublicKey { program: call.program(), source })?;
        Ok(Self { words: words.clone(), timeout, public })
    }
}

impl Signer for ExecSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let digest = format!("sha256:{}", FileSha256::of(message).hex());
        let (words, timeout) = (&self.words, self.timeout);
        let call = Call { words, verb: "sign", argument: Some(&digest), input: message, limit: MAX_SIGNATURE_BYTES, timeout };
        Ok(process::run(&call).and_then(|answer| success(&call, answer))?)
    }
}

/// Asks a program one thing, within the usual time: the answer is its standard output, at most `limit` bytes.
pub(crate) fn ask(words: &ExecWords, verb: &'static str, input: &[u8], limit: usize) -> Result<Vec<u8>, ExecError> {
    let timeout = timeout(std::env::var_os(TIMEOUT_VARIABLE).as_deref())?;
    let call = Call { words, verb, argument: None, input, limit, timeout };
    process::run(&call).and_then(|answer| success(&call, answer))
}

fn success(call: &Call<'_>, answer: Answer) -> Result<Vec<u8>, ExecError> {
    if answer.status.success() {
        return Ok(answer.output);
    }
    let said: String = String::from_utf8_lossy(&answer.said).trim().escape_default().to_string();
    let said = if said.is_empty() { "it said nothing".to_owned() } else { said };
    Err(ExecError::Failed { program: call.program(), verb: call.verb, status: answer.status.to_string(), said })
}

fn timeout(variable: Option<&std::ffi::OsStr>) -> Result<Duration, ExecError> {
    let Some(text) = variable.filter(|text| !text.is_empty()) else { return Ok(Duration::from_secs(DEFAULT_SECONDS)) };
    let seconds: Option<u64> = text.to_str().and_then(|text| text.parse().ok());
    let seconds = seconds.filter(|seconds| (1..=MAX_SECONDS).contains(seconds)).ok_or(ExecError::TimeoutVariable)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
