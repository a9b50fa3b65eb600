//! What the user is told of what clients do.

use std::time::Instant;

use super::EventLoop;
use crate::broker::BrokerLog;
use crate::broker::refusals::Refusals;

impl EventLoop {
    /// Tells of what got no line, if that is due at `now`; with `None` it is due.
    pub(super) fn summarise_refusals(&mut self, now: Option<Instant>) {
        for line in self.service.refusals.summaries(now) {
            self.service.log.warn(&line);
        }
    }
}

/// Tells what the brokers have to tell. Clients may be many, and cause warnings again and again: a
/// few in a while are written, the others only logged, and counted.
pub(super) fn tell(
    log: &BrokerLog,
    refusals: &mut Refusals,
    warnings: impl IntoIterator<Item = String>,
    notes: impl IntoIterator<Item = String>,
    now: Instant,
) {
    for warning in warnings {
        if refusals.warnings.count(now) {
            log.warn(&warning);
        } else {
            log.note(|| warning);
        }
    }
    for note in notes {
        log.note(|| note);
    }
}
