//! Deviations in single MQTT packets: a front that takes messages apart and puts them together
//! again.

use crate::check::front::{Deviation, Do, Seen, frame};

/// The types of packets that the deviations look at.
pub const CONNECT: u8 = 1;
pub const CONNACK: u8 = 2;
pub const PUBLISH: u8 = 3;
pub const PUBACK: u8 = 4;
pub const PUBREC: u8 = 5;
pub const PUBREL: u8 = 6;
pub const UNSUBACK: u8 = 11;
pub const PINGREQ: u8 = 12;
pub const DISCONNECT: u8 = 14;

/// What a front remembers of a connection.
#[derive(Default)]
pub struct Memory {
    /// Bytes that a deviation kept.
    pub kept: Vec<u8>,
    /// Something has happened.
    pub happened: bool,
    /// Bytes that go back to whom they came from.
    pub back: Vec<u8>,
    /// The connection ends.
    pub ends: bool,
}

/// Gives the bytes that go on instead of a packet: none drop it.
pub type Change = fn(&mut Memory, &[u8]) -> Vec<u8>;

/// Changes packets of the client and of the server.
pub struct Rewrite {
    client: Change,
    server: Change,
    memory: Memory,
}

/// Everything goes on as it is.
pub fn unchanged(_: &mut Memory, packet: &[u8]) -> Vec<u8> {
    packet.to_vec()
}

/// A deviation in what the client sends.
pub fn client(change: Change) -> Box<dyn Deviation> {
    both(change, unchanged)
}

/// A deviation in what the server sends.
pub fn server(change: Change) -> Box<dyn Deviation> {
    both(unchanged, change)
}

/// A deviation in both.
pub fn both(client: Change, server: Change) -> Box<dyn Deviation> {
    Box::new(Rewrite { client, server, memory: Memory::default() })
}

/// The packets of a message; what is none stays as it is.
fn packets(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let (at, length) = header(bytes);
        let (packet, rest) = bytes.split_at((at + length).min(bytes.len()));
        packets.push(packet);
        bytes = rest;
    }
    packets
}

/// Where the body of this packet begins, and its length.
fn header(packet: &[u8]) -> (usize, usize) {
    let (mut length, mut at) = (0, 1);
    for shift in [0, 7, 14, 21] {
        let Some(byte) = packet.get(at) else { break };
        at += 1;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (at, length)
}

/// The body of a packet, to be changed without changing its length.
pub fn body(packet: &[u8]) -> usize {
    header(packet).0
}

/// The place of the flags in a CONNECT.
pub fn connect_flags(packet: &[u8]) -> usize {
    let at = body(packet);
    let name = usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    at + 2 + name + 1
}

/// Whether this packet is of this type.
pub fn is(packet: &[u8], packet_type: u8) -> bool {
    packet[0] >> 4 == packet_type
}

/// Whether these bytes are in the packet.
pub fn holds(packet: &[u8], bytes: &[u8]) -> bool {
    packet.windows(bytes.len()).any(|window| window == bytes)
}

/// The packet with these bytes instead of those, which are as many.
pub fn replaced(packet: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut packet = packet.to_vec();
    if let Some(at) = packet.windows(from.len()).position(|window| window == from) {
        packet[at..at + to.len()].copy_from_slice(to);
    }
    packet
}

/// The packet with this property more (MQTT 5); its properties begin at this place of the body, and
/// it stays below 128 bytes.
pub fn with_property(packet: &[u8], at: usize, property: &[u8]) -> Vec<u8> {
    let at = body(packet) + at;
    let length = u8::try_from(property.len()).unwrap();
    let mut packet = packet.to_vec();
    assert!(packet[1] + length < 0x80, "a length in one byte");
    packet[1] += length;
    packet[at] += length;
    let rest = packet.split_off(at + 1);
    [&packet, property, &rest].concat()
}

/// The length of the topic of a PUBLISH, with the two bytes before it.
pub fn topic_field(packet: &[u8]) -> usize {
    let at = body(packet);
    2 + usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]))
}

impl Rewrite {
    fn frame(&mut self, seen: &Seen, is_client: bool) -> Vec<Do> {
        if seen.first != 0x82 {
            return vec![Do::Pass];
        }
        let change = if is_client { self.client } else { self.server };
        let memory = &mut self.memory;
        let on = packets(&seen.payload).into_iter().flat_map(|packet| change(memory, packet));
        let on: Vec<u8> = on.collect();
        let back = std::mem::take(&mut self.memory.back);
        let mut done = Vec::new();
        if on == seen.payload {
            done.push(Do::Pass);
        } else if !on.is_empty() {
            let bytes = frame(0x82, &on, is_client);
            done.push(if is_client { Do::ToServer(bytes) } else { Do::ToClient(bytes) });
        }
        if !back.is_empty() {
            let bytes = frame(0x82, &back, !is_client);
            done.push(if is_client { Do::ToClient(bytes) } else { Do::ToServer(bytes) });
        }
        if self.memory.ends {
            done.push(Do::End);
        }
        done
    }
}

impl Deviation for Rewrite {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        self.frame(seen, true)
    }

    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        self.frame(seen, false)
    }
}
