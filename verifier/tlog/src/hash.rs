//! The hashes, positions and sizes of a log, each its own type (RFC 6962 §2.1).

use sha2::Digest as _;

macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// From its 32 bytes.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Its 32 bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// 64 lower-case hex digits.
            pub fn hex(&self) -> String {
                hex::encode(self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.hex())
            }
        }
    )*};
}

hashes! {
    /// `SHA-256(0x00 ‖ entry)`.
    LeafHash;
    /// `SHA-256(0x01 ‖ left ‖ right)`, or a leaf hash standing at the lowest level.
    NodeHash;
    /// The hash of a whole tree.
    RootHash;
}

impl LeafHash {
    /// The leaf hash of an entry.
    pub fn of(entry: &[u8]) -> Self {
        let mut state = sha2::Sha256::new();
        state.update([0]);
        state.update(entry);
        Self(state.finalize().into())
    }
}

impl NodeHash {
    /// The parent of two nodes.
    pub fn parent(left: &Self, right: &Self) -> Self {
        let mut state = sha2::Sha256::new();
        state.update([1]);
        state.update(left.0);
        state.update(right.0);
        Self(state.finalize().into())
    }
}

impl From<LeafHash> for NodeHash {
    fn from(leaf: LeafHash) -> Self {
        Self(leaf.0)
    }
}

impl RootHash {
    /// The root of the empty tree: SHA-256 of nothing.
    pub fn empty() -> Self {
        Self(sha2::Sha256::digest([]).into())
    }

    /// The node that covers all leaves is the root.
    pub fn of_node(node: NodeHash) -> Self {
        Self(node.0)
    }
}

/// The position of an entry, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(pub u64);

/// The number of entries of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeSize(pub u64);

impl std::fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for TreeSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A tree: how many entries and their root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of entries.
    pub size: TreeSize,
    /// Root hash.
    pub root: RootHash,
}
