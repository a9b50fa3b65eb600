//! What a server may send and when, judged by what we have sent on the connection: nothing before
//! CONNACK, answers to what is in flight, messages to what is subscribed to.

use super::finding::Verdict;
use crate::mqtt::packet::{ConnAck, Connect, Packet, PacketId, PacketType, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;

/// Something that a packet shows: the observed point, its verdict, and it in words.
pub type Remark = (&'static str, Verdict, String);

/// The observed points that are judged here.
const WELL_FORMED: &str = "packets-wellformed";
const SESSION_PRESENT: &str = "session-present-clean";
const REFUSAL: &str = "refusal-then-close";

/// Whether CONNACK has come, and what it says of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answered {
    /// It has not come.
    No,
    /// The session is new.
    NewSession,
    /// The server has a session from before, with subscriptions and identifiers of its own.
    OldSession,
}

/// What was exchanged on a connection, as far as it matters.
#[derive(Debug)]
pub struct Conduct {
    version: Version,
    /// Bytes were sent that are not known as packets: what they cause is not judged.
    is_blind: bool,
    /// Our CONNECT.
    connect: Option<Box<Connect>>,
    answered: Answered,
    /// The answers that are due, with their identifiers.
    due: Vec<(PacketType, PacketId)>,
    pings: usize,
    /// All filters that were ever subscribed to: what was sent before an UNSUBSCRIBE may come late.
    filters: Vec<TopicFilter>,
}

impl Conduct {
    /// Nothing was exchanged yet.
    pub fn new(version: Version) -> Self {
        Self {
            version,
            is_blind: false,
            connect: None,
            answered: Answered::No,
            due: Vec::new(),
            pings: 0,
            filters: Vec::new(),
        }
    }

    /// Bytes were sent that may be anything.
    pub fn lose_sight(&mut self) {
        self.is_blind = true;
    }

    /// We have sent this.
    pub fn sent(&mut self, packet: &Packet) {
        match packet {
            Packet::Connect(connect) => self.connect = Some(connect.clone()),
            Packet::Subscribe(subscribe) => {
                let filters = subscribe.subscriptions.iter();
                self.filters.extend(filters.map(|subscription| subscription.filter.clone()));
            }
            Packet::PingReq => self.pings += 1,
            // What the others ask for is noted below; the last four only a server sends.
            Packet::Publish(_)
            | Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::Unsubscribe(_)
            | Packet::Disconnect(_)
            | Packet::Auth(_)
            | Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => {}
        }
        self.due.extend(answer_due(packet));
    }

    /// The server has sent this: what is to be remarked about it.
    pub fn judge(&mut self, packet: &Packet) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let words = self.fault(packet);
        if let Packet::ConnAck(connack) = packet {
            self.judge_session(connack, &mut remarks);
        }
        if let Some(words) = words {
            remarks.push((WELL_FORMED, Verdict::Fail, words));
        } else if let Some(code) = self.unknown_code(packet) {
            let words = format!("{} with the unknown code 0x{:02x}", packet.packet_type(), code.0);
            remarks.push((WELL_FORMED, Verdict::Warn, words));
        } else {
            remarks.push((WELL_FORMED, Verdict::Pass, String::new()));
        }
        remarks
    }

    /// Session present: 0 in a refusal and after a clean start (§3.2.2.1.1). In MQTT 3.1 it has no
    /// meaning.
    fn judge_session(&mut self, connack: &ConnAck, remarks: &mut Vec<Remark>) {
        let is_clean = self.connect.as_ref().is_some_and(|connect| connect.clean_start);
        let can_tell = self.version > Version::V3_1;
        let is_present = connack.session_present && can_tell;
        let is_old = is_present || !can_tell && !is_clean;
        let session = if is_old { Answered::OldSession } else { Answered::NewSession };
        self.answered = self.answered.max(session);
        if connack.code != ReasonCode::SUCCESS {
            if is_present {
                let words = format!("CONNACK 0x{:02x} with session present 1", connack.code.0);
                remarks.push((REFUSAL, Verdict::Fail, words));
            }
            return;
        }
        if is_clean && can_tell {
            let verdict = if is_present { Verdict::Fail } else { Verdict::Pass };
            let words = "CONNACK 0 with session present 1 after a clean start".to_owned();
            remarks.push((SESSION_PRESENT, verdict, words));
        }
    }

    /// What must not be sent, or not now.
    fn fault(&mut self, packet: &Packet) -> Option<String> {
        let name = packet.packet_type();
        match packet {
            Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq => Some(format!("{name}, which only clients send")),
            Packet::Disconnect(_) if self.version < Version::V5 => {
                Some(format!("{name}, which only clients send before MQTT 5"))
            }
            Packet::Auth(_) => (!self.has_method())
                .then(|| format!("{name}, and no Authentication Method was sent")),
            // `[MQTT-3.2.0-1]`, `[MQTT-3.2.0-2]`
            Packet::ConnAck(_) if self.answered > Answered::No => Some(format!("a second {name}")),
            Packet::ConnAck(connack) => self.unasked(connack),
            _ if self.answered == Answered::No => Some(format!("{name} before CONNACK")),
            Packet::Publish(publish) => self.stranger(publish),
            Packet::PingResp => self.pong_fault(),
            Packet::PubAck(ack)
            | Packet::PubRec(ack)
            | Packet::PubRel(ack)
            | Packet::PubComp(ack) => self.settle(name, ack.packet_id),
            Packet::SubAck(ack) => self.settle(name, ack.packet_id),
            Packet::UnsubAck(ack) => self.settle(name, ack.packet_id),
            Packet::Disconnect(_) => None,
        }
    }

    /// Whether CONNECT names an Authentication Method.
    fn has_method(&self) -> bool {
        let connect = self.connect.as_ref();
        connect.is_some_and(|connect| connect.properties.authentication_method().is_some())
    }

    /// What a CONNACK may hold only if CONNECT asked for it (§3.2.2.3).
    fn unasked(&self, connack: &ConnAck) -> Option<String> {
        let requested = &self.connect.as_ref()?.properties;
        let properties = &connack.properties;
        if properties.authentication_method().is_some() && !self.has_method() {
            return Some("CONNACK with an Authentication Method that was not sent".to_owned());
        }
        let is_asked = requested.request_response_information() == Some(true);
        if properties.response_information().is_some() && !is_asked {
            return Some("CONNACK with Response Information that was not asked for".to_owned());
        }
        None
    }

    /// A message that belongs to none of our filters, or with a topic alias that we do not take
    /// `[MQTT-3.1.2-26]`.
    fn stranger(&self, publish: &Publish) -> Option<String> {
        let maximum = self
            .connect
            .as_ref()
            .map_or(u16::MAX, |connect| connect.properties.topic_alias_maximum().unwrap_or(0));
        if let Some(alias) = publish.properties.topic_alias().filter(|alias| *alias > maximum) {
            return Some(format!("PUBLISH with the topic alias {alias}, above our {maximum}"));
        }
        let topic = publish.topic.as_ref()?;
        // Whether a wildcard may match them is a point of its own.
        let is_special = topic.as_str().starts_with('$');
        let is_known = is_special || self.filters.iter().any(|filter| filter.matches(topic));
        (!is_known && !self.is_blind && self.answered != Answered::OldSession)
            .then(|| format!("PUBLISH to {}, which we have not subscribed to", topic.as_str()))
    }

    fn pong_fault(&mut self) -> Option<String> {
        if self.pings == 0 && !self.is_blind {
            return Some("PINGRESP, and no PINGREQ was sent".to_owned());
        }
        self.pings = self.pings.saturating_sub(1);
        None
    }

    /// An acknowledgement names an identifier that is in flight `[MQTT-2.2.1-5]`
    /// `[MQTT-2.2.1-6]`. What is released in a session may be from an earlier connection.
    fn settle(&mut self, packet: PacketType, id: PacketId) -> Option<String> {
        if let Some(at) = self.due.iter().position(|due| *due == (packet, id)) {
            self.due.swap_remove(at);
            return None;
        }
        let may_be_older = self.answered == Answered::OldSession && packet == PacketType::PubRel;
        (!self.is_blind && !may_be_older)
            .then(|| format!("{packet} for the identifier {id}, which is not in flight"))
    }

    /// The code of this packet, if the packet does not have it (MQTT 5 §3; 3.1.1 §3.2.2.3,
    /// §3.9.3).
    fn unknown_code(&self, packet: &Packet) -> Option<ReasonCode> {
        let known = known_codes(packet.packet_type(), self.version);
        let unknown = |code: &&ReasonCode| !known.contains(&code.0);
        match packet {
            Packet::ConnAck(connack) => [connack.code].iter().find(unknown).copied(),
            Packet::PubAck(ack)
            | Packet::PubRec(ack)
            | Packet::PubRel(ack)
            | Packet::PubComp(ack) => [ack.code].iter().find(unknown).copied(),
            Packet::SubAck(suback) => suback.codes.iter().find(unknown).copied(),
            Packet::UnsubAck(unsuback) => unsuback.codes.iter().find(unknown).copied(),
            Packet::Disconnect(disconnect) => [disconnect.code].iter().find(unknown).copied(),
            Packet::Auth(auth) => [auth.code].iter().find(unknown).copied(),
            // They have none.
            Packet::Connect(_)
            | Packet::Publish(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::PingResp => None,
        }
    }
}

/// The answer that this packet asks the server for, with its identifier.
fn answer_due(packet: &Packet) -> Option<(PacketType, PacketId)> {
    match packet {
        Packet::Publish(publish) if publish.qos == QoS::AtLeastOnce => {
            Some((PacketType::PubAck, publish.packet_id?))
        }
        Packet::Publish(publish) => Some((PacketType::PubRec, publish.packet_id?)),
        Packet::PubRec(ack) if ack.code.is_error() => None,
        Packet::PubRec(ack) => Some((PacketType::PubRel, ack.packet_id)),
        Packet::PubRel(ack) => Some((PacketType::PubComp, ack.packet_id)),
        Packet::Subscribe(subscribe) => Some((PacketType::SubAck, subscribe.packet_id)),
        Packet::Unsubscribe(unsubscribe) => Some((PacketType::UnsubAck, unsubscribe.packet_id)),
        // These have no identifier or ask for no answer that must come, and the last four only a
        // server sends.
        Packet::Connect(_)
        | Packet::PingReq
        | Packet::PubAck(_)
        | Packet::PubComp(_)
        | Packet::Disconnect(_)
        | Packet::Auth(_)
        | Packet::ConnAck(_)
        | Packet::SubAck(_)
        | Packet::UnsubAck(_)
        | Packet::PingResp => None,
    }
}

/// The codes that a server may send in this packet.
fn known_codes(packet: PacketType, version: Version) -> &'static [u8] {
    match (packet, version) {
        // The older form comes in answer to MQTT 5, too.
        (PacketType::ConnAck, Version::V5) => &[
            0, 1, 2, 3, 4, 5, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a,
            0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
        ],
        (PacketType::ConnAck, _) => &[0, 1, 2, 3, 4, 5],
        (PacketType::PubAck | PacketType::PubRec, _) => {
            &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
        }
        (PacketType::PubRel | PacketType::PubComp, _) => &[0, 0x92],
        (PacketType::SubAck, Version::V5) => {
            &[0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]
        }
        (PacketType::SubAck, _) => &[0, 1, 2, 0x80],
        (PacketType::UnsubAck, _) => &[0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
        (PacketType::Auth, _) => &[0, 0x18, 0x19],
        _ => &[
            0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94,
            0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::check::packets;

    /// What was sent and what came, as bytes: the remarks about the latter.
    fn remarks(version: Version, sent: &[&[u8]], came: &[&[u8]]) -> Vec<Remark> {
        let mut conduct = Conduct::new(version);
        for bytes in sent {
            conduct.sent(packets::read(bytes, version).0[0].packet.as_ref().unwrap());
        }
        let mut remarks = Vec::new();
        for bytes in came {
            let received = packets::read(bytes, version).0.remove(0);
            remarks.extend(conduct.judge(&received.packet.unwrap()));
        }
        remarks.retain(|(_, verdict, _)| *verdict != Verdict::Pass);
        remarks
    }

    const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c";
    const SUBSCRIBE: &[u8] = b"\x82\x08\0\x01\0\x03a/+\x01";
    const CONNACK: &[u8] = b"\x20\x02\0\0";

    #[test]
    fn an_orderly_server_gives_no_cause() {
        let sent = [CONNECT, SUBSCRIBE, b"\xc0\0", b"\x32\x06\0\x02xy\0\x02"];
        let came =
            [CONNACK, b"\x90\x03\0\x01\x01", b"\x30\x06\0\x03a/bx", b"\xd0\0", b"\x40\x02\0\x02"];
        assert_eq!(remarks(Version::V3_1_1, &sent, &came), []);
    }

    #[test]
    fn each_fault_can_tell() {
        for (came, words) in [
            (&[&b"\xd0\0"[..]][..], "PINGRESP before CONNACK"),
            (&[CONNACK, CONNACK], "a second CONNACK"),
            (&[CONNACK, b"\xd0\0"], "PINGRESP, and no PINGREQ was sent"),
            (
                &[CONNACK, b"\x90\x03\0\x02\0"],
                "SUBACK for the identifier 2, which is not in flight",
            ),
            (&[CONNACK, b"\x30\x05\0\x02abx"], "PUBLISH to ab, which we have not subscribed to"),
            (&[CONNACK, b"\xc0\0"], "PINGREQ, which only clients send"),
            (&[CONNACK, b"\xe0\0"], "DISCONNECT, which only clients send before MQTT 5"),
        ] {
            let expected = ("packets-wellformed", Verdict::Fail, words.to_owned());
            assert_eq!(remarks(Version::V3_1_1, &[CONNECT, SUBSCRIBE], came), [expected]);
        }
        let found = remarks(Version::V3_1_1, &[CONNECT], &[b"\x20\x02\0\x07"]);
        let words = "CONNACK with the unknown code 0x07".to_owned();
        assert_eq!(found, [(WELL_FORMED, Verdict::Warn, words)]);
        let found = remarks(Version::V3_1_1, &[CONNECT], &[b"\x20\x02\x01\0"]);
        assert_eq!(found[0].0, SESSION_PRESENT);
        // MQTT 3.1 does not tell whether there is a session.
        let connect = b"\x10\x0f\0\x06MQIsdp\x03\0\0\x3c\0\x01c";
        let came = [&b"\x20\x02\x01\0"[..], b"\x30\x05\0\x02abx"];
        assert_eq!(remarks(Version::V3_1, &[connect], &came), []);
    }

    #[test]
    fn what_mqtt5_must_be_asked_for() {
        let connect = b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01c";
        for (came, words) in [
            (
                &[&b"\x20\x06\0\0\x03\x1a\0\0"[..]][..],
                "CONNACK with Response Information that was not asked for",
            ),
            (
                &[b"\x20\x07\0\0\x04\x15\0\x01x"],
                "CONNACK with an Authentication Method that was not sent",
            ),
            (
                &[b"\x20\x03\0\0\0", b"\x30\x07\0\x01a\x03\x23\0\x01"],
                "PUBLISH with the topic alias 1, above our 0",
            ),
            (&[b"\x20\x03\0\0\0", b"\xf0\0"], "AUTH, and no Authentication Method was sent"),
        ] {
            let found = remarks(Version::V5, &[connect], came);
            assert_eq!(found, [(WELL_FORMED, Verdict::Fail, words.to_owned())]);
        }
    }

    #[test]
    fn what_is_not_known_is_not_judged() {
        let mut conduct = Conduct::new(Version::V3_1_1);
        conduct.lose_sight();
        for bytes in [CONNACK, b"\x90\x03\0\x02\0", b"\x30\x05\0\x02abx", b"\xd0\0"] {
            let received = packets::read(bytes, Version::V3_1_1).0.remove(0);
            let remarks = conduct.judge(&received.packet.unwrap());
            assert!(remarks.iter().all(|remark| remark.1 == Verdict::Pass), "{remarks:?}");
        }
    }
}
