//! Verdicts for people, in five lines: what, who signed, when logged, what is covered, what was checked.

use std::path::Path;

use sealtrace_bundle::{LogPosition, VerifiedBundle};
use sealtrace_case::Signature;
use sealtrace_console::{Stream, Tone, escape, note, paint, print};
use sealtrace_digest::BlobDigest;
use sealtrace_verdict::{Assurance, Check, Conclusion, Outcome, SKIPPED_ON_REQUEST, Verdict, codes};

use crate::judge::Judged;

/// A symbol bundle's verdict.
pub(crate) fn bundle(digest: &BlobDigest, verdict: &Verdict, verified: Option<&VerifiedBundle>) {
    let name = verified.map(|bundle| format!("{}:{}  ", bundle.name(), bundle.version())).unwrap_or_default();
    print(&format!("{}  symbol bundle {name}{digest}", word(verdict.conclusion())));
    if let Some(bundle) = verified {
        print(&format!("signed by  {}", bundle.signer()));
        print(&logged(bundle.log(), bundle.statement().assurance(), verdict));
        let coverage =
            |field: fn(&sealtrace_symbols::Coverage) -> u64| bundle.index().modules.iter().map(|m| field(&m.coverage)).sum::<u64>();
        print(&format!(
            "covers     {} modules, {} functions, {} lines, {} unwind entries",
            bundle.index().modules.len(),
            coverage(|c| c.functions),
            coverage(|c| c.lines),
            coverage(|c| c.unwind)
        ));
    }
    print(&checked(verdict));
    conclusion(verdict);
}

/// A trace's verdict.
pub(crate) fn trace(path: &Path, judged: &Judged, verdict: &Verdict) {
    let witness = &judged.trace.witness;
    print(&format!("{}  trace {} {}", word(verdict.conclusion()), witness.trace_id, escape(&path.display().to_string())));
    match &judged.trace.signature {
        Signature::Verified(statement) => {
            print(&format!("signed by  {}", statement.signer()));
            print(&logged(statement.log(), statement.assurance(), verdict));
            if verdict.conclusion() == Conclusion::Verified && verdict.assurance() != statement.assurance() {
                let weakest = judged.bundles().find(|bundle| bundle.statement().assurance() == verdict.assurance());
                let of = weakest.map(|bundle| {
                    format!(": no more than that of {} {} in {}", bundle.name(), bundle.version(), escape(bundle.log().origin()))
                });
                print(&format!("assurance  {}{}", verdict.assurance().as_str(), of.unwrap_or_default()));
            }
        }
        Signature::Rejected => match signer(verdict) {
            Some(key) => print(&format!("signature  valid, by {key}; the trace is rejected by another check")),
            None => print("signature  rejected"),
        },
        other => print(&format!("signature  {}", other.word())),
    }
    let coverage = &witness.coverage;
    print(&format!(
        "covers     {} of {} frames resolved ({} %), {} heuristic, {} stacks, {} symbol bundle(s)",
        coverage.frames_resolved,
        coverage.frames_total,
        coverage.percent(),
        coverage.frames_heuristic,
        witness.stacks.len(),
        witness.symbolization.bundles.len()
    ));
    print(&checked(verdict));
    conclusion(verdict);
}

pub(crate) fn word(conclusion: Conclusion) -> String {
    let (tone, word) = match conclusion {
        Conclusion::Verified => (Tone::Good, "VERIFIED"),
        Conclusion::Rejected => (Tone::Bad, "REJECTED"),
        Conclusion::Malformed => (Tone::Unsure, "MALFORMED"),
        Conclusion::Undecided => (Tone::Unsure, "UNDECIDED"),
    };
    paint(Stream::Stdout, tone, word)
}

/// The key whose signature holds, though the statement does not count.
fn signer(verdict: &Verdict) -> Option<&str> {
    let mut checks = verdict.checks().iter();
    checks.find(|check| check.id == "dsse-signature" && check.outcome == Outcome::Pass).and_then(|check| check.found.as_deref())
}

fn logged(log: &LogPosition, assurance: Assurance, verdict: &Verdict) -> String {
    let (origin, index, size) = (log.origin(), log.index().0, log.tree_size().0);
    let meaning = match assurance {
        Assurance::None | Assurance::Signed => "not established",
        Assurance::LoggedLocally => "logged-locally: whoever writes this log could rewrite it",
        Assurance::CosignedByPeer => "cosigned-by-peer",
        Assurance::CosignedOutside => "cosigned-outside",
    };
    let time = match (&verdict.time().not_before, &verdict.time().not_after) {
        (None, None) => "no authenticated time".to_owned(),
        (None, Some(end)) => format!("not after {end}"),
        (Some(start), None) => format!("not before {start}"),
        (Some(start), Some(end)) => format!("between {start} and {end}"),
    };
    format!("logged     {} entry {index} of {size}, {time} ({meaning})", escape(origin))
}

/// `17 passed, 0 failed, 1 skipped`.
pub(crate) fn checked(verdict: &Verdict) -> String {
    let count = |outcome| verdict.checks().iter().filter(|check| check.outcome == outcome).count();
    let (pass, fail, skipped) = (count(Outcome::Pass), count(Outcome::Fail), count(Outcome::Skipped));
    let listed = if skipped == 0 { "" } else { "; --json lists each" };
    format!("checked    {pass} passed, {fail} failed, {skipped} skipped{listed}")
}

/// The checks that held, with what people should know nevertheless.
pub(crate) fn warnings(verdict: &Verdict) -> impl Iterator<Item = (&Check, &str)> {
    let held = verdict.checks().iter().filter(|check| check.outcome == Outcome::Pass);
    held.filter_map(|check| Some((check, check.reason.as_deref()?)))
}

/// Which check, why, and what was compared.
pub(crate) fn because(check: &Check) -> String {
    let values = match (&check.expected, &check.found) {
        (Some(expected), Some(found)) => format!(" (expected {}, found {})", escape(expected), escape(found)),
        _ => String::new(),
    };
    format!("{}: {}{values}", check.id, escape(check.reason.as_deref().unwrap_or("no reason given")))
}

/// Where the verdict is not verified: every check that decided it, and the next step of whoever made the evidence or keeps the trust.
pub(crate) fn conclusion(verdict: &Verdict) {
    concluded(verdict, |id| codes::explain(id).map(|text| text.next));
}

/// The same with other next steps.
pub(crate) fn concluded(verdict: &Verdict, next: impl Fn(&str) -> Option<&'static str>) {
    const SHOWN: usize = 8;
    for (check, reason) in warnings(verdict) {
        note(&format!("warning: {}: {} ({})", check.id, escape(reason), escape(check.found.as_deref().unwrap_or_default())));
    }
    let decisive = verdict.decisive_checks();
    for check in decisive.iter().take(SHOWN) {
        print(&format!("because    {}", because(check)));
    }
    if decisive.len() > SHOWN {
        print(&format!("           and {} more; --json lists each", decisive.len() - SHOWN));
    }
    let Some(first) = decisive.first() else { return };
    if first.reason.as_deref() == Some(SKIPPED_ON_REQUEST) {
        note("  next: run it again without --skip");
        return;
    }
    if let Some(next) = next(&first.id) {
        note(&format!("  next: {next}"));
    }
    if let Some(text) = codes::explain(&first.id) {
        note(&format!("  more: trace-verify explain {}", text.id));
    }
}
