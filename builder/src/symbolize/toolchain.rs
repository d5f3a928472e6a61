//! Which compilers made a module.

use std::collections::BTreeSet;

use super::image::{self, Image};
use super::names::DebugInfo;

/// At most this many are told of: 16 (`sealtrace-symbols`, `Module::toolchain`).
const MAX_COMPILERS: usize = 16;
/// Longest text of one: 256 bytes (ours).
const MAX_COMPILER_BYTES: usize = 256;
/// Largest `.comment` read: 1 MiB (ours; one line per compiler occurs).
const MAX_COMMENT_BYTES: u64 = 1 << 20;

/// Sorted, no duplicates. `DW_AT_producer` without the compiler's options, which may name folders of the build machine.
pub(super) fn collect(image: &Image<'_>, info: &DebugInfo<'_>) -> Vec<String> {
    let mut compilers = BTreeSet::new();
    for unit in info.units() {
        let producer = unit.entry(unit.header.root_offset()).ok().and_then(|root| root.attr_value(gimli::constants::DW_AT_producer));
        if let Some(producer) = producer.and_then(|value| info.string(unit, value)) {
            compilers.insert(compiler(producer.slice()));
        }
    }
    for file in image.files() {
        // A hint, not evidence: an unreadable one is left out.
        let comment = image::contents(file, ".comment", MAX_COMMENT_BYTES).unwrap_or_default();
        compilers.extend(comment.split(|&byte| byte == 0).map(compiler));
    }
    compilers.remove("");
    compilers.into_iter().take(MAX_COMPILERS).collect()
}

fn compiler(producer: &[u8]) -> String {
    let text = String::from_utf8_lossy(producer.get(..MAX_COMPILER_BYTES).unwrap_or(producer)).into_owned();
    let end = text.find(" -").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).trim().to_owned()
}
