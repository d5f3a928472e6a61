//! Keys of signed notes on the command line: a vkey, or a file with a vkey or a public key in it.

use std::path::Path;

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_crypto::VerifyingKey;
use sealtrace_tlog::{CosignerKey, KeyName, MAX_VKEY_BYTES, NoteKey};

use super::init::parse_origin;

/// Which logs a log witness cosigns.
#[derive(Debug, clap::Args)]
pub(super) struct LogKeyArgs {
    /// A log whose checkpoints are cosigned: its vkey (NAME+ID+KEY), or a file with its vkey or public key (PEM); repeatable
    #[arg(long, value_name = "KEY", required = true)]
    log_key: Vec<String>,
    /// The name of the log whose public key is a PEM file
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
}

impl LogKeyArgs {
    /// The keys.
    ///
    /// # Errors
    /// Exit 2 or 3.
    pub(super) fn keys(&self) -> Result<Vec<NoteKey>, Failure> {
        self.log_key.iter().map(|text| self.key(text)).collect()
    }

    fn key(&self, text: &str) -> Result<NoteKey, Failure> {
        let content = text_of(text)?;
        if !content.starts_with("-----BEGIN") {
            return parse(text, &content);
        }
        let wrong = |error: &dyn std::fmt::Display| {
            Failure::new(ExitCode::Malformed, format_args!("{}: {error}", escape(text)))
                .hint("name the log's public key: SPKI PEM, as `symbol-bundle key generate` writes K.pub")
        };
        let Some(origin) = &self.origin else {
            return Err(Failure::new(ExitCode::NoVerdict, format_args!("{} is a key without a name", escape(text)))
                .hint("name the log that it is of with --origin NAME, or give the log's vkey, which `symbol-bundle log init` prints"));
        };
        let key = VerifyingKey::parse_pem(content.as_bytes()).map_err(|error| wrong(&error))?;
        let name = KeyName::parse(parse_origin(origin)?.as_str()).map_err(|error| wrong(&error))?;
        NoteKey::of_log(name, key).map_err(|error| wrong(&error))
    }
}

/// A log witness's key from the command line.
///
/// # Errors
/// Exit 2 or 3.
pub(super) fn witness_key(text: &str) -> Result<CosignerKey, Failure> {
    let key = parse(text, &text_of(text)?)?;
    CosignerKey::new(key).map_err(|error| {
        Failure::new(ExitCode::NoVerdict, format_args!("{}: {error}", escape(text)))
            .hint("name the vkey that `symbol-bundle log witness init` or `show` prints")
    })
}

fn parse(text: &str, vkey: &str) -> Result<NoteKey, Failure> {
    NoteKey::parse(vkey).map_err(|error| {
        Failure::new(ExitCode::Malformed, format_args!("{}: {error}", escape(text)))
            .hint("a vkey is NAME+ID+KEY in one line, as `symbol-bundle log init` and `log witness init` print it")
    })
}

/// The text itself when it is a vkey, else the content of the file that it names.
fn text_of(text: &str) -> Result<String, Failure> {
    let path = Path::new(text);
    if text.contains('+') && !path.exists() {
        return Ok(text.to_owned());
    }
    let limit = u64::try_from(MAX_VKEY_BYTES).unwrap_or(u64::MAX);
    let bytes = sealtrace_store::read_bounded(path, limit).map_err(|error| {
        Failure::new(ExitCode::NoVerdict, error).hint("name a vkey (NAME+ID+KEY), or a file with one or with a public key")
    })?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
