//! Why a rule does not apply, one test row per reason.

use super::world::{CODE, JIT, STACK, World, at, row, to};
use crate::{CfiSection, Failed, Limits, RegisterRule, Rule, TerminatedBy, WhyNot, Word};

fn reason(world: &mut World, rule: Rule) -> Option<WhyNot> {
    let walk = world.walk_with(Limits { expression_steps: 50, ..Limits::default() });
    assert_eq!((walk.frames.len(), walk.terminated_by), (1, TerminatedBy::NoRule));
    let order: Vec<Rule> = walk.failed.iter().map(|failed| failed.rule).collect();
    assert_eq!(order[1..], [Rule::FramePointer, Rule::HelperSigreturn, Rule::HeuristicScan]);
    walk.failed.iter().find(|failed| failed.rule == rule).map(|failed| failed.reason)
}

fn in_function() -> World {
    World::new(to(CODE, 0x100), to(STACK, 0x100))
}

#[test]
fn a_row_fails_with_the_reason_that_holds() {
    let expression = |hex: &str| in_function().row(row(0x100, 0x110, 7, 8).cfa(hex)).push(0x100, Word::Invalid);
    let cases = [
        ("pc in no module", World::new(to(JIT, 0), to(STACK, 0x100)), WhyNot::NoModule),
        ("pc nowhere", World::new(Word::Invalid, to(STACK, 0x100)), WhyNot::NoModule),
        ("no row", in_function(), WhyNot::NoFde),
        ("register unknown", in_function().row(row(0x100, 0x110, 12, 8)), WhyNot::BadRegister),
        ("register null", in_function().register(12, Word::Null).row(row(0x100, 0x110, 12, 8)), WhyNot::BadRegister),
        ("register invalid", in_function().register(12, Word::Invalid).row(row(0x100, 0x110, 12, 8)), WhyNot::BadRegister),
        ("return address unknown", in_function().row(row(0x100, 0x110, 7, 8).rule(16, RegisterRule::Register(9))), WhyNot::BadRegister),
        ("return address unreadable", in_function().row(row(0x100, 0x110, 7, 8)), WhyNot::BadMemory),
        ("CFA past the region", in_function().row(row(0x100, 0x110, 7, 0x1000)), WhyNot::BadMemory),
        ("CFA overflows", in_function().row(row(0x100, 0x110, 7, i64::MAX)), WhyNot::BadMemory),
        ("slot before the region", in_function().row(row(0x100, 0x110, 7, 8).rule(16, RegisterRule::Offset(-0x200))), WhyNot::BadMemory),
        ("CFA below sp", in_function().row(row(0x100, 0x110, 7, -8)), WhyNot::SpNotMonotone),
        ("return address invalid", in_function().row(row(0x100, 0x110, 7, 8)).push(0x100, Word::Invalid), WhyNot::NotExecutable),
        ("return address is data", in_function().row(row(0x100, 0x110, 7, 8)).push(0x100, to(STACK, 0x10)), WhyNot::NotExecutable),
        ("no hex", expression("7"), WhyNot::BadExpression),
        ("empty", expression(""), WhyNot::BadExpression),
        ("unknown operation", expression("ff"), WhyNot::BadExpression),
        ("endless loop", expression("2ffdff"), WhyNot::BadExpression),
        ("location, not value", expression("57"), WhyNot::BadExpression),
        ("frame base", expression("9100"), WhyNot::BadExpression),
        ("object address", expression("97"), WhyNot::BadExpression),
        ("DW_OP_addr", expression("030000001000000000"), WhyNot::BadExpression),
        ("division by zero", expression("3130 1b".replace(' ', "").as_str()), WhyNot::BadExpression),
        ("load of four bytes", expression("77009404"), WhyNot::BadExpression),
        ("too long", expression(&"96".repeat(4097)), WhyNot::BadExpression),
        ("points nowhere", expression("31"), WhyNot::BadMemory),
        ("loads from nowhere", expression("3106"), WhyNot::BadMemory),
        ("loads what is no pointer", expression("770006"), WhyNot::BadRegister),
        ("unknown register", expression("7900"), WhyNot::BadRegister),
    ];
    for (name, mut world, expected) in cases {
        assert_eq!(reason(&mut world, Rule::CfiEhFrame), Some(expected), "{name}");
    }
}

#[test]
fn a_failure_names_the_section_of_its_row() {
    let mut debug_row = row(0x100, 0x110, 12, 8);
    debug_row.section = CfiSection::DebugFrame;
    let walk = in_function().row(debug_row).walk();
    assert_eq!(walk.failed[0], Failed { rule: Rule::CfiDebugFrame, reason: WhyNot::BadRegister });
}

#[test]
fn a_frame_pointer_fails_with_the_reason_that_holds() {
    let with_fp = |fp: Word| in_function().register(6, fp);
    let cases = [
        ("unknown", in_function(), WhyNot::BadRegister),
        ("null", with_fp(Word::Null), WhyNot::BadRegister),
        ("invalid", with_fp(Word::Invalid), WhyNot::BadRegister),
        ("sp invalid", World::new(to(CODE, 0x100), Word::Invalid).register(6, to(STACK, 0x100)), WhyNot::BadRegister),
        ("below sp", with_fp(to(STACK, 0xf8)), WhyNot::SpNotMonotone),
        ("in another region", with_fp(to(CODE, 0x200)), WhyNot::SpNotMonotone),
        ("unreadable", with_fp(to(STACK, 0x100)), WhyNot::BadMemory),
        ("at the end of the region", with_fp(to(STACK, 0xff8)), WhyNot::BadMemory),
        ("null return address", with_fp(to(STACK, 0x100)).push(0x108, Word::Null), WhyNot::NotExecutable),
        ("data", with_fp(to(STACK, 0x100)).push(0x108, to(STACK, 0)), WhyNot::NotExecutable),
        ("no call", with_fp(to(STACK, 0x100)).push(0x108, to(CODE, 0x200)), WhyNot::NoCallBefore),
    ];
    for (name, mut world, expected) in cases {
        assert_eq!(reason(&mut world, Rule::FramePointer), Some(expected), "{name}");
    }
}

#[test]
fn a_trampoline_fails_with_the_reason_that_holds() {
    let trampoline = |sp: Word| {
        let mut world = World::new(to(CODE, 0x100), sp);
        world.sigreturn = Some(at(CODE, 0x100));
        world
    };
    let context = |sp: Word, pc: Word| trampoline(to(STACK, 0x100)).push(0x100 + 160, sp).push(0x100 + 168, pc);
    let cases = [
        ("other code", in_function(), WhyNot::NotSigreturn),
        ("pc nowhere", World::new(Word::Null, to(STACK, 0)), WhyNot::NotSigreturn),
        ("sp invalid", trampoline(Word::Invalid), WhyNot::BadRegister),
        ("unreadable", trampoline(to(STACK, 0x100)), WhyNot::BadMemory),
        ("past the region", trampoline(to(STACK, 0xf80)), WhyNot::BadMemory),
        ("interrupted sp invalid", context(Word::Invalid, to(CODE, 0x200)), WhyNot::BadRegister),
        ("interrupted pc invalid", context(to(STACK, 0x300), Word::Invalid), WhyNot::NotExecutable),
    ];
    for (name, mut world, expected) in cases {
        assert_eq!(reason(&mut world, Rule::HelperSigreturn), Some(expected), "{name}");
    }
}

#[test]
fn a_scan_fails_with_the_reason_that_holds() {
    let far = (0..200).fold(in_function(), |world, slot| world.push(0x100 + slot * 8, Word::Invalid)).call(0x200);
    let cases = [
        ("sp invalid", World::new(to(CODE, 0x100), Word::Invalid), WhyNot::BadRegister),
        ("nothing readable", in_function(), WhyNot::NothingFound),
        ("no call", in_function().push(0x100, to(CODE, 0x200)), WhyNot::NothingFound),
        ("a gap ends the window", in_function().push(0x100, Word::Null).push(0x110, to(CODE, 0x200)).call(0x200), WhyNot::NothingFound),
        ("just out of the window", far.clone().push(0x100 + 128 * 8, to(CODE, 0x200)), WhyNot::NothingFound),
        ("two", in_function().push(0x100, to(CODE, 0x200)).push(0x108, to(CODE, 0x300)).call(0x200).call(0x300), WhyNot::Ambiguous),
        ("the same twice", in_function().push(0x100, to(CODE, 0x200)).push(0x108, to(CODE, 0x200)).call(0x200), WhyNot::Ambiguous),
    ];
    for (name, mut world, expected) in cases {
        assert_eq!(reason(&mut world, Rule::HeuristicScan), Some(expected), "{name}");
    }
    assert_eq!(far.push(0x100 + 127 * 8, to(CODE, 0x200)).walk().frames[1].rule, Rule::HeuristicScan);
}

#[test]
fn an_ambiguous_scan_reads_no_further_than_the_second_candidate() {
    let mut world = (0..20).fold(in_function(), |world, slot| world.push(0x100 + slot * 8, to(CODE, 0x200))).call(0x200);
    let walk = world.walk();
    assert_eq!(walk.frames.len(), 1);
    assert_eq!(world.asked, [at(STACK, 0x100), at(STACK, 0x108)]);
}

#[test]
fn a_word_outside_the_read_set_is_told_from_one_that_cannot_be_read() {
    let mut world = in_function().register(6, to(STACK, 0x200)).row(row(0x100, 0x110, 7, 8));
    world.is_read_set = true;
    let walk = world.walk();
    let reasons: Vec<WhyNot> = walk.failed.iter().map(|failed| failed.reason).collect();
    assert_eq!(reasons, [WhyNot::OutsideReadSet, WhyNot::OutsideReadSet, WhyNot::NotSigreturn, WhyNot::OutsideReadSet]);
}

#[test]
fn words_that_a_refused_rule_read_are_kept_with_the_next_frame() {
    let mut world = in_function()
        .row(row(0x100, 0x110, 7, 8))
        .push(0x100, to(STACK, 0))
        .register(6, to(STACK, 0x200))
        .push(0x208, to(CODE, 0x300))
        .call(0x300);
    let walk = world.walk();
    assert_eq!(walk.frames[1].failed, [Failed { rule: Rule::CfiEhFrame, reason: WhyNot::NotExecutable }]);
    assert_eq!(walk.frames[1].reads.iter().map(|read| read.at).collect::<Vec<_>>(), [at(STACK, 0x100), at(STACK, 0x208)]);
}
