//! Numbers as the report writes them.

use std::time::Duration;

/// A number with its thousands apart: `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 loop`, `1,000 topics`.
pub fn plural(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", thousands(count as u64))
}

/// A rate: `20,000/s`, `0.5/s`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is a number of messages"
)]
pub fn rate(rate: f64) -> String {
    if rate >= 100.0 || rate.fract() == 0.0 {
        format!("{}/s", thousands(rate.round() as u64))
    } else {
        format!("{rate:.1}/s")
    }
}

/// A share in percent, which is never rounded up to 100 or down to 0.
pub fn percent(percent: f64) -> String {
    let rounded = if percent >= 10.0 { percent.round() } else { (percent * 10.0).round() / 10.0 };
    match percent {
        0.0 => "0 %".to_owned(),
        _ if percent < 100.0 && rounded >= 100.0 => format!("{} %", floored(percent)),
        _ if percent < 0.005 => "under 0.01 %".to_owned(),
        _ if rounded == 0.0 => format!("{percent:.2} %"),
        _ => format!("{rounded} %"),
    }
}

/// As few nines as tell it from 100.
fn floored(percent: f64) -> f64 {
    let mut scale = 10.0;
    while (percent * scale).floor() / scale < 99.0 && scale < 1e9 {
        scale *= 10.0;
    }
    (percent * scale).floor() / scale
}

/// Memory: `21 MiB`, `28 KiB`.
pub fn memory(bytes: u64) -> String {
    match bytes {
        ..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{} MiB", (bytes + 524_288) / 1_048_576),
    }
}

/// A time that was given: `30 s`, `0.5 s`, `2 h`.
pub fn given(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

/// A time that was measured beside the one that was given, to a tenth of a second: `30 s`,
/// `12.3 s`.
pub fn tenths(time: Duration) -> String {
    let tenths = u64::try_from(time.as_millis() / 100).unwrap_or(u64::MAX);
    given(Duration::from_millis(tenths.saturating_mul(100)))
}

/// A time that was measured, in seconds: `30.0 s`, `0.11 s`.
pub fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 9.995 { format!("{seconds:.2} s") } else { format!("{seconds:.1} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(thousands(number), text);
        }
        for (number, text) in [(20_000.0, "20,000/s"), (0.5, "0.5/s"), (99.96, "100.0/s")] {
            assert_eq!(rate(number), text);
        }
        assert_eq!(memory(22_020_096), "21 MiB");
        assert_eq!(memory(28_000), "28 KiB");
        assert_eq!(seconds(Duration::from_millis(110)), "0.11 s");
        assert_eq!(seconds(Duration::from_secs(30)), "30.0 s");
        assert_eq!(tenths(Duration::from_millis(60_003)), "60 s");
        assert_eq!(tenths(Duration::from_millis(12_345)), "12.3 s");
    }

    #[test]
    fn a_share_is_never_rounded_up_to_all_or_down_to_nothing() {
        for (share, text) in [
            (0.0, "0 %"),
            (100.0, "100 %"),
            (99.9867, "99.9 %"),
            (99.5, "99.5 %"),
            (38.4, "38 %"),
            (0.42, "0.4 %"),
            (0.036, "0.04 %"),
            (0.000_1, "under 0.01 %"),
        ] {
            assert_eq!(percent(share), text);
        }
    }
}
