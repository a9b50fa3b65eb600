//! The broker that messages come from: how many it may send at once, and the subscriptions.

use std::time::Instant;

use anyhow::Result;

use super::Mirror;
use crate::client::{self, Client};
use crate::command::refusal;
use crate::exit::Exit;
use crate::mqtt::packet::{RetainHandling, SubAck, Subscription};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::session::Session;
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;
use crate::report::{self, Verbosity};

/// The most messages of QoS 1 and 2 that the source may send without an acknowledgement: with their
/// payloads they are what a mirror holds in memory. At a round trip of 10 ms that is 100,000
/// messages a second.
const RECEIVE_MAXIMUM: u16 = 1000;

/// The options of the client of the source: it may send as many messages as the target takes,
/// unless the user has said how many.
pub fn bounded(
    mut source: client::Options,
    target: &Session,
    subscribe: &[Subscription],
) -> client::Options {
    let qos = subscribe.iter().map(|subscription| subscription.qos).max();
    let window = target.window(qos.unwrap_or(QoS::AtMostOnce).min(target.maximum_qos()));
    let maximum = u16::try_from(window).unwrap_or(u16::MAX).clamp(1, RECEIVE_MAXIMUM);
    let connect = &mut source.session.properties.connect;
    if !connect.has(PropertyId::ReceiveMaximum) {
        connect.push(Property::number(PropertyId::ReceiveMaximum, maximum.into()));
    }
    source
}

/// What is subscribed to at the source.
pub struct SourceSubscriptions {
    asked: Vec<Subscription>,
    properties: Properties,
    stage: SubscribeStage,
}

/// How far SUBSCRIBE has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SubscribeStage {
    Unsent,
    Sent,
    Answered,
}

impl SourceSubscriptions {
    /// Nothing was sent yet.
    pub fn new(asked: Vec<Subscription>, properties: Properties) -> Self {
        Self { asked, properties, stage: SubscribeStage::Unsent }
    }

    /// Whether SUBSCRIBE was sent.
    pub fn are_sent(&self) -> bool {
        self.stage != SubscribeStage::Unsent
    }

    /// Sends SUBSCRIBE, with the options that the version of the source has.
    pub fn subscribe(&mut self, source: &mut Client, verbosity: Verbosity) {
        let version = source.session().config().version;
        if version < Version::V5 {
            for subscription in &mut self.asked {
                let (filter, qos) = (subscription.filter.clone(), subscription.qos);
                *subscription = Subscription::new(filter, qos);
            }
            let shared = self.asked.iter().find(|asked| asked.filter.share().is_some());
            if let Some(Subscription { filter, .. }) = shared.filter(|_| verbosity.warns()) {
                report::warn(&format!(
                    "MQTT {version} has no shared subscriptions: some brokers take {filter} for a \
                     plain filter, which no message matches"
                ));
            }
        }
        self.stage = SubscribeStage::Sent;
        source.subscribe(self.asked.clone(), self.properties.clone());
    }

    /// The source cannot take this subscription; whether no other is left.
    pub fn refuse(&mut self, filter: &TopicFilter) -> bool {
        self.asked.retain(|subscription| subscription.filter != *filter);
        self.asked.is_empty()
    }
}

/// The subscription of a mirror to this filter, in MQTT 5: messages come as they were published,
/// retained ones once for each session. Nothing comes that this connection publishes itself; a
/// shared subscription must not ask for that `[MQTT-3.8.3-4]`.
pub fn subscription(
    filter: TopicFilter,
    qos: QoS,
    retain_handling: Option<RetainHandling>,
) -> Subscription {
    Subscription {
        no_local: filter.share().is_none(),
        retain_as_published: true,
        retain_handling: retain_handling.unwrap_or(RetainHandling::New),
        ..Subscription::new(filter, qos)
    }
}

impl Mirror {
    /// Reports the filters that were refused. When all were, that is the end.
    pub(super) fn subscribed(&mut self, suback: &SubAck) -> Result<Option<Exit>> {
        let mut refused = 0;
        let asked = &self.subscriptions.asked;
        for (subscription, code) in asked.iter().zip(&suback.codes) {
            let filter = &subscription.filter;
            if code.is_error() {
                refused += 1;
                let why = refusal(*code, suback.reason());
                report::line(&format!("subscribing to {filter}: refused: {why}"));
            } else if code.0 < subscription.qos.bits() && self.verbosity.warns() {
                let (granted, wanted) = (code.0, subscription.qos);
                report::warn(&format!(
                    "subscribing to {filter}: the broker granted QoS {granted}, not {wanted}"
                ));
            }
        }
        let all = refused == asked.len();
        if refused > 0 {
            self.note(Exit::Denied);
        }
        if all || (refused > 0 && self.start.needs_all()) {
            return Ok(Some(Exit::Denied));
        }
        self.granted()
    }

    /// The source has answered the first SUBSCRIBE: whoever waits for that is told.
    fn granted(&mut self) -> Result<Option<Exit>> {
        self.times.latest = Instant::now();
        if self.subscriptions.stage == SubscribeStage::Answered {
            return Ok(None);
        }
        self.subscriptions.stage = SubscribeStage::Answered;
        self.times.ends = self.times.end.after.and_then(|after| Instant::now().checked_add(after));
        let (status, remote) = (self.source.at_server("Mirroring from"), self.source.remote());
        self.start.begin(&status.to_string(), move || remote.wake())?;
        Ok(None)
    }
}
