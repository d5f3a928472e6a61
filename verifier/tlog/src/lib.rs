//! Merkle trees, signed notes, checkpoints, tiles and tile fragments.
#![forbid(unsafe_code)]
