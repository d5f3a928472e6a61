//! Tests of assembling: packs, with a lowered threshold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::collect::{CollectOptions, OnMalformed, collect};
use crate::layout_dir::Existing;

/// Six small libraries with different contents; `None` where no compiler is.
fn tree(dir: &Path) -> Option<PathBuf> {
    let tree = dir.join("tree");
    std::fs::create_dir(&tree).unwrap();
    for number in 0..6 {
        let source = dir.join("a.c");
        // As many functions as the number says, and one: no two tables and no two unwind sections are equal.
        let functions = (0..=number).map(|one| format!("int f{number}_{one}(void) {{ return {one}; }}\n"));
        std::fs::write(&source, functions.collect::<Vec<_>>().concat()).unwrap();
        let output = tree.join(format!("lib{number}.so"));
        let compiled = Command::new("gcc").args(["-g", "-O0", "-shared", "-fPIC", "-o"]).arg(&output).arg(&source).status();
        if !compiled.is_ok_and(|status| status.success()) {
            return None;
        }
    }
    // A copy shares every part.
    std::fs::copy(tree.join("lib3.so"), tree.join("lib9.so")).unwrap();
    Some(tree)
}

fn options(max_layers: usize, debug_files: DebugFiles) -> AssembleOptions {
    AssembleOptions {
        name: "n".parse().unwrap(),
        version: "1".parse().unwrap(),
        debug_files,
        compression: DebugCompression::Zstd,
        unreadable: OnUnreadable::Fail,
        json_rows: JsonRows::Leave,
        max_layers,
    }
}

#[test]
fn above_the_threshold_parts_lie_aligned_in_packs_by_path_and_below_it_in_layers_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tree) = tree(dir.path()) else {
        return sealtrace_skip::skip("gcc", "cannot compile a small library");
    };
    let collected = collect(&CollectOptions { root: tree, debug_dirs: Vec::new(), malformed: OnMalformed::Fail }).unwrap();
    // Seven modules, six contents: 12 tables and unwind data, 6 debug files.
    for (max_layers, debug_files, packed) in [
        (1_900, DebugFiles::None, None),
        (13, DebugFiles::None, None),
        (12, DebugFiles::None, Some(false)),
        (14, DebugFiles::All, Some(false)),
        (8, DebugFiles::All, Some(true)),
    ] {
        let target = dir.path().join(format!("{max_layers}-{debug_files:?}"));
        let staged = StagedLayout::begin(&target, Existing::Keep).unwrap();
        let built = assemble(staged, &collected.modules, &[], &options(max_layers, debug_files)).unwrap();
        assert!(built.layers <= max_layers, "{} layers, limit {max_layers}", built.layers);
        let layout = LayoutDir::open(&target).unwrap();
        let (_, manifest) = layout.bundle_manifest().unwrap();
        let packs: BTreeSet<_> = manifest.layers.iter().filter(|layer| layer.media_type == media::PACK).map(|layer| layer.digest).collect();
        assert_eq!(packs.is_empty(), packed.is_none());
        for part in built.index.modules.iter().flat_map(parts_of) {
            let small = part.media_type != media::DEBUG_FILE_ZSTD;
            let in_pack = packed.is_some_and(|with_debug| small || with_debug);
            assert_eq!(packs.contains(&part.layer), in_pack, "{part:?}");
            assert_eq!(part.offset % 4096, 0);
        }
        let listed: BTreeSet<_> = layout.graph().unwrap().reachable().keys().map(BlobDigest::hex).collect();
        let stored: BTreeSet<_> = std::fs::read_dir(target.join("blobs/sha256"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(listed, stored, "no blob is left over");
        let (one, copy) = (&built.index.modules[3], &built.index.modules[6]);
        assert_eq!((one.path.as_str(), copy.path.as_str()), ("lib3.so", "lib9.so"));
        assert_eq!((&one.table, &one.unwind), (&copy.table, &copy.unwind));
    }
    let staged = StagedLayout::begin(&dir.path().join("never"), Existing::Keep).unwrap();
    let error = assemble(staged, &collected.modules, &[], &options(2, DebugFiles::None)).unwrap_err();
    assert!(matches!(error, AssembleError::TooManyLayers { limit: 2, .. }), "{error}");
    assert!(!dir.path().join("never").exists());
}
