//! Every target over its seeds, over what a little damage makes of them, and over what once broke it. Not here: a search for new inputs.
#![expect(clippy::print_stdout, reason = "a test")]

use std::collections::BTreeSet;
use std::path::Path;

use sealtrace_fuzz::{Mutator, TARGETS, Target};

/// At most `most` of the numbers below `length`, evenly spread.
fn places(length: usize, most: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(length.div_ceil(most.max(1)).max(1))
}

fn each_target(check: impl Fn(&Target) + Sync) {
    std::thread::scope(|scope| {
        for target in TARGETS {
            scope.spawn(|| check(target));
        }
    });
}

#[test]
fn every_target_has_a_name_of_its_own_and_seeds() {
    let names: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names.len(), TARGETS.len());
    for target in TARGETS {
        assert!(!(target.seeds)().is_empty(), "{}", target.name);
    }
}

#[test]
fn every_seed_and_every_cut_and_flipped_seed_keeps_the_promises() {
    each_target(|target| {
        let seeds = (target.seeds)();
        let most = (target.runs / seeds.len()).max(2);
        for seed in seeds {
            (target.run)(&seed);
            for at in places(seed.len(), most) {
                (target.run)(&seed[..at]);
                let mut flipped = seed.clone();
                flipped[at] ^= 1 << (at % 8);
                (target.run)(&flipped);
            }
        }
    });
}

#[test]
fn mutated_seeds_keep_the_promises() {
    each_target(|target| {
        let mut mutator = Mutator::new((target.seeds)(), 1);
        for _ in 0..target.runs {
            (target.run)(&mutator.next_input());
        }
    });
}

#[test]
fn what_once_broke_a_target_does_so_no_more() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut replayed = 0;
    for target in TARGETS {
        let Ok(files) = std::fs::read_dir(root.join(target.name)) else { continue };
        for file in files {
            (target.run)(&std::fs::read(file.unwrap().path()).unwrap());
            replayed += 1;
        }
    }
    let known: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).chain(["README.md".to_owned()]).collect();
    for entry in std::fs::read_dir(&root).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "{name} is no target's folder");
    }
    println!("{replayed} inputs replayed");
}
