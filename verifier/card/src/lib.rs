//! The Evidence card: verdict, replay and every frame with its derivation as one HTML file, for people and for print.
//!
//! Pure and deterministic: the same input gives the same bytes. No script, no external reference, every text from outside escaped.
//! Not here: any decision; the card repeats what verdict, witness and replay say.
#![forbid(unsafe_code)]

mod frames;
mod html;
mod making;
mod seal;
mod summary;
#[cfg(test)]
mod tests;
mod words;

use sealtrace_digest::StatementDigest;
use sealtrace_replay::{ReplayReport, SignatureState, Slo};
use sealtrace_trace::MicroWitness;
use sealtrace_verdict::Verdict;

pub use seal::{BundleLine, Seal};
pub use words::walk_end;

use crate::html::Html;

/// What the card shows.
#[derive(Debug, Clone, Copy)]
pub struct CardInput<'a> {
    /// The witness.
    pub witness: &'a MicroWitness,
    /// SHA-256 of its statement.
    pub witness_digest: StatementDigest,
    /// What verification said.
    pub verdict: &'a Verdict,
    /// What replay found.
    pub replay: &'a ReplayReport,
    /// The level that replay was held against.
    pub slo: Slo,
    /// What the trace's signature is worth.
    pub signature: SignatureState,
    /// The trace's signer and log entry, when verified.
    pub seal: Option<&'a Seal>,
    /// The bundles, in the order of the witness.
    pub bundles: &'a [BundleLine],
    /// Program and version that made the card, e.g. `trace-verify 0.1.0`.
    pub verifier: &'a str,
    /// File name of the trace, without folders.
    pub trace_name: &'a str,
}

const STYLE: &str = include_str!("style.css");
/// Nothing may be loaded or run; styles are inline.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The card as one HTML document.
pub fn card(input: &CardInput<'_>) -> String {
    let mut html = Html::new();
    html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n"));
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    html.text("Evidence card: ").text(input.trace_name);
    html.raw("</title>\n<style>\n").raw(STYLE).raw("</style>\n</head>\n<body>\n<main>\n");
    summary::header(&mut html, input);
    summary::meaning(&mut html, input);
    summary::replay(&mut html, input);
    summary::counts(&mut html, input);
    making::making(&mut html, input.witness);
    summary::seals(&mut html, input);
    summary::modules(&mut html, input);
    frames::stacks(&mut html, input);
    summary::checks(&mut html, input);
    html.raw("</main>\n</body>\n</html>\n");
    html.finish()
}
