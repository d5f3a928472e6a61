//! One byte changed in every tile, at every position of every tile, the listing made to fit: all are refused.

use std::ops::Range;
use std::thread;

use sealtrace_digest::FileSha256;
use sealtrace_layout::archive::FileLimits;
use sealtrace_layout::read_files;
use sealtrace_tlog::{AuditError, AuditStep, AuditTerms, Fragment, QuorumRule, TreeHead};

use crate::tree::{Log, Tree};

struct Tile {
    path: String,
    data: Range<usize>,
    /// Where its digest stands in `fragment.json`.
    listed: Range<usize>,
}

fn tiles(tar: &[u8]) -> Vec<Tile> {
    let files = read_files(tar, FileLimits::default()).unwrap();
    let listing = files.iter().find(|(path, _)| path.ends_with("/fragment.json")).unwrap().1.clone();
    let tiles = files.into_iter().filter(|(path, _)| path.contains("/tile/") && !path.contains("/entries/"));
    let tiles = tiles.map(|(path, data)| {
        let digest = FileSha256::of(&tar[data.clone()]).hex();
        let text = std::str::from_utf8(&tar[listing.clone()]).unwrap();
        assert_eq!(text.matches(&digest).count(), 1);
        let at = listing.start + text.find(&digest).unwrap();
        Tile { path, data, listed: at..at + 64 }
    });
    tiles.collect()
}

/// Flips bits of each byte at `positions` of a tile, one byte at a time, and audits; gives how many.
fn mutate(tar: &[u8], tile: &Tile, positions: Range<usize>, log: &Log, pins: &[TreeHead]) -> usize {
    let mut tar = tar.to_vec();
    let terms = AuditTerms { log: &log.log, quorum: QuorumRule::None, claims: &[], pins };
    let total = positions.len();
    for position in positions {
        let mask = 1 << (position % 8);
        tar[position] ^= mask;
        let digest = FileSha256::of(&tar[tile.data.clone()]).hex();
        tar[tile.listed.clone()].copy_from_slice(digest.as_bytes());
        // It is well formed, listing and all: only the audit can tell.
        let fragment = Fragment::parse(&tar).unwrap();
        let step = fragment.audit(&terms).map(|_audited| ()).unwrap_err().step();
        assert!(matches!(step, AuditStep::RightEdge | AuditStep::Tiles), "{} byte {position}: {step:?}", tile.path);
        tar[position] ^= mask;
    }
    total
}

#[test]
fn every_flipped_byte_of_every_tile_is_refused_though_the_listing_fits() {
    let (log, tree) = (Log::new(1, "example.org/log"), Tree::new(11, 66_053));
    // tile/0/000 and tile/1/000 share an index, and so do tile/2/000.p/1 and tile/1/001.p/2 with others of the right edge.
    let fragment = tree.fragment(&log, 66_053, &[7], &[9, 65_800]).unwrap();
    let tar = fragment.encode().unwrap();
    let pins = [tree.head(9)];
    let terms = AuditTerms { log: &log.log, quorum: QuorumRule::None, claims: &[], pins: &pins };
    assert!(Fragment::parse(&tar).unwrap().audit(&terms).is_ok());
    let tiles = tiles(&tar);
    let names: Vec<_> = tiles.iter().map(|tile| tile.path.split_once('/').unwrap().1).collect();
    assert_eq!(names, ["tile/0/000", "tile/0/257", "tile/0/258.p/5", "tile/1/000", "tile/1/001.p/2", "tile/2/000.p/1"]);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mutated: usize = thread::scope(|scope| {
        let (tar, log, pins) = (&tar, &log, &pins);
        let jobs = tiles.iter().flat_map(|tile| {
            let part = tile.data.len().div_ceil(workers);
            let parts = tile.data.clone().step_by(part).map(move |from| from..tile.data.end.min(from + part));
            parts.map(move |positions| scope.spawn(move || mutate(tar, tile, positions, log, pins)))
        });
        jobs.collect::<Vec<_>>().into_iter().map(|job| job.join().unwrap()).sum()
    });
    assert_eq!(mutated, (3 * 256 + 5 + 2 + 1) * 32);
}

#[test]
fn a_tile_put_in_the_place_of_another_is_refused() {
    let (log, tree) = (Log::new(1, "example.org/log"), Tree::new(11, 66_053));
    let tar = tree.fragment(&log, 66_053, &[7], &[9, 65_800]).unwrap().encode().unwrap();
    let packed = crate::packed::Packed::open(&tar);
    for (from, to) in
        [("tile/0/000", "tile/1/000"), ("tile/1/000", "tile/0/000"), ("tile/0/000", "tile/0/257"), ("tile/0/257", "tile/0/000")]
    {
        let forged = packed.clone().with_file(to, packed.files[from].clone()).tar();
        let refused =
            Fragment::parse(&forged).unwrap().audit(&AuditTerms { log: &log.log, quorum: QuorumRule::None, claims: &[], pins: &[] });
        assert!(matches!(refused, Err(AuditError::Fragment { step: AuditStep::Tiles, .. })), "{from} as {to}");
    }
}
