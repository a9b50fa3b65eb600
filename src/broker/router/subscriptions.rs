//! All subscriptions by their filters, with shared ones (§4.8.2).

use std::sync::Arc;

use super::common::FilterNumber;
use super::idle::{FilterIndex, IdleSessions};
use super::levels::LevelTree;
use super::message::Grant;
use super::subscribed::{SubscribedSession, merged};
use super::{SessionKey, copies};
use crate::mqtt::packet::Subscription;
use crate::mqtt::topic::{TopicFilter, TopicName};

/// The subscribers of each filter.
#[derive(Debug, Default)]
pub struct Subscriptions {
    tree: LevelTree<Subscribers>,
    /// Another number after every change of what is found.
    generation: u64,
    /// How often a subscription was added or removed.
    changes: u64,
    /// The sessions whose clients take nothing.
    pub idle: IdleSessions,
}

#[derive(Debug, Default)]
struct Subscribers {
    plain: Vec<SubscribedSession>,
    /// Those whose clients take nothing.
    idle: Vec<SubscribedSession>,
    /// Where what they get is counted, if there are some.
    idle_filter: Option<FilterIndex>,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    filter: Arc<TopicFilter>,
    members: Vec<SubscribedSession>,
    /// Whose turn it is.
    turn: usize,
}

/// Whether a member of a shared subscription can take a message; the later the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Availability {
    /// Its client is not connected, or may not read it.
    Absent,
    /// Its client has not taken all that it was sent before.
    Behind,
    /// Its client takes what it is sent.
    Ready,
}

/// The result of matching; the caller owns it, so that its memory is used again.
#[derive(Debug, Default)]
pub struct Matches {
    plain: Vec<SubscribedSession>,
    shared: Vec<SharedMember>,
    /// The filters of sessions whose clients take nothing.
    idle: Vec<FilterIndex>,
    /// Their numbers, if they were asked for.
    idle_numbers: Option<Arc<[FilterNumber]>>,
    /// The topic of which it is the result.
    topic: String,
    /// The generation of the subscriptions of which it is, if it holds for the next message, too:
    /// in a group the turn goes round.
    generation: Option<u64>,
}

/// The member of a group whose turn it is.
#[derive(Debug)]
struct SharedMember {
    member: SubscribedSession,
    filter: Arc<TopicFilter>,
}

impl Subscriptions {
    /// Adds a subscription or replaces the one with the same filter `[MQTT-3.8.4-3]`; true if it is
    /// new.
    pub fn insert(
        &mut self,
        session: SessionKey,
        wanted: &Subscription,
        identifier: Option<u32>,
    ) -> bool {
        let Subscription { filter, qos, no_local, retain_as_published, .. } = wanted;
        let subscriber = SubscribedSession {
            session,
            qos: *qos,
            no_local: *no_local,
            retain_as_published: *retain_as_published,
            identifier,
        };
        let (_, path) = split(filter);
        self.change();
        replace(self.tree.entry(path).members(filter), subscriber)
    }

    /// Removes a subscription; false if there was none.
    pub fn remove(&mut self, session: SessionKey, filter: &TopicFilter) -> bool {
        let (_, path) = split(filter);
        let Some(subscribers) = self.tree.get_mut(path) else { return false };
        self.generation += 1;
        self.changes += 1;
        let removed = subscribers.remove(filter, session);
        if subscribers.is_empty() {
            self.tree.remove(path);
        }
        removed
    }

    fn change(&mut self) {
        self.generation += 1;
        self.changes += 1;
    }

    /// How often a subscription was added or removed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The subscription of a session that is not idle.
    pub fn get(&mut self, session: SessionKey, filter: &TopicFilter) -> Option<SubscribedSession> {
        let subscribers = self.tree.get_mut(filter.as_str())?;
        subscribers.plain.iter().find(|subscriber| subscriber.session == session).copied()
    }

    /// From now on the subscription of a session is found as that of an idle one.
    pub fn set_idle(&mut self, session: SessionKey, filter: &TopicFilter) -> Option<FilterIndex> {
        self.generation += 1;
        let idle = &mut self.idle;
        let subscribers = self.tree.get_mut(filter.as_str())?;
        let at = subscribers.plain.iter().position(|other| other.session == session)?;
        let subscriber = subscribers.plain.swap_remove(at);
        subscribers.idle.push(subscriber);
        Some(*subscribers.idle_filter.get_or_insert_with(|| idle.add_filter()))
    }

    /// From now on it is found as that of any session.
    pub fn set_active(&mut self, session: SessionKey, filter: &TopicFilter) {
        self.generation += 1;
        let Some(subscribers) = self.tree.get_mut(filter.as_str()) else { return };
        let at = subscribers.idle.iter().position(|other| other.session == session);
        subscribers.plain.extend(at.map(|at| subscribers.idle.swap_remove(at)));
        if subscribers.idle.is_empty()
            && let Some(index) = subscribers.idle_filter.take()
        {
            self.idle.remove_filter(index);
        }
    }

    /// Whether there is a filter with this first level.
    pub fn has_first_level(&self, level: &str) -> bool {
        self.tree.has_first_level(level)
    }

    /// Whether there is none.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Finds the sessions that get a message. Of a group it is one member, one that is connected
    /// and reads if there is any.
    pub fn find(
        &mut self,
        topic: &TopicName,
        availability: impl Fn(SessionKey) -> Availability,
        found: &mut Matches,
    ) {
        // Topics often come many times in a row.
        if !found.is_of(topic, self.generation) {
            self.find_anew(topic, availability, found);
        }
    }

    #[inline(never)]
    fn find_anew(
        &mut self,
        topic: &TopicName,
        availability: impl Fn(SessionKey) -> Availability,
        found: &mut Matches,
    ) {
        found.clear();
        let mut groups = 0;
        self.tree.find(topic.as_str(), |subscribers| {
            groups += subscribers.groups.len();
            subscribers.collect(&availability, found);
        });
        found.plain.sort_unstable_by_key(|subscriber| subscriber.session);
        if groups == 0 {
            found.topic.clear();
            found.topic.push_str(topic.as_str());
            found.generation = Some(self.generation);
        }
    }

    /// Finds the sessions that get several messages, of groups one member that does not read; false
    /// if a member of a group does, between which turns go message by message.
    #[must_use]
    pub fn find_for_many(
        &mut self,
        topic: &TopicName,
        availability: impl Fn(SessionKey) -> Availability,
        found: &mut Matches,
    ) -> bool {
        if !found.is_of(topic, self.generation) {
            let mut takes_turns = false;
            self.tree.find(topic.as_str(), |subscribers| {
                takes_turns |= subscribers.groups.iter().any(|group| group.reads(&availability));
            });
            if takes_turns {
                return false;
            }
            self.find_anew(topic, availability, found);
        }
        true
    }

    /// The member of a shared subscription whose turn it is, for a message that another one did not
    /// take.
    pub fn next_member(
        &mut self,
        filter: &TopicFilter,
        retain: bool,
        availability: impl Fn(SessionKey) -> Availability,
    ) -> Option<(SessionKey, Grant)> {
        let (name, path) = split(filter);
        let mut groups = self.tree.get_mut(path)?.groups.iter_mut();
        let group = groups.find(|group| split(&group.filter).0 == name)?;
        let SharedMember { member, filter } = group.choose(&availability)?;
        let grant = merged(std::iter::once(&member), retain)?;
        Some((member.session, Grant { shared: Some(filter), ..grant }))
    }
}

impl Matches {
    /// Whether it is what would be found now.
    #[inline]
    fn is_of(&self, topic: &TopicName, generation: u64) -> bool {
        self.generation == Some(generation) && self.topic == topic.as_str()
    }

    fn clear(&mut self) {
        self.plain.clear();
        self.shared.clear();
        self.idle.clear();
        self.idle_numbers = None;
        self.generation = None;
    }

    /// How many sessions are looked at for a message.
    #[cfg(test)]
    pub fn looked_at(&self) -> usize {
        self.plain.len() + self.shared.len()
    }

    /// The filters of sessions whose clients take nothing.
    #[inline]
    pub fn idle(&self) -> &[FilterIndex] {
        &self.idle
    }

    /// The numbers of these filters.
    pub fn idle_numbers(&mut self, sessions: &IdleSessions) -> Arc<[FilterNumber]> {
        let Self { idle, idle_numbers, .. } = self;
        let numbers = || idle.iter().map(|filter| sessions.number(*filter)).collect();
        idle_numbers.get_or_insert_with(numbers).clone()
    }

    /// Whether no subscription matches the message.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.shared.is_empty() && self.idle.is_empty()
    }

    /// Calls `deliver` once for each session, however many of its subscriptions match, and once for
    /// each shared subscription (§3.3.4, §4.8.2).
    pub fn for_each(
        &self,
        publisher: Option<SessionKey>,
        retain: bool,
        mut deliver: impl FnMut(SessionKey, &Grant),
    ) {
        for overlapping in self.plain.chunk_by(|a, b| a.session == b.session) {
            let session = overlapping[0].session;
            // `[MQTT-3.8.3-3]`
            let wanted = |s: &&SubscribedSession| !(s.no_local && publisher == Some(session));
            if let Some(grant) = merged(overlapping.iter().filter(wanted), retain) {
                deliver(session, &grant);
            }
        }
        for SharedMember { member, filter } in &self.shared {
            if let Some(grant) = merged(std::iter::once(member), retain) {
                deliver(member.session, &Grant { shared: Some(filter.clone()), ..grant });
            }
        }
    }
}

/// The group of a shared subscription, and the filter proper.
fn split(filter: &TopicFilter) -> (Option<&str>, &str) {
    match filter.share() {
        Some((group, path)) => (Some(group), path),
        None => (None, filter.as_str()),
    }
}

/// True if the subscriber is new.
fn replace(members: &mut Vec<SubscribedSession>, subscriber: SubscribedSession) -> bool {
    let old = members.iter_mut().find(|member| member.session == subscriber.session);
    if let Some(old) = old {
        *old = subscriber;
        return false;
    }
    members.push(subscriber);
    true
}

impl Subscribers {
    /// The list of the subscribers that share this filter, or of those that share none; it is
    /// created if it does not exist.
    fn members(&mut self, filter: &TopicFilter) -> &mut Vec<SubscribedSession> {
        if filter.share().is_none() {
            return &mut self.plain;
        }
        let at = self.groups.iter().position(|group| *group.filter == *filter);
        let at = at.unwrap_or_else(|| {
            let filter = Arc::new(copies::filter(filter));
            self.groups.push(Group { filter, members: Vec::new(), turn: 0 });
            self.groups.len() - 1
        });
        &mut self.groups[at].members
    }

    fn remove(&mut self, filter: &TopicFilter, session: SessionKey) -> bool {
        let members = self.members(filter);
        let before = members.len();
        members.retain(|member| member.session != session);
        let removed = members.len() < before;
        self.groups.retain(|group| !group.members.is_empty());
        removed
    }

    fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.idle.is_empty() && self.groups.is_empty()
    }

    fn collect(&mut self, availability: &impl Fn(SessionKey) -> Availability, found: &mut Matches) {
        found.plain.extend_from_slice(&self.plain);
        found.idle.extend(self.idle_filter);
        found.shared.extend(self.groups.iter_mut().filter_map(|group| group.choose(availability)));
    }
}

impl Group {
    /// Whether a member takes what it is sent.
    fn reads(&self, availability: &impl Fn(SessionKey) -> Availability) -> bool {
        self.members.iter().any(|member| availability(member.session) == Availability::Ready)
    }

    /// The member whose turn it is, of those that can best take the message.
    fn choose(
        &mut self,
        availability: &impl Fn(SessionKey) -> Availability,
    ) -> Option<SharedMember> {
        let count = self.members.len();
        let mut best = None;
        for at in (0..count).map(|step| (self.turn + step) % count) {
            let found = availability(self.members[at].session);
            if best.is_none_or(|(most, _)| found > most) {
                best = Some((found, at));
            }
            if found == Availability::Ready {
                break;
            }
        }
        let (_, at) = best?;
        self.turn = at + 1;
        let member = *self.members.get(at)?;
        Some(SharedMember { member, filter: self.filter.clone() })
    }
}
