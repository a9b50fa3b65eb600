//! A front that knows MQTT: it hands packets to a rule instead of frames. Its codec is its own.

use crate::check::front::{Deviation, Do, Seen, frame};

/// Types of packets.
pub const PUBLISH: u8 = 3;
pub const PUBACK: u8 = 4;
pub const PUBREC: u8 = 5;
pub const PUBREL: u8 = 6;
pub const SUBSCRIBE: u8 = 8;
pub const SUBACK: u8 = 9;
pub const UNSUBSCRIBE: u8 = 10;
pub const UNSUBACK: u8 = 11;

/// A packet on its way, and the level of its connection.
pub struct Packet {
    pub level: u8,
    pub bytes: Vec<u8>,
}

/// What becomes of it.
pub enum Out {
    /// These bytes go on.
    Onward(Vec<u8>),
    /// These bytes go to who has sent it.
    Back(Vec<u8>),
}

/// What a rule does with a packet of one side.
type Handler<S> = fn(&mut S, &Packet) -> Vec<Out>;

/// A deviation in what is done with packets, with a state for each connection.
struct Rule<S> {
    level: u8,
    state: S,
    client: Handler<S>,
    server: Handler<S>,
}

/// It goes on as it is.
pub fn pass(packet: &Packet) -> Vec<Out> {
    vec![Out::Onward(packet.bytes.clone())]
}

/// A rule for both sides, with a state.
pub fn rule<S: Default + Send + 'static>(
    client: Handler<S>,
    server: Handler<S>,
) -> Box<dyn Deviation> {
    Box::new(Rule { level: 4, state: S::default(), client, server })
}

/// A rule for what the client sends.
pub fn on_client(client: Handler<()>) -> Box<dyn Deviation> {
    rule(client, |(), packet| pass(packet))
}

/// A rule for what the server sends.
pub fn on_server(server: Handler<()>) -> Box<dyn Deviation> {
    rule(|(), packet| pass(packet), server)
}

impl<S: Send> Deviation for Rule<S> {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.opcode() != 2 {
            return vec![Do::Pass];
        }
        if seen.packet() == Some(1) {
            // Behind the name of the protocol, whose length has two bytes.
            let name = header_length(&seen.payload) + 2;
            self.level = seen.payload[name + usize::from(seen.payload[name - 1])];
        }
        let mut done = Vec::new();
        for bytes in split(&seen.payload) {
            for out in (self.client)(&mut self.state, &Packet { level: self.level, bytes }) {
                done.push(match out {
                    Out::Onward(bytes) => Do::ToServer(frame(0x82, &bytes, true)),
                    Out::Back(bytes) => Do::ToClient(frame(0x82, &bytes, false)),
                });
            }
        }
        done
    }

    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.opcode() != 2 {
            return vec![Do::Pass];
        }
        let mut done = Vec::new();
        for bytes in split(&seen.payload) {
            for out in (self.server)(&mut self.state, &Packet { level: self.level, bytes }) {
                done.push(match out {
                    Out::Onward(bytes) => Do::ToClient(frame(0x82, &bytes, false)),
                    Out::Back(bytes) => Do::ToServer(frame(0x82, &bytes, true)),
                });
            }
        }
        done
    }
}

/// How long the fixed header is.
fn header_length(packet: &[u8]) -> usize {
    2 + packet.iter().skip(1).take_while(|byte| **byte >= 0x80).count()
}

/// The packets of a message; what is none stays together.
fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let header = header_length(bytes).min(bytes.len());
        let length = bytes[1..header].iter().rev();
        let length = length.fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        let is_legal = header <= 5 && header + length <= bytes.len();
        let (packet, rest) = bytes.split_at(if is_legal { header + length } else { bytes.len() });
        packets.push(packet.to_vec());
        bytes = rest;
    }
    packets
}

/// A packet with this first byte.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let (mut bytes, mut length) = (vec![first], body.len());
    while length > 0x7f {
        bytes.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend_from_slice(body);
    bytes
}

impl Packet {
    pub fn kind(&self) -> u8 {
        self.bytes[0] >> 4
    }

    pub fn flags(&self) -> u8 {
        self.bytes[0] & 0xf
    }

    pub fn body(&self) -> &[u8] {
        &self.bytes[header_length(&self.bytes).min(self.bytes.len())..]
    }

    /// The identifier with which the body of all but PUBLISH begins.
    pub fn id(&self) -> [u8; 2] {
        self.body()[..2].try_into().unwrap()
    }

    /// The bytes behind identifier and properties, and where they begin in the body.
    fn behind_properties(&self) -> usize {
        if self.level < 5 { 2 } else { 3 + usize::from(self.body()[2]) }
    }

    /// The codes of SUBACK and UNSUBACK.
    pub fn codes(&self) -> Vec<u8> {
        self.body()[self.behind_properties()..].to_vec()
    }

    /// The same with other codes.
    pub fn with_codes(&self, codes: &[u8]) -> Vec<u8> {
        packet(self.bytes[0], &[&self.body()[..self.behind_properties()], codes].concat())
    }

    /// If it is a PUBLISH that can be read: its parts.
    pub fn publish(&self) -> Option<Publish> {
        if self.kind() != PUBLISH {
            return None;
        }
        let (length, rest) = self.body().split_at_checked(2)?;
        let length = usize::from(u16::from_be_bytes(length.try_into().unwrap()));
        let (topic, rest) = rest.split_at_checked(length)?;
        let has_id = self.flags() & 6 != 0;
        let (id, rest) = rest.split_at_checked(if has_id { 2 } else { 0 })?;
        let properties = if self.level < 5 { 0 } else { 1 + usize::from(*rest.first()?) };
        let (properties, payload) = rest.split_at_checked(properties)?;
        Some(Publish {
            first: self.bytes[0],
            topic: topic.to_vec(),
            id: id.to_vec(),
            properties: properties.to_vec(),
            payload: payload.to_vec(),
        })
    }

    /// If it is a SUBSCRIBE that can be read: its parts.
    pub fn subscribe(&self) -> Option<Subscribe> {
        if self.kind() != SUBSCRIBE || self.body().len() < 3 {
            return None;
        }
        let (head, mut rest) = self.body().split_at_checked(self.behind_properties())?;
        let mut filters = Vec::new();
        while !rest.is_empty() {
            let (length, behind) = rest.split_at_checked(2)?;
            let length = usize::from(u16::from_be_bytes(length.try_into().unwrap()));
            let (filter, behind) = behind.split_at_checked(length)?;
            filters.push((String::from_utf8(filter.to_vec()).ok()?, *behind.first()?));
            rest = &behind[1..];
        }
        let properties = head[2..].to_vec();
        Some(Subscribe { first: self.bytes[0], id: self.id(), properties, filters })
    }

    /// The filters of an UNSUBSCRIBE.
    pub fn unsubscribed(&self) -> Vec<String> {
        let mut filters = Vec::new();
        let mut rest = &self.body()[self.behind_properties()..];
        while !rest.is_empty() {
            let length = usize::from(u16::from_be_bytes(rest[..2].try_into().unwrap()));
            filters.push(String::from_utf8(rest[2..2 + length].to_vec()).unwrap());
            rest = &rest[2 + length..];
        }
        filters
    }
}

/// The parts of a PUBLISH. `properties` has its length byte in MQTT 5 and is empty before.
#[derive(Clone)]
pub struct Publish {
    pub first: u8,
    pub topic: Vec<u8>,
    pub id: Vec<u8>,
    pub properties: Vec<u8>,
    pub payload: Vec<u8>,
}

impl Publish {
    pub fn bytes(&self) -> Vec<u8> {
        let length = u16::try_from(self.topic.len()).unwrap().to_be_bytes();
        let body = [&length[..], &self.topic, &self.id, &self.properties, &self.payload].concat();
        packet(self.first, &body)
    }

    pub fn qos(&self) -> u8 {
        self.first >> 1 & 3
    }

    pub fn is_retained(&self) -> bool {
        self.first & 1 != 0
    }

    pub fn topic(&self) -> &str {
        std::str::from_utf8(&self.topic).unwrap_or("\0")
    }

    /// The same message at QoS 0.
    pub fn copy(&self) -> Vec<u8> {
        Self { first: self.first & 0xf1, id: Vec::new(), ..self.clone() }.bytes()
    }
}

/// The parts of a SUBSCRIBE. `properties` has its length byte in MQTT 5 and is empty before.
#[derive(Clone)]
pub struct Subscribe {
    pub first: u8,
    pub id: [u8; 2],
    pub properties: Vec<u8>,
    pub filters: Vec<(String, u8)>,
}

impl Subscribe {
    pub fn bytes(&self) -> Vec<u8> {
        let mut body = [&self.id[..], &self.properties].concat();
        for (filter, options) in &self.filters {
            body.extend(u16::try_from(filter.len()).unwrap().to_be_bytes());
            body.extend_from_slice(filter.as_bytes());
            body.push(*options);
        }
        packet(self.first, &body)
    }
}
