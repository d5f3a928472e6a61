//! The system's C library with its debug file: real code with aliases, assembly, IFUNCs and hot and cold parts.

use std::path::{Path, PathBuf};

use object::Object as _;

use super::{Module, oracle, skip};

const LIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6";

fn libc_and_debug_file() -> Option<(PathBuf, PathBuf)> {
    let Ok(bytes) = std::fs::read(LIBC) else {
        skip("libc6-dbg", "the C library", "not at its usual place");
        return None;
    };
    let file = object::File::parse(&*bytes).unwrap();
    let id: String = file.build_id().unwrap().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    let debug = Path::new("/usr/lib/debug/.build-id").join(&id[..2]).join(format!("{}.debug", &id[2..]));
    if !debug.exists() {
        skip("libc6-dbg", "the C library", "its debug file is not installed");
        return None;
    }
    Some((PathBuf::from(LIBC), debug))
}

#[test]
fn the_c_library_agrees_with_addr2line_and_llvm() {
    let Some((binary, debug)) = libc_and_debug_file() else { return };
    let module = Module::open(&binary, Some(&debug));
    eprintln!("libc: {:?}, {} rows", module.symbolized.coverage, module.table.row_count());
    // Start and last byte of every seventh row, gaps included.
    let rows = module.table.rows().map(Result::unwrap).step_by(7);
    let base = module.table.image_base();
    let mut addresses: Vec<u64> = rows.flat_map(|row| [base + row.start.0, base + row.end.0.saturating_sub(1)]).collect();
    let code: std::collections::BTreeSet<u64> = module.code().into_iter().collect();
    addresses.retain(|address| code.contains(address));
    let told = [("addr2line", Some(oracle::addr2line(&module, &addresses))), ("llvm-symbolizer", oracle::llvm(&debug, &addresses))];
    for (tool, answers) in told {
        let Some(answers) = answers else { continue };
        let (mut names, mut lines) = (Vec::new(), Vec::new());
        for (&address, theirs) in addresses.iter().zip(&answers) {
            let found = module.at(address);
            let told = || format!("{address:#x}\n  ours   {:?}\n  theirs {theirs:?}", oracle::ours(found.as_ref()));
            match oracle::difference(found.as_ref(), theirs) {
                Some("file:line") => lines.push(told()),
                Some("name") if oracle::is_carried_over(&module, address, theirs) => {}
                Some(_) => names.push(told()),
                None => {}
            }
        }
        eprintln!("{tool}: {} addresses, {} names and {} lines differ", addresses.len(), names.len(), lines.len());
        for difference in lines.iter().take(8).chain(names.iter().take(8)) {
            eprintln!("{difference}");
        }
        assert!(lines.len() * 1000 <= addresses.len(), "file:line: at most 0.1 % may differ");
        assert!(names.len() * 1000 <= addresses.len(), "names: at least 99.9 % within the alias set");
    }
}
