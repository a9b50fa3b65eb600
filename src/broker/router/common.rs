//! Messages that wait for several sessions alike: each is stored once, and each session has its
//! place among them, and gets them in its own form when it takes them.

use std::sync::Arc;
use std::time::Instant;

use super::message::{AddressedMessage, AppMessage, Grant};
use super::subscribed::SubscribedSession;
use crate::broker::limits::MESSAGE_OVERHEAD;
use crate::mqtt::packet::{Packet, PublishRun};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

/// The number of a topic filter of sessions whose clients take nothing, never used twice.
pub type FilterNumber = u64;

/// An amount of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many they are.
    pub messages: usize,
    /// What they weigh, in bytes.
    pub weight: usize,
}

impl Amount {
    /// What is left of it without another amount.
    pub fn without(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(other.messages),
            weight: self.weight.saturating_sub(other.weight),
        }
    }

    /// Both together.
    pub fn with(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            weight: self.weight.saturating_add(other.weight),
        }
    }
}

/// Where a session gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryPlace {
    /// At QoS 0: among what waits to be written to its connection.
    Connection,
    /// At QoS 1 and 2: in its queue.
    Queue,
}

impl DeliveryPlace {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Connection, Self::Queue];

    /// Where a message of this QoS goes.
    pub fn of(qos: QoS) -> Self {
        if qos == QoS::AtMostOnce { Self::Connection } else { Self::Queue }
    }
}

/// What is stored once.
#[derive(Debug)]
pub struct CommonItem {
    /// The filters that match it, of those that have a number.
    pub filters: Arc<[FilterNumber]>,
    /// What was published.
    pub content: CommonContent,
    /// When that was.
    pub at: Instant,
}

/// What was published.
#[derive(Debug)]
pub enum CommonContent {
    /// One message.
    Message(AppMessage),
    /// Messages of QoS 0, one after another.
    Run(PublishRun),
}

impl CommonItem {
    /// How much it is.
    pub fn amount(&self) -> Amount {
        match &self.content {
            CommonContent::Message(message) => Amount { messages: 1, weight: message.weight() },
            CommonContent::Run(run) => Amount { messages: run.count, weight: run_weight(run) },
        }
    }

    fn qos(&self) -> QoS {
        match &self.content {
            CommonContent::Message(message) => message.qos,
            CommonContent::Run(_) => QoS::AtMostOnce,
        }
    }

    fn is_retained(&self) -> bool {
        matches!(&self.content, CommonContent::Message(message) if message.retain)
    }
}

/// What a run weighs while it waits, in bytes.
pub fn run_weight(run: &PublishRun) -> usize {
    MESSAGE_OVERHEAD + run.packets.len()
}

/// In which form one session gets what it waits for.
#[derive(Debug)]
pub struct CommonView {
    /// Its subscriptions by the numbers of their filters, in the order of these. No message matches
    /// two of them.
    pub subscriptions: Vec<(FilterNumber, SubscribedSession)>,
    /// The version of its client. Of what waits in a session this is not known.
    pub version: Version,
    /// The largest packet that its client takes, in bytes. Of that this is not known, too.
    pub maximum_packet: usize,
}

impl CommonView {
    /// How the session gets an item; `None` if it does not.
    fn grant(&self, item: &CommonItem) -> Option<Grant> {
        let subscription = item.filters.iter().find_map(|number| {
            let at = self.subscriptions.binary_search_by_key(number, |(number, _)| *number).ok()?;
            Some(&self.subscriptions[at].1)
        })?;
        Some(subscription.grant(item.is_retained()))
    }

    /// Those messages of a run that the client takes, in its version.
    fn run(&self, run: &PublishRun, grant: &Grant) -> Option<PublishRun> {
        let has_properties = self.version.has_properties();
        let is_alike = has_properties == run.version.has_properties();
        if is_alike && grant.identifiers.is_empty() && run.longest <= self.maximum_packet {
            return Some(run.clone());
        }
        let mut properties = Properties::default();
        if has_properties {
            let identifier = |id: &u32| Property::number(PropertyId::SubscriptionIdentifier, *id);
            properties.0.extend(grant.identifiers.iter().map(identifier));
        }
        run.restated(&properties, self.version, self.maximum_packet)
    }

    /// A message of QoS 0 that came at a certain time, if the client takes it. It has no alias: one
    /// is never necessary (§3.3.2.3.4).
    fn packet(&self, message: &AppMessage, grant: &Grant, came: Instant) -> Option<Packet> {
        let mut publish = message.delivery(grant).into_publish(came);
        if !self.version.has_properties() {
            publish.properties.0.clear();
        }
        let packet = Packet::Publish(publish);
        (packet.encoded_len(self.version) <= self.maximum_packet).then_some(packet)
    }
}

/// What is sent of it to a client.
#[derive(Debug)]
pub enum CommonDelivery {
    /// A packet.
    Packet(Packet),
    /// Messages that are passed on as they came.
    Run(PublishRun),
}

/// What waits in a common queue, for one session: the rest of a part of the queue.
#[derive(Debug, Clone)]
pub struct CommonMessages {
    part: Arc<Vec<CommonItem>>,
    view: Arc<CommonView>,
    to: DeliveryPlace,
    /// The place of the next in the part.
    next: usize,
    /// How much of what follows is for the session.
    left: Amount,
}

impl PartialEq for CommonMessages {
    fn eq(&self, other: &Self) -> bool {
        let places = [self, other].map(|common| (common.next, common.left));
        Arc::ptr_eq(&self.part, &other.part) && places[0] == places[1]
    }
}

impl Eq for CommonMessages {}

impl CommonMessages {
    /// Those of a part from this place on that are for a session, of which it gets so much there.
    pub fn new(
        part: Arc<Vec<CommonItem>>,
        next: usize,
        view: Arc<CommonView>,
        to: DeliveryPlace,
        left: Amount,
    ) -> Self {
        Self { part, view, to, next, left }
    }

    /// How much waits.
    pub fn left(&self) -> Amount {
        self.left
    }

    /// These messages of QoS 0, for a session with one subscription, whose client takes packets of
    /// so many bytes.
    #[cfg(test)]
    pub fn of(messages: Vec<crate::mqtt::packet::Publish>, maximum_packet: usize) -> Self {
        let now = Instant::now();
        let item = |publish: crate::mqtt::packet::Publish| {
            let topic = publish.topic.clone().unwrap();
            let content = CommonContent::Message(AppMessage::published(publish, topic, now));
            CommonItem { filters: Arc::new([1]), content, at: now }
        };
        let part: Vec<_> = messages.into_iter().map(item).collect();
        let left = part.iter().fold(Amount::default(), |sum, item| sum.with(item.amount()));
        let subscriptions = vec![(1, SubscribedSession::of(0))];
        let version = Version::V3_1_1;
        let view = Arc::new(CommonView { subscriptions, version, maximum_packet });
        Self::new(Arc::new(part), 0, view, DeliveryPlace::Connection, left)
    }

    /// Where the bytes of the runs are.
    #[cfg(test)]
    pub fn runs(&mut self) -> Vec<*const u8> {
        let next = || match self.next_delivery()?.0 {
            Some(CommonDelivery::Run(run)) => Some(run.packets.as_ptr()),
            item => panic!("{item:?}"),
        };
        std::iter::from_fn(next).collect()
    }

    /// The next for the connection, or nothing of it if it is too large for the client, and what it
    /// weighs, in bytes.
    pub fn next_delivery(&mut self) -> Option<(Option<CommonDelivery>, usize)> {
        let (at, grant) = self.find_next()?;
        let item = &self.part[at];
        let delivery = match &item.content {
            CommonContent::Run(run) => self.view.run(run, &grant).map(CommonDelivery::Run),
            CommonContent::Message(message) => {
                self.view.packet(message, &grant, item.at).map(CommonDelivery::Packet)
            }
        };
        Some((delivery, item.amount().weight))
    }

    /// The next for the queue, and what it weighs, in bytes.
    pub fn next_addressed(&mut self) -> Option<(AddressedMessage, usize)> {
        let (at, grant) = self.find_next()?;
        let item = &self.part[at];
        let CommonContent::Message(message) = &item.content else { return None };
        Some((message.delivery(&grant), item.amount().weight))
    }

    /// The place of the next that is for the session, and how it gets that.
    fn find_next(&mut self) -> Option<(usize, Grant)> {
        while self.left.messages > 0 {
            let at = self.next;
            let item = self.part.get(at)?;
            self.next += 1;
            let grant = self.view.grant(item);
            let is_here = |grant: &Grant| DeliveryPlace::of(item.qos().min(grant.qos)) == self.to;
            if let Some(grant) = grant.filter(is_here) {
                self.left = self.left.without(item.amount());
                return Some((at, grant));
            }
        }
        None
    }
}
