//! Reads frames as they arrive. Binary frames, including the fragments of a message, are read here.
//! Their payloads are joined, so that a burst of small frames becomes one piece of bytes (in MQTT
//! the ends of frames and messages have no meaning, `[MQTT-6.0.0-2]`), and a message of any length
//! needs no memory. Every other frame goes to tungstenite, one at a time and unchanged.
//!
//! tungstenite alone takes about 100 ns a frame, two thirds of the cost of a small message
//! (tests/bench, `sub-64-one`).

use bytes::{Bytes, BytesMut};

use super::frame::{BINARY, CLOSE, CONTINUATION, FrameHeader, Key, TEXT, WHOLE_BINARY, unmask};
use super::frame_log::FrameLog;
use super::small;
use super::{Look, Role, WebSocketError};

/// The most payload bytes that are joined, and the size of each allocation for them.
const BLOCK: usize = 64 * 1024;

/// How many of the first bytes from the other side are remembered.
const FIRST: usize = 32;

/// How much of a text frame is kept, in bytes: enough to find our secrets in it.
const TEXT_LIMIT: usize = 4096;

/// The longest payload of a control frame, in bytes (RFC 6455 §5.5).
const LONGEST_CONTROL: usize = 125;

/// The frame that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Current {
    /// Its header is incomplete.
    Header,
    /// A binary frame.
    Binary {
        /// The number of payload bytes that have not arrived.
        left: u64,
        /// The mask, rotated so that it begins with the next byte.
        key: Option<Key>,
    },
    /// A frame for tungstenite.
    Other {
        /// The number of payload bytes that have not arrived.
        left: u64,
        /// What becomes of them.
        payload: OtherPayload,
    },
}

/// What becomes of the payload of a frame for tungstenite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OtherPayload {
    /// tungstenite judges it, too.
    Judged,
    /// The header says all. tungstenite would reserve memory for the whole payload, and give its
    /// verdict after it.
    Dropped,
}

/// The reader of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameFor {
    /// This file.
    Us,
    /// tungstenite.
    Tungstenite(OtherPayload),
}

/// The state of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PeerState {
    /// It has sent no binary frame, so it may not speak WebSocket.
    Unknown,
    /// It has sent a binary frame.
    Speaking,
    /// It has sent a Close frame before any binary frame. Later frames are ignored.
    ClosedAtOnce,
    /// It has sent a Close frame after a binary frame. Later frames are ignored.
    Closed,
    /// tungstenite reads whatever it sends.
    #[cfg(test)]
    LeftToTungstenite,
}

impl PeerState {
    fn has_closed(self) -> bool {
        matches!(self, Self::ClosedAtOnce | Self::Closed)
    }

    fn after_close(self) -> Self {
        match self {
            Self::Unknown | Self::ClosedAtOnce => Self::ClosedAtOnce,
            Self::Speaking | Self::Closed => Self::Closed,
            #[cfg(test)]
            Self::LeftToTungstenite => self,
        }
    }
}

/// Reads frames, as the header of this file describes it.
#[derive(Debug)]
pub struct Inbound {
    /// The reader's own role. A client's frames are masked, a server's are not (RFC 6455 §5.1).
    role: Role,
    /// The largest message that is accepted, in bytes.
    max_message: u64,
    current: Current,
    /// The beginning of a header, or the whole header of a frame for tungstenite until it is taken.
    header: Vec<u8>,
    /// Between the first and the last fragment of a message: the payload length so far.
    fragmented: Option<u64>,
    /// The fault of the current frame. Nothing is read after it.
    fault: Option<WebSocketError>,
    /// The first bytes from the other side, as far as they arrived together.
    first: Vec<u8>,
    peer: PeerState,
    /// The payloads that were joined and not taken yet.
    block: BytesMut,
    /// How much room the block gets at least when it has none, in bytes.
    room: usize,
    /// The mask of the last frame for tungstenite.
    control_key: Option<Key>,
    /// The payload of that frame as it was sent, up to the longest of a control frame.
    control: Vec<u8>,
}

fn garbled(words: &str) -> Result<FrameFor, WebSocketError> {
    Err(WebSocketError::Garbled { words: words.to_owned(), sent: None, look: Look::Frames })
}

impl Inbound {
    /// Reads frames of messages of at most `max_message` bytes; `role` is the reader's own.
    pub fn new(role: Role, max_message: usize) -> Self {
        Self {
            role,
            max_message: max_message as u64,
            current: Current::Header,
            header: Vec::new(),
            fragmented: None,
            fault: None,
            first: Vec::new(),
            peer: PeerState::Unknown,
            block: BytesMut::new(),
            room: match role {
                Role::Client => BLOCK,
                Role::Server => 0,
            },
            control_key: None,
            control: Vec::new(),
        }
    }

    /// The same, but every frame goes to tungstenite.
    #[cfg(test)]
    pub fn leaving_all_to_tungstenite(role: Role) -> Self {
        Self { peer: PeerState::LeftToTungstenite, ..Self::new(role, 0) }
    }

    /// Takes bytes that have arrived, up to the next frame for tungstenite and to the end of a
    /// block. Returns how many.
    pub fn take(&mut self, arrived: &[u8], log: &mut FrameLog) -> usize {
        if self.block.capacity() - self.block.len() < arrived.len() {
            self.block.reserve(arrived.len().max(self.room));
        }
        if self.first.is_empty() {
            self.first.extend_from_slice(&arrived[..arrived.len().min(FIRST)]);
        }
        let mut rest = arrived;
        while !rest.is_empty() && self.fault.is_none() {
            match self.current {
                Current::Header => {
                    if self.expects_small_frames() && !log.is_wanted() {
                        rest = &rest[small::join(rest, self.max_message, &mut self.block)..];
                    }
                    if !rest.is_empty() {
                        rest = self.begin(rest, log);
                    }
                }
                Current::Binary { left, key } => {
                    let (payload, after) = rest.split_at(part_of(left, rest));
                    let start = self.block.len();
                    self.block.extend_from_slice(payload);
                    if let Some(key) = key {
                        unmask(&mut self.block[start..], key);
                    }
                    self.current =
                        Current::binary(left - payload.len() as u64, turned(key, payload.len()));
                    rest = after;
                }
                Current::Other { .. } => break,
            }
        }
        arrived.len() - rest.len()
    }

    /// The payloads that were joined, or `None` if there are none.
    pub fn payload(&mut self) -> Option<Bytes> {
        (!self.block.is_empty()).then(|| match self.role {
            Role::Client => self.block.split().freeze(),
            // A server has many connections, most of which wait.
            Role::Server => std::mem::take(&mut self.block).freeze(),
        })
    }

    /// Gives back the memory for payloads, if none waits.
    pub fn release_memory(&mut self) {
        if self.block.is_empty() {
            self.block = BytesMut::new();
        }
        // One of many connections: a block for more than what arrives would be given back at once.
        self.room = 0;
    }

    /// Whether payloads wait to be taken.
    pub fn has_payload(&self) -> bool {
        !self.block.is_empty()
    }

    /// Whether so many payloads wait that no more should be joined.
    pub fn is_full(&self) -> bool {
        self.block.len() >= BLOCK
    }

    /// Whether the current frame breaks the protocol.
    pub fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    /// The fault of the current frame.
    pub fn take_fault(&mut self) -> Option<WebSocketError> {
        self.fault.take()
    }

    /// Whether the current frame is for tungstenite.
    pub fn is_other(&self) -> bool {
        matches!(self.current, Current::Other { .. })
    }

    /// Whether the header of the frame for tungstenite was not taken yet.
    pub fn has_header(&self) -> bool {
        self.is_other() && !self.header.is_empty()
    }

    /// The header of the frame for tungstenite.
    pub fn take_header(&mut self) -> Vec<u8> {
        if let Current::Other { left: 0, .. } = self.current {
            self.current = Current::Header;
        }
        std::mem::take(&mut self.header)
    }

    /// Takes the bytes of `arrived` that belong to the payload of the frame for tungstenite:
    /// those that it must judge, and how many there are.
    pub fn take_other<'a>(&mut self, arrived: &'a [u8]) -> (&'a [u8], usize) {
        let Current::Other { left, payload } = self.current else { return (&[], 0) };
        let part = &arrived[..part_of(left, arrived)];
        let left = left - part.len() as u64;
        self.current = if left == 0 { Current::Header } else { Current::Other { left, payload } };
        if payload == OtherPayload::Dropped {
            return (&[], part.len());
        }
        let missing = LONGEST_CONTROL.saturating_sub(self.control.len()).min(part.len());
        self.control.extend_from_slice(&part[..missing]);
        (part, part.len())
    }

    /// The payload of the last control frame. tungstenite does not return a Close code that it does
    /// not know.
    pub fn control_payload(&self) -> Vec<u8> {
        let mut payload = self.control.clone();
        if let Some(key) = self.control_key {
            unmask(&mut payload, key);
        }
        payload
    }

    /// The first bytes from the other side, unless it has sent a valid frame.
    pub fn unrecognised_start(&self) -> Option<&[u8]> {
        let is_unknown = matches!(self.peer, PeerState::Unknown | PeerState::ClosedAtOnce);
        (is_unknown && !self.first.is_empty()).then_some(&self.first)
    }

    /// The first bytes from the other side, which should be its first frame.
    pub fn first(&self) -> &[u8] {
        &self.first
    }

    /// Reads a header, or the part of it that has arrived. Returns the bytes after it.
    fn begin<'a>(&mut self, bytes: &'a [u8], log: &mut FrameLog) -> &'a [u8] {
        let at_once = self.header.is_empty().then(|| FrameHeader::read(bytes)).flatten();
        let (header, after) = match at_once {
            Some(header) => (header, &bytes[header.length..]),
            None => match self.complete(bytes) {
                Some(complete) => complete,
                None => return &[],
            },
        };
        log.received(header);
        match self.judge(header) {
            Ok(FrameFor::Us) => {
                self.peer = PeerState::Speaking;
                self.header.clear();
                self.current = Current::binary(header.payload, header.key);
            }
            Ok(FrameFor::Tungstenite(payload)) => {
                let unread = if at_once.is_some() { &bytes[..header.length] } else { &[] };
                self.begin_other(header, payload, unread);
            }
            Err(WebSocketError::TextFrame(_)) => {
                self.fault = Some(WebSocketError::TextFrame(beginning_of_text(header, after)));
            }
            Err(fault) => self.fault = Some(fault),
        }
        after
    }

    /// A frame begins that tungstenite reads; `unread` is the part of its header that it has not
    /// got.
    #[cold]
    fn begin_other(&mut self, header: FrameHeader, payload: OtherPayload, unread: &[u8]) {
        match payload {
            OtherPayload::Dropped => self.header = header.without_payload(),
            OtherPayload::Judged => self.header.extend_from_slice(unread),
        }
        self.control.clear();
        self.control_key = header.key;
        if header.opcode() == CLOSE {
            self.peer = self.peer.after_close();
        }
        self.current = Current::Other { left: header.payload, payload };
    }

    /// The reader of the frame.
    #[inline]
    fn judge(&mut self, header: FrameHeader) -> Result<FrameFor, WebSocketError> {
        #[cfg(test)]
        if self.peer == PeerState::LeftToTungstenite {
            return Ok(FrameFor::Tungstenite(OtherPayload::Judged));
        }
        let is_usual = header.first == WHOLE_BINARY && header.payload <= self.max_message;
        if is_usual
            && header.key.is_some() == self.expects_mask()
            && self.fragmented.is_none()
            && !self.peer.has_closed()
            && header.is_minimal()
        {
            return Ok(FrameFor::Us);
        }
        self.judge_unusual(header)
    }

    /// Whether a frame begins that may be a small one of a server that has sent others before.
    fn expects_small_frames(&self) -> bool {
        self.peer == PeerState::Speaking
            && self.role == Role::Client
            && self.header.is_empty()
            && self.fragmented.is_none()
    }

    /// Whether the frames of the other side must be masked.
    fn expects_mask(&self) -> bool {
        self.role == Role::Server
    }

    #[cold]
    fn judge_unusual(&mut self, header: FrameHeader) -> Result<FrameFor, WebSocketError> {
        // Frames after a Close are ignored, and tungstenite finds the other errors.
        let is_masked_wrongly = header.key.is_some() != self.expects_mask();
        if self.peer.has_closed() || is_masked_wrongly || header.has_reserved_bits() {
            return Ok(FrameFor::Tungstenite(OtherPayload::Dropped));
        } else if header.payload >> 63 != 0 {
            return garbled("a frame length of 2^63 bytes or more");
        } else if !header.is_minimal() {
            return garbled("a frame length in more bytes than necessary");
        }
        self.judge_opcode(header)
    }

    #[cold]
    fn judge_opcode(&mut self, header: FrameHeader) -> Result<FrameFor, WebSocketError> {
        match (header.opcode(), self.fragmented) {
            (TEXT, _) => Err(WebSocketError::TextFrame(String::new())),
            (BINARY, Some(_)) => {
                let words = "a new message before the previous message ended";
                Err(WebSocketError::Protocol(words.to_owned()))
            }
            (BINARY, None) | (CONTINUATION, Some(_)) => {
                let size = self.fragmented.unwrap_or(0).saturating_add(header.payload);
                if size > self.max_message {
                    return Err(WebSocketError::TooLarge { size, limit: self.max_message });
                }
                self.fragmented = (!header.is_final()).then_some(size);
                Ok(FrameFor::Us)
            }
            (opcode, _) if opcode >= CLOSE && header.is_final() => {
                if header.payload > LONGEST_CONTROL as u64 {
                    return garbled("a control frame of more than 125 bytes");
                }
                Ok(FrameFor::Tungstenite(OtherPayload::Judged))
            }
            // The payload does not matter.
            _ => Ok(FrameFor::Tungstenite(OtherPayload::Dropped)),
        }
    }

    /// Completes a header byte by byte.
    #[cold]
    fn complete<'a>(&mut self, bytes: &'a [u8]) -> Option<(FrameHeader, &'a [u8])> {
        bytes.iter().enumerate().find_map(|(at, &byte)| {
            self.header.push(byte);
            FrameHeader::read(&self.header).map(|header| (header, &bytes[at + 1..]))
        })
    }
}

impl Current {
    /// A binary frame of which so many payload bytes are missing. Without any it is complete.
    fn binary(left: u64, key: Option<Key>) -> Self {
        if left == 0 { Self::Header } else { Self::Binary { left, key } }
    }
}

/// The beginning of the payload of a text frame, as far as it has arrived.
fn beginning_of_text(header: FrameHeader, arrived: &[u8]) -> String {
    let mut text = arrived[..part_of(header.payload, arrived).min(TEXT_LIMIT)].to_vec();
    if let Some(key) = header.key {
        unmask(&mut text, key);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The mask, rotated by so many bytes.
fn turned(key: Option<Key>, count: usize) -> Option<Key> {
    key.map(|mut key| {
        key.rotate_left(count % size_of::<Key>());
        key
    })
}

/// How many of these bytes belong to the rest of a payload.
fn part_of(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}
