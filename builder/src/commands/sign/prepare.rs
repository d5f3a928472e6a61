//! `symbol-bundle sign prepare`: what a signer elsewhere needs, in a folder (docs/formats/two-phase-signing.md).

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, Overwrite, ResultFile, escape, note, print, print_json, write_all};
use sealtrace_signer::read_public_key_file;

use super::super::{kind, next};
use crate::attach::{Prepared, REQUEST_FILE, key_failure, prepare_layout};
use crate::layout_dir::LayoutDir;

#[derive(Debug, clap::Args)]
pub(super) struct PrepareArgs {
    /// The bundle's OCI layout
    #[arg(value_name = "LAYOUT")]
    layout: PathBuf,
    /// The public half of the key that will sign (SPKI PEM, ECDSA P-256)
    #[arg(long, value_name = "K.pub")]
    public_key: PathBuf,
    /// The folder to write: request.json, pae.bin, digest.bin, digest.hex, statement.json
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

pub(super) fn run(args: &PrepareArgs) -> Outcome {
    let key = read_public_key_file(&args.public_key).map_err(|error| key_failure(&error))?;
    kind::expect_layout(&args.layout)?;
    let prepared = prepare_layout(&LayoutDir::open(&args.layout)?, &key)?;
    write(&args.folder, &prepared)?;
    let request = &prepared.request;
    if args.output.json {
        print_json(&serde_json::json!({
            "request": args.folder, "manifestDigest": request.manifest_digest, "keyId": request.key_id, "paeSha256": request.pae_sha256,
        }));
        return Ok(ExitCode::Done);
    }
    print(&format!("prepared: {}", request.manifest_digest));
    print(&format!("  for key {}", request.key_id));
    print(&format!("  digest to sign {}", request.pae_sha256));
    print(&format!("  in {}", escape(&args.folder.display().to_string())));
    let (layout, folder, public) = (next::word(&args.layout), next::word(&args.folder), next::word(&args.public_key));
    note(&format!("next: sign it where the key is, for example: openssl dgst -sha256 -sign K.key -out signature.der {folder}/pae.bin"));
    note(&format!("  then: symbol-bundle sign assemble {layout} --request {folder} --signature signature.der --public-key {public}"));
    Ok(ExitCode::Done)
}

/// Writes the folder, or nothing: a request that is there already is left as it is.
fn write(folder: &Path, prepared: &Prepared) -> Result<(), Failure> {
    let digest = prepared.request.pae_sha256;
    let (hex, request) = (format!("{digest}\n"), prepared.request_bytes()?);
    let contents: [(&str, &[u8]); 5] = [
        ("statement.json", &prepared.statement),
        ("pae.bin", &prepared.pae),
        ("digest.bin", digest.as_bytes()),
        ("digest.hex", hex.as_bytes()),
        (REQUEST_FILE, &request),
    ];
    let paths = contents.map(|(name, _)| folder.join(name));
    let files: Vec<_> = contents.iter().zip(&paths).map(|((_, bytes), path)| ResultFile { path, bytes, private: false }).collect();
    let made = match std::fs::create_dir(folder) {
        Ok(()) => true,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => false,
        Err(error) => {
            return Err(Failure::io("create", folder, &error).hint("name a folder that does not exist yet, in one that can be written"));
        }
    };
    write_all(&files, Overwrite::Refuse).inspect_err(|_failure| {
        if made {
            // Only when it is empty, which it is unless somebody else wrote into it.
            drop(std::fs::remove_dir(folder));
        }
    })
}
