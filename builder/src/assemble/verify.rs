//! The builder reads its own output with the verifier's crates before it publishes it.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sealtrace_bundle::check_index_layers;
use sealtrace_digest::BlobDigest;
use sealtrace_layout::media;
use sealtrace_symbols::{BlobRef, Module, SymbolIndex, SymbolTable};
use sealtrace_unwind::UnwindData;

use super::compress::decompress;
use super::error::AssembleError;
use crate::layout_dir::LayoutDir;
use crate::progress::Progress;

/// One part, and the module that is expected in it.
type Wanted<'a> = (&'a BlobRef, &'a Module);

/// Re-opens manifest, index, tables, unwind data and debug files, and compares them with the index that was meant.
pub(super) fn verify(layout: &LayoutDir, meant: &SymbolIndex) -> Result<(), AssembleError> {
    let wrong = |what: String| AssembleError::NotVerified { what };
    let (_, manifest) = layout.bundle_manifest()?;
    let (_, index) = layout.symbol_index()?;
    if index != *meant {
        return Err(wrong("symbol_index.json says something else".to_owned()));
    }
    check_index_layers(&index, &manifest).map_err(wrong)?;
    let sizes: BTreeMap<BlobDigest, u64> = manifest.layers.iter().map(|layer| (layer.digest, layer.size)).collect();
    let mut by_layer: BTreeMap<BlobDigest, BTreeMap<(u64, BlobDigest), Wanted<'_>>> = BTreeMap::new();
    for module in &index.modules {
        for part in super::parts_of(module) {
            by_layer.entry(part.layer).or_default().insert((part.offset, part.digest), (part, module));
        }
    }
    let by_layer: Vec<_> = by_layer.into_iter().collect();
    let bar = Progress::start("verify", by_layer.len());
    by_layer.into_par_iter().try_for_each(|(digest, parts)| {
        let layer = layout.blob(&digest, sizes.get(&digest).copied().unwrap_or_default())?;
        for (part, module) in parts.into_values() {
            verify_part(&layer, part, module).map_err(|what| wrong(format!("{}: {what}", module.path)))?;
        }
        bar.advance();
        Ok(())
    })
}

fn verify_part(layer: &[u8], part: &BlobRef, module: &Module) -> Result<(), String> {
    let bounds = || {
        let start = usize::try_from(part.offset).ok()?;
        layer.get(start..start.checked_add(usize::try_from(part.size).ok()?)?)
    };
    let stored = bounds().ok_or("a part lies outside its layer")?;
    if BlobDigest::of(stored) != part.digest {
        return Err("a part has another digest".to_owned());
    }
    let raw = decompress(stored, part.compression, part.raw_size).map_err(|error| error.to_string())?;
    if BlobDigest::of(&raw) != part.raw_digest {
        return Err("a part has another digest once decompressed".to_owned());
    }
    match part.media_type.as_str() {
        media::SYMBOL_TABLE => {
            let table = SymbolTable::open(raw.as_slice()).map_err(|error| error.to_string())?;
            if table.image_base() != module.image_base {
                return Err(format!("image base of the table {:#x}, of the module {:#x}", table.image_base(), module.image_base));
            }
            table.rows().try_for_each(|row| row.map(drop)).map_err(|error| error.to_string())
        }
        media::UNWIND => {
            let data = UnwindData::parse(&raw).map_err(|error| error.to_string())?;
            let found = u64::try_from(data.fde_count()).unwrap_or(u64::MAX);
            if found == module.coverage.unwind { Ok(()) } else { Err(format!("{found} FDEs, not {}", module.coverage.unwind)) }
        }
        _ => {
            let expected = module.debug.as_ref().map(|debug| *debug.file_sha256.as_bytes());
            if expected == Some(*part.raw_digest.as_bytes()) { Ok(()) } else { Err("the debug file is another file".to_owned()) }
        }
    }
}
