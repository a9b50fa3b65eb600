//! What the report says of retained messages and of wills.

use super::object::{Object, seconds, times};
use crate::command::bench::measure::{LatencyTimes, Quantile, brief};
use crate::command::bench::results::{RetainedResults, WillResults};
use crate::command::bench::words;

/// The median, the 99th percentile, and the longest.
pub fn p50_p99_max(times: &LatencyTimes) -> String {
    let shown = |quantile| match quantile {
        Some(Quantile::Time(time)) => brief(time),
        Some(Quantile::Never) => "never".to_owned(),
        None => "-".to_owned(),
    };
    let [p50, p99] = [0.5, 0.99].map(|share| shown(times.quantile(share)));
    format!("p50 {p50}, p99 {p99}, max {}", shown(times.maximum()))
}

/// The line of what was retained.
pub fn retained_line(retained: &RetainedResults) -> String {
    let (came, all) = (words::thousands(retained.received), words::thousands(retained.expected));
    let twice = words::thousands(retained.duplicated);
    let complete = match retained.complete {
        Some(time) => format!("all after {}", brief(crate::command::bench::clock::number(time))),
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

/// The member `retained`.
pub fn retained(retained: &RetainedResults) -> String {
    Object::new()
        .raw("expected", retained.expected)
        .raw("received", retained.received)
        .raw("duplicated", retained.duplicated)
        .maybe("complete", retained.complete.map(seconds))
        .raw("times", times(&retained.times))
        .end()
}

/// The member `wills`.
pub fn wills(wills: &WillResults) -> String {
    Object::new()
        .raw("expected", wills.expected)
        .raw("received", wills.received)
        .raw("unexpected", wills.unexpected)
        .raw("delay", times(&wills.delay))
        .end()
}
