//! Unwind rows and the step engine that records, for every frame, the rule that found it and the words it read.
//!
//! The engine never touches a process: registers, words, rows and code facts come in through [`Target`], frames come
//! out. Not here: reading a process (`capture/`), names (`sealtrace-symbols`).
#![forbid(unsafe_code)]

mod data;
mod engine;
mod expression;
mod index;
mod machine;
mod row;
mod space;
mod table;
#[cfg(test)]
mod tests;
mod walk;

pub use data::{DataError, MAX_SECTION_BYTES, UnwindData, UnwindSections};
pub use engine::{
    CallSite, Failed, Limits, Read, ReadFault, Rule, SourcedRow, Target, TerminatedBy, UnwindSource, UnwoundFrame, Walk, WhyNot,
};
pub use row::{CfaRule, CfiSection, MAX_EXPRESSION_BYTES, RegisterRule, UnwindRow};
pub use space::{Avma, ModuleRelAddr, Place, Placement, PlacementError, RegionIndex, Registers, Word};
pub use walk::walk;
