//! What changed from one symbol index to another: modules and BTF blobs added, removed and changed. Pure.
//!
//! Not here: opening bundles, and how the result is shown (`diff`).

use std::collections::BTreeMap;

use sealtrace_object_id::{Arch, Os};
use sealtrace_symbols::{BtfEntry, Module, SymbolIndex};
use serde::Serialize;
use serde_json::Value;

/// How many entries of a kind were added, removed, changed, or are the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) added: usize,
    pub(crate) removed: usize,
    pub(crate) changed: usize,
    pub(crate) unchanged: usize,
}

impl Counts {
    /// Whether nothing but unchanged entries was counted.
    pub(crate) fn is_unchanged(self) -> bool {
        self.added == 0 && self.removed == 0 && self.changed == 0
    }
}

/// Entries of a kind, each list in order of path or kernel.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Changes<Entry, Changed> {
    pub(crate) counts: Counts,
    pub(crate) added: Vec<Entry>,
    pub(crate) removed: Vec<Entry>,
    pub(crate) changed: Vec<Changed>,
}

/// A module that only one of the two has.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ModuleEntry {
    pub(crate) path: String,
    pub(crate) os: Os,
    pub(crate) arch: Arch,
    /// The identity that matching uses; null when the file carries none.
    pub(crate) id: Option<String>,
}

/// A module that both have, with what is not the same.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ChangedModule {
    /// Its path in the second.
    pub(crate) path: String,
    pub(crate) os: Os,
    pub(crate) arch: Arch,
    pub(crate) changes: Vec<Change>,
}

/// One value that is not the same; null where there is none.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    pub(crate) field: &'static str,
    pub(crate) before: Value,
    pub(crate) after: Value,
}

/// A BTF blob that only one of the two has.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BtfBlob {
    /// `distro/version/arch/release`.
    pub(crate) kernel: String,
    pub(crate) layer: String,
    pub(crate) size: u64,
}

/// A kernel whose BTF is another one.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ChangedBtf {
    pub(crate) kernel: String,
    pub(crate) changes: Vec<Change>,
}

/// The modules of both: paired by path, then by identity (a file that moved), then by a file name that only one of the rest has on each
/// side; always of one operating system and architecture.
pub(crate) fn modules(before: &SymbolIndex, after: &SymbolIndex) -> Changes<ModuleEntry, ChangedModule> {
    let (mut old, mut new): (Vec<_>, Vec<_>) = (before.modules.iter().collect(), after.modules.iter().collect());
    let mut pairs = pair(&mut old, &mut new, |module| Some(module.path.clone()));
    pairs.extend(pair(&mut old, &mut new, |module| module.ids.primary().map(|id| id.id)));
    pairs.extend(pair(&mut old, &mut new, |module| module.path.rsplit('/').next().map(str::to_owned)));
    pairs.sort_by_key(|(_, module)| &module.path);
    let total = pairs.len();
    let changed = pairs.iter().filter_map(|(before, after)| {
        let changes = changes(&facts(before), &facts(after));
        let (path, os, arch) = (after.path.clone(), after.os, after.arch.clone());
        (!changes.is_empty()).then_some(ChangedModule { path, os, arch, changes })
    });
    let changed: Vec<_> = changed.collect();
    let counts = Counts { added: new.len(), removed: old.len(), changed: changed.len(), unchanged: total.saturating_sub(changed.len()) };
    Changes { counts, added: new.into_iter().map(entry).collect(), removed: old.into_iter().map(entry).collect(), changed }
}

/// Takes out of both lists the modules whose key only one of each list has.
fn pair<'a>(
    old: &mut Vec<&'a Module>,
    new: &mut Vec<&'a Module>,
    key: impl Fn(&Module) -> Option<String>,
) -> Vec<(&'a Module, &'a Module)> {
    let full_key = |module: &Module| key(module).map(|key| (key, module.os, module.arch.clone()));
    let unique = |modules: &[&'a Module]| {
        let mut by_key = BTreeMap::new();
        for &module in modules {
            if let Some(key) = full_key(module) {
                by_key.entry(key).and_modify(|one| *one = None).or_insert(Some(module));
            }
        }
        by_key
    };
    let (old_keys, new_keys) = (unique(old), unique(new));
    let pairs: Vec<_> = old_keys.iter().filter_map(|(key, old)| (*old).zip(new_keys.get(key).copied().flatten())).collect();
    // What is unique in an index: the slices of a fat file share their path.
    let place = |module: &'a Module| (&module.path, &module.arch, &module.ids);
    let (paired_old, paired_new): (Vec<_>, Vec<_>) = pairs.iter().map(|(old, new)| (place(old), place(new))).unzip();
    let (taken_old, taken_new) = (sorted(paired_old), sorted(paired_new));
    old.retain(|module| taken_old.binary_search(&place(module)).is_err());
    new.retain(|module| taken_new.binary_search(&place(module)).is_err());
    pairs
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

fn entry(module: &Module) -> ModuleEntry {
    let id = module.ids.primary().map(|id| id.id);
    ModuleEntry { path: module.path.clone(), os: module.os, arch: module.arch.clone(), id }
}

/// All that is compared of a module, by name. Where the bytes lie (layer, offset, compression) is no part of it.
fn facts(module: &Module) -> Vec<(&'static str, Value)> {
    let (ids, debug, coverage) = (&module.ids, module.debug.as_ref(), &module.coverage);
    let raw = |part: Option<&sealtrace_symbols::BlobRef>| part.map(|part| part.raw_digest.to_string());
    vec![
        ("path", module.path.clone().into()),
        ("gnuBuildId", ids.gnu_build_id.clone().into()),
        ("goBuildId", ids.go_build_id.clone().into()),
        ("machoUuid", ids.macho_uuid.clone().into()),
        ("pdbGuidAge", ids.pdb_guid_age.clone().into()),
        ("peCodeId", ids.pe_code_id.clone().into()),
        ("fileSha256", module.file_sha256.hex().into()),
        ("fileSize", module.file_size.into()),
        ("imageBase", module.image_base.into()),
        ("symbolTable", raw(module.table.as_ref()).into()),
        ("unwindData", raw(module.unwind.as_ref()).into()),
        ("debugFileSha256", debug.map(|debug| debug.file_sha256.hex()).into()),
        ("storedDebugFile", raw(debug.and_then(|debug| debug.blob.as_ref())).into()),
        ("functions", coverage.functions.into()),
        ("lines", coverage.lines.into()),
        ("unwind", coverage.unwind.into()),
        ("toolchain", module.toolchain.join("; ").into()),
    ]
}

fn changes(before: &[(&'static str, Value)], after: &[(&'static str, Value)]) -> Vec<Change> {
    let both = before.iter().zip(after).filter(|((_, before), (_, after))| before != after);
    both.map(|((field, before), (_, after))| Change { field, before: before.clone(), after: after.clone() }).collect()
}

/// The BTF blobs of both, by kernel.
pub(crate) fn btf(before: &SymbolIndex, after: &SymbolIndex) -> Changes<BtfBlob, ChangedBtf> {
    let by_kernel = |index: &SymbolIndex| -> BTreeMap<String, BtfBlob> {
        index
            .btf
            .iter()
            .map(|entry| (kernel(entry), BtfBlob { kernel: kernel(entry), layer: entry.layer.to_string(), size: entry.size }))
            .collect()
    };
    let mut removed = by_kernel(before);
    let (mut added, mut changed, mut unchanged) = (Vec::new(), Vec::new(), 0);
    for (kernel, blob) in by_kernel(after) {
        let Some(known) = removed.remove(&kernel) else {
            added.push(blob);
            continue;
        };
        let changes = changes(&btf_facts(&known), &btf_facts(&blob));
        if changes.is_empty() {
            unchanged += 1;
        } else {
            changed.push(ChangedBtf { kernel, changes });
        }
    }
    let counts = Counts { added: added.len(), removed: removed.len(), changed: changed.len(), unchanged };
    Changes { counts, added, removed: removed.into_values().collect(), changed }
}

fn kernel(entry: &BtfEntry) -> String {
    format!("{}/{}/{}/{}", entry.distro, entry.version, entry.arch, entry.release)
}

fn btf_facts(blob: &BtfBlob) -> Vec<(&'static str, Value)> {
    vec![("layer", blob.layer.clone().into()), ("size", blob.size.into())]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn module(path: &str, id: Option<&str>, table: u8) -> Value {
        let digest = |byte: u8| format!("sha256:{}", format!("{byte:02x}").repeat(32));
        json!({
            "path": path, "os": "linux", "arch": "x86_64", "fileSha256": "00".repeat(32), "fileSize": 1,
            "ids": id.map_or_else(|| json!({}), |id| json!({"gnuBuildId": id})),
            "unidentifiedReason": id.map_or(json!("none"), |_| Value::Null), "imageBase": 0, "unwind": null, "debug": null,
            "table": {"mediaType": "t", "layer": digest(table.wrapping_add(1)), "offset": 0, "size": 1, "digest": digest(table),
                      "compression": "none", "rawDigest": digest(table), "rawSize": 1},
            "coverage": {"functions": u64::from(table), "lines": 0, "unwind": 0}, "toolchain": []
        })
    }

    fn index(modules: &[Value], btf: &[(&str, u64)]) -> SymbolIndex {
        let modules: Vec<Module> = modules.iter().map(|module| serde_json::from_value(module.clone()).unwrap()).collect();
        let btf: Vec<BtfEntry> = btf
            .iter()
            .map(|(release, size)| {
                serde_json::from_value(json!({"distro": "debian", "version": "12", "arch": "x86_64", "release": release,
                                              "layer": format!("sha256:{size:064x}"), "size": size}))
                .unwrap()
            })
            .collect();
        let id_map = SymbolIndex::id_map_of(&modules, &btf);
        SymbolIndex { index_version: 0, name: "n".into(), version: "1".into(), modules, btf, id_map }
    }

    fn fields(module: &ChangedModule) -> Vec<&str> {
        module.changes.iter().map(|change| change.field).collect()
    }

    #[test]
    fn an_index_and_itself_have_nothing_but_unchanged_entries() {
        let one = index(&[module("a", Some("01"), 1), module("b", None, 2)], &[("6.1", 9)]);
        let same = modules(&one, &one);
        assert_eq!((same.counts.unchanged, same.counts.is_unchanged()), (2, true));
        assert_eq!(btf(&one, &one).counts, Counts { unchanged: 1, ..Counts::default() });
    }

    #[test]
    fn a_rebuilt_module_is_changed_by_its_path_with_both_ids() {
        let before = index(&[module("bin/a", Some("01"), 1)], &[]);
        let after = index(&[module("bin/a", Some("02"), 1)], &[]);
        let found = modules(&before, &after);
        assert_eq!(found.counts, Counts { changed: 1, ..Counts::default() });
        assert_eq!(found.changed[0].changes, [Change { field: "gnuBuildId", before: json!("01"), after: json!("02") }]);
    }

    #[test]
    fn the_same_id_with_another_table_is_changed_with_its_coverage() {
        let before = index(&[module("bin/a", Some("01"), 1)], &[]);
        let after = index(&[module("bin/a", Some("01"), 7)], &[]);
        assert_eq!(fields(&modules(&before, &after).changed[0]), ["symbolTable", "functions"]);
    }

    #[test]
    fn a_table_that_only_lies_in_another_layer_is_the_same() {
        let mut moved = module("bin/a", Some("01"), 1);
        moved["table"]["layer"] = json!(format!("sha256:{}", "ee".repeat(32)));
        moved["table"]["offset"] = json!(4096);
        moved["table"]["compression"] = json!("gzip");
        let found = modules(&index(&[module("bin/a", Some("01"), 1)], &[]), &index(&[moved], &[]));
        assert!(found.counts.is_unchanged());
    }

    #[test]
    fn a_moved_module_is_found_by_its_id_and_a_moved_and_rebuilt_one_by_its_name() {
        let before = index(&[module("bin/a", Some("01"), 1), module("lib/b.so", Some("02"), 2)], &[]);
        let after = index(&[module("sbin/tool", Some("01"), 1), module("usr/lib/b.so", Some("03"), 2)], &[]);
        let found = modules(&before, &after);
        assert_eq!(found.counts, Counts { changed: 2, ..Counts::default() });
        assert_eq!(fields(&found.changed[0]), ["path"]);
        assert_eq!(fields(&found.changed[1]), ["path", "gnuBuildId"]);
    }

    #[test]
    fn modules_that_could_be_paired_in_several_ways_or_are_for_another_architecture_are_added_and_removed() {
        let mut arm = module("bin/a", Some("01"), 1);
        arm["arch"] = json!("aarch64");
        let found = modules(&index(&[module("bin/a", Some("01"), 1)], &[]), &index(&[arm], &[]));
        assert_eq!(found.counts, Counts { added: 1, removed: 1, ..Counts::default() });
        let before = index(&[module("x/a", Some("01"), 1), module("y/a", Some("02"), 1)], &[]);
        let after = index(&[module("z/a", Some("03"), 1)], &[]);
        assert_eq!(modules(&before, &after).counts, Counts { added: 1, removed: 2, ..Counts::default() });
    }

    #[test]
    fn an_added_and_a_removed_module_change_places_when_the_two_do() {
        let (one, other) = (index(&[module("a", Some("01"), 1)], &[]), index(&[module("b", Some("02"), 2)], &[]));
        let (there, back) = (modules(&one, &other), modules(&other, &one));
        assert_eq!((there.added, there.removed), (back.removed, back.added));
    }

    #[test]
    fn btf_is_compared_by_kernel() {
        let before = index(&[], &[("5.10", 1), ("6.1", 2), ("6.6", 3)]);
        let after = index(&[], &[("6.1", 2), ("6.12", 4), ("6.6", 5)]);
        let found = btf(&before, &after);
        assert_eq!(found.counts, Counts { added: 1, removed: 1, changed: 1, unchanged: 1 });
        assert_eq!(found.added[0].kernel, "debian/12/x86_64/6.12");
        assert_eq!(found.removed[0].kernel, "debian/12/x86_64/5.10");
        assert_eq!(found.changed[0].changes[1], Change { field: "size", before: json!(3), after: json!(5) });
    }
}
