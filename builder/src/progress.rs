//! A progress bar on a terminal, nothing in a pipe.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressStyle};

/// Progress of one step with a known number of items.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Starts a step.
    pub(crate) fn start(step: impl Into<Cow<'static, str>>, items: usize) -> Self {
        if !sealtrace_console::shows_progress() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(u64::try_from(items).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{msg:<12} [{bar:40}] {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar.set_message(step);
        Self(bar)
    }

    /// One item is done.
    pub(crate) fn advance(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
