//! A symbol bundle of a layout, verified by what is attached to it.
//!
//! Anyone can attach anything to a bundle, so each attachment is a candidate: it is looked at on its own, cheaply, before the
//! one full verification, and one that cannot even be read is not this one. Signature and fragment are chosen as a pair, since
//! only together do they verify. Not here: what is checked (`symbol.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{Attachment, BlobError, Blobs, GraphError, LayoutGraph, MAX_MANIFEST_BYTES, media};
use sealtrace_symbols::MAX_INDEX_BYTES;
use sealtrace_tlog::Fragment;
use sealtrace_trust::Trust;
use sealtrace_verdict::{Checks, Verdict};

use crate::log::LogPosition;
use crate::statement::{SignedStatement, open_genuine};
use crate::symbol::{SYMBOL_BUNDLE_PREDICATE, SymbolBundleInput, VerifiedBundle, verify_symbol_bundle};

/// Most bytes of an attached Sigstore bundle or tile fragment (ours; `sealtrace-tlog` takes 64 MiB).
const MAX_ATTACHMENT_BYTES: u64 = 64 << 20;

/// A symbol bundle with its verdict and the attachments that the verdict rests on.
#[derive(Debug)]
pub struct OpenedBundle {
    /// Every check.
    pub verdict: Verdict,
    /// The bundle; present only where the verdict is verified.
    pub verified: Option<VerifiedBundle>,
    /// The signature used: the first that a trusted key made over this bundle and some fragment shows in its log, else the
    /// first that a trusted key made over it, else the first at all.
    pub signature: Option<Attachment>,
    /// The fragment used: the first that shows that signature's log entry, else the first at all.
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
    let (signature, fragment) = candidates.choose(&attached.signatures, &attached.fragments)?;
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

/// A signature that a trusted key made over the bundle, logged in a trusted log.
struct Trusted<'a> {
    attachment: &'a Attachment,
    log: LogPosition,
}

struct Candidates<'a> {
    blobs: &'a dyn Blobs,
    bundle: &'a BlobDigest,
    trust: &'a Trust,
}

impl Candidates<'_> {
    /// The signature and the fragment to verify with.
    ///
    /// # Errors
    /// The first blob that cannot be had, where the readable candidates do not do: the missing one might.
    fn choose(&self, signatures: &[Attachment], fragments: &[Attachment]) -> Result<(Option<Content>, Option<Content>), OpenBundleError> {
        let trusted = self.trusted(signatures)?;
        let Some(first) = trusted.first() else {
            // Nothing verifies: the first readable of each, so that the verdict can say what is wrong with it.
            return Ok((self.first(signatures)?, self.first(fragments)?));
        };
        let (paired, fragment) = match self.pair(&trusted, fragments)? {
            Some((paired, fragment)) => (paired, Some(fragment)),
            None => (first, self.first(fragments)?),
        };
        Ok((Some(self.content(paired.attachment)?), fragment))
    }

    fn content(&self, attachment: &Attachment) -> Result<Content, BlobError> {
        Ok(Content { attachment: attachment.clone(), bytes: self.blobs.blob(&attachment.layer.digest, MAX_ATTACHMENT_BYTES)? })
    }

    /// The first attachment that can be read; none where nothing is attached.
    fn first(&self, attached: &[Attachment]) -> Result<Option<Content>, BlobError> {
        let mut unreadable = None;
        for attachment in distinct(attached) {
            match self.content(attachment) {
                Ok(content) => return Ok(Some(content)),
                Err(error) => unreadable = unreadable.or(Some(error)),
            }
        }
        unreadable.map_or(Ok(None), Err)
    }

    /// The signatures that trusted keys made over this bundle, in order; of those that are one log entry, the first.
    fn trusted<'a>(&self, attached: &'a [Attachment]) -> Result<Vec<Trusted<'a>>, BlobError> {
        let (mut trusted, mut unreadable, mut entries) = (Vec::new(), None, BTreeSet::new());
        for attachment in distinct(attached) {
            let content = match self.content(attachment) {
                Ok(content) => content,
                Err(error) => {
                    unreadable = unreadable.or(Some(error));
                    continue;
                }
            };
            let mut checks = Checks::new();
            let genuine = open_genuine(&content.bytes, self.trust, &mut checks).filter(|_| checks.holds());
            let Some((signed, log)) = genuine.and_then(|genuine| genuine.signed.zip(genuine.log)) else { continue };
            if !self.is_about_bundle(&signed) {
                continue;
            }
            // One entry can be written down in many ways; a fragment shows all of them or none.
            if entries.insert((log.log().key_id(), log.index(), log.leaf())) {
                trusted.push(Trusted { attachment, log });
            }
        }
        match unreadable {
            Some(error) if trusted.is_empty() => Err(error),
            _ => Ok(trusted),
        }
    }

    /// A trusted key may sign other statements about the same bundle; those are no reason to refuse it.
    fn is_about_bundle(&self, statement: &SignedStatement) -> bool {
        let said = statement.statement();
        said.predicate_type == SYMBOL_BUNDLE_PREDICATE && said.subject.iter().all(|subject| subject.digest.sha256 == self.bundle.hex())
    }

    /// The first signature that some fragment shows in its log, with the first fragment that does.
    fn pair<'a, 'b>(&self, trusted: &'b [Trusted<'a>], attached: &[Attachment]) -> Result<Option<(&'b Trusted<'a>, Content)>, BlobError> {
        let mut by_index: BTreeMap<u64, Vec<(usize, &Trusted<'a>)>> = BTreeMap::new();
        for (position, signature) in trusted.iter().enumerate() {
            by_index.entry(signature.log.index().0).or_default().push((position, signature));
        }
        let (mut best, mut unreadable) = (None, None);
        for attachment in distinct(attached) {
            let content = match self.content(attachment) {
                Ok(content) => content,
                Err(error) => {
                    unreadable = unreadable.or(Some(error));
                    continue;
                }
            };
            let before = best.as_ref().map_or(usize::MAX, |(position, _, _)| *position);
            if let Some((position, signature)) = shown(&content.bytes, &by_index).filter(|(position, _)| *position < before) {
                best = Some((position, signature, content));
            }
            if best.as_ref().is_some_and(|(position, _, _)| *position == 0) {
                break;
            }
        }
        match (best, unreadable) {
            (Some((_, signature, content)), _) => Ok(Some((signature, content))),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }
}

/// The first of these signatures whose log entry a fragment shows. A fragment is verified once per log, not once per signature.
fn shown<'b, 'a>(tar: &[u8], by_index: &BTreeMap<u64, Vec<(usize, &'b Trusted<'a>)>>) -> Option<(usize, &'b Trusted<'a>)> {
    let fragment = Fragment::parse(tar).ok()?;
    let entries = fragment.entries();
    let mut named: Vec<_> = by_index
        .iter()
        .filter_map(|(index, signatures)| Some((entries.get(index)?, signatures)))
        .flat_map(|(entry, signatures)| signatures.iter().filter(|(_, signature)| entry.body == signature.log.body()))
        .collect();
    named.sort_by_key(|(position, _)| *position);
    let mut verified = BTreeMap::new();
    named.into_iter().copied().find(|(_, signature)| {
        let log = signature.log.log();
        *verified.entry(log.key_id()).or_insert_with(|| fragment.verify(log).is_ok())
    })
}

/// The attachments without those whose layer came before: ten thousand manifests may name one large blob.
fn distinct(attached: &[Attachment]) -> impl Iterator<Item = &Attachment> {
    let mut seen = BTreeSet::new();
    attached.iter().filter(move |attachment| seen.insert(attachment.layer.digest))
}

fn limit(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
