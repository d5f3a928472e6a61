//! Which log a command means: one on disk, or a Rekor v2 log by its URL. Shared by `append` and `submit`.

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_signer::{SigningKey, read_public_key_file};
use sealtrace_tlog::{LogKey, Origin};

use super::init::parse_origin;
use crate::attach::{AttachError, LogTarget, TrustFolder, key_failure};
use crate::commands::next;
use crate::http::NetworkArgs;
use crate::rekor::{READ_PREFIX, RekorClient, RekorError};

/// Arguments that name a log.
#[derive(Debug, clap::Args)]
pub(super) struct TargetArgs {
    /// The log's folder
    #[arg(long, value_name = "DIR", conflicts_with = "rekor")]
    pub(super) log: Option<PathBuf>,
    /// A Rekor v2 log, e.g. `https://log.example.org`
    #[arg(long, value_name = "URL")]
    pub(super) rekor: Option<String>,
    /// With --log: the log's key, when `log init --key` named one; with --rekor: the log's public key (PEM) [default: by the trust folder]
    #[arg(long, value_name = "KEY")]
    pub(super) log_key: Option<PathBuf>,
    /// With --rekor: the log's name, the first line of its checkpoints [default: the URL without its scheme]
    #[arg(long, value_name = "NAME", requires = "rekor", conflicts_with = "log")]
    origin: Option<String>,
    /// With --rekor: where the log serves its checkpoint and tiles [default: URL/api/v2]
    #[arg(long, value_name = "URL", requires = "rekor", conflicts_with = "log")]
    tiles: Option<String>,
    #[command(flatten)]
    network: NetworkArgs,
}

/// A log that is ready to take entries.
#[derive(Debug)]
pub(super) enum Target {
    /// On disk.
    Disk {
        /// Its folder.
        log: PathBuf,
        /// Its key file.
        key: Option<PathBuf>,
    },
    /// Over the network.
    Rekor(RekorClient),
}

impl Target {
    /// For `log_layout`.
    pub(super) fn borrowed(&self) -> LogTarget<'_> {
        match self {
            Self::Disk { log, key } => LogTarget::Disk { log, key: key.as_deref() },
            Self::Rekor(client) => LogTarget::Rekor(client),
        }
    }
}

impl TargetArgs {
    /// The log that was named; `None` when none was.
    ///
    /// # Errors
    /// A failure with the documented exit code.
    pub(super) fn open(&self, folder: &TrustFolder) -> Result<Option<Target>, Failure> {
        if let Some(log) = &self.log {
            return Ok(Some(Target::Disk { log: log.clone(), key: self.log_key.clone() }));
        }
        let Some(url) = &self.rekor else { return Ok(None) };
        let server = |url: &str| self.network.server(url).map_err(|error| Failure::from(&error));
        let writer = server(url)?;
        let reader = match &self.tiles {
            Some(tiles) => server(tiles)?,
            None => server(&format!("{}/{READ_PREFIX}", writer.url()))?,
        };
        let logs = self.logs(writer.url(), folder)?;
        Ok(Some(Target::Rekor(RekorClient { writer, reader, logs })))
    }

    /// The logs that an answer may be of: the one named, else those of the trust folder.
    fn logs(&self, url: &str, folder: &TrustFolder) -> Result<Vec<LogKey>, Failure> {
        let named = self.origin.as_deref().map(parse_origin).transpose()?;
        if let Some(path) = &self.log_key {
            let origin = named.map_or_else(|| origin_of(url), Ok)?;
            return Ok(vec![LogKey { origin, key: read_log_key(path)? }]);
        }
        let trust = folder.read()?;
        let known = trust.logs().iter().map(|known| known.log.clone());
        let logs: Vec<LogKey> = known.filter(|log| named.as_ref().is_none_or(|origin| *origin == log.origin)).collect();
        if logs.is_empty() {
            let shown = escape(&folder.path().display().to_string());
            return Err(Failure::from(AttachError::from(RekorError::NoLogKey)).hint(format_args!(
                "name the log's public key with --log-key PEM, as its operator gave it to you out of band; {shown} holds no log{}",
                named.map_or_else(String::new, |origin| format!(" of the name {origin}"))
            )));
        }
        Ok(logs)
    }

    /// The arguments again, for a next step.
    pub(super) fn again(&self) -> String {
        let text = |name: &str, value: &Option<String>| {
            value.as_ref().map_or_else(String::new, |value| format!(" {name} {}", next::quoted(value)))
        };
        [
            next::option("--log", self.log.as_deref()),
            text("--rekor", &self.rekor),
            next::option("--log-key", self.log_key.as_deref()),
            text("--origin", &self.origin),
            text("--tiles", &self.tiles),
        ]
        .concat()
    }
}

/// The name that a log of this URL has by Sigstore's custom: host and path.
fn origin_of(url: &str) -> Result<Origin, Failure> {
    parse_origin(url.split_once("://").map_or(url, |(_, rest)| rest))
}

fn read_log_key(path: &Path) -> Result<sealtrace_envelope::PublicKey, Failure> {
    read_public_key_file(path).map_err(|error| {
        let failure = key_failure(&error);
        // `--log-key` is a private key with --log.
        if SigningKey::load(path).is_ok() {
            return Failure::new(ExitCode::NoVerdict, format_args!("{} is a private key", escape(&path.display().to_string())))
                .hint("a log over the network is verified with its public key: --log-key K.pub");
        }
        failure
    })
}
