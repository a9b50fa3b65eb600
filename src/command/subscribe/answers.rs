//! What is asked of the broker (subscriptions, and to give some back), and what it answers. It must
//! never know a message.

use super::Subscriber;
use crate::exit::Exit;
use crate::mqtt::packet::{RetainHandling, SubAck, Subscription, UnsubAck};
use crate::mqtt::property::Place;
use crate::mqtt::session;
use crate::mqtt::topic::TopicFilter;
use crate::report;

impl Subscriber<'_> {
    pub(super) fn subscribe(&mut self) {
        let retain_handling = match (self.args.retain_handling, self.args.no_stale) {
            (Some(handling), _) => handling,
            (None, true) => RetainHandling::Never,
            (None, false) => RetainHandling::Always,
        };
        let subscription = |filter: &TopicFilter| Subscription {
            no_local: self.args.no_local,
            retain_as_published: self.args.retain_as_published,
            retain_handling,
            ..Subscription::new(filter.clone(), self.args.qos)
        };
        if !self.filters.is_empty() {
            let subscriptions = self.filters.iter().map(subscription).collect();
            self.client.subscribe(subscriptions, self.properties.of(Place::Subscribe));
            self.unanswered += 1;
        }
        if !self.args.give_back.is_empty() {
            let properties = self.properties.of(Place::Unsubscribe);
            self.client.unsubscribe(self.args.give_back.clone(), properties);
            self.unanswered += 1;
        }
    }

    /// Says which filters were refused; nothing is left to wait for when all were.
    pub(super) fn subscribed(&mut self, suback: &SubAck) -> Option<Exit> {
        let mut refused = 0;
        for (filter, code) in
            self.filters.iter().zip(&suback.codes).filter(|(_, code)| code.is_error())
        {
            report::line(&format!("subscribing to {filter}: refused: {code}"));
            refused += 1;
        }
        self.denied |= refused > 0;
        (refused == self.filters.len()).then_some(Exit::Denied)
    }

    /// The broker does not take a subscription; what is left may be nothing.
    pub(super) fn not_subscribed(
        &mut self,
        filter: &TopicFilter,
        why: session::Unsubscribable,
    ) -> Option<Exit> {
        report::line(&format!("subscribing to {filter}: refused: {why}"));
        self.denied = true;
        self.filters.retain(|asked| asked != filter);
        self.filters.is_empty().then_some(Exit::Denied)
    }

    pub(super) fn unsubscribed(&mut self, unsuback: &UnsubAck) {
        let answers = self.args.give_back.iter().zip(&unsuback.codes);
        for (filter, code) in answers.filter(|(_, code)| code.is_error()) {
            report::line(&format!("unsubscribing from {filter}: refused: {code}"));
            self.denied = true;
        }
    }

    /// With `-E` the last answer is the end, and without any filter there is nothing to wait for.
    pub(super) fn answered(&mut self) -> Option<Exit> {
        self.unanswered = self.unanswered.saturating_sub(1);
        let leave = self.args.exit_after_answer || self.args.topic.is_empty();
        (leave && self.unanswered == 0).then_some(Exit::Done)
    }
}
