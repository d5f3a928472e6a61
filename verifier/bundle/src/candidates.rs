//! A symbol bundle of a layout, verified by what is attached to it.
//!
//! Anyone can attach anything to a bundle, so each attachment is a candidate: it is looked at on its own, cheaply, before the
//! one full verification. Not here: what is checked (`symbol.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{Attachment, BlobError, Blobs, GraphError, LayoutGraph, MAX_MANIFEST_BYTES, media};
use sealtrace_symbols::MAX_INDEX_BYTES;
use sealtrace_tlog::Fragment;
use sealtrace_trust::Trust;
use sealtrace_verdict::{Checks, Verdict};

use crate::statement::{VerifiedStatement, open_statement};
use crate::symbol::{SymbolBundleInput, VerifiedBundle, verify_symbol_bundle};

/// Most bytes of an attached Sigstore bundle or tile fragment (ours; `sealtrace-tlog` takes 64 MiB).
const MAX_ATTACHMENT_BYTES: u64 = 64 << 20;

/// A symbol bundle with its verdict and the attachments that the verdict rests on.
#[derive(Debug)]
pub struct OpenedBundle {
    /// Every check.
    pub verdict: Verdict,
    /// The bundle; present only where the verdict is verified.
    pub verified: Option<VerifiedBundle>,
    /// The signature used: the first that a trusted key made over this bundle, else the first at all.
    pub signature: Option<Attachment>,
    /// The fragment used: the first that shows the signature's log entry, else the first at all.
    pub fragment: Option<Attachment>,
}

/// Why a bundle of a layout cannot be judged at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenBundleError {
    /// The attachments are not acceptable.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A blob that the verdict needs cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The layout lists no such manifest, or it has no symbol index.
    #[error("manifest {bundle} is not here, or has no symbol index")]
    NoIndex {
        /// The manifest's digest.
        bundle: BlobDigest,
    },
}

/// Verifies the bundle with this manifest digest.
///
/// # Errors
/// [`OpenBundleError`]; a check that fails is a verdict, not an error.
pub fn open_symbol_bundle(
    blobs: &dyn Blobs,
    graph: &LayoutGraph,
    bundle: &BlobDigest,
    trust: &Trust,
) -> Result<OpenedBundle, OpenBundleError> {
    let index =
        graph.manifests().get(bundle).and_then(|manifest| manifest.layers.iter().find(|layer| layer.media_type == media::SYMBOL_INDEX));
    let index = index.ok_or(OpenBundleError::NoIndex { bundle: *bundle })?.digest;
    let attached = graph.attachments(bundle)?;
    let candidates = Candidates { blobs, bundle, trust };
    let (signature, statement) = candidates.signature(&attached.signatures)?;
    let fragment = candidates.fragment(&attached.fragments, statement.as_ref())?;
    let manifest_bytes = blobs.blob(bundle, limit(MAX_MANIFEST_BYTES))?;
    let index_bytes = blobs.blob(&index, limit(MAX_INDEX_BYTES))?;
    let input = SymbolBundleInput {
        manifest: &manifest_bytes,
        signature: signature.as_ref().map(|content| &*content.bytes),
        fragment: fragment.as_ref().map(|content| &*content.bytes),
        index: &index_bytes,
    };
    let (verdict, verified) = verify_symbol_bundle(&input, trust);
    let attachment = |content: Option<Content>| content.map(|content| content.attachment);
    Ok(OpenedBundle { verdict, verified, signature: attachment(signature), fragment: attachment(fragment) })
}

/// An attachment with the bytes of its one layer.
struct Content {
    attachment: Attachment,
    bytes: Arc<[u8]>,
}

struct Candidates<'a> {
    blobs: &'a dyn Blobs,
    bundle: &'a BlobDigest,
    trust: &'a Trust,
}

impl Candidates<'_> {
    fn content(&self, attachment: &Attachment) -> Result<Content, OpenBundleError> {
        Ok(Content { attachment: attachment.clone(), bytes: self.blobs.blob(&attachment.layer.digest, MAX_ATTACHMENT_BYTES)? })
    }

    /// The first signature that a trusted key made over this bundle; without one, the first, so that the verdict can say what is wrong with it.
    fn signature(&self, attached: &[Attachment]) -> Result<(Option<Content>, Option<VerifiedStatement>), OpenBundleError> {
        for attachment in distinct(attached) {
            let content = self.content(attachment)?;
            let mut checks = Checks::new();
            let statement = open_statement(&content.bytes, self.trust, &mut checks);
            if let Some(statement) = statement.filter(|statement| checks.holds() && self.is_about_bundle(statement)) {
                return Ok((Some(content), Some(statement)));
            }
        }
        Ok((attached.first().map(|first| self.content(first)).transpose()?, None))
    }

    fn is_about_bundle(&self, statement: &VerifiedStatement) -> bool {
        statement.statement().subject.iter().all(|subject| subject.digest.sha256 == self.bundle.hex())
    }

    /// The first fragment that shows the statement's entry in its log; without one, the first.
    fn fragment(&self, attached: &[Attachment], statement: Option<&VerifiedStatement>) -> Result<Option<Content>, OpenBundleError> {
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

fn limit(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
