//! The report in the XML of `JUnit`: one test case per seed, one for the fields outside the frames, one for coverage. No clock.

use std::fmt::Write as _;

use crate::report::{ReplayReport, ReplayVerdict, SeedResult, Slo};

/// Spec/4: at least 90 % of the frames have a name.
const COVERAGE_PERCENT: u64 = 90;

/// The report as `JUnit` XML.
pub fn junit(report: &ReplayReport, slo: Slo) -> String {
    let mut cases: Vec<Case> = report.seeds.iter().map(|seed| seed_case(seed, slo)).collect();
    cases.push(Case {
        name: "witness outside the frames".to_owned(),
        failure: report.record_mismatches.first().map(|first| format!("{} differ, first {}", report.record_mismatches.len(), first.field)),
        error: None,
    });
    cases.push(Case {
        name: "seeds could have failed".to_owned(),
        failure: None,
        error: (report.verdict(slo) == ReplayVerdict::Vacuous).then(|| format!("VACUOUS: {}", report.vacuous.join("; "))),
    });
    let coverage = report.coverage;
    let (resolved, total) = (coverage.frames_resolved, coverage.frames_total);
    cases.push(Case {
        name: "coverage".to_owned(),
        failure: (!coverage.reaches(COVERAGE_PERCENT))
            .then(|| format!("{resolved} of {total} frames named, {COVERAGE_PERCENT} % are required")),
        error: None,
    });
    write(&report.trace_id, &cases)
}

struct Case {
    name: String,
    failure: Option<String>,
    error: Option<String>,
}

fn seed_case(result: &SeedResult, slo: Slo) -> Case {
    let score = result.score;
    let failure = (!score.reaches(slo)).then(|| {
        let first = result.mismatches.first().map(|first| {
            format!("; first: frame {} {}: recorded {}, replayed {}", first.frame_index, first.field, first.recorded, first.replayed)
        });
        format!("{} of {} frames matched{}", score.matched, score.total, first.unwrap_or_default())
    });
    Case { name: format!("seed {}", result.seed), failure, error: None }
}

/// Writing to a string cannot fail.
fn write(trace: &str, cases: &[Case]) -> String {
    let count = |pick: fn(&Case) -> bool| cases.iter().filter(|case| pick(case)).count();
    let (failures, errors) = (count(|case| case.failure.is_some()), count(|case| case.error.is_some()));
    let totals = format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"", cases.len());
    let trace = escape(trace);
    let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"trace-replay\" {totals}>\n");
    writeln!(xml, "  <testsuite name=\"{trace}\" {totals} skipped=\"0\">").ok();
    for case in cases {
        let name = escape(&case.name);
        write!(xml, "    <testcase classname=\"trace-replay.{trace}\" name=\"{name}\"").ok();
        let fault = case.failure.as_ref().map(|text| ("failure", text)).or_else(|| case.error.as_ref().map(|text| ("error", text)));
        match fault {
            Some((tag, text)) => write!(xml, ">\n      <{tag} message=\"{}\"/>\n    </testcase>\n", escape(text)).unwrap_or_default(),
            None => xml.push_str("/>\n"),
        }
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

/// Text for XML 1.0: markup as entities; what XML cannot hold as U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => write!(escaped, "&#{};", u32::from(character)).unwrap_or_default(),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_attribute() {
        let case = Case { name: "a\"><x>&'\u{1}\n".to_owned(), failure: Some("]]><b/>".to_owned()), error: None };
        let xml = write("t", &[case]);
        assert!(xml.contains("name=\"a&quot;&gt;&lt;x&gt;&amp;&apos;\u{fffd}&#10;\""), "{xml}");
        assert!(xml.contains("<failure message=\"]]&gt;&lt;b/&gt;\"/>"), "{xml}");
        assert!(xml.contains("tests=\"1\" failures=\"1\" errors=\"0\""), "{xml}");
    }
}
