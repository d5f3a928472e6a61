//! What every capture run collects, whatever it reads: the regions and modules of the target, its samples, and in the end a [`Capture`].
//!
//! Not here: where maps, registers and memory come from (`session`: a live process; `core_dump`: a core).

use std::rc::Rc;
use std::time::Duration;

use sealtrace_digest::RunDigest;
use sealtrace_trace::{
    BtfRecord, Capture, CaptureHeader, HostContext, LibcRecord, Loss, PrivacyProfile, ProbeObject, ProbeRecord, Sampling,
};
use sealtrace_unwind::{Limits, Place, PlacementError, Registers, walk};

use crate::live::{LiveTarget, words};
use crate::maps::Map;
use crate::memory::{ReadImage, ReadMemory};
use crate::modules::ModuleCache;
use crate::recent::{Recent, Remembered};
use crate::record::{Finished, Probe, Recorder, Stop, Taken};
use crate::space::{LiveRegion, Space};
use crate::track::{Stabilizer, Tracker};

/// The rules about what a capture may hold; its digest goes into every capture.
const PRIVACY_PROFILE: &[u8] = include_bytes!("../../docs/formats/privacy-profile.md");
const PRIVACY_PROFILE_ID: &str = "read-set-only/v0";

/// How the samples were taken, for the header.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) backend: &'static str,
    pub(crate) btf: BtfRecord,
    pub(crate) probe_object: Option<ProbeObject>,
    pub(crate) sampling: Sampling,
    pub(crate) counts: Counts,
}

/// What was due, by whom it was counted.
#[derive(Debug, Clone)]
pub(crate) enum Counts {
    /// One kind of sample: this many were due, and what was not taken was lost.
    Due(u64),
    /// By the kernel, for each probe of the recorder.
    Kernel(Vec<KernelCount>),
}

/// One probe's counters in the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KernelCount {
    pub(crate) hits: u64,
    pub(crate) lost: u64,
}

/// One thread at one moment, without its stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// Position in the recorder's probes.
    pub(crate) probe: usize,
    /// By DWARF number.
    pub(crate) registers: &'a [u64; 17],
    /// Since the capture's start.
    pub(crate) at: Duration,
}

/// Whose stacks they are, for the header.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) host: HostContext,
    /// RFC 3339.
    pub(crate) captured_at: String,
}

/// The address space at one moment, entered into a collection.
#[derive(Debug)]
pub(crate) struct Entered {
    pub(crate) space: Rc<Space>,
    /// The number of each of its regions in the collection.
    numbers: Vec<u32>,
}

impl Entered {
    /// Whether code and stack of a thread lie in what is known to be mapped.
    pub(crate) fn knows(&self, registers: &[u64; 17]) -> bool {
        let [.., ip] = *registers;
        let sp = registers.get(usize::from(Registers::SP)).copied().unwrap_or(0);
        self.space.place(ip).is_some() && self.space.place(sp).is_some()
    }
}

/// What is collected.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) modules: ModuleCache,
    tracker: Tracker,
    pub(crate) recorder: Recorder,
    recent: Recent,
    main: Option<u32>,
    libc: Option<LibcRecord>,
}

impl Collection {
    pub(crate) fn new(modules: ModuleCache, probes: Vec<Probe>) -> Self {
        Self { modules, tracker: Tracker::default(), recorder: Recorder::new(probes), recent: Recent::default(), main: None, libc: None }
    }

    /// Enters the address space of a moment. `is_main` tells the region of the main binary.
    pub(crate) fn enter(
        &mut self,
        maps: &[Map],
        memory: &dyn ReadImage,
        is_main: &dyn Fn(&LiveRegion) -> bool,
    ) -> Result<Entered, PlacementError> {
        let space = Space::new(maps, &mut self.modules, memory)?;
        self.recent.forget();
        let numbers = self.tracker.enter(&space);
        for (region, &number) in space.regions.iter().zip(&numbers) {
            if let Some(libc) = region.module.as_ref().and_then(|module| module.libc.clone()) {
                self.libc = Some(libc);
            }
            if is_main(region) {
                self.main = Some(number);
            }
        }
        Ok(Entered { space: Rc::new(space), numbers })
    }

    /// Walks a stack and keeps what the walk read.
    pub(crate) fn record<M: ReadMemory>(&mut self, entered: &Entered, seen: Seen<'_>, memory: &mut M) {
        self.walk(entered, seen, memory);
    }

    /// The same for a copied stack; one that an earlier walk of this address space would read the same is not walked again.
    pub(crate) fn record_copy<M: ReadMemory>(&mut self, entered: &Entered, seen: Seen<'_>, memory: &mut M) {
        let [_, _, _, _, _, _, _, sp, .., ip] = *seen.registers;
        let key = (seen.probe, ip, sp);
        if let Some(sample) = self.recent.find(key, seen.registers, memory) {
            self.recorder.again(seen.probe, sample, seen.at);
        } else if let Some(walk) = self.walk(entered, seen, memory) {
            self.recent.remember(key, walk);
        }
    }

    /// Walks a stack; gives what that read, to know an equal one again.
    fn walk<M: ReadMemory>(&mut self, entered: &Entered, seen: Seen<'_>, memory: &mut M) -> Option<Remembered> {
        let space = &entered.space;
        let registers = words(space, seen.registers);
        let mut target = LiveTarget::new(space, memory);
        let walk = walk(&registers, &space.placement, &mut target, Limits::default());
        let log = target.log;
        let value = |place: &Place| {
            let address = space.address(*place)?;
            let mut bytes = [0; 8];
            memory.read(address, &mut bytes).ok().map(|()| (address, u64::from_le_bytes(bytes)))
        };
        let words: Option<Vec<(u64, u64)>> = log.words.keys().map(value).collect();
        let not_copied: Option<Vec<u64>> = log.not_copied.iter().map(|&place| space.address(place)).collect();
        let told = [Registers::FP, Registers::SP, Registers::IP].into_iter().chain(walk.initial_registers_read.iter().copied());
        let used = told.map(usize::from).filter_map(|number| Some((number, *seen.registers.get(number)?))).collect();
        let stop = Stop { probe: seen.probe, registers: &registers, walk: &walk, log, at: seen.at };
        let sample = self.recorder.add(stop, &Stabilizer { space, numbers: &entered.numbers })?;
        Some(Remembered { registers: used, words: words?, not_copied: not_copied?, sample })
    }

    /// The capture: regions numbered, samples in order, counters that add up.
    pub(crate) fn finish(self, origin: Origin, facts: Facts) -> Capture {
        let taken = self.recorder.taken().to_vec();
        let probes = self.recorder.probes().to_vec();
        let layout = self.tracker.finish();
        let Finished { samples, rows, filtered } = self.recorder.finish(&layout);
        let (loss, probes) = losses(&facts.counts, &taken, &probes, filtered);
        let unknown = || LibcRecord { variant: "unknown".to_owned(), version: "unknown".to_owned() };
        let header = CaptureHeader {
            record: "header".to_owned(),
            capture_version: 0,
            platform: "linux".to_owned(),
            backend: facts.backend.to_owned(),
            captured_at: origin.captured_at,
            host: origin.host,
            probe_object: facts.probe_object,
            btf_source: facts.btf,
            sampling: facts.sampling,
            libc: self.libc.unwrap_or_else(unknown),
            main_module: self.main.and_then(|number| layout.region(number)),
            regions: layout.regions,
            rows,
            loss,
            probes,
            privacy_profile: PrivacyProfile { id: PRIVACY_PROFILE_ID.to_owned(), sha256: RunDigest::of(PRIVACY_PROFILE).hex() },
            raw: false,
        };
        Capture { header, samples }
    }
}

/// Counters that add up, of the whole capture and, where the kernel counted, of each probe. `filtered`: samples that the recorder left out.
fn losses(counts: &Counts, taken: &[Taken], probes: &[Probe], filtered: u64) -> (Loss, Vec<ProbeRecord>) {
    match counts {
        Counts::Due(due) => {
            let delivered: u64 = taken.iter().map(|taken| taken.delivered).sum();
            let rate_limited: u64 = taken.iter().map(|taken| taken.dropped).sum();
            let loss = Loss {
                kernel_hits: *due,
                delivered: delivered.saturating_sub(filtered),
                ring_lost: due.saturating_sub(delivered).saturating_sub(rate_limited),
                rate_limited,
                filtered,
            };
            (loss, Vec::new())
        }
        Counts::Kernel(counted) => {
            let loss = |(count, taken): (&KernelCount, &Taken)| Loss {
                kernel_hits: count.hits,
                delivered: taken.delivered,
                ring_lost: count.lost,
                rate_limited: taken.dropped,
                filtered: count.hits.saturating_sub(count.lost).saturating_sub(taken.delivered).saturating_sub(taken.dropped),
            };
            let record = |(probe, loss): (&Probe, Loss)| ProbeRecord {
                probe_type: probe.kind.name(),
                attach_point: probe.attach_point.clone(),
                loss,
            };
            let each: Vec<Loss> = counted.iter().zip(taken).map(loss).collect();
            let total = each.iter().fold(Loss::default(), |sum, loss| Loss {
                kernel_hits: sum.kernel_hits + loss.kernel_hits,
                delivered: sum.delivered + loss.delivered,
                ring_lost: sum.ring_lost + loss.ring_lost,
                rate_limited: sum.rate_limited + loss.rate_limited,
                filtered: sum.filtered + loss.filtered,
            });
            (total, probes.iter().zip(each).map(record).collect())
        }
    }
}
