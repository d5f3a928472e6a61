//! Whether a quarantined bundle is whole: every blob its manifests name, and every part its symbol index names.

use std::collections::BTreeMap;

use sealtrace_bundle::VerifiedBundle;
use sealtrace_digest::BlobDigest;
use sealtrace_layout::LayoutGraph;
use sealtrace_symbols::{BlobRef, Compression};

use super::error::ImportError;
use super::staging::Staging;

/// That every blob the manifests name is staged with the described length. Returns the blobs that nothing names.
pub(crate) fn check_complete(graph: &LayoutGraph, staged: &BTreeMap<BlobDigest, u64>) -> Result<Vec<BlobDigest>, ImportError> {
    let missing: Vec<_> = graph.reachable().keys().filter(|digest| !staged.contains_key(digest)).collect();
    if let Some(first) = missing.first() {
        return Err(ImportError::Incomplete { count: missing.len(), first: **first });
    }
    for (digest, &expected) in graph.reachable() {
        let found = staged.get(digest).copied().unwrap_or_default();
        if found != expected {
            return Err(ImportError::BlobSize { digest: *digest, expected, found });
        }
    }
    Ok(staged.keys().filter(|digest| graph.described_size(digest).is_none()).copied().collect())
}

/// Compares every part that the symbol index names with the staged layers. That each lies in a layer is verified before.
pub(crate) fn check_parts(bundle: &VerifiedBundle, staging: &Staging<'_>) -> Result<(), ImportError> {
    let mut known = BTreeMap::new();
    for module in &bundle.index().modules {
        let debug = module.debug.as_ref().and_then(|debug| debug.blob.as_ref());
        for (kind, part) in [("table", module.table.as_ref()), ("unwind", module.unwind.as_ref()), ("debug file", debug)] {
            let Some(part) = part else { continue };
            let found = digest_of(part, &mut known, staging)?;
            let expected = if part.compression == Compression::None { [part.digest, part.raw_digest] } else { [part.digest; 2] };
            if let Some(expected) = expected.into_iter().find(|expected| *expected != found) {
                let what = format!("{kind} of {}", module.path.escape_default());
                return Err(ImportError::PartDigest { what, expected, found });
            }
        }
    }
    Ok(())
}

/// A layer, offset and length, hashed once although several modules may share it.
type Place = (BlobDigest, u64, u64);

fn digest_of(part: &BlobRef, known: &mut BTreeMap<Place, BlobDigest>, staging: &Staging<'_>) -> Result<BlobDigest, ImportError> {
    let place = (part.layer, part.offset, part.size);
    let found = match known.get(&place) {
        Some(digest) => *digest,
        // The whole layer was hashed when it was received.
        None if part.offset == 0 && staging.sizes().get(&part.layer) == Some(&part.size) => part.layer,
        None => staging.digest_of_part(&part.layer, part.offset, part.size)?,
    };
    known.insert(place, found);
    Ok(found)
}
