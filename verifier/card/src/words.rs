//! What verdicts and assurances mean, in plain words.

use sealtrace_replay::{ReplayVerdict, SignatureState};
use sealtrace_unwind::TerminatedBy;
use sealtrace_verdict::{Assurance, Conclusion};

/// Where it is told at length. A card links nothing that could be loaded, so it names the page.
pub(crate) const SECURITY_MODEL: &str = "Which attackers each level of assurance stops, and which it does not, stands in docs/security-model.md of the verifier: \
     identity, order and non-deletion after cosigning are what is proven; a capture host can forge its own traces.";

pub(crate) fn conclusion(conclusion: Conclusion) -> (&'static str, &'static str, &'static str) {
    match conclusion {
        Conclusion::Verified => ("verified", "good", "Every check that was asked for passed."),
        Conclusion::Rejected => ("rejected", "bad", "The input is well formed, and at least one check failed. Do not rely on it."),
        Conclusion::Malformed => ("malformed", "bad", "The input is not what it claims to be. Do not rely on it."),
        Conclusion::Undecided => ("undecided", "warn", "Something that a decision needs was missing or skipped. This is not a pass."),
    }
}

pub(crate) fn assurance(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::None => "No signature was accepted: nothing says who made this witness or whether it was changed.",
        Assurance::Signed => "An enrolled key signed the witness: it was not changed since. Nothing says when it was signed.",
        Assurance::LoggedLocally => {
            "An enrolled key signed the witness and it stands in a log that the signing side may itself write: a later change would show, \
             a log rewritten as a whole would not."
        }
        Assurance::CosignedByPeer => "Signed, logged, and the log was cosigned by a log witness of the same site.",
        Assurance::CosignedOutside => "Signed, logged, and the log was cosigned by a log witness outside the site.",
    }
}

pub(crate) fn signature(state: SignatureState) -> (&'static str, &'static str) {
    match state {
        SignatureState::Verified => ("verified", "good"),
        SignatureState::Rejected => ("rejected", "bad"),
        SignatureState::Unsigned => ("unsigned", "warn"),
        SignatureState::Unchecked => ("not checked", "warn"),
    }
}

pub(crate) fn replay(verdict: ReplayVerdict) -> (&'static str, &'static str, &'static str) {
    match verdict {
        ReplayVerdict::Pass => ("pass", "good", "Every seed derived the recorded frames again."),
        ReplayVerdict::Below => {
            ("below", "bad", "The recorded witness does not follow from its capture and symbol bundles; the differences are listed.")
        }
        ReplayVerdict::Vacuous => {
            ("VACUOUS", "warn", "Nothing differed, but the seeds changed too little for a difference to show. This is not a pass.")
        }
    }
}

/// Why a stack has no frame after its last one, in one sentence for people.
pub fn walk_end(reason: TerminatedBy) -> &'static str {
    match reason {
        TerminatedBy::RaUndefined => "the program's own unwind data says that this is the outermost frame",
        TerminatedBy::RaNull => "the return address is zero: this is the outermost frame",
        TerminatedBy::NoRule => "no rule found a caller; the stack may go on",
        TerminatedBy::FrameLimit => "the limit on frames was reached; the stack may go on",
        TerminatedBy::StackCopyLimit => {
            "the next rule needs a word that the capture did not copy; the stack goes on, and no lesser rule was allowed to guess how"
        }
    }
}

/// What a verified card proves.
pub(crate) const PROVES: [&str; 3] = [
    "Every frame below follows from the capture and the symbol bundles named here, by the rules of the version named here; replay derived it \
     again under every seed listed, except where a difference is listed.",
    "Each name comes from a symbol bundle whose module has the identity and, where known, the SHA-256 of the file that ran.",
    "The signed text was not changed since the key named here signed it, as far as the assurance above reaches.",
];

/// What no card proves.
pub(crate) const DOES_NOT_PROVE: [&str; 4] = [
    "That the host told the truth: whoever controls it while it captures can record another stack.",
    "When it happened: the time of capture is what the host's clock said.",
    "That the resolver is right: replay runs the same rules again. Compare single frames with independent tools (trace-verify explain).",
    "Frames marked heuristic: they are guesses, shown and never counted as covered.",
];
