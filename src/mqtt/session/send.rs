//! Sends messages, SUBSCRIBE, UNSUBSCRIBE, PINGREQ and DISCONNECT.

use std::ops::Range;

use bytes::Bytes;

use super::exchange::{Exchange, PendingSubscribe};
use super::lifetime::SessionEnd;
use super::sent::SentMessage;
use super::{Event, Session, State, TopicAliasUse, Unsendable, Unsubscribable};
use crate::mqtt::packet::{
    Ack, Disconnect, EncodeError, Packet, PacketId, PacketType, Publish, SubAck, Subscribe,
    Subscription, UnsubAck, Unsubscribe,
};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicFilter;

impl Session {
    /// Whether [`Session::publish`] may be called now with a message of this QoS.
    #[inline(always)]
    pub fn can_publish(&self, qos: QoS) -> bool {
        self.state == State::Online
            && self.outbox.has_room()
            && (qos == QoS::AtMostOnce
                || (self.exchanges.outstanding()
                    < self.limits.window(qos, self.config.sending.max_inflight)
                    && self.exchanges.has_room()))
    }

    /// Checks whether the server accepts this message with a payload of `length` bytes.
    pub fn check(&self, publish: &Publish, length: usize) -> Result<(), Unsendable> {
        self.limits.check(publish, length, self.config.version)
    }

    /// Checks whether the server accepts a subscription to `filter` with these properties.
    pub fn check_filter(
        &self,
        filter: &TopicFilter,
        properties: &Properties,
    ) -> Result<(), Unsubscribable> {
        self.limits.check_subscription(filter, properties)
    }

    /// Sends a message; call it only if [`Session::can_publish`]. `token` is any number of the
    /// caller's; [`Event::Acknowledged`] returns it for a QoS 1 or 2 message.
    pub fn publish(&mut self, publish: Publish, token: u64) -> Result<(), Unsendable> {
        self.begin(SentMessage::whole(publish, token))
    }

    /// Sends a message whose payload of `length` bytes the caller passes to [`Session::stream`]. At
    /// QoS 1 and 2 the whole payload is wanted again after a lost connection.
    pub fn publish_stream(
        &mut self,
        publish: Publish,
        length: usize,
        token: u64,
    ) -> Result<(), Unsendable> {
        self.begin(SentMessage::streamed(publish, length, token))
    }

    /// Whether anything waits in [`Session::outgoing`], or a part of a streamed payload is missing.
    pub fn has_unsent(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// How many bytes wait in [`Session::outgoing`].
    pub fn unsent(&self) -> usize {
        self.outbox.waiting()
    }

    /// The number of payload bytes of the client's messages that are not acknowledged, as far as
    /// they are held in memory.
    pub fn unacknowledged(&self) -> usize {
        self.exchanges.remembered()
    }

    /// Whether only part of a streamed payload was passed on this connection.
    pub fn is_streaming(&self) -> bool {
        self.state == State::Online && self.outbox.is_streaming()
    }

    /// The part of the streamed payload that is wanted now, in bytes from its beginning.
    pub fn stream_wants(&self) -> Range<usize> {
        if self.state == State::Online { self.outbox.stream_wants() } else { 0..0 }
    }

    /// Takes the part that [`Session::stream_wants`] from a block that begins `at` this byte of the
    /// streamed payload. A block that was read for an earlier connection is used only as far as it
    /// covers that part.
    pub fn stream(&mut self, at: usize, block: &Bytes) {
        if self.state == State::Online {
            self.outbox.stream(at, block);
        }
    }

    fn begin(&mut self, sent: SentMessage) -> Result<(), Unsendable> {
        self.limits.check(&sent.head(), sent.length(), self.config.version)?;
        let packet_id = (sent.qos() > QoS::AtMostOnce).then(|| self.exchanges.next_id());
        self.send_publish(&sent, packet_id, false).map_err(Unsendable::Encode)?;
        if packet_id.is_some() {
            self.exchanges.begin_message(sent);
        }
        Ok(())
    }

    /// Whether [`Session::poll`] has an event without more bytes.
    pub fn has_event(&self) -> bool {
        self.reports.has_event()
    }

    /// Whether the server has accepted the connection and neither side has ended it.
    pub fn is_online(&self) -> bool {
        self.state == State::Online
    }

    /// The number of unfinished QoS 1 and 2 messages of the client.
    pub fn in_flight(&self) -> usize {
        self.exchanges.publishing()
    }

    /// The packet that the server owes for the oldest unfinished message, when everything was
    /// handed out that is to be sent on this connection.
    pub fn awaited_acknowledgement(&self) -> Option<PacketType> {
        let is_sent = self.state == State::Online && !self.has_unsent();
        self.exchanges.awaited_acknowledgement().filter(|_| is_sent)
    }

    /// How many PUBACKs, PUBRECs and PUBCOMPs have moved a message on, over all connections.
    pub fn acknowledgements_received(&self) -> u64 {
        self.exchanges.steps()
    }

    /// Topic and QoS of the oldest unfinished message, unless the server already has it.
    pub fn unfinished_message(&self) -> Option<(String, QoS)> {
        if let Some((_, topic, qos)) = self.receiver.relaying.oldest() {
            return Some((topic.as_str().to_owned(), *qos));
        }
        let head = self.exchanges.first_message()?;
        Some((head.topic_or_empty().to_owned(), head.qos))
    }

    /// The caller's token of the oldest unfinished QoS 1 or 2 message.
    pub fn first_unfinished(&self) -> Option<u64> {
        let relayed = self.receiver.relaying.oldest().map(|(packet_id, ..)| packet_id.get().into());
        relayed.or_else(|| self.exchanges.first_unfinished())
    }

    /// Sends SUBSCRIBE. [`Event::Subscribed`] brings the answer with the identifier that is
    /// returned here. A subscription that this server does not accept is left out and reported as
    /// [`Event::NotSubscribed`].
    pub fn subscribe(
        &mut self,
        subscriptions: Vec<Subscription>,
        properties: Properties,
    ) -> PacketId {
        let packet_id = self.exchanges.next_id();
        let subscriptions = self.acceptable(subscriptions, &properties);
        if subscriptions.is_empty() {
            return packet_id;
        }
        let codes = vec![ReasonCode::PACKET_TOO_LARGE; subscriptions.len()];
        let filters = subscriptions.iter().map(|one| one.filter.clone()).collect();
        let (again, with) = (subscriptions.clone(), properties.clone());
        let packet = Packet::Subscribe(Subscribe { packet_id, properties, subscriptions });
        if self.is_too_large(&packet) {
            let refusal = SubAck { packet_id, properties: Properties::default(), codes };
            self.reports.push(Event::Subscribed(refusal));
        } else {
            self.exchanges.begin_subscribe(Exchange::Subscribe(filters));
            self.subscriptions.add(again, with);
            self.send(&packet);
        }
        packet_id
    }

    /// The subscriptions that the server accepts. Each of the others is reported as
    /// [`Event::NotSubscribed`].
    fn acceptable(
        &mut self,
        mut asked: Vec<Subscription>,
        properties: &Properties,
    ) -> Vec<Subscription> {
        asked.retain(|Subscription { filter, .. }| {
            match self.limits.check_subscription(filter, properties) {
                Ok(()) => true,
                Err(why) => {
                    self.reports.push(Event::NotSubscribed { filter: filter.clone(), why });
                    false
                }
            }
        });
        asked
    }

    /// Whether the client has a subscription, or has asked for one.
    pub fn is_subscriber(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    /// Whether a SUBSCRIBE or UNSUBSCRIBE of this connection waits for its answer.
    pub fn has_pending_subscribe(&self) -> bool {
        self.state == State::Online && self.exchanges.has_pending_subscribe()
    }

    /// The oldest SUBSCRIBE or UNSUBSCRIBE that waits for its answer.
    pub fn pending_subscribe(&self) -> Option<PendingSubscribe<'_>> {
        self.exchanges.pending_subscribe()
    }

    /// Whether the packet is larger than the server accepts `[MQTT-3.2.2-15]`.
    pub(super) fn is_too_large(&self, packet: &Packet) -> bool {
        packet.encoded_len(self.config.version) > self.limits.maximum_packet
    }

    /// Sends UNSUBSCRIBE. [`Event::Unsubscribed`] brings the answer.
    pub fn unsubscribe(&mut self, filters: Vec<TopicFilter>, properties: Properties) -> PacketId {
        let packet_id = self.exchanges.next_id();
        let (again, and) = (filters.clone(), properties.clone());
        self.subscriptions.remove(&filters);
        let codes = vec![ReasonCode::PACKET_TOO_LARGE; filters.len()];
        let packet = Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters });
        if self.is_too_large(&packet) {
            let refusal = UnsubAck { packet_id, properties: Properties::default(), codes };
            self.reports.push(Event::Unsubscribed(refusal));
        } else {
            self.exchanges.begin_subscribe(Exchange::Unsubscribe(Box::new((again, and))));
            self.send(&packet);
        }
        packet_id
    }

    /// Sends a PINGREQ now. [`Event::Pong`] is the answer.
    pub fn ping(&mut self) {
        self.keep_alive.asked();
        self.send(&Packet::PingReq);
    }

    /// Sends DISCONNECT. Nothing is sent after it `[MQTT-3.14.4-1]`. With a `code` of success the
    /// session continues to read: acknowledgements complete messages in flight, and a DISCONNECT
    /// with a reason is an event. Messages are dropped, because the server will send them again.
    /// With an error code the session has ended.
    pub fn disconnect(&mut self, code: ReasonCode) {
        // Before MQTT 5 a DISCONNECT has no reason and makes the server discard the will, so it is
        // only sent without an error.
        if self.state == State::Online && (!code.is_error() || self.config.version.has_properties())
        {
            self.send_disconnect(code);
        }
        self.state = match self.state {
            State::Online | State::Closing if !code.is_error() => State::Closing,
            _ => State::Ended,
        };
    }

    /// Sends a DISCONNECT after which the server keeps the session, for the next connection of this
    /// client.
    pub fn leave(&mut self) {
        if self.state == State::Online {
            let (code, properties) = (ReasonCode::SUCCESS, Properties::default());
            self.send(&Packet::Disconnect(Disconnect { code, properties }));
            self.state = State::Closing;
        }
    }

    /// Sends DISCONNECT with as much as the server has room for `[MQTT-3.2.2-15]`: everything, at
    /// least the end of the session, or no properties. Without its error code it would mean a
    /// normal end.
    fn send_disconnect(&mut self, code: ReasonCode) {
        let mut properties = Properties::default();
        // A will that is delayed is published at the end of the session (§3.1.3.2.2).
        let delay =
            self.config.will.as_ref().and_then(|will| will.properties.will_delay_interval());
        let keeps_will = code == ReasonCode::DISCONNECT_WITH_WILL_MESSAGE && delay.is_some();
        if self.end() == SessionEnd::Disconnect && !keeps_will {
            properties.push(Property::number(PropertyId::SessionExpiryInterval, 0));
        }
        for property in self.config.properties.disconnect.iter().filter(|_| !code.is_error()) {
            properties.set(property.clone());
        }
        let mut expiry = properties.clone();
        expiry.0.retain(|property| property.id() == PropertyId::SessionExpiryInterval);
        let forms = [properties, expiry, Properties::default()];
        let mut packets =
            forms.into_iter().map(|properties| Packet::Disconnect(Disconnect { code, properties }));
        if let Some(packet) = packets.find(|packet| !self.is_too_large(packet)) {
            self.send(&packet);
        }
    }

    pub(super) fn send(&mut self, packet: &Packet) {
        if self.state == State::Closing {
            return;
        }
        self.note("sending", packet);
        packet.encode(self.config.version, self.outbox.buffer()).expect(
            "our own packets fit: the command line checks the lengths of the user's values",
        );
    }

    /// Sends an acknowledgement and counts it for [`Session::must_stop_reading`].
    pub(super) fn send_answer(&mut self, packet: &Packet) {
        let before = self.outbox.buffer().len();
        self.send(packet);
        let length = self.outbox.buffer().len() - before;
        self.outbox.count_answer(length);
    }

    /// Sends an acknowledgement of success.
    pub(super) fn send_success(&mut self, packet: PacketType, packet_id: PacketId) {
        if self.state == State::Closing {
            return;
        }
        self.note_description("sending", || Ack::describe(packet, packet_id, ReasonCode::SUCCESS));
        let packet = Ack::success_packet(packet, packet_id);
        self.outbox.buffer().extend_from_slice(&packet);
        self.outbox.count_answer(packet.len());
    }

    pub(super) fn send_publish(
        &mut self,
        sent: &SentMessage,
        packet_id: Option<PacketId>,
        dup: bool,
    ) -> Result<(), EncodeError> {
        let head = sent.head();
        if !dup && self.config.sending.topic_aliases == TopicAliasUse::Never {
            return self.write_publish(&head, sent, packet_id);
        }
        let head = Publish { dup, ..head.into_owned() };
        let head = self.alias(&head, sent.length()).unwrap_or(head);
        self.write_publish(&head, sent, packet_id)
    }

    fn write_publish(
        &mut self,
        head: &Publish,
        sent: &SentMessage,
        packet_id: Option<PacketId>,
    ) -> Result<(), EncodeError> {
        if self.config.reports.trace {
            let whole = Publish { packet_id, payload: sent.payload(), ..head.clone() };
            self.note("sending", &Packet::Publish(whole));
        }
        head.encode_header_for(
            packet_id,
            sent.length(),
            self.config.version,
            self.outbox.buffer(),
        )?;
        if sent.is_streamed() {
            self.outbox.begin_stream(sent.length());
        } else {
            self.outbox.push(&sent.payload());
        }
        Ok(())
    }

    /// The message with a topic alias, if aliases are configured and the server accepts another
    /// one.
    fn alias(&mut self, publish: &Publish, length: usize) -> Option<Publish> {
        if self.config.sending.topic_aliases == TopicAliasUse::Never {
            return None;
        }
        let (limits, version) = (&self.limits, self.config.version);
        self.aliases.apply(publish, limits.topic_alias_maximum, |aliased| {
            limits.check(aliased, length, version).is_ok()
        })
    }
}
