//! The log's side of cosigning: `log request-cosign`, `log add-cosignature` (both by files), `log cosign` (over HTTP).

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, Overwrite, escape, note, print, print_json, write_atomic};
use sealtrace_site_log::{CosignError, CosignedCheckpoint, LogReader, add_cosignature};
use sealtrace_tlog::{AddCheckpoint, CosignerKey, MAX_NOTE_BYTES, MAX_REQUEST_BYTES, NoteSignature, SignedCheckpoint, TreeSize};

use super::failure::{of_log, open, shown};
use super::note_keys::witness_key;
use crate::commands::next;
use crate::http::{HttpError, NetworkArgs, Server};

/// What a signature line begins with (C2SP signed-note).
pub(super) const SIGNATURE_LINE: &str = "\u{2014} ";
/// What a request begins with.
const REQUEST: &str = "old ";
/// Below a log witness's URL (C2SP tlog-witness).
const ADD_CHECKPOINT: &str = "add-checkpoint";
/// The most bytes of an answer (ours): signature lines, or a size.
const MAX_ANSWER_BYTES: u64 = 64 << 10;
/// What to do with a copy of a log that is older than what was cosigned.
pub(super) const ROLLED_BACK: &str = "do not append to it: restore the newer copy of the log, or start a new log under a new name";
/// How often a log witness may name another size before it is left alone.
const MAX_SIZES: u32 = 4;

/// Arguments of `request-cosign`.
#[derive(Debug, clap::Args)]
pub(super) struct RequestArgs {
    /// The log's folder
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The size that the log witness cosigned last; 0 at the first time
    #[arg(long, value_name = "N")]
    old: u64,
    /// Where the request goes, to take to the log witness
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    to: PathBuf,
    /// Replace an earlier request; without the request an answer to it cannot be added once the log has grown
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Arguments of `add-cosignature`.
#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// The log's folder
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The log witness's vkey (NAME+ID+KEY), or a file with it
    #[arg(long, value_name = "VKEY")]
    witness: String,
    /// The request that was answered, when the log has grown since
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// The answer: signature lines, or a whole cosigned checkpoint
    #[arg(value_name = "FILE")]
    answer: PathBuf,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Arguments of `cosign`.
#[derive(Debug, clap::Args)]
pub(super) struct CosignArgs {
    /// The log's folder
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The log witness's URL (C2SP tlog-witness)
    #[arg(long, value_name = "URL")]
    witness: String,
    /// The log witness's vkey (NAME+ID+KEY), or a file with it
    #[arg(long, value_name = "VKEY")]
    witness_key: String,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Runs `request-cosign`.
pub(super) fn request(args: &RequestArgs) -> Outcome {
    let log = open(&args.log)?;
    let request = log.add_checkpoint(TreeSize(args.old)).map_err(|error| match error {
        CosignError::Beyond { .. } => failure(&args.log, &error).hint(format_args!(
            "if the log witness's `symbol-bundle log witness show` says size {}: {ROLLED_BACK}; otherwise name the size that it says",
            args.old
        )),
        _ => failure(&args.log, &error),
    })?;
    write_atomic(&args.to, &request.encode(), overwrite(args.force, REQUEST))?;
    warn_if_empty(log.tree().size);
    let (origin, tree) = (log.log().origin.as_str(), log.tree());
    if args.output.json {
        print_json(&serde_json::json!({
            "origin": origin, "old": args.old, "size": tree.size.0, "root": tree.root.hex(), "output": args.to,
        }));
        return Ok(ExitCode::Done);
    }
    print(&format!("request: cosign {origin} at size {}, from size {}", tree.size, args.old));
    print(&format!("  in {}", shown(&args.to)));
    let to = next::word(&args.to);
    note(&format!("next: at the log witness: symbol-bundle log witness cosign --state DIR --log-key KEY --request {to} -o cosignature"));
    Ok(ExitCode::Done)
}

/// Only what this command wrote is ever replaced, and only when that was asked for.
pub(super) fn overwrite(force: bool, kind: &'static str) -> Overwrite {
    if force { Overwrite::ReplaceSameKind(kind.as_bytes()) } else { Overwrite::Refuse }
}

/// A cosignature of nothing is easily taken for one of something.
pub(super) fn warn_if_empty(size: TreeSize) {
    if size == TreeSize(0) {
        note("warning: the log is empty: its cosignature vouches for no entry");
    }
}

/// Runs `add-cosignature`.
pub(super) fn add(args: &AddArgs) -> Outcome {
    let witness = witness_key(&args.witness)?;
    let log = open(&args.log)?;
    let (checkpoint, lines) = answered(args, &log)?;
    let added = add_cosignature(&args.log, &checkpoint, &lines, &witness).map_err(|error| failure(&args.log, &error))?;
    report(&args.log, &added, &witness, args.output.json);
    Ok(ExitCode::Done)
}

/// Runs `cosign`.
pub(super) fn cosign(args: &CosignArgs) -> Outcome {
    let witness = witness_key(&args.witness_key)?;
    let server = args.network.server(&args.witness).map_err(|error| Failure::from(&error))?;
    let log = open(&args.log)?;
    let lines = ask(&server, &log)?;
    let added = add_cosignature(&args.log, log.checkpoint(), &lines, &witness).map_err(|error| answer_failure(args, &error))?;
    warn_if_empty(log.tree().size);
    report(&args.log, &added, &witness, args.output.json);
    Ok(ExitCode::Done)
}

/// Asks a log witness; it names the size that it knows when ours is another.
fn ask(server: &Server, log: &LogReader) -> Result<Vec<NoteSignature>, Failure> {
    let mut old = TreeSize(0);
    for _ in 0..MAX_SIZES {
        let request = log.add_checkpoint(old).map_err(|error| failure(log.folder(), &error))?;
        let reply = server
            .post(ADD_CHECKPOINT, "text/plain", &request.encode(), MAX_ANSWER_BYTES)
            .map_err(|error| no_answer(log.folder(), &error))?;
        let text = String::from_utf8_lossy(&reply.body);
        match reply.status {
            200 => {
                return NoteSignature::parse_lines(&text).map_err(|error| {
                    Failure::new(ExitCode::Malformed, format_args!("{}: the answer is no cosignature: {error}", escape(server.url())))
                        .hint("this is no log witness; check the address")
                });
            }
            409 => {
                let known = text.trim().parse().ok().map(TreeSize).filter(|known| *known != old);
                old = known.ok_or_else(|| refused(server, reply.status, &reply.excerpt()))?;
                if old > log.tree().size {
                    return Err(rolled_back(old, log.tree().size));
                }
            }
            status => return Err(refused(server, status, &reply.excerpt())),
        }
    }
    Err(Failure::new(ExitCode::NoVerdict, format_args!("{} names another size each time", escape(server.url()))).hint("run it again later"))
}

fn rolled_back(known: TreeSize, size: TreeSize) -> Failure {
    Failure::new(
        ExitCode::Rejected,
        format_args!(
            "rollback: the log witness has cosigned this log at size {known}, and it has {size} entries here: this copy of the log is older"
        ),
    )
    .hint(ROLLED_BACK)
}

/// No log witness there, or not now. Nothing can be deferred here, but a request can be carried.
fn no_answer(log: &Path, error: &HttpError) -> Failure {
    let failure = Failure::from(error);
    match error {
        HttpError::Unreachable { .. } => failure.hint(format_args!(
            "check the address and whether the log witness is served there (`symbol-bundle log witness serve`); by files: symbol-bundle log request-cosign --log {} --old N -o add-checkpoint.txt",
            next::word(log)
        )),
        HttpError::Busy { .. } => failure.hint("run it again later; the log is as it was"),
        _ => failure,
    }
}

fn refused(server: &Server, status: u16, says: &str) -> Failure {
    // 400 to 422 are decisions about this checkpoint; what else there is says nothing about it.
    let exit = if matches!(status, 403 | 409 | 422) { ExitCode::Rejected } else { ExitCode::NoVerdict };
    let hint = match status {
        404 => "the log witness does not know this log: give its operator the vkey that `symbol-bundle log init` printed",
        403 => "the log witness knows this log by another key",
        409 | 422 => "the log witness saw another tree of this log: compare the checkpoints of both before anything else",
        _ => "check the log witness's address",
    };
    Failure::new(exit, format_args!("{}: the log witness answers {status}: {}", escape(server.url()), escape(says))).hint(hint)
}

/// The checkpoint that an answer is of, and its lines.
fn answered(args: &AddArgs, log: &LogReader) -> Result<(SignedCheckpoint, Vec<NoteSignature>), Failure> {
    let bytes = read(&args.answer, MAX_NOTE_BYTES)?;
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(ExitCode::Malformed, format_args!("{}: {error}", shown(&args.answer)))
            .hint("name the file that `symbol-bundle log witness cosign -o` wrote")
    };
    let text = std::str::from_utf8(&bytes).map_err(|error| wrong(&error))?;
    if !text.starts_with(SIGNATURE_LINE) {
        let cosigned = SignedCheckpoint::parse(text).map_err(|error| wrong(&error))?;
        let lines = cosigned.note().signatures.clone();
        return Ok((cosigned, lines));
    }
    let lines = NoteSignature::parse_lines(text).map_err(|error| wrong(&error))?;
    let checkpoint = match &args.request {
        Some(path) => read_request(path)?.checkpoint,
        None => log.checkpoint().clone(),
    };
    Ok((checkpoint, lines))
}

/// Reads a request's file.
///
/// # Errors
/// Exit 2 or 3.
pub(super) fn read_request(path: &Path) -> Result<AddCheckpoint, Failure> {
    let bytes = read(path, MAX_REQUEST_BYTES)?;
    AddCheckpoint::parse(&bytes).map_err(|error| Failure::from(&crate::witness::WitnessError::from(error)))
}

fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    sealtrace_store::read_bounded(path, u64::try_from(limit).unwrap_or(u64::MAX))
        .map_err(|error| Failure::new(ExitCode::NoVerdict, error).hint("check the path: a request or an answer has at most a megabyte"))
}

fn report(log: &Path, added: &CosignedCheckpoint, witness: &CosignerKey, json: bool) {
    let checkpoint = added.checkpoint.checkpoint();
    // Verified a moment ago, before it was written.
    let times = witness.cosignatures(&added.checkpoint).unwrap_or_default();
    let time = times.iter().filter_map(sealtrace_tlog::VerifiedCosignature::time).max().map(|time| time.to_string());
    if json {
        print_json(&serde_json::json!({
            "origin": checkpoint.origin, "size": checkpoint.tree.size.0, "root": checkpoint.tree.root.hex(), "witness": witness.key().name().as_str(),
            "time": time, "current": added.current, "already": added.already,
        }));
        return;
    }
    let time = time.map_or_else(String::new, |time| format!(" at {time}"));
    print(&format!("cosigned: {} at size {} by {}{time}", checkpoint.origin, checkpoint.tree.size, witness.key().name()));
    if added.current {
        note(&format!("next: symbol-bundle log checkpoint --log {}", next::word(log)));
    } else {
        print("  the log has grown since; the cosigned checkpoint is kept beside the current one");
        note(&format!(
            "next: symbol-bundle log request-cosign --log {} --old {} -o add-checkpoint.txt --force",
            next::word(log),
            checkpoint.tree.size
        ));
    }
}

fn failure(log: &Path, error: &CosignError) -> Failure {
    let (exit, hint) = match error {
        CosignError::Log(error) => return of_log(log, error),
        CosignError::Beyond { .. } => (ExitCode::Rejected, ROLLED_BACK),
        CosignError::Checkpoint(sealtrace_tlog::CheckpointError::Note(_)) => (ExitCode::Malformed, "ask the log witness again"),
        CosignError::NotCosigned { .. } => (
            ExitCode::Rejected,
            "name the log witness's own vkey; when the log has grown since the request, name the request with --request FILE",
        ),
        CosignError::Cosignature(_) => (
            ExitCode::Rejected,
            "when the log has grown since the request, name the request with --request FILE; otherwise ask the log witness again",
        ),
        _ => (ExitCode::Rejected, "this answer is about another log, or about another copy of this one; nothing was changed"),
    };
    Failure::new(exit, error).hint(hint)
}

/// An answer that came over HTTP a moment ago: there is no request to name.
fn answer_failure(args: &CosignArgs, error: &CosignError) -> Failure {
    let failure = failure(&args.log, error);
    match error {
        CosignError::NotCosigned { .. } => failure.hint(
            "another key answers at this address: compare --witness-key with what `symbol-bundle log witness show` prints there; nothing was changed",
        ),
        CosignError::Cosignature(_) => {
            failure.hint("run it again; if the signature is wrong again, this is not the log witness of that vkey; nothing was changed")
        }
        _ => failure,
    }
}
