//! Tests of export and import, on small bundles that are really signed and logged.

mod fixture;
mod hostile;
mod mutation;
mod round_trip;
