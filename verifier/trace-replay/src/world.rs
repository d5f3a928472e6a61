//! What a replay needs from the world: trust, the trace, its capture, the symbol bundles it names.

use sealtrace_bundle::VerifiedBundle;
use sealtrace_case::{
    Bundles, OpenTrace, OpenedBundles, Signature, check_policy, check_witness, find_capture, open_trace, read_policy, store_graph,
    trust_folder,
};
use sealtrace_console::{ExitCode, Failure, escape, note};
use sealtrace_digest::BlobDigest;
use sealtrace_envelope::MAX_BUNDLE_BYTES;
use sealtrace_replay::{SignatureState, check_rules};
use sealtrace_store::{Store, StoreError, read_bounded};
use sealtrace_trace::Capture;
use sealtrace_trust::Trust;
use sealtrace_verdict::{Assurance, Checks, Verdict};

use crate::cli::Cli;

/// Everything that one replay runs on.
pub(crate) struct World {
    pub(crate) trace: OpenTrace,
    pub(crate) signature: SignatureState,
    pub(crate) capture: Vec<u8>,
    /// `None` only where the witness names no bundle.
    pub(crate) store: Option<Store>,
    pub(crate) bundles: Vec<VerifiedBundle>,
    /// The witness held against itself and its capture, whatever its signature is worth.
    pub(crate) witness: Verdict,
    pub(crate) verdict: Verdict,
}

/// Opens everything. The cheapest refusals come first.
pub(crate) fn open(cli: &Cli) -> Result<World, Failure> {
    let bytes = read_trace(cli)?;
    let path = cli.store.path(sealtrace_store::user_is_root())?;
    let store = Store::open(&path);
    let mut trust = trust_folder(cli.trust.as_deref().unwrap_or(&path.join("trust")));
    if let (Ok(trust), Some(path)) = (&mut trust, &cli.policy) {
        trust.strengthen(read_policy(path)?);
    }
    // A folder that is there and wrong is never passed over.
    if let Err(failure) = &trust
        && (failure.exit() != ExitCode::NoVerdict || cli.trust.is_some())
    {
        return Err(failure.clone());
    }
    let mut trace = open_trace(&bytes, trust.as_ref().ok())?;
    check_rules(&trace.witness).map_err(|error| {
        Failure::from_error(error.exit(), "trace", &error).hint(format_args!(
            "replay it with the release that holds its rules: trace-replay of sealtrace {}",
            escape(&trace.witness.symbolization.symbolizer.version)
        ))
    })?;
    let signature = accept(&trace, cli, &trust)?;
    let captures = store.as_ref().ok().map(Store::captures);
    let capture = find_capture(&trace.witness.capture_ref.sha256, &cli.trace, cli.capture.as_deref(), captures.as_deref())?;
    if let Some(warning) = capture.warning() {
        note(&format!("warning: {}", escape(&warning)));
    }
    let capture = capture.bytes;
    let mut checks = std::mem::take(&mut trace.checks);
    if matches!(trace.signature, Signature::Unsigned) {
        checks.undecided("dsse-signature", "the statement is unsigned: nobody vouches for it");
    }
    if matches!(trace.signature, Signature::Unchecked) {
        checks.undecided("dsse-signature", "there is no trust folder to check the signature against");
    }
    let parsed = Capture::parse(&capture).map_err(|error| Failure::from_error(ExitCode::Malformed, "capture", &error))?;
    let mut own = Checks::new();
    check_witness(&trace.statement, &trace.witness, &parsed, trust.as_ref().ok(), &mut own);
    let witness = own.conclude(Assurance::Signed);
    checks.absorb("", &witness);
    let mut assurance = if signature == SignatureState::Verified { Assurance::LoggedLocally } else { Assurance::None };
    let bundles = open_bundles(&trace, store.as_ref().map_err(no_store), trust.as_ref(), (&mut checks, &mut assurance))?;
    if let Ok(trust) = &trust {
        obey(&trace, &bundles, trust, cli, &mut checks)?;
    }
    Ok(World { trace, signature, capture, store: store.ok(), bundles, witness, verdict: checks.conclude(assurance) })
}

fn read_trace(cli: &Cli) -> Result<Vec<u8>, Failure> {
    read_bounded(&cli.trace, u64::try_from(MAX_BUNDLE_BYTES).unwrap_or(u64::MAX)).map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "trace", &error)
            .hint("make one: trace-resolve --bundle NAME:VERSION capture.jsonl -o trace.sigstore.json")
    })
}

fn no_store(error: &StoreError) -> Failure {
    Failure::from_error(ExitCode::NoVerdict, "store", error)
        .hint("import the symbol bundle first: symbol-bundle import ARCHIVE --store DIR, or name the store with --store DIR")
}

/// Refuses a trace whose signature does not hold, or cannot be checked, unless told otherwise.
fn accept(trace: &OpenTrace, cli: &Cli, trust: &Result<Trust, Failure>) -> Result<SignatureState, Failure> {
    let state = match trace.signature {
        Signature::Verified(_) => SignatureState::Verified,
        Signature::Unsigned => SignatureState::Unsigned,
        Signature::Rejected => SignatureState::Rejected,
        Signature::Unchecked => SignatureState::Unchecked,
    };
    match (state, trust) {
        (SignatureState::Rejected, _) if !cli.unverified => Err(rejected(&trace.checks.clone().conclude(Assurance::None))),
        (SignatureState::Unchecked, Err(failure)) if !cli.unverified => Err(failure.clone()),
        _ => Ok(state),
    }
}

/// Refuses a trace that a rule of the policy forbids, unless told otherwise.
fn obey(trace: &OpenTrace, bundles: &[VerifiedBundle], trust: &Trust, cli: &Cli, checks: &mut Checks) -> Result<(), Failure> {
    let mut rules = Checks::new();
    check_policy(trace, bundles.iter(), trust, &mut rules);
    if rules.made().is_empty() {
        return Ok(());
    }
    let verdict = rules.conclude(Assurance::None);
    if verdict.exit() != ExitCode::Done && !cli.unverified {
        return Err(rejected(&verdict));
    }
    checks.absorb("", &verdict);
    Ok(())
}

fn rejected(verdict: &Verdict) -> Failure {
    let check = verdict.decisive();
    let id = check.map_or("signature", |check| check.id.as_str());
    let reason = check.and_then(|check| check.reason.as_deref()).unwrap_or("no reason given");
    let exit = if verdict.exit() == ExitCode::Done { ExitCode::Rejected } else { verdict.exit() };
    Failure::new(exit, format_args!("trace rejected: check {id} did not pass: {reason}"))
        .hint("see every check: trace-verify TRACE --json; to replay all the same: --unverified")
}

fn open_bundles(
    trace: &OpenTrace,
    store: Result<&Store, Failure>,
    trust: Result<&Trust, &Failure>,
    (checks, assurance): (&mut Checks, &mut Assurance),
) -> Result<Vec<VerifiedBundle>, Failure> {
    let digests = &trace.witness.symbolization.bundles;
    let Some(first) = digests.first() else { return Ok(Vec::new()) };
    let (store, trust) = (store?, trust.map_err(Clone::clone)?);
    let graph = store_graph(store)?;
    let graph = graph.ok_or_else(|| missing(first))?;
    let opened = OpenedBundles::default();
    let world = Bundles { blobs: store.oci(), graph: &graph, trust, opened: &opened };
    let mut bundles = Vec::with_capacity(digests.len());
    for digest in digests {
        if !graph.manifests().contains_key(digest) {
            return Err(missing(digest));
        }
        let opened = world.open(digest)?;
        checks.absorb(&format!("bundle-{}/", digest.hex().chars().take(12).collect::<String>()), &opened.verdict);
        *assurance = opened.verdict.assurance().min(*assurance);
        bundles.push(opened.verified.clone().ok_or_else(|| {
            let check = opened.verdict.decisive();
            let id = check.map_or("", |check| check.id.as_str());
            let reason = check.and_then(|check| check.reason.as_deref()).unwrap_or("no reason given");
            Failure::new(opened.verdict.exit(), format_args!("symbol bundle {digest}: check {id} did not pass: {reason}"))
                .hint(format_args!("see every check: trace-verify --bundle {digest} --json"))
        })?);
    }
    Ok(bundles)
}

fn missing(digest: &BlobDigest) -> Failure {
    Failure::new(ExitCode::NoVerdict, format_args!("symbol bundle {digest} is not in the store: without it no frame can be derived"))
        .hint("import the archive that holds it: symbol-bundle import ARCHIVE --store DIR")
}
