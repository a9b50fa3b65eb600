//! What `bench` does around a run: steps of rates, and lines while it goes on.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{ArgAction, Args};

use super::messages::HIGHEST_RATE;
use crate::cli::disturbances::scaled;
use crate::cli::value;
use crate::command::bench::config::{LoadPace, LoadPlan};
use crate::command::bench::course::{LoadCourse, MOST_STEPS, Ramp, RampStep};
use crate::exit::Usage;

/// Steps of rates.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct StepFlags {
    /// Offer rates one after the other, up to the first that does not hold: 10k:160k:x2, 1k:9k:+2k
    /// or 1k:2k:10%
    ///
    /// A step takes --for, after 1 s of warm-up; the same connections serve all. It holds when no
    /// condition is true. That a step does not hold fails the run only if it is the first.
    #[arg(long, value_name = "FROM:TO:STEP", value_parser = ramp, group = "open",
          conflicts_with_all = ["rate", "find_max", "count", "warmup", "cuts", "stalls", "retained",
                                "will"],
          allow_hyphen_values = true)]
    ramp: Option<Ramp>,

    /// Search for the highest rate that holds: from --rate on (1000) each step doubles it, then the
    /// range is halved, and the highest is confirmed twice with double time
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
    /// Print a line, or with --json an object, each so many seconds of the measuring
    #[arg(long = "report", value_name = "TIME", value_parser = interval,
          allow_hyphen_values = true)]
    interval: Option<Duration>,
}

/// The rate at which a search begins.
const FIRST_RATE: f64 = 1000.0;

fn ramp(text: &str) -> Result<Ramp, String> {
    let expected = || {
        "expected FROM:TO:STEP with a STEP such as +5k, x2 or 10%: 10k:160k:x2, 1k:9k:+2k"
            .to_owned()
    };
    let mut parts = text.split(':');
    let (Some(from), Some(to), Some(step), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(expected());
    };
    let rate = |text: &str| scaled(text).filter(|rate| *rate <= HIGHEST_RATE);
    let (from, to) = rate(from).zip(rate(to)).ok_or_else(expected)?;
    let step = ramp_step(step).ok_or_else(expected)?;
    let ramp = Ramp { from, to, step };
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

fn interval(text: &str) -> Result<Duration, String> {
    value::duration(text)
        .ok()
        .filter(|time| time.subsec_nanos() == 0 && (1..=86_400).contains(&time.as_secs()))
        .ok_or_else(|| "expected whole seconds from 1s to 24h".to_owned())
}

impl StepFlags {
    /// The rate of the first step, and how it goes on; `rate` is that of `--rate`.
    pub fn course(&self, rate: Option<f64>) -> (Option<f64>, LoadCourse) {
        match (self.ramp, self.find_max) {
            (Some(ramp), _) => (Some(ramp.from), LoadCourse::Ramp(ramp)),
            (None, 0) => (rate, LoadCourse::Once),
            (None, _) => {
                let from = rate.unwrap_or(FIRST_RATE);
                (Some(from), LoadCourse::FindMax { from, resolution: self.resolution })
            }
        }
    }

    /// Refuses steps without anyone who sends.
    pub fn check(load: &LoadPlan) -> Result<()> {
        ensure!(
            load.times.course == LoadCourse::Once || load.plan.publishers > 0,
            Usage::new("--ramp, --find-max: nobody publishes: give --pub")
        );
        debug_assert!(
            load.times.course == LoadCourse::Once || matches!(load.pace, LoadPace::Open(_))
        );
        Ok(())
    }
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
        let expected = Ramp { from: 10_000.0, to: 160_000.0, step: RampStep::Times(2.0) };
        assert_eq!(ramp("10k:160k:x2"), Ok(expected));
        let expected = Ramp { from: 1000.0, to: 9000.0, step: RampStep::Plus(2000.0) };
        assert_eq!(ramp("1k:9k:+2k"), Ok(expected));
        let expected = Ramp { from: 1000.0, to: 2000.0, step: RampStep::Times(1.1) };
        assert_eq!(ramp("1k:2k:10%"), Ok(expected));
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
        ] {
            assert!(ramp(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn how_near_and_how_often_have_bounds() {
        assert_eq!((resolution("5%"), resolution("10")), (Ok(0.05), Ok(0.1)));
        assert!(resolution("0.01%").is_err() && resolution("51%").is_err());
        assert_eq!(interval("10s"), Ok(Duration::from_secs(10)));
        assert!(interval("0").is_err() && interval("500ms").is_err() && interval("25h").is_err());
    }
}
