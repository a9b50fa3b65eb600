//! Watches the wire of one client and panics at the first packet that should not have been sent:
//! needless or missing retransmission, a wrong DUP, an identifier in use, too many in flight, an
//! early acknowledgement. It sees packets only, never the state of the session.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::broker::number_of;
use crate::mqtt::packet::{Ack, ConnAck, Decoder, Packet, PacketId, Publish};
use crate::mqtt::version::Version;

/// The user of an identifier that is not a message.
const SUBSCRIBE: u32 = u32::MAX;

/// Everything that went over the wire in the life of one client.
pub struct Audit {
    version: Version,
    quota: usize,
    up: Decoder,
    down: Decoder,
    connected: bool,
    clean: bool,
    /// The messages sent on this connection, and the last of them with QoS 1 or 2.
    sent_here: HashSet<u32>,
    latest_here: u32,
    /// The messages that were sent in this session of the server before.
    sent_in_session: HashSet<u32>,
    /// Unfinished exchanges: the message that uses each identifier.
    using: HashMap<PacketId, u32>,
    /// Messages that must never be sent again: their PUBREC or last acknowledgement was received.
    over: HashSet<u32>,
    /// Identifiers sent on this connection whose last acknowledgement was not received.
    outstanding: HashSet<PacketId>,
    /// The PUBRELs of this connection.
    released: HashSet<PacketId>,
    /// The delivery number of the last message received with each identifier.
    numbers: HashMap<PacketId, u64>,
    /// The highest delivery numbers with PUBACK and with PUBREC on this connection.
    acknowledged: [u64; 2],
    /// The broker has lost the session and the client could not see it.
    pub masked: bool,
}

impl Audit {
    pub fn new(version: Version, quota: usize) -> Self {
        Self {
            version,
            quota,
            up: Decoder::new(version, 1 << 20),
            down: Decoder::new(version, 1 << 20),
            connected: false,
            clean: true,
            sent_here: HashSet::new(),
            latest_here: 0,
            sent_in_session: HashSet::new(),
            using: HashMap::new(),
            over: HashSet::new(),
            outstanding: HashSet::new(),
            released: HashSet::new(),
            numbers: HashMap::new(),
            acknowledged: [0; 2],
            masked: false,
        }
    }

    /// Begins a new connection.
    pub fn begin(&mut self) {
        self.up = Decoder::new(self.version, 1 << 20);
        self.down = Decoder::new(self.version, 1 << 20);
        self.connected = false;
        self.sent_here.clear();
        self.latest_here = 0;
        self.using.retain(|_, number| *number != SUBSCRIBE);
        self.outstanding.clear();
        self.released.clear();
        self.acknowledged = [0; 2];
    }

    /// Checks bytes that the client is about to receive.
    pub fn received(&mut self, bytes: Bytes) {
        self.down.feed(bytes);
        while let Some(packet) = self.down.next().expect("the broker sends well-formed packets") {
            match packet {
                Packet::ConnAck(connack) => self.connack(&connack),
                Packet::PubAck(ack) | Packet::PubComp(ack) => self.finished(ack.packet_id),
                Packet::PubRec(ack) if ack.code.is_error() => self.finished(ack.packet_id),
                Packet::PubRec(ack) => {
                    self.released.remove(&ack.packet_id);
                    self.over.extend(self.using.get(&ack.packet_id));
                }
                Packet::SubAck(suback) => self.finished(suback.packet_id),
                _ => {}
            }
        }
    }

    /// Notes the number under which a message was delivered.
    pub fn delivered(&mut self, publish: &Publish, number: u64) {
        if let Some(packet_id) = publish.packet_id {
            self.numbers.insert(packet_id, number);
        }
    }

    /// Checks bytes that the client sends after the caller has finished everything up to `settled`.
    pub fn sent(&mut self, bytes: Bytes, settled: u64) {
        self.up.feed(bytes);
        while let Some(packet) = self.up.next().expect("the client sends well-formed packets") {
            match &packet {
                Packet::Connect(connect) => self.clean = connect.clean_start,
                _ => assert!(self.connected, "nothing is pipelined behind CONNECT: {packet:?}"),
            }
            match packet {
                Packet::Publish(publish) => self.published(&publish),
                Packet::PubRel(ack) => self.pubrel(&ack),
                Packet::PubAck(ack) => self.acknowledged(&ack, 0, settled),
                Packet::PubRec(ack) => self.acknowledged(&ack, 1, settled),
                Packet::Subscribe(subscribe) => {
                    let before = self.using.insert(subscribe.packet_id, SUBSCRIBE);
                    assert_eq!(before, None, "the identifier of SUBSCRIBE was free");
                }
                _ => {}
            }
        }
    }

    /// Whether every identifier is free.
    pub fn is_idle(&self) -> bool {
        self.using.is_empty() && self.outstanding.is_empty()
    }

    fn connack(&mut self, connack: &ConnAck) {
        self.connected = true;
        self.quota = connack.properties.receive_maximum().map_or(self.quota, usize::from);
        // MQTT 3.1 has no Session Present: a session that was not begun anew is taken to exist.
        let present =
            if self.version == Version::V3_1 { !self.clean } else { connack.session_present };
        if !present {
            self.sent_in_session.clear();
            self.using.clear();
        }
    }

    fn finished(&mut self, packet_id: PacketId) {
        self.over.extend(self.using.remove(&packet_id).filter(|number| *number != SUBSCRIBE));
        self.outstanding.remove(&packet_id);
        self.released.remove(&packet_id);
    }

    fn published(&mut self, publish: &Publish) {
        let number = number_of(publish);
        assert!(self.sent_here.insert(number), "message {number} is sent twice on one connection");
        let Some(packet_id) = publish.packet_id else { return };
        assert!(number > self.latest_here, "[MQTT-4.6.0-1] {number} after {}", self.latest_here);
        self.latest_here = number;
        assert!(
            !self.over.contains(&number),
            "message {number} is sent again after its acknowledgement"
        );
        let again = !self.sent_in_session.insert(number);
        assert_eq!(publish.dup, again, "[MQTT-3.3.1-1] DUP of message {number}");
        let user = self.using.insert(packet_id, number).unwrap_or(number);
        assert_eq!(user, number, "[MQTT-2.2.1-3] identifier {packet_id} is in use");
        self.outstanding.insert(packet_id);
        let count = self.outstanding.len();
        assert!(
            count <= self.quota,
            "[MQTT-3.3.4-7] {count} messages in flight, {} allowed",
            self.quota
        );
    }

    fn pubrel(&mut self, ack: &Ack) {
        let number = self.using.get(&ack.packet_id).expect("PUBREL of something unfinished");
        assert!(self.over.contains(number), "PUBREL after PUBREC");
        assert!(self.released.insert(ack.packet_id), "PUBREL once for each PUBREC and connection");
        self.outstanding.insert(ack.packet_id);
    }

    /// `kind`: 0 is PUBACK, 1 is PUBREC.
    fn acknowledged(&mut self, ack: &Ack, kind: usize, settled: u64) {
        let number = self.numbers[&ack.packet_id];
        assert!(
            number <= settled,
            "message {number} is acknowledged, but only {settled} are settled"
        );
        assert!(
            self.masked || number > self.acknowledged[kind],
            "[MQTT-4.6.0-2] acknowledgements in order"
        );
        self.acknowledged[kind] = number;
    }
}
