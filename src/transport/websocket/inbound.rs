//! Frames as they arrive. Binary frames, which all but a few are, are taken apart here, fragments
//! of messages among them: their payloads are joined, so that a burst of small frames is one piece
//! of bytes (MQTT does not care where frames and messages end, `[MQTT-6.0.0-2]`), and no message
//! without end is kept. Every other frame goes to tungstenite, one at a time and as it is: it
//! judges it.
//!
//! tungstenite alone takes about 100 ns a frame, two thirds of what a small message costs
//! (tests/bench, `sub-64-one`).

use std::io::{self, BufRead, ErrorKind, Read, Write};

use bytes::{Bytes, BytesMut};

use super::WebSocketError;
use super::frame_log::FrameLog;
use super::header::Header;
use crate::transport::stream::Stream;

/// FIN and "binary", no reserved bits.
const WHOLE_BINARY: u8 = 0x82;

/// The opcode of a frame that goes on with a message (RFC 6455 §11.8).
const CONTINUATION: u8 = 0x0;

/// The opcode of text.
const TEXT: u8 = 0x1;

/// The opcode of binary data.
const BINARY: u8 = 0x2;

/// The first opcode of control frames (RFC 6455 §11.8).
const CLOSE: u8 = 0x8;

/// How many bytes are joined at most, and how large a piece of memory is asked for.
const BLOCK: usize = 64 * 1024;

/// How much is remembered of what the server said first.
const SAID: usize = 32;

/// How much is remembered of the payload of a foreign frame: the code of a Close frame (RFC 6455
/// §5.5.1).
const FIRST: usize = 2;

/// What [`Inbound::gather`] found.
#[derive(Debug)]
pub enum Gathered {
    /// Payloads, never empty.
    Bytes(Bytes),
    /// A frame that breaks the protocol.
    Refused(WebSocketError),
    /// Something for tungstenite: part of a frame, or the end of the stream.
    Foreign,
    /// Nothing more has arrived.
    Nothing,
}

/// The frame that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Current {
    /// Its header has not come whole.
    Beginning,
    /// A binary frame; so many bytes of its payload are still to come.
    Plain(u64),
    /// A frame for tungstenite, likewise.
    Foreign(u64),
}

/// See the module.
#[derive(Debug)]
pub struct Inbound {
    /// Longer messages are refused.
    max_message: u64,
    current: Current,
    /// The beginning of a header, or the header of a foreign frame until tungstenite has it.
    header: Vec<u8>,
    /// Between the first and the last fragment of a message: its length so far.
    fragmented: Option<u64>,
    /// What is wrong with the current frame; nothing is read after it.
    fault: Option<WebSocketError>,
    /// What the server said first, as far as it came at once.
    said: Vec<u8>,
    /// A binary frame has come: the server does speak WebSocket.
    understood: bool,
    /// A Close frame has come: tungstenite ignores what follows.
    closed: bool,
    /// The payloads that were joined and not yet taken.
    block: BytesMut,
    /// The first bytes of the payload of the latest foreign frame.
    first: Vec<u8>,
    /// The end of the stream, or why it cannot be read; tungstenite is told.
    end: Option<io::Result<()>>,
}

impl Inbound {
    /// Takes frames of at most `max_message` bytes.
    pub fn new(max_message: usize) -> Self {
        Self {
            max_message: max_message as u64,
            current: Current::Beginning,
            header: Vec::new(),
            fragmented: None,
            fault: None,
            said: Vec::new(),
            understood: false,
            closed: false,
            block: BytesMut::new(),
            first: Vec::new(),
            end: None,
        }
    }

    /// One that leaves every frame to tungstenite.
    #[cfg(test)]
    pub fn that_leaves_all() -> Self {
        Self { closed: true, ..Self::new(0) }
    }

    /// Joins what has arrived, as far as the frames are binary ones; the last may be cut.
    pub fn gather(&mut self, stream: &mut Stream, log: &mut FrameLog) -> Gathered {
        while self.block.len() < BLOCK
            && self.is_ours()
            && self.has_arrived(stream)
            && self.end.is_none()
        {
            self.take(stream, log);
        }
        if !self.block.is_empty() {
            return Gathered::Bytes(self.block.split().freeze());
        }
        if let Some(fault) = self.fault.take() {
            return Gathered::Refused(fault);
        }
        let foreign = self.is_foreign() && !self.header.is_empty();
        if foreign || self.has_arrived(stream) { Gathered::Foreign } else { Gathered::Nothing }
    }

    /// Where tungstenite reads the current frame, and nothing else.
    pub fn feed<'a>(&'a mut self, stream: &'a mut Stream, log: &'a mut FrameLog) -> Feed<'a> {
        Feed { inbound: self, stream, log }
    }

    /// The code of the Close frame that was read last: tungstenite does not tell one that is none.
    pub fn close_code(&self) -> Option<u16> {
        self.first.first_chunk().map(|code| u16::from_be_bytes(*code))
    }

    /// What the server said first, unless it has sent a frame that makes sense.
    pub fn babble(&self) -> Option<&[u8]> {
        (!self.understood && !self.said.is_empty()).then_some(&self.said)
    }

    /// What the server said first: its first frame, if it is one.
    pub fn said(&self) -> &[u8] {
        &self.said
    }

    fn is_ours(&self) -> bool {
        !self.is_foreign() && self.fault.is_none()
    }

    fn is_foreign(&self) -> bool {
        matches!(self.current, Current::Foreign(_))
    }

    /// Whether there is something to read, or the end.
    fn has_arrived(&mut self, stream: &mut Stream) -> bool {
        if self.end.is_none() {
            match stream.fill_buf() {
                Ok([]) => self.end = Some(Ok(())),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => self.end = Some(Err(error)),
            }
        }
        true
    }

    /// Takes what lies ready, up to the next foreign frame.
    fn take(&mut self, stream: &mut Stream, log: &mut FrameLog) {
        let Ok(arrived) = stream.fill_buf() else { return };
        if self.block.capacity() - self.block.len() < arrived.len() {
            self.block.reserve(arrived.len().max(BLOCK));
        }
        if self.said.is_empty() {
            self.said.extend_from_slice(&arrived[..arrived.len().min(SAID)]);
        }
        let mut rest = arrived;
        while !rest.is_empty() && self.fault.is_none() {
            match self.current {
                Current::Beginning => rest = self.begin(rest, log),
                Current::Plain(left) => {
                    let (payload, behind) = rest.split_at(part_of(left, rest));
                    self.block.extend_from_slice(payload);
                    self.current = Current::Plain(left).without(payload.len());
                    rest = behind;
                }
                Current::Foreign(_) => break,
            }
        }
        let count = arrived.len() - rest.len();
        stream.consume(count);
    }

    /// Reads a header, or what has come of it; returns what stands behind it.
    fn begin<'a>(&mut self, bytes: &'a [u8], log: &mut FrameLog) -> &'a [u8] {
        let split = self.header.is_empty().then(|| Header::read(bytes)).flatten();
        let (header, behind) = match split {
            Some(header) => (header, &bytes[header.length..]),
            None => match self.complete(bytes) {
                Some(complete) => complete,
                None => return &[],
            },
        };
        log.received(header);
        match self.judge(header) {
            Ok(true) => {
                self.understood = true;
                self.header.clear();
                self.current = Current::Plain(header.payload).without(0);
            }
            Ok(false) => {
                if split.is_some() {
                    self.header.extend_from_slice(&bytes[..header.length]);
                }
                self.first.clear();
                self.closed |= header.opcode() == CLOSE;
                self.current = Current::Foreign(header.payload);
            }
            Err(fault) => self.fault = Some(fault),
        }
        behind
    }

    /// Whether a frame is for us.
    #[inline]
    fn judge(&mut self, header: Header) -> Result<bool, WebSocketError> {
        let usual = header.first == WHOLE_BINARY && header.payload <= self.max_message;
        if usual
            && !header.masked
            && self.fragmented.is_none()
            && !self.closed
            && header.is_minimal()
        {
            return Ok(true);
        }
        self.judge_unusual(header)
    }

    #[cold]
    fn judge_unusual(&mut self, header: Header) -> Result<bool, WebSocketError> {
        let broken = |words: &str| Err(WebSocketError::Protocol(words.to_owned()));
        // What stands behind a Close does not count; the rest tungstenite finds out by itself.
        if self.closed || header.masked || header.has_reserved_bits() {
            return Ok(false);
        } else if header.payload >> 63 != 0 {
            return broken("a frame length of 2^63 bytes or more");
        } else if !header.is_minimal() {
            return broken("a frame length that is longer than it must be");
        }
        match (header.opcode(), self.fragmented) {
            (TEXT, _) => Err(WebSocketError::TextFrame),
            (BINARY, Some(_)) => broken("a new message before the end of another"),
            (BINARY, None) | (CONTINUATION, Some(_)) => {
                let size = self.fragmented.unwrap_or(0).saturating_add(header.payload);
                if size > self.max_message {
                    return Err(WebSocketError::TooLarge { size, limit: self.max_message });
                }
                self.fragmented = (!header.is_final()).then_some(size);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Puts a header together byte by byte.
    #[cold]
    fn complete<'a>(&mut self, bytes: &'a [u8]) -> Option<(Header, &'a [u8])> {
        bytes.iter().enumerate().find_map(|(at, &byte)| {
            self.header.push(byte);
            Header::read(&self.header).map(|header| (header, &bytes[at + 1..]))
        })
    }
}

impl Current {
    /// After so many more bytes of the payload.
    fn without(self, count: usize) -> Self {
        match self {
            Self::Plain(left) if left > count as u64 => Self::Plain(left - count as u64),
            Self::Foreign(left) if left > count as u64 => Self::Foreign(left - count as u64),
            _ => Self::Beginning,
        }
    }
}

/// How much of these bytes belongs to what is left of a payload.
fn part_of(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

/// One foreign frame, or the end of the stream, as tungstenite reads it; what tungstenite writes
/// goes out.
pub struct Feed<'a> {
    inbound: &'a mut Inbound,
    stream: &'a mut Stream,
    log: &'a mut FrameLog,
}

impl Read for Feed<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let Feed { inbound, stream, .. } = self;
        let Current::Foreign(left) = inbound.current else {
            return match &mut inbound.end {
                Some(end) => std::mem::replace(end, Ok(())).map(|()| 0),
                None => Err(ErrorKind::WouldBlock.into()),
            };
        };
        if !inbound.header.is_empty() {
            let count = inbound.header.as_slice().read(target)?;
            inbound.header.drain(..count);
            if inbound.header.is_empty() {
                inbound.current = inbound.current.without(0);
            }
            return Ok(count);
        }
        if !inbound.has_arrived(stream) {
            return Err(ErrorKind::WouldBlock.into());
        }
        if let Some(end) = &mut inbound.end {
            return std::mem::replace(end, Ok(())).map(|()| 0);
        }
        let wanted = part_of(left, target);
        let count = stream.read(&mut target[..wanted])?;
        let missing = FIRST.saturating_sub(inbound.first.len()).min(count);
        inbound.first.extend_from_slice(&target[..missing]);
        inbound.current = inbound.current.without(count);
        Ok(count)
    }
}

impl Write for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.log.over(self.stream).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
