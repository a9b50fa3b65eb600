//! MQTT in the bench's words: SUB, PUB, FENCE, MARK.

use std::time::Duration;

use bytes::Bytes;

use super::{Bench, Conn, StepResult, Stop};
use crate::command::check::connection::Link;
use crate::command::check::finding::{Finding, Verdict};
use crate::command::check::journal::{Direction, ProtocolLayer};
use crate::command::check::packets::{self, ReceivedPacket};
use crate::command::check::wire::Frame;
use crate::mqtt::packet::{
    Ack, Packet, PacketId, Publish, SubAck, Subscribe, Subscription, Unsubscribe,
};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::{TopicFilter, TopicName};

/// What a marker holds.
const MARK: &[u8] = b"mqttws-mark";

/// Whether this is a PINGRESP.
pub fn is_pingresp(received: &ReceivedPacket) -> bool {
    received.packet == Ok(Packet::PingResp)
}

impl Bench {
    /// Sends a packet as one binary message.
    pub fn send(&mut self, conn: Conn, packet: &Packet) {
        let (link, journal) = self.both(conn);
        link.send_packet(packet, journal);
    }

    /// Sends these bytes as one binary message: packets, or what is none.
    pub fn send_bytes(&mut self, conn: Conn, bytes: &[u8]) {
        let (link, journal) = self.both(conn);
        let (sent, is_whole) = packets::read(bytes, link.mqtt.version);
        let words = packets::words(&sent, bytes.len());
        if !is_whole {
            link.mqtt.conduct.lose_sight();
        }
        for packet in sent.iter().filter_map(|sent| sent.packet.as_ref().ok()) {
            link.mqtt.conduct.sent(packet);
        }
        let is_connect = bytes.first().is_some_and(|first| first >> 4 == 1);
        // A CONNECT may hold a password.
        let shown = if is_connect { &[] } else { bytes };
        journal.note(Direction::Out, ProtocolLayer::Packet, || words, shown);
        let frame = link.websocket.frame_bytes(&Frame::binary(bytes));
        link.write(&frame, journal);
    }

    /// Sends a frame, legal or not.
    pub fn send_frame(&mut self, conn: Conn, frame: &Frame) {
        let (link, journal) = self.both(conn);
        link.send(frame, journal);
    }

    /// Writes bytes on the stream as they are: frames cut or glued.
    pub fn write(&mut self, conn: Conn, bytes: &[u8]) {
        let (link, journal) = self.both(conn);
        journal.note(
            Direction::Out,
            ProtocolLayer::Tcp,
            || format!("{} bytes", bytes.len()),
            bytes,
        );
        link.mqtt.conduct.lose_sight();
        link.write(bytes, journal);
    }

    /// The bytes of a packet in the version of this connection.
    pub fn encoded(&mut self, conn: Conn, packet: &Packet) -> Vec<u8> {
        let mut bytes = bytes::BytesMut::new();
        // A probe that wants what cannot be encoded writes it by hand.
        let _ = packet.encode(self.link(conn).mqtt.version, &mut bytes);
        bytes.to_vec()
    }

    /// Takes the first packet that `wanted` wants; the others stay for later.
    pub fn take<T>(
        &mut self,
        conn: Conn,
        awaited: &str,
        wanted: impl Fn(&Packet) -> Option<T>,
    ) -> StepResult<T> {
        let patience = self.patience();
        self.take_within(conn, awaited, patience, wanted)
    }

    /// The same, within this time.
    pub fn take_within<T>(
        &mut self,
        conn: Conn,
        awaited: &str,
        time: Duration,
        wanted: impl Fn(&Packet) -> Option<T>,
    ) -> StepResult<T> {
        self.wait(conn, awaited, time, |link| taken(link, &wanted))
    }

    /// SUBSCRIBE to one filter, and the SUBACK for it. A refusal means that the point cannot be
    /// decided, and so does a server that serves on without SUBACK: suback-each judges that.
    pub fn subscribe(&mut self, conn: Conn, filter: &str, qos: QoS) -> StepResult<SubAck> {
        let filter = TopicFilter::new(filter).expect("filters of probes are legal");
        let suback = self.subscribe_with(conn, vec![Subscription::new(filter, qos)], None)?;
        match suback.codes.iter().find(|code| code.is_error()) {
            Some(code) => Err(Stop::Forbidden(format!("SUBACK 0x{:02x}", code.0))),
            None => Ok(suback),
        }
    }

    /// SUBSCRIBE as given, and its SUBACK whatever it says.
    pub fn subscribe_with(
        &mut self,
        conn: Conn,
        subscriptions: Vec<Subscription>,
        properties: Option<Properties>,
    ) -> StepResult<SubAck> {
        let id = self.send_subscribe(conn, subscriptions, properties.unwrap_or_default());
        let suback = self.suback(conn, id);
        suback.map_err(|stop| self.unanswered(conn, stop, AwaitedAnswer::Subscribe(id)))
    }

    /// The SUBACK with this identifier.
    pub fn suback(&mut self, conn: Conn, id: PacketId) -> StepResult<SubAck> {
        self.take(conn, "SUBACK", |packet| match packet {
            Packet::SubAck(suback) if suback.packet_id == id => Some(suback.clone()),
            _ => None,
        })
    }

    /// Sends SUBSCRIBE without waiting.
    pub fn send_subscribe(
        &mut self,
        conn: Conn,
        subscriptions: Vec<Subscription>,
        properties: Properties,
    ) -> PacketId {
        let packet_id = self.link(conn).mqtt.next_id();
        self.send(conn, &Packet::Subscribe(Subscribe { packet_id, properties, subscriptions }));
        packet_id
    }

    /// UNSUBSCRIBE, and the codes of its UNSUBACK: none before MQTT 5.
    pub fn unsubscribe(&mut self, conn: Conn, filters: &[&str]) -> StepResult<Vec<ReasonCode>> {
        let packet_id = self.send_unsubscribe(conn, filters);
        self.take(conn, "UNSUBACK", |packet| match packet {
            Packet::UnsubAck(unsuback) if unsuback.packet_id == packet_id => {
                Some(unsuback.codes.clone())
            }
            _ => None,
        })
    }

    /// UNSUBSCRIBE for points that do not judge the answer: any will do, and also none.
    pub fn let_go(&mut self, conn: Conn, filter: &str) -> StepResult<()> {
        self.send_unsubscribe(conn, &[filter]);
        let answer = |packet: &Packet| matches!(packet, Packet::UnsubAck(_)).then_some(());
        match self.take(conn, "UNSUBACK", answer) {
            Err(Stop::Silent { .. }) => Ok(()),
            result => result,
        }
    }

    /// Sends UNSUBSCRIBE without waiting.
    pub fn send_unsubscribe(&mut self, conn: Conn, filters: &[&str]) -> PacketId {
        let packet_id = self.link(conn).mqtt.next_id();
        let filters = filters.iter().copied();
        let filters =
            filters.map(|text| TopicFilter::new(text).expect("filters of probes are legal"));
        let (filters, properties) = (filters.collect(), Properties::default());
        self.send(conn, &Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters }));
        packet_id
    }

    /// A message to publish.
    pub fn message(topic: &str, qos: QoS, payload: impl Into<Bytes>) -> Publish {
        let topic = TopicName::new(topic).expect("topics of probes are legal");
        Publish { qos, ..Publish::new(topic, payload.into()) }
    }

    /// Sends PUBLISH without waiting; above QoS 0 with a new identifier, which is returned.
    pub fn send_publish(&mut self, conn: Conn, mut publish: Publish) -> Option<PacketId> {
        if publish.qos > QoS::AtMostOnce {
            publish.packet_id = Some(self.link(conn).mqtt.next_id());
        }
        if publish.retain && !publish.payload.is_empty() {
            self.leftovers.add_retained(publish.topic_or_empty());
        }
        let packet_id = publish.packet_id;
        self.send(conn, &Packet::Publish(publish));
        packet_id
    }

    /// PUB: sends PUBLISH and waits for PUBACK, or for PUBREC and PUBCOMP. A refusal means that
    /// the point cannot be decided, and so does a server that serves on without acknowledging:
    /// the round trips judge that.
    pub fn publish(&mut self, conn: Conn, publish: Publish) -> StepResult<()> {
        let qos = publish.qos;
        let Some(id) = self.send_publish(conn, publish) else { return Ok(()) };
        let acknowledged = self.acknowledged(conn, id, qos);
        acknowledged.map_err(|stop| self.unanswered(conn, stop, AwaitedAnswer::Publish(id)))
    }

    /// Waits until a PUBLISH is acknowledged: by PUBACK, or by PUBREC and PUBCOMP.
    pub fn acknowledged(&mut self, conn: Conn, id: PacketId, qos: QoS) -> StepResult<()> {
        let first = if qos == QoS::AtLeastOnce { "PUBACK" } else { "PUBREC" };
        let (code, came) = self.take(conn, first, |packet| match packet {
            Packet::PubAck(ack) if ack.packet_id == id => Some((ack.code, "PUBACK")),
            Packet::PubRec(ack) if ack.packet_id == id => Some((ack.code, "PUBREC")),
            _ => None,
        })?;
        if code.is_error() {
            return Err(Stop::Forbidden(format!("{first} 0x{:02x}", code.0)));
        }
        if came != first {
            let words = format!("{came} instead of {first}: see qos1-round-trip, qos2-round-trip");
            return Err(Finding::unknown(words).into());
        }
        if qos == QoS::ExactlyOnce {
            self.send(conn, &Packet::PubRel(Ack::success(id)));
            self.take(conn, "PUBCOMP", |packet| match packet {
                Packet::PubComp(ack) if ack.packet_id == id => Some(()),
                _ => None,
            })?;
        }
        Ok(())
    }

    /// What a missing answer means for a point that only builds on it. Where a PINGREQ after the
    /// request is answered, the network is not the reason, and the point of the answer is judged by
    /// that at the end.
    fn unanswered(&mut self, conn: Conn, stop: Stop, what: AwaitedAnswer) -> Stop {
        let Stop::Silent { awaited, after } = &stop else { return stop };
        if self.fence(conn).is_err() {
            return stop;
        }
        let point = what.judged_by(awaited);
        let link = self.link(conn);
        let version = link.mqtt.version;
        let mut received = link.mqtt.inbox.iter().filter_map(|one| one.packet.as_ref().ok());
        if !received.any(|packet| what.is_answer(packet)) {
            let words = format!("no {awaited} came, though a PINGREQ after it was answered");
            self.journal.observe(point, Some(version), Verdict::Fail, words);
        }
        let words = format!(
            "no {awaited} within {:.1} s, though PINGREQ is answered: see {point}",
            after.as_secs_f64()
        );
        Finding::unknown(words).into()
    }

    /// The highest QoS up to this one that the server has not announced as absent.
    pub fn usable(&self, wanted: QoS) -> QoS {
        let maximum = self.announced("maximum_qos").and_then(|bits| u8::try_from(bits).ok());
        maximum.and_then(QoS::from_bits).map_or(wanted, |maximum| wanted.min(maximum))
    }

    /// The point does not apply where the server has announced that it does without this.
    pub fn requires(&self, fact: &str, what: &str) -> StepResult<()> {
        match self.announced(fact) {
            Some(0) => Err(Finding::not_applicable(format!("announced as absent: {what}")).into()),
            _ => Ok(()),
        }
    }

    /// The next message to this topic.
    pub fn delivery(&mut self, conn: Conn, topic: &str) -> StepResult<Publish> {
        self.take(conn, "delivery", |packet| match packet {
            Packet::Publish(publish) if publish.topic_or_empty() == topic => Some(publish.clone()),
            _ => None,
        })
    }

    /// MARK: publishes a marker to this topic at this QoS, and gives the messages that came to it
    /// before. What has not come before the mark will not come.
    pub fn mark(&mut self, conn: Conn, topic: &str, qos: QoS) -> StepResult<Vec<Publish>> {
        self.mark_from(conn, conn, topic, qos)
    }

    /// The same, published by another connection.
    pub fn mark_from(
        &mut self,
        publisher: Conn,
        subscriber: Conn,
        topic: &str,
        qos: QoS,
    ) -> StepResult<Vec<Publish>> {
        self.publish(publisher, Self::message(topic, qos, MARK))?;
        let mut before = Vec::new();
        loop {
            let delivery = self.delivery(subscriber, topic);
            let publish = delivery
                .map_err(|stop| self.unanswered(subscriber, stop, AwaitedAnswer::Delivery(qos)))?;
            if publish.payload == MARK {
                return Ok(before);
            }
            before.push(publish);
        }
    }

    /// Writes PINGREQ.
    pub fn send_fence(&mut self, conn: Conn) {
        self.send(conn, &Packet::PingReq);
    }

    /// FENCE: PINGREQ, and PINGRESP. Everything before was read, and we are still served.
    pub fn fence(&mut self, conn: Conn) -> StepResult<()> {
        self.send_fence(conn);
        self.take(conn, "PINGRESP", |packet| (*packet == Packet::PingResp).then_some(()))
    }

    /// Removes the retained message of this topic.
    pub fn clear_retained(&mut self, conn: Conn, topic: &str) -> StepResult<()> {
        let empty = Self::message(topic, QoS::AtLeastOnce, Bytes::new());
        self.publish(conn, Publish { retain: true, ..empty })
    }
}

/// What an answer is awaited to.
#[derive(Debug, Clone, Copy)]
enum AwaitedAnswer {
    /// A SUBSCRIBE with this identifier.
    Subscribe(PacketId),
    /// A PUBLISH with this identifier.
    Publish(PacketId),
    /// A message of this QoS to a subscriber.
    Delivery(QoS),
}

impl AwaitedAnswer {
    /// The point that a missing answer counts against.
    fn judged_by(self, awaited: &str) -> &'static str {
        match (self, awaited) {
            (Self::Subscribe(_), _) => "suback-each",
            (Self::Publish(_), "PUBACK") | (Self::Delivery(QoS::AtLeastOnce), _) => {
                "qos1-round-trip"
            }
            (Self::Delivery(QoS::AtMostOnce), _) => "qos0-round-trip",
            (Self::Publish(_) | Self::Delivery(QoS::ExactlyOnce), _) => "qos2-round-trip",
        }
    }

    /// Whether this packet is the answer, which came late.
    fn is_answer(self, packet: &Packet) -> bool {
        match (self, packet) {
            (Self::Subscribe(id), Packet::SubAck(suback)) => suback.packet_id == id,
            (
                Self::Publish(id),
                Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack),
            ) => ack.packet_id == id,
            (Self::Delivery(_), Packet::Publish(publish)) => publish.payload == MARK,
            _ => false,
        }
    }
}

/// Takes the first packet of the inbox that `wanted` wants.
fn taken<T>(link: &mut Link, wanted: impl Fn(&Packet) -> Option<T>) -> Option<T> {
    let found = |received: &ReceivedPacket| received.packet.as_ref().ok().and_then(&wanted);
    let (at, value) = link
        .mqtt
        .inbox
        .iter()
        .enumerate()
        .find_map(|(at, received)| Some((at, found(received)?)))?;
    link.mqtt.inbox.remove(at);
    Some(value)
}
