//! The flags of `bench` for how long it takes, what fails it, and where its reports go.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::around::IntervalFlags;
use crate::cli::value;
use crate::command::bench::conditions::{Condition, Tolerated};
use crate::command::bench::config::{MaxLateness, TimePlan, WindowLength};
use crate::command::bench::course::LoadCourse;

/// How long it takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct TimeFlags {
    /// How long is measured, or how long the connections of `--connect` stand
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = window,
          allow_hyphen_values = true)]
    length: Duration,

    /// Measure until so many messages are sent
    #[arg(short = 'C', long, value_name = "N", value_parser = value::count,
          conflicts_with = "length", allow_hyphen_values = true)]
    count: Option<u64>,

    /// Send for this time before it is measured [default: 2s, and 0 with -C]
    #[arg(long, value_name = "TIME", value_parser = value::duration, allow_hyphen_values = true)]
    warmup: Option<Duration>,

    /// How long to wait for what is missing, since the last arrival
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = value::duration,
          allow_hyphen_values = true)]
    drain: Duration,
}

/// What fails the run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Judgement")]
pub struct JudgementFlags {
    /// Exit with 1 if one of these is true, such as `p99>20ms,rate<20k`; without data it is
    ///
    /// METRIC OP VALUE; OP is one of > >= < <= == !=. Metrics: p50, p99.9 and the like, max, mean
    /// (of delivery, else of acknowledgement, else of connecting; or ack.p99, connect.p99, tls.p99,
    /// suback.p99, lateness.p99, cut.p99), lost, lost%, missed, duplicated, reordered, corrupted,
    /// unsent, refused, unacknowledged, failed, disconnected, connected, rate, `sent_rate`, cpu,
    /// rss. Units: ns us ms s, %, k M, KiB MiB.
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    pub fail: Vec<Condition>,

    /// Do not fail by these: failed, disconnected, corrupted, unsent, overload, lost, duplicated,
    /// reordered
    ///
    /// Each of them fails a run that has any; lost only at QoS 1 and 2, duplicated only at QoS 0
    /// and 2.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', allow_hyphen_values = true)]
    pub tolerate: Vec<Tolerated>,

    /// How late the generator itself may be (p99), or `never` [default: 1ms, or a tenth of the
    /// latency]
    #[arg(long, value_name = "TIME", value_parser = max_lateness, allow_hyphen_values = true)]
    pub max_lateness: Option<MaxLateness>,
}

/// The reports.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct BenchOutputFlags {
    /// Print a JSON object instead of the text, or write it into this file
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub json: Option<Vec<PathBuf>>,

    /// Write percentiles into files that begin with this: PREFIX.delivery.hgrm, .ack.hgrm,
    /// .connect.hgrm, .lateness.hgrm
    #[arg(long, value_name = "PREFIX", allow_hyphen_values = true)]
    pub hgrm: Option<PathBuf>,

    /// Lines while it goes on.
    #[command(flatten)]
    pub interval: IntervalFlags,
}

fn window(text: &str) -> Result<Duration, String> {
    let (least, most) = (Duration::from_millis(100), Duration::from_secs(86_400));
    value::duration(text)
        .ok()
        .filter(|time| (least..=most).contains(time))
        .ok_or_else(|| "expected a time from 100ms to 24h".to_owned())
}

fn max_lateness(text: &str) -> Result<MaxLateness, String> {
    if text == "never" {
        return Ok(MaxLateness::Never);
    }
    let time = tick_free(text).map(MaxLateness::Time);
    time.map_err(|_| "expected a time such as 500us, 5ms or 0.5s, or never".to_owned())
}

/// A time, also in microseconds.
fn tick_free(text: &str) -> Result<Duration, String> {
    let micros = text.strip_suffix("us").and_then(|number| number.parse().ok());
    micros.map_or_else(|| value::timeout(text), |us| Ok(Duration::from_micros(us)))
}

impl TimeFlags {
    /// How long it takes.
    pub fn plan(&self, course: LoadCourse) -> TimePlan {
        let usual = if self.count.is_some() { Duration::ZERO } else { Duration::from_secs(2) };
        TimePlan {
            length: self.count.map_or(WindowLength::Time(self.length), WindowLength::Count),
            warmup: self.warmup.unwrap_or(usual),
            drain: self.drain,
            course,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_bounds() {
        assert_eq!(window("24h"), Ok(Duration::from_secs(86_400)));
        assert!(window("99ms").is_err() && window("25h").is_err() && window("x").is_err());
    }
}
