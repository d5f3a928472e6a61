//! When a statement was logged, as far as something authenticated says; and whether its log's key was valid then.

use sealtrace_trust::Trust;
use sealtrace_verdict::{Checks, TimeInterval, UnixTime};

use crate::log::LogPosition;

/// Upper bounds on when a statement was logged, each with its source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Made at about the time of logging: time stamps and cosignatures of its own checkpoint.
    points: Vec<(UnixTime, String)>,
    /// Made at any time after it.
    covers: Vec<(UnixTime, String)>,
}

impl Bounds {
    /// Something was signed over the entry at this time.
    pub(crate) fn point(&mut self, time: UnixTime, source: String) {
        self.points.push((time, source));
    }

    /// At this time the entry was there already.
    pub(crate) fn cover(&mut self, time: UnixTime, source: String) {
        self.covers.push((time, source));
    }

    /// The earliest bound.
    pub(crate) fn not_after(&self) -> Option<UnixTime> {
        self.points.iter().chain(&self.covers).map(|(time, _)| *time).min()
    }

    /// As it stands in a verdict.
    pub(crate) fn interval(&self) -> TimeInterval {
        let sources = self.points.iter().chain(&self.covers).map(|(time, source)| format!("not after {time}: {source}"));
        TimeInterval { not_before: None, not_after: self.not_after().map(|time| time.to_string()), sources: sources.collect() }
    }
}

/// `log-key-window`: the log's key was valid when the entry was logged, by authenticated time.
pub(crate) fn check_window(log: &LogPosition, trust: &Trust, bounds: &Bounds, checks: &mut Checks) {
    let Some(trusted) = trust.log_by_key_id(&log.log.key_id()) else { return };
    let window = trusted.shown_window();
    let Some(time) = bounds.not_after() else {
        checks.skipped("log-key-window", "no authenticated time");
        return;
    };
    let (Ok(start), Ok(end)) =
        (trusted.valid_from.parse::<UnixTime>(), trusted.valid_until.as_deref().map(str::parse::<UnixTime>).transpose())
    else {
        checks.undecided("log-key-window", &format!("the validity window of the log's key is no time: {window}"));
        return;
    };
    let within = time >= start && end.is_none_or(|end| time <= end);
    let at_the_time = bounds.points.iter().any(|(point, _)| *point == time);
    if within {
        checks.pass("log-key-window", &format!("{time} is within the window {window}"));
    } else if at_the_time || time < start {
        checks.differ("log-key-window", &window, &time.to_string(), "the log's key was not valid at the authenticated time");
    } else {
        checks.skipped("log-key-window", &format!("known only to be from before {time}, the window is {window}"));
    }
}
