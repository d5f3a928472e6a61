//! `symbol-bundle trust`: the keys and logs that a store trusts.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, StoreArgs, escape, note, print, print_json};
use sealtrace_signer::{SigningKeyError, read_public_key_file};
use sealtrace_site_log::LogReader;
use sealtrace_trust::{Authorities, Fingerprint, Trust, TrustedLog};

use super::{kind, next};
use crate::attach::{AttachError, TrustFolder, key_failure, log_failure};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct TrustArgs {
    #[command(subcommand)]
    command: TrustCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TrustCommand {
    /// Trust the keys and logs of a folder that came by another way than the archive
    Add(AddArgs),
    /// Print the fingerprints of what a store, or a trust folder, trusts
    List(ListArgs),
    /// Add a site's signer or log to a trust folder, for an auditor
    Enroll(EnrollArgs),
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The trust folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// A trust folder, in place of the store's
    #[arg(value_name = "FOLDER", conflicts_with = "store")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct EnrollArgs {
    /// The trust folder to extend; made when it does not exist
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// A signer's public key
    #[arg(long, value_name = "K.pub")]
    signer: Vec<PathBuf>,
    /// A log's folder
    #[arg(long, value_name = "DIR")]
    log: Vec<PathBuf>,
    /// A Sigstore trusted root whose certificate authorities, CT logs and time stamp authorities count; its logs are not taken
    #[arg(long, value_name = "trusted_root.json")]
    authorities: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

impl TrustArgs {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            TrustCommand::Add(args) => args.output.json,
            TrustCommand::List(args) => args.output.json,
            TrustCommand::Enroll(args) => args.output.json,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &TrustArgs) -> Outcome {
    match &args.command {
        TrustCommand::Add(args) => add(args),
        TrustCommand::List(args) => list(args),
        TrustCommand::Enroll(args) => enroll(args),
    }
}

fn installed(store: &StoreArgs) -> Result<TrustFolder, Failure> {
    Ok(TrustFolder::at(&store.path(rustix::process::geteuid().is_root())?.join("trust")))
}

fn add(args: &AddArgs) -> Outcome {
    not_one_level_off(args)?;
    kind::expect_trust_folder(&args.folder)?;
    let offered = TrustFolder::at(&args.folder).read_existing()?;
    let installed = installed(&args.store)?;
    let trust = installed.extend(&offered)?;
    if !args.output.json {
        print(&format!("trusted in {}; compare these with what the sender reads to you:", escape(&installed.path().display().to_string())));
    }
    report(&trust, args.output);
    if !args.output.json {
        note(&format!("next: symbol-bundle import ARCHIVE{}", next::store(&args.store)));
    }
    Ok(ExitCode::Done)
}

/// The two slips that the name of the command invites: a folder too high, and the key itself.
fn not_one_level_off(args: &AddArgs) -> Result<(), Failure> {
    let (shown, store) = (escape(&args.folder.display().to_string()), next::store(&args.store));
    if kind::Kind::of(&args.folder) == Some(kind::Kind::TrustFolder) {
        return Ok(());
    }
    if let Some(below) = kind::trust_folders_in(&args.folder).first() {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("{shown} is no trust folder, but holds one"))
            .hint(format_args!("symbol-bundle trust add {}{store}", next::word(below))));
    }
    if args.folder.is_file() && read_public_key_file(&args.folder).is_ok() {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("{shown} is a public key, not a trust folder")).hint(format_args!(
            "make a folder of it first: symbol-bundle trust enroll FOLDER --signer {}, then: symbol-bundle trust add FOLDER{store}",
            next::word(&args.folder)
        )));
    }
    Ok(())
}

fn list(args: &ListArgs) -> Outcome {
    if let Some(folder) = &args.folder {
        kind::expect_trust_folder(folder)?;
        report(&TrustFolder::at(folder).read_existing()?, args.output);
        return Ok(ExitCode::Done);
    }
    let installed = installed(&args.store)?;
    let trust = installed.read()?;
    if trust.is_empty() {
        let shown = escape(&installed.path().display().to_string());
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("nothing is trusted yet: {shown} does not exist or is empty"))
            .hint(format_args!("install a trust folder with: symbol-bundle trust add FOLDER{}", next::store(&args.store))));
    }
    report(&trust, args.output);
    Ok(ExitCode::Done)
}

fn enroll(args: &EnrollArgs) -> Outcome {
    if args.signer.is_empty() && args.log.is_empty() && args.authorities.is_empty() {
        return Err(Failure::new(ExitCode::NoVerdict, "nothing to enroll: none of --signer, --log and --authorities is given")
            .hint(format_args!("symbol-bundle trust enroll {} --signer K.pub --log DIR", next::word(&args.folder))));
    }
    kind::expect_trust_folder(&args.folder)?;
    let mut more = Trust::default();
    for path in &args.signer {
        more.add_signer(read_public_key_file(path).map_err(|error| signer_failure(path, &error))?);
    }
    for path in &args.log {
        let log = LogReader::open(path).map_err(|error| log_failure(&error))?;
        more.add_log(TrustedLog::new(log.log().clone())).map_err(|source| AttachError::Trust { path: path.clone(), source })?;
    }
    for path in &args.authorities {
        more.add_authorities(&authorities(path)?).map_err(|source| AttachError::Trust { path: path.clone(), source })?;
    }
    let trust = TrustFolder::at(&args.folder).extend(&more)?;
    report(&trust, args.output);
    Ok(ExitCode::Done)
}

fn authorities(path: &Path) -> Result<Authorities, Failure> {
    let limit = u64::try_from(sealtrace_sigstore::MAX_ROOT_BYTES).unwrap_or(u64::MAX);
    let hint = "name the trusted_root.json of the site's authority";
    let bytes = sealtrace_store::read_bounded(path, limit)
        .map_err(|error| Failure::from_error(ExitCode::NoVerdict, "authorities", &error).hint(hint))?;
    Authorities::parse(&bytes)
        .map_err(|error| Failure::from_error(ExitCode::Malformed, &escape(&path.display().to_string()), &error).hint(hint))
}

/// The failure of a public key, which is not made but asked for.
fn signer_failure(path: &Path, error: &SigningKeyError) -> Failure {
    let failure = key_failure(error);
    match error {
        SigningKeyError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => failure,
        SigningKeyError::Io { .. } | SigningKeyError::Public { .. } => {
            let public = path.with_extension("pub");
            if public != path && public.is_file() {
                failure.hint(format_args!("name the public half: --signer {}", next::word(&public)))
            } else {
                failure.hint("name the .pub file that `symbol-bundle key generate` wrote for the signer")
            }
        }
        _ => failure,
    }
}

/// One line for each key, spelled as `key generate` and `log init` print it.
fn line(fingerprint: &Fingerprint) -> String {
    match fingerprint {
        Fingerprint::Signer { key } => format!("signer {key}"),
        Fingerprint::Log { origin, key } => format!("log    {key} {}", escape(origin)),
    }
}

fn report(trust: &Trust, output: OutputArgs) {
    if !output.json {
        for fingerprint in trust.fingerprints() {
            print(&line(&fingerprint));
        }
        return;
    }
    let (mut signers, mut logs) = (Vec::new(), Vec::new());
    for fingerprint in trust.fingerprints() {
        match fingerprint {
            Fingerprint::Signer { key } => signers.push(key.hex()),
            Fingerprint::Log { origin, key } => logs.push(serde_json::json!({ "origin": origin, "keyId": key })),
        }
    }
    print_json(&serde_json::json!({ "signers": signers, "logs": logs }));
}
