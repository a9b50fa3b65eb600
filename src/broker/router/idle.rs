//! Sessions whose clients take nothing. A message costs nothing for each of them: what they wait
//! for is stored once for all, and what they lose is counted once for each of their filters.

use std::sync::Arc;
use std::time::Instant;

use super::SessionKey;
use super::common::{Amount, CommonItem, CommonMessages, CommonView, DeliveryPlace, FilterNumber};
use super::message::DeliveryOutcome;
use super::subscribed::SubscribedSession;
use crate::broker::limits::COMMON_BYTES;
use crate::mqtt::id_map::IdMap;
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

/// The place of a filter in [`IdleSessions::filters`]. It is used again.
pub type FilterIndex = usize;

/// What becomes of the messages of a session at one of their destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleFate {
    /// They are not for it.
    Ignored,
    /// They wait in the common queue; so much can wait in all.
    Waiting(Amount),
    /// They are lost.
    Lost(DeliveryOutcome),
}

/// A session.
#[derive(Debug)]
pub struct IdleSession {
    /// In which form it gets its messages.
    pub view: Arc<CommonView>,
    subscriptions: Vec<IdleSubscription>,
    /// The place in the open part of the queue at which its messages begin.
    first: usize,
    /// For each [`DeliveryPlace`].
    fates: [IdleFate; 2],
}

#[derive(Debug)]
struct IdleSubscription {
    filter: FilterIndex,
    qos: QoS,
    /// What had been published to the filter when the session came, or when it last got its
    /// messages: of QoS 0, and of QoS 1 and 2.
    since: [Amount; 2],
}

/// A filter, and what is published to it.
#[derive(Debug, Default)]
struct IdleFilter {
    number: FilterNumber,
    sessions: Vec<SessionKey>,
    /// Of QoS 0, and of QoS 1 and 2.
    traffic: [FilterTraffic; 2],
}

#[derive(Debug, Default)]
struct FilterTraffic {
    /// All that was published, since the filter has its number.
    published: Amount,
    /// How many sessions wait for it, at each [`DeliveryPlace`].
    waiting: [usize; 2],
    /// How many lose it there.
    losing: [usize; 2],
    /// When so much is published, a session may have no room there.
    most: [Amount; 2],
}

/// What becomes of a message for the sessions that are idle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IdleOutcome {
    /// How many sessions wait for it.
    pub waiting: usize,
    /// How many sessions lose it, because their clients are slow.
    pub dropped: usize,
    /// How many lose it because their queues are full.
    pub overflowed: usize,
}

/// What waited for a session and was not distributed, and how many messages it has lost.
#[derive(Debug, Default)]
pub struct LeftBehind {
    /// Because the client was too slow.
    pub dropped: u64,
    /// Because the queue was full.
    pub overflowed: u64,
    /// When the last message came for any session.
    pub last: Option<Instant>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct IdleSessions {
    /// By their keys.
    sessions: Vec<Option<Box<IdleSession>>>,
    count: usize,
    filters: Vec<IdleFilter>,
    free: Vec<FilterIndex>,
    numbers: FilterNumber,
    /// The part of the common queue that is not full.
    open: Vec<CommonItem>,
    /// What that weighs, in bytes.
    weight: usize,
    /// When the last message came.
    last: Option<Instant>,
    /// Sessions that are not set aside, and after how many changes of subscriptions that was found.
    unfit: IdMap<SessionKey, u64>,
}

/// The class of messages of this QoS.
fn class(qos: QoS) -> usize {
    usize::from(qos != QoS::AtMostOnce)
}

/// Where a subscription of this QoS gets messages of a class.
fn destination(granted: QoS, class: usize) -> DeliveryPlace {
    if class == 0 { DeliveryPlace::Connection } else { DeliveryPlace::of(granted) }
}

impl IdleSession {
    /// Its subscriptions, each with the classes of messages that go to this destination.
    fn places(&self, to: DeliveryPlace) -> impl Iterator<Item = (&IdleSubscription, usize)> {
        let all = self.subscriptions.iter().flat_map(|one| [(one, 0), (one, 1)]);
        all.filter(move |(one, class)| destination(one.qos, *class) == to)
    }

    fn fate(&self, to: DeliveryPlace) -> IdleFate {
        self.fates[to as usize]
    }
}

/// The sessions.
impl IdleSessions {
    /// Whether a session is among them.
    #[inline]
    pub fn contains(&self, key: SessionKey) -> bool {
        self.count > 0 && self.sessions.get(key).is_some_and(Option::is_some)
    }

    /// The keys of all.
    pub fn keys(&self) -> Vec<SessionKey> {
        let is_one = |key: &SessionKey| self.sessions[*key].is_some();
        (0..self.sessions.len()).filter(is_one).collect()
    }

    /// What becomes of the messages of a session that have the highest QoS that it was granted.
    #[cfg(test)]
    pub fn highest_fate(&self, key: SessionKey) -> IdleFate {
        let session = self.sessions.get(key).and_then(Option::as_ref);
        session.map_or(IdleFate::Ignored, |session| {
            let qos = session.subscriptions.iter().map(|subscription| subscription.qos).max();
            session.fate(DeliveryPlace::of(qos.unwrap_or(QoS::AtMostOnce)))
        })
    }

    /// A filter that a session has, which begins with it.
    pub fn add_filter(&mut self) -> FilterIndex {
        self.numbers += 1;
        let index = self.free.pop().unwrap_or_else(|| {
            self.filters.push(IdleFilter::default());
            self.filters.len() - 1
        });
        self.filters[index] = IdleFilter { number: self.numbers, ..IdleFilter::default() };
        index
    }

    /// No session has the filter any more.
    pub fn remove_filter(&mut self, filter: FilterIndex) {
        self.free.push(filter);
    }

    /// The number of a filter.
    pub fn number(&self, filter: FilterIndex) -> FilterNumber {
        self.filters[filter].number
    }

    /// From now on a session is not looked at before there are more changes of subscriptions.
    pub fn set_unfit(&mut self, key: SessionKey, changes: u64) {
        self.unfit.retain(|_, at| *at == changes);
        self.unfit.insert(key, changes);
    }

    /// Whether it is not to be looked at.
    pub fn is_unfit(&self, key: SessionKey, changes: u64) -> bool {
        self.unfit.get(&key) == Some(&changes)
    }

    /// From now on a session is idle, with these filters and its subscriptions to them; its client
    /// has this version, and takes packets of so many bytes.
    pub fn insert(
        &mut self,
        key: SessionKey,
        places: &[(FilterIndex, SubscribedSession)],
        (version, maximum_packet): (Version, usize),
        fates: [IdleFate; 2],
    ) {
        let subscriptions = places.iter().map(|(filter, subscription)| IdleSubscription {
            filter: *filter,
            qos: subscription.qos,
            since: self.filters[*filter].traffic.each_ref().map(|traffic| traffic.published),
        });
        let subscriptions = subscriptions.collect();
        let by_number = places.iter().map(|(filter, one)| (self.number(*filter), *one));
        let mut by_number: Vec<_> = by_number.collect();
        by_number.sort_unstable_by_key(|(number, _)| *number);
        let view = Arc::new(CommonView { subscriptions: by_number, version, maximum_packet });
        let mut session = IdleSession { view, subscriptions, first: self.open.len(), fates };
        for to in DeliveryPlace::ALL {
            if session.places(to).next().is_none() {
                session.fates[to as usize] = IdleFate::Ignored;
            }
        }
        for (filter, _) in places {
            self.filters[*filter].sessions.push(key);
        }
        self.note(&session, 1);
        self.limit(&session);
        if self.sessions.len() <= key {
            self.sessions.resize_with(key + 1, || None);
        }
        self.sessions[key] = Some(Box::new(session));
        self.count += 1;
    }

    /// Takes a session out, which has got what waited for it.
    pub fn remove(&mut self, key: SessionKey) -> Option<LeftBehind> {
        let session = self.sessions.get_mut(key)?.take()?;
        self.count -= 1;
        self.note(&session, usize::MAX);
        let mut left = LeftBehind { last: self.last, ..LeftBehind::default() };
        for to in DeliveryPlace::ALL {
            let lost = self.published(&session, to).messages as u64;
            match session.fate(to) {
                IdleFate::Lost(DeliveryOutcome::Overflowed) => left.overflowed += lost,
                IdleFate::Lost(_) => left.dropped += lost,
                IdleFate::Ignored | IdleFate::Waiting(_) => {}
            }
        }
        for subscription in &session.subscriptions {
            self.filters[subscription.filter].sessions.retain(|other| *other != key);
        }
        if self.count == 0 {
            // Nobody waits for the rest.
            self.open = Vec::new();
            self.weight = 0;
        }
        Some(left)
    }

    /// Counts a session at its filters, once more or (with `usize::MAX`) once less.
    fn note(&mut self, session: &IdleSession, more: usize) {
        for IdleSubscription { filter, qos, .. } in &session.subscriptions {
            for (class, traffic) in self.filters[*filter].traffic.iter_mut().enumerate() {
                let to = destination(*qos, class);
                let counts = match session.fate(to) {
                    IdleFate::Ignored => continue,
                    IdleFate::Waiting(_) => &mut traffic.waiting,
                    IdleFate::Lost(_) => &mut traffic.losing,
                };
                counts[to as usize] = counts[to as usize].wrapping_add(more);
                let is_first = more == 1 && counts[to as usize] == 1;
                if is_first && matches!(session.fate(to), IdleFate::Waiting(_)) {
                    traffic.most[to as usize] = Amount { messages: usize::MAX, weight: usize::MAX };
                }
            }
        }
    }

    /// What was published for a session at a destination since it last got its messages.
    fn published(&self, session: &IdleSession, to: DeliveryPlace) -> Amount {
        let since_then = |(subscription, class): (&IdleSubscription, usize)| {
            let published = self.filters[subscription.filter].traffic[class].published;
            published.without(subscription.since[class])
        };
        session.places(to).map(since_then).fold(Amount::default(), Amount::with)
    }

    /// How much room a session has left at a destination; `None` if nothing waits there.
    fn room(&self, session: &IdleSession, to: DeliveryPlace) -> Option<Amount> {
        match session.fate(to) {
            IdleFate::Waiting(room) => Some(room.without(self.published(session, to))),
            IdleFate::Ignored | IdleFate::Lost(_) => None,
        }
    }

    /// Notes at its filters how much can be published before a session may have no room.
    fn limit(&mut self, session: &IdleSession) {
        for to in DeliveryPlace::ALL {
            let Some(room) = self.room(session, to) else { continue };
            let count = session.places(to).count();
            let share = Amount { messages: room.messages / count, weight: room.weight / count };
            for (IdleSubscription { filter, .. }, class) in session.places(to) {
                let traffic = &mut self.filters[*filter].traffic[class];
                let most = traffic.published.with(share);
                let before = &mut traffic.most[to as usize];
                before.messages = before.messages.min(most.messages);
                before.weight = before.weight.min(most.weight);
            }
        }
    }
}

/// The messages.
impl IdleSessions {
    /// The sessions that have no room for so much, of this QoS, which is published to these
    /// filters.
    #[inline]
    pub fn without_room(
        &mut self,
        filters: &[FilterIndex],
        qos: QoS,
        amount: Amount,
    ) -> Vec<SessionKey> {
        let is_beyond = |filter: &FilterIndex| {
            let traffic = &self.filters[*filter].traffic[class(qos)];
            let next = traffic.published.with(amount);
            // A connection has room as long as there is any.
            let connection =
                traffic.waiting[0] > 0 && traffic.published.weight >= traffic.most[0].weight;
            let queue = traffic.waiting[1] > 0
                && (next.weight > traffic.most[1].weight
                    || next.messages > traffic.most[1].messages);
            connection || queue
        };
        if filters.iter().any(is_beyond) {
            self.look_for_room(filters, qos, amount)
        } else {
            Vec::new()
        }
    }

    #[cold]
    fn look_for_room(
        &mut self,
        filters: &[FilterIndex],
        qos: QoS,
        amount: Amount,
    ) -> Vec<SessionKey> {
        let mut without = Vec::new();
        for filter in filters {
            let most = Amount { messages: usize::MAX, weight: usize::MAX };
            self.filters[*filter].traffic[class(qos)].most = [most; 2];
            for key in self.filters[*filter].sessions.clone() {
                let Some(session) = self.sessions[key].take() else { continue };
                let lacks = |to| match self.room(&session, to) {
                    None => false,
                    Some(room) if to == DeliveryPlace::Connection => room.weight == 0,
                    Some(room) => room.messages < amount.messages || room.weight < amount.weight,
                };
                if DeliveryPlace::ALL.into_iter().any(lacks) {
                    without.push(key);
                } else {
                    self.limit(&session);
                }
                self.sessions[key] = Some(session);
            }
        }
        without
    }

    /// Counts so much, of this QoS, that is published to these filters now.
    pub fn count(
        &mut self,
        filters: &[FilterIndex],
        qos: QoS,
        amount: Amount,
        now: Instant,
    ) -> IdleOutcome {
        self.last = Some(now);
        let mut outcome = IdleOutcome::default();
        for filter in filters {
            let traffic = &mut self.filters[*filter].traffic[class(qos)];
            traffic.published = traffic.published.with(amount);
            outcome.waiting += traffic.waiting[0] + traffic.waiting[1];
            outcome.dropped += traffic.losing[0];
            outcome.overflowed += traffic.losing[1];
        }
        outcome
    }

    /// Adds what sessions wait for and was counted.
    pub fn push(&mut self, item: CommonItem) {
        self.weight += item.amount().weight;
        self.open.push(item);
    }

    /// Whether the open part of the queue is as large as one becomes.
    pub fn is_part_full(&self) -> bool {
        self.weight >= COMMON_BYTES
    }

    /// Whether something waits for a session.
    pub fn has_waiting(&self, key: SessionKey) -> bool {
        let Some(session) = self.sessions.get(key).and_then(Option::as_ref) else { return false };
        let waits = |to| {
            let is_waiting = matches!(session.fate(to), IdleFate::Waiting(_));
            is_waiting && self.published(session, to).messages > 0
        };
        DeliveryPlace::ALL.into_iter().any(waits)
    }

    /// Takes out what each session has got since the last time.
    pub fn take_part(&mut self) -> Vec<(SessionKey, DeliveryPlace, CommonMessages)> {
        let next = Vec::with_capacity(self.open.len());
        let part = Arc::new(std::mem::replace(&mut self.open, next));
        self.weight = 0;
        let mut taken = Vec::with_capacity(self.count);
        for key in 0..self.sessions.len() {
            let Some(mut session) = self.sessions[key].take() else { continue };
            let first = std::mem::take(&mut session.first);
            for to in DeliveryPlace::ALL {
                let IdleFate::Waiting(room) = session.fate(to) else { continue };
                let amount = self.published(&session, to);
                if amount.messages == 0 {
                    continue;
                }
                session.fates[to as usize] = IdleFate::Waiting(room.without(amount));
                let view = session.view.clone();
                let messages = CommonMessages::new(part.clone(), first, view, to, amount);
                taken.push((key, to, messages));
                self.mark(&mut session, to);
            }
            self.sessions[key] = Some(session);
        }
        taken
    }

    /// A session has got what was published for it at a destination.
    fn mark(&self, session: &mut IdleSession, to: DeliveryPlace) {
        for IdleSubscription { filter, qos, since } in &mut session.subscriptions {
            for (class, since) in since.iter_mut().enumerate() {
                if destination(*qos, class) == to {
                    *since = self.filters[*filter].traffic[class].published;
                }
            }
        }
    }
}
