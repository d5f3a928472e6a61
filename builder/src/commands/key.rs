//! `symbol-bundle key`: signing keys.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};
use sealtrace_envelope::PublicKey;
use sealtrace_signer::{KeyRef, SigningKey, SigningKeyError, create_public_key_file, read_public_key_file};

use super::next;
use crate::attach::key_failure;
use crate::signers::{self, KEY_HELP};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeyCommand {
    /// Make an ECDSA P-256 key: K.key (private, mode 0600) and K.pub
    Generate(GenerateArgs),
    /// Show a key's fingerprint and public half, wherever the key is
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
struct GenerateArgs {
    /// Where: K.key and K.pub are written, nothing is overwritten
    #[arg(short, long, value_name = "K")]
    output: PathBuf,
    #[command(flatten)]
    report: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    #[arg(value_name = "REF", help = KEY_HELP)]
    key: OsString,
    /// Write the public half here (SPKI PEM); nothing is overwritten
    #[arg(short, long, value_name = "K.pub")]
    output: Option<PathBuf>,
    #[command(flatten)]
    report: OutputArgs,
}

impl KeyArgs {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            KeyCommand::Generate(args) => args.report.json,
            KeyCommand::Show(args) => args.report.json,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &KeyArgs) -> Outcome {
    match &args.command {
        KeyCommand::Generate(args) => generate(args),
        KeyCommand::Show(args) => show(args),
    }
}

fn show(args: &ShowArgs) -> Outcome {
    let key = public_key(&args.key)?;
    let pem = key.to_pem().map_err(|error| Failure::from_error(ExitCode::Malformed, "key", &error))?;
    if let Some(path) = &args.output {
        create_public_key_file(path, &key).map_err(|error| failure(&error))?;
    }
    if args.report.json {
        print_json(&serde_json::json!({ "keyId": key.key_id(), "publicKeyPem": pem, "publicKey": args.output }));
        return Ok(ExitCode::Done);
    }
    print(&format!("key id      {}", key.key_id()));
    match &args.output {
        Some(path) => print(&format!("public key  {}", escape(&path.display().to_string()))),
        None => print(pem.trim_end()),
    }
    Ok(ExitCode::Done)
}

/// The public half of a key; of a public key file, the key itself.
fn public_key(text: &OsStr) -> Result<PublicKey, Failure> {
    let reference = signers::parse(text)?;
    if let KeyRef::File(path) = &reference
        && let Ok(key) = read_public_key_file(path)
    {
        return Ok(key);
    }
    Ok(signers::open_lasting(&reference)?.public_key().clone())
}

fn generate(args: &GenerateArgs) -> Outcome {
    if names_a_folder(&args.output) {
        return Err(Failure::new(
            ExitCode::NoVerdict,
            format_args!("{} names a folder, not a key", escape(&args.output.display().to_string())),
        )
        .hint("name the key without its ending: symbol-bundle key generate -o FOLDER/release"));
    }
    let (private, public) = (with_ending(&args.output, ".key"), with_ending(&args.output, ".pub"));
    let key = create(&private, &public).map_err(|error| failure(&error))?;
    if args.report.json {
        print_json(&serde_json::json!({ "keyId": key.key_id(), "privateKey": private, "publicKey": public }));
    } else {
        print(&format!("private key {} (keep it, mode 0600)", escape(&private.display().to_string())));
        print(&format!("public key  {}", escape(&public.display().to_string())));
        print(&format!("key id      {}", key.key_id()));
        note(&format!("next: symbol-bundle sign LAYOUT --key {}, where LAYOUT is what `symbol-bundle build` wrote", next::word(&private)));
    }
    Ok(ExitCode::Done)
}

/// A key that cannot be written is no reason to make a key.
fn failure(error: &SigningKeyError) -> Failure {
    let failure = key_failure(error);
    match error {
        SigningKeyError::Io { .. } => {
            failure.hint("name a place in a folder that exists, can be written and has space, with -o FOLDER/NAME")
        }
        _ => failure,
    }
}

fn create(private: &Path, public: &Path) -> Result<SigningKey, SigningKeyError> {
    if std::fs::symlink_metadata(public).is_ok() {
        return Err(SigningKeyError::Exists { path: public.to_owned() });
    }
    let key = SigningKey::generate()?;
    key.create_file(private)?;
    create_public_key_file(public, key.public_key()).inspect_err(|_cause| {
        // This run made the private key a moment ago, and nobody has its public half.
        drop(std::fs::remove_file(private));
    })?;
    Ok(key)
}

/// `a/`, `.`, `a/..`: with an ending these would be hidden files.
fn names_a_folder(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().rsplit(|byte| *byte == b'/').next();
    matches!(last, None | Some(b"" | b"." | b".."))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}
