//! Random trees of 1 to 70,000 leaves: roots, tiles, paths and consistency proofs are those of `tlog_tiles`, a port of Go's
//! `golang.org/x/mod/sumdb/tlog`, and each side accepts the other's proofs. Its `TileHashReader` is not used.

use std::collections::BTreeSet;

use sealtrace_tlog::{AuditTerms, EntryClaim, Fragment, LeafIndex, NodeHash, QuorumRule, TileId, TreeSize};
use tlog_tiles::{
    HashReader, Tile, check_record, check_tree, prove_record, prove_tree, record_hash, stored_hashes_for_record_hash, tree_hash,
};

use crate::packed::Packed;
use crate::tree::{Log, Random, Tree};

const LARGEST: u64 = 70_000;
/// Sizes where the shape of the tiles changes.
const CORNERS: [u64; 16] = [1, 2, 3, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_791, 65_792, 65_793, LARGEST];

/// Every node of the tree, in the order in which the peer stores them.
struct Peer(Vec<tlog_tiles::Hash>);

impl HashReader for Peer {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|&index| self.0[usize::try_from(index).unwrap()]).collect())
    }
}

impl Peer {
    fn of(tree: &Tree, size: u64) -> Self {
        let mut peer = Self(Vec::new());
        for index in 0..size {
            let hashes = stored_hashes_for_record_hash(index, record_hash(&tree.entry(index)), &peer).unwrap();
            peer.0.extend(hashes);
        }
        peer
    }
}

fn ours(hashes: &[tlog_tiles::Hash]) -> Vec<NodeHash> {
    hashes.iter().map(|hash| NodeHash::from_bytes(hash.0)).collect()
}

fn theirs(hashes: &[NodeHash]) -> Vec<tlog_tiles::Hash> {
    hashes.iter().map(|hash| tlog_tiles::Hash(*hash.as_bytes())).collect()
}

/// One fragment of the first `size` leaves, held against the peer at every point.
fn agree(log: &Log, tree: &Tree, peer: &Peer, size: u64, random: &mut Random) {
    let pick = |random: &mut Random, count: u64, low: u64| -> BTreeSet<u64> {
        if low >= size { BTreeSet::new() } else { (0..count).map(|_| random.between(low, size)).collect() }
    };
    let (shown, pinned): (Vec<_>, Vec<_>) = (pick(random, 3, 0).into_iter().collect(), pick(random, 3, 1).into_iter().collect());
    let root = tree_hash(size, peer).unwrap();
    assert_eq!(tree.head(size).root.as_bytes(), &root.0, "root of {size}");
    let tar = tree.fragment(log, size, &shown, &pinned).unwrap().encode().unwrap();
    tiles_agree(&Packed::open(&tar), peer, size, &shown, &pinned);
    let pins: Vec<_> = pinned.iter().map(|&pin| tree.head(pin)).collect();
    let tree_of = |index: u64, random: &mut Random| {
        pinned.iter().copied().filter(|&pin| pin > index && random.next().is_multiple_of(2)).last().unwrap_or(size)
    };
    let claimed: Vec<_> = shown.iter().map(|&index| (index, tree_of(index, random))).collect();
    let held: Vec<_> = claimed.iter().map(|&(index, size)| (tree.entry(index), ours(&prove_record(size, index, peer).unwrap()))).collect();
    let claims = claimed.iter().zip(&held);
    let claims = claims.map(|(&(index, size), (body, proof))| EntryClaim { index: LeafIndex(index), body, tree: tree.head(size), proof });
    let claims: Vec<_> = claims.collect();
    let terms = AuditTerms { log: &log.log, quorum: QuorumRule::None, claims: &claims, pins: &pins };
    let audited = Fragment::parse(&tar).unwrap().audit(&terms).unwrap_or_else(|error| panic!("{size} {shown:?} {pinned:?}: {error}"));
    for &index in &shown {
        let proof = &audited.fragment().entry(LeafIndex(index)).unwrap().proof;
        assert_eq!(*proof, ours(&prove_record(size, index, peer).unwrap()), "path of {index} in {size}");
        check_record(&theirs(proof), size, root, index, record_hash(&tree.entry(index))).unwrap();
    }
    for &pin in &pinned {
        let proof = &audited.fragment().pin(TreeSize(pin)).unwrap().proof;
        assert_eq!(*proof, ours(&prove_tree(size, pin, peer).unwrap()), "consistency of {pin} with {size}");
        check_tree(&theirs(proof), size, root, pin, tree_hash(pin, peer).unwrap()).unwrap();
    }
}

/// Each tile has the path and bytes that the peer gives it (whose paths carry the tiles' height, 8).
fn tiles_agree(packed: &Packed, peer: &Peer, size: u64, shown: &[u64], pinned: &[u64]) {
    let mut ids: BTreeSet<TileId> = TileId::right_edge(TreeSize(size)).into_iter().collect();
    ids.extend(shown.iter().flat_map(|&index| TileId::path_of(LeafIndex(index), TreeSize(size))));
    ids.extend(pinned.iter().flat_map(|&pin| TileId::edge_of(TreeSize(pin), TreeSize(size))));
    assert_eq!(packed.files.keys().filter(|path| path.starts_with("tile/")).count(), ids.len());
    for id in ids {
        let tile = Tile::new(8, id.level, id.index, u32::from(id.width), false);
        let path = tile.path().replacen("tile/8/", "tile/", 1);
        assert_eq!(packed.files[&path], tile.read_data(peer).unwrap(), "{path} of {size}");
    }
}

#[test]
fn roots_tiles_paths_and_consistency_proofs_are_those_of_an_independent_implementation() {
    let log = Log::new(1, "example.org/log");
    let mut random = Random(2026);
    let mut compared = 0;
    for seed in 1..=3 {
        let tree = Tree::new(seed, LARGEST);
        let peer = Peer::of(&tree, LARGEST);
        let random_sizes: Vec<_> = (0..60).map(|_| random.between(1, LARGEST + 1)).collect();
        // As many small trees, which a uniform choice would hardly ever make.
        let small_sizes: Vec<_> = (0..60).map(|_| random.between(1, 1200)).collect();
        for size in CORNERS.into_iter().chain(random_sizes).chain(small_sizes) {
            agree(&log, &tree, &peer, size, &mut random);
            compared += 1;
        }
    }
    eprintln!("{compared} trees agree");
}
