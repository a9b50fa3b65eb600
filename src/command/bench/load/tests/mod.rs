//! The load in virtual time: what it sends and when, and what it says of servers of which is known
//! exactly what they do.

mod ends;
mod faults;
mod limits;
mod rules;
mod sending;
mod server;
mod stalled;
mod steps;
mod world;

use std::time::Duration;

use crate::command::bench::measure::LatencyTimes;

/// So many milliseconds.
fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A quantile of what came is this time: the histogram may say 0.1 % more.
#[track_caller]
fn is(times: &LatencyTimes, share: f64, expected: Duration) {
    let found = times.quantile_of_arrived(share).map(Duration::from_nanos).unwrap_or_default();
    let most = expected.mul_f64(1.001) + Duration::from_micros(1);
    assert!(expected <= found && found <= most, "{share}: {found:?}, not {expected:?}");
}
