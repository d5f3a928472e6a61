//! Comparing names as different tools print them: by their last part, without arguments, versions, hashes and clones.

use std::collections::BTreeSet;

use serde_json::Value;

/// The last part of a name, without what tools add: `@@GLIBC_2.34`, ` [clone .isra.0]`, `::h0123456789abcdef`, arguments, `{closure#0}`.
pub(crate) fn base(name: &str) -> String {
    let name = name.split(['@']).next().unwrap_or_default().split(" [clone").next().unwrap_or_default();
    let mut name = name.replace("$u7b$", "{").replace("$u7d$", "}").replace("$LT$", "<").replace("$GT$", ">").replace("->", "");
    if let Some((before, hash)) = name.rsplit_once("::h")
        && hash.len() == 16
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        name.truncate(before.len());
    }
    let mut depth = 0_u32;
    let mut outside = String::new();
    for c in name.chars() {
        match c {
            '<' | '(' | '{' | '[' => depth += 1,
            '>' | ')' | '}' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => outside.push(c),
            _ => {}
        }
    }
    let outside = outside.replace(" const", "");
    let parts: Vec<&str> = outside.split("::").map(str::trim).filter(|part| !part.trim_matches('_').is_empty()).collect();
    let last = parts.last().copied().unwrap_or_default();
    let word = last.rsplit(' ').next().unwrap_or_default();
    word.split('.').next().unwrap_or_default().to_owned()
}

/// Every name of a frame record: as stored, demangled, aliases; whole and by their last part.
pub(crate) fn of_record(frame: &Value) -> BTreeSet<String> {
    let aliases = frame["aliases"].as_array().into_iter().flatten();
    let names = [&frame["function"], &frame["functionRaw"]].into_iter().chain(aliases).filter_map(Value::as_str);
    names.flat_map(|name| [name.to_owned(), base(name)]).collect()
}

/// Whether a name printed by a foreign tool is one of these.
pub(crate) fn is_one_of(printed: &str, names: &BTreeSet<String>) -> bool {
    names.contains(printed) || names.contains(&base(printed))
}

#[test]
fn a_name_is_compared_by_its_last_part() {
    for (name, expected) in [
        ("_IO_file_underflow@@GLIBC_2.2.5", "_IO_file_underflow"),
        ("recurse(int) [clone .isra.0]", "recurse"),
        ("Nested::draw(int)", "draw"),
        ("waiting::main::_$u7b$$u7b$closure$u7d$$u7d$::h6e4a3ce567365720", "main"),
        ("std::sync::mpmc::list::{impl#3}::recv::{closure#1}<u32>", "recv"),
        ("core::ops::function::FnOnce::call_once{{vtable.shim}}", "call_once"),
        ("<alloc::vec::Vec<T> as core::ops::Drop>::drop", "drop"),
        ("void std::sort<int*>(int*, int*)", "sort"),
        ("msort_with_tmp.part.0", "msort_with_tmp"),
        ("__restore_rt", "__restore_rt"),
    ] {
        assert_eq!(base(name), expected, "{name}");
    }
}
