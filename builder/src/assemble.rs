//! From modules and debug files to a sealed-to-be OCI layout: blobs, packs, `symbol_index.json`, manifest, root index.
//!
//! The manifest depends on contents and on paths below the tree only. Before the layout is published, it is read again with
//! the verifier's crates. Not here: finding files (`collect`), what is in a table (`symbolize`).

mod compress;
mod error;
mod pack;
mod parts;
pub(crate) mod rows;
mod verify;

use std::collections::BTreeMap;

use btf_archive::BtfBlob;
use sealtrace_digest::BlobDigest;
use sealtrace_layout::{Descriptor, EMPTY_CONFIG, Manifest, media};
use sealtrace_symbols::{BlobRef, BtfEntry, DebugSource, Module, SymbolIndex};

use crate::collect::{LeftOut, ModuleFile};
use crate::layout_dir::{LayoutDir, StagedLayout, TAG_BUNDLE};
use crate::release::{Label, root_tag};
pub(crate) use error::AssembleError;
use parts::{ModuleParts, PartOptions};

/// Most layers of a manifest before tables and unwind data are packed (DESIGN: registries take about 2,000).
const MAX_LAYERS: usize = 1_900;

/// Which debug files go into the bundle as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DebugFiles {
    /// Every debug file that was paired, for gdb and the symbol server
    All,
    /// None: tables and unwind data are enough to resolve
    None,
}

/// How debug files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DebugCompression {
    /// zstd, level 9
    Zstd,
    /// gzip, level 9
    Gzip,
}

/// What to do with a module whose symbols cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnUnreadable {
    /// The build fails.
    Fail,
    /// The module is kept without a table and listed.
    Keep,
}

/// Whether the rows of each table are also stored as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonRows {
    /// Only tables.
    Leave,
    /// One layer of rows for each table.
    Add,
}

/// How to assemble.
#[derive(Debug, Clone)]
pub(crate) struct AssembleOptions {
    /// Release name.
    pub(crate) name: Label,
    /// Release version.
    pub(crate) version: Label,
    /// Debug files.
    pub(crate) debug_files: DebugFiles,
    /// Their compression.
    pub(crate) compression: DebugCompression,
    /// Modules whose symbols cannot be read.
    pub(crate) unreadable: OnUnreadable,
    /// Rows as JSON.
    pub(crate) json_rows: JsonRows,
    /// Most layers before parts are packed; only tests lower it.
    pub(crate) max_layers: usize,
}

impl AssembleOptions {
    /// The limit of DESIGN.
    pub(crate) const MAX_LAYERS: usize = MAX_LAYERS;
}

/// What was built.
#[derive(Debug)]
pub(crate) struct Assembled {
    /// The bundle's identity.
    pub(crate) manifest: BlobDigest,
    /// Its index.
    pub(crate) index: SymbolIndex,
    /// Layers, the index among them.
    pub(crate) layers: usize,
    /// Bytes of all layers.
    pub(crate) bytes: u64,
    /// Modules without a table, and parts of debug information that were left out.
    pub(crate) notes: Vec<LeftOut>,
}

/// Fills the staged layout and moves it to its place.
///
/// # Errors
/// [`AssembleError`]
pub(crate) fn assemble(
    staged: StagedLayout,
    files: &[ModuleFile],
    btf: &[BtfBlob],
    options: &AssembleOptions,
) -> Result<Assembled, AssembleError> {
    let tag = root_tag(&options.name, &options.version).ok_or(AssembleError::TagTooLong)?;
    let layout = staged.layout();
    let part_options = PartOptions {
        debug_files: options.debug_files,
        compression: options.compression,
        unreadable: options.unreadable,
        json_rows: options.json_rows,
    };
    let made = parts::make_all(layout, files, part_options)?;
    let notes = made.iter().zip(files).flat_map(|(parts, file)| parts.notes_for(&file.binary.path)).collect();
    let mut row_layers: BTreeMap<BlobDigest, Descriptor> = BTreeMap::new();
    row_layers.extend(made.iter().filter_map(|parts| parts.rows.clone()).map(|rows| (rows.digest, rows)));
    let mut modules: Vec<Module> = files.iter().zip(made).map(|(file, parts)| module(file, parts)).collect();
    let btf = put_btf(layout, btf)?;
    pack::pack_above(layout, &mut modules, btf.len() + row_layers.len(), options.max_layers)?;
    let index = SymbolIndex {
        index_version: 0,
        name: options.name.to_string(),
        version: options.version.to_string(),
        id_map: SymbolIndex::id_map_of(&modules, &btf),
        modules,
        btf,
    };
    let manifest = put_manifest(layout, &index, row_layers)?;
    layout.write_index(&tag, &[(TAG_BUNDLE, manifest.clone())])?;
    let (_, written) = layout.bundle_manifest()?;
    verify::verify(layout, &index)?;
    staged.publish()?;
    Ok(Assembled {
        manifest: manifest.digest,
        index,
        layers: written.layers.len(),
        bytes: written.layers.iter().map(|layer| layer.size).sum(),
        notes,
    })
}

fn module(file: &ModuleFile, parts: ModuleParts) -> Module {
    let ModuleFile { binary, debug } = file;
    Module {
        path: binary.path.clone(),
        os: binary.info.os,
        arch: binary.info.arch.clone(),
        file_sha256: binary.sha256,
        file_size: binary.size,
        ids: binary.info.ids.clone(),
        unidentified_reason: binary.info.unidentified_reason.clone(),
        image_base: binary.info.image_base,
        table: parts.table,
        unwind: parts.unwind,
        debug: debug.as_ref().map(|debug| DebugSource {
            path: if debug.file.is_same(binary) { binary.path.clone() } else { debug.file.path.clone() },
            file_sha256: debug.file.sha256,
            paired_by: debug.paired_by,
            blob: parts.debug_file,
        }),
        coverage: parts.coverage,
        toolchain: parts.toolchain,
    }
}

fn put_btf(layout: &LayoutDir, blobs: &[BtfBlob]) -> Result<Vec<BtfEntry>, AssembleError> {
    let put = |blob: &BtfBlob| {
        let bytes = blob.read()?;
        let layer = layout.put_blob(media::BTF, &bytes)?;
        if layer.digest != blob.sha256 {
            return Err(AssembleError::Changed { path: blob.path.clone() });
        }
        Ok(BtfEntry {
            distro: blob.distro.clone(),
            version: blob.version.clone(),
            arch: blob.arch.clone(),
            release: blob.release.clone(),
            layer: layer.digest,
            size: layer.size,
            provenance: blob.provenance.clone(),
        })
    };
    blobs.iter().map(put).collect()
}

/// Stores index and manifest: the index first, then every other layer once, by digest.
fn put_manifest(
    layout: &LayoutDir,
    index: &SymbolIndex,
    row_layers: BTreeMap<BlobDigest, Descriptor>,
) -> Result<Descriptor, AssembleError> {
    let mut layers = row_layers;
    let mut add = |digest: BlobDigest, size: u64, media_type: &str| {
        layers.entry(digest).or_insert_with(|| Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            artifact_type: None,
            annotations: BTreeMap::new(),
        });
    };
    for part in index.modules.iter().flat_map(parts_of) {
        if part.layer == part.digest {
            add(part.layer, part.size, &part.media_type);
        } else {
            let size = std::fs::metadata(layout.blobs().blob_path(&part.layer)).map(|metadata| metadata.len());
            add(part.layer, size.map_err(|source| AssembleError::Pack { digest: part.layer, source })?, media::PACK);
        }
    }
    for entry in &index.btf {
        add(entry.layer, entry.size, media::BTF);
    }
    let first = layout.put_blob(media::SYMBOL_INDEX, &index.encode()?)?;
    layout.put_blob(media::EMPTY, EMPTY_CONFIG)?;
    let listed = std::iter::once(first).chain(layers.into_values()).collect();
    let mut manifest = layout.put_blob(media::MANIFEST, &Manifest::new(media::SYMBOL_BUNDLE, listed).encode()?)?;
    manifest.artifact_type = Some(media::SYMBOL_BUNDLE.to_owned());
    Ok(manifest)
}

/// Every part that a module refers to.
fn parts_of(module: &Module) -> impl Iterator<Item = &BlobRef> {
    let debug = module.debug.as_ref().and_then(|debug| debug.blob.as_ref());
    [module.table.as_ref(), module.unwind.as_ref(), debug].into_iter().flatten()
}

#[cfg(test)]
mod tests;
