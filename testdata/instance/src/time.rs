//! Seconds since 1970 as a date in UTC, and the fixed moments of the instance. No clock is read anywhere in this crate.

/// When the signer's certificate begins: 2025-06-12T12:00:00Z.
pub(crate) const ISSUED: u64 = 1_749_729_600;
/// How long a signer's certificate is valid: ten minutes, as Fulcio does it.
pub(crate) const LIFETIME: u64 = 600;
/// When the honest signature is timestamped, within the certificate's lifetime.
pub(crate) const SIGNED: u64 = ISSUED + 5;
/// When the signer's certificate has ended, by an hour.
pub(crate) const TOO_LATE: u64 = ISSUED + 3600;
/// When authorities and log keys begin: 2020-01-01T00:00:00Z.
pub(crate) const BEGIN: u64 = 1_577_836_800;
/// When authorities end: 2040-01-01T00:00:00Z.
pub(crate) const END: u64 = 2_208_988_800;

/// A moment as a date in UTC.
pub(crate) struct Utc {
    pub(crate) year: u64,
    month: u64,
    day: u64,
    second: u64,
}

impl Utc {
    /// The proleptic Gregorian date, counted in eras of 400 years from March.
    pub(crate) fn of(seconds: u64) -> Self {
        let days = seconds / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self { year: year_of_era + era * 400 + u64::from(month <= 2), month, day, second: seconds % 86_400 }
    }

    /// `MMDDhhmmss`.
    pub(crate) fn after_year(&self) -> String {
        let second = self.second;
        format!("{:02}{:02}{:02}{:02}{:02}", self.month, self.day, second / 3600, second / 60 % 60, second % 60)
    }
}

/// RFC 3339, to the second.
pub(crate) fn rfc3339(seconds: u64) -> String {
    let at = Utc::of(seconds);
    let second = at.second;
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", at.year, at.month, at.day, second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_gregorian_calendar() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(rfc3339(951_868_799), "2000-02-29T23:59:59Z");
        assert_eq!(rfc3339(ISSUED), "2025-06-12T12:00:00Z");
        assert_eq!(rfc3339(BEGIN), "2020-01-01T00:00:00Z");
        assert_eq!(rfc3339(END), "2040-01-01T00:00:00Z");
    }
}
