//! A model broker for one client: sessions, both sides of QoS 1 and 2, retransmission, and the
//! checks of a strict server. It sees packets only, never the state of the client's session.

use std::collections::{HashSet, VecDeque};

use bytes::{Bytes, BytesMut};

use crate::mqtt::packet::{
    Ack, ConnAck, Connect, Decoder, Disconnect, Packet, PacketId, Publish, SubAck,
};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// The settings of the broker.
pub struct Manner {
    pub version: Version,
    /// Announced in MQTT 5, and enforced in every version.
    pub receive_maximum: u16,
    /// How many QoS 1 and 2 messages it sends before their acknowledgements.
    pub window: usize,
    /// Messages whose number is a multiple of this are refused (MQTT 5); 0 refuses none.
    pub refuses: u32,
}

impl Manner {
    pub fn refuses(&self, number: u32) -> bool {
        self.refuses > 0 && self.version.has_properties() && number.is_multiple_of(self.refuses)
    }
}

/// The broker, with the state of its only client.
pub struct Broker {
    pub manner: Manner,
    /// `None` when there is no session.
    pub state: Option<State>,
    /// The messages to the client.
    pub out: BytesMut,
    /// The numbers of the messages that it has passed on, in order.
    pub passed_on: Vec<u32>,
    decoder: Decoder,
    online: bool,
    /// Identifiers of the client's messages that it received on this connection and has not
    /// finished.
    outstanding: HashSet<PacketId>,
}

/// The server's session state (§4.1).
#[derive(Default)]
pub struct State {
    pub subscribed: bool,
    /// The session outlives the connection.
    kept: bool,
    /// QoS 2 messages of the client, between PUBLISH and PUBREL.
    receipts: HashSet<PacketId>,
    latest: u16,
    queue: VecDeque<Publish>,
    flight: VecDeque<Sent>,
}

/// A message to the client between PUBLISH and its last acknowledgement.
struct Sent {
    publish: Publish,
    released: bool,
}

impl Broker {
    pub fn new(manner: Manner) -> Self {
        let decoder = Decoder::new(manner.version, 1 << 20);
        let (out, passed_on) = (BytesMut::new(), Vec::new());
        Self {
            manner,
            state: None,
            out,
            passed_on,
            decoder,
            online: false,
            outstanding: HashSet::new(),
        }
    }

    /// Takes bytes from the client.
    pub fn receive(&mut self, bytes: Bytes) {
        self.decoder.feed(bytes);
        while let Some(packet) = self.decoder.next().expect("the client sends well-formed packets")
        {
            self.handle(packet);
        }
        self.pump();
    }

    /// Ends the connection, and the session unless it outlives the connection.
    pub fn lost(&mut self) {
        self.online = false;
        self.decoder = Decoder::new(self.manner.version, 1 << 20);
        self.out.clear();
        self.outstanding.clear();
        self.state.take_if(|state| !state.kept);
    }

    /// Sends a message to the client. Returns whether there is a subscription for it.
    pub fn offer(&mut self, publish: Publish) -> bool {
        let Some(state) = self.state.as_mut().filter(|state| state.subscribed) else {
            return false;
        };
        state.queue.push_back(publish);
        self.pump();
        true
    }

    /// Whether no message is on its way to the client.
    pub fn is_idle(&self) -> bool {
        self.state.as_ref().is_none_or(|state| state.queue.is_empty() && state.flight.is_empty())
    }

    /// The client's messages that are half received. A client that has forgotten them must not
    /// reuse their identifiers.
    pub fn receipts(&self) -> HashSet<PacketId> {
        self.state.as_ref().map(|state| state.receipts.clone()).unwrap_or_default()
    }

    fn handle(&mut self, packet: Packet) {
        assert!(
            self.online != matches!(packet, Packet::Connect(_)),
            "CONNECT is the first packet: {packet:?}"
        );
        match packet {
            Packet::Connect(connect) => self.connect(&connect),
            Packet::Publish(publish) => self.published(&publish),
            Packet::PubRel(ack) => self.pubrel(&ack),
            Packet::PubAck(ack) => self.puback(&ack),
            Packet::PubRec(ack) => self.pubrec(&ack),
            Packet::PubComp(ack) => self.pubcomp(&ack),
            Packet::Subscribe(subscribe) => {
                self.state().subscribed = true;
                let codes = vec![ReasonCode::GRANTED_QOS_2; subscribe.subscriptions.len()];
                let packet_id = subscribe.packet_id;
                self.send(&Packet::SubAck(SubAck {
                    packet_id,
                    properties: Properties::default(),
                    codes,
                }));
            }
            Packet::PingReq => self.send(&Packet::PingResp),
            Packet::Disconnect(disconnect) => self.disconnected(&disconnect),
            other => panic!("a client never sends {other:?}"),
        }
    }

    fn state(&mut self) -> &mut State {
        self.state.as_mut().expect("there is a session while the client is online")
    }

    fn connect(&mut self, connect: &Connect) {
        self.online = true;
        self.state.take_if(|_| connect.clean_start);
        // MQTT 3.1 has no Session Present.
        let session_present = self.state.is_some() && self.manner.version > Version::V3_1;
        let state = self.state.get_or_insert_default();
        let expiry = connect.properties.session_expiry_interval().unwrap_or(0);
        state.kept =
            if connect.version.has_properties() { expiry > 0 } else { !connect.clean_start };
        let mut properties = Properties::default();
        if connect.version.has_properties() {
            properties.push(Property::number(
                PropertyId::ReceiveMaximum,
                self.manner.receive_maximum.into(),
            ));
        }
        self.send(&Packet::ConnAck(Box::new(ConnAck {
            session_present,
            code: ReasonCode::SUCCESS,
            properties,
        })));
        let again: Vec<_> = self.state().flight.iter().map(Sent::again).collect();
        for packet in &again {
            self.send(packet);
        }
    }

    fn disconnected(&mut self, disconnect: &Disconnect) {
        if disconnect.properties.session_expiry_interval() == Some(0) {
            self.state().kept = false;
        }
        self.lost();
    }

    fn published(&mut self, publish: &Publish) {
        let number = number_of(publish);
        let Some(packet_id) = publish.packet_id else { return self.passed_on.push(number) };
        self.outstanding.insert(packet_id);
        assert!(
            self.outstanding.len() <= usize::from(self.manner.receive_maximum),
            "[MQTT-3.3.4-7] more than {} messages in flight",
            self.manner.receive_maximum
        );
        let refused = self.manner.refuses(number);
        let code = if refused { ReasonCode::NOT_AUTHORIZED } else { ReasonCode::SUCCESS };
        let ack = Ack { code, ..Ack::success(packet_id) };
        let first = publish.qos == QoS::AtLeastOnce || self.state().receipts.insert(packet_id);
        if refused {
            self.state().receipts.remove(&packet_id);
        } else if first {
            self.passed_on.push(number);
        }
        if refused || publish.qos == QoS::AtLeastOnce {
            self.outstanding.remove(&packet_id);
        }
        self.send(&if publish.qos == QoS::AtLeastOnce {
            Packet::PubAck(ack)
        } else {
            Packet::PubRec(ack)
        });
    }

    fn pubrel(&mut self, ack: &Ack) {
        self.outstanding.remove(&ack.packet_id);
        let known = self.state().receipts.remove(&ack.packet_id);
        let unknown = !known && self.manner.version.has_properties();
        let code =
            if unknown { ReasonCode::PACKET_IDENTIFIER_NOT_FOUND } else { ReasonCode::SUCCESS };
        self.send(&Packet::PubComp(Ack { code, ..Ack::success(ack.packet_id) }));
    }

    fn puback(&mut self, ack: &Ack) {
        let sent = self.take(ack.packet_id);
        assert_eq!(sent.publish.qos, QoS::AtLeastOnce, "PUBACK answers QoS 1");
    }

    fn pubrec(&mut self, ack: &Ack) {
        let sent = self
            .state()
            .flight
            .iter_mut()
            .find(|sent| sent.publish.packet_id == Some(ack.packet_id));
        let sent = sent.expect("PUBREC answers a message of this connection");
        assert_eq!(sent.publish.qos, QoS::ExactlyOnce, "PUBREC answers QoS 2");
        sent.released = true;
        self.send(&Packet::PubRel(Ack::success(ack.packet_id)));
    }

    fn pubcomp(&mut self, ack: &Ack) {
        assert!(self.take(ack.packet_id).released, "PUBCOMP answers PUBREL");
    }

    fn take(&mut self, packet_id: PacketId) -> Sent {
        let flight = &mut self.state().flight;
        let position = flight.iter().position(|sent| sent.publish.packet_id == Some(packet_id));
        flight
            .remove(position.expect("an acknowledgement of something in flight"))
            .expect("it was found")
    }

    /// Sends the messages that the window allows. Identifiers are reused soon, to find a client
    /// that confuses them.
    fn pump(&mut self) {
        while self.online
            && let Some(state) = self.state.as_mut()
            && state.flight.len() < self.manner.window
            && let Some(mut publish) = state.queue.pop_front()
        {
            if publish.qos > QoS::AtMostOnce {
                publish.packet_id = Some(state.free_identifier(self.manner.window));
                state.flight.push_back(Sent { publish: publish.clone(), released: false });
            }
            self.send(&Packet::Publish(publish));
        }
    }

    fn send(&mut self, packet: &Packet) {
        packet
            .encode(self.manner.version, &mut self.out)
            .expect("the broker's packets have a wire form");
    }
}

impl State {
    fn free_identifier(&mut self, window: usize) -> PacketId {
        loop {
            self.latest = self.latest % (u16::try_from(window).expect("a small window") + 1) + 1;
            let id = PacketId::new(self.latest).expect("one more than a remainder");
            if !self.flight.iter().any(|sent| sent.publish.packet_id == Some(id)) {
                return id;
            }
        }
    }
}

impl Sent {
    /// Sends the unfinished packets on a new connection `[MQTT-4.4.0-1]`.
    fn again(&self) -> Packet {
        match self.publish.packet_id.filter(|_| self.released) {
            Some(packet_id) => Packet::PubRel(Ack::success(packet_id)),
            None => Packet::Publish(Publish { dup: true, ..self.publish.clone() }),
        }
    }
}

/// The number of a message, with which every payload of the simulation begins.
pub fn number_of(publish: &Publish) -> u32 {
    u32::from_be_bytes(publish.payload[..4].try_into().expect("a payload of at least four bytes"))
}
