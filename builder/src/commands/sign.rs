//! `symbol-bundle sign`: an in-toto statement about the bundle manifest, signed and attached.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};
use sealtrace_signer::SigningKey;

use super::{kind, next};
use crate::attach::{AttachError, OtherSignature, TrustFolder, key_failure, sign_layout};
use crate::layout_dir::LayoutDir;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct SignArgs {
    /// The bundle's OCI layout
    #[arg(value_name = "LAYOUT")]
    layout: PathBuf,
    /// The signing key (PKCS#8 PEM, ECDSA P-256), as `key generate` writes it
    #[arg(long, value_name = "K.key")]
    key: PathBuf,
    /// The trust folder to extend by the public key [default: LAYOUT-trust]
    #[arg(long, value_name = "FOLDER")]
    trust: Option<PathBuf>,
    /// Drop a signature by another key, and its log entry
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Runs the command.
pub(crate) fn run(args: &SignArgs) -> Outcome {
    let key = SigningKey::load(&args.key).map_err(|error| key_failure(&error))?;
    kind::expect_layout(&args.layout)?;
    let layout = LayoutDir::open(&args.layout)?;
    let folder = TrustFolder::beside(&args.layout, args.trust.as_deref());
    kind::expect_trust_folder(folder.path())?;
    let other = if args.replace { OtherSignature::Replace } else { OtherSignature::Keep };
    let signed = sign_layout(&layout, &key, &folder, other).map_err(|error| failure(args, error))?;
    let shown = escape(&folder.path().display().to_string());
    if args.output.json {
        print_json(&serde_json::json!({
            "manifestDigest": signed.bundle, "signer": signed.signer, "already": signed.already, "logged": signed.logged,
            "trust": folder.path(),
        }));
        return Ok(ExitCode::Done);
    }
    print(&format!("{}: {}", if signed.already { "already signed" } else { "signed" }, signed.bundle));
    print(&format!("  by key {}", signed.signer));
    print(&format!("  trust folder {shown}"));
    let layout = next::word(&args.layout);
    if signed.logged {
        note(&format!("next: symbol-bundle export {layout} --to ARCHIVE"));
    } else {
        note(&format!("next: symbol-bundle log append {layout} --log DIR{}", next::option("--trust", args.trust.as_deref())));
    }
    Ok(ExitCode::Done)
}

fn failure(args: &SignArgs, error: AttachError) -> Failure {
    let replace = matches!(error, AttachError::AlreadySigned { .. } | AttachError::SeveralSignatures { .. });
    let failure = Failure::from(error);
    if !replace {
        return failure;
    }
    failure.hint(format_args!(
        "to drop that signature and its log entry: symbol-bundle sign {} --key {}{} --replace",
        next::word(&args.layout),
        next::word(&args.key),
        next::option("--trust", args.trust.as_deref())
    ))
}
