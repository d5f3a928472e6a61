//! The probe object in the kernel, through aya behind a wrapper that never loads it without a target BTF.
//!
//! aya 0.14 skips CO-RE relocation silently where it is given no BTF, and the object then reads garbage; so the only way to an [`Object`]
//! here takes the BTF's bytes. Whether they are those of the running kernel is decided before (`btf`) and proven after (`canary`).

use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;

use aya::maps::{Array, MapData, RingBuf};
use aya::programs::perf_event::{PerfEventConfig, PerfEventLinkId, PerfEventScope, SamplePolicy, SoftwareEvent};
use aya::programs::uprobe::{UProbeAttachLocation, UProbeScope};
use aya::programs::{PerfEvent, Program, UProbe};
use aya::{Btf, Ebpf, EbpfLoader, Endianness};
use sealtrace_probe::{CONFIG_MAP, COUNTERS_MAP, Config, Counters, EVENTS_MAP, OBJECT, SAMPLE_PROGRAM, Slot, slot_name};

use super::failure::EbpfError;
use super::reader::Reader;

/// The object, its maps and its links. Dropped, it is gone from the kernel.
pub(crate) struct Object {
    ebpf: Ebpf,
    config: Array<MapData, [u8; 40]>,
    counters: Array<MapData, [u8; 32]>,
    events: Events,
    samples: Vec<PerfEventLinkId>,
}

/// Who reads the ring buffer.
enum Events {
    /// Whoever calls [`Object::drain`].
    Here(RingBuf<MapData>),
    /// A thread of its own.
    Reader(Reader),
    /// Nobody any more.
    Read,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("samples", &self.samples.len()).finish_non_exhaustive()
    }
}

impl Object {
    /// Loads the object, relocated against a BTF. Programs are loaded when they are attached.
    pub(crate) fn load(btf: &[u8]) -> Result<Self, EbpfError> {
        let btf = Btf::parse(btf, Endianness::default()).map_err(EbpfError::btf)?;
        let mut ebpf = EbpfLoader::new().btf(Some(&btf)).load(OBJECT).map_err(EbpfError::load)?;
        let missing = |name: &'static str| EbpfError::Object { what: name };
        let config = Array::try_from(ebpf.take_map(CONFIG_MAP).ok_or(missing(CONFIG_MAP))?).map_err(EbpfError::map)?;
        let counters = Array::try_from(ebpf.take_map(COUNTERS_MAP).ok_or(missing(COUNTERS_MAP))?).map_err(EbpfError::map)?;
        let events = RingBuf::try_from(ebpf.take_map(EVENTS_MAP).ok_or(missing(EVENTS_MAP))?).map_err(EbpfError::map)?;
        Ok(Self { ebpf, config, counters, events: Events::Here(events), samples: Vec::new() })
    }

    /// Points the object at a process, or at none.
    pub(crate) fn configure(&mut self, config: &Config) -> Result<(), EbpfError> {
        self.config.set(0, config.encode(), 0).map_err(EbpfError::map)
    }

    /// Samples every processor's clock; which process that hits is for the configuration to say.
    pub(crate) fn sample(&mut self, frequency: u64) -> Result<(), EbpfError> {
        let program = self.ebpf.program_mut(SAMPLE_PROGRAM).ok_or(EbpfError::Object { what: SAMPLE_PROGRAM })?;
        let program: &mut PerfEvent = program.try_into().map_err(EbpfError::load_program)?;
        if program.fd().is_err() {
            program.load().map_err(EbpfError::load_program)?;
        }
        let processors = aya::util::online_cpus().map_err(|(_, source)| EbpfError::Processors { source })?;
        for cpu in processors {
            let link = program
                .attach(
                    PerfEventConfig::Software(SoftwareEvent::CpuClock),
                    PerfEventScope::AllProcessesOneCpu { cpu },
                    SamplePolicy::Frequency(frequency),
                    false,
                )
                .map_err(EbpfError::attach)?;
            self.samples.push(link);
        }
        Ok(())
    }

    /// Ends sampling.
    pub(crate) fn stop_sampling(&mut self) {
        let links = std::mem::take(&mut self.samples);
        let Some(program) = self.ebpf.program_mut(SAMPLE_PROGRAM) else { return };
        let Ok(program) = <&mut PerfEvent>::try_from(program) else { return };
        for link in links {
            // A link that is gone already needs no detaching.
            drop(program.detach(link));
        }
    }

    /// Attaches the program of a slot at an offset of a file, for one process.
    pub(crate) fn probe(&mut self, slot: Slot, file: &Path, offset: u64, pid: NonZeroU32) -> Result<(), EbpfError> {
        let program = self.ebpf.program_mut(&slot_name(slot)).ok_or(EbpfError::Object { what: "user probe" })?;
        let program: &mut UProbe = program.try_into().map_err(EbpfError::load_program)?;
        program.load().map_err(EbpfError::load_program)?;
        program
            .attach(UProbeAttachLocation::AbsoluteOffset(offset), file, UProbeScope::OneProcess(pid))
            .map(drop)
            .map_err(EbpfError::attach)
    }

    /// Takes programs and probes out of the kernel; what was recorded stays readable.
    pub(crate) fn detach(&mut self) {
        self.stop_sampling();
        for (_, program) in self.ebpf.programs_mut() {
            // One that was never loaded needs no unloading.
            match program {
                Program::PerfEvent(program) => drop(program.unload()),
                Program::UProbe(program) => drop(program.unload()),
                _ => {}
            }
        }
    }

    /// Hands every record that is there to `each`; gives their number.
    pub(crate) fn drain(&mut self, each: &mut dyn FnMut(&[u8])) -> u64 {
        let mut records = 0;
        match &mut self.events {
            Events::Here(events) => {
                while let Some(record) = events.next() {
                    each(&record);
                    records += 1;
                }
            }
            Events::Reader(reader) => records = reader.drain(each),
            Events::Read => {}
        }
        records
    }

    /// Has the ring buffer read by a thread from now on. No process may be forked after this.
    pub(crate) fn read_ahead(&mut self) {
        self.events = match std::mem::replace(&mut self.events, Events::Read) {
            Events::Here(events) => Events::Reader(Reader::start(events)),
            other => other,
        };
    }

    /// Hands what is left to `each`, after [`Object::detach`].
    pub(crate) fn drain_to_the_end(&mut self, each: &mut dyn FnMut(&[u8])) {
        if let Events::Reader(reader) = std::mem::replace(&mut self.events, Events::Read) {
            reader.finish(each);
        }
    }

    /// The counters of a slot.
    pub(crate) fn counters(&self, slot: Slot) -> Result<Counters, EbpfError> {
        self.counters.get(&slot.index(), 0).map(|bytes| Counters::decode(&bytes)).map_err(EbpfError::map)
    }

    /// Sets a slot's counters to zero.
    pub(crate) fn reset(&mut self, slot: Slot) -> Result<(), EbpfError> {
        self.counters.set(slot.index(), [0; 32], 0).map_err(EbpfError::map)
    }
}
