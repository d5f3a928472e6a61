//! What time a cosignature states: this host's clock, unless the command line says otherwise.

use std::time::{SystemTime, UNIX_EPOCH};

use sealtrace_verdict::{TimeError, UnixTime};

/// The time argument.
#[derive(Debug, clap::Args)]
pub(super) struct TimeArgs {
    /// The time to state, e.g. 2026-01-31T12:00:00Z [default: this host's clock]
    #[arg(long, value_name = "TIME", value_parser = parse)]
    time: Option<UnixTime>,
}

impl TimeArgs {
    /// The time to state.
    pub(super) fn time(&self) -> UnixTime {
        self.time.unwrap_or_else(now)
    }
}

fn parse(text: &str) -> Result<UnixTime, TimeError> {
    text.parse()
}

/// This host's clock.
fn now() -> UnixTime {
    UnixTime::from_seconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
