//! The host of a capture, and its clock.

use std::time::{Duration, SystemTime};

use sealtrace_digest::RunDigest;
use sealtrace_object_id::Arch;
use sealtrace_trace::HostContext;

use crate::sys::Tid;

/// The host as the target sees it: kernel, machine, distribution, and a hash that tells boots apart.
pub(crate) fn host_context(pid: Tid) -> HostContext {
    let uname = rustix::system::uname();
    let files = ["etc/os-release", "usr/lib/os-release"];
    let text = files.iter().find_map(|file| std::fs::read_to_string(format!("/proc/{pid}/root/{file}")).ok());
    HostContext {
        kernel_release: uname.release().to_string_lossy().into_owned(),
        arch: Arch(uname.machine().to_string_lossy().into_owned()),
        os_release: os_release(&text.unwrap_or_default()),
        boot_id_hash: std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| boot_id_hash(id.trim())),
    }
}

fn boot_id_hash(id: &str) -> String {
    let mut hasher = RunDigest::hasher();
    hasher.update(b"boot-id/v1");
    hasher.update(id.as_bytes());
    hasher.finish().hex()
}

/// `ID VERSION_ID` (os-release(5)), quotes removed; `ID` alone where there is no version, `unknown` without an `ID`.
fn os_release(text: &str) -> String {
    let value = |key: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.map(|value| value.trim().trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
    };
    match (value("ID"), value("VERSION_ID")) {
        (Some(id), Some(version)) => format!("{id} {version}"),
        (Some(id), None) => id,
        (None, _) => "unknown".to_owned(),
    }
}

/// RFC 3339 in UTC with seconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a number of days after 1970-01-01 (H. Hinnant, *chrono-compatible low-level date algorithms*).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A length of time as people write it: `10s`, `500ms`, `2m`, `10` (seconds). Above zero and at most a day (ours).
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration above zero and up to a day: write 10s, 500ms or 2m");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_not_a_number| wrong())?;
    let millis = match text.strip_prefix(digits) {
        Some("ms") => Some(number),
        Some("s" | "") => number.checked_mul(1_000),
        Some("m") => number.checked_mul(60_000),
        _ => None,
    };
    millis.filter(|millis| (1..=86_400_000).contains(millis)).map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_date_writes_them() {
        // `date -u -d @N +%FT%TZ`
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn durations_have_units_and_bounds() {
        let millis = |text| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(["10s", "500ms", "2m", "3"].map(millis), [Ok(10_000), Ok(500), Ok(120_000), Ok(3_000)]);
        for bad in ["", "s", "0", "1h", "-1", "1.5s", "99999999999999999999", "86401s", "5 s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_distribution_is_its_id_and_version_without_quotes() {
        assert_eq!(os_release("NAME=x\nVERSION_ID=\"12\"\nID=debian\n"), "debian 12");
        assert_eq!(os_release("ID='arch'\n"), "arch");
        assert_eq!(os_release(""), "unknown");
    }
}
