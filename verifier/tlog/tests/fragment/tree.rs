//! A log of any size made from a seed, its lowest hashes computed anew whenever they are asked for; and a key that signs its checkpoints.

use std::collections::BTreeMap;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use sealtrace_envelope::PublicKey;
use sealtrace_tlog::{
    Checkpoint, Fragment, FragmentError, FragmentExtras, FragmentSource, LeafHash, LeafIndex, LogKey, NodeHash, Origin, SignedCheckpoint,
    TileId, TileReader, TreeHead, TreeSize, inclusion_proof, root_of,
};

/// Bytes of every thousandth entry: as many as a `hashedrekord` body with a public key has.
const LONG_ENTRY: usize = 520;

/// A log's key.
pub(crate) struct Log {
    key: SigningKey,
    pub(crate) log: LogKey,
}

impl Log {
    pub(crate) fn new(scalar: u8, origin: &str) -> Self {
        let key = SigningKey::from_slice(&[scalar; 32]).unwrap();
        let public = PublicKey::from_verifying_key(*key.verifying_key()).unwrap();
        Self { key, log: LogKey { origin: Origin::parse(origin).unwrap(), key: public } }
    }

    pub(crate) fn checkpoint(&self, tree: TreeHead) -> SignedCheckpoint {
        self.sign(Checkpoint { origin: self.log.origin.as_str().to_owned(), tree, extension: Vec::new() })
    }

    pub(crate) fn sign(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        let signature: DerSignature = self.key.sign(checkpoint.text().as_bytes());
        SignedCheckpoint::assemble(checkpoint, &self.log, signature.as_bytes().to_vec())
    }
}

/// A tree of which only the hashes of tile level 1 and above are held.
pub(crate) struct Tree {
    seed: u64,
    size: u64,
    /// The hashes of tile level 1, 2, …
    levels: Vec<Vec<NodeHash>>,
}

impl Tree {
    pub(crate) fn new(seed: u64, size: u64) -> Self {
        let mut tree = Self { seed, size, levels: Vec::new() };
        let mut level: Vec<NodeHash> = (0..size / 256).map(|index| root(&tree.leaves(index, 256))).collect();
        while !level.is_empty() {
            let next = level.as_chunks::<256>().0.iter().map(|hashes| root(hashes)).collect();
            tree.levels.push(std::mem::replace(&mut level, next));
        }
        tree
    }

    pub(crate) fn entry(&self, index: u64) -> Vec<u8> {
        let mut entry = format!("entry {index} of {}", self.seed).into_bytes();
        if index % 1000 == 999 {
            entry.resize(LONG_ENTRY, b'.');
        }
        entry
    }

    fn leaves(&self, tile: u64, width: u16) -> Vec<NodeHash> {
        (tile * 256..).take(usize::from(width)).map(|index| LeafHash::of(&self.entry(index)).into()).collect()
    }

    /// A tile of this tree or of an earlier state of it.
    pub(crate) fn tile(&self, id: &TileId) -> Option<Vec<NodeHash>> {
        let (first, width) = (usize::try_from(id.index).unwrap() * 256, usize::from(id.width));
        match id.level {
            0 if id.index * 256 + u64::from(id.width) <= self.size => Some(self.leaves(id.index, id.width)),
            0 => None,
            level => self.levels.get(usize::from(level) - 1)?.get(first..first + width).map(<[_]>::to_vec),
        }
    }

    pub(crate) fn bundle(&self, id: &TileId) -> Vec<Vec<u8>> {
        (id.index * 256..).take(usize::from(id.width)).map(|index| self.entry(index)).collect()
    }

    pub(crate) fn head(&self, size: u64) -> TreeHead {
        let mut reader = TileReader::new();
        for id in TileId::right_edge(TreeSize(size)) {
            reader.insert(id.level, id.index, self.tile(&id).unwrap());
        }
        TreeHead { size: TreeSize(size), root: root_of(TreeSize(size), &|at| reader.node(at)).unwrap() }
    }

    /// The audit path of an entry in the tree of `size`.
    pub(crate) fn proof(&self, index: u64, size: u64) -> Vec<NodeHash> {
        let (index, size) = (LeafIndex(index), TreeSize(size));
        let mut reader = TileReader::new();
        for id in TileId::right_edge(size).into_iter().chain(TileId::path_of(index, size)) {
            reader.insert(id.level, id.index, self.tile(&id).unwrap());
        }
        inclusion_proof(index, size, &|at| reader.node(at)).unwrap()
    }

    pub(crate) fn entries(&self, shown: &[u64]) -> BTreeMap<LeafIndex, Vec<u8>> {
        shown.iter().map(|&index| (LeafIndex(index), self.entry(index))).collect()
    }

    /// The fragment under the checkpoint of `size`, with pins of these sizes.
    pub(crate) fn fragment(&self, log: &Log, size: u64, shown: &[u64], pins: &[u64]) -> Result<Fragment, FragmentError> {
        let (checkpoint, entries) = (log.checkpoint(self.head(size)), self.entries(shown));
        let pins: Vec<_> = pins.iter().map(|&pin| log.checkpoint(self.head(pin))).collect();
        let source = FragmentSource { log: &log.log, checkpoint: &checkpoint, entries: &entries, tile: &|id| self.tile(id) };
        Fragment::build_with(&source, &FragmentExtras { pins: &pins, entry_bundles: None })
    }
}

fn root(hashes: &[NodeHash]) -> NodeHash {
    match hashes {
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            NodeHash::parent(&root(left), &root(right))
        }
    }
}

/// Numbers from a seed (`SplitMix64`).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to below `high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }
}
