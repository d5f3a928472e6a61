//! The canary: the loaded object samples this process itself, and what it read through kernel types is compared with what /proc says.
//!
//! A BTF of another kernel relocates without an error and then reads garbage; this is where that shows. Fails closed.

use std::time::{Duration, Instant};

use sealtrace_probe::{Config, Record, SkipBeforeExec, Slot};

use super::failure::EbpfError;
use super::namespace;
use super::object::Object;
use crate::maps::{Backing, Map, parse};

/// Ticks per second while it runs.
const FREQUENCY: u64 = 1000;
/// How long a tick may take to come: an emulated processor is slow.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the object said about this process, found right.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    pub(crate) exec_id: u64,
    pub(crate) compared: String,
}

/// What a record holds that /proc knows too.
#[derive(Debug, Clone, Copy)]
struct Told {
    tgid: u32,
    tid: u32,
    start_stack: u64,
    ip: u64,
    sp: u64,
    exec_id: u64,
}

/// Samples this process until a record comes, and compares.
pub(crate) fn run(object: &mut Object) -> Result<Canary, EbpfError> {
    let (ns_dev, ns_ino) = namespace::own().map_err(|source| EbpfError::Own { source })?;
    let own = std::process::id();
    object.configure(&Config { ns_dev, ns_ino, tgid: Some(own), skip: SkipBeforeExec::No })?;
    object.sample(FREQUENCY)?;
    let told = wait(object);
    object.stop_sampling();
    object.configure(&Config { ns_dev, ns_ino, tgid: None, skip: SkipBeforeExec::No })?;
    object.drain(&mut |_| {});
    object.reset(Slot::SAMPLE)?;
    compare(told?, own)
}

fn wait(object: &mut Object) -> Result<Told, EbpfError> {
    let deadline = Instant::now() + PATIENCE;
    let mut told = None;
    while told.is_none() {
        if Instant::now() > deadline {
            return Err(EbpfError::CanarySilent { waited: PATIENCE });
        }
        // A little work in user space, so that the clock ticks there.
        std::hint::black_box((0_u32..20_000).fold(0_u32, |sum, n| std::hint::black_box(sum ^ n)));
        object.drain(&mut |bytes| {
            if let Ok(record) = Record::parse(bytes) {
                let [.., ip] = record.registers;
                let [_, _, _, _, _, _, _, sp, ..] = record.registers;
                let (tgid, tid, start_stack, exec_id) = (record.tgid, record.tid, record.start_stack, record.exec_id);
                told = told.or(Some(Told { tgid, tid, start_stack, ip, sp, exec_id }));
            }
        });
    }
    told.ok_or(EbpfError::CanarySilent { waited: PATIENCE })
}

fn compare(told: Told, own: u32) -> Result<Canary, EbpfError> {
    let stat = std::fs::read_to_string("/proc/self/stat").map_err(|source| EbpfError::Own { source })?;
    let maps = std::fs::read("/proc/self/maps").map_err(|source| EbpfError::Own { source })?;
    let maps = parse(&maps).map_err(|_malformed| EbpfError::Own { source: std::io::ErrorKind::InvalidData.into() })?;
    let start_stack = field(&stat, 28);
    let inside = |address: u64, is: &dyn Fn(&Map) -> bool| maps.iter().any(|map| is(map) && (map.start..map.end).contains(&address));
    let checks = [
        ("process id", told.tgid == own, u64::from(told.tgid), Some(u64::from(own))),
        ("thread id", told.tid == own, u64::from(told.tid), Some(u64::from(own))),
        ("mm_struct.start_stack", Some(told.start_stack) == start_stack, told.start_stack, start_stack),
        ("instruction pointer in code", inside(told.ip, &|map| map.perms.execute), told.ip, None),
        ("stack pointer in the stack", inside(told.sp, &|map| matches!(map.backing, Backing::Stack)), told.sp, None),
    ];
    match checks.iter().find(|(_, right, ..)| !right) {
        Some(&(what, _, found, expected)) => Err(EbpfError::CanaryWrong { what, found, expected }),
        None => Ok(Canary { exec_id: told.exec_id, compared: checks.map(|(what, ..)| what).join(", ") }),
    }
}

/// A field of `/proc/PID/stat` by its number in proc(5), from 3 on.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(number.checked_sub(3)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_counted_as_proc_5_does_also_behind_a_name_with_spaces() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 55 1000 200 99 4096 8192 140737488 0 0";
        assert_eq!(field(stat, 4), Some(1));
        assert_eq!(field(stat, 28), Some(140_737_488));
        assert_eq!((field(stat, 2), field(stat, 99), field("", 4)), (None, None, None));
    }

    #[test]
    fn a_canary_that_reads_garbage_is_refused_by_name() {
        let right = Told { tgid: std::process::id(), tid: std::process::id(), start_stack: 1, ip: 1, sp: 1, exec_id: 1 };
        let wrong = compare(right, std::process::id());
        assert!(matches!(wrong, Err(EbpfError::CanaryWrong { what: "mm_struct.start_stack", found: 1, expected: Some(_) })), "{wrong:?}");
        let other = compare(Told { tgid: 0, ..right }, std::process::id());
        assert!(matches!(other, Err(EbpfError::CanaryWrong { what: "process id", .. })));
    }
}
