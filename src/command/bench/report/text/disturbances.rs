//! Lines for what was done to connections on purpose, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::fleet::Cause;
use crate::command::bench::clock::number;
use crate::command::bench::config::SessionKeeping;
use crate::command::bench::disturbances::{CrowdKind, CutKind};
use crate::command::bench::measure::{LatencyTimes, brief, brief_quantile};
use crate::command::bench::results::{
    ChurnResults, CutResults, GroupResults, RetainedResults, StallResults, WillResults,
};
use crate::command::bench::words;

/// The lines of a cut.
pub fn cut_lines(cut: &CutResults, sessions: SessionKeeping) -> [String; 2] {
    [happened(cut), waited(cut, sessions)]
}

/// A time after something that was so long ago.
fn after(time: Duration) -> String {
    brief(number(time))
}

fn happened(cut: &CutResults) -> String {
    let at = cut.plan.at.as_secs_f64();
    let (count, who) = (words::thousands(cut.count), who(cut.count, cut.plan.who.kind));
    let how = match cut.plan.how {
        CutKind::Reset => "RST",
        CutKind::Fin => "FIN",
        CutKind::Disconnect => "DISCONNECT",
    };
    let quantile = |share| brief_quantile(cut.back.quantile(share));
    let all = match cut.all_back {
        Some(time) => format!("all after {}", after(time)),
        None => format!("{} of {count}", words::thousands(cut.back.count())),
    };
    let (p50, p99) = (quantile(0.5), quantile(0.99));
    let text = format!("at {at:.1} s: {who} by {how}; back: p50 {p50}, p99 {p99}");
    format!("{text}, {all}{}", failed(&cut.failed))
}

/// `; 3 failed tries (TCP refused 3)`
fn failed(causes: &BTreeMap<Cause, u64>) -> String {
    let all: u64 = causes.values().sum();
    if all == 0 {
        return String::new();
    }
    let each = causes.iter();
    let each = each.map(|(cause, count)| format!("{} {}", cause.words(), words::thousands(*count)));
    let tries = if all == 1 { "try" } else { "tries" };
    let each: Vec<String> = each.collect();
    format!("; {} failed {tries} ({})", words::thousands(all), each.join(", "))
}

fn waited(cut: &CutResults, sessions: SessionKeeping) -> String {
    let mut parts = Vec::new();
    parts.extend(present(cut.session_present, &cut.back, sessions));
    parts.push(match cut.last_waited {
        Some(time) => format!("{}, the last came after {}", copies(cut.waited), after(time)),
        None => "no copy waited".to_owned(),
    });
    if let Some(time) = cut.settled {
        parts.push(format!("p99 as before after {}", after(time)));
    }
    parts.join("; ")
}

/// `18,600 copies waited`
fn copies(count: u64) -> String {
    let noun = if count == 1 { "copy" } else { "copies" };
    format!("{} {noun} waited", words::thousands(count))
}

/// How many of those that came back found their session again, if sessions are kept.
fn present(present: u64, back: &LatencyTimes, sessions: SessionKeeping) -> Option<String> {
    let [present, back] = [present, back.count()].map(words::thousands);
    let is_kept = sessions != SessionKeeping::Connection;
    is_kept.then(|| format!("session present {present} of {back}"))
}

/// The median, the 99th percentile, and the longest.
fn p50_p99_max(times: &LatencyTimes) -> String {
    let [p50, p99] = [0.5, 0.99].map(|share| brief_quantile(times.quantile(share)));
    format!("p50 {p50}, p99 {p99}, max {}", brief_quantile(times.maximum()))
}

/// The lines of a stall.
pub fn stall_lines(stall: &StallResults) -> [String; 2] {
    let (at, length) = (stall.plan.at.as_secs_f64(), stall.plan.length.as_secs_f64());
    let who = who(stall.count, stall.plan.who.kind);
    let others = if stall.others.count() == 0 {
        "there was nothing for others".to_owned()
    } else {
        format!("the others meanwhile: {}", p50_p99_max(&stall.others))
    };
    let happened = format!("at {at:.1} s: {who} did not read for {length:.1} s; {others}");
    let waited = match stall.last_waited {
        Some(time) => format!("{}, the last came {} after it", copies(stall.waited), after(time)),
        None => "no copy waited".to_owned(),
    };
    let disconnected = words::thousands(stall.disconnected);
    [happened, format!("{waited}; {disconnected} of them were disconnected")]
}

/// The line of connections that were made anew all the time.
pub fn churn_line(rate: f64, churn: &ChurnResults, sessions: SessionKeeping) -> String {
    let count = words::thousands(churn.ended);
    let mut parts = vec![format!("{count} connections ended and made anew, {}", words::rate(rate))];
    if churn.back.count() > 0 {
        parts.push(format!("back: {}", p50_p99_max(&churn.back)));
    }
    parts.extend(present(churn.session_present, &churn.back, sessions));
    parts.join("; ") + &failed(&churn.failed)
}

/// `1,000 subscribers`
fn who(count: u64, kind: CrowdKind) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {}{plural}", words::thousands(count), kind.noun())
}

/// The line of the groups that share subscriptions.
pub fn groups_line(groups: &GroupResults) -> String {
    let GroupResults { groups, members, least, most, starved } = groups;
    let plural = if *groups == 1 { "" } else { "s" };
    let [groups, members, least, most, starved] =
        [groups, members, least, most, starved].map(|count| words::thousands(*count));
    format!(
        "by {groups} group{plural} of {members} subscribers: a member got {least} to {most} \
         messages, {starved} starved"
    )
}

/// The line of what was retained.
pub fn retained_line(retained: &RetainedResults) -> String {
    let (came, all) = (words::thousands(retained.received), words::thousands(retained.expected));
    let twice = words::thousands(retained.duplicated);
    let complete = match retained.complete {
        Some(time) => format!("all after {}", after(time)),
        None => "some never".to_owned(),
    };
    let times = p50_p99_max(&retained.times);
    format!("{came} of {all} copies came, {complete}: {times}; {twice} twice")
}

/// The line of wills.
pub fn wills_line(wills: &WillResults) -> String {
    let (came, all) = (words::thousands(wills.received), words::thousands(wills.expected));
    let unexpected = words::thousands(wills.unexpected);
    let delay = if wills.delay.count() > 0 {
        format!(": {}", p50_p99_max(&wills.delay))
    } else {
        String::new()
    };
    format!("{came} of {all} came{delay}; {unexpected} that should not come")
}
