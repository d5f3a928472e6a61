//! Packs: many parts in one layer, when there would be more layers than a registry takes.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_digest::BlobDigest;
use sealtrace_layout::media;
use sealtrace_symbols::{BlobRef, Module};

use super::error::AssembleError;
use super::parts_of;
use crate::layout_dir::LayoutDir;

/// Parts of a pack begin at multiples of this, so that they can be mapped (DESIGN, *Symbol bundle*).
const ALIGNMENT: usize = 4096;

/// Packs tables and unwind data when the layers would be more than `limit`; debug files too when that is not enough.
/// `others`: layers that are never packed, without the index.
pub(super) fn pack_above(layout: &LayoutDir, modules: &mut [Module], others: usize, limit: usize) -> Result<(), AssembleError> {
    let is_debug = |part: &BlobRef| part.media_type == media::DEBUG_FILE_ZSTD || part.media_type == media::DEBUG_FILE_GZIP;
    let count = |modules: &[Module], debug: bool| {
        let parts = modules.iter().flat_map(parts_of).filter(|part| is_debug(part) == debug);
        parts.map(|part| part.layer).collect::<BTreeSet<_>>().len()
    };
    let (small, debug) = (count(modules, false), count(modules, true));
    let fixed = 1 + others;
    if fixed + small + debug <= limit {
        return Ok(());
    }
    let packs = modules.iter().map(|module| bucket_of(&module.path)).collect::<BTreeSet<_>>().len();
    let with_debug = fixed + packs + debug > limit;
    pack(layout, modules, |part| with_debug || !is_debug(part))?;
    let found = fixed + count(modules, false) + if with_debug { 0 } else { debug };
    if found > limit {
        return Err(AssembleError::TooManyLayers { found, limit });
    }
    Ok(())
}

/// Which of the 256 packs a module's parts go to.
fn bucket_of(path: &str) -> u8 {
    let [bucket, ..] = *BlobDigest::of(path.as_bytes()).as_bytes();
    bucket
}

/// Replaces the layers of the chosen parts by packs: by the first byte of SHA-256 of the first module's path, in order of path.
fn pack(layout: &LayoutDir, modules: &mut [Module], chosen: impl Fn(&BlobRef) -> bool) -> Result<(), AssembleError> {
    let mut buckets: BTreeMap<u8, Vec<(BlobDigest, u64)>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for module in modules.iter() {
        let bucket = bucket_of(&module.path);
        for part in parts_of(module).filter(|part| chosen(part)) {
            if seen.insert(part.digest) {
                buckets.entry(bucket).or_default().push((part.digest, part.size));
            }
        }
    }
    let mut places = BTreeMap::new();
    for parts in buckets.into_values() {
        let mut pack = Vec::new();
        let mut offsets = Vec::with_capacity(parts.len());
        for (digest, size) in parts {
            pack.resize(pack.len().next_multiple_of(ALIGNMENT), 0);
            offsets.push((digest, u64::try_from(pack.len()).unwrap_or(u64::MAX)));
            pack.extend_from_slice(&layout.blob(&digest, size)?);
        }
        let layer = layout.put_blob(media::PACK, &pack)?.digest;
        for (digest, offset) in offsets {
            places.insert(digest, (layer, offset));
        }
    }
    for module in modules.iter_mut() {
        let debug = module.debug.as_mut().and_then(|debug| debug.blob.as_mut());
        for part in [module.table.as_mut(), module.unwind.as_mut(), debug].into_iter().flatten() {
            if let Some(&(layer, offset)) = places.get(&part.digest) {
                (part.layer, part.offset) = (layer, offset);
            }
        }
    }
    let still: BTreeSet<_> = modules.iter().flat_map(parts_of).map(|part| part.layer).collect();
    for digest in seen.difference(&still) {
        layout.remove_blob(digest)?;
    }
    Ok(())
}
