//! The verification of a quarantined bundle against the store's trust folder, and the receipt of it.
//!
//! Not here: which attachment counts and what is checked (`sealtrace-bundle`).

use sealtrace_bundle::{OpenBundleError, VerifiedBundle, open_symbol_bundle};
use sealtrace_digest::BlobDigest;
use sealtrace_layout::{GraphError, LayoutGraph};
use sealtrace_store::{LogPosition, Receipt, ReceiptCheck, ReceiptKit, ReceiptTime};
use sealtrace_trust::Trust;
use sealtrace_verdict::{Outcome, Verdict};

use super::error::ImportError;
use super::staging::Staging;

/// Verifies the bundle by what is attached to it; the receipt names the attachments that verified.
pub(crate) fn verify(
    staging: &Staging<'_>,
    graph: &LayoutGraph,
    bundle: &BlobDigest,
    trust: &Trust,
) -> Result<(VerifiedBundle, Receipt), ImportError> {
    let opened = open_symbol_bundle(staging, graph, bundle, trust).map_err(|error| match error {
        OpenBundleError::Graph(error) => ImportError::from(error),
        OpenBundleError::Blob(error) => ImportError::from(GraphError::from(error)),
        _ => ImportError::NoIndex { bundle: *bundle },
    })?;
    let signature = opened.signature.ok_or(ImportError::Unsigned { bundle: *bundle })?;
    let verdict = opened.verdict;
    let verified = opened.verified;
    let Some(verified) = verified else { return Err(not_verified(*bundle, verdict)) };
    let fragments = opened.fragment.iter().map(|fragment| fragment.manifest).collect();
    let receipt = receipt(&verified, &verdict, (signature.manifest, fragments), trust);
    Ok((verified, receipt))
}

fn not_verified(bundle: BlobDigest, verdict: Verdict) -> ImportError {
    let reason = verdict.decisive().map_or_else(String::new, |check| {
        let said = check.reason.clone().unwrap_or_default();
        match (&check.expected, &check.found) {
            (Some(expected), Some(found)) => format!("{}: expected {expected}, found {found}", check.id),
            _ => format!("{}: {said}", check.id),
        }
    });
    ImportError::NotVerified { bundle, reason, verdict: Box::new(verdict) }
}

/// Checks whose outcome depends on what this store learned before.
const OF_STATE: [&str; 3] = ["pin", "pin-consistency", "kit-age"];

fn receipt(bundle: &VerifiedBundle, verdict: &Verdict, (signature, fragments): (BlobDigest, Vec<BlobDigest>), trust: &Trust) -> Receipt {
    let word = |outcome| match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Skipped => "skipped",
    };
    let lasting = verdict.checks().iter().filter(|check| !OF_STATE.contains(&check.id.as_str()));
    let time = verdict.time();
    let checks = lasting.map(|check| ReceiptCheck { id: check.id.clone(), outcome: word(check.outcome).to_owned() });
    let assurance = serde_json::to_value(verdict.assurance()).ok().and_then(|value| value.as_str().map(str::to_owned));
    Receipt {
        receipt_version: 0,
        bundle: bundle.digest(),
        name: bundle.name().to_owned(),
        version: bundle.version().to_owned(),
        signature,
        fragments,
        signer: bundle.signer().hex(),
        log: Some(LogPosition { origin: bundle.log().origin().to_owned(), index: bundle.log().index().0 }),
        assurance: assurance.unwrap_or_default(),
        time: Some(ReceiptTime { not_before: time.not_before.clone(), not_after: time.not_after.clone(), sources: time.sources.clone() }),
        kit: trust.kit().map(|kit| ReceiptKit {
            sequence: kit.kit().sequence,
            digest: kit.digest().hex(),
            reference_time: kit.kit().reference_time.to_string(),
        }),
        checks: checks.collect(),
    }
}
