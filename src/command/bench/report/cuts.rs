//! What the report says of connections that were cut.

use std::collections::BTreeMap;
use std::time::Duration;

use super::json::{Object, array, counts, seconds, times};
use crate::client::fleet::Cause;
use crate::command::bench::config::SessionKeeping;
use crate::command::bench::disturbances::CutKind;
use crate::command::bench::measure::{Quantile, brief};
use crate::command::bench::results::CutResults;
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
    let (count, noun) = (words::thousands(cut.count), cut.plan.who.kind.noun());
    let plural = if cut.count == 1 { "" } else { "s" };
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
    let text = format!("at {at:.1} s: {count} {noun}{plural} by {how}; back: p50 {p50}, p99 {p99}");
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
