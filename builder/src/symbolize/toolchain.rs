//! Which compilers made a module.

use std::collections::BTreeSet;

use super::image::Image;
use super::names::DebugInfo;
use super::sections;

/// At most this many are told of: 16 (`sealtrace-symbols`, `Module::toolchain`).
const MAX_COMPILERS: usize = 16;
/// Longest text of one: 256 bytes (ours).
const MAX_COMPILER_BYTES: usize = 256;
/// Largest `.comment` read: 1 MiB (ours; one line per compiler occurs).
const MAX_COMMENT_BYTES: u64 = 1 << 20;

/// `DW_AT_producer` of every unit.
pub(super) fn producers<'a>(info: &'a DebugInfo<'_>) -> impl Iterator<Item = &'a [u8]> {
    info.units().filter_map(|unit| {
        let producer = unit.entry(unit.header.root_offset()).ok()?.attr_value(gimli::constants::DW_AT_producer)?;
        Some(info.string(unit, producer)?.slice())
    })
}

/// Sorted, no duplicates: `producers` without the compiler's options, which may name folders of the build machine, and `.comment`.
pub(super) fn collect<'a>(image: &Image<'_>, producers: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut compilers: BTreeSet<String> = producers.map(compiler).collect();
    for file in image.files() {
        // A hint, not evidence: an unreadable one is left out.
        let comment = sections::contents(file, ".comment", MAX_COMMENT_BYTES).unwrap_or_default();
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
