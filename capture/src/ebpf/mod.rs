//! The eBPF backend: the probe object samples the target in the kernel; its records are walked here.
//!
//! [`prepare`] loads the object and proves with a canary that it reads this kernel right; nothing of the target is touched before that.
//! Not here: walking (`session`), which BTF (`btf`).

mod btf;
mod canary;
mod failure;
mod namespace;
mod object;
mod reader;
mod run;
mod symbol;

use sealtrace_console::Failure;
use sealtrace_trace::BtfRecord;

use crate::cli::{BtfArgs, Cli};
use crate::run::{Captured, Target};

use failure::EbpfError;

/// The object, loaded and proven, before it is pointed at a target.
#[derive(Debug)]
pub(crate) struct Prepared {
    object: object::Object,
    btf: BtfRecord,
    /// `task_struct.self_exec_id` of this process, and so of a child before it executes.
    own_exec_id: u64,
}

/// Chooses a BTF, loads the object against it and runs the canary.
pub(crate) fn prepare(args: &BtfArgs) -> Result<Prepared, Failure> {
    try_prepare(args).map_err(|error| failure::failure(&error))
}

fn try_prepare(args: &BtfArgs) -> Result<Prepared, EbpfError> {
    let chosen = btf::choose(args)?;
    let mut object = object::Object::load(chosen.bytes())?;
    let canary = canary::run(&mut object)?;
    Ok(Prepared { object, btf: chosen.record(&canary), own_exec_id: canary.exec_id })
}

impl Prepared {
    /// What was proven, in one line.
    pub(crate) fn describe(&self) -> String {
        let canary = self.btf.used.as_ref().map(|used| used.canary.clone()).unwrap_or_default();
        format!("the probe object runs; its canary compared {canary}; BTF: {}", self.btf.selection_reason)
    }

    /// Captures the target.
    pub(crate) fn run(self, cli: &Cli, target: &Target) -> Result<Captured, Failure> {
        run::run(self, cli, target)
    }
}
