//! Keys of signed notes on the command line: a vkey, or a file with a vkey or a public key in it.

use std::path::Path;

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_crypto::VerifyingKey;
use sealtrace_envelope::PublicKey;
use sealtrace_tlog::{CosignerKey, KeyName, LogKey, MAX_VKEY_BYTES, NoteKey, Origin};

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
        let content = text_of(Path::new(text))?;
        if !is_pem(&content) {
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
    let key = parse(text, &text_of(Path::new(text))?)?;
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

/// The key of a log that bundles are appended to: a public key (PEM) with the log's name from elsewhere, or a vkey, which says it.
///
/// # Errors
/// Exit 2 or 3.
pub(super) fn log_key(path: &Path, named: Option<Origin>, otherwise: impl FnOnce() -> Result<Origin, Failure>) -> Result<LogKey, Failure> {
    let shown = escape(&path.display().to_string());
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(ExitCode::Malformed, format_args!("{shown}: {error}"))
            .hint("name the log's public key (PEM, ECDSA P-256) or its vkey (NAME+ID+KEY), as its operator gave it to you out of band")
    };
    let content = text_of(path)?;
    if is_pem(&content) {
        // `--log-key` is a private key with --log.
        if content.lines().next().is_some_and(|first| first.contains("PRIVATE KEY")) {
            return Err(Failure::new(ExitCode::NoVerdict, format_args!("{shown} is a private key"))
                .hint("a log over the network is verified with its public key: --log-key K.pub, or its vkey"));
        }
        let key = PublicKey::parse_pem(content.as_bytes()).map_err(|error| wrong(&error))?;
        return Ok(LogKey { origin: named.map_or_else(otherwise, Ok)?, key });
    }
    let vkey = NoteKey::parse(&content).map_err(|error| wrong(&error))?;
    let origin = Origin::parse(vkey.name().as_str()).map_err(|error| wrong(&error))?;
    if let Some(named) = named.filter(|named| *named != origin) {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("--origin says {named}, and the vkey is of {origin}"))
            .hint("leave --origin out, or name the vkey of that log"));
    }
    // A vkey of type 0x02 holds the whole key, not its hash.
    let key = PublicKey::parse_der(vkey.key().spki()).map_err(|_other| {
        Failure::new(
            ExitCode::NoVerdict,
            format_args!("the vkey of {origin} holds a key of another kind than ECDSA P-256: {}", vkey.key().algorithm()),
        )
        .hint("bundles are appended to logs that sign with ECDSA P-256: name another log")
    })?;
    Ok(LogKey { origin, key })
}

/// Whether an argument is a vkey itself, and no file's name.
pub(super) fn is_vkey(argument: &Path) -> bool {
    argument.to_string_lossy().contains('+') && !argument.exists()
}

fn is_pem(content: &str) -> bool {
    content.starts_with("-----BEGIN")
}

/// The text itself when it is a vkey, else the content of the file that it names.
fn text_of(argument: &Path) -> Result<String, Failure> {
    if is_vkey(argument) {
        return Ok(argument.to_string_lossy().into_owned());
    }
    let limit = u64::try_from(MAX_VKEY_BYTES).unwrap_or(u64::MAX);
    let bytes = sealtrace_store::read_bounded(argument, limit).map_err(|error| {
        Failure::new(ExitCode::NoVerdict, error).hint("name a vkey (NAME+ID+KEY), or a file with one or with a public key")
    })?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
