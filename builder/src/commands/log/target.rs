//! Which log a command means: one on disk, or a Rekor v2 log by its URL. Shared by `append` and `submit`.

use std::path::{Path, PathBuf};

use sealtrace_console::{Failure, escape};
use sealtrace_tlog::{LogKey, Origin};

use super::init::parse_origin;
use super::note_keys::{is_vkey, log_key};
use crate::attach::{AttachError, LogTarget, TrustFolder};
use crate::http::NetworkArgs;
use crate::pending::PendingLog;
use crate::rekor::{READ_PREFIX, RekorClient, RekorError};

/// Arguments that name a log.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct TargetArgs {
    /// The log's folder
    #[arg(long, value_name = "DIR", conflicts_with = "rekor")]
    pub(super) log: Option<PathBuf>,
    /// A Rekor v2 log, e.g. `https://log.example.org`
    #[arg(long, value_name = "URL")]
    pub(super) rekor: Option<String>,
    /// With --log: the log's private key, when `log init --key` named one; with --rekor: the log's public key (PEM) or vkey (NAME+ID+KEY),
    /// or a file with it [default: by the trust folder]
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
            return Ok(vec![log_key(path, named, || origin_of(url))?]);
        }
        let trust = folder.read()?;
        let known = trust.logs().iter().map(|known| known.log.clone());
        let logs: Vec<LogKey> = known.filter(|log| named.as_ref().is_none_or(|origin| *origin == log.origin)).collect();
        if logs.is_empty() {
            let shown = escape(&folder.path().display().to_string());
            return Err(Failure::from(AttachError::from(RekorError::NoLogKey)).hint(format_args!(
                "name the log's public key with --log-key KEY (a PEM file or a vkey), as its operator gave it to you out of band; {shown} holds no log{}",
                named.map_or_else(String::new, |origin| format!(" of the name {origin}"))
            )));
        }
        Ok(logs)
    }

    /// What is kept of these arguments until a log can be reached; `None` when no log was named.
    pub(super) fn to_keep(&self) -> Option<PendingLog> {
        if let Some(log) = &self.log {
            return Some(PendingLog::Disk { log: absolute(log), key: self.log_key.as_deref().map(absolute) });
        }
        self.rekor.clone().map(|url| PendingLog::Rekor {
            url,
            log_key: self.log_key.as_deref().map(|key| if is_vkey(key) { key.to_owned() } else { absolute(key) }),
            origin: self.origin.clone(),
            tiles: self.tiles.clone(),
        })
    }

    /// These arguments, when they name a log, else those that were kept; time and TLS roots are always these.
    pub(super) fn or_kept(&self, kept: Option<&PendingLog>) -> Self {
        let mut target = self.clone();
        if self.log.is_some() || self.rekor.is_some() {
            return target;
        }
        match kept.cloned() {
            Some(PendingLog::Disk { log, key }) => (target.log, target.log_key) = (Some(log), key),
            Some(PendingLog::Rekor { url, log_key, origin, tiles }) => {
                (target.rekor, target.log_key) = (Some(url), log_key);
                (target.origin, target.tiles) = (origin, tiles);
            }
            None => {}
        }
        target
    }
}

/// A path that means the same from every folder.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_no_folder| path.to_owned())
}

/// The name that a log of this URL has by Sigstore's custom: host and path.
fn origin_of(url: &str) -> Result<Origin, Failure> {
    parse_origin(url.split_once("://").map_or(url, |(_, rest)| rest))
}
