//! As much of MQTT as a bare client and a bare server need, without an allocation per packet. It
//! must never know frames or sockets.

/// The topic of every message.
pub const TOPIC: &str = "bench";

/// What a [`Scanner`] finds.
#[derive(Debug)]
pub enum Packet<'a> {
    /// The header of a PUBLISH; its payload follows.
    Publish {
        /// 0, 1 or 2.
        qos: u8,
        /// 0 at QoS 0.
        id: u16,
        /// Of the payload, in bytes (in MQTT 5, properties included).
        size: usize,
    },
    /// A piece of the payload, and whether it is the last.
    Payload(&'a [u8], bool),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP: the first byte and the identifier.
    Ack(u8, u16),
    /// Any other packet: the first byte and the body.
    Other(u8, &'a [u8]),
    /// A WebSocket Ping.
    WebSocketPing(&'a [u8]),
    /// A WebSocket Close.
    WebSocketClose,
}

/// First bytes.
pub const PUBACK: u8 = 0x40;
pub const PUBREC: u8 = 0x50;
pub const PUBREL: u8 = 0x62;
pub const PUBCOMP: u8 = 0x70;
pub const CONNECT: u8 = 0x10;
pub const CONNACK: u8 = 0x20;
pub const SUBSCRIBE: u8 = 0x82;
pub const SUBACK: u8 = 0x90;
pub const PINGREQ: u8 = 0xc0;
pub const PINGRESP: u8 = 0xd0;
pub const DISCONNECT: u8 = 0xe0;

/// Finds packets in a stream that is cut anywhere. Payloads are never gathered.
#[derive(Debug, Default)]
pub struct Scanner {
    partial: Vec<u8>,
    /// What is left of a payload.
    left: usize,
    /// Somebody wants to see payloads.
    pub looks: bool,
}

impl Scanner {
    /// Leaves out as much of the current payload as `available` bytes hold; how much that is.
    pub fn skip(&mut self, available: usize) -> usize {
        let count = if self.looks { 0 } else { self.left.min(available) };
        self.left -= count;
        count
    }

    /// Understands `bytes`.
    pub fn feed(&mut self, mut bytes: &[u8], take: &mut impl FnMut(Packet<'_>)) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let count = self.left.min(bytes.len());
                self.left -= count;
                take(Packet::Payload(&bytes[..count], self.left == 0));
                bytes = &bytes[count..];
            } else if self.partial.is_empty()
                && let Some((packet, length, left)) = parse(bytes)
            {
                take(packet);
                self.left = left;
                bytes = &bytes[length..];
            } else {
                bytes = self.gather(bytes, take);
            }
        }
    }

    /// A header that was cut: taken together from both sides of the cut.
    fn gather<'a>(&mut self, bytes: &'a [u8], take: &mut impl FnMut(Packet<'_>)) -> &'a [u8] {
        let known = self.partial.len();
        let count = bytes.len().min(64);
        self.partial.extend_from_slice(&bytes[..count]);
        let Some((packet, length, left)) = parse(&self.partial) else { return &bytes[count..] };
        take(packet);
        self.left = left;
        self.partial.clear();
        &bytes[length - known..]
    }
}

/// The packet that `bytes` begin with, the length of what was understood, and how much payload
/// follows.
fn parse(bytes: &[u8]) -> Option<(Packet<'_>, usize, usize)> {
    let first = *bytes.first()?;
    let (remaining, start) = remaining_length(bytes)?;
    let body = &bytes[start..];
    if first >> 4 == 3 {
        let topic = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
        let qos = first >> 1 & 3;
        let mut header = 2 + topic;
        let mut id = 0;
        if qos > 0 {
            id = u16::from_be_bytes([*body.get(header)?, *body.get(header + 1)?]);
            header += 2;
        } else if body.len() < header {
            return None;
        }
        let size = remaining.checked_sub(header)?;
        return Some((Packet::Publish { qos, id, size }, start + header, size));
    }
    let body = body.get(..remaining)?;
    let packet = match first {
        PUBACK | PUBREC | PUBREL | PUBCOMP => {
            Packet::Ack(first, u16::from_be_bytes([*body.first()?, *body.get(1)?]))
        }
        _ => Packet::Other(first, body),
    };
    Some((packet, start + remaining, 0))
}

/// The Remaining Length (§2.1.4) and where the body begins.
fn remaining_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (index, &byte) in bytes.get(1..)?.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 2));
        }
    }
    None
}

fn put_length(mut value: usize, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a string.
pub fn put_string(text: &str, out: &mut Vec<u8>) {
    let length = u16::try_from(text.len()).expect("our own strings are short");
    out.extend(length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Appends the header of a PUBLISH of MQTT 3.1.1 with a payload of `size` bytes.
pub fn put_publish(topic: &str, qos: u8, id: u16, size: usize, out: &mut Vec<u8>) {
    out.push(0x30 | qos << 1);
    put_length(2 + topic.len() + if qos > 0 { 2 } else { 0 } + size, out);
    put_string(topic, out);
    if qos > 0 {
        out.extend(id.to_be_bytes());
    }
}

/// Appends the header of a PUBLISH of MQTT 5 without properties.
pub fn put_publish_v5(topic: &str, qos: u8, id: u16, size: usize, out: &mut Vec<u8>) {
    put_publish(topic, qos, id, size + 1, out);
    out.push(0);
}

/// Appends PUBACK, PUBREC, PUBREL or PUBCOMP.
pub fn put_ack(first: u8, id: u16, out: &mut Vec<u8>) {
    let [high, low] = id.to_be_bytes();
    out.extend([first, 2, high, low]);
}

/// Appends a CONNECT of MQTT 3.1.1 with a clean session and no keep alive.
pub fn put_connect(client: &str, out: &mut Vec<u8>) {
    out.push(CONNECT);
    put_length(12 + client.len(), out);
    put_string("MQTT", out);
    out.extend([4, 2, 0, 0]);
    put_string(client, out);
}

/// The filter of a SUBSCRIBE with one, by its body.
pub fn subscribed(body: &[u8], is_v5: bool) -> Option<String> {
    let start = if is_v5 { 3 } else { 2 };
    let length = usize::from(u16::from_be_bytes([*body.get(start)?, *body.get(start + 1)?]));
    String::from_utf8(body.get(start + 2..start + 2 + length)?.to_vec()).ok()
}

/// Appends a SUBSCRIBE of MQTT 3.1.1 to [`TOPIC`].
pub fn put_subscribe(qos: u8, out: &mut Vec<u8>) {
    out.push(SUBSCRIBE);
    put_length(5 + TOPIC.len(), out);
    out.extend([0, 1]);
    put_string(TOPIC, out);
    out.push(qos);
}

/// What a server must know of a CONNECT.
#[derive(Debug, Clone, Copy)]
pub struct Connect {
    /// Whether the packets have properties.
    pub is_v5: bool,
    /// How many QoS 1 and 2 messages the client takes at once.
    pub receive_maximum: u16,
}

impl Connect {
    /// Reads the body of a CONNECT.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let name = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
        let is_v5 = *body.get(2 + name)? == 5;
        let properties = body.get(2 + name + 4..)?;
        let receive_maximum = if is_v5 { receive_maximum(properties).unwrap_or(u16::MAX) } else { u16::MAX };
        Some(Self { is_v5, receive_maximum })
    }
}

/// Walks through the properties of a CONNECT (§3.1.2.11).
fn receive_maximum(bytes: &[u8]) -> Option<u16> {
    // As if a first byte stood before it.
    let (length, start) = remaining_length(&[&[0], &bytes[..bytes.len().min(4)]].concat())?;
    let mut rest = bytes.get(start - 1..start - 1 + length)?;
    let string = |rest: &[u8]| Some(2 + usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])));
    while let Some((&id, value)) = rest.split_first() {
        let length = match id {
            0x21 => return Some(u16::from_be_bytes([*value.first()?, *value.get(1)?])),
            0x11 | 0x27 => 4,
            0x22 => 2,
            0x17 | 0x19 => 1,
            0x26 => string(value)? + string(value.get(string(value)?..)?)?,
            _ => string(value)?,
        };
        rest = value.get(length..)?;
    }
    None
}

/// Appends the SUBACK to the body of a SUBSCRIBE: everything is granted as asked.
pub fn put_suback(body: &[u8], is_v5: bool, out: &mut Vec<u8>) -> Option<()> {
    let mut rest = body.get(2..)?;
    if is_v5 {
        let (length, start) = remaining_length(&[&[0], &rest[..rest.len().min(4)]].concat())?;
        rest = rest.get(start - 1 + length..)?;
    }
    let mut codes = Vec::new();
    while !rest.is_empty() {
        let filter = usize::from(u16::from_be_bytes([rest[0], *rest.get(1)?]));
        codes.push(rest.get(2 + filter)? & 3);
        rest = rest.get(3 + filter..)?;
    }
    out.push(SUBACK);
    put_length(2 + usize::from(is_v5) + codes.len(), out);
    out.extend_from_slice(&body[..2]);
    out.extend(is_v5.then_some(0));
    out.extend(codes);
    Some(())
}
