//! Symbol bundles of a store or an evidence archive, verified one by one against a trust folder.

use std::path::Path;

use sealtrace_bundle::{SymbolBundleInput, VerifiedBundle, verify_symbol_bundle};
use sealtrace_console::{ExitCode, Failure};
use sealtrace_digest::BlobDigest;
use sealtrace_layout::{Blobs, LayoutGraph, MAX_MANIFEST_BYTES, media};
use sealtrace_store::{StoreError, read_trust_folder};
use sealtrace_symbols::MAX_INDEX_BYTES;
use sealtrace_trust::Trust;
use sealtrace_verdict::Verdict;

/// The most bytes of an attached Sigstore bundle or tile fragment (ours).
const MAX_ATTACHMENT_BYTES: u64 = 64 << 20;

/// Blobs and manifests to verify bundles from.
pub struct Bundles<'a> {
    /// Blobs.
    pub blobs: &'a dyn Blobs,
    /// Manifests.
    pub graph: &'a LayoutGraph,
    /// Trust.
    pub trust: &'a Trust,
}

impl std::fmt::Debug for Bundles<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bundles")
    }
}

/// A bundle with its verdict; `verified` only where the verdict is.
#[derive(Debug)]
pub struct OpenedBundle {
    /// Every check.
    pub verdict: Verdict,
    /// The bundle, when all checks passed.
    pub verified: Option<VerifiedBundle>,
}

impl Bundles<'_> {
    /// Verifies the bundle with this manifest digest.
    ///
    /// # Errors
    /// A [`Failure`] when a blob that the verdict needs cannot be had; a failed check is a verdict, not a failure.
    pub fn open(&self, digest: &BlobDigest) -> Result<OpenedBundle, Failure> {
        let limit = u64::try_from(MAX_MANIFEST_BYTES).unwrap_or(u64::MAX);
        let blob = |digest: &BlobDigest, limit| {
            self.blobs.blob(digest, limit).map_err(|error| Failure::from_error(ExitCode::NoVerdict, "symbol bundle", &error))
        };
        let manifest_bytes = blob(digest, limit)?;
        let attached = self
            .graph
            .attachments(digest)
            .map_err(|error| Failure::from_error(ExitCode::Malformed, &format!("attachments of {digest}"), &error))?;
        let manifest = self.graph.manifests().get(digest);
        let index = manifest.and_then(|manifest| manifest.layers.iter().find(|layer| layer.media_type == media::SYMBOL_INDEX));
        let index_bytes = index.map(|layer| blob(&layer.digest, u64::try_from(MAX_INDEX_BYTES).unwrap_or(u64::MAX))).transpose()?;
        let first = |list: &[sealtrace_layout::Attachment]| list.first().map(|one| blob(&one.layer.digest, MAX_ATTACHMENT_BYTES)).transpose();
        let signature = first(&attached.signatures)?;
        let fragment = first(&attached.fragments)?;
        let input = SymbolBundleInput {
            manifest: &manifest_bytes,
            signature: signature.as_deref(),
            fragment: fragment.as_deref(),
            index: index_bytes.as_deref().unwrap_or_default(),
        };
        let (verdict, verified) = verify_symbol_bundle(&input, self.trust);
        Ok(OpenedBundle { verdict, verified })
    }
}

/// Reads and parses a trust folder.
///
/// # Errors
/// Exit 2 when it is not there or empty (naming `trust add`), 3 when it is malformed.
pub fn trust_folder(path: &Path) -> Result<Trust, Failure> {
    let none = || {
        Failure::new(ExitCode::NoVerdict, format_args!("no trust folder at {}: without it there is no verdict", path.display()))
            .hint("install the folder that came apart from the archive: symbol-bundle trust add FOLDER --store DIR (or name it with --trust)")
    };
    let files = match read_trust_folder(path) {
        Ok(files) if files.is_empty() => return Err(none()),
        Ok(files) => files,
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Err(none()),
        Err(error) => return Err(Failure::from_error(ExitCode::NoVerdict, "trust folder", &error)),
    };
    Trust::parse(&files).map_err(|error| {
        Failure::from_error(ExitCode::Malformed, &format!("trust folder {}", path.display()), &error)
            .hint("compare it with the one the release or the site handed out; nothing in it is used as long as one file is wrong")
    })
}
