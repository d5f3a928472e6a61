//! Progress of a step, by the name that the modules of the builder know it by.

pub(crate) use sealtrace_console::Progress;
