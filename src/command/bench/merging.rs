//! The parts of a run put together again: counters and histograms are added, seconds by the clock
//! on the wall.

use std::collections::BTreeSet;
use std::time::Duration;

use super::comparison::settings;
use super::config::{LoadPace, LoadPlan, WindowLength};
use super::figures::RunFigures;
use super::joining::Joined;
use super::part::RunPart;
use super::results::{DisturbanceResults, LoadEnding, Second};
use super::split::{DecidedCopies, SplitTally};
use super::stored::StoredRun;
use crate::format::time::since_1970;

/// How far apart parts may begin, in seconds.
const MOST_APART: u64 = 86_400;

/// Puts together the parts of a run; each has the name of its file.
pub fn merge(mut parts: Vec<(String, StoredRun)>) -> Result<StoredRun, String> {
    check(&parts)?;
    decide(&mut parts)?;
    let first = parts.iter().filter_map(|(_, part)| began(part)).min();
    let mut parts = parts.into_iter().map(|(_, part)| part);
    let Some(mut whole) = parts.next() else { return Err("there is no file".to_owned()) };
    delay(&mut whole, first);
    for mut part in parts {
        delay(&mut part, first);
        add(&mut whole, part);
    }
    if whole.part != RunPart::WHOLE {
        whole.runs = vec![RunFigures::of(&whole.results)];
    }
    whole.part = RunPart::WHOLE;
    Ok(whole)
}

/// Refuses what does not belong together.
fn check(parts: &[(String, StoredRun)]) -> Result<(), String> {
    let Some((name, one)) = parts.first() else { return Ok(()) };
    let mut seen = BTreeSet::new();
    for (file, part) in parts {
        if part.run != one.run || part.load.seed != one.load.seed || part.part.of != one.part.of {
            return Err(format!(
                "{file}: part {} of run {:08x}, and {name} is part {} of run {:08x}",
                part.part, part.run, one.part, one.run
            ));
        }
        if let Some((setting, here, there)) = difference(&part.load, &one.load) {
            return Err(format!("{file}: {setting} is {here}, and {there} in {name}"));
        }
        if part.steps > 0 {
            return Err(format!("{file}: it has the steps of --ramp or --find-max, no part has"));
        }
        if part.runs.len() > 1 && one.part.of > 1 {
            return Err(format!("{file}: it has several runs (--runs), no part has"));
        }
        if !are_alike(&part.results.disturbances, &one.results.disturbances) {
            return Err(format!("{file}: its --cut or --stall is not that of {name}"));
        }
        if !seen.insert(part.part.number) {
            return Err(format!("{file}: part {} was given before", part.part));
        }
    }
    match (1..=one.part.of).find(|number| !seen.contains(number)) {
        Some(number) => Err(format!("part {number}/{} is missing", one.part.of)),
        None => Ok(()),
    }
}

/// Decides what was lost of streams that one part has published and another has read.
fn decide(parts: &mut [(String, StoredRun)]) -> Result<(), String> {
    let splits = parts.iter_mut().map(|(_, part)| std::mem::take(&mut part.results.verified.split));
    let splits: Vec<SplitTally> = splits.collect();
    for ((file, part), split) in parts.iter_mut().zip(&splits).filter(|(_, it)| it.is_open()) {
        let topic = split.topic.unwrap_or_default();
        let is_writer = |it: &&SplitTally| it.topic == split.topic && !it.written.is_empty();
        let Some(writer) = splits.iter().find(is_writer) else {
            return Err(format!("{file}: it has read topic {topic}, which no part has published"));
        };
        if let Some(read) = split.read.keys().find(|read| read.stream >= writer.written.len()) {
            let stream = read.stream;
            return Err(format!(
                "{file}: it has read stream {stream} of topic {topic}, which no part has published"
            ));
        }
        if part.results.ending != LoadEnding::Complete {
            let why = "it ended early, and what came later counts as lost";
            part.invalid.push(why.to_owned());
        }
        let decided = DecidedCopies::of(&split.read, &writer.written);
        part.results.verified.add_decided(decided);
        part.results.messages.expected += decided.in_window;
        if split.other_clock == 0 {
            // With the warm-up: what belongs to the window is known where it is published.
            part.results.latencies.delivery.add_never(decided.lost);
        }
    }
    Ok(())
}

/// Whether the same was done to connections, at the same times. A part that ended early has less.
fn are_alike(one: &DisturbanceResults, other: &DisturbanceResults) -> bool {
    let cuts = one.cuts.iter().zip(&other.cuts).map(|(one, other)| (one.plan, other.plan));
    let stalls = one.stalls.iter().zip(&other.stalls).map(|(one, other)| (one.plan, other.plan));
    let mut cuts = cuts.map(|(one, other)| {
        (one.at, one.how, one.who.kind) == (other.at, other.how, other.who.kind)
    });
    let mut stalls = stalls.map(|(one, other)| {
        (one.at, one.length, one.who.kind) == (other.at, other.length, other.who.kind)
    });
    cuts.all(|is_alike| is_alike) && stalls.all(|is_alike| is_alike)
}

/// A setting that all parts must have in common, and in which these differ.
fn difference(one: &LoadPlan, other: &LoadPlan) -> Option<(&'static str, String, String)> {
    /// What is divided between the parts.
    const DIVIDED: [&str; 5] = ["publishers", "subscribers", "idle", "topics", "rate"];
    let both = settings(one).into_iter().zip(settings(other));
    let are_counts =
        [one, other].iter().all(|load| matches!(load.times.length, WindowLength::Count(_)));
    let is_divided = |name| DIVIDED.contains(&name) || (name == "for" && are_counts);
    let mut both = both.filter(|((name, _), _)| !is_divided(*name));
    let ((name, one), (_, other)) = both.find(|((_, one), (_, other))| one != other)?;
    Some((name, one, other))
}

/// When the window of a part began, since 1970.
fn began(part: &StoredRun) -> Option<Duration> {
    since_1970(&part.start)?.checked_add(part.results.messages.after)
}

/// Puts the seconds of a part where they belong in a series that begins at `first`.
fn delay(part: &mut StoredRun, first: Option<Duration>) {
    let Some((began, first)) = began(part).zip(first) else { return };
    let late = began.saturating_sub(first) + Duration::from_millis(500);
    let late = late.as_secs().min(MOST_APART);
    let blank = (0..late).map(|_| Second::default());
    part.results.series.splice(0..0, blank);
}

fn add(whole: &mut StoredRun, part: StoredRun) {
    whole.results.add(&part.results, Joined::SideBySide);
    for why in part.invalid {
        whole.invalid.push(format!("part {}: {why}", part.part));
    }
    let (all, more) = (&mut whole.load, &part.load);
    all.plan.publishers += more.plan.publishers;
    all.plan.subscribers += more.plan.subscribers;
    all.plan.idle += more.plan.idle;
    all.plan.topics += more.plan.topics;
    if let (LoadPace::Open(offer), LoadPace::Open(other)) = (&mut all.pace, more.pace) {
        // What was divided is whole again, but for what a float cannot say.
        offer.rate = ((offer.rate + other.rate) * 1e6).round() / 1e6;
    }
    if let (WindowLength::Count(count), WindowLength::Count(other)) =
        (&mut all.times.length, more.times.length)
    {
        *count += other;
    }
    let churn = &mut all.disturbances.churn;
    *churn = [*churn, more.disturbances.churn].into_iter().flatten().reduce(|one, two| one + two);
    if part.start < whole.start {
        whole.start = part.start;
    }
}

#[cfg(test)]
mod tests;
