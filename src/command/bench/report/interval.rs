//! The lines of `--report`, while the run goes on.

use std::time::Duration;

use super::json::object::{Object, measured, number, quantile};
use crate::command::bench::conditions::Measured;
use crate::command::bench::course::SteppedRate;
use crate::command::bench::load::SliceOver;
use crate::command::bench::measure::{LatencyTimes, Quantile};
use crate::command::bench::results::{Second, rate};
use crate::command::bench::words;

/// What has come since the last line.
#[derive(Debug, Default)]
pub struct ReportInterval {
    /// The number of the run.
    run: u32,
    /// The number of the step, from 1, if there are several.
    step: Option<u64>,
    /// Which rate grows from step to step, if there are several.
    stepped: Option<SteppedRate>,
    /// How much of the window was before.
    began: Duration,
    /// How long it is so far.
    pub length: Duration,
    /// What happened in it.
    sum: Second,
    /// The times of what came in it.
    times: LatencyTimes,
    /// How late messages were.
    lateness: LatencyTimes,
}

impl ReportInterval {
    /// The first of a run, in which this rate grows if there are steps.
    pub fn new(run: u32, stepped: Option<SteppedRate>) -> Self {
        Self { run, step: stepped.map(|_| 1), stepped, ..Self::default() }
    }

    /// Adds the slice that comes next.
    pub fn add(&mut self, over: &SliceOver<'_>) {
        let Second { sent, received, missing, online, cpu, .. } = over.slice.second;
        let sum = &mut self.sum;
        sum.sent += sent;
        sum.received += received;
        (sum.missing, sum.online, sum.cpu) = (missing, online, sum.cpu.max(cpu));
        self.times.merge(&over.slice.times);
        self.lateness.merge(&over.slice.lateness);
        self.length += Duration::from_nanos(over.length);
    }

    /// The next one begins.
    pub fn go_on(&mut self) {
        self.began += self.length;
        (self.length, self.sum) = (Duration::ZERO, Second::default());
        self.times.clear();
        self.lateness.clear();
    }

    /// The next step begins: what was not whole is dropped.
    pub fn next_step(&mut self) {
        self.go_on();
        self.began = Duration::ZERO;
        self.step = self.step.map(|step| step + 1);
    }

    fn rate(&self, count: u64) -> String {
        words::rate(rate(count, self.length).round())
    }
}

/// A time in seconds: whole ones without a fraction.
fn seconds(time: Duration) -> String {
    measured(Measured::Number(time.as_secs_f64()))
}

/// A line for people.
pub fn text(interval: &ReportInterval) -> String {
    let Second { sent, received, missing, online, .. } = interval.sum;
    let time = |time: Option<Quantile>| time.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let step = interval.step.map(|step| format!("step {step}   ")).unwrap_or_default();
    let is_of_connecting = interval.stepped == Some(SteppedRate::Connecting);
    let (left, came) = if is_of_connecting { ("begun", "made") } else { ("sent", "received") };
    let missing = format!("   missing {}", words::thousands(missing));
    format!(
        "{:10} {step}{}   {left} {}   {came} {}   p50 {}   p99 {}   max {}{}   online {}",
        "interval",
        words::given(interval.began + interval.length),
        interval.rate(sent),
        interval.rate(received),
        time(interval.times.quantile(0.5)),
        time(interval.times.quantile(0.99)),
        time(interval.times.maximum()),
        if is_of_connecting { "" } else { &missing },
        words::thousands(online),
    )
}

/// An object for programs.
pub fn json(interval: &ReportInterval) -> String {
    let Second { sent, received, missing, online, cpu, .. } = interval.sum;
    Object::new()
        .text("type", "interval")
        .text("run", &format!("{:08x}", interval.run))
        .maybe("step", interval.step)
        .raw("t", seconds(interval.began))
        .raw("length", seconds(interval.length))
        .raw("sent", sent)
        .raw("received", received)
        .raw("p50", quantile(interval.times.quantile(0.5)))
        .raw("p99", quantile(interval.times.quantile(0.99)))
        .raw("max", quantile(interval.times.maximum()))
        .raw("missing", missing)
        .raw("online", online)
        .raw("lateness_p99", quantile(interval.lateness.quantile(0.99)))
        .raw("cpu", number(cpu))
        .end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::load::GatheredSecond;

    fn slice() -> GatheredSecond {
        let mut times = LatencyTimes::default();
        times.add_many(2_000_000, 10);
        let second = Second { sent: 10, received: 10, missing: 3, online: 2, ..Second::default() };
        GatheredSecond::of(second, [times, LatencyTimes::default()], None)
    }

    #[test]
    fn an_interval_is_one_line() {
        let began = Duration::from_secs(4);
        let mut interval = ReportInterval { run: 7, began, ..ReportInterval::default() };
        let slice = slice();
        for _ in 0..2 {
            interval.add(&SliceOver { slice: &slice, length: 1_000_000_000 });
        }
        assert_eq!(
            text(&interval),
            "interval   6 s   sent 10/s   received 10/s   p50 2.00 ms   p99 2.00 ms   \
             max 2.00 ms   missing 3   online 2"
        );
        let object: serde_json::Value = serde_json::from_str(&json(&interval)).unwrap();
        assert_eq!((&object["t"], &object["sent"]), (&4.into(), &20.into()));
        assert_eq!((&object["length"], object["step"].is_null()), (&2.into(), true));
    }

    #[test]
    fn a_fraction_of_a_second_is_an_interval_and_a_step_begins_with_none() {
        let mut interval = ReportInterval::new(7, Some(SteppedRate::Messages));
        let slice = slice();
        for _ in 0..3 {
            interval.add(&SliceOver { slice: &slice, length: 50_000_000 });
        }
        assert!(text(&interval).starts_with("interval   step 1   0.15 s   sent 200/s   received"));
        interval.go_on();
        interval.add(&SliceOver { slice: &slice, length: 50_000_000 });
        let object: serde_json::Value = serde_json::from_str(&json(&interval)).unwrap();
        assert_eq!((&object["t"], &object["length"]), (&0.15.into(), &0.05.into()));
        interval.next_step();
        interval.add(&SliceOver { slice: &slice, length: 100_000_000 });
        assert!(text(&interval).starts_with("interval   step 2   0.1 s   sent 100/s   received"));
    }
}
