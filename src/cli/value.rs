//! Values that several flags take.

use std::time::Duration;

/// A time: `2`, `0.5`, `500ms`, `2s`, `5m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("expected a time such as 2, 0.5, 500ms, 2s, 5m or 1h".to_owned()),
    };
    let seconds: f64 =
        number.parse().map_err(|_| "expected a time such as 2, 0.5, 500ms, 2s or 5m".to_owned())?;
    Duration::try_from_secs_f64(seconds * unit)
        .ok()
        .filter(|duration| *duration <= Duration::from_secs(100 * 365 * 86_400))
        .ok_or_else(|| "expected a time between 0 and 100 years".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_decimals_and_units() {
        for (text, milliseconds) in
            [("2", 2000), ("0.5", 500), ("500ms", 500), ("2s", 2000), ("5m", 300_000), ("1h", 3_600_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "x", "-1", "1d", "1 s", "NaN", "inf", "1e300"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
