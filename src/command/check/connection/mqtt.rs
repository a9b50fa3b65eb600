//! MQTT on one connection: packets in both directions, and how far the session is.

use std::collections::VecDeque;
use std::time::Instant;

use crate::command::check::aliases::Aliases;
use crate::command::check::conduct::Conduct;
use crate::command::check::finding::{End, Verdict};
use crate::command::check::journal::{self, Direction, Journal, ProtocolLayer};
use crate::command::check::packets::{PayloadReader, ReceivedPacket, Spread};
use crate::mqtt::packet::{Ack, Packet, PacketId, PacketType};
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

/// How many packets may wait to be taken, and how many bytes they may have: of a server that sends
/// more than any probe asks for, the older half is dropped.
const MOST_PACKETS: usize = 20_000;
const MOST_BYTES: usize = 40 * 1024 * 1024;

/// Whether messages are acknowledged as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// At once.
    Automatic,
    /// By the probe.
    Held,
}

/// How far the MQTT connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoginState {
    /// CONNACK 0 has not come.
    Outside,
    /// CONNACK 0 has come.
    Welcome,
    /// We have sent DISCONNECT: the server ends the connection in order.
    Left,
}

/// The packets of one connection.
pub struct MqttSide {
    /// The version that is spoken.
    pub version: Version,
    reader: PayloadReader,
    /// What was exchanged, to judge what comes.
    pub conduct: Conduct,
    /// Packets that nobody has taken yet, and those that are malformed.
    pub inbox: VecDeque<ReceivedPacket>,
    /// How many bytes its packets have at most.
    inbox_bytes: usize,
    /// The keep alive that holds, in seconds: ours, or the server's.
    pub keep_alive: u16,
    /// Whether messages are acknowledged as they come.
    pub acks: Acks,
    /// The topic aliases that the server has set.
    pub aliases: Aliases,
    login: LoginState,
    /// When a CONNACK came that refuses.
    pub refused_at: Option<Instant>,
    /// The latest packet identifier that was used.
    latest_id: u16,
}

impl MqttSide {
    /// Nothing was exchanged yet.
    pub fn new(version: Version) -> Self {
        Self {
            version,
            reader: PayloadReader::new(version),
            conduct: Conduct::new(version),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            keep_alive: 0,
            acks: Acks::Automatic,
            aliases: Aliases::default(),
            login: LoginState::Outside,
            refused_at: None,
            latest_id: 0,
        }
    }

    /// From now on packets of this version are exchanged.
    pub fn speak(&mut self, version: Version) {
        self.version = version;
        self.reader = PayloadReader::new(version);
        self.conduct = Conduct::new(version);
    }

    /// Whether CONNACK 0 has come.
    pub fn is_welcome(&self) -> bool {
        self.login != LoginState::Outside
    }

    /// Whether we have sent DISCONNECT.
    pub fn has_left(&self) -> bool {
        self.login == LoginState::Left
    }

    /// The next packet identifier.
    pub fn next_id(&mut self) -> PacketId {
        self.latest_id = self.latest_id.checked_add(1).unwrap_or(1);
        PacketId::new(self.latest_id).unwrap_or(PacketId::MIN)
    }

    /// Takes a piece of a message: the packets that acknowledge what it holds. What the server says
    /// about the end of the connection goes into `end`.
    pub fn take(&mut self, piece: &[u8], end: &mut End, journal: &mut Journal) -> Vec<Packet> {
        let mut answers = Vec::new();
        for received in self.reader.feed(piece) {
            answers.extend(self.receive(received, end, journal));
        }
        answers
    }

    /// Drops the older half of the inbox, if more is in it than any probe asks for.
    fn bound_inbox(&mut self) {
        if self.inbox.len() > MOST_PACKETS || self.inbox_bytes > MOST_BYTES {
            self.inbox.drain(..self.inbox.len() / 2);
            self.inbox_bytes = self.inbox.iter().map(|packet| packet.raw.len()).sum();
        }
    }

    /// The message has ended.
    pub fn end_message(&mut self, journal: &mut Journal) {
        let completed = self.reader.end_message();
        journal.raise("packets_per_message_max", completed);
    }

    fn receive(
        &mut self,
        mut received: ReceivedPacket,
        end: &mut End,
        journal: &mut Journal,
    ) -> Option<Packet> {
        journal.note(Direction::In, ProtocolLayer::Packet, || received.words(), &received.raw);
        note_spread(&received, journal);
        let version = Some(self.version);
        let shown = journal::hex(&received.raw);
        let mut answer = None;
        if let Ok(packet) = &mut received.packet {
            self.aliases.resolve(packet, version, journal);
            for (point, verdict, words) in self.conduct.judge(packet) {
                journal.observe(point, version, verdict, format!("{words} ({shown})"));
            }
            self.note(packet, end);
            answer = acknowledgement(packet).filter(|_| self.acks == Acks::Automatic);
        } else {
            let words = format!("{} ({shown})", received.words());
            journal.observe("packets-wellformed", version, Verdict::Fail, words);
        }
        if self.inbox.is_empty() {
            self.inbox_bytes = 0;
        }
        self.inbox_bytes += received.raw.len();
        self.inbox.push_back(received);
        self.bound_inbox();
        answer
    }

    /// Notes what a packet says about the connection.
    fn note(&mut self, packet: &Packet, end: &mut End) {
        if let Packet::Disconnect(disconnect) = packet {
            end.said = Some((PacketType::Disconnect, disconnect.code));
        }
        let Packet::ConnAck(connack) = packet else { return };
        if connack.code.0 != 0 {
            end.said = Some((PacketType::ConnAck, connack.code));
            self.refused_at.get_or_insert_with(Instant::now);
        } else if self.login == LoginState::Outside {
            self.login = LoginState::Welcome;
        }
    }

    /// The bytes of a packet that is sent now; `None` if it cannot be encoded: probes write such
    /// packets by hand.
    pub fn sent_bytes(&mut self, packet: &Packet, journal: &mut Journal) -> Option<Vec<u8>> {
        if matches!(packet, Packet::Disconnect(_)) {
            self.login = LoginState::Left;
        }
        let mut bytes = bytes::BytesMut::new();
        packet.encode(self.version, &mut bytes).ok()?;
        // A CONNECT may hold a password.
        let is_secret = matches!(packet, Packet::Connect(_));
        let shown = if is_secret { &[][..] } else { &bytes[..] };
        journal.note(Direction::Out, ProtocolLayer::Packet, || packet.describe(), shown);
        self.conduct.sent(packet);
        Some(bytes.to_vec())
    }
}

/// Notes whether a packet came in one message.
fn note_spread(received: &ReceivedPacket, journal: &mut Journal) {
    let (verdict, words) = match received.spread {
        Spread::OneMessage => (Verdict::Pass, String::new()),
        Spread::Messages => (Verdict::Warn, format!("{} in several messages", received.words())),
    };
    journal.observe("packets-aligned", None, verdict, words);
}

/// The packet that acknowledges this one, if there is one.
fn acknowledgement(packet: &Packet) -> Option<Packet> {
    match packet {
        Packet::Publish(publish) => match (publish.qos, publish.packet_id?) {
            (QoS::AtMostOnce, _) => None,
            (QoS::AtLeastOnce, id) => Some(Packet::PubAck(Ack::success(id))),
            (QoS::ExactlyOnce, id) => Some(Packet::PubRec(Ack::success(id))),
        },
        Packet::PubRel(ack) => Some(Packet::PubComp(Ack::success(ack.packet_id))),
        // The probe answers these, or they ask for no answer; and the last four only a client
        // sends, which `conduct` judges.
        Packet::ConnAck(_)
        | Packet::Disconnect(_)
        | Packet::PubAck(_)
        | Packet::PubRec(_)
        | Packet::PubComp(_)
        | Packet::SubAck(_)
        | Packet::UnsubAck(_)
        | Packet::PingResp
        | Packet::Auth(_)
        | Packet::Connect(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_)
        | Packet::PingReq => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds this piece again and again; what is in the inbox then, and in how many bytes.
    fn inbox_after(piece: &[u8], times: usize) -> (usize, usize) {
        let mut side = MqttSide::new(Version::V5);
        let (mut end, mut journal) = (End::default(), Journal::new(0, |_| {}));
        for _ in 0..times {
            side.take(piece, &mut end, &mut journal);
        }
        (side.inbox.len(), side.inbox.iter().map(|packet| packet.raw.len()).sum())
    }

    #[test]
    fn a_flood_of_packets_is_not_kept() {
        let (packets, bytes) = inbox_after(b"\xd0\0", 50_000);
        assert!((MOST_PACKETS / 2..=MOST_PACKETS).contains(&packets), "{packets}");
        assert_eq!(bytes, 2 * packets);
        let mut large = vec![0x30, 0xff, 0xff, 0x3f];
        large.extend([0, 1, b't', 0]);
        large.resize(4 + 0x000f_ffff, b'x');
        let (packets, bytes) = inbox_after(&large, 100);
        assert!(packets > 10 && bytes <= MOST_BYTES, "{packets} packets, {bytes} bytes");
    }
}
