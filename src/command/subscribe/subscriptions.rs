//! SUBSCRIBE and UNSUBSCRIBE, and their answers.

use super::Subscriber;
use super::config::SubscribeRequest;
use crate::exit::Exit;
use crate::mqtt::packet::{SubAck, UnsubAck};
use crate::mqtt::session;
use crate::mqtt::topic::TopicFilter;
use crate::report;

impl Subscriber {
    pub(super) fn subscribe(&mut self) {
        let SubscribeRequest { subscribe, unsubscribe, .. } = &self.subscriptions;
        if !subscribe.is_empty() {
            let properties = self.subscriptions.subscribe_properties.clone();
            self.client.subscribe(subscribe.clone(), properties);
            self.unanswered += 1;
        }
        if !unsubscribe.is_empty() {
            let properties = self.subscriptions.unsubscribe_properties.clone();
            self.client.unsubscribe(unsubscribe.clone(), properties);
            self.unanswered += 1;
        }
    }

    /// Says which filters were refused; nothing is left to wait for when all were.
    pub(super) fn subscribed(&mut self, suback: &SubAck) -> Option<Exit> {
        let mut refused = 0;
        let asked = &self.subscriptions.subscribe;
        for (subscription, code) in
            asked.iter().zip(&suback.codes).filter(|(_, code)| code.is_error())
        {
            let filter = &subscription.filter;
            report::line(&format!("subscribing to {filter}: refused: {code}"));
            refused += 1;
        }
        let all = refused == asked.len();
        self.denied |= refused > 0;
        all.then_some(Exit::Denied)
    }

    /// The broker cannot take a subscription; the end, if no other is left.
    pub(super) fn not_subscribed(
        &mut self,
        filter: &TopicFilter,
        why: session::Unsubscribable,
    ) -> Option<Exit> {
        report::line(&format!("subscribing to {filter}: refused: {why}"));
        self.denied = true;
        let asked = &mut self.subscriptions.subscribe;
        asked.retain(|subscription| subscription.filter != *filter);
        asked.is_empty().then_some(Exit::Denied)
    }

    pub(super) fn unsubscribed(&mut self, unsuback: &UnsubAck) {
        let answers = self.subscriptions.unsubscribe.iter().zip(&unsuback.codes);
        for (filter, code) in answers.filter(|(_, code)| code.is_error()) {
            report::line(&format!("unsubscribing from {filter}: refused: {code}"));
            self.denied = true;
        }
    }

    /// With `-E` the last answer is the end, and without any filter there is nothing to wait for.
    pub(super) fn answered(&mut self) -> Option<Exit> {
        self.unanswered = self.unanswered.saturating_sub(1);
        (self.end.after_answer && self.unanswered == 0).then_some(Exit::Done)
    }
}
