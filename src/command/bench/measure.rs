//! Times in constant memory, with a relative error of at most 0.1 %; what never came counts as
//! infinite.

use std::fmt;

use hdrhistogram::Histogram;

/// Shorter times, in nanoseconds, are not told from each other.
const SHORTEST: u64 = 1_000;

/// Longer times, in nanoseconds, are not told from each other: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// Each time is exact to so many digits.
const DIGITS: u8 = 3;

/// A quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantile {
    /// So many nanoseconds.
    Time(u64),
    /// So much did not come that no time can be told.
    Never,
}

/// Times, as they come.
#[derive(Debug, Clone, Default)]
pub struct LatencyTimes {
    histogram: Option<Histogram<u64>>,
    /// How many were expected that never came.
    never: u64,
    sum: u128,
    shortest: u64,
    longest: u64,
}

fn empty() -> Histogram<u64> {
    let bounds = "the bounds are in their range";
    let mut histogram = Histogram::new_with_bounds(SHORTEST, LONGEST, DIGITS).expect(bounds);
    // The system gives zeroed memory when it is written to: all of it now, and none during the run.
    histogram.reset();
    histogram
}

/// What is known of times beside their histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimesSummary {
    /// How many did not come.
    pub never: u64,
    /// All together.
    pub sum: u128,
    /// The shortest.
    pub shortest: u64,
    /// The longest that came.
    pub longest: u64,
}

/// How many times can be counted.
const MOST_TIMES: u64 = 1 << 53;

impl LatencyTimes {
    /// Times of which the buckets are known, and what they do not tell; `None` if that does not fit
    /// together.
    pub fn of_buckets(buckets: &[(u64, u64)], summary: TimesSummary) -> Option<Self> {
        let all = buckets.iter().try_fold(0_u64, |all, (_, count)| all.checked_add(*count))?;
        if all > MOST_TIMES || summary.shortest > summary.longest {
            return None;
        }
        let mut times = Self::default();
        for (lowest, count) in buckets {
            times.add_many(*lowest, *count);
        }
        let TimesSummary { never, sum, shortest, longest } = summary;
        (times.never, times.sum, times.shortest, times.longest) = (never, sum, shortest, longest);
        Some(times)
    }

    /// What the buckets do not tell.
    pub fn summary(&self) -> TimesSummary {
        let Self { never, sum, shortest, longest, .. } = *self;
        TimesSummary { never, sum, shortest, longest }
    }

    /// One more time, in nanoseconds.
    pub fn add(&mut self, time: u64) {
        self.add_many(time, 1);
    }

    /// The same time, so often.
    pub fn add_many(&mut self, time: u64, count: u64) {
        if count == 0 {
            return;
        }
        self.shortest = if self.count() == 0 { time } else { self.shortest.min(time) };
        self.longest = self.longest.max(time);
        self.sum += u128::from(time) * u128::from(count);
        let histogram = self.histogram.get_or_insert_with(empty);
        histogram.saturating_record_n(time, count);
    }

    /// Adds other times that nobody needs any more.
    pub fn take_in(&mut self, other: Self) {
        if self.count() + self.never == 0 {
            *self = other;
        } else {
            self.merge(&other);
        }
    }

    /// Adds other times.
    pub fn merge(&mut self, other: &Self) {
        self.never += other.never;
        let Some(more) = &other.histogram else { return };
        if more.is_empty() {
            return;
        }
        let is_first = self.count() == 0;
        self.shortest = if is_first { other.shortest } else { self.shortest.min(other.shortest) };
        self.longest = self.longest.max(other.longest);
        self.sum += other.sum;
        let histogram = self.histogram.get_or_insert_with(empty);
        histogram.add(more).expect("all histograms have the same bounds");
    }

    /// So many were expected and did not come.
    pub fn add_never(&mut self, count: u64) {
        self.never += count;
    }

    /// Takes the memory for times that are to come.
    pub fn prepare(&mut self) {
        self.histogram.get_or_insert_with(empty);
    }

    /// All times are forgotten; the memory is kept.
    pub fn clear(&mut self) {
        if let Some(histogram) = &mut self.histogram {
            histogram.reset();
        }
        (self.never, self.sum, self.shortest, self.longest) = (0, 0, 0, 0);
    }

    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// How many did not come.
    pub fn never(&self) -> u64 {
        self.never
    }

    /// The time that the share `share` of all does not exceed: the upper end of the bucket of the
    /// time at that place. `None` if nothing was expected.
    pub fn quantile(&self, share: f64) -> Option<Quantile> {
        let all = self.count() + self.never;
        if all == 0 {
            return None;
        }
        let rank = rank(share, all);
        if rank > self.count() {
            return Some(Quantile::Never);
        }
        self.at_place(rank).map(Quantile::Time)
    }

    /// The same of those that came, in nanoseconds; `None` if none did.
    pub fn quantile_of_arrived(&self, share: f64) -> Option<u64> {
        let all = self.count();
        (all > 0).then(|| rank(share, all)).and_then(|rank| self.at_place(rank))
    }

    /// The time at this place, from 1, of those that came.
    #[expect(clippy::cast_precision_loss, reason = "2^53 messages take longer than any run")]
    fn at_place(&self, rank: u64) -> Option<u64> {
        let histogram = self.histogram.as_ref()?;
        // Rounded up, this share of all is the place again.
        let share = (rank as f64 - 0.5) / histogram.len() as f64;
        let end = histogram.value_at_quantile(share);
        Some(end.clamp(self.shortest, self.longest))
    }

    /// The longest, if all came.
    pub fn maximum(&self) -> Option<Quantile> {
        match (self.count(), self.never) {
            (0, 0) => None,
            (_, 0) => Some(Quantile::Time(self.longest)),
            _ => Some(Quantile::Never),
        }
    }

    /// The shortest.
    pub fn minimum(&self) -> Option<u64> {
        (self.count() > 0).then_some(self.shortest)
    }

    /// The mean of those that came, in nanoseconds.
    pub fn mean(&self) -> Option<u64> {
        let count = u128::from(self.count());
        (count > 0).then(|| u64::try_from(self.sum / count).unwrap_or(u64::MAX))
    }

    /// The lowest value of each bucket that is not empty, and its count.
    pub fn buckets(&self) -> Vec<(u64, u64)> {
        let Some(histogram) = &self.histogram else { return Vec::new() };
        histogram
            .iter_recorded()
            .map(|bucket| {
                let lowest = histogram.lowest_equivalent(bucket.value_iterated_to());
                (lowest, bucket.count_since_last_iteration())
            })
            .collect()
    }
}

/// The place of a quantile among so many, from 1.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "2^53 messages take longer than any run"
)]
fn rank(share: f64, all: u64) -> u64 {
    // 0.999 × 1000 is a little more than 999 in binary.
    let exact = share * all as f64;
    let nearest = exact.round();
    let place = if (exact - nearest).abs() < 1e-6 { nearest } else { exact.ceil() };
    (place as u64).clamp(1, all)
}

impl fmt::Display for Quantile {
    /// Three digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => f.pad(&precise(*time)),
            Self::Never => f.pad("never"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn milliseconds(time: u64) -> f64 {
    time as f64 / 1e6
}

/// A time in nanoseconds with three digits: `0.71 ms`, `14.2 ms`, `1.37 s`; a short one with those
/// that are not 0.
pub fn precise(time: u64) -> String {
    let time = milliseconds(time);
    match time {
        ..0.009_5 => format!("{time:.3} ms"),
        ..9.995 => format!("{time:.2} ms"),
        ..99.95 => format!("{time:.1} ms"),
        _ => format!("{:.2} s", time / 1000.0),
    }
}

/// The same with two: `1.9 ms`, `31 ms`, `3.05 s`; a short one with those that are not 0.
pub fn brief(time: u64) -> String {
    let time = milliseconds(time);
    match time {
        ..0.009_5 => format!("{time:.3} ms"),
        ..0.095 => format!("{time:.2} ms"),
        ..9.95 => format!("{time:.1} ms"),
        ..99.5 => format!("{time:.0} ms"),
        _ => format!("{:.2} s", time / 1000.0),
    }
}

/// A quantile with two digits, or that it never came, or that nothing was expected.
pub fn brief_quantile(quantile: Option<Quantile>) -> String {
    match quantile {
        Some(Quantile::Time(time)) => brief(time),
        Some(Quantile::Never) => "never".to_owned(),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "times of a second")]
    fn quantiles_are_exact_to_a_thousandth() {
        let mut times = LatencyTimes::default();
        for n in 1..=100_000_u64 {
            times.add(n * 1000);
        }
        for (share, expected) in [(0.5, 50_000), (0.9, 90_000), (0.99, 99_000), (0.999, 99_900)] {
            let Some(Quantile::Time(time)) = times.quantile(share) else { panic!("{share}") };
            let (time, expected) = (time as f64, f64::from(expected) * 1000.0);
            assert!(time >= expected && time <= expected * 1.001 + 1000.0, "{share}: {time}");
        }
        assert_eq!(times.quantile(1.0), Some(Quantile::Time(100_000_000)));
        assert_eq!(times.maximum(), Some(Quantile::Time(100_000_000)));
        assert_eq!((times.minimum(), times.mean()), (Some(1000), Some(50_000_500)));
    }

    #[test]
    fn what_never_came_is_infinite() {
        let mut times = LatencyTimes::default();
        times.add_many(1_000_000, 990);
        times.add_never(10);
        assert!(matches!(times.quantile(0.99), Some(Quantile::Time(_))));
        assert_eq!(times.quantile(0.991), Some(Quantile::Never));
        assert_eq!(times.maximum(), Some(Quantile::Never));
        times.clear();
        assert_eq!((times.quantile(0.5), times.maximum()), (None, None));
        times.add_never(1);
        assert_eq!(times.quantile(0.5), Some(Quantile::Never));
    }

    #[test]
    fn merged_times_are_those_of_one_histogram() {
        let (mut all, mut even, mut odd) =
            (LatencyTimes::default(), LatencyTimes::default(), LatencyTimes::default());
        let mut random = fastrand::Rng::with_seed(3);
        for number in 0..10_000 {
            let time = random.u64(1..10_000_000_000);
            all.add(time);
            if number % 2 == 0 { even.add(time) } else { odd.add(time) }
        }
        all.add_never(7);
        odd.add_never(7);
        even.merge(&odd);
        even.merge(&LatencyTimes::default());
        for share in [0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
            assert_eq!(even.quantile(share), all.quantile(share), "{share}");
        }
        assert_eq!((even.minimum(), even.mean(), even.never()), (all.minimum(), all.mean(), 7));
        assert_eq!(even.buckets(), all.buckets());
        let mut copy = LatencyTimes::default();
        copy.merge(&all);
        assert_eq!((copy.minimum(), copy.maximum()), (all.minimum(), all.maximum()));
    }

    #[test]
    fn buckets_hold_everything() {
        let mut times = LatencyTimes::default();
        for time in [1, 5_000_000, 5_000_000, 90_000_000_000, u64::MAX] {
            times.add(time);
        }
        let buckets = times.buckets();
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 5);
        let mut again = LatencyTimes::default();
        for (lowest, count) in &buckets {
            again.add_many(*lowest, *count);
        }
        assert_eq!(again.buckets(), buckets);
    }

    #[test]
    fn times_are_written_with_few_digits() {
        let shown = |time| (precise(time), brief(time));
        for (time, with_three, with_two) in [
            (4_100, "0.004 ms", "0.004 ms"),
            (41_000, "0.04 ms", "0.04 ms"),
            (710_000, "0.71 ms", "0.7 ms"),
            (2_930_687, "2.93 ms", "2.9 ms"),
            (9_999_999, "10.0 ms", "10 ms"),
            (31_000_000, "31.0 ms", "31 ms"),
            (360_000_000, "0.36 s", "0.36 s"),
            (3_051_000_000, "3.05 s", "3.05 s"),
        ] {
            assert_eq!(shown(time), (with_three.to_owned(), with_two.to_owned()));
        }
    }
}
