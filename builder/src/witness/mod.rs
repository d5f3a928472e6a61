//! A log witness: it cosigns checkpoints of logs that it knows, each only after a proof that it continues the one cosigned last.
//!
//! The decision and the formats are `sealtrace-tlog`'s, the key is `sealtrace-signer`'s. Here: the state on disk
//! (docs/formats/log-witness-state.md), the one order in which a cosignature is given out (decide, make the state durable, sign), and
//! the same over HTTP (C2SP tlog-witness). A log witness is not a trace witness.

mod desk;
mod error;
mod journal;
mod serve;
mod state;

pub(crate) use desk::{Cosigned, cosign_again};
pub(crate) use error::WitnessError;
pub(crate) use serve::serve;
pub(crate) use state::WitnessState;
