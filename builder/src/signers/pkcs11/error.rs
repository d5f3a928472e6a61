//! Why a token's key cannot be used, and what to do next.

use std::path::PathBuf;

use cryptoki::error::{Error, RvError};
use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_envelope::KeyError;
use sealtrace_signer::{RawSignatureError, SigningKeyError};

use crate::attach::key_failure;
use crate::commands::next;

/// Why a token's key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Pkcs11Error {
    /// No module is named.
    #[error("the PKCS#11 reference names no module")]
    NoModule,
    /// The module cannot be loaded or started.
    #[error("the PKCS#11 module {} cannot be used: {reason}", escape(&path.display().to_string()))]
    Module {
        /// The module.
        path: PathBuf,
        /// Its or the loader's words.
        reason: String,
    },
    /// The module refuses a call.
    #[error("the PKCS#11 module cannot {doing}: {reason}")]
    Call {
        /// What was tried.
        doing: &'static str,
        /// Its error code's name.
        reason: String,
    },
    /// The token is gone.
    #[error("the token is gone: it cannot {doing}: {reason}")]
    Gone {
        /// What was tried.
        doing: &'static str,
        /// The error code's name.
        reason: String,
    },
    /// No such token.
    #[error("no token matches the PKCS#11 reference; there are: {}", listed(present))]
    NoToken {
        /// The tokens that are there.
        present: Vec<String>,
    },
    /// More than one token.
    #[error("{} tokens match the PKCS#11 reference: {}", found.len(), listed(found))]
    SeveralTokens {
        /// Which.
        found: Vec<String>,
    },
    /// The token wants a PIN and none is given.
    #[error("token {token} wants a PIN")]
    NoPin {
        /// The token's label.
        token: String,
    },
    /// The PIN's file cannot be used.
    #[error(transparent)]
    Pin(#[from] SigningKeyError),
    /// The PIN's file is no text.
    #[error("{} holds no PIN: it is not UTF-8", escape(&path.display().to_string()))]
    PinFile {
        /// The file.
        path: PathBuf,
    },
    /// An empty or overlong PIN; never shown.
    #[error("the PIN is empty, too long or no text")]
    PinLength,
    /// The token refuses the PIN.
    #[error("token {token} refuses the PIN: {reason}")]
    WrongPin {
        /// The token's label.
        token: String,
        /// The error code's name.
        reason: String,
    },
    /// No such key.
    #[error("no private key matches the PKCS#11 reference; the token has: {}", listed(present))]
    NoKey {
        /// The private keys that are there.
        present: Vec<String>,
    },
    /// More than one key.
    #[error("{} private keys match the PKCS#11 reference: {}", found.len(), listed(found))]
    SeveralKeys {
        /// Which.
        found: Vec<String>,
    },
    /// Another algorithm or curve.
    #[error("key {key} is {found}; every signature here is ECDSA P-256, since log and foreign verifiers take it")]
    NotP256 {
        /// The key.
        key: String,
        /// What it is.
        found: String,
    },
    /// The key wants its PIN for each signature.
    #[error("key {key} wants the PIN again for each signature (CKA_ALWAYS_AUTHENTICATE), which is not done in process")]
    AskEachTime {
        /// The key.
        key: String,
    },
    /// Its public half is not on the token.
    #[error("the token does not show the one public half of key {key}")]
    NoPublicKey {
        /// The key.
        key: String,
    },
    /// Its public half is none.
    #[error("the token's public key: {0}")]
    PublicKey(#[from] KeyError),
    /// The answer is no signature.
    #[error("the token's answer is refused: {0}")]
    Answer(RawSignatureError),
}

impl Pkcs11Error {
    pub(super) fn call(doing: &'static str, error: &Error) -> Self {
        let reason = words(error);
        match error {
            Error::Pkcs11(RvError::DeviceRemoved | RvError::TokenNotPresent | RvError::DeviceError | RvError::SessionHandleInvalid, _) => {
                Self::Gone { doing, reason }
            }
            _ => Self::Call { doing, reason },
        }
    }

    pub(super) fn login(token: String, error: &Error) -> Self {
        match error {
            Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange | RvError::PinLocked | RvError::PinExpired,
                _,
            ) => Self::WrongPin { token, reason: words(error) },
            _ => Self::call("log in", error),
        }
    }
}

/// The name of the standard's error code instead of its paragraph.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("{code:?} (C_{function:?})"),
        other => escape(&other.to_string()),
    }
}

/// A label of a token or key, quoted for a terminal.
pub(super) fn shown(label: &str) -> String {
    format!("{:?}", label.trim_end())
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The failure, with what to do next.
pub(crate) fn failure(error: &Pkcs11Error) -> Failure {
    let exit = match error {
        Pkcs11Error::NotP256 { .. } | Pkcs11Error::PublicKey(_) | Pkcs11Error::Answer(_) => ExitCode::Malformed,
        _ => ExitCode::NoVerdict,
    };
    let failure = Failure::from_error(exit, "key", error);
    match error {
        Pkcs11Error::Pin(SigningKeyError::Exposed { path, .. }) => failure.hint(format_args!("chmod 600 {}", next::word(path))),
        Pkcs11Error::Pin(source) => key_failure(source).hint(PIN_HINT),
        other => failure.hint(hint(other)),
    }
}

const PIN_HINT: &str = "put the PIN into a file that only you can read and name it with ?pin-source=/path, or set SEALTRACE_PKCS11_PIN";

fn hint(error: &Pkcs11Error) -> &'static str {
    match error {
        Pkcs11Error::NoModule => "add ?module-path=/usr/lib/….so to the reference, or set SEALTRACE_PKCS11_MODULE to an absolute path",
        Pkcs11Error::Module { .. } => "name the vendor's PKCS#11 library, and check that it works: pkcs11-tool --module PATH --list-slots",
        Pkcs11Error::Gone { .. } => "nothing was written; put the device back and run this again",
        Pkcs11Error::NoToken { .. } => "check that the device is in place, and name it as it is listed: pkcs11:token=LABEL",
        Pkcs11Error::SeveralTokens { .. } => "name one of them by serial=, too",
        Pkcs11Error::NoPin { .. } | Pkcs11Error::PinFile { .. } | Pkcs11Error::PinLength => PIN_HINT,
        Pkcs11Error::WrongPin { .. } => "check the PIN first: after a few failures a token locks itself; nothing was tried twice",
        Pkcs11Error::NoKey { .. } => "name a key as it is listed: object=LABEL or id=%01",
        Pkcs11Error::SeveralKeys { .. } => "name one of them by id=, too",
        Pkcs11Error::NotP256 { .. } => {
            "make one: pkcs11-tool --module PATH --login --keypairgen --key-type EC:prime256v1 --label KEY --id 01, then name it by object="
        }
        Pkcs11Error::AskEachTime { .. } => {
            "sign in two phases: symbol-bundle sign prepare, pkcs11-tool --sign, symbol-bundle sign assemble"
        }
        Pkcs11Error::NoPublicKey { .. } => {
            "store its public key on the token with the same id: pkcs11-tool --module PATH --login --write-object K.pub --type pubkey --id ID"
        }
        Pkcs11Error::Answer(_) => "nothing was written; check the token with: pkcs11-tool --module PATH --login --test",
        _ => "check the token with: pkcs11-tool --module PATH --login --list-objects",
    }
}
