//! Faulty resolvers: each is faithful without a perturbation, and the five seeds must catch it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use sealtrace_resolve::{Derived, ResolveError, Sources, derive};
use sealtrace_trace::{Capture, FrameRecord};
use sealtrace_unwind::{Placement, Word};

use crate::compare::FIELD_NONDETERMINISTIC;
use crate::engine::Parts;
use crate::report::{ReplayReport, ReplayVerdict, Slo};
use crate::run::DeriveFn;
use crate::seeds::SeedPlan;

use super::world::World;

/// Replays a witness that a faulty resolver made, with the same faulty resolver.
fn caught(faulty: DeriveFn) -> ReplayReport {
    let world = World::new();
    let witness = world.witness_by(faulty);
    let report = world.replay_parts(&witness, Parts { derive: faulty, ..Parts::OURS }, SeedPlan::Derived(5)).unwrap();
    assert_eq!(report.verdict(Slo::Strict), ReplayVerdict::Below, "the seeds did not catch it");
    report
}

/// Derives honestly, then lets `spoil` edit each frame, with the address it has under the placement.
fn spoilt(
    (capture, sources, placement): (&Capture, &Sources, &Placement),
    mut spoil: impl FnMut(&mut FrameRecord, Option<u64>, Option<u32>),
) -> Result<Derived, ResolveError> {
    let mut derived = derive(capture, sources, placement)?;
    let frames = derived.stacks.iter_mut().flat_map(|stack| &mut stack.frames);
    for (frame, derivation) in frames.zip(&derived.derivations) {
        let place = match derivation.frame.pc {
            Word::At(place) => Some(place),
            Word::Null | Word::Invalid => None,
        };
        let address = place.and_then(|place| placement.avma(place)).map(|avma| avma.0);
        spoil(frame, address, place.map(|place| place.region.0));
    }
    Ok(derived)
}

fn absolute_ip(capture: &Capture, sources: &Sources, placement: &Placement) -> Result<Derived, ResolveError> {
    spoilt((capture, sources, placement), |frame, address, _| {
        // Looks an absolute address up as if the canonical slide held.
        if address.is_some_and(|address| address > 0x7fff_ffff) {
            frame.function = None;
        }
    })
}

fn alias_of_a_hash_set(capture: &Capture, sources: &Sources, placement: &Placement) -> Result<Derived, ResolveError> {
    spoilt((capture, sources, placement), |frame, address, _| {
        let several = u64::try_from(frame.aliases.len()).unwrap();
        if several > 1 {
            // A hash seeded by an address, as hash maps keyed by pointers have it.
            let bucket = address.unwrap().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            frame.function = Some(frame.aliases[usize::try_from(bucket % several).unwrap()].clone());
        }
    })
}

fn first_seen_name_wins(capture: &Capture, sources: &Sources, placement: &Placement) -> Result<Derived, ResolveError> {
    let mut cache: BTreeMap<u64, Option<String>> = BTreeMap::new();
    spoilt((capture, sources, placement), |frame, address, _| {
        // A cache keyed by the address without its low byte and its high bits: whoever comes first names the others.
        let name = frame.function.clone();
        frame.function = cache.entry((address.unwrap() >> 8) & 0x7).or_insert(name).clone();
    })
}

fn carried_over_a_gap(capture: &Capture, sources: &Sources, placement: &Placement) -> Result<Derived, ResolveError> {
    let mut last = None;
    spoilt((capture, sources, placement), |frame, _, _| {
        if frame.function.is_none() {
            frame.function.clone_from(&last);
        }
        last.clone_from(&frame.function);
    })
}

fn order_of_the_file(capture: &Capture, sources: &Sources, placement: &Placement) -> Result<Derived, ResolveError> {
    let mut derived = derive(capture, sources, placement)?;
    let mut sorted: Vec<u64> = capture.samples.iter().map(|sample| sample.first_seen).collect();
    sorted.sort_unstable();
    let stacks = capture.samples.iter().map(|sample| sorted.iter().position(|&seen| seen == sample.first_seen).unwrap());
    derived.stacks = stacks.map(|position| derived.stacks[position].clone()).collect();
    Ok(derived)
}

fn region_number(capture: &Capture, sources: &Sources, placement: &Placement) -> Result<Derived, ResolveError> {
    spoilt((capture, sources, placement), |frame, _, region| frame.file = region.map(|region| format!("region {region}")))
}

fn map_borders(capture: &Capture, sources: &Sources, placement: &Placement) -> Result<Derived, ResolveError> {
    let maps = capture.header.regions.iter().map(|region| region.maps.len()).sum::<usize>();
    spoilt((capture, sources, placement), |frame, _, _| frame.source = Some(format!("one of {maps} maps")))
}

fn a_counter(capture: &Capture, sources: &Sources, placement: &Placement) -> Result<Derived, ResolveError> {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    spoilt((capture, sources, placement), |frame, _, _| frame.symbol_offset = i64::try_from(CALLS.fetch_add(1, Ordering::Relaxed)).ok())
}

#[test]
fn an_absolute_ip_lookup_is_caught_by_every_seed() {
    let report = caught(absolute_ip);
    assert_eq!(report.baseline.score.matched, 20);
    assert!(report.seeds.iter().all(|seed| seed.score.matched < 20));
}

#[test]
fn an_alias_of_a_hash_set_is_caught() {
    let report = caught(alias_of_a_hash_set);
    assert_eq!(report.baseline.score.matched, 20);
    assert!(report.mismatches.iter().all(|found| found.field == "function"));
}

#[test]
fn a_cache_on_a_truncated_address_is_caught() {
    assert_eq!(caught(first_seen_name_wins).baseline.score.matched, 20);
}

#[test]
fn a_symbol_carried_over_a_gap_is_caught() {
    assert_eq!(caught(carried_over_a_gap).baseline.score.matched, 20);
}

#[test]
fn a_result_in_the_order_of_the_file_is_caught() {
    assert_eq!(caught(order_of_the_file).baseline.score.matched, 20);
}

#[test]
fn a_result_that_shows_a_region_number_is_caught_by_every_seed() {
    assert!(caught(region_number).seeds.iter().all(|seed| seed.score.matched < 20));
}

#[test]
fn a_result_that_counts_map_borders_is_caught() {
    assert_eq!(caught(map_borders).baseline.score.matched, 20);
}

#[test]
fn a_result_that_differs_between_two_runs_is_nondeterministic() {
    let report = caught(a_counter);
    assert!(report.mismatches.iter().all(|found| found.field == FIELD_NONDETERMINISTIC));
    assert_eq!(report.minimum().matched, 0);
}
