//! Sends runs of messages: what they have in common is encoded once.

use std::ops::Range;
use std::rc::Rc;

use super::outbox::LONGEST_COPIED;
use super::sent::SentMessage;
use super::{Session, TopicAliasUse};
use crate::mqtt::packet::{Publish, PublishTemplate, TopiclessTemplate};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicSlice;

impl Session {
    /// Sends messages with the header of `head`, until `next` returns `None` or no more may be
    /// sent, and returns how many were sent. Their tokens are `token`, `token + 1`, and so on. Each
    /// payload is a range of the payload of `head`. `next` gets the longest length that it may
    /// return, in bytes, and returns `None` for a longer payload. Messages that need an alias or a
    /// log are not sent here, but with [`Session::publish`].
    pub fn publish_run(
        &mut self,
        head: &Rc<Publish>,
        token: u64,
        mut next: impl FnMut(usize) -> Option<Range<usize>>,
    ) -> u64 {
        let Some((mut header, longest)) = self.run_header(head) else { return 0 };
        let mut token = token;
        let first = token;
        while self.can_publish(head.qos)
            && let Some(payload) = next(longest)
        {
            header.put(
                self.exchanges.next_id(),
                &head.payload[payload.clone()],
                self.outbox.buffer(),
            );
            if head.qos > QoS::AtMostOnce {
                self.exchanges.begin_message(SentMessage::part(head, &payload, token));
            }
            token += 1;
        }
        token - first
    }

    /// The same for messages that have topics of their own: topics and payloads are parts of the
    /// payload of `head`, whose topic is ignored. `next` gets the longest length that both may
    /// have together.
    pub fn publish_topic_run<'a>(
        &mut self,
        head: &'a Rc<Publish>,
        token: u64,
        mut next: impl FnMut(usize) -> Option<(TopicSlice<'a>, Range<usize>)>,
    ) -> u64 {
        let Some(longest) = self.longest_in_run(head) else { return 0 };
        let template = TopiclessTemplate::new(head, self.config.version);
        let Ok(mut template) = template else { return 0 };
        let mut sent = 0;
        while self.can_publish(head.qos)
            && let Some((topic, payload)) = next(longest)
        {
            template.put(
                topic,
                self.exchanges.next_id(),
                &head.payload[payload.clone()],
                self.outbox.buffer(),
            );
            if head.qos > QoS::AtMostOnce {
                let message = SentMessage::part(head, &payload, token + sent);
                self.exchanges.begin_message(message.with_topic(topic));
            }
            sent += 1;
        }
        sent
    }

    /// How many more messages of this QoS may be in flight.
    pub fn free_window(&self, qos: QoS) -> usize {
        if qos == QoS::AtMostOnce {
            return usize::MAX;
        }
        let window = self.limits.window(qos, self.config.sending.max_inflight);
        window.saturating_sub(self.exchanges.outstanding())
    }

    /// Whether messages are sent in runs: each needs neither an alias nor a line in the log.
    pub fn sends_runs(&self) -> bool {
        !self.config.reports.trace && self.config.sending.topic_aliases != TopicAliasUse::AsAllowed
    }

    /// The header of messages like `head`, and their longest payload in bytes; `None` if such
    /// messages must be sent one by one.
    fn run_header(&self, head: &Publish) -> Option<(PublishTemplate, usize)> {
        let longest = self.longest_in_run(head)?;
        let header = PublishTemplate::new(head, longest, self.config.version);
        header.ok().map(|header| (header, longest))
    }

    /// The longest payload of messages like `head` in a run, in bytes; `None` if they must be sent
    /// one by one.
    fn longest_in_run(&self, head: &Publish) -> Option<usize> {
        let version = self.config.version;
        if !self.sends_runs() || self.limits.check(head, 0, version).is_err() {
            return None;
        }
        let head = head.encoded_len_with(0, version) + 3;
        Some(LONGEST_COPIED.min(self.limits.maximum_packet.checked_sub(head)?))
    }
}
