//! Messages from the server: whole, in runs, and large ones in parts.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::parts::Ended;
use super::{Config, Delivery, Event, Session, State, Violation, inbound};
use crate::mqtt::packet::{Decoder, Found, PacketType, Part, Publish};
use crate::mqtt::topic::TopicName;

/// One of a run of messages, which lies where it arrived: whoever wants to keep it asks for
/// [its delivery](Shown::delivery).
#[derive(Debug)]
pub struct Shown<'a> {
    delivery: &'a mut Delivery,
    decoder: &'a Decoder,
    found: Found,
}

impl Shown<'_> {
    /// See [`Delivery::number`].
    pub fn number(&self) -> u64 {
        self.delivery.number
    }

    /// What it was published to.
    pub fn topic(&self) -> Option<&TopicName> {
        self.delivery.publish.topic.as_ref()
    }

    /// What was published.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        self.decoder.payload(self.found)
    }

    /// The same, to be kept.
    pub fn delivery(&mut self) -> &Delivery {
        self.delivery.publish.payload = self.decoder.payload_to_keep(self.found);
        self.delivery
    }
}

impl Session {
    /// Shows `take` the messages that come next, one by one, until something else comes or `take`
    /// breaks off: what [`Session::poll`] would say in an event each, at a fraction of the cost.
    /// Whether it broke off.
    pub fn hand_out(
        &mut self,
        mut take: impl FnMut(Shown<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Violation> {
        if self.state != State::Online
            || self.config.trace
            || !self.events.is_empty()
            || self.parts.is_open()
        {
            return Ok(ControlFlow::Continue(()));
        }
        let mut delivery = std::mem::take(&mut self.delivery);
        let mut result = Ok(ControlFlow::Continue(()));
        while matches!(result, Ok(ControlFlow::Continue(())))
            && let Some(found) = self.decoder.find_publish(&mut delivery.publish)
        {
            result = self.accept(&delivery.publish).map(|number| match number {
                Some(number) => {
                    delivery.number = number;
                    take(Shown { delivery: &mut delivery, decoder: &self.decoder, found })
                }
                None => ControlFlow::Continue(()),
            });
            self.decoder.skip(found);
        }
        // Only the topic is of use for the next one.
        delivery.publish.payload = Bytes::new();
        self.delivery = delivery;
        result.map_err(|violation| self.violated(violation))
    }

    /// A PUBLISH from the server: an event, unless it is a QoS 2 message that we already have
    /// (§4.3.3).
    pub(super) fn published(&mut self, mut publish: Publish) -> Result<Option<Event>, Violation> {
        self.resolve_alias(&mut publish)?;
        if self.take_up(&publish, publish.payload.len())? {
            // With other properties it may be no large one any more.
            let piece = self.piece(publish.payload);
            let end = self.ends()?;
            self.events.extend(piece.into_iter().chain(end));
            return Ok(self.events.pop_front());
        }
        let is_torn = !self.is_repeated(&publish) && self.tear();
        let Some(number) = self.accept(&publish)? else { return Ok(None) };
        Ok(Some(self.after_torn(is_torn, Event::Message(Delivery { number, publish }))))
    }

    /// A part of a large message.
    pub(super) fn part(&mut self, part: Part) -> Result<Option<Event>, Violation> {
        match part {
            _ if self.state == State::Closing => Ok(None),
            Part::Packet(_) => Ok(None),
            Part::Begins(publish, length) => self.begins(publish, length),
            Part::Piece(piece) => Ok(self.piece(piece)),
            Part::Ends => self.ends(),
        }
    }

    fn begins(&mut self, mut publish: Publish, length: usize) -> Result<Option<Event>, Violation> {
        self.note_description("received", || publish.describe(length));
        if self.state != State::Online {
            return Err(Violation::Unexpected(PacketType::Publish.name()));
        }
        self.resolve_alias(&mut publish)?;
        if self.take_up(&publish, length)? {
            return Ok(None);
        }
        if self.is_repeated(&publish) {
            // It is answered when it was received.
            self.parts.begin_repeated(publish);
            return Ok(None);
        }
        let is_torn = self.tear();
        let Some(number) = self.accept(&publish)? else { return Ok(None) };
        let delivery = Delivery { number, publish };
        self.parts.begin(delivery.clone(), length);
        Ok(Some(self.after_torn(is_torn, Event::MessageBegins { delivery, length })))
    }

    /// Whether this is a QoS 2 message that was delivered before, as a whole.
    fn is_repeated(&self, publish: &Publish) -> bool {
        self.inbound.has(publish) && !self.parts.is_under(publish.packet_id)
    }

    /// Whether this is the message that was begun on an earlier connection: it goes on where it
    /// was.
    fn take_up(&mut self, publish: &Publish, length: usize) -> Result<bool, Violation> {
        let Some(number) = self.parts.take_up(publish, length) else { return Ok(false) };
        self.inbound.accept_again(number, publish, || receive_maximum(&self.config))?;
        Ok(true)
    }

    /// The message that was begun on an earlier connection, if there is one, does not come again
    /// where it should have. If it still does, it is a new one.
    pub(super) fn tear(&mut self) -> bool {
        let number = self.parts.give_up();
        if let Some(number) = number {
            self.inbound.forget(number);
        }
        number.is_some()
    }

    /// That comes before what has come instead.
    fn after_torn(&mut self, is_torn: bool, event: Event) -> Event {
        if !is_torn {
            return event;
        }
        self.events.push_back(event);
        Event::MessageTorn
    }

    fn piece(&mut self, piece: Bytes) -> Option<Event> {
        let news = self.parts.piece(piece)?;
        self.useful = true;
        Some(Event::Piece(news))
    }

    fn ends(&mut self) -> Result<Option<Event>, Violation> {
        match self.parts.end() {
            Some(Ended::Begun) => Ok(Some(Event::MessageEnds)),
            Some(Ended::Repeated(publish)) => self.accept(&publish).map(|_| None),
            None => Ok(None),
        }
    }

    /// Nobody minds if the rest of the message that has begun never comes; its end is an event all
    /// the same.
    pub fn ignore(&mut self) {
        self.parts.ignore();
    }

    /// Whether a message that somebody minds was handed out in part, and will not come again once
    /// the connection is lost.
    pub fn tears(&self) -> bool {
        self.parts.is_minded() && (self.parts.is_fleeting() || !self.survives())
    }

    fn resolve_alias(&mut self, publish: &mut Publish) -> Result<(), Violation> {
        let announced = &self.config.connect_properties;
        let maximum = announced.topic_alias_maximum().unwrap_or(inbound::TOPIC_ALIAS_MAXIMUM);
        self.inbound.resolve_alias(publish, maximum)
    }

    /// The number of a message, if it is a new one.
    #[inline]
    fn accept(&mut self, publish: &Publish) -> Result<Option<u64>, Violation> {
        self.useful = true;
        match self.inbound.accept(publish, || receive_maximum(&self.config))? {
            inbound::Accepted::New(number) => Ok(Some(number)),
            inbound::Accepted::Pending => Ok(None),
            inbound::Accepted::Settled(packet_id) => {
                self.send_success(PacketType::PubRec, packet_id);
                Ok(None)
            }
        }
    }
}

/// How many messages the server may send before we acknowledge: what we announced.
fn receive_maximum(config: &Config) -> u16 {
    if config.version.has_properties() {
        config.connect_properties.receive_maximum().unwrap_or(inbound::RECEIVE_MAXIMUM)
    } else {
        u16::MAX
    }
}
