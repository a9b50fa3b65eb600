//! Receives messages: whole ones in a run without an event for each, and large ones in parts.

use std::ops::ControlFlow;

use bytes::Bytes;
use bytestring::ByteString;

use super::inbound::{self, Acceptance, InboundMessages, MessageMark, Quota};
use super::lifetime::SessionEnd;
use super::partial::{CompletedMessage, PartialMessage};
use super::relaying::RelayState;
use super::{Config, Delivery, Deviation, Event, Session, State, Strictness, Violation};
use crate::mqtt::packet::{Decoded, Decoder, FoundPublish, PacketType, Publish};
use crate::mqtt::property::PropertyId;
use crate::mqtt::topic::TopicName;

/// Which messages are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intake {
    All,
    /// Those that the caller has had before; the server will send the others again.
    Repeated,
    /// The same until the connection has ended, and those that the server would not send again.
    RepeatedForNow,
}

/// The receiving half of a session.
#[derive(Debug)]
pub struct Receiver {
    pub(super) decoder: Decoder,
    pub(super) inbound: InboundMessages,
    partial: PartialMessage,
    intake: Intake,
    /// What a session that relays knows beside.
    pub(super) relaying: RelayState,
    /// The last message that [`Session::for_each_publish`] has passed on. Its topic is reused if
    /// the next message has the same.
    latest: Delivery,
}

impl Receiver {
    /// A receiver before its first connection.
    pub fn new(config: &Config) -> Self {
        Self {
            decoder: decoder(config),
            inbound: InboundMessages::default(),
            partial: PartialMessage::default(),
            intake: Intake::All,
            relaying: RelayState::default(),
            latest: Delivery::default(),
        }
    }

    /// Begins a new connection: everything that the old one left in the decoder is discarded.
    pub fn connecting(&mut self, config: &Config) {
        self.decoder = decoder(config);
        self.partial.connection_lost();
    }

    /// The connection is lost.
    pub fn connection_lost(&mut self, config: &Config) {
        self.connecting(config);
        self.inbound.connection_lost();
        if self.intake == Intake::RepeatedForNow {
            self.intake = Intake::All;
        }
    }

    /// Handles CONNACK. Returns whether the message that was begun is cut, because the server will
    /// not send it again.
    pub fn resume(&mut self, session_present: bool, unsure: bool) -> bool {
        self.inbound.resume(session_present, unsure);
        (!session_present || self.partial.is_at_most_once()) && self.cut()
    }

    /// Whether this is a QoS 2 message that was delivered before, completely.
    fn is_repeated(&self, publish: &Publish) -> bool {
        self.inbound.has(publish) && !self.partial.is_under(publish.packet_id)
    }

    /// Whether this message is left to the next connection.
    fn is_left(&self, publish: &Publish) -> bool {
        match self.intake {
            Intake::All => false,
            Intake::Repeated => !self.inbound.has(publish),
            Intake::RepeatedForNow => publish.packet_id.is_some() && !self.inbound.has(publish),
        }
    }

    /// Gives up the message that was begun on an earlier connection, if there is one, because the
    /// server did not send it again when it should have. If it still arrives, it is a new message.
    fn cut(&mut self) -> bool {
        let number = self.partial.give_up();
        if let Some(number) = number {
            self.inbound.forget(number);
        }
        number.is_some()
    }
}

/// The decoder of a new connection.
fn decoder(config: &Config) -> Decoder {
    let decoder = Decoder::new(config.version, config.receiving.maximum_packet);
    match config.receiving.parts_above {
        Some(size) => decoder.in_parts_above(size),
        None => decoder,
    }
}

/// A message in the receive buffer. To keep it, use [`Received::delivery`].
#[derive(Debug)]
pub struct Received<'a> {
    delivery: &'a mut Delivery,
    decoder: &'a Decoder,
    found: FoundPublish,
}

impl Received<'_> {
    /// The number of the message, see [`Delivery::number`].
    pub fn number(&self) -> u64 {
        self.delivery.number
    }

    /// The topic, which is always present.
    pub fn topic(&self) -> Option<&TopicName> {
        self.delivery.publish.topic.as_ref()
    }

    /// The message without its payload.
    pub fn head(&self) -> &Publish {
        &self.delivery.publish
    }

    /// The payload.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        self.decoder.payload(self.found)
    }

    /// The message with a payload that keeps its bytes alive.
    pub fn delivery(&mut self) -> &Delivery {
        self.delivery.publish.payload = self.decoder.payload_bytes(self.found);
        self.delivery
    }
}

impl Session {
    /// Whether the next message must become an event.
    #[inline(always)]
    fn needs_events(&self) -> bool {
        self.state != State::Online
            || self.config.reports.trace
            || self.is_relaying()
            || self.reports.has_event()
            || self.receiver.partial.is_open()
            || self.receiver.intake != Intake::All
    }

    /// Calls `take` for each message that is next, until the next packet is not a message or `take`
    /// breaks. Returns whether it broke. The effect is that of the events of [`Session::poll`],
    /// without the cost of an event for each message.
    pub fn for_each_publish(
        &mut self,
        mut take: impl FnMut(Received<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Violation> {
        if self.needs_events() {
            return Ok(ControlFlow::Continue(()));
        }
        let mut delivery = std::mem::take(&mut self.receiver.latest);
        let mut result = Ok(ControlFlow::Continue(()));
        while matches!(result, Ok(ControlFlow::Continue(())))
            && let Some(found) = self.receiver.decoder.find_publish(&mut delivery.publish)
        {
            let payload = self.receiver.decoder.payload(found);
            let mark = MessageMark::new(&delivery.publish, payload);
            result = self.accept(&delivery.publish, mark).map(|number| match number {
                Some(number) => {
                    delivery.number = number;
                    let decoder = &self.receiver.decoder;
                    take(Received { delivery: &mut delivery, decoder, found })
                }
                None => ControlFlow::Continue(()),
            });
            self.receiver.decoder.skip(found);
        }
        // Only the topic is reused for the next message.
        delivery.publish.payload = Bytes::new();
        self.receiver.latest = delivery;
        result.map_err(|violation| self.violated(violation))
    }

    /// Handles a PUBLISH from the server. Returns an event, unless it is a QoS 2 message that was
    /// delivered before (§4.3.3).
    pub(super) fn published(&mut self, mut publish: Publish) -> Result<Option<Event>, Violation> {
        self.resolve_properties(&mut publish)?;
        if self.receiver.is_left(&publish) {
            return Ok(None);
        }
        if self.resume_partial(&publish, publish.payload.len())? {
            // It was begun as a large message; with other properties it may be small now.
            let piece = self.piece(publish.payload);
            let end = self.complete()?;
            piece.into_iter().chain(end).for_each(|event| self.reports.push(event));
            return Ok(self.reports.next_event());
        }
        let is_cut = !self.receiver.is_repeated(&publish) && self.receiver.cut();
        let Some(number) = self.accept(&publish, MessageMark::new(&publish, &publish.payload))?
        else {
            return Ok(None);
        };
        Ok(Some(self.after_cut(is_cut, Event::Message(Delivery { number, publish }))))
    }

    /// Handles a part of a large message.
    pub(super) fn part(&mut self, part: Decoded) -> Result<Option<Event>, Violation> {
        match part {
            _ if self.state == State::Closing => Ok(None),
            Decoded::Packet(_) => Ok(None),
            Decoded::PublishBegins(publish, length) => self.begin_partial(publish, length),
            Decoded::PayloadPiece(piece) => Ok(self.piece(piece)),
            Decoded::PublishEnds => self.complete(),
        }
    }

    fn begin_partial(
        &mut self,
        mut publish: Publish,
        length: usize,
    ) -> Result<Option<Event>, Violation> {
        self.note_description("received", || publish.describe(length));
        if self.state != State::Online {
            return Err(Violation::Unexpected(PacketType::Publish.name()));
        }
        self.resolve_properties(&mut publish)?;
        if self.receiver.is_left(&publish) {
            return Ok(None);
        }
        if self.resume_partial(&publish, length)? {
            return Ok(None);
        }
        if self.receiver.is_repeated(&publish) {
            // It is answered when it is complete.
            self.receiver.partial.begin_repeated(publish);
            return Ok(None);
        }
        let is_cut = self.receiver.cut();
        let Some(number) = self.accept(&publish, MessageMark::new(&publish, &publish.payload))?
        else {
            return Ok(None);
        };
        let delivery = Delivery { number, publish };
        self.receiver.partial.begin(delivery.clone(), length);
        Ok(Some(self.after_cut(is_cut, Event::MessageBegins { delivery, length })))
    }

    /// Whether `publish` is the message that was begun on an earlier connection. It then continues
    /// where it was cut.
    fn resume_partial(&mut self, publish: &Publish, length: usize) -> Result<bool, Violation> {
        let Some(number) = self.receiver.partial.resume(publish, length) else {
            return Ok(false);
        };
        let quota = || quota(&self.config);
        self.receiver.inbound.accept_again(number, publish, quota)?;
        Ok(true)
    }

    /// Returns the event of a new message, after the event of a message that was cut.
    fn after_cut(&mut self, is_cut: bool, event: Event) -> Event {
        if !is_cut {
            return event;
        }
        self.reports.push(event);
        Event::MessageCut
    }

    fn piece(&mut self, piece: Bytes) -> Option<Event> {
        let new = self.receiver.partial.piece(piece)?;
        self.reports.set_useful();
        Some(Event::Piece(new))
    }

    fn complete(&mut self) -> Result<Option<Event>, Violation> {
        match self.receiver.partial.end() {
            Some(CompletedMessage::Begun) => Ok(Some(Event::MessageEnds)),
            Some(CompletedMessage::Repeated(publish)) => {
                self.accept(&publish, MessageMark::new(&publish, &publish.payload)).map(|_| None)
            }
            None => Ok(None),
        }
    }

    /// Takes no new message any more: the server sends those that come now again in its next
    /// connection. What was delivered is still finished; [`Event::AllReleased`] says when.
    pub fn stop_taking(&mut self) {
        self.receiver.intake = Intake::Repeated;
    }

    /// The same for what remains of this connection, if the server keeps the session.
    pub fn stop_taking_for_renewal(&mut self) {
        if self.end() != SessionEnd::Connection && self.receiver.intake == Intake::All {
            self.receiver.intake = Intake::RepeatedForNow;
        }
    }

    /// Whether nothing is under way that the end of this connection would repeat or lose, although
    /// the server keeps the session: no message of ours without its last acknowledgement, none of
    /// the server's that we have not acknowledged, and no SUBSCRIBE without its answer.
    pub fn is_quiet(&self) -> bool {
        let is_done_with =
            self.receiver.inbound.is_acknowledged() && !self.receiver.partial.is_open();
        self.in_flight() == 0
            && !self.has_pending_subscribe()
            && !self.is_streaming()
            && !self.has_event()
            && (is_done_with || self.end() == SessionEnd::Connection)
    }

    /// How many QoS 2 messages are acknowledged by PUBREC, or will be, and wait for their PUBREL,
    /// in a session that the next run takes up: without it the server would send them again.
    pub fn unreleased(&self) -> usize {
        if self.end() == SessionEnd::Never { self.receiver.inbound.unreleased() } else { 0 }
    }

    /// The event of the last PUBREL, once no new message is taken.
    pub(super) fn released(&mut self) -> Option<Event> {
        let is_last = self.receiver.intake == Intake::Repeated && self.unreleased() == 0;
        is_last.then_some(Event::AllReleased)
    }

    /// Ignores the rest of the large message that has begun. Its end is still an event.
    pub fn ignore_rest(&mut self) {
        self.receiver.partial.ignore();
    }

    /// Whether the loss of the connection would cut a message that was reported in part and not
    /// ignored, because the server would not send it again.
    pub fn loss_cuts_message(&self) -> bool {
        let survives = self.config.lifetime.survives_connection(self.config.version);
        let partial = &self.receiver.partial;
        partial.is_needed() && (partial.is_at_most_once() || !survives)
    }

    /// Completes the properties of a message: the topic of an alias takes its place, and a response
    /// topic to which nobody could publish is removed.
    pub(super) fn resolve_properties(&mut self, publish: &mut Publish) -> Result<(), Violation> {
        let is_topic_name = |topic: &ByteString| TopicName::new(topic.clone()).is_ok();
        if !publish.properties.response_topic().is_none_or(is_topic_name) {
            self.take_deviation(Deviation::ResponseTopic)?;
            publish.properties.remove(PropertyId::ResponseTopic);
        }
        let announced = &self.config.properties.connect;
        let maximum = announced.topic_alias_maximum().unwrap_or(0);
        self.receiver.inbound.resolve_alias(publish, maximum)
    }

    /// The number of a message, or `None` if it was delivered before.
    #[inline(always)]
    fn accept(&mut self, publish: &Publish, mark: MessageMark) -> Result<Option<u64>, Violation> {
        self.reports.set_useful();
        let acceptance = self.receiver.inbound.accept(publish, mark, || quota(&self.config))?;
        if let Some(deviation) = self.receiver.inbound.take_deviation() {
            self.take_deviation(deviation)?;
        }
        match acceptance {
            Acceptance::New(number) => Ok(Some(number)),
            Acceptance::Pending => Ok(None),
            Acceptance::Acknowledged(packet_id) => {
                self.send_success(PacketType::PubRec, packet_id);
                Ok(None)
            }
        }
    }
}

/// How many messages the server may send before it gets an acknowledgement. Before MQTT 5 only the
/// packet identifiers are a limit.
fn quota(config: &Config) -> Quota {
    if !config.version.has_properties() {
        return Quota { announced: usize::from(u16::MAX), taken: usize::from(u16::MAX) };
    }
    let announced = config.properties.connect.receive_maximum().unwrap_or(inbound::RECEIVE_MAXIMUM);
    let announced = usize::from(announced);
    let taken = match config.receiving.strictness {
        Strictness::Strict => announced,
        Strictness::Tolerant => 2 * announced,
    };
    Quota { announced, taken }
}
