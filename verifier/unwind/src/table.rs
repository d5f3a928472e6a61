//! Evaluates the CFI program of one FDE up to an address, into an [`UnwindRow`].
//!
//! Not here: finding the FDE (`index.rs`), applying the row (`walk.rs`).

use gimli::{BaseAddresses, UnwindContext, UnwindExpression, UnwindSection, UnwindTableRow};

use crate::index::{Segment, Slice};
use crate::row::{CfaRule, CfiSection, MAX_EXPRESSION_BYTES, RegisterRule, UnwindRow};
use crate::space::{ModuleRelAddr, Registers};

/// Where to evaluate: a section and its address bases.
pub(crate) struct Source<'b, S> {
    pub(crate) section: S,
    pub(crate) kind: CfiSection,
    pub(crate) bases: &'b BaseAddresses,
    pub(crate) image_base: u64,
}

impl<'a, S: UnwindSection<Slice<'a>>> Source<'_, S> {
    /// The row that holds at SVMA `address`, cut to `segment`; `None` when the program is damaged or does not reach it.
    pub(crate) fn row(&self, segment: Segment, address: u64) -> Option<UnwindRow> {
        let fde = self.section.fde_from_offset(self.bases, segment.fde.into(), S::cie_from_offset).ok()?;
        let mut context = UnwindContext::new();
        let row = fde.unwind_info_for_address(&self.section, self.bases, &mut context, address).ok()?;
        let relative = |svma: u64| svma.checked_sub(self.image_base).map(ModuleRelAddr);
        let cfa = match row.cfa() {
            gimli::CfaRule::RegisterAndOffset { register, offset } => CfaRule::RegisterOffset(register.0, *offset),
            gimli::CfaRule::Expression(expression) => CfaRule::Expression(self.hex(expression)?),
        };
        Some(UnwindRow {
            start: relative(row.start_address().max(segment.start))?,
            end: relative(row.end_address().min(segment.end))?,
            section: self.kind,
            fde_offset: u64::try_from(segment.fde).ok()?,
            signal: fde.is_signal_trampoline(),
            cfa,
            registers: self.registers(row, fde.cie().return_address_register().0)?,
        })
    }

    /// Rules ascending by number; the CIE's return-address column becomes 16.
    fn registers(&self, row: &UnwindTableRow<usize>, ra_column: u16) -> Option<Vec<(u16, RegisterRule)>> {
        let mut rules = Vec::new();
        for (register, rule) in row.registers() {
            let number = match register.0 {
                column if column == ra_column => Registers::IP,
                // Another column that claims 16 is no return address.
                Registers::IP => continue,
                other => other,
            };
            rules.push((number, self.rule(rule)?));
        }
        rules.sort_unstable_by_key(|&(number, _)| number);
        Some(rules)
    }

    fn rule(&self, rule: &gimli::RegisterRule<usize>) -> Option<RegisterRule> {
        Some(match rule {
            gimli::RegisterRule::SameValue => RegisterRule::SameValue,
            gimli::RegisterRule::Offset(offset) => RegisterRule::Offset(*offset),
            gimli::RegisterRule::ValOffset(offset) => RegisterRule::ValOffset(*offset),
            gimli::RegisterRule::Register(register) => RegisterRule::Register(register.0),
            gimli::RegisterRule::Expression(expression) => RegisterRule::Expression(self.hex(expression)?),
            gimli::RegisterRule::ValExpression(expression) => RegisterRule::ValExpression(self.hex(expression)?),
            // Undefined, and vendor rules that no x86_64 producer writes: not recoverable.
            _ => RegisterRule::Undefined,
        })
    }

    fn hex(&self, expression: &UnwindExpression<usize>) -> Option<String> {
        let bytes = expression.get(&self.section).ok()?.0;
        (bytes.len() <= MAX_EXPRESSION_BYTES).then(|| hex::encode(bytes.slice()))
    }
}
