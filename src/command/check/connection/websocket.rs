//! The WebSocket of one connection: frames in both directions, and compression.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::command::check::answer::AnswerHead;
use crate::command::check::inflate::Inflater;
use crate::command::check::journal::{Direction, Journal, ProtocolLayer};
use crate::command::check::reader::{Compression, FrameReader, Heard};
use crate::command::check::wire::Frame;
use crate::websocket::frame::{CLOSE, Keys};

/// Whether we have sent a Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OurClose {
    /// Not yet.
    Due,
    /// It was sent: no other one may follow.
    Sent,
}

/// The frames of one connection.
pub struct WebSocketSide {
    reader: FrameReader,
    keys: Keys,
    inflater: Inflater,
    /// Why a compressed message could not be read; none is read after it.
    pub inflate_error: Option<&'static str>,
    /// Pongs that nobody has taken yet.
    pub pongs: VecDeque<Bytes>,
    /// Whether we have sent a Close frame.
    pub our_close: OurClose,
}

impl Default for WebSocketSide {
    fn default() -> Self {
        Self {
            reader: FrameReader::default(),
            keys: Keys::default(),
            inflater: Inflater::default(),
            inflate_error: None,
            pongs: VecDeque::new(),
            our_close: OurClose::Due,
        }
    }
}

impl WebSocketSide {
    /// Takes over what the answer to the upgrade agrees to.
    pub fn agree(&mut self, head: &AnswerHead) {
        let extensions = head.tokens("Sec-WebSocket-Extensions");
        if extensions.iter().any(|name| name.starts_with("permessage-deflate")) {
            self.reader.compression = Compression::Agreed;
        }
    }

    /// Whether compression was agreed to.
    pub fn may_compress(&self) -> bool {
        self.reader.compression == Compression::Agreed
    }

    /// Takes bytes, and gives what they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Heard> {
        self.reader.feed(bytes)
    }

    /// A piece of a compressed message as it was; nothing once a piece could not be read.
    pub fn inflated(&mut self, payload: &[u8], ends: bool) -> Bytes {
        if self.inflate_error.is_some() {
            return Bytes::new();
        }
        match self.inflater.feed(payload, ends) {
            Ok(plain) => plain.into(),
            Err(words) => {
                self.inflate_error = Some(words);
                Bytes::new()
            }
        }
    }

    /// The bytes of a frame, with a mask of this connection.
    pub fn frame_bytes(&mut self, frame: &Frame) -> Vec<u8> {
        frame.bytes(self.keys.next())
    }

    /// The bytes of a frame that is sent now.
    pub fn sent_bytes(&mut self, frame: &Frame, journal: &mut Journal) -> Vec<u8> {
        if frame.first & 0xf == CLOSE {
            self.our_close = OurClose::Sent;
        }
        journal.note(Direction::Out, ProtocolLayer::Frame, || frame.words(), &frame.payload);
        self.frame_bytes(frame)
    }
}
