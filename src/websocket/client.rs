//! The client's side of an open WebSocket: bytes that came in, payloads out; payloads in, frames to
//! send out.

use bytes::Bytes;

use super::frame::NORMAL;
use super::outbound::ClientOutbound;
use super::reader::Reader;
use super::{MESSAGE_LIMIT, Role, WebSocketError};

/// The frames of one connection in both directions.
#[derive(Debug)]
pub struct ClientFrames {
    reader: Reader,
    outbound: ClientOutbound,
    /// The payload of the largest message we send.
    message_limit: usize,
    /// Control frames wait to be sent, which should not wait.
    is_urgent: bool,
    /// Our Close frame stands after what waits, or was sent with it.
    is_closed: bool,
}

/// Nothing can be sent any more: one side has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyClosed;

impl ClientFrames {
    /// Frames of a client after the upgrade. No message and no frame of the server may exceed
    /// `max_message` bytes; ours stay below [`MESSAGE_LIMIT`], or are as long as what is written
    /// (`whole_pieces`). With `log` each frame is a line for [`traced`](Self::traced).
    pub fn new(max_message: usize, whole_pieces: bool, log: bool) -> Self {
        Self {
            reader: Reader::new(Role::Client, max_message, log),
            outbound: ClientOutbound::default(),
            message_limit: if whole_pieces { usize::MAX } else { MESSAGE_LIMIT },
            is_urgent: false,
            is_closed: false,
        }
    }

    /// The same, but every frame of the server is read by tungstenite.
    #[cfg(test)]
    pub fn that_leaves_all(self) -> Self {
        Self { reader: self.reader.that_leaves_all(), ..self }
    }

    /// Whether [`feed`](Self::feed) would take something.
    pub fn wants_more(&self) -> bool {
        self.reader.wants_more()
    }

    /// Takes bytes that have arrived; how many.
    pub fn feed(&mut self, arrived: &[u8]) -> usize {
        let taken = self.reader.feed(arrived);
        self.put_answers();
        taken
    }

    /// The next payload, never empty and cut anywhere; `None` when more must arrive first. What
    /// ends the WebSocket is answered with a Close.
    pub fn next(&mut self) -> Option<Result<Bytes, WebSocketError>> {
        let next = self.reader.next();
        self.put_answers();
        if let Some(Err(error)) = &next
            && let Some(code) = error.answer()
        {
            self.put_close_with(code);
        }
        next
    }

    fn put_answers(&mut self) {
        let answers = self.reader.take_answers();
        if !answers.is_empty() {
            self.outbound.put_frames(&answers);
            self.is_urgent = true;
        }
    }

    /// The payload of the first frame if it is text, as no MQTT packet begins.
    pub fn first_text(&self) -> Option<String> {
        self.reader.first_text()
    }

    /// Whether a Pong came; each counts once.
    pub fn take_pong(&mut self) -> bool {
        self.reader.take_pong()
    }

    /// A line about a frame that was not taken yet.
    pub fn traced(&mut self) -> Option<String> {
        self.reader.traced()
    }

    /// Takes of `bytes` what fits into one binary message, if it is not empty.
    pub fn put(&mut self, bytes: &mut Bytes) -> Result<(), AlreadyClosed> {
        if !self.reader.control().is_open() {
            return Err(AlreadyClosed);
        }
        if !bytes.is_empty() {
            // What was taken is let go of at once: its memory may be used for the next message.
            self.outbound.put(&bytes.split_to(bytes.len().min(self.message_limit)));
        }
        Ok(())
    }

    /// Puts a Ping after what waits (RFC 6455 §5.5.2).
    pub fn put_ping(&mut self) -> Result<(), AlreadyClosed> {
        let mut frame = Vec::new();
        if !self.reader.control().ping(&mut frame) {
            return Err(AlreadyClosed);
        }
        self.outbound.put_frames(&frame);
        Ok(())
    }

    /// Puts Close 1000 after what waits, so that both leave in one write, if the one cannot be lost
    /// with the other by that; where it can, [`put_close`](Self::put_close) does it later. Nothing
    /// may be said after it.
    pub fn put_close_if_little_waits(&mut self) {
        if !self.is_closed && self.reader.control().is_open() && self.outbound.put_close() {
            self.is_closed = true;
            // tungstenite must know, or it answers the server's Close with another.
            self.reader.control().close(NORMAL, &mut Vec::new());
        }
    }

    /// Puts Close 1000 after what waits, once.
    pub fn put_close(&mut self) {
        if !self.is_closed {
            self.put_close_with(NORMAL);
        }
    }

    fn put_close_with(&mut self, code: u16) {
        let mut frame = Vec::new();
        self.reader.control().close(code, &mut frame);
        self.outbound.put_frames(&frame);
        self.is_urgent = true;
    }

    /// Whether what waits should be written now: there is much of it, or it answers the server.
    pub fn is_due(&self) -> bool {
        self.is_urgent || self.outbound.is_full()
    }

    /// What waits to be written.
    pub fn waiting(&self) -> &[u8] {
        self.outbound.waiting()
    }

    /// What waited was written.
    pub fn written(&mut self) {
        self.reader.log().sent(self.outbound.waiting());
        self.outbound.clear();
        self.is_urgent = false;
    }

    /// How many bytes of memory hold what waits.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.outbound.memory()
    }
}
