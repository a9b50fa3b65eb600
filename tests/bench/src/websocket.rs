//! WebSocket frames at memory speed: what comes in is unmasked where it lies and handed to the
//! scanner, what goes out is wrapped in place. It must never know sockets.

use ring::digest;

use crate::mqtt::{Packet, Scanner};

/// FIN and the opcode of a binary frame.
pub const BINARY: u8 = 0x82;
/// FIN and the opcode of Close.
pub const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// The payload of our frames at most, where many packets share one: with its header it fills 64
/// KiB.
pub const FRAME: usize = 64 * 1024 - 8;

/// The longest header: opcode, length of 8 bytes, mask.
const LONGEST_HEADER: usize = 14;

/// A masking key: a fixed one, since nothing between us and loopback can be confused by it.
pub type Mask = [u8; 4];

/// Appends the header of a frame with a payload of `length` bytes.
pub fn put_header(first: u8, length: usize, mask: Option<Mask>, out: &mut Vec<u8>) {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    out.push(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => out.push(masked | short),
        (_, Ok(long)) => {
            out.push(masked | 126);
            out.extend(long.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(mask.into_iter().flatten());
}

/// Masks or unmasks `bytes`, the first of which is byte number `phase` of its frame.
pub fn apply_mask(bytes: &mut [u8], mask: Mask, phase: usize) {
    let mut turned = mask;
    turned.rotate_left(phase % 4);
    let wide: [u8; 32] = std::array::from_fn(|index| turned[index % 4]);
    let mut blocks = bytes.chunks_exact_mut(32);
    for block in &mut blocks {
        for (byte, key) in block.iter_mut().zip(wide) {
            *byte ^= key;
        }
    }
    for (byte, key) in blocks.into_remainder().iter_mut().zip(wide) {
        *byte ^= key;
    }
}

/// The answer to a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
pub fn accept_key(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let value = group.iter().fold(0_usize, |value, &byte| value << 8 | usize::from(byte))
            << (8 * (3 - group.len()));
        for index in 0..4 {
            let digit = DIGITS[value >> (18 - 6 * index) & 63];
            text.push(if index <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// Takes frames apart, cut anywhere.
#[derive(Debug, Default)]
pub struct Deframer {
    /// A header of which not all has come.
    header: Vec<u8>,
    opcode: u8,
    mask: Option<Mask>,
    /// What is left of the payload.
    left: usize,
    phase: usize,
    /// The payload of a control frame.
    control: Vec<u8>,
}

impl Deframer {
    /// Hands the payloads in `bytes` to the scanner; pings and Close come as packets of their own.
    pub fn feed(&mut self, mut bytes: &mut [u8], scanner: &mut Scanner, take: &mut impl FnMut(Packet<'_>)) {
        while !bytes.is_empty() {
            if self.left == 0 {
                let Some(length) = self.begin(bytes) else { return };
                bytes = &mut bytes[length..];
                if self.left > 0 || self.opcode == BINARY & 0x0f {
                    continue;
                }
            }
            let count = self.left.min(bytes.len());
            let (now, later) = bytes.split_at_mut(count);
            bytes = later;
            self.payload(now, scanner, take);
        }
    }

    fn payload(&mut self, mut bytes: &mut [u8], scanner: &mut Scanner, take: &mut impl FnMut(Packet<'_>)) {
        self.left -= bytes.len();
        if let Some(mask) = self.mask {
            // Who sends masked frames sends them to a sink, which does not look at payloads.
            let blind = if self.opcode < 8 { scanner.skip(bytes.len()) } else { 0 };
            self.phase = (self.phase + blind) % 4;
            bytes = &mut bytes[blind..];
            apply_mask(bytes, mask, self.phase);
            self.phase = (self.phase + bytes.len()) % 4;
        }
        if self.opcode < 8 {
            scanner.feed(bytes, take);
            return;
        }
        self.control.extend_from_slice(bytes);
        if self.left == 0 {
            match self.opcode | 0x80 {
                PING => take(Packet::WebSocketPing(&self.control)),
                CLOSE => take(Packet::WebSocketClose),
                _ => {}
            }
            self.control.clear();
        }
    }

    /// Understands a header; its length in `bytes`, or `None` when not all of it has come.
    fn begin(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.header.is_empty()
            && let Some(length) = self.parse(bytes)
        {
            return Some(length);
        }
        let known = self.header.len();
        self.header.extend_from_slice(&bytes[..bytes.len().min(LONGEST_HEADER)]);
        let header = std::mem::take(&mut self.header);
        let length = self.parse(&header);
        if length.is_none() {
            self.header = header;
        }
        length.map(|length| length - known)
    }

    fn parse(&mut self, bytes: &[u8]) -> Option<usize> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (mut length, size) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
            127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
            short => (usize::from(short), 2),
        };
        let mut header = size;
        self.mask = None;
        if second & 0x80 != 0 {
            self.mask = Some(bytes.get(size..size + 4)?.try_into().ok()?);
            header += 4;
        }
        // A continuation frame carries what the frame before it carried.
        self.opcode = if first & 0x0f == 0 { BINARY & 0x0f } else { first & 0x0f };
        std::mem::swap(&mut self.left, &mut length);
        self.phase = 0;
        Some(header)
    }
}

/// A Pong with the payload of its Ping.
pub fn put_pong(payload: &[u8], mask: Option<Mask>, out: &mut Vec<u8>) {
    put_header(PONG, payload.len(), mask, out);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply_mask(&mut out[start..], mask, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt;

    #[test]
    fn the_key_of_the_specification_is_answered_as_it_says() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn frames_are_understood_however_they_are_cut() {
        let mask = Some([1, 2, 3, 4]);
        let mut stream = Vec::new();
        let mut packet = Vec::new();
        mqtt::put_publish("t", 1, 7, 300, &mut packet);
        packet.resize(packet.len() + 300, b'x');
        for piece in packet.chunks(130).chain([&[0xc0, 0][..]]) {
            put_header(BINARY, piece.len(), mask, &mut stream);
            let start = stream.len();
            stream.extend_from_slice(piece);
            apply_mask(&mut stream[start..], [1, 2, 3, 4], 0);
            put_header(PING, 0, mask, &mut stream);
        }
        for cut in 1..stream.len() {
            let (mut deframer, mut scanner) = (Deframer::default(), Scanner::default());
            let (mut publishes, mut pings, mut requests) = (0, 0, 0);
            for piece in stream.clone().chunks_mut(cut) {
                deframer.feed(piece, &mut scanner, &mut |packet| match packet {
                    Packet::Publish { qos: 1, id: 7, size: 300 } => publishes += 1,
                    Packet::WebSocketPing([]) => pings += 1,
                    Packet::Other(0xc0, []) => requests += 1,
                    Packet::Payload(..) => {}
                    other => panic!("{other:?}"),
                });
            }
            assert_eq!((publishes, pings, requests), (1, 4, 1), "cut at {cut}");
        }
    }
}
