//! `symbol-bundle sign assemble`: a signature that was made elsewhere, verified and attached.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs};
use sealtrace_signer::read_public_key_file;
use sealtrace_store::read_bounded;

use super::super::next;
use super::{AttachArgs, Place};
use crate::attach::{Returned, Spelling, assemble_layout, key_failure};

/// The most bytes of a signature file (ours; DER of P-256 has at most 72).
const MAX_SIGNATURE_FILE_BYTES: u64 = 4 << 10;

#[derive(Debug, clap::Args)]
pub(super) struct AssembleArgs {
    /// The bundle's OCI layout
    #[arg(value_name = "LAYOUT")]
    layout: PathBuf,
    /// The folder that `sign prepare` wrote
    #[arg(long, value_name = "DIR")]
    request: PathBuf,
    /// The signature over pae.bin: DER, or r and s of 32 bytes each
    #[arg(long, value_name = "SIG")]
    signature: PathBuf,
    /// How it is spelled [default: as the one that verifies]
    #[arg(long, value_name = "KIND", value_enum)]
    signature_format: Option<Spelling>,
    /// The key that must have signed [default: the request's, which has been out of your hands]
    #[arg(long, value_name = "K.pub")]
    public_key: Option<PathBuf>,
    #[command(flatten)]
    attach: AttachArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

pub(super) fn run(args: &AssembleArgs) -> Outcome {
    let key = args.public_key.as_deref().map(read_public_key_file).transpose().map_err(|error| key_failure(&error))?;
    let signature = read_bounded(&args.signature, MAX_SIGNATURE_FILE_BYTES).map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "signature", &error).hint("name the file that the signer wrote with --signature")
    })?;
    let returned = Returned { request: &args.request, key: key.as_ref(), signature: &signature, spelling: args.signature_format };
    let place = Place { layout: &args.layout, args: &args.attach, output: args.output };
    let again = format!(
        "symbol-bundle sign assemble {} --request {} --signature {}{}",
        next::word(&args.layout),
        next::word(&args.request),
        next::word(&args.signature),
        next::option("--public-key", args.public_key.as_deref())
    );
    place.attach(&again, |layout, folder, other| Ok(assemble_layout(layout, &returned, folder, other)))
}
