//! `symbol-bundle log prove`: an entry of a log with its C2SP `.tlog-proof` file.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, Overwrite, print, print_json, write_atomic};
use sealtrace_site_log::SiteLogError;
use sealtrace_tlog::{LeafIndex, ProofFile, TlogProof};

use super::failure::{of_log, open};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct ProveArgs {
    /// The log's folder
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The entry's index, from 0
    #[arg(long, value_name = "N")]
    index: u64,
    /// The proof file to write
    #[arg(short = 'o', long = "output", value_name = "F.tlog-proof")]
    proof: PathBuf,
    /// Write the entry itself here as well
    #[arg(long, value_name = "FILE")]
    entry: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(args: &ProveArgs) -> Outcome {
    let log = open(&args.log)?;
    let (index, checkpoint) = (LeafIndex(args.index), log.checkpoint());
    let fragment = log.fragment(checkpoint, &[index]).map_err(|error| of_log(&args.log, &error))?;
    let shown = fragment
        .entries()
        .get(&args.index)
        .ok_or_else(|| of_log(&args.log, &SiteLogError::NoEntry { index: args.index, size: log.tree().size.0 }))?;
    let proof = ProofFile { index, hashes: shown.proof.clone(), checkpoint: checkpoint.text().to_owned() };
    let bytes = TlogProof { extra: None, proof }.encode();
    write(&args.proof, &bytes)?;
    if let Some(path) = &args.entry {
        write(path, &shown.body)?;
    }
    let vkey = log.log().note_key().map(|key| key.vkey()).map_err(|error| Failure::new(ExitCode::NoVerdict, error))?;
    if args.output.json {
        print_json(&serde_json::json!({
            "origin": log.log().origin.as_str(), "index": args.index, "size": log.tree().size.0, "proof": args.proof, "entry": args.entry, "vkey": vkey,
        }));
    } else {
        print(&format!("proved entry {} of {} entries of {}", args.index, log.tree().size, log.log().origin));
        print(&format!("  verify it with: trace-verify proof {} --entry ENTRY --log-key '{vkey}'", args.proof.display()));
    }
    Ok(ExitCode::Done)
}

fn write(path: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    write_atomic(path, bytes, Overwrite::Refuse)
}
