//! Retained messages on their way to new subscriptions. There may be many of both: they are looked
//! for in parts, between which everybody else is served.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Instant;

use super::message::Grant;
use super::retained::RetainedSearch;
use super::{ConnectionId, Router, SessionKey, copies};
use crate::mqtt::packet::Subscription;
use crate::mqtt::topic::TopicFilter;

/// How many retained messages are looked at in one turn.
const SLICE: usize = 10_000;

/// The subscriptions that have not got all of their retained messages.
#[derive(Debug, Default)]
pub struct Replays {
    pending: BTreeMap<(SessionKey, TopicFilter), Replay>,
    /// The one that had the last turn.
    last: Option<(SessionKey, TopicFilter)>,
}

/// What one of them gets.
#[derive(Debug)]
struct Replay {
    connection: ConnectionId,
    grant: Grant,
    search: RetainedSearch,
}

impl Replays {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whose turn it is: the one after that which had the last.
    fn take_next(&mut self) -> Option<((SessionKey, TopicFilter), Replay)> {
        let last = self.last.take();
        let after = last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.pending.range((after, Bound::Unbounded)).next();
        let key = next.or_else(|| self.pending.first_key_value()).map(|(key, _)| key.clone())?;
        let replay = self.pending.remove(&key)?;
        self.last = Some(key.clone());
        Some((key, replay))
    }
}

impl Router {
    /// A new subscription gets the retained messages that it matches. One that waits for them
    /// already begins anew.
    pub(super) fn add_replay(
        &mut self,
        connection: ConnectionId,
        key: SessionKey,
        wanted: &Subscription,
        identifier: Option<u32>,
        now: Instant,
    ) {
        let identifiers = identifier.into_iter().collect();
        let grant = Grant { qos: wanted.qos, retain: true, identifiers, shared: None };
        self.readmit(key);
        for mut message in self.statistics_matching(&wanted.filter, now) {
            self.deliver(key, &mut message, &grant, None, now);
        }
        let search = RetainedSearch::new(&wanted.filter);
        let replay = Replay { connection, grant, search };
        self.sessions.replays.pending.insert((key, copies::filter(&wanted.filter)), replay);
    }

    /// Delivers some of the retained messages that new subscriptions get.
    pub(super) fn continue_replays(&mut self, now: Instant) {
        let mut steps = SLICE;
        while steps > 0
            && let Some((place, mut replay)) = self.sessions.replays.take_next()
        {
            // A search that ends at once is one, too.
            steps -= 1;
            let (key, filter) = &place;
            let is_wanted = self.sessions.get(*key).is_some_and(|session| {
                session.connection == Some(replay.connection) && session.filters.contains(filter)
            });
            if !is_wanted {
                continue;
            }
            self.readmit(*key);
            for mut message in self.retained.advance(&mut replay.search, &mut steps, now) {
                self.deliver(*key, &mut message, &replay.grant, None, now);
            }
            if !replay.search.is_over() {
                self.sessions.replays.pending.insert(place, replay);
            }
        }
    }
}
