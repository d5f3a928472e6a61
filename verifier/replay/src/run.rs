//! One run from scratch: parse, open, derive batch by batch on several workers, merge.

use sealtrace_digest::RunDigest;
use sealtrace_resolve::{Derived, ResolveError, Sources};
use sealtrace_trace::{Capture, FrameRecord, Sample, StackRecord};
use sealtrace_unwind::Placement;

use crate::engine::ReplayError;
use crate::perturb::Perturbed;

/// The resolver; tests plant faulty ones.
pub(crate) type DeriveFn = fn(&Capture, &Sources, &Placement) -> Result<Derived, ResolveError>;

/// What a run derived.
#[derive(Debug)]
pub(crate) struct Run {
    /// Canonical bytes of each frame record, in order.
    pub(crate) frames: Vec<Vec<u8>>,
    /// SHA-256 over them.
    pub(crate) rolling: RunDigest,
}

/// Runs a perturbed input. Nothing is kept from any other run.
pub(crate) fn run(perturbed: &Perturbed<'_>, derive: DeriveFn) -> Result<Run, ReplayError> {
    let capture = Capture::parse(&perturbed.capture).map_err(ReplayError::Capture)?;
    let sources = Sources::open(&capture, &perturbed.bundles).map_err(ReplayError::Resolve)?;
    let placement = Placement::new(&perturbed.bases, &capture.region_sizes()).map_err(ReplayError::Placement)?;
    let samples: Vec<Sample> = perturbed.order.iter().filter_map(|&from| capture.samples.get(from).cloned()).collect();
    let work = Work { capture: &capture, sources: &sources, placement: &placement, derive };
    let mut stacks = work.all(&samples, perturbed.batch.max(1), perturbed.workers.max(1))?;
    stacks.sort_by_key(|(first_seen, _)| *first_seen);
    let mut stacks: Vec<StackRecord> = stacks.into_iter().map(|(_, stack)| stack).collect();
    if perturbed.batch < samples.len() {
        // Each batch numbered its own frames from 0.
        for (index, frame) in (0_u64..).zip(stacks.iter_mut().flat_map(|stack| &mut stack.frames)) {
            frame.frame_index = index;
        }
    }
    finish(&stacks)
}

/// Canonical records and their rolling digest.
fn finish(stacks: &[StackRecord]) -> Result<Run, ReplayError> {
    let (mut frames, mut hasher) = (Vec::new(), RunDigest::hasher());
    for frame in stacks.iter().flat_map(|stack| &stack.frames) {
        let bytes = canonical(frame)?;
        hasher.update(&bytes);
        hasher.update(b"\n");
        frames.push(bytes);
    }
    Ok(Run { frames, rolling: hasher.finish() })
}

pub(crate) fn canonical(frame: &FrameRecord) -> Result<Vec<u8>, ReplayError> {
    sealtrace_json::canonical(frame).map_err(ReplayError::Encode)
}

type Stacks = Vec<(u64, StackRecord)>;

#[derive(Clone, Copy)]
struct Work<'a> {
    capture: &'a Capture,
    sources: &'a Sources,
    placement: &'a Placement,
    derive: DeriveFn,
}

impl Work<'_> {
    fn all(self, samples: &[Sample], batch: usize, workers: usize) -> Result<Stacks, ReplayError> {
        if samples.is_empty() {
            return Err(ReplayError::Resolve(ResolveError::NoSample));
        }
        if workers == 1 {
            return self.worker(samples.chunks(batch));
        }
        std::thread::scope(|scope| {
            let part = |worker| move || self.worker(samples.chunks(batch).skip(worker).step_by(workers));
            // Where a thread cannot be had (WASI has none), its part is done here.
            let start = |worker| std::thread::Builder::new().spawn_scoped(scope, part(worker)).map_err(|_refused| part(worker)());
            let parts: Vec<_> = (0..workers).map(start).collect();
            let mut stacks = Vec::new();
            for part in parts {
                stacks.extend(match part {
                    Ok(thread) => thread.join().map_err(|_panic| ReplayError::Worker)??,
                    Err(done) => done?,
                });
            }
            Ok(stacks)
        })
    }

    fn worker<'s>(self, batches: impl Iterator<Item = &'s [Sample]>) -> Result<Stacks, ReplayError> {
        let mut part = Capture { header: self.capture.header.clone(), samples: Vec::new() };
        let mut stacks = Vec::new();
        for batch in batches {
            part.samples = batch.to_vec();
            let derived = (self.derive)(&part, self.sources, self.placement).map_err(ReplayError::Resolve)?;
            let mut seen: Vec<u64> = batch.iter().map(|sample| sample.first_seen).collect();
            seen.sort_unstable();
            if seen.len() != derived.stacks.len() {
                return Err(ReplayError::StackCount { samples: seen.len(), stacks: derived.stacks.len() });
            }
            stacks.extend(seen.into_iter().zip(derived.stacks));
        }
        Ok(stacks)
    }
}
