//! libFuzzer over one target of `sealtrace-fuzz`, named by `SEALTRACE_FUZZ_TARGET`. Not here: what is checked (`sealtrace-fuzz`).
//!
//! With `SEALTRACE_FUZZ_SEEDS=FOLDER` the target's seeds are written there and nothing is run; the target `list` prints
//! each name and how many runs show that it works.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use sealtrace_fuzz::{TARGETS, Target, target_named};

/// Runs of a target in a smoke test, as a multiple of those in `cargo test`.
const SMOKE: usize = 5;

static TARGET: OnceLock<&Target> = OnceLock::new();

fn choose() {
    let name = std::env::var("SEALTRACE_FUZZ_TARGET").unwrap_or_default();
    if name == "list" {
        TARGETS.iter().for_each(|target| println!("{} {}", target.name, SMOKE * target.runs));
        std::process::exit(0);
    }
    let target = target_named(&name).unwrap_or_else(|| panic!("SEALTRACE_FUZZ_TARGET={name:?} names no target"));
    if let Some(folder) = std::env::var_os("SEALTRACE_FUZZ_SEEDS") {
        for (at, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(Path::new(&folder).join(format!("seed-{at:03}")), seed).expect("the folder of seeds can be written");
        }
        std::process::exit(0);
    }
    TARGET.get_or_init(|| target);
}

libfuzzer_sys::fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(data);
    }
});
