//! The brokers behind one listener, pure: one without a name, and one of its own for each name that
//! clients ask for. Of each connection they know its broker.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::access::acl::Acl;
use super::access::users::Users;
use super::limits::{Limits, NAMED_BROKERS};
use super::memory::MemoryLevel;
use super::router::{ConnectionId, Outgoing, Retained, Router};
use crate::mqtt::packet::{Malformed, Packet, Publish, PublishRun};
use crate::mqtt::version::Version;

/// The name of a broker: the first part of a path such as `/NAME/mqtt`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrokerName(Box<str>);

/// The longest name, in bytes.
const LONGEST_NAME: usize = 64;

impl BrokerName {
    /// `None` if it is not 1 to 64 letters, digits and `-._~`, with a letter or digit first.
    pub fn new(name: &str) -> Option<Self> {
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        (begins_well && name.len() <= LONGEST_NAME && name.bytes().all(may_stand))
            .then(|| Self(name.into()))
    }
}

/// Why a broker of a new name cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoBroker {
    /// There are as many as may be, and none of them is empty.
    TooMany,
    /// There is too little memory for the messages with which it would begin.
    NoMemory,
}

/// The retained messages with which each named broker begins.
#[derive(Debug)]
struct LoadedMessages {
    messages: Retained,
    /// Since when their expiry counts.
    since: Instant,
}

/// A broker that has a name.
#[derive(Debug)]
struct NamedBroker {
    router: Router,
    /// The changes of retained messages with which it began.
    first_changes: u64,
    /// When something is due in it, as far as `Brokers::alarms` knows.
    alarm: Option<Instant>,
}

/// All brokers.
#[derive(Debug)]
pub struct Brokers {
    limits: Limits,
    users: Option<Users>,
    acl: Option<Acl>,
    memory: MemoryLevel,
    loaded: Option<LoadedMessages>,
    unnamed: Router,
    named: BTreeMap<BrokerName, NamedBroker>,
    /// The brokers of connections, but for those of the one without a name.
    names: HashMap<ConnectionId, BrokerName>,
    /// When something is due in a named broker.
    alarms: BTreeSet<(Instant, BrokerName)>,
    /// The named brokers that may have something to hand over.
    touched: BTreeSet<BrokerName>,
}

impl Brokers {
    /// Brokers of which each has these limits, and lets in these users and topics; `None` is
    /// everybody, and all.
    pub fn new(limits: Limits, users: Option<Users>, acl: Option<Acl>) -> Self {
        let mut unnamed = Router::new(limits.clone());
        unnamed.set_access(users.clone(), acl.clone());
        Self {
            unnamed,
            limits,
            users,
            acl,
            memory: MemoryLevel::default(),
            loaded: None,
            named: BTreeMap::new(),
            names: HashMap::new(),
            alarms: BTreeSet::new(),
            touched: BTreeSet::new(),
        }
    }

    /// A WebSocket was opened to the broker of this name, which begins with it.
    pub fn open(
        &mut self,
        id: ConnectionId,
        name: Option<BrokerName>,
        now: Instant,
    ) -> Result<(), NoBroker> {
        if let Some(name) = name {
            if !self.named.contains_key(&name) {
                self.make_room()?;
                let broker = self.begin(now)?;
                self.named.insert(name.clone(), broker);
            }
            self.names.insert(id, name);
        }
        self.of(id).open(id, now);
        Ok(())
    }

    /// A broker that has a name, as it is before its first client.
    fn begin(&self, now: Instant) -> Result<NamedBroker, NoBroker> {
        let mut router = Router::new(self.limits.clone());
        router.set_access(self.users.clone(), self.acl.clone());
        router.set_memory(self.memory);
        router.start(now);
        if let Some(LoadedMessages { messages, since }) = &self.loaded {
            // Each expires by the time of its own broker: then there is a copy for each of them.
            if messages.has_expiries() && self.memory >= MemoryLevel::Low {
                return Err(NoBroker::NoMemory);
            }
            router.begin_with(messages.later_by(now.saturating_duration_since(*since)));
        }
        let first_changes = router.retained_changes();
        Ok(NamedBroker { router, first_changes, alarm: None })
    }

    /// A broker in which nothing is left makes room for the next, if there must be room.
    fn make_room(&mut self) -> Result<(), NoBroker> {
        if self.named.len() < NAMED_BROKERS {
            return Ok(());
        }
        let is_unused = |broker: &NamedBroker| broker.router.is_unused(broker.first_changes);
        let unused = self.named.iter().find(|(_, broker)| is_unused(broker));
        let name = unused.map(|(name, _)| name.clone()).ok_or(NoBroker::TooMany)?;
        self.touched.remove(&name);
        if let Some(NamedBroker { alarm: Some(at), .. }) = self.named.remove(&name) {
            self.alarms.remove(&(at, name));
        }
        Ok(())
    }

    /// The broker of a connection.
    fn of(&mut self, id: ConnectionId) -> &mut Router {
        if self.names.is_empty() {
            return &mut self.unnamed;
        }
        match self.names.get(&id).and_then(|name| Some((name, self.named.get_mut(name)?))) {
            Some((name, broker)) => {
                if !self.touched.contains(name) {
                    self.touched.insert(name.clone());
                }
                &mut broker.router
            }
            None => &mut self.unnamed,
        }
    }
}

/// What a router does, for the router of a connection.
impl Brokers {
    /// The client sent so many bytes.
    pub fn heard(&mut self, id: ConnectionId, bytes: usize) {
        self.of(id).heard(bytes);
    }

    /// A part of a packet came that is incomplete.
    pub fn part_arrived(&mut self, id: ConnectionId, now: Instant) {
        self.of(id).part_arrived(id, now);
    }

    /// A packet came in.
    pub fn receive(&mut self, id: ConnectionId, packet: Packet, now: Instant) {
        self.of(id).receive(id, packet, now);
    }

    /// A run of messages came in.
    pub fn receive_run(&mut self, id: ConnectionId, run: &PublishRun, now: Instant) {
        self.of(id).receive_run(id, run, now);
    }

    /// The client sent what is not MQTT.
    pub fn malformed(
        &mut self,
        id: ConnectionId,
        error: &Malformed,
        version: Version,
        now: Instant,
    ) {
        self.of(id).malformed(id, error, version, now);
    }

    /// The connection ended without DISCONNECT.
    pub fn lost(&mut self, id: ConnectionId, now: Instant) {
        self.of(id).lost(id, now);
    }

    /// So many bytes were written to a client.
    pub fn wrote(&mut self, id: ConnectionId, bytes: usize) {
        self.of(id).wrote(bytes);
    }

    /// Packets of this weight in bytes, which were handed over for a connection, were written.
    pub fn written(&mut self, id: ConnectionId, weight: usize, now: Instant) {
        self.of(id).written(id, weight, now);
    }

    /// There is no memory for what the client sends.
    pub fn out_of_memory(&mut self, id: ConnectionId, now: Instant) {
        self.of(id).out_of_memory(id, now);
    }

    /// Ends a connection if it has been silent for so long in the middle of a packet.
    pub fn end_if_silent(&mut self, id: ConnectionId, time: Duration, now: Instant) {
        self.of(id).end_if_silent(id, time, now);
    }

    /// The client of a connection has read messages.
    pub fn has_read(&mut self, id: ConnectionId) {
        self.of(id).has_read(id);
    }

    /// The socket of a connection takes nothing from now on.
    pub fn stopped(&mut self, id: ConnectionId, now: Instant) {
        self.of(id).stopped(id, now);
    }

    /// The socket of a connection, which took nothing, has taken something.
    pub fn went_on(&mut self, id: ConnectionId, now: Instant) {
        self.of(id).went_on(id, now);
    }

    /// Whether publishers that wait for the client of a connection go on waiting.
    pub fn is_waited_for(&mut self, id: ConnectionId, now: Instant) -> bool {
        self.of(id).is_waited_for(id, now)
    }

    /// Whether so little waits for the client of a connection that its publishers can go on.
    pub fn has_caught_up(&mut self, id: ConnectionId) -> bool {
        self.of(id).has_caught_up(id)
    }
}

/// What the loop asks of all of them.
impl Brokers {
    /// The one without a name starts.
    pub fn start(&mut self, now: Instant) {
        self.unnamed.start(now);
    }

    /// When `tick` is due.
    pub fn deadline(&self) -> Option<Instant> {
        let named = self.alarms.first().map(|(at, _)| *at);
        [self.unnamed.deadline(), named].into_iter().flatten().min()
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Instant) {
        self.unnamed.tick(now);
        // They may have work that does not wait for a time.
        for name in &self.touched {
            if let Some(broker) = self.named.get_mut(name) {
                broker.router.tick(now);
            }
        }
        while self.alarms.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, name)) = self.alarms.pop_first() else { return };
            if let Some(broker) = self.named.get_mut(&name) {
                broker.alarm = None;
                broker.router.tick(now);
                self.touched.insert(name);
            }
        }
    }

    /// Ends every connection; wills are not published.
    pub fn stop(&mut self, now: Instant) {
        self.unnamed.stop(now);
        for (name, broker) in &mut self.named {
            broker.router.stop(now);
            self.touched.insert(name.clone());
        }
    }

    /// Whether something can be done at once.
    pub fn has_work(&self) -> bool {
        self.unnamed.has_work() || !self.touched.is_empty()
    }

    /// Notes how much memory there is.
    pub fn set_memory(&mut self, level: MemoryLevel) {
        self.unnamed.set_memory(level);
        if std::mem::replace(&mut self.memory, level) != level {
            for broker in self.named.values_mut() {
                broker.router.set_memory(level);
            }
        }
    }

    /// How much memory there is.
    pub fn memory(&self) -> MemoryLevel {
        self.memory
    }

    /// Retains messages in each of them from the beginning. If there is no room for all, returns
    /// for how many there was.
    pub fn load(&mut self, messages: Vec<Publish>, now: Instant) -> Result<(), usize> {
        for (at, message) in messages.into_iter().enumerate() {
            if !self.unnamed.load_retained(message, now) {
                return Err(at);
            }
        }
        self.loaded = Some(LoadedMessages { messages: self.unnamed.shared_retained(), since: now });
        Ok(())
    }

    /// The retained messages of the one without a name.
    pub fn retained_messages(&self, now: Instant) -> Vec<Publish> {
        self.unnamed.retained_messages(now)
    }

    /// Hands over everything that is to be sent or closed; `tell` is called with what is to be said
    /// in any case, and then with the lines for the log.
    pub fn drain(
        &mut self,
        mut hand_over: impl FnMut(Outgoing<'_>),
        mut tell: impl FnMut(Vec<String>, Vec<String>),
    ) {
        self.unnamed.drain(&mut hand_over);
        tell(self.unnamed.warnings(), self.unnamed.notes());
        for name in std::mem::take(&mut self.touched) {
            let Some(NamedBroker { router, alarm, .. }) = self.named.get_mut(&name) else {
                continue;
            };
            router.drain(|outgoing| {
                if outgoing.end.is_some() {
                    self.names.remove(&outgoing.connection);
                }
                hand_over(outgoing);
            });
            tell(router.warnings(), router.notes());
            let deadline = router.deadline();
            if let Some(before) = std::mem::replace(alarm, deadline) {
                self.alarms.remove(&(before, name.clone()));
            }
            self.alarms.extend(deadline.map(|at| (at, name.clone())));
            if router.has_work() {
                self.touched.insert(name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
