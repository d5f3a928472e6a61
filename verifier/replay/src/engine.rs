//! The replay itself: checks what it was given, runs seed 0, then each seed twice from scratch.

use sealtrace_digest::{BlobDigest, CaptureSha256, StatementDigest};
use sealtrace_json::JsonError;
use sealtrace_resolve::{RULES_VERSION, ResolveError, ResolverIdentity, SourceBundle, Sources, WitnessInput, derive, statement};
use sealtrace_trace::{Capture, CaptureError, MicroWitness, WITNESS_VERSION, replay_id};
use sealtrace_unwind::{Placement, PlacementError};
use sealtrace_verdict::ExitCode;

use crate::compare::{Recorded, record_mismatches};
use crate::perturb::{DrawFn, Original, draw, unperturbed};
use crate::report::{ReplayReport, SeedResult, merge, vacuity};
use crate::run::{DeriveFn, run};
use crate::seeds::SeedPlan;

/// What replay is given, and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct ReplayInput<'a> {
    /// The recorded witness.
    pub witness: &'a MicroWitness,
    /// SHA-256 of the bytes it was read from: DSSE payload, or statement file.
    pub witness_digest: StatementDigest,
    /// The capture file.
    pub capture: &'a [u8],
    /// The bundles that the witness names; others are not used.
    pub bundles: &'a [SourceBundle<'a>],
    /// Seeds.
    pub seeds: SeedPlan,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The capture is another one.
    #[error("the witness rests on capture {expected}, this one is {found}")]
    CaptureDigest {
        /// What the witness names.
        expected: CaptureSha256,
        /// What was given.
        found: CaptureSha256,
    },
    /// The witness was made by rules that this release does not hold.
    #[error("the witness was made by {symbolizer} with rulesVersion {found:?}; this release holds sealtrace with rulesVersion {held:?}")]
    RulesVersion {
        /// Name of the symbolizer.
        symbolizer: String,
        /// The witness's.
        found: String,
        /// Ours.
        held: &'static str,
    },
    /// A witness version that this release does not read.
    #[error("witnessVersion {found:?}; this release reads {WITNESS_VERSION:?}")]
    WitnessVersion {
        /// Version found.
        found: String,
    },
    /// A bundle that the witness names was not given.
    #[error("the witness rests on symbol bundle {digest}, which was not given")]
    BundleMissing {
        /// Its manifest digest.
        digest: BlobDigest,
    },
    /// The capture cannot be read.
    #[error("{0}")]
    Capture(CaptureError),
    /// Deriving failed.
    #[error("{0}")]
    Resolve(ResolveError),
    /// The regions cannot be placed.
    #[error("capture regions: {0}")]
    Placement(PlacementError),
    /// The resolver gave another number of stacks than there are samples.
    #[error("{samples} samples gave {stacks} stacks")]
    StackCount {
        /// Samples.
        samples: usize,
        /// Stacks.
        stacks: usize,
    },
    /// A record cannot be encoded.
    #[error("record cannot be encoded: {0}")]
    Encode(JsonError),
    /// A worker thread panicked.
    #[error("a worker ended without a result")]
    Worker,
}

impl ReplayError {
    /// The exit code that goes with it.
    pub fn exit(&self) -> ExitCode {
        match self {
            Self::Capture(_) | Self::Placement(_) | Self::Encode(_) => ExitCode::Malformed,
            Self::Resolve(error) => error.exit(),
            _ => ExitCode::NoVerdict,
        }
    }
}

/// Replays a witness. The report holds no time, so the same input gives the same bytes.
///
/// # Errors
/// [`ReplayError`]
pub fn replay(input: &ReplayInput<'_>) -> Result<ReplayReport, ReplayError> {
    replay_with(input, Parts::OURS, None)
}

/// As [`replay`], and asks `clock` for milliseconds around each seed, to fill in `verify_time_ms`.
///
/// # Errors
/// [`ReplayError`]
pub fn replay_timed(input: &ReplayInput<'_>, clock: &mut dyn FnMut() -> u64) -> Result<ReplayReport, ReplayError> {
    replay_with(input, Parts::OURS, Some(clock))
}

/// What tests replace with faulty parts.
#[derive(Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) derive: DeriveFn,
    pub(crate) draw: DrawFn,
}

impl Parts {
    pub(crate) const OURS: Self = Self { derive, draw };
}

type Clock<'c> = Option<&'c mut dyn FnMut() -> u64>;

pub(crate) fn replay_with(input: &ReplayInput<'_>, parts: Parts, mut clock: Clock<'_>) -> Result<ReplayReport, ReplayError> {
    let bundles = check(input)?;
    let capture = Capture::parse(input.capture).map_err(ReplayError::Capture)?;
    let original = Original { capture: &capture, bytes: input.capture, bundles: &bundles };
    let recorded = Recorded::of(input.witness)?;
    let rebuilt = rebuild(input, &capture, &bundles, parts.derive)?;
    let baseline = one_seed(0, input, &recorded, original, Parts { draw: unperturbed, ..parts })?;
    let mut seeds = Vec::new();
    for seed in input.seeds.seeds(&input.witness_digest) {
        let start = clock.as_mut().map(|clock| clock());
        let mut result = one_seed(seed, input, &recorded, original, parts)?;
        let end = clock.as_mut().map(|clock| clock());
        result.verify_time_ms = start.zip(end).map(|(start, end)| end.saturating_sub(start));
        seeds.push(result);
    }
    Ok(ReplayReport {
        trace_id: input.witness.trace_id.to_string(),
        witness_digest: input.witness_digest,
        rules_version: RULES_VERSION,
        explicit_seed: input.seeds.is_explicit(),
        frames_total: recorded.count,
        coverage: rebuilt.coverage,
        elements: original.elements(),
        vacuous: vacuity(&seeds, original.elements()),
        mismatches: merge(std::iter::once(&baseline).chain(&seeds)),
        record_mismatches: record_mismatches(input.witness, &rebuilt)?,
        baseline,
        seeds,
    })
}

/// Whether this release holds the rules that made a witness; worth asking before anything else is fetched.
///
/// # Errors
/// [`ReplayError::RulesVersion`], [`ReplayError::WitnessVersion`]
pub fn check_rules(witness: &MicroWitness) -> Result<(), ReplayError> {
    let symbolizer = &witness.symbolization.symbolizer;
    if symbolizer.name != "sealtrace" || symbolizer.rules_version != RULES_VERSION {
        return Err(ReplayError::RulesVersion {
            symbolizer: symbolizer.name.clone(),
            found: symbolizer.rules_version.clone(),
            held: RULES_VERSION,
        });
    }
    if witness.witness_version != WITNESS_VERSION {
        return Err(ReplayError::WitnessVersion { found: witness.witness_version.clone() });
    }
    Ok(())
}

/// The cheap refusals first; returns the bundles that the witness names, in its order.
fn check<'a>(input: &ReplayInput<'a>) -> Result<Vec<&'a SourceBundle<'a>>, ReplayError> {
    check_rules(input.witness)?;
    let (expected, found) = (input.witness.capture_ref.sha256, Capture::digest(input.capture));
    if expected != found {
        return Err(ReplayError::CaptureDigest { expected, found });
    }
    let given =
        |&digest: &BlobDigest| input.bundles.iter().find(|bundle| bundle.digest == digest).ok_or(ReplayError::BundleMissing { digest });
    input.witness.symbolization.bundles.iter().map(given).collect()
}

/// The witness that follows from capture and bundles, with the recorded notes (release, freshness) taken over.
fn rebuild(
    input: &ReplayInput<'_>,
    capture: &Capture,
    bundles: &[&SourceBundle<'_>],
    derive: DeriveFn,
) -> Result<MicroWitness, ReplayError> {
    let bundles: Vec<SourceBundle<'_>> = bundles.iter().map(|&bundle| bundle.clone()).collect();
    let sources = Sources::open(capture, &bundles).map_err(ReplayError::Resolve)?;
    let placement = Placement::canonical(&capture.region_sizes()).map_err(ReplayError::Placement)?;
    let derived = derive(capture, &sources, &placement).map_err(ReplayError::Resolve)?;
    let symbolizer = &input.witness.symbolization.symbolizer;
    let digests: Vec<BlobDigest> = bundles.iter().map(|bundle| bundle.digest).collect();
    let rebuilt = statement(&WitnessInput {
        capture,
        capture_sha256: input.witness.capture_ref.sha256,
        sources: &sources,
        bundles: &digests,
        derived: &derived,
        freshness: input.witness.freshness.as_ref().map(|freshness| freshness.checkpoint.clone()),
        identity: ResolverIdentity { version: symbolizer.version.clone(), sha256: symbolizer.sha256.clone() },
    });
    rebuilt.map(|(_, witness)| witness).map_err(ReplayError::Resolve)
}

fn one_seed(
    seed: u64,
    input: &ReplayInput<'_>,
    recorded: &Recorded,
    original: Original<'_, '_>,
    parts: Parts,
) -> Result<SeedResult, ReplayError> {
    let once = || {
        let perturbed = (parts.draw)(seed, original)?;
        run(&perturbed, parts.derive).map(|run| (perturbed, run))
    };
    let (perturbed, first) = once()?;
    let (_, second) = once()?;
    let (score, mismatches) = recorded.compare(seed, &first, &second)?;
    Ok(SeedResult {
        seed,
        replay_id: replay_id(&input.witness_digest, seed),
        score,
        changed: perturbed.changed,
        perturbation: perturbed.digest(),
        rolling: first.rolling,
        mismatches,
        verify_time_ms: None,
    })
}
