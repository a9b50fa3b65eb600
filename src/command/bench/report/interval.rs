//! The lines of `--report`, while the run goes on.

use super::json::object::{Object, number, quantile};
use crate::command::bench::measure::{LatencyTimes, Quantile};
use crate::command::bench::results::Second;
use crate::command::bench::words;

/// What has come in a few seconds.
#[derive(Debug, Clone, Copy)]
pub struct ReportInterval<'a> {
    /// The number of the run.
    pub run: u32,
    /// How many seconds of the window were before.
    pub began: usize,
    /// Its seconds.
    pub seconds: &'a [Second],
    /// The times of what came in them.
    pub times: &'a LatencyTimes,
}

impl ReportInterval<'_> {
    fn sum(&self, of: impl Fn(&Second) -> u64) -> u64 {
        self.seconds.iter().map(of).sum()
    }

    fn rate(&self, of: impl Fn(&Second) -> u64) -> String {
        let length = std::time::Duration::from_secs(self.seconds.len() as u64);
        words::rate(crate::command::bench::results::rate(self.sum(of), length).round())
    }
}

/// A line for people.
pub fn text(interval: &ReportInterval<'_>) -> String {
    let last = interval.seconds.last().copied().unwrap_or_default();
    let end = interval.began + interval.seconds.len();
    let (sent, received) =
        (interval.rate(|second| second.sent), interval.rate(|second| second.received));
    let time = |time: Option<Quantile>| time.map_or_else(|| "-".to_owned(), |it| it.to_string());
    format!(
        "{:10} {end} s   sent {sent}   received {received}   p50 {}   p99 {}   max {}   \
         missing {}   online {}",
        "interval",
        time(interval.times.quantile(0.5)),
        time(interval.times.quantile(0.99)),
        time(interval.times.maximum()),
        words::thousands(last.missing),
        words::thousands(last.online),
    )
}

/// An object for programs.
pub fn json(interval: &ReportInterval<'_>) -> String {
    let last = interval.seconds.last().copied().unwrap_or_default();
    let lateness = interval.seconds.iter().filter_map(|second| second.lateness).max();
    let cpu = interval.seconds.iter().map(|second| second.cpu).fold(0.0, f64::max);
    Object::new()
        .text("type", "interval")
        .text("run", &format!("{:08x}", interval.run))
        .raw("t", interval.began)
        .raw("length", interval.seconds.len())
        .raw("sent", interval.sum(|second| second.sent))
        .raw("received", interval.sum(|second| second.received))
        .raw("p50", quantile(interval.times.quantile(0.5)))
        .raw("p99", quantile(interval.times.quantile(0.99)))
        .raw("max", quantile(interval.times.maximum()))
        .raw("missing", last.missing)
        .raw("online", last.online)
        .maybe("lateness_p99", lateness)
        .raw("cpu", number(cpu))
        .end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_one_line() {
        let mut times = LatencyTimes::default();
        times.add_many(2_000_000, 20);
        let second = Second { sent: 10, received: 10, missing: 3, online: 2, ..Second::default() };
        let seconds = [second; 2];
        let interval = ReportInterval { run: 7, began: 4, seconds: &seconds, times: &times };
        assert_eq!(
            text(&interval),
            "interval   6 s   sent 10/s   received 10/s   p50 2.00 ms   p99 2.00 ms   \
             max 2.00 ms   missing 3   online 2"
        );
        let object: serde_json::Value = serde_json::from_str(&json(&interval)).unwrap();
        assert_eq!((&object["t"], &object["sent"]), (&4.into(), &20.into()));
    }
}
