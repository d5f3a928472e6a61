//! A copy of a part of the stack: where a rule needs what was not copied the walk ends, and no lesser rule answers in its place.
//! Each case has its control: the same world without a copy's end, where that word cannot be read, and a lesser rule does answer.

use super::world::{CODE, STACK, World, at, row, to};
use crate::{Failed, Limits, RegisterRule, Rule, TerminatedBy, Walk, WhyNot, Word};

/// The copy's end: the stack pointer is at 0x100.
const END: u64 = 0x200;

/// A function without a row. The only candidate of a scan is the return address at 0x110.
fn in_function() -> World {
    World::new(to(CODE, 0x100), to(STACK, 0x100)).push(0x100, Word::Null).push(0x108, Word::Null).push(0x110, to(CODE, 0x300)).call(0x300)
}

/// The frame pointer leads to that return address.
fn with_frame_pointer() -> World {
    in_function().register(6, to(STACK, 0x108))
}

fn ends_at_the_copy(world: &World) -> Walk {
    let walk = world.clone().copied(END).walk();
    assert_eq!((walk.frames.len(), walk.terminated_by), (1, TerminatedBy::StackCopyLimit), "{:?}", walk.failed);
    walk
}

/// The rule that finds the caller when memory itself is read and the word cannot be.
fn without_a_copy(mut world: World) -> Rule {
    world.walk_with(Limits { frames: 2, ..Limits::default() }).frames[1].rule
}

#[test]
fn a_row_whose_return_address_is_not_copied_ends_the_walk_before_any_lesser_rule() {
    let world = with_frame_pointer().row(row(0x100, 0x110, 7, 0x200));
    let walk = ends_at_the_copy(&world);
    assert_eq!(walk.failed, [Failed { rule: Rule::CfiEhFrame, reason: WhyNot::OutsideStackCopy }]);
    assert_eq!(without_a_copy(world), Rule::FramePointer);
}

#[test]
fn a_row_whose_expression_needs_what_is_not_copied_ends_the_walk() {
    // DW_OP_breg7 512, DW_OP_deref.
    let world = with_frame_pointer().row(row(0x100, 0x110, 7, 8).cfa("77800406"));
    let walk = ends_at_the_copy(&world);
    assert_eq!(walk.failed, [Failed { rule: Rule::CfiEhFrame, reason: WhyNot::OutsideStackCopy }]);
    assert_eq!(without_a_copy(world), Rule::FramePointer);
}

#[test]
fn a_frame_pointer_to_what_is_not_copied_ends_the_walk_before_the_scan() {
    let world = in_function().register(6, to(STACK, 0x280));
    let walk = ends_at_the_copy(&world);
    let expected = [(Rule::CfiEhFrame, WhyNot::NoFde), (Rule::FramePointer, WhyNot::OutsideStackCopy)];
    assert_eq!(walk.failed, expected.map(|(rule, reason)| Failed { rule, reason }));
    assert_eq!(without_a_copy(world), Rule::HeuristicScan);
}

#[test]
fn a_trampoline_whose_context_is_not_copied_ends_the_walk_before_the_scan() {
    let mut world = in_function();
    world.sigreturn = Some(at(CODE, 0x100));
    // The context's sp, 160 bytes above it, lies past this end; the scan's candidate does not.
    let walk = world.clone().copied(0x180).walk();
    assert_eq!(walk.terminated_by, TerminatedBy::StackCopyLimit);
    assert_eq!(walk.failed.last(), Some(&Failed { rule: Rule::HelperSigreturn, reason: WhyNot::OutsideStackCopy }));
    assert_eq!(without_a_copy(world), Rule::HeuristicScan);
}

#[test]
fn a_scan_that_reaches_the_end_of_the_copy_takes_no_candidate_since_a_second_may_lie_beyond() {
    let world = (0x118..END).step_by(8).fold(in_function(), |world, offset| world.push(offset, Word::Null));
    let walk = ends_at_the_copy(&world);
    assert_eq!(walk.failed.last(), Some(&Failed { rule: Rule::HeuristicScan, reason: WhyNot::OutsideStackCopy }));
    assert_eq!(walk.reads.len(), usize::try_from((END - 0x100) / 8).unwrap());
    assert_eq!(without_a_copy(world), Rule::HeuristicScan);
}

#[test]
fn a_register_saved_past_the_copy_ends_the_walk_only_where_a_rule_needs_it() {
    let saved =
        [RegisterRule::Offset(0x200), RegisterRule::Expression("77800406".to_owned()), RegisterRule::ValExpression("77800406".to_owned())];
    for rule in saved {
        // The caller at 0x300 needs r12 for its CFA, the one at 0x400 does not; both have a frame pointer that leads on.
        let called = |pc: u64| {
            let world = World::new(to(CODE, 0x100), to(STACK, 0x100)).register(6, to(STACK, 0x120)).copied(END);
            let world = world.row(row(0x100, 0x110, 7, 8).rule(12, rule.clone())).push(0x100, to(CODE, pc));
            let world = world.row(row(0x2f0, 0x310, 12, 8)).row(row(0x3f0, 0x410, 7, 8)).push(0x108, Word::Null);
            world.push(0x128, to(CODE, 0x500)).call(0x500)
        };
        let walk = called(0x300).walk();
        assert_eq!((walk.frames.len(), walk.terminated_by), (2, TerminatedBy::StackCopyLimit), "{rule:?}");
        assert_eq!(walk.failed, [Failed { rule: Rule::CfiEhFrame, reason: WhyNot::OutsideStackCopy }], "{rule:?}");
        let walk = called(0x400).walk();
        assert_eq!((walk.frames.len(), walk.terminated_by), (2, TerminatedBy::RaNull), "{rule:?}");
        let mut unmapped = called(0x300);
        unmapped.copied = None;
        assert_eq!(unmapped.walk().frames[2].rule, Rule::FramePointer, "{rule:?}");
    }
}
