//! The step engine: CFI, then frame pointer, then the signal trampoline, then the stack scan, in this order for every frame.
//!
//! Invariants that replay rests on: a walk asks the target only through [`Target`], the same questions in the same order for
//! the same answers; arithmetic never leaves the region it started in; addresses of two regions are never compared. So the
//! frames, which are places, are the same under every page-aligned placement. Only an expression sees addresses under the
//! placement. Those that compilers write add small numbers and look at low bits, so they cannot tell placements apart whose
//! regions lie a page or more apart; a hostile one can, and then replay reports the difference.
//!
//! A walk ends: the stack pointer grows within each region, except over signal frames, and [`Limits::frames`] bounds those.
//!
//! Not here: reading a process, finding rows.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{CallSite, Failed, Limits, Rule, SourcedRow, Target, TerminatedBy, UnwoundFrame, Walk, WhyNot};
use crate::machine::{Held, Held16, Machine, initial, pointer, why};
use crate::row::{CfaRule, RegisterRule};
use crate::space::{Place, Placement, RegionIndex, Registers, Word};

/// rbx, rbp, r12–r15: a callee keeps them (System V ABI for `x86_64`, figure 3.4), so an absent rule means *unchanged*.
const CALLEE_SAVED: [u16; 6] = [3, Registers::FP, 12, 13, 14, 15];

/// `uc_mcontext.gregs` in the `ucontext_t` of `x86_64` Linux, which the stack pointer points at when the trampoline runs.
const GREGS_OFFSET: i64 = 40;
/// DWARF numbers in the order of gregs: r8–r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
const GREGS: [u16; 17] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, Registers::SP, Registers::IP];

/// Bytes of a stack word.
const WORD: i64 = 8;

/// A caller that a rule proposes and that was accepted.
struct Caller {
    rule: Rule,
    pc: Place,
    sp: Place,
    registers: Held16,
    row: Option<SourcedRow>,
    after_signal: bool,
}

/// A rule that needs no row.
type Find<'a> = fn(&mut Walker<'a>) -> Result<Caller, WhyNot>;

/// What a row leads to.
enum Step {
    Caller(Box<Caller>),
    End(TerminatedBy),
}

/// Walks a stack from captured registers. All arithmetic happens on AVMAs of `placement`; results are places.
pub fn walk(registers: &Registers, placement: &Placement, target: &mut dyn Target, limits: Limits) -> Walk {
    let machine = Machine {
        placement,
        target,
        expression_steps: limits.expression_steps,
        registers: initial(registers),
        reads: Vec::new(),
        initial_read: BTreeSet::new(),
    };
    Walker { machine, limits, tops: BTreeMap::new(), failed: Vec::new() }.run(registers)
}

struct Walker<'a> {
    machine: Machine<'a>,
    limits: Limits,
    /// The highest stack pointer so far, by region: a stack left for another is never re-entered below it.
    tops: BTreeMap<RegionIndex, u64>,
    failed: Vec<Failed>,
}

impl<'a> Walker<'a> {
    /// The rules after CFI, in their order.
    const FALLBACKS: [(Rule, Find<'a>); 3] =
        [(Rule::FramePointer, Self::frame_pointer), (Rule::HelperSigreturn, Self::sigreturn), (Rule::HeuristicScan, Self::scan)];

    fn run(mut self, registers: &Registers) -> Walk {
        let mut frames = vec![first_frame(registers)];
        let mut lookup = frames.first().and_then(|frame| frame.lookup);
        if let Some(Word::At(sp)) = frames.first().map(|frame| frame.cfa) {
            self.tops.insert(sp.region, sp.offset);
        }
        let terminated_by = loop {
            if frames.len() >= self.limits.frames {
                break TerminatedBy::FrameLimit;
            }
            match self.step(lookup, frames.len() == 1) {
                Step::End(reason) => break reason,
                Step::Caller(caller) => {
                    let frame = self.enter(*caller);
                    lookup = frame.lookup;
                    frames.push(frame);
                }
            }
        };
        let told_anyway = [Registers::FP, Registers::SP, Registers::IP];
        let used = self.machine.initial_read.iter().copied();
        let initial_registers_read = used.filter(|number| !told_anyway.contains(number)).collect();
        Walk { frames, terminated_by, failed: self.failed, reads: self.machine.reads, initial_registers_read }
    }

    /// Makes an accepted caller the current frame.
    fn enter(&mut self, caller: Caller) -> UnwoundFrame {
        self.machine.registers = caller.registers;
        self.tops.insert(caller.sp.region, caller.sp.offset);
        let lookup = if caller.after_signal { Some(caller.pc) } else { self.machine.shift(caller.pc, -1) };
        UnwoundFrame {
            pc: Word::At(caller.pc),
            lookup,
            rule: caller.rule,
            row: caller.row,
            reads: std::mem::take(&mut self.machine.reads),
            cfa: Word::At(caller.sp),
            failed: std::mem::take(&mut self.failed),
            after_signal: caller.after_signal,
        }
    }

    /// One step: the rules in their order.
    fn step(&mut self, lookup: Option<Place>, first: bool) -> Step {
        match self.cfi(lookup, first) {
            Ok(step) => return step,
            Err(failed) => self.failed.push(failed),
        }
        for (rule, find) in Self::FALLBACKS {
            if self.is_past_the_copy() {
                break;
            }
            match find(self) {
                Ok(caller) => return Step::Caller(Box::new(caller)),
                Err(reason) => self.failed.push(Failed { rule, reason }),
            }
        }
        Step::End(if self.is_past_the_copy() { TerminatedBy::StackCopyLimit } else { TerminatedBy::NoRule })
    }

    /// Whether the last rule failed for want of a word that was not copied: it might have been right, so no lesser rule may answer for it.
    fn is_past_the_copy(&self) -> bool {
        self.failed.last().is_some_and(|failed| failed.reason == WhyNot::OutsideStackCopy)
    }

    /// The row for the lookup address. Where there is none, the failure is booked under `.eh_frame`.
    fn cfi(&mut self, lookup: Option<Place>, first: bool) -> Result<Step, Failed> {
        let absent = |reason| Failed { rule: Rule::CfiEhFrame, reason };
        let lookup = lookup.ok_or_else(|| absent(WhyNot::NoModule))?;
        let sourced = self.machine.target.row(lookup).map_err(absent)?;
        let rule = Rule::from(sourced.row.section);
        self.apply(sourced, rule, first).map_err(|reason| Failed { rule, reason })
    }

    fn apply(&mut self, sourced: SourcedRow, rule: Rule, first: bool) -> Result<Step, WhyNot> {
        let row = &sourced.row;
        let ra_rule = match row.registers.iter().find(|(number, _)| *number == Registers::IP) {
            None | Some((_, RegisterRule::Undefined)) => return Ok(Step::End(TerminatedBy::RaUndefined)),
            Some((_, ra_rule)) => ra_rule,
        };
        let cfa = self.cfa(&row.cfa)?;
        if !row.signal && !self.grows(cfa, first) {
            return Err(WhyNot::SpNotMonotone);
        }
        let pc = match self.saved_by(ra_rule, Registers::IP, cfa)? {
            Held::Saved(place) => self.machine.read(place, Some(Registers::IP))?,
            Held::Value(word) => word,
            Held::Initial(number, word) => {
                self.machine.initial_read.insert(number);
                word
            }
            Held::Unknown => return Err(WhyNot::BadRegister),
            Held::NotCopied => return Err(WhyNot::OutsideStackCopy),
        };
        let pc = match pc {
            Word::Null => return Ok(Step::End(TerminatedBy::RaNull)),
            other => self.executable(other)?,
        };
        let mut registers: Held16 = CALLEE_SAVED.into_iter().map(|number| (number, self.machine.held(number))).collect();
        registers.insert(Registers::SP, Held::Value(Word::At(cfa)));
        for (number, register_rule) in row.registers.iter().filter(|(number, _)| *number < Registers::IP) {
            // A register that cannot be restored spoils only the rules that need it.
            let held = self.saved_by(register_rule, *number, cfa).unwrap_or_else(|reason| match reason {
                WhyNot::OutsideStackCopy => Held::NotCopied,
                _ => Held::Unknown,
            });
            registers.insert(*number, held);
        }
        registers.insert(Registers::IP, Held::Value(Word::At(pc)));
        let after_signal = row.signal;
        Ok(Step::Caller(Box::new(Caller { rule, pc, sp: cfa, registers, row: Some(sourced), after_signal })))
    }

    fn cfa(&mut self, rule: &CfaRule) -> Result<Place, WhyNot> {
        match rule {
            CfaRule::RegisterOffset(register, offset) => {
                let base = self.machine.pointer(*register)?;
                self.machine.shift_to_end(base, *offset).ok_or(WhyNot::BadMemory)
            }
            CfaRule::Expression(hex) => {
                let address = self.machine.evaluate(hex, None)?;
                self.machine.place(address)
            }
        }
    }

    /// Where the caller's register is, by its rule. Evaluates expressions, but reads no saved register.
    fn saved_by(&mut self, rule: &RegisterRule, register: u16, cfa: Place) -> Result<Held, WhyNot> {
        Ok(match rule {
            RegisterRule::Undefined => Held::Unknown,
            RegisterRule::SameValue => self.machine.held(register),
            RegisterRule::Register(other) => self.machine.held(*other),
            RegisterRule::Offset(offset) => Held::Saved(self.machine.shift(cfa, *offset).ok_or(WhyNot::BadMemory)?),
            RegisterRule::ValOffset(offset) => Held::Value(self.machine.shift(cfa, *offset).map_or(Word::Invalid, Word::At)),
            RegisterRule::Expression(hex) => {
                let cfa = self.machine.address(cfa)?;
                let address = self.machine.evaluate(hex, Some(cfa))?;
                Held::Saved(self.machine.place(address)?)
            }
            RegisterRule::ValExpression(hex) => {
                let cfa = self.machine.address(cfa)?;
                let value = self.machine.evaluate(hex, Some(cfa))?;
                Held::Value(self.machine.placement.word(value))
            }
        })
    }

    /// Whether a new stack pointer lies above all earlier ones of its region; the first step may stay where it is.
    fn grows(&self, sp: Place, first: bool) -> bool {
        self.tops.get(&sp.region).is_none_or(|&top| sp.offset > top || (first && sp.offset == top))
    }

    fn executable(&self, word: Word) -> Result<Place, WhyNot> {
        let place = pointer(word).map_err(|_nowhere| WhyNot::NotExecutable)?;
        if self.machine.target.is_executable(place) { Ok(place) } else { Err(WhyNot::NotExecutable) }
    }

    /// A return address: executable, and behind a call.
    fn return_address(&mut self, word: Word) -> Result<Place, WhyNot> {
        let place = self.executable(word)?;
        match self.machine.target.call_site(place).map_err(why)? {
            CallSite::CallRelative | CallSite::CallIndirect => Ok(place),
            CallSite::None => Err(WhyNot::NoCallBefore),
        }
    }

    /// `push %rbp; mov %rsp, %rbp`: the caller's rbp at rbp, the return address above it.
    fn frame_pointer(&mut self) -> Result<Caller, WhyNot> {
        let sp = self.machine.pointer(Registers::SP)?;
        let fp = self.machine.pointer(Registers::FP)?;
        if fp.region != sp.region || fp.offset < sp.offset {
            return Err(WhyNot::SpNotMonotone);
        }
        let slot = self.machine.shift(fp, WORD).ok_or(WhyNot::BadMemory)?;
        let above = self.machine.shift_to_end(fp, 2 * WORD).ok_or(WhyNot::BadMemory)?;
        if !self.grows(above, false) {
            return Err(WhyNot::SpNotMonotone);
        }
        let word = self.machine.read(slot, Some(Registers::IP))?;
        let pc = self.return_address(word)?;
        let registers = Held16::from([
            (Registers::FP, Held::Saved(fp)),
            (Registers::SP, Held::Value(Word::At(above))),
            (Registers::IP, Held::Value(Word::At(pc))),
        ]);
        Ok(Caller { rule: Rule::FramePointer, pc, sp: above, registers, row: None, after_signal: false })
    }

    /// The signal trampoline: the interrupted registers stand in the `ucontext_t` at the stack pointer.
    fn sigreturn(&mut self) -> Result<Caller, WhyNot> {
        let at = self.machine.pointer(Registers::IP).map_err(|_nowhere| WhyNot::NotSigreturn)?;
        if !self.machine.target.is_sigreturn(at).map_err(why)? {
            return Err(WhyNot::NotSigreturn);
        }
        let context = self.machine.pointer(Registers::SP)?;
        let mut slot = self.machine.shift(context, GREGS_OFFSET).ok_or(WhyNot::BadMemory)?;
        let mut registers = Held16::new();
        for number in GREGS {
            registers.insert(number, Held::Saved(slot));
            slot = self.machine.shift(slot, WORD).ok_or(WhyNot::BadMemory)?;
        }
        let sp = self.force(&mut registers, Registers::SP)?;
        let sp = pointer(sp)?;
        let pc = self.force(&mut registers, Registers::IP)?;
        let pc = self.executable(pc)?;
        Ok(Caller { rule: Rule::HelperSigreturn, pc, sp, registers, row: None, after_signal: true })
    }

    /// Reads one register of a caller that is not entered yet.
    fn force(&mut self, registers: &mut Held16, number: u16) -> Result<Word, WhyNot> {
        let Some(Held::Saved(place)) = registers.get(&number).copied() else { return Err(WhyNot::BadRegister) };
        let word = self.machine.read(place, Some(number))?;
        registers.insert(number, Held::Value(word));
        Ok(word)
    }

    /// Looks for the only word in the window that could be a return address.
    ///
    /// The window: [`Limits::scan_words`] words from the stack pointer upward (rounded up to 8), within its region, up to the
    /// first word that cannot be read. A candidate is a word that points into executable memory behind a call instruction.
    /// Exactly one candidate is taken; with a second one nothing tells the caller from what an older call left behind, so the
    /// scan reads no further and the walk ends. Only the stack pointer and the pc of the frame found so are known.
    fn scan(&mut self) -> Result<Caller, WhyNot> {
        let sp = self.machine.pointer(Registers::SP)?;
        // Bases are page aligned, so the offset is aligned where the address is.
        let aligned = sp.offset.checked_next_multiple_of(8).map(|offset| Place { region: sp.region, offset });
        let mut next = aligned.and_then(|place| self.machine.shift(place, 0));
        let mut found = None;
        for _ in 0..self.limits.scan_words {
            let Some(at) = next else { break };
            let word = match self.machine.read(at, None) {
                Ok(word) => word,
                Err(WhyNot::BadMemory) => break,
                Err(reason) => return Err(reason),
            };
            match (self.return_address(word), found) {
                (Ok(_), Some(_)) => return Err(WhyNot::Ambiguous),
                (Ok(pc), None) => found = Some((at, pc)),
                (Err(reason @ (WhyNot::OutsideReadSet | WhyNot::OutsideStackCopy)), _) => return Err(reason),
                (Err(_), _) => {}
            }
            next = self.machine.shift(at, WORD);
        }
        let (at, pc) = found.ok_or(WhyNot::NothingFound)?;
        let above = self.machine.shift_to_end(at, WORD).ok_or(WhyNot::BadMemory)?;
        if !self.grows(above, false) {
            return Err(WhyNot::SpNotMonotone);
        }
        let registers = Held16::from([(Registers::SP, Held::Value(Word::At(above))), (Registers::IP, Held::Value(Word::At(pc)))]);
        Ok(Caller { rule: Rule::HeuristicScan, pc, sp: above, registers, row: None, after_signal: false })
    }
}

/// The captured registers as a frame.
fn first_frame(registers: &Registers) -> UnwoundFrame {
    let captured = |number| registers.0.get(&number).copied().unwrap_or(Word::Invalid);
    let pc = captured(Registers::IP);
    UnwoundFrame {
        pc,
        lookup: pointer(pc).ok(),
        rule: Rule::Context,
        row: None,
        reads: Vec::new(),
        cfa: captured(Registers::SP),
        failed: Vec::new(),
        after_signal: false,
    }
}
