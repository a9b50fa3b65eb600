//! One time for each of some connections, in order.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::router::ConnectionId;

/// When something is due for which connection.
#[derive(Debug, Default)]
pub struct Alarms {
    times: HashMap<ConnectionId, Instant>,
    order: BTreeSet<(Instant, ConnectionId)>,
}

impl Alarms {
    /// Sets the time of a connection; `None` takes it back.
    pub fn set(&mut self, id: ConnectionId, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.times.insert(id, at),
            None => self.times.remove(&id),
        };
        if before != at {
            self.order.extend(at.map(|at| (at, id)));
            if let Some(before) = before {
                self.order.remove(&(before, id));
            }
        }
    }

    /// The next time.
    pub fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes a connection for which something is due at `now`.
    pub fn due(&mut self, now: Instant) -> Option<ConnectionId> {
        let (_, id) = *self.order.first().filter(|(at, _)| *at <= now)?;
        self.set(id, None);
        Some(id)
    }
}
