//! SUBSCRIBE and UNSUBSCRIBE, and their answers.

use std::time::Instant;

use super::config::SubscribeRequest;
use super::{Subscriber, granted};
use crate::command::refusal;
use crate::exit::Exit;
use crate::mqtt::packet::{SubAck, Subscription, UnsubAck};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::{self, Lifetime};
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;
use crate::report;
use crate::terminal::screen;

/// What is subscribed to and unsubscribed from, and what the broker has said about it.
pub struct FilterState {
    /// What was asked for, without what was refused.
    pub asked: SubscribeRequest,
    /// SUBSCRIBE and UNSUBSCRIBE without their answer.
    pub unanswered: u32,
    /// The filters for which the broker was found to store nothing.
    pub unstored: Vec<TopicFilter>,
}

impl Subscriber {
    pub(super) fn subscribe(&mut self) {
        self.warn_of_shared();
        let SubscribeRequest { subscribe, unsubscribe, .. } = &self.subscriptions.asked;
        if !subscribe.is_empty() {
            let properties = self.subscriptions.asked.subscribe_properties.clone();
            self.client.subscribe(subscribe.clone(), properties);
            self.subscriptions.unanswered += 1;
        }
        if !unsubscribe.is_empty() {
            let properties = self.subscriptions.asked.unsubscribe_properties.clone();
            self.client.unsubscribe(unsubscribe.clone(), properties);
            self.subscriptions.unanswered += 1;
        }
    }

    /// Reports the filters that were refused. When all were, that is the end.
    pub(super) fn subscribed(&mut self, suback: &SubAck) -> Option<Exit> {
        match self.subscriptions.unanswered {
            0 => self.receiver.suspend_idle(self.times.connected),
            _ => self.receiver.restart_idle(),
        }
        let mut refused = 0;
        let asked = &self.subscriptions.asked.subscribe;
        for (subscription, code) in
            asked.iter().zip(&suback.codes).filter(|(_, code)| code.is_error())
        {
            let (filter, why) = (&subscription.filter, refusal(*code, suback.reason()));
            report::line(&format!("subscribing to {filter}: refused: {why}"));
            refused += 1;
        }
        if self.verbosity.warns()
            && self.subscriptions.unanswered > 0
            && screen::stderr_is_terminal()
        {
            for line in granted::describe(asked, &suback.codes) {
                report::note(&line);
            }
        }
        let all = refused == asked.len();
        self.warn_of_unstored(suback);
        if refused > 0 {
            self.note(Exit::Denied);
        }
        if all || (refused > 0 && self.needs_all()) { Some(Exit::Denied) } else { self.answered() }
    }

    /// Whether nothing can be said any more when one subscription is refused: of a test, and of
    /// what begins when all are granted.
    fn needs_all(&self) -> bool {
        self.start.needs_all() || self.options.criteria.are_given()
    }

    /// The broker cannot take a subscription; the end, if no other is left.
    pub(super) fn not_subscribed(
        &mut self,
        filter: &TopicFilter,
        why: session::Unsubscribable,
    ) -> Option<Exit> {
        report::line(&format!("subscribing to {filter}: refused: {why}"));
        self.note(Exit::Denied);
        let asked = &mut self.subscriptions.asked.subscribe;
        asked.retain(|subscription| subscription.filter != *filter);
        let is_over = asked.is_empty();
        (is_over || self.needs_all()).then_some(Exit::Denied)
    }

    /// Reports the filters that the broker did not take back.
    pub(super) fn unsubscribed(&mut self, unsuback: &UnsubAck) -> Option<Exit> {
        let answers = self.subscriptions.asked.unsubscribe.iter().zip(&unsuback.codes);
        let mut exit = Exit::Done;
        for (filter, code) in answers.filter(|(_, code)| code.is_error()) {
            let why = refusal(*code, unsuback.reason());
            report::line(&format!("unsubscribing from {filter}: refused: {why}"));
            exit = Exit::Denied;
        }
        self.note(exit);
        self.answered()
    }

    /// Before MQTT 5 many brokers take the filter of a shared subscription for a plain one, which
    /// no topic matches, and grant it.
    fn warn_of_shared(&self) {
        let version = self.client.session().config().version;
        let subscribe = &self.subscriptions.asked.subscribe;
        let shared = subscribe.iter().find(|subscription| subscription.filter.share().is_some());
        let Some(Subscription { filter, .. }) = shared else { return };
        if version < Version::V5 && self.receiver.verbosity.warns() {
            report::warn(&format!(
                "MQTT {version} has no shared subscriptions: some brokers take {filter} for a \
                 plain filter, which no message matches; use MQTT 5 where the broker speaks it"
            ));
        }
    }

    /// What is granted at QoS 0 is not stored while the client is away, for which the session is
    /// kept. Each filter is named once.
    fn warn_of_unstored(&mut self, suback: &SubAck) {
        let is_kept = self.client.session().config().lifetime == Lifetime::Persistent;
        if !is_kept || !self.receiver.verbosity.warns() {
            return;
        }
        for (Subscription { filter, qos, .. }, code) in
            self.subscriptions.asked.subscribe.iter().zip(&suback.codes)
        {
            let is_lowered = *qos > QoS::AtMostOnce && *code == ReasonCode::SUCCESS;
            if is_lowered && !self.subscriptions.unstored.contains(filter) {
                self.subscriptions.unstored.push(filter.clone());
                let reason = suback.reason().map(|why| format!(" ({why})")).unwrap_or_default();
                report::warn(&format!(
                    "subscribing to {filter}: the broker granted QoS 0, not {qos}{reason}: it \
                     stores no messages while we are disconnected"
                ));
            }
        }
    }

    /// With `-E` the last answer is the end, and without any filter there is nothing to wait for.
    fn answered(&mut self) -> Option<Exit> {
        self.subscriptions.unanswered = self.subscriptions.unanswered.saturating_sub(1);
        if self.subscriptions.unanswered == 0 && self.times.ends.is_none() {
            self.times.ends =
                self.options.end.after.and_then(|after| Instant::now().checked_add(after));
        }
        if self.subscriptions.unanswered > 0 {
            return None;
        }
        let (status, remote) = (self.client.at_server("Subscribed at"), self.client.remote());
        if let Err(error) = self.start.begin(&status.to_string(), move || remote.wake()) {
            report::line(&format!("{error:#}"));
            return Some(Exit::Local);
        }
        self.options.end.after_answer.then_some(Exit::Done)
    }
}
