//! Verifying RFC 6962 inclusion and consistency proofs (the algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2).

use crate::hash::{LeafHash, LeafIndex, NodeHash, RootHash, TreeHead};

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The index is not below the size.
    #[error("leaf index {index} is not below the tree size {size}")]
    IndexBeyondSize {
        /// Index.
        index: u64,
        /// Size.
        size: u64,
    },
    /// The older tree is larger than the newer.
    #[error("the older tree size {older} is larger than the newer {newer}")]
    Shrunk {
        /// Older size.
        older: u64,
        /// Newer size.
        newer: u64,
    },
    /// Too few or too many hashes for this position and size.
    #[error("proof has the wrong number of hashes: {found}")]
    Length {
        /// Hashes found.
        found: usize,
    },
    /// The proof leads to another root.
    #[error("proof leads to another root: expected {}, found {}", expected.hex(), found.hex())]
    Root {
        /// The tree's root.
        expected: RootHash,
        /// The root computed.
        found: RootHash,
    },
}

/// Verifies that `leaf` is entry `index` of `tree`.
///
/// # Errors
/// [`ProofError`]
pub fn verify_inclusion(leaf: LeafHash, index: LeafIndex, tree: &TreeHead, proof: &[NodeHash]) -> Result<(), ProofError> {
    if index.0 >= tree.size.0 {
        return Err(ProofError::IndexBeyondSize { index: index.0, size: tree.size.0 });
    }
    let length = ProofError::Length { found: proof.len() };
    let mut first = index.0;
    let mut last = tree.size.0 - 1;
    let mut node = NodeHash::from(leaf);
    for hash in proof {
        if last == 0 {
            return Err(length);
        }
        if first & 1 == 1 || first == last {
            node = NodeHash::parent(hash, &node);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        } else {
            node = NodeHash::parent(&node, hash);
        }
        first >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(length);
    }
    same_root(tree.root, node)
}

/// Verifies that `newer` begins with all entries of `older`.
///
/// # Errors
/// [`ProofError`]
pub fn verify_consistency(older: &TreeHead, newer: &TreeHead, proof: &[NodeHash]) -> Result<(), ProofError> {
    let (m, n) = (older.size.0, newer.size.0);
    if m > n {
        return Err(ProofError::Shrunk { older: m, newer: n });
    }
    let length = ProofError::Length { found: proof.len() };
    if m == n || m == 0 {
        let expected = if m == 0 { RootHash::empty() } else { newer.root };
        return match (proof.is_empty(), older.root == expected) {
            (false, _) => Err(length),
            (true, false) => Err(ProofError::Root { expected, found: older.root }),
            (true, true) => Ok(()),
        };
    }
    let older_node = NodeHash::from_bytes(*older.root.as_bytes());
    let mut hashes = proof.iter();
    let seed = if m.is_power_of_two() { &older_node } else { hashes.next().ok_or(length)? };
    let (mut first, mut last) = (m - 1, n - 1);
    while first & 1 == 1 {
        first >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*seed, *seed);
    for hash in hashes {
        if last == 0 {
            return Err(length);
        }
        if first & 1 == 1 || first == last {
            old = NodeHash::parent(hash, &old);
            new = NodeHash::parent(hash, &new);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        } else {
            new = NodeHash::parent(&new, hash);
        }
        first >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(length);
    }
    same_root(older.root, old)?;
    same_root(newer.root, new)
}

fn same_root(expected: RootHash, node: NodeHash) -> Result<(), ProofError> {
    let found = RootHash::of_node(node);
    if expected == found {
        return Ok(());
    }
    Err(ProofError::Root { expected, found })
}
