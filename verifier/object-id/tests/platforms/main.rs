//! PE, PDB and Mach-O: ids against LLVM's tools and a second parser, pairs and refusals, kinds, hostile bytes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "test helpers"
)]
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests read what compilers made")]

mod agreement;
mod cuts;
mod facts;
mod fixtures;
mod macho;
mod pairs;
mod pdb;
mod pe;
mod system;
