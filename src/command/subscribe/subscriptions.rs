//! SUBSCRIBE and UNSUBSCRIBE, and their answers.

use std::time::Instant;

use super::config::SubscribeRequest;
use super::{Subscriber, granted};
use crate::exit::Exit;
use crate::mqtt::packet::{SubAck, UnsubAck};
use crate::mqtt::session;
use crate::mqtt::topic::TopicFilter;
use crate::report;
use crate::terminal::screen;

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

    /// Reports the filters that were refused. When all were, that is the end.
    pub(super) fn subscribed(&mut self, suback: &SubAck) -> Option<Exit> {
        self.receiver.restart_idle();
        let mut refused = 0;
        let asked = &self.subscriptions.subscribe;
        for (subscription, code) in
            asked.iter().zip(&suback.codes).filter(|(_, code)| code.is_error())
        {
            let filter = &subscription.filter;
            report::line(&format!("subscribing to {filter}: refused: {code}"));
            refused += 1;
        }
        if self.verbosity.warns() && self.unanswered > 0 && screen::stderr_is_terminal() {
            for line in granted::describe(asked, &suback.codes) {
                report::note(&line);
            }
        }
        let all = refused == asked.len();
        if refused > 0 {
            self.note(Exit::Denied);
        }
        if all { Some(Exit::Denied) } else { self.answered() }
    }

    /// The broker cannot take a subscription; the end, if no other is left.
    pub(super) fn not_subscribed(
        &mut self,
        filter: &TopicFilter,
        why: session::Unsubscribable,
    ) -> Option<Exit> {
        report::line(&format!("subscribing to {filter}: refused: {why}"));
        self.note(Exit::Denied);
        let asked = &mut self.subscriptions.subscribe;
        asked.retain(|subscription| subscription.filter != *filter);
        asked.is_empty().then_some(Exit::Denied)
    }

    /// Reports the filters that the broker did not take back.
    pub(super) fn unsubscribed(&mut self, unsuback: &UnsubAck) -> Option<Exit> {
        let answers = self.subscriptions.unsubscribe.iter().zip(&unsuback.codes);
        let mut exit = Exit::Done;
        for (filter, code) in answers.filter(|(_, code)| code.is_error()) {
            report::line(&format!("unsubscribing from {filter}: refused: {code}"));
            exit = Exit::Denied;
        }
        self.note(exit);
        self.answered()
    }

    /// With `-E` the last answer is the end, and without any filter there is nothing to wait for.
    fn answered(&mut self) -> Option<Exit> {
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.unanswered == 0 && self.ends.is_none() {
            self.ends = self.options.end.after.and_then(|after| Instant::now().checked_add(after));
        }
        (self.options.end.after_answer && self.unanswered == 0).then_some(Exit::Done)
    }
}
