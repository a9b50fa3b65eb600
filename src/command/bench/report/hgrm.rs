//! Percentiles in the text form of `HdrHistogram`, in milliseconds.

use std::fmt::Write;

use crate::command::bench::measure::{LatencyTimes, Quantile};

/// How many lines there are for each halving of what is left.
const TICKS: u32 = 5;

/// How many buckets a histogram from 1 µs to 1 h has, and how many parts each of them at three
/// digits.
const BUCKETS: [u32; 2] = [23, 2048];

/// The distribution of these times.
#[expect(clippy::cast_precision_loss, reason = "a time has three digits")]
pub fn render(times: &LatencyTimes) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let count = times.count();
    for share in shares(count) {
        let Some(Quantile::Time(time)) = times.quantile(share) else { continue };
        let counted = times.buckets().iter().filter(|(low, _)| *low <= time).map(|(_, n)| n).sum();
        let counted: u64 = counted;
        let time = time as f64 / 1e6;
        // Writing to a `String` cannot fail.
        let _ = if share < 1.0 {
            let inverse = 1.0 / (1.0 - share);
            writeln!(text, "{time:>12.3} {share:>14.12} {counted:>10} {inverse:>14.2}")
        } else {
            writeln!(text, "{time:>12.3} {share:>14.12} {counted:>10}")
        };
    }
    let milliseconds = |time: Option<u64>| time.unwrap_or_default() as f64 / 1e6;
    let longest = (count > 0).then(|| times.summary().longest);
    let (mean, longest) = (milliseconds(times.mean()), milliseconds(longest));
    let deviation = deviation(times) / 1e6;
    let _ = writeln!(text, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]");
    let _ = writeln!(text, "#[Max     = {longest:>12.3}, Total count    = {count:>12}]");
    let [buckets, parts] = BUCKETS;
    let _ = writeln!(text, "#[Buckets = {buckets:>12}, SubBuckets     = {parts:>12}]");
    text
}

/// The standard deviation of what came, in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "a time has three digits")]
fn deviation(times: &LatencyTimes) -> f64 {
    let mean = times.mean().unwrap_or_default() as f64;
    let squares = times.buckets().into_iter();
    let squares = squares.map(|(low, count)| (low as f64 - mean).powi(2) * count as f64);
    (squares.sum::<f64>() / times.count().max(1) as f64).sqrt()
}

/// The shares of the lines: [`TICKS`] for each halving of what is left, down to one time.
#[expect(clippy::cast_precision_loss, reason = "2^53 messages take longer than any run")]
fn shares(count: u64) -> Vec<f64> {
    let mut shares = Vec::new();
    let (mut at, mut left) = (0.0, 1.0);
    while count > 0 && left * count as f64 >= 1.0 {
        for tick in 0..TICKS {
            shares.push(at + left / 2.0 * f64::from(tick) / f64::from(TICKS));
        }
        left /= 2.0;
        at = 1.0 - left;
    }
    if count > 0 {
        shares.push(1.0);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_has_everything() {
        let mut times = LatencyTimes::default();
        for n in 1..=1000_u64 {
            times.add(n * 1_000_000);
        }
        let text = render(&times);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("Value") && lines[0].contains("1/(1-Percentile)"));
        let last = lines[lines.len() - 4];
        assert!(last.contains("1000.000 1.000000000000       1000"), "{last}");
        let ends = [
            "#[Mean    =      500.500, StdDeviation   =      288.",
            "#[Max     =     1000.000, Total count    =         1000]",
            "#[Buckets =           23, SubBuckets     =         2048]",
        ];
        let all = lines[lines.len() - 3..].iter().zip(ends);
        assert!(all.clone().all(|(line, end)| line.starts_with(end)), "{text}");
        let median = lines.iter().find(|line| line.contains(" 0.500000000000 ")).unwrap();
        assert!(median.contains("500.") && median.ends_with("2.00"), "{median}");
        assert!(render(&LatencyTimes::default()).contains("Total count    =            0"));
    }
}
