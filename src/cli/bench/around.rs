//! What `bench` does around a run: steps of rates, and lines while it goes on.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{ArgAction, Args};

use super::crowd::CrowdFlags;
use crate::cli::disturbances::scaled;
use crate::cli::value;
use crate::command::bench::config::{LoadPace, LoadPlan};
use crate::command::bench::course::{LoadCourse, MOST_STEPS, Ramp, RampStep, SteppedRate};
use crate::command::bench::plan::Plan;
use crate::exit::Usage;

/// Steps of rates.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct StepFlags {
    /// Offer rates one after the other, up to the first that does not hold: 10k:160k:x2, 1k:9k:+2k
    /// or 1k:2k:10%
    ///
    /// A step takes --for, after 1 s of warm-up; the same connections serve all. It holds when no
    /// condition is true. That a step does not hold fails the run only if it is the first. With
    /// connect= it is the rate at which connections are made: each step begins with none, and when
    /// as many stand as --connect says the oldest are ended for new ones.
    #[arg(long, value_name = "[connect=]FROM:TO:STEP", value_parser = ramp, group = "open",
          conflicts_with_all = ["rate", "find_max", "count", "warmup", "cuts", "stalls", "retained",
                                "will"],
          allow_hyphen_values = true)]
    ramp: Option<Ramp>,

    /// Search for the highest rate that holds: from --rate on (1000) each step doubles it, then the
    /// range is halved, and the highest is confirmed twice with double time; with --connect alone
    /// that of connecting, from --connect-rate on
    #[arg(long, action = ArgAction::Count, group = "open",
          conflicts_with_all = ["count", "warmup", "cuts", "stalls", "retained", "will"])]
    find_max: u8,

    /// With --find-max: how near the highest rate that holds and the lowest that does not are to be
    #[arg(long, value_name = "PERCENT", value_parser = resolution, requires = "find_max",
          default_value = "5%", allow_hyphen_values = true)]
    resolution: f64,
}

/// Lines while it goes on.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct IntervalFlags {
    /// Print a line, or with --json an object, each time that so much of the measuring is over:
    /// from 100ms to 24h, in steps of 50ms
    #[arg(long = "report", value_name = "TIME", value_parser = interval,
          allow_hyphen_values = true)]
    interval: Option<Duration>,
}

/// The rate at which a search begins.
const FIRST_RATE: f64 = 1000.0;

fn ramp(text: &str) -> Result<Ramp, String> {
    let (of, text) = match text.strip_prefix("connect=") {
        Some(text) => (SteppedRate::Connecting, text),
        None => (SteppedRate::Messages, text),
    };
    let expected = || {
        "expected FROM:TO:STEP with a STEP such as +5k, x2 or 10%: 10k:160k:x2, 1k:9k:+2k, \
         connect=100:3200:x2"
            .to_owned()
    };
    let mut parts = text.split(':');
    let (Some(from), Some(to), Some(step), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(expected());
    };
    let (from, to) = scaled(from).zip(scaled(to)).ok_or_else(expected)?;
    let step = ramp_step(step).ok_or_else(expected)?;
    if from.max(to) > of.highest() {
        return Err(match of {
            SteppedRate::Messages => "expected at most 10M messages a second".to_owned(),
            SteppedRate::Connecting => "expected at most 100k connections a second".to_owned(),
        });
    }
    let ramp = Ramp { of, from, to, step };
    match ramp.rates().len() {
        0 => Err("expected a last rate that is not below the first".to_owned()),
        1..=MOST_STEPS => Ok(ramp),
        _ => Err(format!("expected at most {MOST_STEPS} steps")),
    }
}

fn ramp_step(text: &str) -> Option<RampStep> {
    if let Some(more) = text.strip_prefix('+') {
        return scaled(more).map(RampStep::Plus);
    }
    if let Some(percent) = text.strip_suffix('%') {
        let times = 1.0 + scaled(percent)? / 100.0;
        return Some(RampStep::Times(times));
    }
    scaled(text.strip_prefix('x')?).filter(|times| *times > 1.0).map(RampStep::Times)
}

fn resolution(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').unwrap_or(text);
    scaled(percent)
        .map(|percent| percent / 100.0)
        .filter(|share| (0.001..=0.5).contains(share))
        .ok_or_else(|| "expected percent from 0.1% to 50%".to_owned())
}

/// The times of `--report` are multiples of this: a second has a whole number of them.
const INTERVAL_STEP: Duration = Duration::from_millis(50);

fn interval(text: &str) -> Result<Duration, String> {
    let (least, most) = (INTERVAL_STEP * 2, Duration::from_secs(86_400));
    value::duration(text)
        .ok()
        .filter(|time| time.as_nanos().is_multiple_of(INTERVAL_STEP.as_nanos()))
        .filter(|time| (least..=most).contains(time))
        .ok_or_else(|| {
            "expected a time from 100ms to 24h in steps of 50ms, such as 0.5s".to_owned()
        })
}

impl StepFlags {
    /// The rate of messages in the first step, and how it goes on; `rate` is that of `--rate`.
    pub fn course(
        &self,
        rate: Option<f64>,
        plan: &Plan,
        crowd: &CrowdFlags,
    ) -> Result<(Option<f64>, LoadCourse)> {
        let is_of_messages = plan.publishers + plan.subscribers > 0;
        match (self.ramp, self.find_max) {
            (None, 0) => Ok((rate, LoadCourse::Once)),
            (Some(ramp), _) if ramp.of == SteppedRate::Connecting => {
                check_connecting(plan, crowd)?;
                Ok((None, LoadCourse::Ramp(ramp)))
            }
            (Some(ramp), _) => Ok((Some(ramp.from), LoadCourse::Ramp(ramp))),
            (None, _) if is_of_messages || rate.is_some() => {
                let (of, from) = (SteppedRate::Messages, rate.unwrap_or(FIRST_RATE));
                let resolution = self.resolution;
                Ok((Some(from), LoadCourse::FindMax { of, from, resolution }))
            }
            (None, _) => {
                let (of, resolution) = (SteppedRate::Connecting, self.resolution);
                let why = "--find-max: --connect-rate none: the search begins at a rate";
                let from = crowd.connect_rate().ok_or_else(|| Usage::new(why))?;
                let why = "--find-max: --connect-rate: at most 100k connections a second";
                ensure!(from <= of.highest(), Usage::new(why));
                Ok((None, LoadCourse::FindMax { of, from, resolution }))
            }
        }
    }

    /// Refuses steps in which there is nothing to do.
    pub fn check(load: &LoadPlan) -> Result<()> {
        let course = load.times.course;
        if course.is_of_connecting() {
            let why = "--churn: each step of connecting ends connections and makes them anew";
            ensure!(load.disturbances.churn.is_none(), Usage::new(why));
            return Ok(());
        }
        ensure!(
            course == LoadCourse::Once || load.plan.publishers > 0,
            Usage::new("--ramp, --find-max: nobody publishes: give --pub")
        );
        debug_assert!(course == LoadCourse::Once || matches!(load.pace, LoadPace::Open(_)));
        Ok(())
    }
}

/// Refuses a ramp of connecting with other connections than those of `--connect`.
fn check_connecting(plan: &Plan, crowd: &CrowdFlags) -> Result<()> {
    let is_alone = plan.idle > 0 && plan.publishers + plan.subscribers == 0;
    let why =
        "--ramp connect=: give --connect N, how many may stand at once, and no --pub or --sub";
    ensure!(is_alone, Usage::new(why));
    let why = "--connect-rate: --ramp connect= says at which rates connections are made";
    ensure!(!crowd.has_connect_rate(), Usage::new(why));
    Ok(())
}

impl IntervalFlags {
    /// How often a line is printed.
    pub fn interval(&self) -> Option<Duration> {
        self.interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_has_a_beginning_an_end_and_a_step() {
        let of = SteppedRate::Messages;
        let expected = Ramp { of, from: 10_000.0, to: 160_000.0, step: RampStep::Times(2.0) };
        assert_eq!(ramp("10k:160k:x2"), Ok(expected));
        let expected = Ramp { of, from: 1000.0, to: 9000.0, step: RampStep::Plus(2000.0) };
        assert_eq!(ramp("1k:9k:+2k"), Ok(expected));
        let expected = Ramp { of, from: 1000.0, to: 2000.0, step: RampStep::Times(1.1) };
        assert_eq!(ramp("1k:2k:10%"), Ok(expected));
        let of = SteppedRate::Connecting;
        let expected = Ramp { of, from: 50.0, to: 200.0, step: RampStep::Plus(50.0) };
        assert_eq!(ramp("connect=50:200:+50"), Ok(expected));
        for wrong in [
            "",
            "1k",
            "1k:2k",
            "1k:2k:x1",
            "1k:2k:x0.5",
            "2k:1k:x2",
            "1k:2k:+0",
            "1k:2k:2",
            "1k:2k:0%",
            "0:2k:x2",
            "1k:20M:x2",
            "1:1M:+1",
            "1k:2k:x2:3",
            "1k:2k:+x",
            "1k:2k:%",
            "connect=",
            "connect=1k",
            "connect=200:100:x2",
            "connect=1k:200k:x2",
            "connect=1:2:+0",
            "connect:1:2:x2",
            "pub=1:2:x2",
        ] {
            assert!(ramp(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn how_near_and_how_often_have_bounds() {
        assert_eq!((resolution("5%"), resolution("10")), (Ok(0.05), Ok(0.1)));
        assert!(resolution("0.01%").is_err() && resolution("51%").is_err());
        for (text, millis) in [("10s", 10_000), ("0.5s", 500), ("100ms", 100), ("1.25", 1250)] {
            assert_eq!(interval(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["0", "50ms", "110ms", "0.333s", "25h", "24.1h", "-1", "1ns", "x"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
