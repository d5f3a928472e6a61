//! The symbol index against the manifest: every part lies in a layer, and what is read has the digest the index gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{BlobError, Blobs, Descriptor, Manifest, media};
use sealtrace_symbols::{BlobRef, SymbolIndex};

/// Parts of a pack begin at multiples of this (DESIGN, *Symbol bundle*).
const PACK_ALIGNMENT: u64 = 4096;

/// Checks that every part of the index lies in a layer of the manifest: a whole layer of its media type, or an aligned range of a pack.
///
/// # Errors
/// A text naming the first module or BTF entry for which that is not so.
pub fn check_index_layers(index: &SymbolIndex, manifest: &Manifest) -> Result<(), String> {
    let layers: BTreeMap<BlobDigest, &Descriptor> = manifest.layers.iter().map(|layer| (layer.digest, layer)).collect();
    for module in &index.modules {
        let debug = module.debug.as_ref().and_then(|debug| debug.blob.as_ref());
        for part in [module.table.as_ref(), module.unwind.as_ref(), debug].into_iter().flatten() {
            check_part(part, &layers).map_err(|reason| format!("module {:?}: {reason}", module.path))?;
        }
    }
    for entry in &index.btf {
        let layer = layers.get(&entry.layer).filter(|layer| layer.media_type == media::BTF && layer.size == entry.size);
        layer.ok_or_else(|| format!("kernel types of {}: no BTF layer {} of {} bytes", entry.release, entry.layer, entry.size))?;
    }
    Ok(())
}

fn check_part(part: &BlobRef, layers: &BTreeMap<BlobDigest, &Descriptor>) -> Result<(), String> {
    let layer = layers.get(&part.layer).ok_or_else(|| format!("{} is not a layer of the manifest", part.layer))?;
    let end = part.offset.checked_add(part.size).ok_or_else(|| "a part's end overflows".to_owned())?;
    if end > layer.size {
        return Err(format!("a part ends at {end} of a layer of {} bytes", layer.size));
    }
    if layer.media_type == media::PACK {
        return if part.offset.is_multiple_of(PACK_ALIGNMENT) {
            Ok(())
        } else {
            Err(format!("a part begins at {} of a pack", part.offset))
        };
    }
    let whole = part.offset == 0 && part.size == layer.size && part.digest == part.layer && part.media_type == layer.media_type;
    if whole { Ok(()) } else { Err(format!("{} is not a pack and the part is not the whole of it", part.layer)) }
}

/// Why a part of a bundle cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleBlobError {
    /// The layer cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The part is not inside the layer.
    #[error("part at {offset} of {size} bytes is not inside layer {layer}")]
    Range {
        /// The layer.
        layer: BlobDigest,
        /// Offset of the part.
        offset: u64,
        /// Its length.
        size: u64,
    },
    /// The part has another digest.
    #[error("part of layer {layer}: expected {expected}, found {found}")]
    Digest {
        /// The layer.
        layer: BlobDigest,
        /// The digest in the index.
        expected: BlobDigest,
        /// The digest of the content.
        found: BlobDigest,
    },
}

/// The stored bytes of a part (still compressed as the index says), whose SHA-256 is that of the index.
/// `layer_size`: the length of the layer in the manifest, the most that is read.
///
/// # Errors
/// [`ModuleBlobError`]
pub fn module_blob(blobs: &dyn Blobs, part: &BlobRef, layer_size: u64) -> Result<Arc<[u8]>, ModuleBlobError> {
    let layer = blobs.blob(&part.layer, layer_size)?;
    let range = ModuleBlobError::Range { layer: part.layer, offset: part.offset, size: part.size };
    let start = usize::try_from(part.offset).map_err(|_wide| range.clone())?;
    let length = usize::try_from(part.size).map_err(|_wide| range.clone())?;
    let end = start.checked_add(length).ok_or_else(|| range.clone())?;
    let bytes: Arc<[u8]> = if start == 0 && end == layer.len() { layer } else { Arc::from(layer.get(start..end).ok_or(range)?) };
    let found = BlobDigest::of(&bytes);
    if found != part.digest {
        return Err(ModuleBlobError::Digest { layer: part.layer, expected: part.digest, found });
    }
    Ok(bytes)
}
