//! A point in time as text: the conversions of strftime (C locale), ISO 8601 and RFC 3339.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// The conversions of strftime that C libraries know; any other stands for itself, as there.
const CONVERSIONS: &str = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%";

/// A point in time, shown in the local time zone.
#[derive(Debug, Clone)]
pub struct LocalTime(Zoned);

impl LocalTime {
    /// This time in this time zone.
    pub fn new(time: Timestamp, zone: TimeZone) -> Self {
        Self(time.to_zoned(zone))
    }

    /// The conversion `%letter` of strftime, and `%N`, which is nanoseconds.
    pub fn conversion(&self, letter: char, out: &mut BytesMut) {
        match letter {
            'N' => put(out, &format!("{:09}", self.0.subsec_nanosecond())),
            // What depends on the locale is as in the C locale.
            'c' => self.format("%a %b %e %H:%M:%S %Y", out),
            'x' => self.format("%m/%d/%y", out),
            'X' => self.format("%H:%M:%S", out),
            'r' => self.format("%I:%M:%S %p", out),
            _ if CONVERSIONS.contains(letter) => self.format(&format!("%{letter}"), out),
            _ => put(out, &format!("%{letter}")),
        }
    }

    /// `2026-11-22T10:48:13+0000`, local time.
    pub fn iso_8601(&self, out: &mut BytesMut) {
        self.format("%Y-%m-%dT%H:%M:%S%z", out);
    }

    /// `2026-11-22T10:48:10.345+0000`, local time.
    pub fn milliseconds(&self, out: &mut BytesMut) {
        self.format("%Y-%m-%dT%H:%M:%S.%3f%z", out);
    }

    /// As many digits of the fraction of the second, up to nine.
    pub fn fraction(&self, digits: usize, out: &mut BytesMut) {
        put(out, &format!("{:09}", self.0.subsec_nanosecond())[..digits.min(9)]);
    }

    /// `2026-11-22T10:48:10.345205Z+0000`, local time: what mosquitto 2.0 puts into its JSON.
    pub fn mosquitto(&self, out: &mut BytesMut) {
        self.format("%Y-%m-%dT%H:%M:%S.%6fZ%z", out);
    }

    /// `2026-11-22T10:48:10.345205Z`: RFC 3339 with microseconds, always UTC.
    pub fn rfc_3339(&self, out: &mut BytesMut) {
        let utc = self.0.with_time_zone(TimeZone::UTC);
        put(out, &utc.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string());
    }

    /// Seconds since 1970 with nine decimals.
    pub fn unix(&self, out: &mut BytesMut) {
        put(out, &format!("{}.{:09}", self.0.timestamp().as_second(), self.0.subsec_nanosecond()));
    }

    fn format(&self, format: &str, out: &mut BytesMut) {
        put(out, &self.0.strftime(format).to_string());
    }
}

/// The time since 1970 of an RFC 3339 text; `None` where it is none, or is before.
pub fn since_1970(text: &str) -> Option<Duration> {
    let timestamp: Timestamp = text.parse().ok()?;
    Duration::try_from(timestamp.as_duration()).ok()
}

fn put(out: &mut BytesMut, text: &str) {
    out.put_slice(text.as_bytes());
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// 2026-02-03 04:05:06.000700008 two hours east of Greenwich, where it is Tuesday.
    pub fn tuesday() -> LocalTime {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        LocalTime::new(Timestamp::new(1_770_084_306, 700_008).expect("in range"), zone)
    }

    fn text(write: impl Fn(&LocalTime, &mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&tuesday(), &mut out);
        String::from_utf8(out.to_vec()).expect("text")
    }

    /// As glibc writes them.
    #[test]
    fn conversions_are_those_of_c() {
        for (letters, expected) in [
            ("aAbBh", "Tue|Tuesday|Feb|February|Feb"),
            ("cxXr", "Tue Feb  3 04:05:06 2026|02/03/26|04:05:06|04:05:06 AM"),
            ("CdDeF", "20|03|02/03/26| 3|2026-02-03"),
            ("gGHIjklmM", "26|2026|04|04|034| 4| 4|02|05"),
            ("nt%N", "\n|\t|%|000700008"),
            ("pPRsST", "AM|am|04:05|1770084306|06|04:05:06"),
            ("uUVwW", "2|05|06|2|05"),
            ("yYzZ", "26|2026|+0200|+02"),
            ("EOfiJKLoqQv+ü", "%E|%O|%f|%i|%J|%K|%L|%o|%q|%Q|%v|%+|%ü"),
        ] {
            let texts: Vec<String> = letters
                .chars()
                .map(|letter| text(|time, out| time.conversion(letter, out)))
                .collect();
            assert_eq!(texts.join("|"), expected);
        }
    }

    #[test]
    fn the_standard_forms() {
        assert_eq!(text(LocalTime::iso_8601), "2026-02-03T04:05:06+0200");
        assert_eq!(text(LocalTime::milliseconds), "2026-02-03T04:05:06.000+0200");
        assert_eq!(text(|time, out| time.fraction(3, out)), "000");
        assert_eq!(text(|time, out| time.fraction(6, out)), "000700");
        assert_eq!(text(LocalTime::mosquitto), "2026-02-03T04:05:06.000700Z+0200");
        assert_eq!(text(LocalTime::rfc_3339), "2026-02-03T02:05:06.000700Z");
        assert_eq!(text(LocalTime::unix), "1770084306.000700008");
    }

    #[test]
    fn rfc_3339_is_read() {
        let expected = Some(Duration::new(1_770_084_306, 700_000));
        assert_eq!(since_1970("2026-02-03T02:05:06.000700Z"), expected);
        assert_eq!(since_1970("2026-02-03T04:05:06.0007+02:00"), expected);
        assert_eq!(since_1970("1969-02-03T04:05:06Z"), None);
        assert_eq!(since_1970("yesterday"), None);
    }
}
