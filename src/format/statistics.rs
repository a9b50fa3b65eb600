//! Round trip times in few words.

use std::fmt;
use std::time::Duration;

/// More samples than this are thinned out: the summary needs no more, and an endless ping must not
/// grow.
const SAMPLES: usize = 10_000;

/// Times, as they come.
#[derive(Debug, Default)]
pub struct Statistics {
    count: u64,
    sum: f64,
    squares: f64,
    minimum: f64,
    maximum: f64,
    /// Every `stride`-th sample, for the percentiles.
    samples: Vec<f64>,
    stride: u64,
}

impl Statistics {
    /// One more time.
    pub fn add(&mut self, time: Duration) {
        let time = time.as_secs_f64() * 1000.0;
        self.minimum = if self.count == 0 { time } else { self.minimum.min(time) };
        self.maximum = self.maximum.max(time);
        self.sum += time;
        self.squares += time * time;
        if self.count.is_multiple_of(self.stride.max(1)) {
            self.samples.push(time);
        }
        self.count += 1;
        if self.samples.len() >= SAMPLES {
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride = self.stride.max(1) * 2;
        }
    }

    /// How many times there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What they come to, if there was anything.
    #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 probes")]
    pub fn figures(&self) -> Option<Figures> {
        if self.is_empty() {
            return None;
        }
        let mean = self.sum / self.count as f64;
        let deviation = (self.squares / self.count as f64 - mean * mean).max(0.0).sqrt();
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let percentile = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
        let (p50, p99) = (percentile(50), percentile(99));
        Some(Figures { minimum: self.minimum, mean, p50, p99, maximum: self.maximum, deviation })
    }

    /// min/avg/p50/p99/max/stddev of round trips, if there was anything.
    pub fn summary(&self) -> Option<String> {
        self.figures().map(|figures| format!("round trip {figures}"))
    }
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
pub fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
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
            "round trip min/avg/p50/p99/max/stddev = 1.000/50.500/50.000/99.000/100.000/28.866 ms"
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
    fn an_endless_ping_does_not_grow() {
        let mut statistics = Statistics::default();
        (0..100_000).for_each(|n| statistics.add(Duration::from_micros(n)));
        assert!(statistics.samples.len() <= SAMPLES, "{} samples", statistics.samples.len());
        assert_eq!(statistics.count(), 100_000);
        assert!(statistics.summary().expect("many").contains("/49.9"));
    }
}
