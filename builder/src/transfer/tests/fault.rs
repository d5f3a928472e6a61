//! A fault at a chosen change of the store: one failed call, or the end of the process as the disk sees it.

use std::cell::Cell;

/// What happens at the chosen change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It fails, what follows works.
    Once,
    /// It and all that follow fail, cleaning up included: a kill.
    ForGood,
}

thread_local! {
    static PLAN: Cell<Option<(u32, Fault)>> = const { Cell::new(None) };
    static HIT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with a fault at the `at`-th change; says whether the fault was reached.
pub(super) fn with<T>(at: u32, fault: Fault, work: impl FnOnce() -> T) -> (T, bool) {
    HIT.set(false);
    PLAN.set(Some((at, fault)));
    let result = work();
    PLAN.set(None);
    (result, HIT.get())
}

/// Called before each change: whether it is to fail.
pub(in crate::transfer) fn hits() -> bool {
    let Some((left, fault)) = PLAN.get() else { return false };
    if left > 0 {
        PLAN.set(Some((left - 1, fault)));
        return false;
    }
    if fault == Fault::Once {
        PLAN.set(None);
    }
    HIT.set(true);
    true
}
