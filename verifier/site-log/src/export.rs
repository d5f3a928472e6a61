//! Proofs that a log's earlier trees are beginnings of its current one, computed from its tiles.

use std::cell::RefCell;

use sealtrace_tlog::{NodeAt, NodeHash, TileId, TileReader, TreeSize, consistency_proof};

use crate::error::SiteLogError;
use crate::reader::LogReader;

/// Levels of the tree in one tile.
const TILE_HEIGHT: u32 = 8;

impl LogReader {
    /// The proof that the current tree begins with that of `older` entries.
    ///
    /// # Errors
    /// [`SiteLogError`]
    pub fn consistency_from(&self, older: TreeSize) -> Result<Vec<NodeHash>, SiteLogError> {
        let size = self.tree().size;
        let reader = RefCell::new(TileReader::new());
        let node = |at: NodeAt| {
            let level = u8::try_from(at.level / TILE_HEIGHT).ok()?;
            let index = at.index >> (TILE_HEIGHT - at.level % TILE_HEIGHT);
            let known = reader.borrow().node(at);
            known.or_else(|| {
                let id = TileId::in_tree(level, index, size)?;
                let hashes = self.tile(&id, size).ok()??;
                reader.borrow_mut().insert(level, index, hashes);
                reader.borrow().node(at)
            })
        };
        Ok(consistency_proof(older, size, &node)?)
    }
}
