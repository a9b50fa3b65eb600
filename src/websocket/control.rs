//! Judges control frames and everything unusual with tungstenite: takes the bytes of one frame, and
//! returns its meaning and the answer. tungstenite reads and writes through `std::io`, which here
//! is memory.

use std::io::{self, ErrorKind, Read, Write};

use bytes::Bytes;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Message, WebSocketConfig, WebSocketContext};

use super::Role;

/// tungstenite zeroes this many bytes before each read. Control frames have at most 125.
const READ_BUFFER: usize = 1024;

/// The state of one side's closing handshake, and of the frame that is being read.
#[derive(Debug)]
pub struct Control(WebSocketContext);

impl Control {
    /// Refuses messages and frames of more than `max_message` bytes.
    pub fn new(role: Role, max_message: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        Self(WebSocketContext::new(role, Some(config)))
    }

    /// Reads part of one frame, header included. Returns the meaning of the frame once it is
    /// complete; the answer to it is appended to `answers`. A frame after a Close has no meaning
    /// (RFC 6455 §1.4).
    pub fn feed(&mut self, part: &[u8], answers: &mut Vec<u8>) -> Result<Option<Message>, Error> {
        let mut memory = Memory { unread: part, written: answers };
        let mut whole = None;
        loop {
            match self.0.read(&mut memory) {
                Ok(message) => whole = Some(message),
                Err(Error::Protocol(ProtocolError::ReceivedAfterClosing)) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(whole),
                // A server has answered a Close; later frames are ignored.
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Ok(whole),
                Err(error) => return Err(error),
            }
        }
    }

    /// Appends a Ping with this payload to `frames` (RFC 6455 §5.5.2), unless one side has closed.
    /// Returns whether it did.
    pub fn ping(&mut self, payload: Bytes, frames: &mut Vec<u8>) -> bool {
        let mut memory = Memory { unread: &[], written: frames };
        let put = self.0.write(&mut memory, Message::Ping(payload));
        put.and_then(|()| self.0.flush(&mut memory)).is_ok()
    }

    /// Appends a Close to `frames`, unless one side has closed.
    pub fn close(&mut self, code: u16, frames: &mut Vec<u8>) {
        let mut memory = Memory { unread: &[], written: frames };
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        // Memory does not fail, and a connection that is already closed needs no second Close.
        let _ = self.0.close(&mut memory, Some(frame));
    }

    /// Whether neither side has closed.
    pub fn is_open(&self) -> bool {
        self.0.can_write()
    }
}

/// The memory that tungstenite reads and writes.
struct Memory<'a> {
    unread: &'a [u8],
    written: &'a mut Vec<u8>,
}

impl Read for Memory<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() {
            Err(ErrorKind::WouldBlock.into())
        } else {
            self.unread.read(target)
        }
    }
}

impl Write for Memory<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
