//! Times in few figures: shortest, mean, median, 99th percentile, longest, standard deviation.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Percentiles are exact to this many digits, in memory that does not grow with the number of
/// times.
const DIGITS: u8 = 3;

/// The longest time that percentiles tell from longer ones, in nanoseconds: an hour. Microseconds
/// would be too coarse for the times of a broker on the same machine.
const LONGEST: u64 = 3_600_000_000_000;

/// Times, as they come.
#[derive(Debug, Default)]
pub struct Statistics {
    count: u64,
    mean: f64,
    /// The sum of the squared differences from the mean (Welford's method).
    squares: f64,
    minimum: f64,
    maximum: f64,
    /// In nanoseconds; made for the first time that comes, because most runs measure nothing.
    histogram: Option<Histogram<u64>>,
}

impl Statistics {
    /// One more time.
    #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 probes")]
    pub fn add(&mut self, time: Duration) {
        let histogram = self.histogram.get_or_insert_with(|| {
            Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("the bounds are in their range")
        });
        histogram.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(LONGEST));
        let time = milliseconds(time);
        self.minimum = if self.count == 0 { time } else { self.minimum.min(time) };
        self.maximum = self.maximum.max(time);
        self.count += 1;
        let difference = time - self.mean;
        self.mean += difference / self.count as f64;
        self.squares += difference * (time - self.mean);
    }

    /// How many times there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The time that so many percent of the times do not exceed, in milliseconds, if there was
    /// anything.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let nanoseconds = self.histogram.as_ref()?.value_at_percentile(percent);
        Some(milliseconds(Duration::from_nanos(nanoseconds)).clamp(self.minimum, self.maximum))
    }

    /// At most `most` ranges of times, from the shortest to the longest, each as many times as long
    /// as the one before, and how many times lie in each.
    pub fn ranges(&self, most: u32) -> Vec<TimeRange> {
        let Some(histogram) = &self.histogram else { return Vec::new() };
        let ends = ends_of_ranges(self.minimum, self.maximum, most);
        let last = ends.len().saturating_sub(1);
        let mut counted = 0;
        let ranges = ends.into_iter().enumerate().map(|(at, end)| {
            // The histogram does not tell longer times from each other.
            let until = if at == last { self.count } else { histogram.count_between(0, end) };
            let count = until.saturating_sub(counted);
            counted = until.max(counted);
            TimeRange { end: Duration::from_nanos(end), count }
        });
        ranges.collect()
    }

    /// The figures, if there was anything.
    #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 probes")]
    pub fn figures(&self) -> Option<Figures> {
        let Self { minimum, maximum, mean, .. } = *self;
        let (p50, p99) = (self.percentile(50.0)?, self.percentile(99.0)?);
        let deviation = (self.squares / self.count as f64).sqrt();
        Some(Figures { minimum, mean, p50, p99, maximum, deviation })
    }

    /// min/avg/p50/p99/max/stddev of round trips, if there was anything.
    pub fn summary(&self) -> Option<String> {
        self.figures().map(|figures| format!("round trip {figures}"))
    }
}

/// The times of a histogram's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// None of them is longer.
    pub end: Duration,
    /// How many there are.
    pub count: u64,
}

/// Times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The shortest.
    pub minimum: f64,
    /// Their mean.
    pub mean: f64,
    /// Half of them took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// The longest.
    pub maximum: f64,
    /// Their standard deviation.
    pub deviation: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minimum, mean, p50, p99, maximum, deviation } = self;
        write!(
            f,
            "min/avg/p50/p99/max/stddev = \
             {minimum:.3}/{mean:.3}/{p50:.3}/{p99:.3}/{maximum:.3}/{deviation:.3} ms"
        )
    }
}

/// A time as `ping` prints it.
pub fn in_milliseconds(time: Duration) -> String {
    format!("{:.3} ms", milliseconds(time))
}

/// Where ranges end, in whole microseconds and, the last one, at the longest time; in nanoseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time that is too long counts as the longest that there is"
)]
fn ends_of_ranges(shortest: f64, longest: f64, most: u32) -> Vec<u64> {
    let nanoseconds = |milliseconds: f64| (milliseconds * 1e6).round() as u64;
    let shortest = shortest.max(0.001);
    let factor = (longest.max(shortest) / shortest).ln();
    let between = (1..most).map(|number| {
        let part = f64::from(number) / f64::from(most);
        let end = shortest * (factor * part).exp();
        nanoseconds((end * 1000.0).round() / 1000.0)
    });
    let last = nanoseconds(longest);
    let mut ends: Vec<u64> = between.filter(|end| *end < last).chain([last]).collect();
    ends.dedup();
    ends
}

/// A time in milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_a_hundred() {
        let mut statistics = Statistics::default();
        (1..=100).for_each(|n| statistics.add(Duration::from_millis(n)));
        assert_eq!(
            statistics.summary().expect("a hundred samples"),
            "round trip min/avg/p50/p99/max/stddev = 1.000/50.500/50.004/99.025/100.000/28.866 ms"
        );
    }

    #[test]
    fn one_sample_is_all_of_them_and_none_is_none() {
        let mut statistics = Statistics::default();
        assert_eq!(statistics.summary(), None);
        statistics.add(Duration::from_millis(2));
        let summary = statistics.summary().expect("one sample");
        assert_eq!(
            summary,
            "round trip min/avg/p50/p99/max/stddev = 2.000/2.000/2.000/2.000/2.000/0.000 ms"
        );
    }

    #[test]
    fn percentiles_are_exact_to_three_digits() {
        let mut statistics = Statistics::default();
        let last = Duration::from_micros(99_999);
        // A period that a sample of every n-th time would see only a part of.
        (0..100_000).for_each(|n| {
            let time = if n % 2 == 0 { 100 } else { n };
            statistics.add(Duration::from_micros(time));
        });
        let figures = statistics.figures().expect("many times");
        assert_eq!(statistics.count(), 100_000);
        assert_eq!(format!("{:.3}", figures.p50), "0.100");
        assert!((figures.p99 / 98.0 - 1.0).abs() < 0.001, "{figures}");
        assert_eq!((figures.minimum, figures.maximum), (0.001, milliseconds(last)));
    }

    #[test]
    fn percentiles_of_few_microseconds_are_as_exact() {
        let mut statistics = Statistics::default();
        (14_000..15_000).for_each(|n| statistics.add(Duration::from_nanos(n)));
        let p50 = statistics.percentile(50.0).expect("many times");
        assert!((p50 / 0.014_499 - 1.0).abs() < 0.001, "{p50}");
    }

    #[test]
    fn ranges_hold_every_time_once() {
        let mut statistics = Statistics::default();
        assert_eq!(statistics.ranges(4), []);
        let ranges = |statistics: &Statistics| {
            let ranges = statistics.ranges(4);
            ranges.iter().map(|range| (range.end.as_millis(), range.count)).collect::<Vec<_>>()
        };
        statistics.add(Duration::from_millis(1));
        statistics.add(Duration::from_millis(1));
        assert_eq!(ranges(&statistics), [(1, 2)]);
        (0..7).for_each(|_| statistics.add(Duration::from_secs(10)));
        statistics.add(Duration::from_millis(150));
        assert_eq!(ranges(&statistics), [(10, 2), (100, 0), (1000, 1), (10_000, 7)]);
        statistics.add(Duration::ZERO);
        statistics.add(Duration::MAX);
        let counts = statistics.ranges(8).iter().map(|range| range.count).sum::<u64>();
        assert_eq!(counts, statistics.count());
    }

    #[test]
    fn no_time_is_too_short_or_too_long() {
        let mut statistics = Statistics::default();
        statistics.add(Duration::ZERO);
        statistics.add(Duration::MAX);
        let figures = statistics.figures().expect("two times");
        assert_eq!((figures.minimum, figures.p50), (0.0, 0.0));
        let longest = milliseconds(Duration::from_nanos(LONGEST));
        assert!((figures.p99 / longest - 1.0).abs() < 0.001, "{figures}");
    }
}
