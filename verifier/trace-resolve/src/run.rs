//! From arguments to one witness: open, derive, sign, write. The trace itself is written last.

use std::ffi::OsStr;
use std::path::Path;

use sealtrace_bundle::{VerifiedBundle, open_statement};
use sealtrace_case::{open_bundle, read_policy, trust_folder};
use sealtrace_console::{ExitCode, Failure, Outcome, escape, note, print, print_json};
use sealtrace_digest::{CaptureSha256, FileSha256};
use sealtrace_envelope::{MAX_STATEMENT_BYTES, PAYLOAD_TYPE_IN_TOTO, pae_digest};
use sealtrace_resolve::{ResolverIdentity, SourceBundle, Sources, WitnessInput, capture_event, derive, statement};
use sealtrace_signer::{CertifiedSigner, KeyRef, Signer, SignerError, open_signer};
use sealtrace_site_log::{SiteLog, sign_and_log};
use sealtrace_store::{Store, read_bounded};
use sealtrace_trace::{Capture, MAX_CAPTURE_BYTES, MicroWitness};
use sealtrace_trust::Trust;
use sealtrace_unwind::Placement;
use sealtrace_verdict::{Assurance, Checks, codes};

use crate::cli::Cli;
use crate::outputs::Outputs;

/// Runs the command.
pub(crate) fn run(cli: &Cli) -> Outcome {
    let store = open_store(cli)?;
    let mut trust = trust_folder(cli.trust.as_deref().unwrap_or(&store.trust_path()))?;
    let bytes = read_capture(&cli.capture)?;
    let capture = Capture::parse(&bytes).map_err(|error| {
        Failure::from_error(ExitCode::Malformed, &format!("{}", cli.capture.display()), &error)
            .hint("a capture is the capture.jsonl that trace-capture wrote, as it was")
    })?;
    if let Some(path) = &cli.policy {
        trust.strengthen(read_policy(path)?);
    }
    let bundles = cli.bundles.iter().map(|name| open_bundle(name, &store, &trust)).collect::<Result<Vec<_>, _>>()?;
    let resolved = resolve(&capture, &bytes, &bundles, &store)?;
    let outputs = Outputs { cli, capture: &bytes, payload: &resolved.payload };
    outputs.check()?;
    let trace = match (&cli.key, &cli.log) {
        (Some(key), Some(log)) => sign(&resolved.payload, key, log, cli)?,
        _ => {
            note("trace-resolve: no --key and --log: the statement stays unsigned, and proves nothing about who wrote it");
            resolved.payload.clone()
        }
    };
    let signed = cli.key.is_some();
    outputs.write(&store, &event_line(cli, &resolved)?, &trace)?;
    report(cli, &resolved.witness, signed);
    if signed {
        warn_of_verdict(&trace, &trust);
    }
    Ok(ExitCode::Done)
}

/// Says at once what whoever verifies it with this trust will find.
fn warn_of_verdict(trace: &[u8], trust: &Trust) {
    let mut checks = Checks::new();
    if open_statement(trace, trust, &mut checks).is_some() {
        return;
    }
    let verdict = checks.conclude(Assurance::None);
    let Some(check) = verdict.decisive() else { return };
    note(&format!(
        "warning: by the trust used here the trace does not verify: {}: {}",
        check.id,
        escape(check.reason.as_deref().unwrap_or("no reason given"))
    ));
    if let Some(text) = codes::explain(&check.id) {
        note(&format!("  next: {}", text.next));
    }
}

struct Resolved {
    witness: MicroWitness,
    main: String,
    payload: Vec<u8>,
}

fn open_store(cli: &Cli) -> Result<Store, Failure> {
    let path = cli.store.path(rustix::process::geteuid().is_root())?;
    Store::open(&path).map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "store", &error)
            .hint("import a bundle first: symbol-bundle import ARCHIVE --store DIR, or name the store with --store DIR")
    })
}

fn read_capture(path: &Path) -> Result<Vec<u8>, Failure> {
    read_bounded(path, u64::try_from(MAX_CAPTURE_BYTES).unwrap_or(u64::MAX)).map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "capture", &error).hint("make one: trace-capture -o capture.jsonl -- CMD")
    })
}

fn resolve(capture: &Capture, bytes: &[u8], bundles: &[VerifiedBundle], store: &Store) -> Result<Resolved, Failure> {
    let failed = |error: sealtrace_resolve::ResolveError| {
        Failure::from_error(error.exit(), "resolve", &error)
            .hint("the store or the capture was changed: import the archive again, capture again")
    };
    let sources: Vec<SourceBundle<'_>> = bundles.iter().map(|bundle| SourceBundle::of(bundle, store.oci())).collect();
    let sources = Sources::open(capture, &sources).map_err(failed)?;
    let placement = Placement::canonical(&capture.region_sizes())
        .map_err(|error| Failure::from_error(ExitCode::Malformed, "capture regions", &error))?;
    let derived = derive(capture, &sources, &placement).map_err(failed)?;
    let freshest = bundles.iter().max_by_key(|bundle| (bundle.log().tree_size().0, bundle.checkpoint().to_owned()));
    let input = WitnessInput {
        capture,
        capture_sha256: CaptureSha256::of(bytes),
        sources: &sources,
        bundles: &bundles.iter().map(VerifiedBundle::digest).collect::<Vec<_>>(),
        derived: &derived,
        freshness: freshest.map(|bundle| bundle.checkpoint().to_owned()),
        identity: identity(),
    };
    let (statement, witness) = statement(&input).map_err(failed)?;
    let payload = statement.encode().map_err(|error| Failure::from_error(ExitCode::NoVerdict, "statement", &error))?;
    if payload.len() > MAX_STATEMENT_BYTES {
        let message = format_args!("the witness takes {} bytes, a statement at most {MAX_STATEMENT_BYTES}", payload.len());
        return Err(Failure::new(ExitCode::Malformed, message).hint("capture again with a lower --frequency or a shorter --duration"));
    }
    let main = statement.subject.first().map(|subject| subject.name.clone()).unwrap_or_default();
    Ok(Resolved { witness, main, payload })
}

fn identity() -> ResolverIdentity {
    let own = std::env::current_exe().ok().and_then(|path| std::fs::read(path).ok());
    ResolverIdentity { version: env!("CARGO_PKG_VERSION").to_owned(), sha256: own.map(|bytes| FileSha256::of(&bytes).hex()) }
}

fn sign(payload: &[u8], key: &OsStr, log: &Path, cli: &Cli) -> Result<Vec<u8>, Failure> {
    let key = open_key(key, cli)?;
    let mut log = SiteLog::open(log, cli.log_key.as_deref()).map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "site log", &error).hint("make one: symbol-bundle log init --log DIR --origin ORIGIN")
    })?;
    sign_and_log(PAYLOAD_TYPE_IN_TOTO, payload, key.as_ref(), &mut log)
        .map_err(|error| Failure::from_error(ExitCode::NoVerdict, "signing and logging", &error))
}

fn open_key(reference: &OsStr, cli: &Cli) -> Result<Box<dyn Signer>, Failure> {
    let stamps = match cli.timestamp.as_deref().map(KeyRef::parse) {
        None => None,
        Some(Ok(KeyRef::Exec(words))) => Some(words),
        Some(_) => {
            return Err(Failure::new(ExitCode::NoVerdict, "--timestamp names no program")
                .hint("name one that answers RFC 3161 queries on its standard input: --timestamp 'exec:PROGRAM ARG…'"));
        }
    };
    let opened = KeyRef::parse(reference).map_err(SignerError::from).and_then(|reference| open_signer(&reference));
    let certified = opened.and_then(|signer| CertifiedSigner::new(signer, cli.certificate.as_deref(), stamps.as_ref()));
    certified.map(|signer| -> Box<dyn Signer> { Box::new(signer) }).map_err(|error| {
        let failure = Failure::from_error(ExitCode::NoVerdict, "signing key", &error);
        match error {
            SignerError::Reference(_) => failure.hint("name a file, or an external signer: --key 'exec:PROGRAM ARG…'"),
            SignerError::NotHere { .. } => {
                failure.hint("reach the token through an external signer: --key 'exec:PROGRAM ARG…', as docs/formats/exec-signer.md has it")
            }
            SignerError::Certified(_) => {
                failure.hint("name the certificate that the site's authority issued for this key, in PEM: --certificate PEM")
            }
            SignerError::Exec(_) => failure.hint("run the program by hand: with the argument public-key it prints an SPKI PEM, with sign a DER signature, with timestamp an RFC 3161 response"),
            _ => failure.hint("make one: symbol-bundle key generate -o site"),
        }
    })
}

fn event_line(cli: &Cli, resolved: &Resolved) -> Result<String, Failure> {
    let dsse = cli.key.is_some().then(|| format!("dsse:{}", pae_digest(PAYLOAD_TYPE_IN_TOTO, &resolved.payload)));
    let event = capture_event(&resolved.witness, &resolved.main, dsse);
    let line = serde_json::to_string(&event)
        .map_err(|error| Failure::new(ExitCode::NoVerdict, format_args!("event cannot be encoded: {error}")))?;
    Ok(format!("{line}\n"))
}

fn report(cli: &Cli, witness: &MicroWitness, signed: bool) {
    let coverage = &witness.coverage;
    if cli.output.json {
        print_json(&serde_json::json!({
            "trace": cli.output_file.display().to_string(),
            "traceId": witness.trace_id,
            "signed": signed,
            "coverage": coverage,
            "coveragePercent": coverage.percent(),
            "stacks": witness.stacks.len(),
            "bundles": witness.symbolization.bundles,
            "unmatched": witness.modules.iter().filter_map(|module| {
                module.unmatched_reason.as_ref().map(|reason| serde_json::json!({"path": module.path, "reason": reason}))
            }).collect::<Vec<_>>(),
        }));
        return;
    }
    print(&format!(
        "{}  {} stacks, {} of {} frames resolved ({} %), {} heuristic, {}",
        cli.output_file.display(),
        witness.stacks.len(),
        coverage.frames_resolved,
        coverage.frames_total,
        coverage.percent(),
        coverage.frames_heuristic,
        if signed { "signed and logged" } else { "unsigned" }
    ));
    for module in &witness.modules {
        if let Some(reason) = &module.unmatched_reason {
            note(&format!("trace-resolve: no symbols for {}: {reason}", escape(&module.path)));
        }
    }
    if !coverage.reaches(90) {
        note("trace-resolve: coverage is below 90 %; give bundles that hold the modules above with more --bundle");
    }
}
