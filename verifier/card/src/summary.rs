//! Everything but the frames: figures, meaning, seeds, counts, seals, modules, checks.

use std::collections::BTreeMap;

use sealtrace_replay::{Counts, ReplayVerdict};
use sealtrace_verdict::{Conclusion, Outcome};

use crate::html::{Html, word};
use crate::seal::{BundleLine, Seal};
use crate::{CardInput, words};

pub(crate) fn header(html: &mut Html, input: &CardInput<'_>) {
    let witness = input.witness;
    html.element("h1", "", "Evidence card").raw("\n<p class=\"soft mono\">").text(input.trace_name).raw(" · trace ");
    html.text(&witness.trace_id.to_string()).raw("</p>\n<div class=\"figures\">\n");
    let (verdict, class, _) = words::conclusion(input.verdict.conclusion());
    figure(html, "verdict", (verdict, class), &format!("assurance {}", word(&input.verdict.assurance())));
    let coverage = input.replay.coverage;
    let counted = format!("{} of {} frames named", coverage.frames_resolved, coverage.frames_total);
    let class = if coverage.reaches(90) { "good" } else { "warn" };
    figure(html, "symbol coverage", (&format!("{} %", coverage.percent()), class), &counted);
    let least = input.replay.minimum();
    let (replayed, class, _) = words::replay(input.replay.verdict(input.slo));
    let counted = format!("{replayed}: {} of {} frames; seeds: {}", least.matched, least.total, input.replay.seeds.len());
    figure(html, "replay, smallest ratio", (&decimal(least.millionths()), class), &counted);
    let (signature, class) = words::signature(input.signature);
    figure(html, "signature", (signature, class), input.seal.map_or("no accepted signer", |seal| &seal.signer));
    html.raw("</div>\n<dl>\n");
    html.definition("witness", &input.witness_digest.to_string());
    html.definition("capture", &format!("sha256:{}", witness.capture_ref.sha256.hex()));
    html.definition("captured at", &format!("{} (the host's clock)", witness.captured_at));
    let host = &witness.host_context;
    html.definition("host", &format!("{} {}, kernel {}, {}", witness.platform, host.arch, host.kernel_release, host.os_release));
    html.definition("kernel types", &format!("{}: {}", witness.btf_source.source_kind, witness.btf_source.selection_reason));
    let symbolizer = &witness.symbolization.symbolizer;
    html.definition("resolved by", &format!("{} {}, rules version {}", symbolizer.name, symbolizer.version, symbolizer.rules_version));
    html.definition("verified by", input.verifier);
    html.raw("</dl>\n");
}

fn figure(html: &mut Html, name: &str, (value, class): (&str, &str), note: &str) {
    html.raw("<div class=\"figure\">").element("span", "soft", name).element("b", class, value);
    html.element("span", "mono", note).raw("</div>\n");
}

/// Millionths as a decimal number with as few digits as it takes, at least one.
fn decimal(millionths: u32) -> String {
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

pub(crate) fn meaning(html: &mut Html, input: &CardInput<'_>) {
    let (_, class, verdict) = words::conclusion(input.verdict.conclusion());
    html.element("h2", "", "What this proves, and what it does not").raw("\n").element("p", class, verdict).raw("\n");
    html.element("p", "", words::assurance(input.verdict.assurance())).raw("\n");
    let (_, class, replay) = words::replay(input.replay.verdict(input.slo));
    html.element("p", class, replay).raw("\n");
    let holds = input.verdict.conclusion() == Conclusion::Verified && input.replay.verdict(input.slo) == ReplayVerdict::Pass;
    let proved = if holds {
        "Proved"
    } else {
        "A card whose verdict is verified and whose replay passes would prove the following; this one does not"
    };
    for (title, points) in [(proved, words::PROVES.as_slice()), ("Not proved", &words::DOES_NOT_PROVE)] {
        html.element("h3", "", title).raw("<ul>\n");
        for point in points {
            html.element("li", "", point).raw("\n");
        }
        html.raw("</ul>\n");
    }
    html.element("p", "soft", words::SECURITY_MODEL).raw("\n");
}

pub(crate) fn replay(html: &mut Html, input: &CardInput<'_>) {
    let report = input.replay;
    html.element("h2", "", "Replay").raw("\n");
    html.table(&["seed", "success ratio", "frames equal", "changed by the seed", "digest of the frames derived"]);
    for result in &report.seeds {
        let name = format!("{}{}", result.seed, if report.explicit_seed { " (chosen by hand)" } else { "" });
        let frames = format!("{} of {}", result.score.matched, result.score.total);
        html.row(&[&name, &decimal(result.score.millionths()), &frames, &counts_text(&result.changed), &result.rolling.to_string()]);
    }
    let baseline = report.baseline.score;
    let frames = format!("{} of {}", baseline.matched, baseline.total);
    html.row(&["0 (nothing changed, not counted)", &decimal(baseline.millionths()), &frames, "", &report.baseline.rolling.to_string()]);
    html.end_table();
    html.raw("<p class=\"soft\">p1 addresses · p2 order of samples · p3 worker threads · p4 region numbers and map borders · p5 bundle and index order · p7 JSON spelling</p>\n");
    if report.verdict(input.slo) == ReplayVerdict::Vacuous {
        for reason in &report.vacuous {
            html.element("p", "warn", reason).raw("\n");
        }
    }
    if !report.mismatches.is_empty() {
        html.element("h3", "bad", "Frames that differ").table(&["frame", "field", "recorded", "replayed", "seeds"]);
        for mismatch in &report.mismatches {
            let seeds: Vec<String> = mismatch.seeds.iter().map(ToString::to_string).collect();
            let (recorded, replayed) = (mismatch.recorded.to_string(), mismatch.replayed.to_string());
            html.row(&[&mismatch.frame_index.to_string(), &mismatch.field, &recorded, &replayed, &seeds.join(", ")]);
        }
        html.end_table();
    }
    if !report.record_mismatches.is_empty() {
        html.element("h3", "bad", "Other fields that differ").table(&["field", "recorded", "replayed"]);
        for mismatch in &report.record_mismatches {
            html.row(&[&mismatch.field, &mismatch.recorded.to_string(), &mismatch.replayed.to_string()]);
        }
        html.end_table();
    }
}

fn counts_text(counts: &Counts) -> String {
    let parts: Vec<String> = counts.named().into_iter().map(|(name, count)| format!("{name} {count}")).collect();
    parts.join(" · ")
}

pub(crate) fn counts(html: &mut Html, input: &CardInput<'_>) {
    let mut rules: BTreeMap<String, u64> = BTreeMap::new();
    let mut resolvers: BTreeMap<String, u64> = BTreeMap::new();
    for frame in input.witness.stacks.iter().flat_map(|stack| &stack.frames) {
        *rules.entry(word(&frame.rule)).or_default() += 1;
        let resolver = frame.resolver.map_or_else(
            || format!("none: {}", frame.unresolved_reason.as_deref().unwrap_or("no reason given")),
            |resolver| word(&resolver),
        );
        *resolvers.entry(resolver).or_default() += 1;
    }
    html.element("h2", "", "How frames were found and named").raw("\n");
    for (title, counts) in [("rule that found the frame", rules), ("resolver that named it", resolvers)] {
        html.table(&[title, "frames"]);
        for (name, count) in counts {
            html.row(&[&name, &count.to_string()]);
        }
        html.end_table();
    }
    let loss = input.witness.loss;
    html.raw("<p class=\"soft\">").text(&format!(
        "Samples due {}, delivered {}, lost {}, rate limited {}, filtered {}.",
        loss.kernel_hits, loss.delivered, loss.ring_lost, loss.rate_limited, loss.filtered
    ));
    html.raw("</p>\n");
}

pub(crate) fn seals(html: &mut Html, input: &CardInput<'_>) {
    html.element("h2", "", "Signatures and logs").raw("\n").element("h3", "", "Trace witness");
    seal(html, input.seal);
    for BundleLine { digest, name, seal: bundle_seal } in input.bundles {
        html.raw("<h3>Symbol bundle ").text(name).raw("</h3>\n<p class=\"mono\">").text(digest).raw("</p>\n");
        seal(html, Some(bundle_seal));
    }
    if let Some(freshness) = &input.witness.freshness {
        html.raw("<h3>Freshest checkpoint known when resolving</h3>\n<pre>").lines(&freshness.checkpoint).raw("</pre>\n");
    }
}

fn seal(html: &mut Html, seal: Option<&Seal>) {
    let Some(seal) = seal else {
        html.element("p", "warn", "No accepted signature.").raw("\n");
        return;
    };
    html.raw("<dl>\n").definition("signer key", &seal.signer).definition("log", &seal.origin);
    html.definition("entry", &format!("{} of {}", seal.index, seal.tree_size));
    html.raw("</dl>\n<details><summary>checkpoint</summary><pre>").lines(&seal.checkpoint).raw("</pre></details>\n");
}

pub(crate) fn modules(html: &mut Html, input: &CardInput<'_>) {
    html.element("h2", "", "Modules that ran").raw("\n").table(&["path", "id", "file SHA-256", "symbol bundle"]);
    for module in &input.witness.modules {
        let id = module.ids.primary().map_or_else(|| "none".to_owned(), |id| format!("{} {}", word(&id.kind), id.id));
        let sha256 = module.file_sha256.map_or_else(|| "not read".to_owned(), |sha256| sha256.to_string());
        let bundle = match (&module.bundle_sha256, &module.unmatched_reason) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(reason)) => format!("none: {reason}"),
            (None, None) => "none".to_owned(),
        };
        html.row(&[&module.path, &id, &sha256, &bundle]);
    }
    html.end_table();
}

pub(crate) fn checks(html: &mut Html, input: &CardInput<'_>) {
    html.element("h2", "", "Checks").raw("\n").table(&["check", "outcome", "expected", "found", "reason"]);
    for check in input.verdict.checks() {
        let class = match check.outcome {
            Outcome::Pass => "good",
            Outcome::Fail => "bad",
            Outcome::Skipped => "warn",
        };
        html.raw("<tr>").element("td", "mono", &check.id).element("td", class, &word(&check.outcome));
        for cell in [&check.expected, &check.found, &check.reason] {
            html.element("td", "mono", cell.as_deref().unwrap_or_default());
        }
        html.raw("</tr>\n");
    }
    html.end_table();
    let time = input.verdict.time();
    let open = "open";
    html.raw("<p class=\"soft\">").text(&format!(
        "Logged not before {}, not after {}.",
        time.not_before.as_deref().unwrap_or(open),
        time.not_after.as_deref().unwrap_or(open)
    ));
    html.raw("</p>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_short_and_exact() {
        let cases = [(1_000_000, "1.0"), (985_000, "0.985"), (0, "0.0"), (999_999, "0.999999"), (900_000, "0.9")];
        for (millionths, text) in cases {
            assert_eq!(decimal(millionths), text);
        }
    }
}
