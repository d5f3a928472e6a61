//! Samples as they are collected: equal ones once, with a count and when they were first and last seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sealtrace_trace::{CallFact, CapturedRow, ProbeType, Sample};
use sealtrace_unwind::{Place, Registers, UnwindRow, Walk, Word};

use crate::live::ReadLog;
use crate::track::{Layout, Stabilizer};

/// The most words, facts and places held (ours: about 600 MB of memory and less than the largest capture).
const MAX_ENTRIES: usize = 8 << 20;

/// What makes two samples equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Content {
    registers: Registers,
    words: Vec<(Place, Word)>,
    calls: Vec<CallFact>,
    unreadable: Vec<Place>,
    not_copied: Vec<Place>,
    /// Position in the recorder's probes.
    probe: usize,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    first: u64,
    last: u64,
    count: u64,
}

impl Seen {
    /// The order of a ring buffer is not quite the order of time.
    fn add(&mut self, nanos: u64) {
        self.first = self.first.min(nanos);
        self.last = self.last.max(nanos);
        self.count += 1;
    }
}

fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

/// One of the distinct samples of a [`Recorder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SampleNumber(usize);

/// What makes samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) kind: ProbeType,
    pub(crate) attach_point: String,
}

/// Samples of one probe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Samples taken.
    pub(crate) delivered: u64,
    /// Samples that no longer fitted.
    pub(crate) dropped: u64,
}

/// One thread at one moment, walked.
#[derive(Debug)]
pub(crate) struct Stop<'a> {
    /// Position in the recorder's probes.
    pub(crate) probe: usize,
    pub(crate) registers: &'a Registers,
    pub(crate) walk: &'a Walk,
    pub(crate) log: ReadLog,
    /// Since the capture's start.
    pub(crate) at: Duration,
}

/// The samples of a capture, in stable places.
#[derive(Debug)]
pub(crate) struct Recorder {
    probes: Vec<Probe>,
    taken: Vec<Taken>,
    /// Position in `seen`.
    samples: BTreeMap<Content, usize>,
    seen: Vec<Seen>,
    rows: BTreeSet<(u32, UnwindRow)>,
    entries: usize,
    /// When the sample at the exec stop was seen, see [`Recorder::mark_entry`].
    entry: Option<u64>,
}

/// What a capture is made of, in the end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// In order.
    pub(crate) samples: Vec<Sample>,
    /// Sorted, one per start.
    pub(crate) rows: Vec<CapturedRow>,
    /// Samples that were taken and left out.
    pub(crate) filtered: u64,
}

impl Recorder {
    pub(crate) fn new(probes: Vec<Probe>) -> Self {
        let taken = vec![Taken::default(); probes.len()];
        Self { probes, taken, samples: BTreeMap::new(), seen: Vec::new(), rows: BTreeSet::new(), entries: 0, entry: None }
    }

    /// What makes samples.
    pub(crate) fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// Samples by probe.
    pub(crate) fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// All samples taken.
    pub(crate) fn delivered(&self) -> u64 {
        self.taken.iter().map(|taken| taken.delivered).sum()
    }

    /// Counts a sample that is known to be equal to an earlier one.
    pub(crate) fn again(&mut self, probe: usize, sample: SampleNumber, at: Duration) {
        let (Some(seen), Some(taken)) = (self.seen.get_mut(sample.0), self.taken.get_mut(probe)) else { return };
        seen.add(nanos(at));
        taken.delivered += 1;
    }

    /// Keeps what a walk read, and ip, sp, fp and the registers that it used. `None` when there is no room.
    pub(crate) fn add(&mut self, stop: Stop<'_>, stable: &Stabilizer<'_>) -> Option<SampleNumber> {
        let Stop { probe, registers, walk, log, at } = stop;
        let taken = self.taken.get_mut(probe)?;
        let kept =
            |number: u16| matches!(number, Registers::IP | Registers::SP | Registers::FP) || walk.initial_registers_read.contains(&number);
        let place = |place: Place| stable.place(place);
        let content = Content {
            registers: Registers(
                registers.0.iter().filter(|(number, _)| kept(**number)).map(|(&number, &word)| (number, stable.word(word))).collect(),
            ),
            words: log.words.iter().filter_map(|(&at, &word)| Some((place(at)?, stable.word(word)))).collect(),
            calls: log.calls.values().filter_map(|fact| Some(CallFact { at: place(fact.at)?, ..*fact })).collect(),
            unreadable: log.unreadable.iter().filter_map(|&at| place(at)).collect(),
            not_copied: log.not_copied.iter().filter_map(|&at| place(at)).collect(),
            probe,
        };
        let size = 1 + content.words.len() + content.calls.len() + content.unreadable.len() + content.not_copied.len();
        let nanos = nanos(at);
        let number = if let Some(&number) = self.samples.get(&content) {
            self.seen.get_mut(number)?.add(nanos);
            number
        } else if self.entries.saturating_add(size) > MAX_ENTRIES {
            taken.dropped += 1;
            return None;
        } else {
            self.entries += size;
            let number = self.seen.len();
            self.seen.push(Seen { first: nanos, last: nanos, count: 1 });
            self.samples.insert(content, number);
            number
        };
        taken.delivered += 1;
        self.rows.extend(log.rows.into_iter().filter_map(|(region, row)| Some((stable.number(region)?, row))));
        Some(SampleNumber(number))
    }

    /// Says that the sample just added is the stop at exec, before the first instruction. It is there so that a program that ends at
    /// once leaves a sample; it says nothing about the program, so it is left out where there is any other.
    pub(crate) fn mark_entry(&mut self) {
        self.entry = self.seen.first().map(|seen| seen.first);
    }

    /// Samples and rows under the final numbering; first seen differs for each sample.
    pub(crate) fn finish(self, layout: &Layout) -> Finished {
        let mut merged: BTreeMap<Content, Seen> = BTreeMap::new();
        for (content, number) in self.samples {
            let Some(&seen) = self.seen.get(number) else { continue };
            // Regions that became one make equal what was not equal before.
            let known = merged.entry(renumber(&content, layout)).or_insert(Seen { count: 0, ..seen });
            known.first = known.first.min(seen.first);
            known.last = known.last.max(seen.last);
            known.count += seen.count;
        }
        let mut ordered: Vec<(Content, Seen)> = merged.into_iter().collect();
        ordered.sort_by(|one, other| (one.1.first, &one.0).cmp(&(other.1.first, &other.0)));
        let entry = self.entry;
        let is_entry = |(_, seen): &(Content, Seen)| seen.count == 1 && Some(seen.first) == entry;
        let filtered = usize::from(ordered.len() > 1 && ordered.first().is_some_and(is_entry));
        ordered.drain(..filtered);
        let mut next = 0;
        let samples = ordered.into_iter().map(|(content, seen)| {
            let first = seen.first.max(next);
            next = first.saturating_add(1);
            sample(content, Seen { first, last: seen.last.max(first), ..seen }, &self.probes)
        });
        let samples = samples.collect();
        // One row per start: the first in order, `.eh_frame` before `.debug_frame`, is the one that unwinding used.
        let rows: BTreeSet<CapturedRow> =
            self.rows.into_iter().filter_map(|(number, row)| Some(CapturedRow { region: layout.region(number)?, row })).collect();
        let mut seen = BTreeSet::new();
        let rows = rows.into_iter().filter(|captured| seen.insert((captured.region, captured.row.start))).collect();
        Finished { samples, rows, filtered: u64::try_from(filtered).unwrap_or(u64::MAX) }
    }
}

fn renumber(content: &Content, layout: &Layout) -> Content {
    let mut renumbered = Content {
        registers: Registers(content.registers.0.iter().map(|(&number, &word)| (number, layout.word(word))).collect()),
        words: content.words.iter().filter_map(|&(at, word)| Some((layout.place(at)?, layout.word(word)))).collect(),
        calls: content.calls.iter().filter_map(|fact| Some(CallFact { at: layout.place(fact.at)?, ..*fact })).collect(),
        unreadable: content.unreadable.iter().filter_map(|&at| layout.place(at)).collect(),
        not_copied: content.not_copied.iter().filter_map(|&at| layout.place(at)).collect(),
        probe: content.probe,
    };
    renumbered.words.sort_unstable();
    renumbered.calls.sort_unstable();
    renumbered.unreadable.sort_unstable();
    renumbered.not_copied.sort_unstable();
    renumbered
}

fn sample(content: Content, seen: Seen, probes: &[Probe]) -> Sample {
    let probe = probes.get(content.probe);
    Sample {
        record: "sample".to_owned(),
        first_seen: seen.first,
        last_seen: seen.last,
        count: seen.count,
        probe_type: probe.map_or(ProbeType::Unknown, |probe| probe.kind).name(),
        attach_point: probe.map(|probe| probe.attach_point.clone()).unwrap_or_default(),
        registers: content.registers,
        words: content.words,
        calls: content.calls,
        unreadable: content.unreadable,
        not_copied: content.not_copied,
    }
}
