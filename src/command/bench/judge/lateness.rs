//! Whether the generator was late, by its own account, and when.

use super::{Circumstances, p99};
use crate::command::bench::config::MaxLateness;
use crate::command::bench::measure::{LatencyTimes, Quantile, brief};
use crate::command::bench::results::{GeneratorResults, Results};
use crate::command::bench::words;

/// A p99 of lateness in one second, and a turn of a loop, above which the run proves nothing, in
/// nanoseconds.
const LATE_SECOND: u64 = 100_000_000;

/// How late the generator may be in the window, in nanoseconds.
fn allowed(results: &Results, about: &Circumstances) -> Option<u64> {
    match about.max_lateness {
        MaxLateness::Never => return None,
        MaxLateness::Time(time) => return u64::try_from(time.as_nanos()).ok(),
        MaxLateness::Usual => {}
    }
    let latencies = &results.latencies;
    // What never came excuses no lateness of what did.
    let came = |times: &LatencyTimes| times.quantile_of_arrived(0.99);
    let latency = if about.is_of_connecting() {
        came(&results.connections.times.whole)
    } else {
        came(&latencies.delivery).or_else(|| came(&latencies.acknowledgement))
    };
    Some((latency.unwrap_or_default() / 10).max(1_000_000))
}

/// How late it may be in one second, and how long a loop may stand still.
fn allowed_at_once(about: &Circumstances) -> Option<u64> {
    match about.max_lateness {
        MaxLateness::Never => None,
        MaxLateness::Usual => Some(LATE_SECOND),
        MaxLateness::Time(time) => {
            Some(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(LATE_SECOND))
        }
    }
}

/// That messages were sent too late.
pub fn late(results: &Results, about: &Circumstances) -> Option<String> {
    let Some(Quantile::Time(late)) = p99(&results.latencies.lateness) else { return None };
    let allowed = allowed(results, about)?;
    if late > allowed {
        let (when, cpu) = (seconds(results, allowed), busiest(results));
        let (late, allowed) = (brief(late), brief(allowed));
        return Some(format!(
            "the generator was late: lateness p99 {late}, {allowed} allowed{when}; {cpu}"
        ));
    }
    let most = allowed_at_once(about)?;
    let worst = results.series.iter().filter_map(|second| second.lateness).max()?;
    let (when, cpu) = (seconds(results, most), busiest(results));
    let (worst, most) = (brief(worst), (worst > most).then_some(most)?);
    let most = brief(most);
    Some(format!("the generator was late: lateness p99 {worst}, {most} allowed{when}; {cpu}"))
}

/// That connections were begun long after they were to begin.
pub fn begun_late(results: &Results, about: &Circumstances) -> Option<String> {
    let Some(Quantile::Time(late)) = p99(&results.latencies.lateness) else { return None };
    let took = results.connections.times.whole.quantile_of_arrived(0.99).unwrap_or_default();
    let most = allowed_at_once(about)?.max(took / 10);
    let (late, most) = (brief(late), (late > most).then(|| brief(most))?);
    Some(format!(
        "the generator began connections late: p99 {late}, {most} allowed. Lower --connect-rate, \
         add --loops, or use more machines (--part)"
    ))
}

/// From when to when it was later than this: `, from 12 s to 14 s`.
fn seconds(results: &Results, allowed: u64) -> String {
    let is_late = |second: &crate::command::bench::results::Second| {
        second.lateness.is_some_and(|late| late > allowed)
    };
    let first = results.series.iter().position(is_late);
    let last = results.series.iter().rposition(is_late);
    first
        .zip(last)
        .map(|(first, last)| format!(", from {first} s to {} s", last + 1))
        .unwrap_or_default()
}

/// The loop that took the most CPU, and how much.
pub fn busiest(results: &Results) -> String {
    let GeneratorResults { loops, cpu, .. } = &results.generator;
    let most = loops.iter().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other));
    let number = most.filter(|_| loops.len() > 1).map(|(number, _)| number + 1);
    let name = number.map_or_else(|| "the loop".to_owned(), |number| format!("loop {number}"));
    format!("{name} at {} CPU", words::percent(cpu * 100.0))
}

/// That a loop stood still: in that time nothing was sent or received, and each latency is too
/// long by it.
pub fn stood_still(results: &Results, about: &Circumstances) -> Option<String> {
    let most = allowed_at_once(about)?;
    let (second, turn) = results.generator.longest_turn.filter(|(_, turn)| *turn > most)?;
    let turn = brief(turn);
    Some(format!(
        "the generator stood still for {turn} at {second} s: it was stopped, or had no core"
    ))
}
