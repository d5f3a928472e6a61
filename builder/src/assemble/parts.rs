//! The parts of each module: symbol table, unwind data, debug file, rows. Equal contents are worked on once.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sealtrace_digest::{BlobDigest, FileSha256};
use sealtrace_layout::{Descriptor, media};
use sealtrace_symbols::{BlobRef, Compression, Coverage};
use sealtrace_unwind::UnwindData;

use super::error::AssembleError;
use super::{DebugCompression, DebugFiles, JsonRows, OnUnreadable, rows};
use crate::collect::{LeftOut, ModuleFile, ObjectFile, read_unchanged};
use crate::layout_dir::LayoutDir;
use crate::progress::Progress;
use crate::symbolize::{SymbolizeError, SymbolizeLimits, symbol_table, unwind_sections};

/// What parts to make, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartOptions {
    pub(super) debug_files: DebugFiles,
    pub(super) compression: DebugCompression,
    pub(super) unreadable: OnUnreadable,
    pub(super) json_rows: JsonRows,
}

/// The stored parts of one module.
#[derive(Debug, Clone, Default)]
pub(super) struct ModuleParts {
    pub(super) table: Option<BlobRef>,
    pub(super) unwind: Option<BlobRef>,
    pub(super) debug_file: Option<BlobRef>,
    pub(super) rows: Option<Descriptor>,
    pub(super) coverage: Coverage,
    pub(super) toolchain: Vec<String>,
    notes: Vec<String>,
}

impl ModuleParts {
    /// What to tell about a module at `path`.
    pub(super) fn notes_for(&self, path: &str) -> Vec<LeftOut> {
        self.notes.iter().map(|note| LeftOut { path: path.to_owned(), reason: note.clone() }).collect()
    }
}

/// Makes and stores the parts of all modules; the result is in the order of `files`.
pub(super) fn make_all(layout: &LayoutDir, files: &[ModuleFile], options: PartOptions) -> Result<Vec<ModuleParts>, AssembleError> {
    let mut groups: BTreeMap<(Content, Option<Content>), Vec<usize>> = BTreeMap::new();
    for (position, file) in files.iter().enumerate() {
        let key = (content(&file.binary), file.debug.as_ref().map(|debug| content(&debug.file)));
        groups.entry(key).or_default().push(position);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    // In order of path, so that of several errors the first by path is the one reported.
    groups.sort();
    let bar = Progress::start("symbols", groups.len());
    let made: Vec<_> = groups
        .into_par_iter()
        .filter_map(|group| {
            let first = group.first().and_then(|&first| files.get(first))?;
            let parts = make(layout, first, options);
            bar.advance();
            Some((group, parts))
        })
        .collect();
    let mut all = vec![ModuleParts::default(); files.len()];
    for (group, parts) in made {
        let parts = parts?;
        for position in group {
            if let Some(slot) = all.get_mut(position) {
                *slot = parts.clone();
            }
        }
    }
    Ok(all)
}

/// A file's bytes, and which of them are the object's.
type Content = (FileSha256, usize);

fn content(file: &ObjectFile) -> Content {
    (file.sha256, file.range.start)
}

fn make(layout: &LayoutDir, file: &ModuleFile, options: PartOptions) -> Result<ModuleParts, AssembleError> {
    let binary = read_unchanged(&file.binary)?;
    let separate = file.debug.as_ref().filter(|debug| !debug.file.is_same(&file.binary)).map(|debug| &debug.file);
    let debug = separate.map(read_unchanged).transpose()?;
    let objects = (file.binary.object(&binary), separate.zip(debug.as_deref()).map(|(file, bytes)| file.object(bytes)));
    let mut parts = ModuleParts::default();
    if let Err(source) = add_symbols(layout, &mut parts, objects, options.json_rows)? {
        let no_code = matches!(source, SymbolizeError::NoLoadableSegment);
        if !no_code && options.unreadable == OnUnreadable::Fail {
            return Err(AssembleError::Symbolize { path: file.binary.path.clone(), source });
        }
        parts = ModuleParts { notes: vec![format!("no symbols: {source}")], ..ModuleParts::default() };
    }
    if options.debug_files == DebugFiles::All && file.debug.is_some() {
        let raw = debug.as_deref().unwrap_or(&binary);
        let stored = options.compression.compress(raw);
        let stored = stored.map_err(|source| AssembleError::Compress { path: file.binary.path.clone(), source })?;
        let layer = layout.put_blob(options.compression.media_type(), &stored)?;
        parts.debug_file = Some(BlobRef {
            compression: options.compression.in_index(),
            raw_digest: BlobDigest::of(raw),
            raw_size: u64::try_from(raw.len()).unwrap_or(u64::MAX),
            ..whole(layer)
        });
    }
    Ok(parts)
}

/// Adds table, unwind data and rows; the inner error is about the module's content.
fn add_symbols(
    layout: &LayoutDir,
    parts: &mut ModuleParts,
    (binary, debug): (&[u8], Option<&[u8]>),
    json_rows: JsonRows,
) -> Result<Result<(), SymbolizeError>, AssembleError> {
    let symbolized = match symbol_table(binary, debug, SymbolizeLimits::default()) {
        Ok(symbolized) => symbolized,
        Err(error) => return Ok(Err(error)),
    };
    let sections = match unwind_sections(binary, debug) {
        Ok(sections) => sections,
        Err(error) => return Ok(Err(error)),
    };
    parts.coverage = symbolized.coverage;
    parts.toolchain = symbolized.toolchain;
    if symbolized.damaged_units > 0 {
        parts.notes.push(format!("{} damaged or unknown parts of its debug information were left out", symbolized.damaged_units));
    }
    parts.table = Some(whole(layout.put_blob(media::SYMBOL_TABLE, &symbolized.table)?));
    if json_rows == JsonRows::Add {
        let rows = rows::encode(&symbolized.table).map_err(|what| AssembleError::NotVerified { what })?;
        parts.rows = Some(layout.put_blob(rows::MEDIA_TYPE, &rows)?);
    }
    if let Some(sections) = sections {
        let blob = sections.encode();
        match UnwindData::parse(&blob) {
            Ok(data) => {
                parts.coverage.unwind = u64::try_from(data.fde_count()).unwrap_or(u64::MAX);
                parts.unwind = Some(whole(layout.put_blob(media::UNWIND, &blob)?));
            }
            Err(error) => parts.notes.push(format!("no unwind data: {error}")),
        }
    }
    Ok(Ok(()))
}

/// A part that is a whole layer, stored as it is.
fn whole(layer: Descriptor) -> BlobRef {
    BlobRef {
        media_type: layer.media_type,
        layer: layer.digest,
        offset: 0,
        size: layer.size,
        digest: layer.digest,
        compression: Compression::None,
        raw_digest: layer.digest,
        raw_size: layer.size,
    }
}
