//! Whether less was delivered than was offered.

use super::{Circumstances, p99};
use crate::command::bench::config::{LoadPace, WindowLength};
use crate::command::bench::measure::Quantile;
use crate::command::bench::results::{MakingResults, MessageResults, Results};

/// Less was delivered than was offered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overload {
    /// How much the p99 has grown from the first to the last third of the window, in nanoseconds a
    /// second, if both are known.
    pub growth: Option<f64>,
    /// The longest time of what came, in nanoseconds; 0 if nothing did.
    pub longest: u64,
    /// How many messages were not sent, or connections not begun.
    pub unsent: u64,
    /// How much arrived in the window of what was due, in percent.
    pub delivered: f64,
}

/// Which share of what was due is to arrive within the window.
const DELIVERED: f64 = 0.99;

/// That less arrived in the window than was due in it, or that not all was sent.
#[expect(clippy::cast_precision_loss, reason = "a share has few digits")]
pub fn overload(results: &Results, about: &Circumstances) -> Option<Overload> {
    if about.is_of_connecting() {
        let MakingResults { due, not_begun, arrived } = results.making;
        // The last one may be due at the end of the window.
        return behind([due as f64, arrived as f64, 1.0], not_begun, results);
    }
    let LoadPace::Open(offer) = about.pace else { return None };
    let late = match about.length {
        WindowLength::Time(_) => 0.0,
        // The window ends with the last message, which cannot be there at once.
        WindowLength::Count(_) => {
            let fastest = results.latencies.delivery.minimum().unwrap_or_default();
            1.0 + offer.rate * about.copies * fastest as f64 / 1e9
        }
    };
    let [due, came] = due_and_came(&results.messages, about.copies);
    behind([due, came, late], results.messages.unsent, results)
}

/// How many copies were due and came; without readers, how many messages were due and acknowledged.
/// What was due counts, and not the rate: random gaps make it more or less.
#[expect(clippy::cast_precision_loss, reason = "a share has few digits")]
fn due_and_came(messages: &MessageResults, copies: f64) -> [f64; 2] {
    let MessageResults { acknowledged, unacknowledged, unsent, .. } = *messages;
    let refused = messages.refusals();
    if copies > 0.0 {
        // What the server has refused was offered, and not delivered.
        let not_there = (unsent + refused) as f64 * copies;
        return [messages.expected as f64 + not_there, messages.received as f64];
    }
    [(acknowledged + refused + unacknowledged) as f64, acknowledged as f64]
}

/// That less came than was due, of which so much could not be there in time.
fn behind([due, came, late]: [f64; 3], unsent: u64, results: &Results) -> Option<Overload> {
    let is_behind = came < DELIVERED * due - late;
    if !is_behind && unsent == 0 {
        return None;
    }
    let delivered = if due > 0.0 { came / due * 100.0 } else { 0.0 };
    let longest = longest(results);
    Some(Overload { growth: growth(results), longest, unsent, delivered })
}

#[expect(clippy::cast_precision_loss, reason = "few digits are shown")]
fn growth(results: &Results) -> Option<f64> {
    let [first, last] = &results.latencies.thirds;
    match (p99(first)?, p99(last)?) {
        (Quantile::Time(first), Quantile::Time(last)) => {
            let between = results.messages.window.as_secs_f64() * 2.0 / 3.0;
            (last > first && between > 0.0).then(|| (last - first) as f64 / between)
        }
        _ => None,
    }
}

/// The longest time of what came, or of what was made.
fn longest(results: &Results) -> u64 {
    let Results { latencies, connections, .. } = results;
    let has_messages = latencies.delivery.count() > 0;
    let times = if has_messages { &latencies.delivery } else { &connections.times.whole };
    times.summary().longest
}
