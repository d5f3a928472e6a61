//! The audit of a tile fragment of a log of four million leaves: bytes, and time from the tar to the advanced pin. Medians of 1,001 runs.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a bench")]
#![expect(clippy::disallowed_types, reason = "a bench reads the clock")]

#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/fragment/tree.rs"]
mod tree;

use std::hint::black_box;
use std::time::{Duration, Instant};

use sealtrace_envelope::PublicKey;
use sealtrace_tlog::{AuditTerms, EntryClaim, Fragment, LeafIndex, LogKey, QuorumRule};

use tree::{Log, Random, Tree};

const RUNS: usize = 1001;
const FULL: u64 = 4_194_304;
const ODD: u64 = 4_200_123;
/// Fragments of random size, entry and pin whose sizes are reported.
const RANDOM: usize = 400;

fn main() {
    let (log, tree) = (Log::new(1, "example.org/log"), Tree::new(1, ODD));
    audit("entry of the day, pin of the last release", &log, &tree, [ODD, ODD - 124, 3_700_000]);
    audit("entry of the day, pin of the day", &log, &tree, [ODD, ODD - 124, ODD - 9_000]);
    audit("entry and pin near each other", &log, &tree, [FULL, 4_150_999, 4_190_000]);
    audit("entry and pin far apart", &log, &tree, [FULL, 1_000_999, 3_700_000]);
    audit("entry and pin far apart, three tiles in the right edge", &log, &tree, [ODD, 1_000_999, 3_700_000]);
    sizes(&log, &tree);
}

fn audit(what: &str, log: &Log, tree: &Tree, [size, entry, pin]: [u64; 3]) {
    let tar = tree.fragment(log, size, &[entry], &[pin]).unwrap().encode().unwrap();
    let (body, proof, pins) = (tree.entry(entry), tree.proof(entry, size), [tree.head(pin)]);
    let claims = [EntryClaim { index: LeafIndex(entry), body: &body, tree: tree.head(size), proof: &proof }];
    let audited = |fragment: &Fragment, key: &LogKey| {
        let terms = AuditTerms { log: key, quorum: QuorumRule::None, claims: &claims, pins: &pins };
        drop(black_box(fragment.audit(black_box(&terms)).unwrap()));
    };
    let parsed = Fragment::parse(&tar).unwrap();
    let parse = median(&log.log, |_| drop(black_box(Fragment::parse(black_box(&tar)).unwrap())));
    let steps = median(&log.log, |key| audited(&parsed, key));
    let signature = median(&log.log, |key| parsed.verify_checkpoint(black_box(key)).unwrap());
    let whole = median(&log.log, |key| audited(&Fragment::parse(black_box(&tar)).unwrap(), key));
    println!("{what} ({size} leaves): {} bytes", tar.len());
    println!("  tar to pin {whole:?} = parse {parse:?} + seven steps {steps:?}, of these each of the 2 signatures {signature:?}");
}

/// Sizes of fragments with one entry and one pin anywhere in logs of about four million leaves, and with a fresh entry.
fn sizes(log: &Log, tree: &Tree) {
    let mut random = Random(1);
    let length = |size, entry, pin| tree.fragment(log, size, &[entry], &[pin]).unwrap().encode().unwrap().len();
    let mut anywhere = Vec::new();
    let mut fresh = Vec::new();
    for _ in 0..RANDOM {
        let size = random.between(4_000_000, ODD);
        let pin = random.between(1, size);
        anywhere.push(length(size, random.between(0, size), pin));
        fresh.push(length(size, size - 1, pin));
    }
    for (what, mut lengths) in [("entry and pin anywhere", anywhere), ("fresh entry, pin anywhere", fresh)] {
        lengths.sort_unstable();
        println!("{what}: median {} bytes, largest {} ({RANDOM} random fragments)", lengths[RANDOM / 2], lengths[RANDOM - 1]);
    }
}

/// Each run has a key of its own: one that was used before remembers the signatures that it verified.
fn median(log: &LogKey, run: impl Fn(&LogKey)) -> Duration {
    let mut times: Vec<Duration> = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let key = LogKey { origin: log.origin.clone(), key: PublicKey::parse_der(log.key.spki()).unwrap() };
        let start = Instant::now();
        run(&key);
        times.push(start.elapsed());
    }
    times.sort_unstable();
    times[RUNS / 2]
}
