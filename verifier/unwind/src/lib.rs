//! Unwind rows and the step engine that records, for every frame, the rule that found it and the words it read.
//!
//! The engine never touches a process: registers, words, rows and code facts come in through [`Target`], frames come
//! out. Not here: reading a process (`capture/`), names (`sealtrace-symbols`).
#![forbid(unsafe_code)]

mod data;
mod engine;
mod row;
mod space;

pub use data::{DataError, UnwindData, UnwindSections};
pub use engine::{
    CallSite, Failed, Limits, Read, ReadFault, Rule, SourcedRow, Target, TerminatedBy, UnwindSource, UnwoundFrame, Walk, WhyNot, walk,
};
pub use row::{CfaRule, CfiSection, RegisterRule, UnwindRow};
pub use space::{Avma, ModuleRelAddr, Place, Placement, PlacementError, RegionIndex, Registers, Word};
