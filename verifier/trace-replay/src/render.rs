//! The result in five lines for people, on stderr: stdout is the events.

use sealtrace_console::{Stream, Tone, escape, note, paint};
use sealtrace_replay::{ReplayReport, ReplayVerdict, SignatureState};

use crate::cli::Cli;
use crate::world::World;

/// Writes the lines.
pub(crate) fn text(cli: &Cli, world: &World, report: &ReplayReport) {
    let coverage = report.coverage;
    note(&format!(
        "{}  stacks: {}, frames: {}; {} of {} named ({} %)",
        escape(&cli.trace.display().to_string()),
        world.trace.witness.stacks.len(),
        report.frames_total,
        coverage.frames_resolved,
        coverage.frames_total,
        coverage.percent()
    ));
    note(&format!("signature  {}", signature(world)));
    let least = report.minimum();
    note(&format!(
        "replay     seeds: {}{}; least {} of {} frames equal, unperturbed {} of {}",
        report.seeds.len(),
        if report.explicit_seed { " (chosen by hand)" } else { "" },
        least.matched,
        least.total,
        report.baseline.score.matched,
        report.baseline.score.total
    ));
    note(&format!("differs    {}", differences(report)));
    note(&format!("verdict    {}", verdict(cli, report)));
}

fn signature(world: &World) -> String {
    match world.signature {
        SignatureState::Verified => match &world.trace.signature {
            sealtrace_case::Signature::Verified(statement) => {
                format!(
                    "verified, by key {}, in log {} at {}",
                    statement.signed().signer(),
                    statement.log().origin(),
                    statement.log().index().0
                )
            }
            _ => "verified".to_owned(),
        },
        SignatureState::Rejected => format!("{}, replayed all the same (--unverified)", paint(Stream::Stderr, Tone::Bad, "REJECTED")),
        SignatureState::Unsigned => "none: nobody vouches for this statement".to_owned(),
        SignatureState::Unchecked => "not checked: no trust folder (--unverified)".to_owned(),
    }
}

fn differences(report: &ReplayReport) -> String {
    let mut parts = Vec::new();
    if let Some(first) = report.mismatches.first() {
        parts.push(format!(
            "frames that differ: {}, first: frame {} {}: recorded {}, replayed {}",
            report.mismatches.len(),
            first.frame_index,
            escape(&first.field),
            excerpt(&first.recorded.to_string()),
            excerpt(&first.replayed.to_string())
        ));
    }
    if let Some(first) = report.record_mismatches.first() {
        parts.push(format!("other fields: {}, first: {}", report.record_mismatches.len(), escape(&first.field)));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}

fn excerpt(text: &str) -> String {
    let short: String = text.chars().take(120).collect();
    escape(&if short.len() < text.len() { format!("{short}…") } else { short })
}

fn verdict(cli: &Cli, report: &ReplayReport) -> String {
    let level = if cli.strict { "1.0" } else { "0.95" };
    let painted = |tone, word| paint(Stream::Stderr, tone, word);
    let below = || painted(Tone::Bad, "below");
    match report.verdict(cli.slo()) {
        ReplayVerdict::Pass => format!("{}: every seed reaches {level}", painted(Tone::Good, "pass")),
        ReplayVerdict::Below if report.minimum().reaches(cli.slo()) => {
            format!("{}: the witness does not follow from its capture and bundles", below())
        }
        ReplayVerdict::Below => format!("{}: {level} is demanded of every seed", below()),
        ReplayVerdict::Vacuous => {
            format!("{}, not a pass: {}", painted(Tone::Unsure, "VACUOUS"), report.vacuous.first().map_or("", String::as_str))
        }
    }
}
