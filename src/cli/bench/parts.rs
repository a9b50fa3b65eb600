//! Runs beside each other: parts of one, several in turn, and an earlier one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{ArgAction, Args};

use crate::cli::value;
use crate::command::bench::conditions::Condition;
use crate::command::bench::config::{Haste, LoadPace, LoadPlan, RunPlan, WindowLength};
use crate::command::bench::part::{MOST_PARTS, RunPart};
use crate::command::bench::plan::Plan;
use crate::exit::Usage;
use crate::format::time::since_1970;

/// An early end, runs in turn, and an earlier one.
#[derive(Debug, Args)]
#[command(next_help_heading = "Judgement")]
pub struct RepetitionFlags {
    /// End the run as soon as a condition is true: looked at each second, numbers that only grow,
    /// and times of which there are 1,000
    #[arg(long, action = ArgAction::Count)]
    fail_fast: u8,

    /// Compare with the report that an earlier run has written with --json: settings that differ,
    /// and figures; a condition may be a multiple of its value then (p99>1.2x)
    #[arg(long, value_name = "FILE", value_parser = value::file(), allow_hyphen_values = true)]
    baseline: Option<PathBuf>,

    /// Do all so often; the report is of all together, with the least, the median and the most
    #[arg(long, value_name = "N", default_value = "1", value_parser = runs,
          conflicts_with_all = ["ramp", "find_max"], allow_hyphen_values = true)]
    runs: usize,
}

/// Parts of a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Several processes or machines")]
pub struct PartFlags {
    /// Do part I of N only: the topics k with k mod N = I-1, their connections, and an Nth of the
    /// rate; with fewer topics than parts the first parts publish, and the readers are split; give
    /// all parts the same --run, --seed and --start-at
    #[arg(long, value_name = "I/N", value_parser = part, requires = "run",
          conflicts_with_all = ["ramp", "find_max", "runs"], allow_hyphen_values = true)]
    part: Option<RunPart>,

    /// The number of the run, up to eight hexadecimal digits [default: random, from --seed]
    #[arg(long, value_name = "ID", value_parser = run_number, allow_hyphen_values = true)]
    run: Option<u32>,

    /// Begin to send at this time: 2026-11-29T16:00:00Z, or seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = start_at, allow_hyphen_values = true)]
    start_at: Option<Duration>,

    /// Put the reports of all parts of a run together (written with --json), and do nothing else
    #[arg(long, value_name = "FILE", num_args = 1.., value_parser = value::file(),
          conflicts_with_all = ["part", "run", "start_at", "open", "runs", "dry_run"])]
    merge: Vec<PathBuf>,
}

/// The most runs in turn.
const MOST_RUNS: usize = 1000;

fn runs(text: &str) -> Result<usize, String> {
    let runs = text.parse().ok().filter(|runs| (1..=MOST_RUNS).contains(runs));
    runs.ok_or_else(|| format!("expected a number from 1 to {MOST_RUNS}"))
}

fn part(text: &str) -> Result<RunPart, String> {
    let number = |text: &str| -> Option<usize> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    };
    let parsed = text.split_once('/');
    let parsed = parsed.and_then(|(one, all)| number(one).zip(number(all)));
    parsed
        .map(|(number, of)| RunPart { number, of })
        .filter(|part| (1..=part.of).contains(&part.number) && part.of <= MOST_PARTS)
        .ok_or_else(|| format!("expected I/N, such as 1/2, with N up to {MOST_PARTS}"))
}

fn run_number(text: &str) -> Result<u32, String> {
    let is_plain = text.len() <= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u32::from_str_radix(text, 16).ok().filter(|_| is_plain);
    number.ok_or_else(|| "expected up to eight hexadecimal digits, such as 7f3a9c21".to_owned())
}

fn start_at(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok();
    let unix = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    unix.filter(|time| time.as_secs() < 100_000_000_000)
        .or_else(|| since_1970(text))
        .ok_or_else(|| "expected a time such as 2026-11-29T16:00:00Z, or seconds since 1970".into())
}

impl RepetitionFlags {
    /// Whether a condition that is true ends the run.
    pub fn haste(&self) -> Haste {
        if self.fail_fast > 0 { Haste::FailFast } else { Haste::ToTheEnd }
    }

    /// The report to compare with.
    pub fn baseline(&self, conditions: &[Condition]) -> Result<Option<PathBuf>> {
        let needs = conditions.iter().find(|condition| condition.is_of_baseline());
        if let (Some(condition), None) = (needs, &self.baseline) {
            let why = format!("--fail {}: x needs a --baseline", condition.text());
            return Err(Usage::new(why).into());
        }
        Ok(self.baseline.clone())
    }
}

impl PartFlags {
    /// The seed of all parts, unless one is given.
    pub fn seed(&self) -> Option<u64> {
        self.part.and(self.run).map(u64::from)
    }

    /// The plan of the part, and which part of what it is.
    pub fn plan(self, whole: Plan, repetition: &RepetitionFlags) -> Result<(Plan, RunPlan)> {
        let part = self.part.unwrap_or(RunPart::WHOLE);
        let plan = part.of_plan(&whole);
        let needs_start = part.is_split(&whole) && whole.publishers > 0 && whole.subscribers > 0;
        ensure!(
            !needs_start || self.start_at.is_some(),
            Usage::new(format!(
                "--part {part}: with fewer topics ({}) than parts the readers of a topic are in \
                 several: give --start-at, when all of them will have subscribed",
                whole.topics
            ))
        );
        ensure!(
            plan.connections() > 0,
            Usage::new(format!("--part {part}: no connection is left for this part"))
        );
        let (run, start_at, merge) = (self.run, self.start_at, self.merge);
        let runs = repetition.runs;
        Ok((plan, RunPlan { run, part, whole, start_at, runs, merge }))
    }
}

/// Refuses messages that are retained where readers of a topic are in several parts: each part
/// would set and remove them for the others, too.
pub fn check_retained(load: &LoadPlan) -> Result<()> {
    let is_split = load.plan.writers.split_topic().is_some();
    let why = "--part: with fewer topics than parts nothing can be retained (-r, --retained)";
    ensure!(!is_split || !load.messages.retain.leaves_something(), Usage::new(why));
    Ok(())
}

/// What a part has of the rate of the whole, which has this plan.
pub fn pace(pace: LoadPace, part: RunPart, whole: &Plan) -> LoadPace {
    match pace {
        LoadPace::Open(mut offer) => {
            let part = part.among_writers(whole);
            offer.rate = part.map_or(0.0, |part| part.of_rate(offer.rate));
            LoadPace::Open(offer)
        }
        LoadPace::Closed(_) => pace,
    }
}

/// What a part has of the messages of the whole, which has this plan.
pub fn length(length: WindowLength, part: RunPart, whole: &Plan) -> WindowLength {
    match (length, part.among_writers(whole)) {
        (WindowLength::Time(_), _) => length,
        (WindowLength::Count(_), None) => WindowLength::Count(0),
        (WindowLength::Count(count), Some(RunPart { number, of })) => {
            let (number, of) = (number as u64, of as u64);
            WindowLength::Count((count + of - number) / of)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::plan::{Audience, WriterPlace};

    #[test]
    fn parts_have_numbers() {
        assert_eq!(part("2/3"), Ok(RunPart { number: 2, of: 3 }));
        for wrong in ["", "1", "0/2", "3/2", "1/0", "1/257", "+1/2", "1/2/3", "a/b"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
        assert_eq!(run_number("7f3a9c21"), Ok(0x7f3a_9c21));
        for wrong in ["", "+1", "123456789", "x"] {
            assert!(run_number(wrong).is_err(), "{wrong}");
        }
        assert_eq!(start_at("1000.5"), Ok(Duration::from_millis(1_000_500)));
        assert_eq!(start_at("1970-01-01T00:01:00Z"), Ok(Duration::from_secs(60)));
        for wrong in ["", "tomorrow", "-1", "NaN", "1e30"] {
            assert!(start_at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_messages_of_all_parts_are_those_of_the_whole() {
        for topics in [1, 2, 3, 7] {
            for count in [1, 7, 100] {
                let (audience, writers, groups) = (Audience::Shared, WriterPlace::Here, None);
                let (publishers, subscribers, idle) = (4, 4, 0);
                let whole =
                    Plan { publishers, writers, subscribers, idle, topics, audience, groups };
                let parts = (1..=3).map(|number| RunPart { number, of: 3 });
                let all = WindowLength::Count(count);
                let counts = parts.map(|part| match length(all, part, &whole) {
                    WindowLength::Count(count) => count,
                    WindowLength::Time(_) => panic!("a time"),
                });
                assert_eq!(counts.sum::<u64>(), count, "{topics}");
            }
        }
    }
}
