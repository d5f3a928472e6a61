//! A log's checkpoint and tiles over HTTP (C2SP tlog-tiles). What comes back is only as authentic as the checkpoint makes it later.

use std::cell::RefCell;

use sealtrace_tlog::{MAX_NOTE_BYTES, NodeHash, SignedCheckpoint, TileId, TreeSize, parse_tile};

use super::error::RekorError;
use crate::http::{HttpError, Server};

/// Bytes of a full tile: 256 hashes of 32 bytes.
const FULL_TILE_BYTES: u64 = 256 * 32;
/// Hashes of a full tile.
const FULL: u16 = 256;

/// Where a log serves its tiles.
#[derive(Debug)]
pub(super) struct TileServer<'a> {
    server: &'a Server,
    /// The size of the newest tree that was seen: wider tiles may have replaced those of older trees.
    newest: RefCell<Option<TreeSize>>,
}

impl<'a> TileServer<'a> {
    pub(super) fn new(server: &'a Server) -> Self {
        Self { server, newest: RefCell::new(None) }
    }

    /// The newest checkpoint, parsed and not verified.
    ///
    /// # Errors
    /// [`RekorError`]
    pub(super) fn checkpoint(&self) -> Result<SignedCheckpoint, RekorError> {
        let limit = u64::try_from(MAX_NOTE_BYTES).unwrap_or(u64::MAX);
        let reply = self.server.get("checkpoint", limit)?;
        if reply.status != 200 {
            return Err(self.refused(reply.status, reply.excerpt()));
        }
        let checkpoint = SignedCheckpoint::parse_bytes(&reply.body)?;
        self.newest.replace(Some(checkpoint.checkpoint().tree.size));
        Ok(checkpoint)
    }

    /// The hashes of a tile: its own file, else the beginning of the full one, else of the one as wide as it is in the newest tree
    /// (a server need not keep partial tiles that wider ones have replaced).
    ///
    /// # Errors
    /// [`RekorError::NoTile`] and others.
    pub(super) fn tile(&self, id: &TileId) -> Result<Vec<NodeHash>, RekorError> {
        let mut found = self.stored(id)?;
        if found.is_none() && !id.is_full() {
            found = self.stored(&TileId { width: FULL, ..*id })?;
            if found.is_none() {
                found = self.newest_of(id)?;
            }
        }
        let hashes = found.and_then(|hashes| hashes.get(..usize::from(id.width)).map(<[NodeHash]>::to_vec));
        hashes.ok_or_else(|| RekorError::NoTile { url: self.server.url().to_owned(), path: id.path() })
    }

    fn newest_of(&self, id: &TileId) -> Result<Option<Vec<NodeHash>>, RekorError> {
        let known = *self.newest.borrow();
        let size = match known {
            Some(size) => size,
            None => self.checkpoint()?.checkpoint().tree.size,
        };
        match TileId::in_tree(id.level, id.index, size).filter(|newest| newest.width > id.width && !newest.is_full()) {
            Some(newest) => self.stored(&newest),
            None => Ok(None),
        }
    }

    /// A tile's file; `None` when it is not there.
    fn stored(&self, id: &TileId) -> Result<Option<Vec<NodeHash>>, RekorError> {
        let path = id.path();
        let reply = match self.server.get(&path, FULL_TILE_BYTES) {
            Err(HttpError::TooLarge { .. }) => return Err(self.wrong_length(path, id, FULL_TILE_BYTES + 1)),
            other => other?,
        };
        match reply.status {
            200 => {}
            // Object stores answer 403 for what is not there.
            403 | 404 | 410 => return Ok(None),
            status => return Err(self.refused(status, reply.excerpt())),
        }
        let found = u64::try_from(reply.body.len()).unwrap_or(u64::MAX);
        parse_tile(&reply.body, id.width).map(Some).ok_or_else(|| self.wrong_length(path, id, found))
    }

    fn wrong_length(&self, path: String, id: &TileId, found: u64) -> RekorError {
        RekorError::TileLength { url: self.server.url().to_owned(), path, expected: u64::from(id.width) * 32, found }
    }

    fn refused(&self, status: u16, says: String) -> RekorError {
        RekorError::Refused { url: self.server.url().to_owned(), status, says }
    }
}
