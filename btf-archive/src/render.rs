//! Reports for people, a line each.

use sealtrace_console::{escape, note, print};

use crate::add::{Added, Skipped};
use crate::report::{BlobReport, Minimised};
use crate::select::Selection;
use crate::tree::BtfBlob;

/// Most skipped files that are named; the rest is counted.
const MAX_LINES: usize = 20;

pub(crate) fn added(added: &[Added]) {
    for Added { kernel, sha256, bytes, provenance } in added {
        print(&format!("{kernel}  {bytes}  {sha256}  {}", build_id(provenance.kernel_build_id.as_deref())));
    }
}

pub(crate) fn skipped(skipped: &[Skipped]) {
    for Skipped { path, reason } in skipped.iter().take(MAX_LINES) {
        note(&format!("skipped: {}: {}", escape(path), escape(reason)));
    }
    if skipped.len() > MAX_LINES {
        note(&format!("… and {} more; --json lists all", skipped.len() - MAX_LINES));
    }
}

pub(crate) fn list(blobs: &[BtfBlob]) {
    for blob in blobs {
        let provenance = blob.provenance.as_ref();
        let id = build_id(provenance.and_then(|provenance| provenance.kernel_build_id.as_deref()));
        let kind = if provenance.is_some_and(|provenance| provenance.minimised_for.is_some()) { "minimised" } else { "whole" };
        print(&format!("{}  {}  {}  {id}  {kind}", blob.kernel(), blob.size, blob.sha256));
    }
}

pub(crate) fn minimised(done: &[Minimised]) {
    for one in done {
        if let (Some(bytes), Some(sha256)) = (one.minimal_bytes, &one.minimal_sha256) {
            print(&format!("{}  {} -> {bytes}  {sha256}", one.report.kernel, one.bytes));
        }
    }
}

pub(crate) fn matrix(reports: &[BlobReport]) {
    print("computed, not run");
    for report in reports {
        let BlobReport { kernel, total, resolved, guarded_missing, .. } = report;
        let verdict = if report.usable { "usable".to_owned() } else { format!("not usable: {}", problem(report)) };
        print(&format!("{kernel}  {resolved} of {total} resolved, {} guarded  {verdict}", guarded_missing.len()));
    }
}

/// Why an object cannot be used with a blob.
pub(crate) fn problem(report: &BlobReport) -> String {
    report.undecided.clone().unwrap_or_else(|| format!("missing {}", report.missing.join(", ")))
}

pub(crate) fn selection(selection: &Selection<'_>) {
    let Selection { candidate, key, reason, .. } = selection;
    print(&format!("{}  {}  {}", candidate.kernel, candidate.bytes, candidate.sha256));
    note(&format!("chosen by {}: {reason}", key.as_str()));
}

fn build_id(id: Option<&str>) -> &str {
    id.unwrap_or("build-id unknown")
}
