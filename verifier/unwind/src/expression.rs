//! DWARF expressions of unwind rows (DWARF 5 §2.5, §6.4.2): inputs and outputs are addresses under the placement.
//!
//! Not here: location descriptions. Whatever a row cannot mean (types, frame bases, object addresses) is a bad expression.

use gimli::{Encoding, EndianSlice, EvaluationResult, Expression, Format, LittleEndian, Location, UnitOffset, Value};

use crate::engine::WhyNot;
use crate::machine::{Machine, pointer};
use crate::row::MAX_EXPRESSION_BYTES;

const ENCODING: Encoding = Encoding { address_size: 8, format: Format::Dwarf32, version: 4 };
/// The untyped stack entry of DWARF 5 §2.5.1.
const GENERIC: UnitOffset<usize> = UnitOffset(0);

impl Machine<'_> {
    /// Evaluates an expression, with `cfa` pushed first where the rule says so.
    pub(crate) fn evaluate(&mut self, hex: &str, cfa: Option<u64>) -> Result<u64, WhyNot> {
        if hex.len() > 2 * MAX_EXPRESSION_BYTES {
            return Err(WhyNot::BadExpression);
        }
        let bytes = hex::decode(hex).map_err(bad)?;
        let mut evaluation = Expression(EndianSlice::new(&bytes, LittleEndian)).evaluation(ENCODING);
        evaluation.set_max_iterations(self.expression_steps);
        if let Some(cfa) = cfa {
            evaluation.set_initial_value(cfa);
        }
        let mut state = evaluation.evaluate().map_err(bad)?;
        loop {
            state = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, base_type: GENERIC } => {
                    let place = self.pointer(register.0)?;
                    evaluation.resume_with_register(Value::Generic(self.address(place)?))
                }
                EvaluationResult::RequiresMemory { address, size, space: None, base_type: GENERIC } => {
                    let value = self.load(address, size)?;
                    evaluation.resume_with_memory(Value::Generic(value))
                }
                _ => return Err(WhyNot::BadExpression),
            }
            .map_err(bad)?;
        }
        match evaluation.as_result() {
            [piece] if piece.size_in_bits.is_none() => match piece.location {
                Location::Address { address } => Ok(address),
                Location::Value { value } => value.to_u64(u64::MAX).map_err(bad),
                _ => Err(WhyNot::BadExpression),
            },
            _ => Err(WhyNot::BadExpression),
        }
    }

    /// The word at an address. Of a pointer only the low byte survives every placement (slides are whole pages), so a load of
    /// two or four bytes has no meaning that replay could repeat.
    fn load(&mut self, address: u64, size: u8) -> Result<u64, WhyNot> {
        if !matches!(size, 1 | 8) {
            return Err(WhyNot::BadExpression);
        }
        let at = self.place(address)?;
        let place = pointer(self.read(at, None)?)?;
        let value = self.address(place)?;
        Ok(if size == 1 { value & 0xff } else { value })
    }
}

fn bad<E>(_reason: E) -> WhyNot {
    WhyNot::BadExpression
}
