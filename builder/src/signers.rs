//! Opening the signer that a key reference names: files and external programs as every tool does, PKCS#11 tokens and, with the
//! feature `fulcio`, keys of one signature only here.
//!
//! Not here: what is signed (`attach`), and how a reference is written (`sealtrace-signer`).

#[cfg(feature = "fulcio")]
mod fulcio;
mod pkcs11;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure};
use sealtrace_envelope::SignatureError;
use sealtrace_signer::{CertifiedError, CertifiedSigner, ExecError, ExecWords, KeyRef, KeyRefError, Signer, SignerError, open_signer};

use crate::attach::key_failure;
use pkcs11::{Pkcs11Error, Pkcs11Signer};

/// What `--key REF` takes, for help texts.
pub(crate) const KEY_HELP: &str = "The signing key: a file, file:PATH, pkcs11:URI, 'exec:PROGRAM ARG…' or fulcio";

/// A reference as it was typed.
///
/// # Errors
/// Exit 2: it names no kind of key.
pub(crate) fn parse(text: &OsStr) -> Result<KeyRef, Failure> {
    KeyRef::parse(text).map_err(|error| signer_failure(&error.into()))
}

/// What some signers need beside their reference.
#[derive(Debug, clap::Args)]
pub(crate) struct SignerArgs {
    /// A certificate over the key (PEM, the leaf first): the bundle names it in place of the key
    #[arg(long, value_name = "PEM")]
    certificate: Option<PathBuf>,
    /// A program that is asked for an RFC 3161 time stamp over the signature: 'exec:PROGRAM ARG…'
    #[arg(long, value_name = "exec:PROGRAM…")]
    timestamp: Option<OsString>,
    #[cfg(feature = "fulcio")]
    #[command(flatten)]
    fulcio: fulcio::FulcioArgs,
}

/// Opens a signer.
///
/// # Errors
/// A failure with the documented exit code.
pub(crate) fn open(reference: &KeyRef, args: &SignerArgs) -> Result<Box<dyn Signer>, Failure> {
    let signer = match reference {
        KeyRef::Fulcio { url } => fulcio_signer(url, args).map_err(|error| signer_failure(&error)),
        lasting => open_lasting(lasting),
    }?;
    if args.certificate.is_none() && args.timestamp.is_none() {
        return Ok(signer);
    }
    let stamps = args.timestamp.as_deref().map(stamping_program).transpose()?;
    let certified = CertifiedSigner::new(signer, args.certificate.as_deref(), stamps.as_ref());
    certified.map(boxed).map_err(|error| signer_failure(&error))
}

/// The program behind `--timestamp`.
fn stamping_program(text: &OsStr) -> Result<ExecWords, Failure> {
    match parse(text)? {
        KeyRef::Exec(words) => Ok(words),
        _ => Err(Failure::new(ExitCode::NoVerdict, "--timestamp names no program")
            .hint("name one that answers RFC 3161 queries on its standard input: --timestamp 'exec:PROGRAM ARG…'")),
    }
}

/// Opens a signer whose key is there before and after.
///
/// # Errors
/// As [`open`]; and for `fulcio`, whose keys live for one signature.
pub(crate) fn open_lasting(reference: &KeyRef) -> Result<Box<dyn Signer>, Failure> {
    let opened = match reference {
        KeyRef::Pkcs11(uri) => Pkcs11Signer::open(uri).map(boxed).map_err(|error| device(error.into())),
        KeyRef::Fulcio { .. } => {
            return Err(Failure::new(ExitCode::NoVerdict, "a fulcio key lives for one signature and cannot be shown before")
                .hint("name a key that lasts: a file, pkcs11:URI or 'exec:PROGRAM ARG…'"));
        }
        other => open_signer(other),
    };
    opened.map_err(|error| signer_failure(&error))
}

fn boxed(signer: impl Signer + 'static) -> Box<dyn Signer> {
    Box::new(signer)
}

#[cfg(feature = "fulcio")]
fn fulcio_signer(url: &str, args: &SignerArgs) -> Result<Box<dyn Signer>, SignerError> {
    fulcio::FulcioSigner::open(url, &args.fulcio).map(boxed).map_err(|error| device(error.into()))
}

#[cfg(not(feature = "fulcio"))]
fn fulcio_signer(_: &str, _: &SignerArgs) -> Result<Box<dyn Signer>, SignerError> {
    Err(device(WithoutFulcio.into()))
}

/// A tool that was built without keyless signing.
#[cfg(not(feature = "fulcio"))]
#[derive(Debug, thiserror::Error)]
#[error("this symbol-bundle was built without the feature `fulcio`, which keyless signing needs")]
struct WithoutFulcio;

fn device(error: Box<dyn std::error::Error + Send + Sync>) -> SignerError {
    SignerError::Device(error)
}

/// The failure that a signer gives, with what to do next.
pub(crate) fn signer_failure(error: &SignerError) -> Failure {
    let failure = |exit| Failure::from_error(exit, "key", error);
    match error {
        SignerError::Key(error) => key_failure(error),
        SignerError::Reference(error) => failure(ExitCode::NoVerdict).hint(reference_hint(error)),
        SignerError::Exec(error) => exec_failure(error),
        SignerError::Answer { reason, .. } => {
            let exit = if *reason == SignatureError::NotDer { ExitCode::Malformed } else { ExitCode::Rejected };
            failure(exit).hint(
                "nothing was written: the signer uses another key than the one it shows, or signs other bytes; compare with `symbol-bundle key show`",
            )
        }
        SignerError::Certified(CertifiedError::NotPem { .. } | CertifiedError::Certificate { .. }) => {
            failure(ExitCode::Malformed).hint("name the certificate that the site's authority issued for this key, in PEM")
        }
        SignerError::Certified(CertifiedError::OtherKey { .. }) => {
            failure(ExitCode::Rejected).hint("name the certificate of this key, or the key of this certificate")
        }
        SignerError::Certified(CertifiedError::OtherBytes) => {
            failure(ExitCode::Rejected).hint("nothing was written: the program must answer the query that it reads, not one of before")
        }
        SignerError::Certified(_) => failure(ExitCode::Malformed)
            .hint("nothing was written: run the program with the argument timestamp and an RFC 3161 query by hand"),
        SignerError::Device(source) => device_failure(error, source.as_ref()),
        _ => failure(ExitCode::NoVerdict),
    }
}

fn reference_hint(error: &KeyRefError) -> &'static str {
    match error {
        KeyRefError::Scheme { .. } => {
            "a key management service is reached by an external signer, --key 'exec:PROGRAM ARG…'; a file of that name by --key file:NAME"
        }
        KeyRefError::Pkcs11(_) => {
            "write it as RFC 7512 does: 'pkcs11:token=T;object=KEY?module-path=/usr/lib/….so&pin-source=/path/of/pin'"
        }
        _ => "name a file, pkcs11:URI, 'exec:PROGRAM ARG…' or fulcio",
    }
}

fn exec_failure(error: &ExecError) -> Failure {
    let exit = match error {
        ExecError::Flood { .. } | ExecError::PublicKey { .. } => ExitCode::Malformed,
        _ => ExitCode::NoVerdict,
    };
    let failure = Failure::from_error(exit, "key", error);
    match error {
        ExecError::Start { .. } => failure.hint("name a program that can be executed: 'exec:/path/of/PROGRAM ARG…'; no shell is started"),
        ExecError::Timeout { .. } => {
            failure.hint("give it more time with SEALTRACE_EXEC_TIMEOUT=SECONDS, or run it by hand to see what it waits for")
        }
        ExecError::TimeoutVariable => failure.hint("set it to a number of seconds, or unset it"),
        _ => failure.hint("run the program by hand: with the argument public-key it prints an SPKI PEM, with sign a DER signature, with timestamp an RFC 3161 response"),
    }
}

fn device_failure(error: &SignerError, source: &(dyn std::error::Error + Send + Sync + 'static)) -> Failure {
    if let Some(error) = source.downcast_ref::<Pkcs11Error>() {
        return pkcs11::failure(error);
    }
    #[cfg(feature = "fulcio")]
    if let Some(error) = source.downcast_ref::<fulcio::FulcioError>() {
        return fulcio::failure(error);
    }
    Failure::from_error(ExitCode::NoVerdict, "key", error)
        .hint("use a key of another kind, or a symbol-bundle that was built with: cargo build -p symbol-bundle --features fulcio")
}
