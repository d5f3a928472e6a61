//! Captures, frame records and trace witnesses: the records that capture writes, resolve derives and replay compares.
//!
//! Types, strict parsing and canonical encoding. Not here: deriving a frame (`sealtrace-resolve`), signatures.
#![forbid(unsafe_code)]

mod capture;
mod capture_check;
mod capture_file;
mod events;
mod ids;
mod witness;

pub use capture::{
    BtfRecord, BtfUse, CallFact, CaptureHeader, CapturedRow, HostContext, LibcRecord, Loss, MapRange, ModuleRecord, PrivacyProfile,
    ProbeObject, ProbeRecord, ProbeType, Region, RegionKind, RelocationCounts, Sample, Sampling, SelectionStep,
};
pub use capture_file::{Capture, CaptureError, MAX_CAPTURE_BYTES, MAX_LINE_BYTES, MAX_MAPS, MAX_REGIONS};
pub use events::{CaptureEvent, CaptureEventFrame};
pub use ids::{TraceId, replay_id};
pub use witness::{
    Boundary, CaptureRef, CoverageCounts, FrameContext, FrameRecord, Freshness, InlineRecord, MicroWitness, Observation, PREDICATE_TYPE,
    Resolver, ResolverPolicy, StackRecord, Symbolization, Symbolizer, UnwinderClass, WITNESS_VERSION, WitnessModule,
};
