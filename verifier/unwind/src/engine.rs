//! The words the step engine speaks: rules, reasons, frames, and the world it asks.
//!
//! Not here: the engine itself (`walk.rs`).

use serde::{Deserialize, Serialize};

use crate::row::{CfiSection, UnwindRow};
use crate::space::{Place, Word};

/// How a frame was found (notes/symbols).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rule {
    /// The first frame: the registers as captured.
    #[serde(rename = "context")]
    Context,
    /// A row of `.eh_frame`.
    #[serde(rename = "cfi:eh_frame")]
    CfiEhFrame,
    /// A row of `.debug_frame`.
    #[serde(rename = "cfi:debug_frame")]
    CfiDebugFrame,
    /// The saved frame pointer and the word above it.
    #[serde(rename = "fp")]
    FramePointer,
    /// A signal frame recognised by its trampoline's code, where no CFI covers it.
    #[serde(rename = "helper:sigreturn")]
    HelperSigreturn,
    /// A word of the stack that follows a call instruction. Flagged, never counted.
    #[serde(rename = "heuristic:scan")]
    HeuristicScan,
}

/// Where unwind data for a row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnwindSource {
    /// A symbol bundle.
    Bundle,
    /// The capture's own rows, vDSO image or registers.
    Capture,
}

/// What stands directly before a return address, as a fact about code bytes (the bytes themselves are not kept:
/// in generated code they may hold addresses of the live process).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallSite {
    /// `call rel32` (e8).
    CallRelative,
    /// `call r/m64` (ff /2).
    CallIndirect,
    /// No call instruction ends here.
    None,
}

/// Why a word or a code fact could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFault {
    /// The memory is not mapped or not readable.
    Unmapped,
    /// The memory may well be there, but the backend copied only a part of the stack, and this lies outside it.
    OutsideStackCopy,
    /// Replay only: the capture did not read this place.
    OutsideReadSet(Place),
}

/// A row and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcedRow {
    /// The row.
    pub row: UnwindRow,
    /// Bundle or capture.
    pub source: UnwindSource,
    /// Both hold a row for this place and they differ.
    pub mismatch: bool,
}

/// The world as the engine sees it. Two kinds: a thread being captured (`capture/`) and a read set (`sealtrace-resolve`).
pub trait Target {
    /// The word at a place.
    ///
    /// # Errors
    /// [`ReadFault`]
    fn word(&mut self, at: Place) -> Result<Word, ReadFault>;
    /// What stands before a return address.
    ///
    /// # Errors
    /// [`ReadFault`]
    fn call_site(&mut self, return_address: Place) -> Result<CallSite, ReadFault>;
    /// Whether the code at `at` is the `x86_64` signal trampoline (`mov $15,%rax; syscall`).
    ///
    /// # Errors
    /// [`ReadFault`]
    fn is_sigreturn(&mut self, at: Place) -> Result<bool, ReadFault>;
    /// Whether a place lies in executable memory.
    fn is_executable(&self, at: Place) -> bool;
    /// The row for a place (already the lookup address), or why there is none.
    ///
    /// # Errors
    /// [`WhyNot::NoModule`] or [`WhyNot::NoFde`].
    fn row(&mut self, lookup: Place) -> Result<SourcedRow, WhyNot>;
}

/// Why a rule did not apply or its candidate was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyNot {
    /// The pc lies in no module.
    NoModule,
    /// The module's unwind data does not cover the pc, or it has none.
    NoFde,
    /// A register that the rule needs is not known or points nowhere.
    BadRegister,
    /// A word that the rule needs cannot be read.
    BadMemory,
    /// A word that the rule needs lies outside the stack copy: the walk ends there, since a lesser rule could only guess.
    OutsideStackCopy,
    /// Replay: the rule needs a word that the capture did not read.
    OutsideReadSet,
    /// An expression failed or ran past its limit.
    BadExpression,
    /// The new stack pointer is not above the old one.
    SpNotMonotone,
    /// The return address does not point into executable memory.
    NotExecutable,
    /// No call instruction stands before the return address (frame pointer and scan only).
    NoCallBefore,
    /// The trampoline's code was not found.
    NotSigreturn,
    /// More than one candidate: the scan stops rather than choose.
    Ambiguous,
    /// Nothing plausible in the scanned window.
    NothingFound,
}

/// A rule that was tried before the one that succeeded (or before the end), and why it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failed {
    /// The rule.
    pub rule: Rule,
    /// Why it failed.
    pub reason: WhyNot,
}

/// A word that a rule read, and for which register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// DWARF register whose value it is; `None` for a word an expression or a scan read.
    pub register: Option<u16>,
    /// Where it stood.
    pub at: Place,
    /// What it held.
    pub word: Word,
}

/// Why the walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TerminatedBy {
    /// The return address is undefined there: the outermost frame, by the compiler's word.
    RaUndefined,
    /// The return address is zero.
    RaNull,
    /// No rule found a caller.
    NoRule,
    /// [`Limits::frames`] was reached.
    FrameLimit,
    /// The next rule needs a word outside the stack copy (eBPF backend, core dumps without the page).
    StackCopyLimit,
}

/// One physical frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnwoundFrame {
    /// The pc: exact for the first frame and for one interrupted by a signal, a return address otherwise; `Invalid` or `Null` words have no frame but the first.
    pub pc: Word,
    /// Where to look names and rows up: pc, or pc − 1 for a return address.
    pub lookup: Option<Place>,
    /// The rule that found this frame.
    pub rule: Rule,
    /// The row that found this frame, for the CFI rules: the *callee's* row.
    pub row: Option<SourcedRow>,
    /// The words read to find this frame, in order.
    pub reads: Vec<Read>,
    /// The callee's CFA, i.e. this frame's stack pointer; the captured sp for the first frame.
    pub cfa: Word,
    /// Rules tried before `rule`.
    pub failed: Vec<Failed>,
    /// This frame was interrupted by a signal: the frame before it is a signal trampoline.
    pub after_signal: bool,
}

/// A finished walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// Frames, innermost first; never empty.
    pub frames: Vec<UnwoundFrame>,
    /// Why it ended.
    pub terminated_by: TerminatedBy,
    /// Rules tried for the frame that was not found.
    pub failed: Vec<Failed>,
    /// The words read while looking for it, in order.
    pub reads: Vec<Read>,
    /// DWARF numbers of the initial registers that some rule read, beside ip, sp and fp.
    pub initial_registers_read: Vec<u16>,
}

/// Bounds of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most frames in a stack.
    pub frames: usize,
    /// Most steps of one DWARF expression.
    pub expression_steps: u32,
    /// Words that a heuristic scan looks at.
    pub scan_words: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frames: 16_384, expression_steps: 1_000, scan_words: 128 }
    }
}

/// The section of a CFI rule.
impl From<CfiSection> for Rule {
    fn from(section: CfiSection) -> Self {
        match section {
            CfiSection::EhFrame => Self::CfiEhFrame,
            CfiSection::DebugFrame => Self::CfiDebugFrame,
        }
    }
}
