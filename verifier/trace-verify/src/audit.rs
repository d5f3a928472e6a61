//! `trace-verify audit`: every trace of an evidence archive, verified and replayed with a trust folder and nothing else.

use sealtrace_bundle::exit_of_blob_error;
use sealtrace_card::{BundleLine, CardInput, Seal, card};
use sealtrace_case::{FoundCapture, Signature};
use sealtrace_console::{ExitCode, Failure, Outcome, Overwrite, Progress, note, print, print_json, write_atomic};
use sealtrace_digest::BlobDigest;
use sealtrace_layout::{BlobError, Descriptor, LayoutGraph, media};
use sealtrace_replay::{ReplayInput, ReplayReport, ReplayVerdict, Score, SeedPlan, SignatureState, Slo, replay};
use sealtrace_resolve::SourceBundle;
use sealtrace_trace::MAX_CAPTURE_BYTES;
use sealtrace_verdict::{Assurance, Checks, Conclusion, Verdict};
use serde_json::{Value, json};

use crate::cli::AuditArgs;
use crate::judge::{Judged, judge};
use crate::pack::TITLE;
use crate::render;
use crate::world::World;

/// How an Evidence card begins: only an earlier card is replaced by a new one.
const CARD_START: &[u8] = b"<!DOCTYPE html>";

struct Audited {
    name: String,
    judged: Judged,
    /// `None` when the trace itself was rejected or malformed: nothing of it is worth running.
    replay: Option<ReplayReport>,
}

/// Audits an archive.
pub(crate) fn run(args: &AuditArgs) -> Outcome {
    refuse_own_archive(args)?;
    let world = World::open_archive(&args.archive, &args.trust, &args.judging)?;
    let traces = trace_layers(&world.graph)?;
    let progress = Progress::start("audit", traces.len().saturating_add(world.archived.len()));
    let audited = traces.iter().map(|layer| audit(layer, &world, args).inspect(|_| progress.advance()));
    let audited = audited.collect::<Result<Vec<_>, _>>()?;
    let slo = if args.strict { Slo::Strict } else { Slo::Standard };
    let verdict = conclude(&world, &audited, slo, &progress);
    drop(progress);
    world.judging.keep(&verdict, audited.iter().flat_map(|one| one.judged.bundles()));
    write_card(args, &audited, slo)?;
    if args.output.json {
        print_json(&document(&verdict, &audited, slo)?);
    } else {
        for one in &audited {
            render::trace(one.name.as_ref(), &one.judged, &one.judged.verdict);
            print(&format!("replayed   {}", one.replay.as_ref().map_or_else(|| "no: the trace was rejected".to_owned(), summary_line)));
        }
        if audited.iter().all(|one| one.judged.verdict.conclusion() == Conclusion::Verified) {
            render::conclusion(&verdict);
        }
    }
    let vacuous = audited.iter().filter_map(|one| one.replay.as_ref()).any(|replay| replay.verdict(slo) == ReplayVerdict::Vacuous);
    Ok(if verdict.exit() == ExitCode::Rejected && vacuous { ExitCode::Vacuous } else { verdict.exit() })
}

/// The card never replaces the evidence it is about.
fn refuse_own_archive(args: &AuditArgs) -> Result<(), Failure> {
    let archive = args.archive.canonicalize().ok();
    let card = args.card.as_ref().filter(|card| archive.is_some() && card.canonicalize().ok() == archive);
    card.map_or(Ok(()), |card| {
        Err(Failure::new(ExitCode::NoVerdict, format_args!("{} is the evidence archive", card.display()))
            .hint("name another file for the card"))
    })
}

fn write_card(args: &AuditArgs, audited: &[Audited], slo: Slo) -> Result<(), Failure> {
    let Some(path) = &args.card else { return Ok(()) };
    let replayed = audited.iter().find_map(|one| one.replay.as_ref().map(|replay| (one, replay)));
    match replayed {
        Some((one, replay)) => write_atomic(path, card_of(one, replay, slo).as_bytes(), Overwrite::ReplaceSameKind(CARD_START)),
        None => {
            note("trace-verify: no card: no trace of the archive was replayed");
            Ok(())
        }
    }
}

/// The traces of an archive's evidence manifests.
pub(crate) fn trace_layers(graph: &LayoutGraph) -> Result<Vec<Descriptor>, Failure> {
    let evidence = graph.manifests().values().filter(|manifest| manifest.artifact_type == media::EVIDENCE);
    let is_trace = |layer: &&Descriptor| layer.annotations.get(TITLE).is_some_and(|title| title.ends_with(".sigstore.json"));
    let traces: Vec<Descriptor> = evidence.flat_map(|manifest| manifest.layers.iter().filter(is_trace).cloned()).collect();
    if traces.is_empty() {
        return Err(Failure::new(ExitCode::Malformed, "the archive holds no trace")
            .hint("make one: trace-verify pack TRACE --to evidence.tar; a symbol bundle's archive goes to symbol-bundle import"));
    }
    Ok(traces)
}

/// Judges one trace of an archive; its capture is the blob with the digest that the witness names.
pub(crate) fn judge_layer(layer: &Descriptor, world: &World) -> Result<Judged, Failure> {
    let read = |digest: &BlobDigest, limit: usize| {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        world.blobs.blob(digest, limit).map(|bytes| bytes.to_vec()).map_err(|error: BlobError| {
            Failure::from_error(exit_of_blob_error(&error), "evidence archive", &error)
                .hint("the archive is damaged or was changed: ask for it again")
        })
    };
    let bytes = read(&layer.digest, sealtrace_envelope::MAX_BUNDLE_BYTES)?;
    judge(bytes, &world.bundles(), |trace| {
        let digest = BlobDigest::from_bytes(*trace.witness.capture_ref.sha256.as_bytes());
        read(&digest, MAX_CAPTURE_BYTES).map(FoundCapture::of)
    })
}

fn audit(layer: &Descriptor, world: &World, args: &AuditArgs) -> Result<Audited, Failure> {
    let judged = judge_layer(layer, world)?;
    let name = layer.annotations.get(TITLE).cloned().unwrap_or_default();
    if matches!(judged.verdict.conclusion(), Conclusion::Rejected | Conclusion::Malformed) {
        return Ok(Audited { name, judged, replay: None });
    }
    let bundles: Vec<SourceBundle<'_>> = judged.bundles().map(|bundle| SourceBundle::of(bundle, world.blobs.as_ref())).collect();
    let input = ReplayInput {
        witness: &judged.trace.witness,
        witness_digest: judged.trace.digest,
        capture: &judged.capture_bytes,
        bundles: &bundles,
        seeds: SeedPlan::Derived(args.seeds),
    };
    let replay = replay(&input).map_err(|error| {
        Failure::from_error(error.exit(), "replay", &error).hint("the archive is damaged or was changed: ask for it again")
    })?;
    Ok(Audited { name, judged, replay: Some(replay) })
}

/// The check `archive-blobs`: every blob of the archive, also one that nothing here reads, has the content of its name.
fn check_blobs(world: &World, checks: &mut Checks, progress: &Progress) {
    let bad = world.archived.iter().find_map(|(digest, size)| {
        progress.advance();
        world.blobs.blob(digest, *size).err()
    });
    match bad {
        None => checks.pass("archive-blobs", &format!("all {} blobs", world.archived.len())),
        Some(error) => checks.fail("archive-blobs", &error.to_string()),
    }
}

/// One verdict over all traces: their checks, and for each `replay` (the level reached) and `frames-derive` (nothing recorded derives
/// otherwise: an objective tolerates a difference, a verdict does not).
fn conclude(world: &World, audited: &[Audited], slo: Slo, progress: &Progress) -> Verdict {
    let mut checks = Checks::new();
    check_blobs(world, &mut checks, progress);
    let mut assurance = Assurance::CosignedOutside;
    for one in audited {
        let prefix = format!("{}/", one.name);
        checks.absorb(&prefix, &one.judged.verdict);
        assurance = assurance.min(one.judged.verdict.assurance());
        let (level, derive) = (format!("{prefix}replay"), format!("{prefix}frames-derive"));
        let Some(replay) = &one.replay else {
            checks.undecided(&level, "the trace was rejected, so it was not replayed");
            continue;
        };
        let summary = summary_line(replay);
        if replay.verdict(slo) == ReplayVerdict::Pass {
            checks.pass(&level, &summary);
        } else {
            checks.fail(&level, &summary);
        }
        if replay.mismatches.is_empty() && replay.record_mismatches.is_empty() {
            checks.pass(&derive, "every recorded frame and field follows from capture and bundles");
        } else {
            let count = replay.mismatches.len().saturating_add(replay.record_mismatches.len());
            checks.fail(&derive, &format!("{count} recorded fields derive otherwise; list them with trace-replay"));
        }
    }
    checks.conclude(assurance)
}

fn summary_line(replay: &ReplayReport) -> String {
    let Score { matched, total } = replay.minimum();
    let vacuous = if replay.vacuous.is_empty() { "" } else { ", VACUOUS: the seeds could not have shown a difference" };
    format!("{matched} of {total} frames equal in the worst of {} seeds{vacuous}", replay.seeds.len())
}

fn document(verdict: &Verdict, audited: &[Audited], slo: Slo) -> Result<Value, Failure> {
    let encode = |error: serde_json::Error| Failure::new(ExitCode::NoVerdict, format_args!("verdict cannot be encoded: {error}"));
    let mut document = serde_json::to_value(verdict).map_err(encode)?;
    let mut traces = Vec::new();
    for one in audited {
        let verdict = serde_json::to_value(&one.judged.verdict).map_err(encode)?;
        traces.push(json!({
            "trace": one.name,
            "traceId": one.judged.trace.witness.trace_id,
            "signature": one.judged.trace.signature.word(),
            "coverage": one.judged.trace.witness.coverage,
            "verdict": verdict,
            "replay": one.replay.as_ref().map(|replay| replay.events(slo, signature_state(&one.judged))),
        }));
    }
    if let Some(object) = document.as_object_mut() {
        object.insert("traces".to_owned(), Value::Array(traces));
    }
    Ok(document)
}

fn signature_state(judged: &Judged) -> SignatureState {
    match judged.trace.signature {
        Signature::Verified(_) => SignatureState::Verified,
        Signature::Rejected => SignatureState::Rejected,
        Signature::Unsigned => SignatureState::Unsigned,
        Signature::Unchecked => SignatureState::Unchecked,
    }
}

fn card_of(one: &Audited, replay: &ReplayReport, slo: Slo) -> String {
    let seal = match &one.judged.trace.signature {
        Signature::Verified(statement) => Some(Seal::from(statement.as_ref())),
        Signature::Rejected | Signature::Unsigned | Signature::Unchecked => None,
    };
    let bundles: Vec<BundleLine> = one.judged.bundles().map(BundleLine::from).collect();
    card(&CardInput {
        witness: &one.judged.trace.witness,
        witness_digest: one.judged.trace.digest,
        verdict: &one.judged.verdict,
        replay,
        slo,
        signature: signature_state(&one.judged),
        seal: seal.as_ref(),
        bundles: &bundles,
        verifier: concat!("trace-verify ", env!("CARGO_PKG_VERSION")),
        trace_name: &one.name,
    })
}
