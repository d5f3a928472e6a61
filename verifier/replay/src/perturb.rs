//! What one seed changes: everything at once, each part counted, all of it under one digest.

use sealtrace_digest::RunDigest;
use sealtrace_resolve::SourceBundle;
use sealtrace_trace::{Capture, MAX_CAPTURE_BYTES, MAX_LINE_BYTES};
use serde::Serialize;

use crate::bundles::draw_bundles;
use crate::engine::ReplayError;
use crate::respell::respell;
use crate::seeds::{Stream, moved};
use crate::space::{canonical_bases, draw_bases, recut_maps, renumber};

/// A number per perturbation: elements changed, or elements there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Regions with another base address.
    pub p1: u64,
    /// Samples at another position of the file.
    pub p2: u64,
    /// Samples derived by another worker than the first.
    pub p3: u64,
    /// Regions with another number, and maps split or merged.
    pub p4: u64,
    /// Bundles and index rows moved, repeated or added.
    pub p5: u64,
    /// Lines of the capture spelt differently.
    pub p7: u64,
}

impl Counts {
    /// By name.
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [("p1", self.p1), ("p2", self.p2), ("p3", self.p3), ("p4", self.p4), ("p5", self.p5), ("p7", self.p7)]
    }
}

/// The input of one seed, perturbed.
#[derive(Debug)]
pub(crate) struct Perturbed<'a> {
    /// P2, P4, P7: the capture file.
    pub(crate) capture: Vec<u8>,
    /// P1: region bases, by the file's numbering.
    pub(crate) bases: Vec<u64>,
    /// P5.
    pub(crate) bundles: Vec<SourceBundle<'a>>,
    /// P2: positions in canonical order, in the order to derive them.
    pub(crate) order: Vec<usize>,
    /// P2: samples per batch, at least 1.
    pub(crate) batch: usize,
    /// P3.
    pub(crate) workers: usize,
    /// How much of it differs from seed 0.
    pub(crate) changed: Counts,
}

/// What there is to perturb: the capture as parsed and as stored, and its bundles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Original<'a, 'b> {
    pub(crate) capture: &'b Capture,
    pub(crate) bytes: &'b [u8],
    pub(crate) bundles: &'b [&'b SourceBundle<'a>],
}

impl Original<'_, '_> {
    /// Elements per perturbation.
    pub(crate) fn elements(&self) -> Counts {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let (regions, samples) = (count(self.capture.header.regions.len()), count(self.capture.samples.len()));
        let rows = self.bundles.iter().map(|bundle| count(bundle.modules.len())).sum();
        Counts { p1: regions, p2: samples, p3: samples, p4: regions, p5: rows, p7: samples.saturating_add(1) }
    }
}

/// How a seed becomes a perturbation; tests plant one that perturbs nothing.
pub(crate) type DrawFn = for<'a, 'b> fn(u64, Original<'a, 'b>) -> Result<Perturbed<'a>, ReplayError>;

/// Seed 0: everything as stored.
pub(crate) fn unperturbed<'a>(_seed: u64, original: Original<'a, '_>) -> Result<Perturbed<'a>, ReplayError> {
    let samples = original.capture.samples.len();
    Ok(Perturbed {
        capture: original.bytes.to_vec(),
        bases: canonical_bases(&original.capture.region_sizes()).map_err(ReplayError::Placement)?,
        bundles: original.bundles.iter().map(|&bundle| bundle.clone()).collect(),
        order: (0..samples).collect(),
        batch: samples.max(1),
        workers: 1,
        changed: Counts::default(),
    })
}

/// Any other seed: draws, in this order, P4, P2, P3, P7, P1, P5.
pub(crate) fn draw<'a>(seed: u64, original: Original<'a, '_>) -> Result<Perturbed<'a>, ReplayError> {
    if seed == 0 {
        return unperturbed(seed, original);
    }
    let mut stream = Stream::new(seed);
    let mut changed = Counts::default();
    let numbering = stream.permutation(original.capture.header.regions.len());
    let (mut capture, renumbered) = renumber(original.capture.clone(), &numbering);
    let recut: u64 = capture.header.regions.iter_mut().map(|region| recut_maps(&mut stream, &mut region.maps)).sum();
    changed.p4 = renumbered.saturating_add(recut);
    let order = stream.permutation(capture.samples.len());
    changed.p2 = moved(&order);
    let (batch, workers) = draw_work(&mut stream, order.len());
    changed.p3 = samples_of_other_workers(order.len(), batch, workers);
    let (bytes, respelt) = write_capture(&mut stream, &capture, &order)?;
    changed.p7 = respelt;
    let sizes = capture.region_sizes();
    let bases = draw_bases(&mut stream, &sizes).map_err(ReplayError::Placement)?;
    let before = canonical_bases(&original.capture.region_sizes()).map_err(ReplayError::Placement)?;
    let other_base = |(new, base): (usize, &u64)| numbering.get(new).and_then(|&old| before.get(old)) != Some(base);
    changed.p1 = count(bases.iter().enumerate().filter(|&pair| other_base(pair)).count());
    let (bundles, entries) = draw_bundles(&mut stream, original.bundles);
    changed.p5 = entries;
    Ok(Perturbed { capture: bytes, bases, bundles, order, batch, workers, changed })
}

/// P2 and P3: a batch size that gives at least two batches where there are two samples, at most 32; and 2, 4 or 8 workers (seed 0 has 1).
fn draw_work(stream: &mut Stream, samples: usize) -> (usize, usize) {
    let least = samples.div_ceil(32).max(1);
    let most = samples.div_ceil(2).max(least);
    let batch = least + stream.position(most - least + 1);
    let workers = [2, 4, 8].get(stream.position(3)).copied().unwrap_or(2);
    (batch, workers)
}

/// Batches go round robin; those of worker 0 stay where seed 0 has them.
fn samples_of_other_workers(samples: usize, batch: usize, workers: usize) -> u64 {
    count((0..samples).filter(|sample| !(sample / batch).is_multiple_of(workers)).count())
}

/// The capture file: header, samples in drawn order, each line in a drawn spelling as long as the limits allow it.
fn write_capture(stream: &mut Stream, capture: &Capture, order: &[usize]) -> Result<(Vec<u8>, u64), ReplayError> {
    let mut lines = vec![sealtrace_json::canonical(&capture.header).map_err(ReplayError::Encode)?];
    for sample in order.iter().filter_map(|&from| capture.samples.get(from)) {
        lines.push(sealtrace_json::canonical(sample).map_err(ReplayError::Encode)?);
    }
    let mut room = MAX_CAPTURE_BYTES.saturating_sub(lines.iter().map(|line| line.len() + 1).sum());
    let (mut bytes, mut respelt) = (Vec::new(), 0);
    for line in lines {
        let value = sealtrace_json::parse_value(&line, MAX_LINE_BYTES).map_err(ReplayError::Encode)?;
        let text = respell(stream, &value).into_bytes();
        let growth = text.len().saturating_sub(line.len());
        if text != line && text.len() <= MAX_LINE_BYTES && growth <= room {
            room -= growth;
            respelt += 1;
            bytes.extend(text);
        } else {
            bytes.extend(line);
        }
        bytes.push(b'\n');
    }
    Ok((bytes, respelt))
}

impl Perturbed<'_> {
    /// SHA-256 over all that was drawn.
    pub(crate) fn digest(&self) -> RunDigest {
        let mut hasher = RunDigest::hasher();
        hasher.update(b"replay-perturbation/v1");
        hasher.update(RunDigest::of(&self.capture).as_bytes());
        let numbers = self.order.iter().chain([&self.batch, &self.workers]).map(|&n| count(n));
        for number in self.bases.iter().copied().chain(numbers) {
            hasher.update(&number.to_be_bytes());
        }
        for bundle in &self.bundles {
            hasher.update(bundle.digest.as_bytes());
            for module in &bundle.modules {
                hasher.update(module.file_sha256.as_bytes());
                hasher.update(RunDigest::of(module.path.as_bytes()).as_bytes());
            }
        }
        hasher.finish()
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
