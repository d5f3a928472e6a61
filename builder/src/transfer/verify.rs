//! The verification of a quarantined bundle against the store's trust folder, and the receipt of it.
//!
//! Anyone can attach anything to a bundle, so each attachment is a candidate: it is looked at on its own, cheaply, before
//! the one full verification. Not here: what is checked (`sealtrace-bundle`).

use std::collections::BTreeSet;
use std::sync::Arc;

use sealtrace_bundle::{SymbolBundleInput, VerifiedBundle, VerifiedStatement, open_statement, verify_symbol_bundle};
use sealtrace_digest::BlobDigest;
use sealtrace_layout::{Attachment, Blobs as _, GraphError, LayoutGraph, MAX_MANIFEST_BYTES, media};
use sealtrace_store::{LogPosition, Receipt, ReceiptCheck, TrustFiles};
use sealtrace_symbols::MAX_INDEX_BYTES;
use sealtrace_tlog::Fragment;
use sealtrace_trust::Trust;
use sealtrace_verdict::{Checks, Outcome, Verdict};

use super::error::ImportError;
use super::staging::Staging;

/// Most bytes of an attached Sigstore bundle or tile fragment (ours; `sealtrace-tlog` takes 64 MiB).
const MAX_ATTACHMENT_BYTES: u64 = 64 << 20;

/// Verifies the bundle by what is attached to it; the receipt names the attachments that verified.
pub(crate) fn verify(
    staging: &Staging<'_>,
    graph: &LayoutGraph,
    bundle: &BlobDigest,
    trust: &TrustFiles,
) -> Result<(VerifiedBundle, Receipt), ImportError> {
    let trust = Trust::parse(trust).map_err(ImportError::Trust)?;
    let attached = graph.attachments(bundle)?;
    let candidates = Candidates { staging, bundle, trust: &trust };
    let (signature, statement) = candidates.signature(&attached.signatures)?;
    let fragment = candidates.fragment(&attached.fragments, statement.as_ref())?;

    let index = graph
        .manifests()
        .get(bundle)
        .and_then(|manifest| manifest.layers.iter().find(|layer| layer.media_type == media::SYMBOL_INDEX).map(|layer| layer.digest));
    let index = index.ok_or(ImportError::NoIndex { bundle: *bundle })?;
    let manifest_bytes = candidates.blob(bundle, limit(MAX_MANIFEST_BYTES))?;
    let index_bytes = candidates.blob(&index, limit(MAX_INDEX_BYTES))?;
    let input = SymbolBundleInput {
        manifest: &manifest_bytes,
        signature: Some(&signature.bytes),
        fragment: fragment.as_ref().map(|fragment| &*fragment.bytes),
        index: &index_bytes,
    };
    let (verdict, verified) = verify_symbol_bundle(&input, &trust);
    let Some(verified) = verified else { return Err(not_verified(*bundle, verdict)) };
    let fragments = fragment.iter().map(|fragment| fragment.manifest).collect();
    let receipt = receipt(&verified, &verdict, signature.manifest, fragments);
    Ok((verified, receipt))
}

/// An attachment with the bytes of its one layer.
struct Content {
    manifest: BlobDigest,
    bytes: Arc<[u8]>,
}

struct Candidates<'a> {
    staging: &'a Staging<'a>,
    bundle: &'a BlobDigest,
    trust: &'a Trust,
}

impl Candidates<'_> {
    fn blob(&self, digest: &BlobDigest, limit: u64) -> Result<Arc<[u8]>, ImportError> {
        Ok(self.staging.blob(digest, limit).map_err(GraphError::from)?)
    }

    fn content(&self, attachment: &Attachment) -> Result<Content, ImportError> {
        Ok(Content { manifest: attachment.manifest, bytes: self.blob(&attachment.layer.digest, MAX_ATTACHMENT_BYTES)? })
    }

    /// The first signature that a trusted key made over this bundle; without one, the first, so that the verdict can say what is wrong with it.
    fn signature(&self, attached: &[Attachment]) -> Result<(Content, Option<VerifiedStatement>), ImportError> {
        for attachment in distinct(attached) {
            let content = self.content(attachment)?;
            let mut checks = Checks::new();
            let statement = open_statement(&content.bytes, self.trust, &mut checks);
            if let Some(statement) = statement.filter(|statement| checks.holds() && self.is_about_bundle(statement)) {
                return Ok((content, Some(statement)));
            }
        }
        let first = attached.first().ok_or(ImportError::Unsigned { bundle: *self.bundle })?;
        Ok((self.content(first)?, None))
    }

    fn is_about_bundle(&self, statement: &VerifiedStatement) -> bool {
        statement.statement().subject.iter().all(|subject| subject.digest.sha256 == self.bundle.hex())
    }

    /// The first fragment that shows the statement's entry in its log; without one, the first.
    fn fragment(&self, attached: &[Attachment], statement: Option<&VerifiedStatement>) -> Result<Option<Content>, ImportError> {
        for attachment in distinct(attached) {
            let content = self.content(attachment)?;
            let shows = |statement: &&VerifiedStatement| {
                let log = statement.log();
                Fragment::parse(&content.bytes)
                    .and_then(|fragment| fragment.verify(log.log()))
                    .is_ok_and(|fragment| fragment.entry(log.index()).is_some_and(|entry| entry.body == log.body()))
            };
            if statement.as_ref().is_some_and(shows) {
                return Ok(Some(content));
            }
        }
        attached.first().map(|first| self.content(first)).transpose()
    }
}

/// The attachments without those whose layer came before: ten thousand manifests may name one large blob.
fn distinct(attached: &[Attachment]) -> impl Iterator<Item = &Attachment> {
    let mut seen = BTreeSet::new();
    attached.iter().filter(move |attachment| seen.insert(attachment.layer.digest))
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

fn receipt(bundle: &VerifiedBundle, verdict: &Verdict, signature: BlobDigest, fragments: Vec<BlobDigest>) -> Receipt {
    let word = |outcome| match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Skipped => "skipped",
    };
    let checks = verdict.checks().iter().map(|check| ReceiptCheck { id: check.id.clone(), outcome: word(check.outcome).to_owned() });
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
        checks: checks.collect(),
    }
}

fn limit(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
