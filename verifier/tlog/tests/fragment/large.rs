//! A log of four million leaves: how large a fragment is, and that it holds.

use sealtrace_tlog::{AuditTerms, EntryClaim, Fragment, LeafIndex, QuorumRule};

use crate::tree::{Log, Tree};

/// A full tile level above level 1: the right edge is one tile.
const FULL: u64 = 4_194_304;
/// Not a multiple of anything: three tiles in the right edge.
const ODD: u64 = 4_200_123;
/// The size to keep to, in bytes (notes/trust).
const LIMIT: usize = 40_000;

#[test]
fn a_fragment_of_a_log_of_four_million_leaves_is_small_and_holds() {
    let (log, tree) = (Log::new(1, "example.org/log"), Tree::new(1, ODD));
    // (size, entry, pin, whether the whole fragment is to keep to the limit)
    let cases = [
        ("entry of the day, pin of the last release", ODD, ODD - 124, 3_700_000, true),
        ("entry of the day, pin of the day", ODD, ODD - 124, ODD - 9_000, true),
        ("entry and pin near each other", FULL, 4_150_999, 4_190_000, true),
        ("the largest of this size: entry and pin far apart", FULL, 1_000_999, 3_700_000, false),
    ];
    for (what, size, entry, pin, small) in cases {
        let tar = tree.fragment(&log, size, &[entry], &[pin]).unwrap().encode().unwrap();
        eprintln!("{what}: {} bytes", tar.len());
        assert!(tar.len() <= if small { LIMIT } else { 50_000 }, "{what}: {} bytes", tar.len());
        let (body, proof, pins) = (tree.entry(entry), tree.proof(entry, size), [tree.head(pin)]);
        let claims = [EntryClaim { index: LeafIndex(entry), body: &body, tree: tree.head(size), proof: &proof }];
        let terms = AuditTerms { log: &log.log, quorum: QuorumRule::None, claims: &claims, pins: &pins };
        let audited = Fragment::parse(&tar).unwrap().audit(&terms).unwrap();
        assert_eq!(audited.pin().tree(), tree.head(size));
    }
}
