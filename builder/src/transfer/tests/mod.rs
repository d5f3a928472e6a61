//! Tests of export and import, on small bundles that are really signed and logged.

pub(super) mod fault;
mod fixture;
mod hostile;
mod interop;
mod kill;
mod mutation;
mod neighbours;
mod round_trip;
