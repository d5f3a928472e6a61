//! Why a bundle cannot be signed, logged or trusted, and what to do next.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_digest::BlobDigest;
use sealtrace_envelope::BundleError;
use sealtrace_signer::{SigningKeyError, read_public_key_file};
use sealtrace_site_log::SiteLogError;
use sealtrace_store::StoreError;
use sealtrace_trust::TrustError;
use sealtrace_verdict::{Checks, Outcome, Verdict};

use crate::layout_dir::LayoutDirError;

/// Why a bundle cannot be signed, logged or trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AttachError {
    /// The layout cannot be used.
    #[error(transparent)]
    Layout(#[from] LayoutDirError),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] SiteLogError),
    /// A trust folder is malformed, or two contradict each other.
    #[error("{}: {source}", escape(&path.display().to_string()))]
    Trust {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: TrustError,
    },
    /// A trust folder cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A trust folder that is not there.
    #[error("{} is no trust folder: it does not exist or is empty", escape(&path.display().to_string()))]
    NoTrust {
        /// The folder.
        path: PathBuf,
    },
    /// A folder with something else in it.
    #[error("{} is not empty and is no trust folder: it holds {}", escape(&path.display().to_string()), escape(found))]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The first thing in it that does not belong there, by name.
        found: String,
    },
    /// A file cannot be written.
    #[error("cannot {doing} {}: {source}", escape(&path.display().to_string()))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bundle carries a signature already that is not the one to be made.
    #[error("the bundle is already signed by key {signer}")]
    AlreadySigned {
        /// The key, as its hint.
        signer: String,
    },
    /// The bundle is logged in another log.
    #[error("the bundle is already logged, in the log with key {log}")]
    AlreadyLogged {
        /// The log's key.
        log: String,
    },
    /// Nothing to log.
    #[error("the bundle is not signed")]
    Unsigned,
    /// More than one signature where one is needed.
    #[error("the bundle carries {found} signatures, expected one")]
    SeveralSignatures {
        /// How many.
        found: usize,
    },
    /// An attached signature is malformed.
    #[error("the attached signature: {0}")]
    Bundle(#[from] BundleError),
    /// An attached signature of another shape than one layer, about the bundle.
    #[error("the attached signature {manifest} does not have exactly one layer of its kind, or gives the bundle another length")]
    SignatureShape {
        /// The attached manifest.
        manifest: BlobDigest,
    },
    /// What was made, or what is attached, does not verify.
    #[error("{what} does not verify: {reason}")]
    NotVerified {
        /// What.
        what: &'static str,
        /// The decisive check.
        reason: String,
        /// Its exit code.
        exit: ExitCode,
    },
    /// A document of ours has no JSON form.
    #[error("cannot write {what}: {reason}")]
    Encode {
        /// Which document.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl AttachError {
    pub(crate) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    pub(crate) fn encode(what: &'static str, error: &dyn std::fmt::Display) -> Self {
        Self::Encode { what, reason: error.to_string() }
    }

    /// From a verdict that is not verified.
    pub(crate) fn not_verified(what: &'static str, verdict: &Verdict) -> Self {
        let reason = verdict.decisive().map_or_else(
            || "no check was made".to_owned(),
            |check| match (check.outcome, &check.expected, &check.found) {
                (Outcome::Fail, Some(expected), Some(found)) => format!("{}: expected {expected}, found {found}", check.id),
                _ => format!("{}: {}", check.id, check.reason.clone().unwrap_or_default()),
            },
        );
        Self::NotVerified { what, reason: escape(&reason), exit: verdict.exit() }
    }

    /// From checks that did not all hold.
    pub(crate) fn failed_checks(what: &'static str, checks: Checks) -> Self {
        Self::not_verified(what, &checks.conclude(sealtrace_verdict::Assurance::None))
    }
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        let failure = |exit, error: &AttachError| Self::from_error(exit, "symbol bundle", error);
        match error {
            AttachError::Layout(error) => error.into(),
            AttachError::Key(error) => key_failure(&error),
            AttachError::Log(error) => log_failure(&error),
            AttachError::Trust { ref path, source: TrustError::LogKeyConflict { .. } | TrustError::LogNameConflict { .. } } => {
                Self::new(ExitCode::Rejected, &error).hint(format_args!(
                    "compare the fingerprints out of band; a log that changed its key needs a new origin, or {} was mixed up",
                    shown(path)
                ))
            }
            AttachError::Trust { source: TrustError::LogWindowConflict { .. }, .. } => Self::new(ExitCode::Rejected, &error)
                .hint("ask the log's operator which window is right, and correct trusted_root.json; nothing was installed"),
            AttachError::Trust { source: TrustError::KitByApply, .. } => {
                Self::new(ExitCode::NoVerdict, &error).hint("symbol-bundle kit apply FOLDER/kit.json --store DIR --fingerprint HEX-OR-WORDS")
            }
            AttachError::Trust { source: TrustError::HasKit, .. } => Self::new(ExitCode::NoVerdict, &error).hint(
                "have it taken up in the next kit (symbol-bundle kit create --previous KIT --from FOLDER …, or site enroll approve), then: symbol-bundle kit apply KIT",
            ),
            AttachError::Trust { .. } => {
                Self::new(ExitCode::Malformed, &error).hint("ask for the trust folder again; nothing was installed")
            }
            AttachError::Foreign { .. } => Self::new(ExitCode::Malformed, &error).hint(
                "nothing was written; name a folder that `symbol-bundle sign` wrote, or to make a new one a folder that does not exist yet",
            ),
            AttachError::NoTrust { ref path } => Self::new(ExitCode::NoVerdict, &error)
                .hint(format_args!("`symbol-bundle sign` and `log append` write one beside the layout; check {}", shown(path))),
            AttachError::Store(_) => Self::new(ExitCode::NoVerdict, &error).hint(
                "name a trust folder: trusted_root.json and keys/, and nothing else, as `symbol-bundle sign` and `log append` write it",
            ),
            AttachError::Io { .. } => {
                Self::new(ExitCode::NoVerdict, &error).hint("check that the folder exists, can be read and written, and has space")
            }
            AttachError::AlreadySigned { .. } => Self::new(ExitCode::NoVerdict, &error)
                .hint("add --replace to drop that signature and its log entry, or sign a bundle built anew"),
            AttachError::AlreadyLogged { .. } => Self::new(ExitCode::NoVerdict, &error)
                .hint("name that log with --log DIR, or sign again with `symbol-bundle sign --replace`"),
            AttachError::Unsigned => Self::new(ExitCode::NoVerdict, &error).hint("sign it first: symbol-bundle sign LAYOUT --key K.key"),
            AttachError::SeveralSignatures { .. } => {
                Self::new(ExitCode::NoVerdict, &error).hint("leave one: symbol-bundle sign LAYOUT --key K.key --replace")
            }
            AttachError::NotVerified { exit, .. } => failure(exit, &error)
                .hint("name the trust folder that holds the signer's key with --trust FOLDER, or sign again with --replace"),
            AttachError::Bundle(_) | AttachError::SignatureShape { .. } => {
                failure(ExitCode::Malformed, &error).hint("sign again: symbol-bundle sign LAYOUT --key K.key --replace")
            }
            AttachError::Encode { .. } => failure(ExitCode::NoVerdict, &error),
        }
    }
}

/// The failure that a key gives, with what to do next.
pub(crate) fn key_failure(error: &SigningKeyError) -> Failure {
    let exit = match error {
        SigningKeyError::NotP256 { .. } | SigningKeyError::Public { .. } => ExitCode::Malformed,
        _ => ExitCode::NoVerdict,
    };
    let failure = Failure::from_error(exit, "key", error);
    match error {
        SigningKeyError::Exposed { path, .. } => failure.hint(format_args!(
            "chmod 600 {}, after making sure that nobody has copied it; otherwise make a new one with `symbol-bundle key generate`",
            shown(path)
        )),
        SigningKeyError::NotP256 { path, .. } if read_public_key_file(path).is_ok() => failure
            .hint(format_args!("this is the public half; signing takes the private one: --key {}", shown(&path.with_extension("key")))),
        SigningKeyError::NotP256 { .. } => failure.hint(
            "every signature here is ECDSA P-256, since log and foreign verifiers take it: symbol-bundle key generate -o K, \
             or convert with: openssl pkcs8 -topk8 -nocrypt",
        ),
        SigningKeyError::Public { .. } => failure.hint("name the .pub file that `symbol-bundle key generate` wrote"),
        SigningKeyError::Exists { .. } => failure.hint("name another file, or move the old key away yourself"),
        SigningKeyError::Io { doing: "create" | "write", .. } => failure.hint("check that the folder exists, can be written and has space"),
        SigningKeyError::Io { path, source, .. } => failure.hint(unread_key(path, source)),
        _ => failure,
    }
}

/// What to do about a key file that cannot be read.
fn unread_key(path: &Path, source: &std::io::Error) -> String {
    let mut with_ending = path.as_os_str().to_owned();
    with_ending.push(".key");
    let with_ending = PathBuf::from(with_ending);
    if with_ending.is_file() {
        return format!("there is {0}: name it with its ending, --key {0}", shown(&with_ending));
    }
    match source.kind() {
        ErrorKind::PermissionDenied => format!("you may not read it: check its owner and mode with ls -l {}", shown(path)),
        ErrorKind::NotFound => {
            let stem = if path.extension().is_some_and(|ending| ending == "key") { path.with_extension("") } else { path.to_owned() };
            format!("check the path, or make a key with: symbol-bundle key generate -o {}", shown(&stem))
        }
        _ => "name the .key file that `symbol-bundle key generate` wrote".to_owned(),
    }
}

/// The failure that a log gives, with what to do next.
pub(crate) fn log_failure(error: &SiteLogError) -> Failure {
    if let SiteLogError::Signing(key) = error {
        return key_failure(key);
    }
    let exit = match error {
        SiteLogError::Damaged | SiteLogError::CheckpointOrigin { .. } | SiteLogError::Missing(_) => ExitCode::Rejected,
        SiteLogError::Description(_) | SiteLogError::KeyId | SiteLogError::Key(_) | SiteLogError::Checkpoint(_) => ExitCode::Malformed,
        _ => ExitCode::NoVerdict,
    };
    let failure = Failure::from_error(exit, "log", error);
    match error {
        SiteLogError::NoLog { path } => failure.hint(format_args!("make one with: symbol-bundle log init {} --origin NAME", shown(path))),
        SiteLogError::Exists { .. } => failure.hint("name a folder that does not exist or is empty"),
        SiteLogError::Busy { .. } => failure.hint("wait for the other process to end, then run this again"),
        SiteLogError::WrongKey { .. } => failure.hint("name the log's own key with --log-key"),
        SiteLogError::Damaged | SiteLogError::Missing(_) | SiteLogError::Checkpoint(_) => {
            failure.hint("restore the log's folder from a copy; do not start it anew under the same name")
        }
        SiteLogError::Io { .. } => failure.hint("check that the folder exists, can be written and has space"),
        _ => failure,
    }
}

/// A path as it can be copied into a shell.
fn shown(path: &Path) -> String {
    crate::commands::next::word(path)
}
