//! What the report says of what was done to connections on purpose.

use std::collections::BTreeMap;
use std::time::Duration;

use super::object::{Object, array, counts, seconds, times};
use crate::client::fleet::Cause;
use crate::command::bench::config::SessionKeeping;
use crate::command::bench::disturbances::{CrowdKind, CutKind};
use crate::command::bench::measure::{LatencyTimes, Quantile, brief};
use crate::command::bench::results::{ChurnResults, CutResults, StallResults};
use crate::command::bench::words;

/// The lines of a cut.
pub fn lines(cut: &CutResults, sessions: SessionKeeping) -> [String; 2] {
    [happened(cut), waited(cut, sessions)]
}

/// A time after something that was so long ago.
fn after(time: Duration) -> String {
    brief(crate::command::bench::clock::number(time))
}

fn happened(cut: &CutResults) -> String {
    let at = cut.plan.at.as_secs_f64();
    let (count, who) = (words::thousands(cut.count), who(cut.count, cut.plan.who.kind));
    let how = match cut.plan.how {
        CutKind::Reset => "RST",
        CutKind::Fin => "FIN",
        CutKind::Disconnect => "DISCONNECT",
    };
    let quantile = |share| match cut.back.quantile(share) {
        Some(Quantile::Time(time)) => brief(time),
        Some(Quantile::Never) => "never".to_owned(),
        None => "-".to_owned(),
    };
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
    if sessions != SessionKeeping::Connection {
        let (present, back) = (cut.session_present, cut.back.count());
        let (present, back) = (words::thousands(present), words::thousands(back));
        parts.push(format!("session present {present} of {back}"));
    }
    let count = words::thousands(cut.waited);
    parts.push(match cut.last_waited {
        Some(time) => format!("{count} copies waited, the last came after {}", after(time)),
        None => "no copy waited".to_owned(),
    });
    if let Some(time) = cut.settled {
        parts.push(format!("p99 as before after {}", after(time)));
    }
    parts.join("; ")
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
    let count = words::thousands(stall.waited);
    let waited = match stall.last_waited {
        Some(time) => format!("{count} copies waited, the last came {} after it", after(time)),
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
    if sessions != SessionKeeping::Connection {
        let (present, back) = (churn.session_present, churn.back.count());
        let (present, back) = (words::thousands(present), words::thousands(back));
        parts.push(format!("session present {present} of {back}"));
    }
    parts.join("; ") + &failed(&churn.failed)
}

/// `1,000 subscribers`
fn who(count: u64, kind: CrowdKind) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {}{plural}", words::thousands(count), kind.noun())
}

fn p50_p99_max(times: &LatencyTimes) -> String {
    let shown = |quantile| match quantile {
        Some(Quantile::Time(time)) => brief(time),
        Some(Quantile::Never) => "never".to_owned(),
        None => "-".to_owned(),
    };
    let [p50, p99] = [0.5, 0.99].map(|share| shown(times.quantile(share)));
    format!("p50 {p50}, p99 {p99}, max {}", shown(times.maximum()))
}

/// The member `stalls`.
pub fn stalls(stalls: &[StallResults]) -> String {
    array(stalls.iter().map(|stall| {
        Object::new()
            .raw("at", seconds(stall.plan.at))
            .raw("length", seconds(stall.plan.length))
            .text("who", stall.plan.who.kind.word())
            .raw("count", stall.count)
            .raw("others", times(&stall.others))
            .raw("waited", stall.waited)
            .maybe("last_waited", stall.last_waited.map(seconds))
            .raw("disconnected", stall.disconnected)
            .end()
    }))
}

/// The member `churn`.
pub fn churn(rate: Option<f64>, churn: &ChurnResults) -> Option<String> {
    let object = Object::new()
        .raw("rate", rate?)
        .raw("ended", churn.ended)
        .raw("back", times(&churn.back))
        .raw("failed_tries", counts(&churn.failed))
        .raw("session_present", churn.session_present);
    Some(object.end())
}

/// The member `cuts`.
pub fn cuts(cuts: &[CutResults]) -> String {
    array(cuts.iter().map(|cut| {
        Object::new()
            .raw("at", seconds(cut.plan.at))
            .text("who", cut.plan.who.kind.word())
            .text("how", cut.plan.how.word())
            .raw("count", cut.count)
            .raw("back", times(&cut.back))
            .maybe("all_back", cut.all_back.map(seconds))
            .raw("failed_tries", counts(&cut.failed))
            .raw("session_present", cut.session_present)
            .raw("waited", cut.waited)
            .maybe("last_waited", cut.last_waited.map(seconds))
            .maybe("p99_as_before", cut.settled.map(seconds))
            .end()
    }))
}

/// For how many seconds sessions are kept; 0 is not at all.
pub fn expiry(sessions: SessionKeeping) -> u32 {
    match sessions {
        SessionKeeping::Connection => 0,
        SessionKeeping::Kept(expiry) => expiry,
    }
}
