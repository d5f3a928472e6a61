//! `trace-verify audit`: every trace of an evidence archive, verified and replayed with a trust folder and nothing else.

use sealtrace_card::{BundleLine, CardInput, Seal, card};
use sealtrace_case::{Bundles, Signature, trust_folder};
use sealtrace_console::{ExitCode, Failure, Outcome, Overwrite, print, print_json, write_atomic};
use sealtrace_digest::BlobDigest;
use sealtrace_layout::{Blobs, Descriptor, LayoutGraph, media};
use sealtrace_replay::{ReplayInput, ReplayReport, ReplayVerdict, Score, SeedPlan, SignatureState, Slo, replay};
use sealtrace_resolve::SourceBundle;
use sealtrace_store::{ArchiveBlobs, ArchiveFile};
use sealtrace_trace::MAX_CAPTURE_BYTES;
use sealtrace_verdict::{Assurance, Checks, Verdict};
use serde_json::{Value, json};

use crate::cli::AuditArgs;
use crate::judge::{Judged, judge};
use crate::pack::TITLE;
use crate::render;

struct Audited {
    name: String,
    judged: Judged,
    replay: ReplayReport,
}

/// Audits an archive.
pub(crate) fn run(args: &AuditArgs) -> Outcome {
    let trust = trust_folder(&args.trust)?;
    let archive = open_archive(args)?;
    let graph = archive.graph().map_err(|error| Failure::from_error(ExitCode::Malformed, "evidence archive", &error))?;
    let world = Bundles { blobs: &archive, graph: &graph, trust: &trust };
    let traces = trace_layers(&graph)?;
    let audited = traces.iter().map(|layer| audit(layer, &world, &archive, args)).collect::<Result<Vec<_>, _>>()?;
    let slo = if args.strict { Slo::Strict } else { Slo::Standard };
    let verdict = conclude(&audited, slo);
    if let (Some(card), Some(first)) = (&args.card, audited.first()) {
        write_atomic(card, card_of(first, slo).as_bytes(), Overwrite::Replace)?;
    }
    if args.output.json {
        print_json(&document(&verdict, &audited, slo)?);
    } else {
        for one in &audited {
            render::trace(one.name.as_ref(), &one.judged, &one.judged.verdict);
            print(&format!("replayed   {}", summary_line(&one.replay)));
        }
    }
    let vacuous = audited.iter().any(|one| one.replay.verdict(slo) == ReplayVerdict::Vacuous);
    Ok(if verdict.exit() == ExitCode::Rejected && vacuous { ExitCode::Vacuous } else { verdict.exit() })
}

fn open_archive(args: &AuditArgs) -> Result<ArchiveBlobs, Failure> {
    let failed = |exit, error: &dyn std::error::Error| {
        Failure::from_error(exit, &format!("{}", args.archive.display()), error)
            .hint("an evidence archive is what trace-verify pack wrote, as it was; copy it again if it was cut")
    };
    let file = ArchiveFile::open(&args.archive).map_err(|error| failed(ExitCode::NoVerdict, &error))?;
    ArchiveBlobs::open(file).map_err(|error| failed(ExitCode::Malformed, &error))
}

fn trace_layers(graph: &LayoutGraph) -> Result<Vec<Descriptor>, Failure> {
    let evidence = graph.manifests().values().filter(|manifest| manifest.artifact_type == media::EVIDENCE);
    let is_trace = |layer: &&Descriptor| layer.annotations.get(TITLE).is_some_and(|title| title.ends_with(".sigstore.json"));
    let traces: Vec<Descriptor> = evidence.flat_map(|manifest| manifest.layers.iter().filter(is_trace).cloned()).collect();
    if traces.is_empty() {
        return Err(
            Failure::new(ExitCode::Malformed, "the archive holds no trace").hint("make one: trace-verify pack TRACE --to evidence.tar")
        );
    }
    Ok(traces)
}

fn audit(layer: &Descriptor, world: &Bundles<'_>, archive: &ArchiveBlobs, args: &AuditArgs) -> Result<Audited, Failure> {
    let missing = |error: &dyn std::error::Error| Failure::from_error(ExitCode::Rejected, "evidence archive", error);
    let limit = u64::try_from(sealtrace_envelope::MAX_BUNDLE_BYTES).unwrap_or(u64::MAX);
    let bytes = archive.blob(&layer.digest, limit).map_err(|error| missing(&error))?;
    let judged = judge(&bytes, world, |trace| {
        let digest = BlobDigest::from_bytes(*trace.witness.capture_ref.sha256.as_bytes());
        let capture = archive.blob(&digest, u64::try_from(MAX_CAPTURE_BYTES).unwrap_or(u64::MAX)).map_err(|error| missing(&error))?;
        Ok(capture.to_vec())
    })?;
    let bundles: Vec<SourceBundle<'_>> = judged.bundles.iter().map(|bundle| SourceBundle::of(bundle, archive)).collect();
    let input = ReplayInput {
        witness: &judged.trace.witness,
        witness_digest: judged.trace.digest,
        capture: &judged.capture_bytes,
        bundles: &bundles,
        seeds: SeedPlan::Derived(args.seeds),
    };
    let replay = replay(&input).map_err(|error| Failure::from_error(error.exit(), "replay", &error))?;
    let name = layer.annotations.get(TITLE).cloned().unwrap_or_default();
    Ok(Audited { name, judged, replay })
}

/// One verdict over all traces: their checks, and a `replay` check each.
fn conclude(audited: &[Audited], slo: Slo) -> Verdict {
    let mut checks = Checks::new();
    let mut assurance = Assurance::CosignedOutside;
    for one in audited {
        let prefix = format!("{}/", one.name);
        checks.absorb(&prefix, &one.judged.verdict);
        assurance = assurance.min(one.judged.verdict.assurance());
        let id = format!("{prefix}replay");
        if one.replay.verdict(slo) == ReplayVerdict::Pass {
            checks.pass(&id, &summary_line(&one.replay));
        } else {
            checks.fail(&id, &summary_line(&one.replay));
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
            "replay": one.replay.events(slo, signature_state(&one.judged)),
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

fn card_of(one: &Audited, slo: Slo) -> String {
    let seal = match &one.judged.trace.signature {
        Signature::Verified(statement) => Some(Seal::from(statement.as_ref())),
        Signature::Rejected | Signature::Unsigned | Signature::Unchecked => None,
    };
    let bundles: Vec<BundleLine> = one.judged.bundles.iter().map(BundleLine::from).collect();
    card(&CardInput {
        witness: &one.judged.trace.witness,
        witness_digest: one.judged.trace.digest,
        verdict: &one.judged.verdict,
        replay: &one.replay,
        slo,
        signature: signature_state(&one.judged),
        seal: seal.as_ref(),
        bundles: &bundles,
        verifier: concat!("trace-verify ", env!("CARGO_PKG_VERSION")),
        trace_name: &one.name,
    })
}
