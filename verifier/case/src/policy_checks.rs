//! The rules of a policy that are about a trace as a whole. Those about one signed statement are `sealtrace-bundle`'s.

use sealtrace_bundle::VerifiedBundle;
use sealtrace_trust::Trust;
use sealtrace_verdict::Checks;

use crate::trace::{OpenTrace, Signature};

/// `policy-coverage`, `policy-predicates`. `bundles`: those that the trace rests on and that verified.
pub fn check_policy<'a>(trace: &OpenTrace, bundles: impl Iterator<Item = &'a VerifiedBundle>, trust: &Trust, checks: &mut Checks) {
    check_coverage(trace, trust, checks);
    check_predicates(trace, bundles, trust, checks);
}

/// Enough of the trace's frames have names.
fn check_coverage(trace: &OpenTrace, trust: &Trust, checks: &mut Checks) {
    let minimum = trust.rules().minimum_coverage();
    if minimum == 0 {
        return;
    }
    let coverage = &trace.witness.coverage;
    let found = format!("{} of {} frames resolved ({} %)", coverage.frames_resolved, coverage.frames_total, coverage.percent());
    if coverage.reaches(minimum.into()) {
        checks.pass("policy-coverage", &found);
    } else {
        checks.differ("policy-coverage", &format!("at least {minimum} %"), &found, "the policy asks for more");
    }
}

/// Of each predicate type that is asked for there is a verified statement.
fn check_predicates<'a>(trace: &OpenTrace, bundles: impl Iterator<Item = &'a VerifiedBundle>, trust: &Trust, checks: &mut Checks) {
    let required: Vec<&str> = trust.rules().required_predicate_types().collect();
    if required.is_empty() {
        return;
    }
    let own = matches!(trace.signature, Signature::Verified(_)).then_some(trace.statement.predicate_type.as_str());
    let sealed = bundles.map(|bundle| bundle.statement().statement().predicate_type.as_str());
    let verified: Vec<&str> = own.into_iter().chain(sealed).collect();
    match required.iter().find(|required| !verified.contains(required)) {
        None => checks.pass("policy-predicates", &required.join(" ")),
        Some(missing) => checks.differ("policy-predicates", missing, &verified.join(" "), "no verified statement of this type is here"),
    }
}
