//! `symbol-bundle sign`: an in-toto statement about the bundle manifest, signed and attached; at once, or in two phases.

mod assemble;
mod prepare;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};
use sealtrace_signer::KeyRef;

use super::{kind, next};
use crate::attach::{AttachError, OtherSignature, Signed, TrustFolder, check_unsigned, sign_layout};
use crate::layout_dir::LayoutDir;
use crate::signers::{self, KEY_HELP, SignerArgs};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, disable_help_subcommand = true)]
#[command(after_help = "A layout that is named like a subcommand needs ./, for example: symbol-bundle sign ./prepare --key K.key")]
pub(crate) struct SignArgs {
    #[command(subcommand)]
    phase: Option<PhaseCommand>,
    /// The bundle's OCI layout
    #[arg(value_name = "LAYOUT", required = true)]
    layout: Option<PathBuf>,
    #[arg(long, value_name = "REF", required = true, help = KEY_HELP)]
    key: Option<OsString>,
    #[command(flatten)]
    signer: SignerArgs,
    #[command(flatten)]
    attach: AttachArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Subcommand)]
enum PhaseCommand {
    /// Write what a signer elsewhere needs: the exact bytes, their digest, the statement
    Prepare(prepare::PrepareArgs),
    /// Attach the signature that was made elsewhere, after verifying it
    Assemble(assemble::AssembleArgs),
}

/// Arguments of whatever attaches a signature.
#[derive(Debug, clap::Args)]
struct AttachArgs {
    /// The trust folder to extend by the public key [default: LAYOUT-trust]
    #[arg(long, value_name = "FOLDER")]
    trust: Option<PathBuf>,
    /// Drop a signature by another key, and its log entry
    #[arg(long)]
    replace: bool,
}

/// Where a signature goes, and what becomes of another one.
struct Place<'a> {
    layout: &'a Path,
    args: &'a AttachArgs,
    output: OutputArgs,
}

impl SignArgs {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        match &self.phase {
            None => self.output.json,
            Some(PhaseCommand::Prepare(args)) => args.output.json,
            Some(PhaseCommand::Assemble(args)) => args.output.json,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &SignArgs) -> Outcome {
    match (&args.phase, &args.layout, &args.key) {
        (Some(PhaseCommand::Prepare(args)), ..) => prepare::run(args),
        (Some(PhaseCommand::Assemble(args)), ..) => assemble::run(args),
        (None, Some(layout), Some(key)) => sign(&Place { layout, args: &args.attach, output: args.output }, key, &args.signer),
        (None, ..) => Err(Failure::new(ExitCode::NoVerdict, "no layout and no key").hint("symbol-bundle sign LAYOUT --key REF")),
    }
}

fn sign(place: &Place<'_>, key: &OsString, args: &SignerArgs) -> Outcome {
    let reference = signers::parse(key)?;
    let again = format!("symbol-bundle sign {} --key {}", next::word(place.layout), shown(&reference));
    // A wrong layout is told before a device is asked for anything, a wrong key file before that.
    let signer = if matches!(reference, KeyRef::File(_)) { Some(signers::open(&reference, args)?) } else { None };
    place.attach(&again, |layout, folder, other| {
        if cfg!(feature = "fulcio")
            && matches!(reference, KeyRef::Fulcio { .. })
            && other == OtherSignature::Keep
            && let Err(error) = check_unsigned(layout)
        {
            return Ok(Err(error));
        }
        let signer = match signer {
            Some(signer) => signer,
            None => signers::open(&reference, args)?,
        };
        Ok(sign_layout(layout, signer.as_ref(), folder, other))
    })
}

impl Place<'_> {
    /// Attaches a signature and reports it. `again`: the command line, for errors that want `--replace` added.
    fn attach(
        &self,
        again: &str,
        attach: impl FnOnce(&LayoutDir, &TrustFolder, OtherSignature) -> Result<Result<Signed, AttachError>, Failure>,
    ) -> Outcome {
        kind::expect_layout(self.layout)?;
        let layout = LayoutDir::open(self.layout)?;
        let folder = TrustFolder::beside(self.layout, self.args.trust.as_deref());
        kind::expect_trust_folder(folder.path())?;
        let other = if self.args.replace { OtherSignature::Replace } else { OtherSignature::Keep };
        let signed = attach(&layout, &folder, other)?.map_err(|error| self.failure(error, again))?;
        self.report(&signed, &folder);
        Ok(ExitCode::Done)
    }

    fn report(&self, signed: &Signed, folder: &TrustFolder) {
        if self.output.json {
            print_json(&serde_json::json!({
                "manifestDigest": signed.bundle, "signer": signed.signer, "already": signed.already, "logged": signed.logged,
                "certified": signed.certified, "trust": if signed.certified { None } else { Some(folder.path()) },
            }));
            return;
        }
        print(&format!("{}: {}", if signed.already { "already signed" } else { "signed" }, signed.bundle));
        if signed.certified {
            // Such a key is trusted through its certificate's authority.
            print(&format!("  by key {}, which the attached certificate vouches for", signed.signer));
        } else {
            print(&format!("  by key {}", signed.signer));
            print(&format!("  trust folder {}", escape(&folder.path().display().to_string())));
        }
        let layout = next::word(self.layout);
        if signed.logged {
            note(&format!("next: symbol-bundle export {layout} --to ARCHIVE"));
        } else {
            note(&format!("next: symbol-bundle log append {layout} --log DIR{}", next::option("--trust", self.args.trust.as_deref())));
        }
    }

    fn failure(&self, error: AttachError, again: &str) -> Failure {
        let replace = matches!(error, AttachError::AlreadySigned { .. } | AttachError::SeveralSignatures { .. });
        let failure = Failure::from(error);
        if !replace {
            return failure;
        }
        let trust = next::option("--trust", self.args.trust.as_deref());
        failure.hint(format_args!("to drop that signature and its log entry: {again}{trust} --replace"))
    }
}

/// A reference as one word of a shell's command line; a PIN is never shown.
fn shown(reference: &KeyRef) -> String {
    match reference {
        KeyRef::File(path) if reference.to_string() == path.display().to_string() => next::word(path),
        other => next::quoted(&other.to_string()),
    }
}
