//! P1 of notes/replay: the same walk under any page-aligned placement; and a walk needs no word but those it read.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{ALT, CODE, JIT, SIZES, STACK, World, at, row, to};
use crate::{CfaRule, Limits, Placement, RegisterRule, Registers, Rule, TerminatedBy, Word, walk};

/// A generator that an auditor can write again: Knuth's MMIX constants, upper bits.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let index = self.below(u64::try_from(from.len()).unwrap());
        from[usize::try_from(index).unwrap()].clone()
    }
}

fn random_word(random: &mut Random) -> Word {
    match random.below(40) {
        0 => Word::Null,
        1 => Word::Invalid,
        2..8 => to(STACK, random.below(SIZES[1] / 8) * 8),
        8 => to(ALT, random.below(SIZES[2] / 8) * 8),
        9 => to(JIT, random.below(SIZES[3])),
        _ => to(CODE, random.below(SIZES[0])),
    }
}

fn random_rule(random: &mut Random) -> RegisterRule {
    let offset = i64::try_from(random.below(8)).unwrap() * 8;
    match random.below(10) {
        0 => RegisterRule::Undefined,
        1 => RegisterRule::SameValue,
        2 => RegisterRule::ValOffset(offset),
        3 => RegisterRule::Register(u16::try_from(random.below(17)).unwrap()),
        4 => RegisterRule::Expression(random.pick(&["381c", "7600", "7708", "7300", "96", "770006"]).to_owned()),
        5 => RegisterRule::ValExpression(random.pick(&["9606", "3822", "7600", "30", "77009401", "77009404"]).to_owned()),
        _ => RegisterRule::Offset(-offset),
    }
}

fn random_world(random: &mut Random) -> World {
    let mut world = World::new(to(CODE, random.below(SIZES[0])), to(STACK, random.below(0x20) * 8));
    for number in 0..16 {
        if number != Registers::SP && random.below(4) != 0 {
            world = world.register(number, random_word(random));
        }
    }
    for start in (0..SIZES[0]).step_by(0x400) {
        let register = random.pick(&[7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 3, 12, 10]);
        let mut unwind = row(
            start,
            start + random.pick(&[0x400, 0x400, 0x400, 0x400, 0x400, 0x200]),
            register,
            i64::try_from(random.below(12)).unwrap() * 8 + 8,
        );
        for number in [3, 6, 7, 12, 1] {
            if random.below(if number == Registers::SP { 40 } else { 4 }) == 0 {
                unwind = unwind.rule(number, random_rule(random));
            }
        }
        match random.below(40) {
            0..=6 => unwind = unwind.cfa("770880003f1a3b2a332422"),
            7 => unwind = unwind.cfa("77a00106").signal(),
            8 => unwind = unwind.cfa(random.pick(&["767806", "7310", "9600", "2ffdff"])),
            9 => unwind = unwind.rule(16, random_rule(random)),
            _ => {}
        }
        world = world.row(unwind);
    }
    for (region, size) in [(STACK, SIZES[1]), (ALT, SIZES[2])] {
        for offset in (0..size).step_by(8) {
            if random.below(200) != 0 {
                world = world.word(at(region, offset), random_word(random));
            }
        }
    }
    world.calls = (0..SIZES[0]).filter(|_| random.below(3) == 0).map(|offset| at(CODE, offset)).collect();
    if random.below(4) == 0 {
        let pc = random.below(SIZES[0]);
        world.rows.retain(|row| pc < row.start.0 || pc >= row.end.0);
        world.registers.0.insert(Registers::IP, to(CODE, pc));
        world.sigreturn = Some(at(CODE, pc));
    }
    world
}

/// A world, and the same one with only a part of its stack copied.
fn whole_and_copied(random: &mut Random, cuts: &mut Random) -> [World; 2] {
    let world = random_world(random);
    [world.clone(), world.copied(cuts.below(SIZES[1]))]
}

/// Regions in another order, at other slides, a page or more apart.
fn random_placement(random: &mut Random) -> Placement {
    let mut order: Vec<usize> = (0..SIZES.len()).collect();
    for index in (1..order.len()).rev() {
        let other = random.below(u64::try_from(index).unwrap() + 1);
        order.swap(index, usize::try_from(other).unwrap());
    }
    let mut bases = [0; SIZES.len()];
    let mut next = 0x1000 * (1 + random.below(1 << 30));
    for region in order {
        bases[region] = next;
        next += SIZES[region] + 0x1000 * random.pick(&[1, 1, 2, 77, 1 << 26]);
    }
    Placement::new(&bases, &SIZES).unwrap()
}

#[test]
fn a_walk_is_the_same_under_every_placement() {
    let mut random = Random(1);
    let mut longest = 0;
    let mut seen: BTreeMap<Rule, usize> = BTreeMap::new();
    let mut ends: BTreeSet<TerminatedBy> = BTreeSet::new();
    let (mut cuts, mut slides) = (Random(5), Random(6));
    for (round, mut world) in (0..1500).flat_map(|round| whole_and_copied(&mut random, &mut cuts).map(|world| (round, world))) {
        let expected = world.walk();
        for frame in &expected.frames {
            *seen.entry(frame.rule).or_default() += 1;
        }
        ends.insert(expected.terminated_by);
        longest = longest.max(expected.frames.len());
        for _ in 0..5 {
            let placement = random_placement(&mut slides);
            let registers = world.registers.clone();
            let found = walk(&registers, &placement, &mut world, Limits::default());
            assert!(found == expected, "round {round}: {placement:?}");
        }
    }
    // The generator reaches every rule and every end but the frame limit, or this test would show nothing.
    for rule in [Rule::CfiEhFrame, Rule::FramePointer, Rule::HelperSigreturn, Rule::HeuristicScan] {
        assert!(seen.get(&rule).is_some_and(|count| *count > 0), "{rule:?} in {seen:?}");
    }
    assert!(seen[&Rule::CfiEhFrame] > 3000 && longest >= 10, "{seen:?}, longest {longest}");
    for end in [TerminatedBy::RaNull, TerminatedBy::RaUndefined, TerminatedBy::NoRule, TerminatedBy::StackCopyLimit] {
        assert!(ends.contains(&end), "{end:?}");
    }
}

#[test]
fn a_walk_on_its_own_reads_is_the_same_walk() {
    let mut random = Random(2);
    let mut dropped = 0;
    let mut cuts = Random(7);
    for (round, mut world) in (0..400).flat_map(|round| whole_and_copied(&mut random, &mut cuts).map(|world| (round, world))) {
        let expected = world.walk();
        let read: BTreeMap<_, _> =
            expected.frames.iter().flat_map(|frame| &frame.reads).chain(&expected.reads).map(|read| (read.at, read.word)).collect();
        let mut kept = world.clone();
        kept.memory = read;
        let told_anyway = [Registers::FP, Registers::SP, Registers::IP];
        kept.registers.0.retain(|number, _| told_anyway.contains(number) || expected.initial_registers_read.contains(number));
        dropped += world.registers.0.len() - kept.registers.0.len();
        assert!(kept.walk() == expected, "round {round}");
    }
    assert!(dropped > 400, "{dropped}");
}

#[test]
fn hostile_expressions_neither_panic_nor_run_on() {
    let mut random = Random(3);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..random.below(24)).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
        let mut world = World::new(to(CODE, 0x100), to(STACK, 0x100))
            .row(row(0x100, 0x110, 7, 8).cfa(&hex::encode(&bytes)).rule(3, RegisterRule::Expression(hex::encode(&bytes))))
            .push(0x100, to(STACK, 0x108))
            .push(0x108, to(CODE, 0x100));
        assert!(!world.walk().frames.is_empty());
    }
}

#[test]
fn without_expressions_regions_may_even_touch() {
    let mut random = Random(4);
    for round in 0..200 {
        let mut world = random_world(&mut random);
        let is_expression = |rule: &RegisterRule| matches!(rule, RegisterRule::Expression(_) | RegisterRule::ValExpression(_));
        world
            .rows
            .retain(|row| matches!(row.cfa, CfaRule::RegisterOffset(..)) && !row.registers.iter().any(|(_, rule)| is_expression(rule)));
        let expected = world.walk();
        let mut next = 0x1000;
        let bases = SIZES.map(|size| {
            next += size;
            next - size
        });
        let registers = world.registers.clone();
        let touching = Placement::new(&bases, &SIZES).unwrap();
        assert!(walk(&registers, &touching, &mut world, Limits::default()) == expected, "round {round}");
    }
}
