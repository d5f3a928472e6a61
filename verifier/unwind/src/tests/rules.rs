//! What each rule finds.

use super::world::{ALT, CODE, JIT, STACK, World, at, row, to};
use crate::{Failed, Limits, Read, RegisterRule, Rule, TerminatedBy, Walk, WhyNot, Word};

/// pc and rule of each frame.
fn frames(walk: &Walk) -> Vec<(Word, Rule)> {
    walk.frames.iter().map(|frame| (frame.pc, frame.rule)).collect()
}

/// `PLT: CFA = rsp + 8 + ((rip & 15) >= 11) * 8`, as every linker writes it.
const PLT: &str = "770880003f1a3b2a332422";

#[test]
fn cfi_walks_to_the_frame_whose_return_address_is_undefined() {
    let mut world = World::new(to(CODE, 0x100), to(STACK, 0x100))
        .row(row(0x100, 0x110, 7, 8))
        .row(row(0x200, 0x210, 7, 32))
        .row(row(0x300, 0x310, 7, 8).rule(16, RegisterRule::Undefined))
        .push(0x100, to(CODE, 0x208))
        .push(0x120, to(CODE, 0x308));
    let walk = world.walk();
    assert_eq!(frames(&walk), [(to(CODE, 0x100), Rule::Context), (to(CODE, 0x208), Rule::CfiEhFrame), (to(CODE, 0x308), Rule::CfiEhFrame)]);
    assert_eq!(walk.terminated_by, TerminatedBy::RaUndefined);
    assert!(walk.failed.is_empty());
    let second = &walk.frames[1];
    assert_eq!(second.lookup, Some(at(CODE, 0x207)));
    assert_eq!(second.cfa, to(STACK, 0x108));
    assert_eq!(second.row.as_ref().unwrap().row.start.0, 0x100);
    assert_eq!(second.reads, [Read { register: Some(16), at: at(STACK, 0x100), word: to(CODE, 0x208) }]);
    assert_eq!(walk.frames[2].cfa, to(STACK, 0x128));
}

#[test]
fn an_absent_return_address_rule_ends_the_stack_and_reads_nothing() {
    let mut outermost = row(0x100, 0x110, 7, 8);
    outermost.registers.clear();
    let mut world = World::new(to(CODE, 0x100), to(STACK, 0x100)).row(outermost).push(0x100, to(CODE, 0x208)).call(0x208);
    let walk = world.walk();
    assert_eq!((walk.frames.len(), walk.terminated_by), (1, TerminatedBy::RaUndefined));
    assert!(world.asked.is_empty());
}

#[test]
fn a_null_return_address_ends_the_stack_and_its_word_is_among_the_reads() {
    let mut world = World::new(to(CODE, 0x100), to(STACK, 0x100)).row(row(0x100, 0x110, 7, 8)).push(0x100, Word::Null);
    let walk = world.walk();
    assert_eq!((walk.frames.len(), walk.terminated_by), (1, TerminatedBy::RaNull));
    assert_eq!(walk.reads, [Read { register: Some(16), at: at(STACK, 0x100), word: Word::Null }]);
}

#[test]
fn a_null_return_address_in_the_last_word_of_a_stack_is_read() {
    let mut world = World::new(to(CODE, 0x100), to(STACK, 0xff8)).row(row(0x100, 0x110, 7, 8)).push(0xff8, Word::Null);
    assert_eq!(world.walk().terminated_by, TerminatedBy::RaNull);
}

#[test]
fn saved_registers_are_read_only_when_a_later_rule_needs_them() {
    let mut world = World::new(to(CODE, 0x100), to(STACK, 0x100))
        .row(row(0x100, 0x110, 7, 32).rule(3, RegisterRule::Offset(-32)).rule(6, RegisterRule::Offset(-24)))
        .row(row(0x200, 0x210, 6, 16))
        .push(0x100, Word::Invalid)
        .push(0x108, to(STACK, 0x200))
        .push(0x118, to(CODE, 0x208))
        .push(0x208, Word::Null);
    let walk = world.walk();
    assert_eq!(walk.terminated_by, TerminatedBy::RaNull);
    // rbx at 0x100 was restored by rule and never read; rbp at 0x108 was forced by the second row.
    assert_eq!(world.asked, [at(STACK, 0x118), at(STACK, 0x108), at(STACK, 0x208)]);
    assert_eq!(walk.reads[0], Read { register: Some(6), at: at(STACK, 0x108), word: to(STACK, 0x200) });
}

#[test]
fn a_register_forced_once_is_not_read_again() {
    let mut world = World::new(to(CODE, 0x100), to(STACK, 0x100))
        .row(row(0x100, 0x110, 7, 16).rule(6, RegisterRule::Offset(-16)))
        .row(row(0x200, 0x210, 6, 0))
        .row(row(0x300, 0x310, 6, 8))
        .push(0x100, to(STACK, 0x200))
        .push(0x108, to(CODE, 0x208))
        .push(0x1f8, to(CODE, 0x308))
        .push(0x200, Word::Null);
    assert_eq!(world.walk().terminated_by, TerminatedBy::RaNull);
    assert_eq!(world.asked.iter().filter(|place| **place == at(STACK, 0x100)).count(), 1);
}

#[test]
fn only_initial_registers_that_a_rule_used_are_reported() {
    let mut world = World::new(to(CODE, 0x100), to(STACK, 0x100))
        .register(3, Word::Invalid)
        .register(10, to(STACK, 0x180))
        .register(6, to(STACK, 0x300))
        .register(12, to(STACK, 0x400))
        .row(row(0x100, 0x110, 10, 0).rule(6, RegisterRule::SameValue))
        .row(row(0x200, 0x210, 6, 0))
        .push(0x178, to(CODE, 0x208))
        .push(0x2f8, Word::Null);
    let walk = world.walk();
    assert_eq!((walk.frames.len(), walk.terminated_by), (2, TerminatedBy::RaNull));
    assert_eq!(walk.initial_registers_read, [10]);
}

#[test]
fn a_return_address_kept_in_a_register_is_reported_as_used() {
    let mut world = World::new(to(CODE, 0x100), to(STACK, 0x100))
        .register(5, to(CODE, 0x208))
        .row(row(0x100, 0x110, 7, 0).rule(16, RegisterRule::Register(5)));
    let walk = world.walk();
    // The first step may leave sp where it is.
    assert_eq!((walk.frames.len(), walk.frames[1].pc), (2, to(CODE, 0x208)));
    assert_eq!(walk.initial_registers_read, [5]);
}

#[test]
fn callee_saved_registers_survive_without_a_rule_and_others_do_not() {
    for (number, kept) in [(0, false), (1, false), (3, true), (5, false), (6, true), (11, false), (12, true), (15, true)] {
        let mut world = World::new(to(CODE, 0x100), to(STACK, 0x100))
            .register(number, to(STACK, 0x200))
            .row(row(0x100, 0x110, 7, 8))
            .row(row(0x200, 0x210, number, 0))
            .push(0x100, to(CODE, 0x208))
            .push(0x1f8, to(CODE, 0x300));
        let walk = world.walk();
        assert_eq!(walk.frames.len() == 3, kept, "register {number}");
    }
}

#[test]
fn every_register_rule_restores_what_it_says() {
    // The second row's CFA is register 12 as each rule restores it: 1:200 (or the word stored there).
    let cfa_is_12 = row(0x200, 0x210, 12, 0);
    let rules = [
        (RegisterRule::SameValue, true),
        (RegisterRule::Offset(-0x10), true),
        (RegisterRule::ValOffset(0xf0), true),
        (RegisterRule::Register(5), true),
        // CFA, DW_OP_lit16, DW_OP_minus
        (RegisterRule::Expression("401c".to_owned()), true),
        // CFA, DW_OP_const1u 0xf0, DW_OP_plus
        (RegisterRule::ValExpression("08f022".to_owned()), true),
        (RegisterRule::Undefined, false),
        (RegisterRule::Register(9), false),
        (RegisterRule::ValOffset(0x10_0000), false),
        (RegisterRule::Expression("96".to_owned() + "ff"), false),
    ];
    for (rule, restored) in rules {
        let mut world = World::new(to(CODE, 0x100), to(STACK, 0x100))
            .register(12, to(STACK, 0x200))
            .register(5, to(STACK, 0x200))
            .row(row(0x100, 0x110, 7, 0x10).rule(12, rule.clone()))
            .row(cfa_is_12.clone())
            .push(0x100, to(STACK, 0x200))
            .push(0x108, to(CODE, 0x208))
            .push(0x1f8, to(CODE, 0x300));
        let walk = world.walk();
        assert_eq!(walk.frames.len() == 3, restored, "{rule:?}");
        if !restored {
            assert_eq!(walk.failed[0], Failed { rule: Rule::CfiEhFrame, reason: WhyNot::BadRegister }, "{rule:?}");
        }
    }
}

#[test]
fn the_plt_expression_follows_the_low_bits_of_the_pc() {
    for (pc, slot) in [(0x100, 0x100), (0x10a, 0x100), (0x10b, 0x108), (0x10f, 0x108)] {
        let mut world =
            World::new(to(CODE, pc), to(STACK, 0x100)).row(row(0x100, 0x110, 7, 8).cfa(PLT)).push(slot, to(CODE, 0x208)).call(0x999);
        let walk = world.walk();
        assert_eq!((walk.frames.len(), walk.frames[1].cfa), (2, to(STACK, slot + 8)), "{pc:#x}");
    }
}

#[test]
fn an_expression_reads_memory_and_the_words_are_recorded() {
    // DRAP, as gcc writes it: CFA = *(rbp − 8), rbp saved at rbp.
    let mut world = World::new(to(CODE, 0x100), to(STACK, 0x100))
        .register(6, to(STACK, 0x180))
        .row(row(0x100, 0x110, 7, 8).cfa("767806").rule(6, RegisterRule::Expression("7600".to_owned())))
        .push(0x178, to(STACK, 0x200))
        .push(0x1f8, to(CODE, 0x208));
    let walk = world.walk();
    assert_eq!(walk.frames[1].cfa, to(STACK, 0x200));
    assert_eq!(walk.frames[1].reads[0], Read { register: None, at: at(STACK, 0x178), word: to(STACK, 0x200) });
    assert_eq!(world.asked[..2], [at(STACK, 0x178), at(STACK, 0x1f8)]);
}

#[test]
fn the_frame_pointer_is_used_where_no_row_is_and_the_failure_is_recorded() {
    let mut world = World::new(to(JIT, 0x10), to(STACK, 0x100))
        .register(6, to(STACK, 0x120))
        .push(0x120, to(STACK, 0x140))
        .push(0x128, to(CODE, 0x208))
        .call(0x208)
        .push(0x140, Word::Null)
        .push(0x148, to(CODE, 0x308))
        .call(0x308);
    let walk = world.walk();
    assert_eq!(
        frames(&walk),
        [(to(JIT, 0x10), Rule::Context), (to(CODE, 0x208), Rule::FramePointer), (to(CODE, 0x308), Rule::FramePointer)]
    );
    assert_eq!(walk.frames[1].failed, [Failed { rule: Rule::CfiEhFrame, reason: WhyNot::NoModule }]);
    assert_eq!(walk.frames[2].failed, [Failed { rule: Rule::CfiEhFrame, reason: WhyNot::NoFde }]);
    assert_eq!(walk.frames[1].cfa, to(STACK, 0x130));
    // The caller's rbp is lazy: forced by the next step only.
    assert_eq!(walk.frames[1].reads.iter().map(|read| read.at).collect::<Vec<_>>(), [at(STACK, 0x128)]);
    assert_eq!(walk.frames[2].reads.iter().map(|read| read.at).collect::<Vec<_>>(), [at(STACK, 0x120), at(STACK, 0x148)]);
    assert_eq!(walk.terminated_by, TerminatedBy::NoRule);
}

#[test]
fn a_wild_jump_is_left_by_the_frame_pointer() {
    for pc in [Word::Null, Word::Invalid] {
        let mut world =
            World::new(pc, to(STACK, 0x100)).register(6, to(STACK, 0x120)).push(0x120, Word::Null).push(0x128, to(CODE, 0x208)).call(0x208);
        let walk = world.walk();
        assert_eq!(walk.frames[0].lookup, None);
        assert_eq!(walk.frames[1].rule, Rule::FramePointer);
        assert_eq!(walk.frames[1].failed, [Failed { rule: Rule::CfiEhFrame, reason: WhyNot::NoModule }]);
    }
}

/// `__restore_rt` of glibc: CFA = *(rsp + 160), registers at rsp + 40.
fn restore_rt(start: u64) -> crate::UnwindRow {
    row(start, start + 10, 7, 0)
        .cfa("77a00106")
        .signal()
        .rule(3, RegisterRule::Expression("778001".to_owned()))
        .rule(6, RegisterRule::Expression("77f800".to_owned()))
        .rule(7, RegisterRule::Expression("77a001".to_owned()))
        .rule(16, RegisterRule::Expression("77a801".to_owned()))
}

#[test]
fn a_signal_row_leads_to_an_exact_pc_even_on_a_lower_stack() {
    let mut world = World::new(to(CODE, 0x400), to(STACK, 0x200))
        .row(restore_rt(0x400))
        .row(row(0x500, 0x501, 7, 16))
        .push(0x200 + 160, to(STACK, 0x80))
        .push(0x200 + 168, to(CODE, 0x500))
        .push(0x88, Word::Null);
    let walk = world.walk();
    let interrupted = &walk.frames[1];
    assert!(interrupted.after_signal);
    assert_eq!((interrupted.pc, interrupted.lookup, interrupted.cfa), (to(CODE, 0x500), Some(at(CODE, 0x500)), to(STACK, 0x80)));
    // The row that starts exactly at the pc was used: CFA = 0x90, return address at 0x88.
    assert_eq!(walk.terminated_by, TerminatedBy::RaNull);
}

#[test]
fn the_trampoline_is_recognised_without_cfi() {
    let mut world = World::new(to(CODE, 0x400), to(ALT, 0x100))
        .row(row(0x500, 0x501, 3, 16))
        .word(at(ALT, 0x100 + 128), to(STACK, 0x300))
        .word(at(ALT, 0x100 + 160), to(STACK, 0x80))
        .word(at(ALT, 0x100 + 168), to(CODE, 0x500))
        .push(0x308, Word::Null);
    world.sigreturn = Some(at(CODE, 0x400));
    let walk = world.walk();
    let interrupted = &walk.frames[1];
    assert_eq!((interrupted.rule, interrupted.after_signal), (Rule::HelperSigreturn, true));
    assert_eq!((interrupted.lookup, interrupted.cfa), (Some(at(CODE, 0x500)), to(STACK, 0x80)));
    assert_eq!(interrupted.failed.len(), 2);
    // Every register of the context is restored lazily: rbx at gregs + 88 was read by the row that needed it, no other was.
    assert_eq!(world.asked, [at(ALT, 0x100 + 160), at(ALT, 0x100 + 168), at(ALT, 0x100 + 128), at(STACK, 0x308)]);
    assert_eq!(walk.terminated_by, TerminatedBy::RaNull);
}

#[test]
fn the_scan_takes_the_only_candidate_of_its_window() {
    let mut world = World::new(to(JIT, 0x10), to(STACK, 0x103))
        .push(0x108, Word::Invalid)
        .push(0x110, to(CODE, 0x700))
        .push(0x118, to(CODE, 0x208))
        .call(0x208)
        .push(0x120, to(STACK, 0x208));
    let walk = world.walk();
    let found = &walk.frames[1];
    assert_eq!((found.rule, found.pc, found.cfa), (Rule::HeuristicScan, to(CODE, 0x208), to(STACK, 0x120)));
    assert_eq!(
        found.failed.iter().map(|failed| failed.rule).collect::<Vec<_>>(),
        [Rule::CfiEhFrame, Rule::FramePointer, Rule::HelperSigreturn]
    );
    assert_eq!(found.reads.len(), 4);
}

#[test]
fn after_a_scan_only_sp_and_pc_are_known() {
    let mut world = World::new(to(JIT, 0x10), to(STACK, 0x100))
        .register(3, to(STACK, 0x200))
        .push(0x100, to(CODE, 0x208))
        .call(0x208)
        .row(row(0x200, 0x210, 3, 16))
        .push(0x208, to(CODE, 0x308));
    let walk = world.walk();
    assert_eq!(walk.frames.len(), 2);
    assert_eq!(walk.failed[0], Failed { rule: Rule::CfiEhFrame, reason: WhyNot::BadRegister });
}

#[test]
fn a_row_may_lead_to_another_stack_but_not_back_below_where_that_was_left() {
    let switching = |back: u64| {
        World::new(to(CODE, 0x100), to(STACK, 0x100))
            .register(6, to(ALT, 0x20))
            .row(row(0x100, 0x110, 7, 16))
            .row(row(0x200, 0x210, 6, 16).rule(6, RegisterRule::Offset(-16)))
            .row(row(0x300, 0x310, 6, 16))
            .push(0x108, to(CODE, 0x208))
            .word(at(ALT, 0x20), to(STACK, back))
            .word(at(ALT, 0x28), to(CODE, 0x308))
            .push(back + 8, to(CODE, 0x400))
    };
    assert_eq!(switching(0x110).walk().frames.len(), 4);
    let refused = switching(0xf0).walk();
    assert_eq!((refused.frames.len(), refused.failed[0].reason), (3, WhyNot::SpNotMonotone));
}

#[test]
fn the_frame_limit_holds_and_a_walk_is_never_empty() {
    let mut world = World::new(to(CODE, 0x100), to(STACK, 0)).row(row(0x100, 0x110, 7, 8));
    for slot in 0..0x200 {
        world = world.push(slot * 8, to(CODE, 0x108));
    }
    for (limit, frames) in [(0, 1), (1, 1), (5, 5)] {
        let walk = world.walk_with(Limits { frames: limit, ..Limits::default() });
        assert_eq!((walk.frames.len(), walk.terminated_by), (frames, TerminatedBy::FrameLimit));
    }
    assert!(world.walk().frames.len() > 500);
}

#[test]
fn a_loop_of_signal_frames_ends_at_the_frame_limit() {
    let mut world = World::new(to(CODE, 0x400), to(STACK, 0x200))
        .row(restore_rt(0x400))
        .push(0x200 + 160, to(STACK, 0x200))
        .push(0x200 + 168, to(CODE, 0x400));
    let walk = world.walk_with(Limits { frames: 100, ..Limits::default() });
    assert_eq!((walk.frames.len(), walk.terminated_by), (100, TerminatedBy::FrameLimit));
}

#[test]
fn no_register_at_all_gives_one_frame() {
    let walk = World::default().walk();
    assert_eq!((walk.frames.len(), walk.frames[0].pc, walk.terminated_by), (1, Word::Invalid, TerminatedBy::NoRule));
    assert_eq!(walk.failed.len(), 4);
}
