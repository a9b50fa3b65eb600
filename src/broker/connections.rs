//! All connections by their numbers: in which order they are served, which publishers wait for a
//! slow subscriber, and when each connection is looked after.

mod reading;

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use super::connection::ServerConnection;
use super::limits::{REVIEW, STUCK};
use super::memory::MemoryLevel;
use super::router::{ConnectionId, NOBODY};
use crate::mqtt::id_map::IdMap;
use reading::{ReadingCost, ReadingLine};

/// The table of connections.
#[derive(Debug, Default)]
pub struct ConnectionTable {
    entries: IdMap<ConnectionId, Entry>,
    alarms: BTreeSet<(Instant, ConnectionId)>,
    /// Those that may have something to read.
    to_read: ReadingLine,
    /// Those with something to write.
    to_write: Vec<ConnectionId>,
    /// Those that had not sent CONNECT when they were last looked at, oldest first.
    newcomers: VecDeque<ConnectionId>,
    /// How much memory there is.
    pub memory: MemoryLevel,
}

/// A connection that holds memory for a request or a packet that is incomplete.
#[derive(Debug)]
pub struct PartHolder {
    /// Which.
    pub id: ConnectionId,
    /// When the packet began.
    pub since: Option<Instant>,
    /// How much, in bytes.
    pub bytes: usize,
}

#[derive(Debug)]
struct Entry {
    connection: ServerConnection,
    alarm: Option<Instant>,
    place: QueuePlace,
    /// What it costs to read from it.
    cost: ReadingCost,
    /// The subscriber for which this publisher waits: nothing is read from it.
    held_back_for: Option<ConnectionId>,
    /// The publishers that wait for this subscriber.
    publishers: Vec<ConnectionId>,
}

/// Whether a connection is in the line of those that are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueuePlace {
    InLine,
    NotInLine,
}

impl ConnectionTable {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The connection with this number.
    pub fn get_mut(&mut self, id: ConnectionId) -> Option<&mut ServerConnection> {
        self.entries.get_mut(&id).map(|entry| &mut entry.connection)
    }

    /// Adds a connection that is looked after at this time.
    pub fn insert(&mut self, id: ConnectionId, connection: ServerConnection, alarm: Instant) {
        let entry = Entry {
            connection,
            alarm: None,
            place: QueuePlace::NotInLine,
            cost: ReadingCost::default(),
            held_back_for: None,
            publishers: Vec::new(),
        };
        self.entries.insert(id, entry);
        self.set_alarm(id, Some(alarm));
        self.newcomers.push_back(id);
        self.forget_established();
    }

    /// Takes a connection out. Publishers that waited for it go on.
    pub fn remove(&mut self, id: ConnectionId) -> Option<ServerConnection> {
        self.set_alarm(id, None);
        self.release_publishers(id);
        self.entries.remove(&id).map(|entry| entry.connection)
    }

    /// The oldest connection whose client has not sent CONNECT.
    pub fn oldest_newcomer(&mut self) -> Option<ConnectionId> {
        self.forget_established();
        self.newcomers.front().copied()
    }

    /// The numbers of all.
    pub fn ids(&self) -> Vec<ConnectionId> {
        self.entries.keys().copied().collect()
    }

    /// The connections whose request for the upgrade is awaited.
    pub fn before_upgrade(&self) -> Vec<ConnectionId> {
        let waits = |entry: &Entry| entry.connection.is_before_upgrade();
        self.entries.iter().filter(|(_, entry)| waits(entry)).map(|(id, _)| *id).collect()
    }

    fn forget_established(&mut self) {
        while let Some(id) = self.newcomers.front()
            && self.entries.get(id).is_none_or(|entry| !entry.connection.is_before_connect())
        {
            self.newcomers.pop_front();
        }
    }
}

/// The order in which they are served.
impl ConnectionTable {
    /// Whether some can be served at once.
    pub fn has_work(&self) -> bool {
        self.to_read.len() > 0 || !self.to_write.is_empty()
    }

    /// How many are in the line of those that are read from.
    pub fn line(&self) -> usize {
        self.to_read.len()
    }

    /// Puts a connection at the end of that line, if something should be read from it.
    pub fn queue_read(&mut self, id: ConnectionId) {
        if self.enters_line(id) {
            self.to_read.others.push_back(id);
        }
    }

    /// Puts one for which something has come before those that had more, unless it has had more
    /// than its share of the time.
    pub fn queue_first_read(&mut self, id: ConnectionId, now: Instant) {
        if !self.entries.get(&id).is_some_and(|entry| entry.cost.is_below_share(now)) {
            self.queue_read(id);
        } else if self.enters_line(id) {
            self.to_read.first.push_back(id);
        }
    }

    fn enters_line(&mut self, id: ConnectionId) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        let is_free = entry.place == QueuePlace::NotInLine && entry.held_back_for.is_none();
        let enters = is_free && entry.connection.wants_to_read(self.memory);
        if enters {
            entry.place = QueuePlace::InLine;
        }
        enters
    }

    /// Takes the first out of that line, and tells how many bytes are to be read from it.
    pub fn next_to_read(&mut self) -> Option<(ConnectionId, usize)> {
        let others = self.to_read.len().saturating_sub(1);
        let id = self.to_read.next()?;
        let Some(entry) = self.entries.get_mut(&id) else { return Some((id, 0)) };
        entry.place = QueuePlace::NotInLine;
        Some((id, entry.cost.bytes(others)))
    }

    /// Notes that to read from a connection has taken the time from `begin` to `end`.
    pub fn has_read(&mut self, id: ConnectionId, begin: Instant, end: Instant) {
        let others = self.to_read.len();
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.cost.add(others, begin, end);
        }
    }

    /// Notes that a connection has something to write.
    pub fn queue_write(&mut self, id: ConnectionId) {
        self.to_write.push(id);
    }

    /// Takes those that have something to write.
    pub fn take_to_write(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.to_write)
    }
}

/// When they are looked after.
impl ConnectionTable {
    /// When the next one is.
    pub fn next_alarm(&self) -> Option<Instant> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// Takes the next one that is to be looked after at `now`.
    pub fn due(&mut self, now: Instant) -> Option<ConnectionId> {
        let (_, id) = *self.alarms.first().filter(|(at, _)| *at <= now)?;
        self.set_alarm(id, None);
        Some(id)
    }

    /// Sets the time at which a connection that ends is closed in any case.
    pub fn watch_closing(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.get(&id) else { return };
        let closes_at = entry.connection.closes_at();
        if closes_at.is_some() && closes_at != entry.alarm {
            self.set_alarm(id, closes_at);
        }
    }

    fn set_alarm(&mut self, id: ConnectionId, at: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Some(before) = std::mem::replace(&mut entry.alarm, at) {
            self.alarms.remove(&(before, id));
        }
        self.alarms.extend(at.map(|at| (at, id)));
    }
}

/// Publishers that wait for slow subscribers.
impl ConnectionTable {
    /// Reads nothing from a publisher until a slow subscriber has caught up, or is not waited for
    /// any more; for [`NOBODY`] it waits for memory. It is looked after in a while.
    pub fn hold_back(&mut self, publisher: ConnectionId, subscriber: ConnectionId, now: Instant) {
        let Some(entry) = self.entries.get_mut(&publisher) else { return };
        if entry.held_back_for.is_some() || entry.connection.closes_at().is_some() {
            return;
        }
        entry.held_back_for = Some(subscriber);
        let review = if subscriber == NOBODY { STUCK } else { REVIEW };
        self.set_alarm(publisher, Some(now + review));
        if let Some(slow) = self.entries.get_mut(&subscriber) {
            slow.publishers.push(publisher);
        }
    }

    /// The subscriber for which a publisher waits.
    pub fn held_back_for(&self, publisher: ConnectionId) -> Option<ConnectionId> {
        self.entries.get(&publisher)?.held_back_for
    }

    /// A publisher that is held back waits on: it is looked after again in a while.
    pub fn wait_on(&mut self, publisher: ConnectionId, now: Instant) {
        self.set_alarm(publisher, Some(now + REVIEW));
    }

    /// The connections that hold so many bytes of an incomplete request or packet.
    pub fn with_incomplete(&self, bytes: usize) -> Vec<PartHolder> {
        let holder = |(id, entry): (&ConnectionId, &Entry)| {
            let connection = &entry.connection;
            let (id, since) = (*id, connection.begun_at());
            PartHolder { id, since, bytes: connection.incomplete() }
        };
        self.entries.iter().map(holder).filter(|holder| holder.bytes >= bytes).collect()
    }

    /// Whether publishers wait for this subscriber.
    pub fn has_publishers(&self, subscriber: ConnectionId) -> bool {
        self.entries.get(&subscriber).is_some_and(|entry| !entry.publishers.is_empty())
    }

    /// Lets the publishers go on that wait for this subscriber.
    pub fn release_publishers(&mut self, subscriber: ConnectionId) {
        let Some(entry) = self.entries.get_mut(&subscriber) else { return };
        for publisher in std::mem::take(&mut entry.publishers) {
            self.release(publisher);
        }
    }

    /// A publisher goes on.
    pub fn release(&mut self, publisher: ConnectionId) {
        let Some(entry) = self.entries.get_mut(&publisher) else { return };
        if let Some(subscriber) = entry.held_back_for.take() {
            let closes_at = entry.connection.closes_at();
            self.set_alarm(publisher, closes_at);
            self.queue_read(publisher);
            if let Some(slow) = self.entries.get_mut(&subscriber) {
                slow.publishers.retain(|id| *id != publisher);
            }
        }
    }
}
