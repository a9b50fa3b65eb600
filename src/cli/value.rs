//! Values that several flags take.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::command::publish::config::FOR_EVER;
use crate::format::encoding::Encoding;
use crate::format::json_path::JsonCondition;
use crate::format::pattern::Pattern;
use crate::format::summary::SummaryForm;
use crate::mqtt::packet::RetainHandling;
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

/// A time: `2`, `0.5`, `500ms`, `2s`, `5m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let expected = || "expected a time such as 2, 0.5, 500ms, 2s, 5m or 1h".to_owned();
    let unit = match &text[number.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(expected()),
    };
    let seconds: f64 = number.parse().map_err(|_| expected())?;
    Duration::try_from_secs_f64(seconds * unit)
        .ok()
        .filter(|duration| *duration <= Duration::from_secs(100 * 365 * 86_400))
        .ok_or_else(|| "expected a time between 0 and 100 years".to_owned())
}

/// How many commands run at once.
pub fn jobs(text: &str) -> Result<u16, String> {
    let expected = "expected a number from 1 to 1000";
    text.parse().ok().filter(|jobs| (1..=1000).contains(jobs)).ok_or_else(|| expected.to_owned())
}

/// How often something is tried.
pub fn tries(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|tries| *tries > 0)
        .ok_or_else(|| "expected a number, at least 1; --no-reconnect tries not at all".to_owned())
}

/// A number of things, of which there must be one.
pub fn count(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| "expected a number, at least 1".to_owned())
}

/// A file to read; `stdin` says what to do instead of giving `-` for stdin.
pub fn file_instead_of(stdin: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |path| {
        if path.as_os_str() == "-" {
            return Err(format!("{stdin}; a file of this name is ./-"));
        }
        Ok(path)
    })
}

/// A file to read.
pub fn file() -> impl TypedValueParser<Value = PathBuf> {
    file_instead_of("expected a file; stdin is /dev/stdin")
}

/// A text as far as errors show it.
pub fn elided(text: &str) -> String {
    const LONGEST: usize = 100;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A port to connect to.
pub fn port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
        "expected a number from 1 to 65535; the flag for the password is -P".to_owned()
    })
}

/// A port to listen at; 0 stands for a free one.
pub fn port_to_listen(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected a number from 0 to 65535".to_owned())
}

/// A file descriptor that whoever starts us has opened.
pub fn descriptor(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "expected the number of an open file descriptor".to_owned())
}

/// How long to wait: a [`duration`] that is not 0.
pub fn timeout(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| match time {
        Duration::ZERO => Err("expected a time above 0".to_owned()),
        time => Ok(time),
    })
}

/// Whole seconds, with the units of a [`duration`].
pub fn seconds(text: &str) -> Result<u32, String> {
    whole_seconds(text, u32::MAX)
}

/// A keep alive: whole seconds that fit the field of CONNECT; 0 turns it off.
pub fn keep_alive(text: &str) -> Result<u16, String> {
    let largest = u16::MAX;
    whole_seconds(text, largest.into()).map(|seconds| seconds.try_into().unwrap_or(largest))
}

fn whole_seconds(text: &str, largest: u32) -> Result<u32, String> {
    // No decimals get lost in the many seconds of `u32`.
    let seconds = text.parse().ok().or_else(|| {
        let time = duration(text).ok().filter(|time| time.subsec_nanos() == 0)?;
        u32::try_from(time.as_secs()).ok()
    });
    seconds
        .filter(|seconds| *seconds <= largest)
        .ok_or_else(|| format!("expected whole seconds from 0 to {largest}, such as 45, 90s or 5m"))
}

/// How many messages may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MostInFlight {
    /// So many.
    Count(NonZeroU16),
    /// As many as there are.
    Unlimited,
}

impl MostInFlight {
    /// As many as MQTT can tell apart: QoS 1 and 2 have packet identifiers of 16 bits.
    pub fn of_identifiers(self) -> NonZeroU16 {
        match self {
            Self::Count(count) => count,
            Self::Unlimited => NonZeroU16::MAX,
        }
    }
}

/// How many messages may be in flight.
pub fn in_flight(text: &str) -> Result<MostInFlight, String> {
    let count = text.parse().map(MostInFlight::Count);
    count.map_err(|_| "expected a number from 1 to 65535".to_owned())
}

/// A number of bytes, 1 or more: `1000`, `64K`, `64KiB`, `16M`, `1G`.
pub fn size(text: &str) -> Result<usize, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[number.len()..].to_ascii_uppercase().as_str() {
        "" => Some(1),
        "K" | "KIB" => Some(1 << 10),
        "M" | "MIB" => Some(1 << 20),
        "G" | "GIB" => Some(1 << 30),
        _ => None,
    };
    let size = number
        .parse()
        .ok()
        .zip(unit)
        .and_then(|(number, unit): (usize, usize)| number.checked_mul(unit));
    size.filter(|size| *size > 0)
        .ok_or_else(|| "expected a number of bytes such as 1000, 64K or 16M".to_owned())
}

/// How often a message is published; 0 has no end.
pub fn repetitions(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Ok(FOR_EVER),
        Ok(number) => Ok(number),
        Err(_) => Err("expected a number; 0 has no end".to_owned()),
    }
}

/// A number of levels.
pub fn depth(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|depth| (1..=65_536).contains(depth))
        .ok_or_else(|| "expected a number of levels, at least 1".to_owned())
}

/// `hex` or `base64`
pub fn encoding(text: &str) -> Result<Encoding, String> {
    match text {
        "hex" => Ok(Encoding::Hex),
        "base64" => Ok(Encoding::Base64),
        _ => Err("expected hex or base64".to_owned()),
    }
}

/// The size of the message of a probe, in bytes.
pub fn probe_size(text: &str) -> Result<u32, String> {
    let sizes = 8..=16_777_216;
    text.parse()
        .ok()
        .filter(|size| sizes.contains(size))
        .ok_or_else(|| format!("expected a number from {} to {}", sizes.start(), sizes.end()))
}

/// A QoS as a number.
pub fn qos(text: &str) -> Result<QoS, String> {
    text.parse().ok().and_then(QoS::from_bits).ok_or_else(|| "expected 0, 1 or 2".to_owned())
}

/// Which retained messages are wanted: mosquitto's words.
pub fn retain_handling(text: &str) -> Result<RetainHandling, String> {
    match text {
        "always" => Ok(RetainHandling::Always),
        "new" => Ok(RetainHandling::New),
        "never" => Ok(RetainHandling::Never),
        _ => Err("expected always, new or never".to_owned()),
    }
}

/// The form of a summary; `text` where the flag has no value.
pub fn summary(text: &str) -> Result<SummaryForm, String> {
    match text {
        "text" => Ok(SummaryForm::Text),
        "json" => Ok(SummaryForm::Json),
        _ => Err("expected json, or nothing".to_owned()),
    }
}

/// Why `--latency` needs MQTT 5.
pub fn latency_needs_version_5(_: Version) -> String {
    "--latency: only MQTT 5 has the user properties that it needs".to_owned()
}

/// When there is colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Where a terminal wants it.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// When there is colour.
pub fn colour(text: &str) -> Result<Colour, String> {
    match text {
        "auto" => Ok(Colour::Auto),
        "always" => Ok(Colour::Always),
        "never" => Ok(Colour::Never),
        _ => Err("expected auto, always or never".to_owned()),
    }
}

/// A share from 0 to 100.
pub fn percent(text: &str) -> Result<f64, String> {
    let percent: Option<f64> = text.parse().ok();
    percent
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| "expected 0 to 100".to_owned())
}

/// A number above 0: messages a second, or times as fast.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok();
    rate.filter(|rate| *rate > 0.0 && rate.is_finite())
        .ok_or_else(|| "expected a number above 0".to_owned())
}

/// One byte: a character of ASCII, `\\n`, `\\r`, `\\t`, `\\0`, `\\\\` or `\\xHH`.
pub fn byte(text: &str) -> Result<u8, String> {
    let byte = match text {
        "\\n" => Some(b'\n'),
        "\\r" => Some(b'\r'),
        "\\t" => Some(b'\t'),
        "\\0" => Some(0),
        "\\\\" => Some(b'\\'),
        _ => match (text.strip_prefix("\\x"), text.as_bytes()) {
            (Some(digits), _) if digits.len() == 2 && !digits.starts_with('+') => {
                u8::from_str_radix(digits, 16).ok()
            }
            (None, [byte]) => Some(*byte),
            _ => None,
        },
    };
    byte.ok_or_else(|| r"expected one character, or \n, \r, \t, \0, \\ or \xHH".to_owned())
}

/// A session expiry in seconds; `never` (mosquitto's `-1` and `∞`, too) has no end.
pub fn expiry(text: &str) -> Result<u32, String> {
    match text {
        "never" | "-1" | "∞" => Ok(u32::MAX),
        _ => seconds(text).map_err(|expected| format!("{expected}, or never")),
    }
}

/// `MIN[,MAX]`; without MAX the default one, but never below MIN.
pub fn delays(text: &str) -> Result<(Duration, Duration), String> {
    let (shortest, longest) = match text.split_once(',') {
        Some((shortest, longest)) => (duration(shortest)?, duration(longest)?),
        None => (duration(text)?, duration(text)?.max(Duration::from_secs(30))),
    };
    if shortest > longest {
        return Err("expected MIN,MAX with MIN not above MAX".to_owned());
    }
    Ok((shortest, longest))
}

/// A regular expression.
pub fn pattern(text: &str) -> Result<Pattern, String> {
    text.parse()
}

/// `PATH=VALUE`
pub fn json_condition(text: &str) -> Result<JsonCondition, &'static str> {
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("1", 1), ("64k", 65_536), ("2M", 2 << 20), ("1G", 1 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "K", "1T", "1KK", "-1", "99999999999999999999", "99999999999999999G"]
        {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn delays_have_a_shortest_and_a_longest() {
        let seconds =
            |shortest, longest| Ok((Duration::from_secs(shortest), Duration::from_secs(longest)));
        assert_eq!(delays("2,5"), seconds(2, 5));
        assert_eq!(delays("2"), seconds(2, 30));
        assert_eq!(delays("60"), seconds(60, 60));
        assert!(delays("5,2").is_err());
        assert!(delays(",2").is_err());
    }

    #[test]
    fn bytes_may_be_escaped() {
        for (text, expected) in [
            (",", b','),
            ("\\t", 9),
            ("\\n", 10),
            ("\\0", 0),
            ("\\\\", b'\\'),
            ("\\", b'\\'),
            ("\\x1F", 0x1f),
        ] {
            assert_eq!(byte(text), Ok(expected), "{text}");
        }
        for text in ["", "ab", "ü", "\\q", "\\x1", "\\x+1", "\\xgg"] {
            assert!(byte(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_take_units() {
        for (text, expected) in [
            ("0", Some(0)),
            ("45", Some(45)),
            ("1m", Some(60)),
            ("90s", Some(90)),
            ("0.5m", Some(30)),
            ("2000ms", Some(2)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("500ms", None),
            ("1.5", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
        assert_eq!(keep_alive("18h"), Ok(64_800));
        assert!(keep_alive("19h").is_err() && keep_alive("65536").is_err());
        assert_eq!((expiry("1h"), expiry("never")), (Ok(3600), Ok(u32::MAX)));
    }

    #[test]
    fn times_take_decimals_and_units() {
        for (text, milliseconds) in [
            ("2", 2000),
            ("0.5", 500),
            ("500ms", 500),
            ("2s", 2000),
            ("5m", 300_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "x", "-1", "1d", "1 s", "NaN", "inf", "1e300"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
