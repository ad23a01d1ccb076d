use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment: milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last moment that can be written with a four-digit year.
    const MAX_MS: i64 = 253_402_300_799_999;

    /// From milliseconds since the Unix epoch, cut to the years 1970 to 9999.
    #[must_use]
    pub fn from_ms(ms: i64) -> Self {
        Self(ms.clamp(0, Self::MAX_MS))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn as_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch: the NumericDate of RFC 7519 §2.
    #[must_use]
    pub fn as_secs(self) -> i64 {
        self.0 / 1000
    }

    /// This moment and so many seconds.
    #[must_use]
    pub fn plus_secs(self, secs: i64) -> Self {
        Self::from_ms(self.0.saturating_add(secs.saturating_mul(1000)))
    }

    /// Milliseconds from `earlier` to this moment; negative when this is the earlier one.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// ISO 8601 with milliseconds and `Z`, as the event and the Management API write moments.
    #[must_use]
    pub fn to_iso(self) -> String {
        let moment = OffsetDateTime::from_unix_timestamp(self.0 / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = moment.to_calendar_date();
        let (hour, minute, second) = moment.to_hms();
        format!(
            "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            u8::from(month),
            self.0 % 1000
        )
    }

    /// Reads RFC 3339. `None` when it is no such text.
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok().map(Self::from_ms)
    }
}

/// Where the time comes from. All expiry goes through one clock, and tests set it.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_and_read_back() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (2_147_483_648_000, "2038-01-19T03:14:08.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_ms(ms).to_iso(), text);
            assert_eq!(Timestamp::parse_iso(text), Some(Timestamp::from_ms(ms)));
        }
        assert_eq!(Timestamp::from_ms(-5), Timestamp::from_ms(0));
        assert_eq!(Timestamp::from_ms(i64::MAX).to_iso(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::parse_iso("yesterday"), None);
    }
}
