//! One row of an unwind table, in a form that a capture can keep (DWARF 5 §6.4.1).

use serde::{Deserialize, Serialize};

use crate::space::ModuleRelAddr;

/// The longest DWARF expression of a row: 4 KiB (ours; the longest seen, in a PLT or a signal frame, has 11 bytes).
pub const MAX_EXPRESSION_BYTES: usize = 4096;

/// Where a row was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CfiSection {
    /// `.eh_frame`
    EhFrame,
    /// `.debug_frame`
    DebugFrame,
}

/// How the canonical frame address is computed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CfaRule {
    /// Register (DWARF number) plus offset in bytes.
    RegisterOffset(u16, i64),
    /// A DWARF expression, as lower-case hex.
    Expression(String),
}

/// How a register of the caller is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RegisterRule {
    /// Not recoverable. For the return address: the end of the stack.
    Undefined,
    /// Unchanged.
    SameValue,
    /// Saved at CFA + offset.
    Offset(i64),
    /// The value is CFA + offset.
    ValOffset(i64),
    /// In another register.
    Register(u16),
    /// Saved at the address that a DWARF expression (hex) yields, CFA pushed first.
    Expression(String),
    /// The value is what a DWARF expression (hex) yields, CFA pushed first.
    ValExpression(String),
}

/// One unwind row: what holds from `start` up to, not including, `end`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnwindRow {
    /// First address the row holds for.
    pub start: ModuleRelAddr,
    /// First address after it.
    pub end: ModuleRelAddr,
    /// Section it comes from.
    pub section: CfiSection,
    /// Offset of the FDE in that section, in bytes.
    pub fde_offset: u64,
    /// Whether the CIE marks a signal frame (augmentation `S`): the caller's pc is exact, not a return address.
    pub signal: bool,
    /// The CFA.
    pub cfa: CfaRule,
    /// Rules by DWARF register number, ascending; 16 is the return address. Absent: unchanged (undefined for 16).
    pub registers: Vec<(u16, RegisterRule)>,
}
