//! One connection of ours, on either side: a stream, its framing, and the packets that go through
//! it.

use std::io::{Read, Write};

use crate::Failure;
use crate::mqtt::{Packet, Scanner};
use crate::stream::Stream;
use crate::websocket::{self, BINARY, CLOSE, Deframer, FRAME, Mask};

/// How much is read at once, in bytes.
const BUFFER: usize = 256 * 1024;

/// The masking key of clients.
pub const MASK: Mask = [0x37, 0xfa, 0x21, 0x3d];

/// What packets are wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Nothing: MQTT over TCP.
    Raw,
    /// WebSocket frames, masked by clients.
    Frames(Option<Mask>),
}

/// See the module.
pub struct Link {
    stream: Stream,
    framing: Framing,
    deframer: Deframer,
    scanner: Scanner,
    buffer: Vec<u8>,
    /// Packets to be sent.
    out: Vec<u8>,
    framed: Vec<u8>,
    closing: bool,
}

impl Link {
    /// A server's end: answers the upgrade if there is one; on TCP the first bytes are MQTT.
    pub fn accepted(mut stream: Stream) -> Result<(Self, Vec<u8>), Failure> {
        let mut first = vec![0; BUFFER];
        let count = stream.read(&mut first)?;
        first.truncate(count);
        if !first.starts_with(b"GET ") {
            return Ok((Self::new(stream, Framing::Raw), first));
        }
        let rest = read_head(&mut stream, &mut first)?;
        let head = String::from_utf8_lossy(&first).into_owned();
        let key = header(&head, "sec-websocket-key").ok_or("an upgrade without a key")?;
        let accept = websocket::accept_key(key);
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n"
        );
        if let Some(offered) = header(&head, "sec-websocket-protocol") {
            let first = offered.split(',').next().unwrap_or(offered).trim();
            answer.extend(["Sec-WebSocket-Protocol: ", first, "\r\n"]);
        }
        answer.push_str("\r\n");
        stream.write_all(answer.as_bytes())?;
        stream.flush()?;
        Ok((Self::new(stream, Framing::Frames(None)), rest))
    }

    /// A client's end: asks for the upgrade, unless it is MQTT over TCP.
    pub fn connected(mut stream: Stream, framing: Framing, host: &str) -> Result<Self, Failure> {
        if framing != Framing::Raw {
            let request = format!(
                "GET /mqtt HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Protocol: mqtt\r\n\r\n"
            );
            stream.write_all(request.as_bytes())?;
            stream.flush()?;
            let mut head = Vec::new();
            let rest = read_head(&mut stream, &mut head)?;
            if !head.starts_with(b"HTTP/1.1 101") || !rest.is_empty() {
                return Err(format!("the upgrade failed: {}", String::from_utf8_lossy(&head)).into());
            }
        }
        Ok(Self::new(stream, framing))
    }

    fn new(stream: Stream, framing: Framing) -> Self {
        Self {
            stream,
            framing,
            deframer: Deframer::default(),
            scanner: Scanner::default(),
            buffer: Vec::new(),
            out: Vec::new(),
            framed: Vec::new(),
            closing: false,
        }
    }

    /// What packets are wrapped in.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Waits for bytes and understands them; `take` may append packets to be sent. False at the
    /// end.
    pub fn read(&mut self, take: &mut impl FnMut(Packet<'_>, &mut Vec<u8>)) -> Result<bool, Failure> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(BUFFER, 0);
        let count = self.stream.read(&mut buffer)?;
        self.understand(&mut buffer[..count], take);
        self.buffer = buffer;
        Ok(count > 0 && !self.closing)
    }

    /// Understands bytes that were read elsewhere.
    pub fn understand(&mut self, bytes: &mut [u8], take: &mut impl FnMut(Packet<'_>, &mut Vec<u8>)) {
        let Self { framing, deframer, scanner, out, framed, closing, .. } = self;
        let mut sort = |packet: Packet<'_>| match packet {
            Packet::WebSocketClose => *closing = true,
            Packet::WebSocketPing(payload) => {
                let Framing::Frames(mask) = *framing else { return };
                websocket::put_pong(payload, mask, framed);
            }
            packet => take(packet, out),
        };
        match framing {
            Framing::Raw => scanner.feed(bytes, &mut sort),
            Framing::Frames(_) => deframer.feed(bytes, scanner, &mut sort),
        }
    }

    /// From now on payloads are unmasked and shown.
    pub fn look(&mut self) {
        self.scanner.looks = true;
    }

    /// Where packets to be sent are written.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Sends the gathered packets, many to a frame, in one write.
    pub fn send(&mut self) -> Result<(), Failure> {
        match self.framing {
            Framing::Raw => self.framed.append(&mut self.out),
            Framing::Frames(mask) => {
                for piece in self.out.chunks(FRAME) {
                    put_frame(piece, mask, &mut self.framed);
                }
                self.out.clear();
            }
        }
        if !self.framed.is_empty() {
            self.stream.write_all(&self.framed)?;
            self.stream.flush()?;
            self.framed.clear();
        }
        Ok(())
    }

    /// Writes bytes that are framed already.
    pub fn write(&mut self, framed: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(framed)?;
        Ok(self.stream.flush()?)
    }

    /// Says goodbye and waits for the other side to end, too.
    pub fn close(mut self) -> Result<(), Failure> {
        self.send()?;
        if let Framing::Frames(mask) = self.framing {
            let mut close = Vec::new();
            websocket::put_header(CLOSE, 0, mask, &mut close);
            // Who has left already needs no goodbye.
            let _ = self.write(&close);
        }
        self.stream.finish();
        while self.read(&mut |_, _| {})? {}
        Ok(())
    }
}

/// Appends a whole frame.
pub fn put_frame(payload: &[u8], mask: Option<Mask>, out: &mut Vec<u8>) {
    websocket::put_header(BINARY, payload.len(), mask, out);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        websocket::apply_mask(&mut out[start..], mask, 0);
    }
}

/// Reads on to the empty line; what lies behind it is returned.
fn read_head(stream: &mut Stream, head: &mut Vec<u8>) -> Result<Vec<u8>, Failure> {
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(head.split_off(end + 4));
        }
        let count = stream.read(&mut piece)?;
        if count == 0 || head.len() > 64 * 1024 {
            return Err("the connection ended in the upgrade".into());
        }
        head.extend_from_slice(&piece[..count]);
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
