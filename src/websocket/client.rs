//! The client's side of an open WebSocket: frames from the server become payloads, and payloads
//! become frames to send.

use bytes::Bytes;

use super::frame::NORMAL;
use super::outbound::ClientOutbound;
use super::reader::Reader;
use super::{Framing, MESSAGE_LIMIT, Role, WebSocketError};

/// The frames of one connection, in both directions.
#[derive(Debug)]
pub struct ClientFrames {
    reader: Reader,
    outbound: ClientOutbound,
    /// The largest payload of a message, in bytes.
    message_limit: usize,
    /// The waiting frames include control frames, which should be sent at once.
    is_urgent: bool,
    /// A Close frame was put after the waiting frames, or was sent.
    is_closed: bool,
}

/// Nothing can be sent any more, because one side has closed the WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyClosed;

impl ClientFrames {
    /// The frames of a client after the upgrade. No message and no frame of the server may exceed
    /// `max_message` bytes. With `log`, [`traced`](Self::traced) returns a line about each frame.
    pub fn new(max_message: usize, framing: Framing, log: bool) -> Self {
        Self {
            reader: Reader::new(Role::Client, max_message, log),
            outbound: ClientOutbound::default(),
            message_limit: match framing {
                Framing::UpToLimit => MESSAGE_LIMIT,
                Framing::PerPiece => usize::MAX,
            },
            is_urgent: false,
            is_closed: false,
        }
    }

    /// The same, but tungstenite reads every frame of the server.
    #[cfg(test)]
    pub fn leaving_all_to_tungstenite(self) -> Self {
        Self { reader: self.reader.leaving_all_to_tungstenite(), ..self }
    }

    /// Whether [`feed`](Self::feed) would take anything.
    pub fn wants_more(&self) -> bool {
        self.reader.wants_more()
    }

    /// Takes bytes that have arrived. Returns how many.
    pub fn feed(&mut self, arrived: &[u8]) -> usize {
        let taken = self.reader.feed(arrived);
        self.put_answers();
        taken
    }

    /// The next payload, never empty and cut anywhere; `None` if more bytes are needed. An end of
    /// the WebSocket is answered with a Close frame.
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

    /// The payload of the first frame if it is text, which no MQTT packet is.
    pub fn first_text(&self) -> Option<String> {
        self.reader.first_text()
    }

    /// Whether the server began with a CONNECT: it sends back what it is sent.
    pub fn has_echoed_connect(&self) -> bool {
        self.reader.has_echoed_connect()
    }

    /// Whether the latest Ping was answered; see [`Reader::take_pong`].
    pub fn take_pong(&mut self) -> bool {
        self.reader.take_pong()
    }

    /// The next line about a frame.
    pub fn traced(&mut self) -> Option<String> {
        self.reader.traced()
    }

    /// Takes from `bytes` the payload of one binary message; nothing if `bytes` is empty.
    pub fn put(&mut self, bytes: &mut Bytes) -> Result<(), AlreadyClosed> {
        if !self.reader.control().is_open() {
            return Err(AlreadyClosed);
        }
        if !bytes.is_empty() {
            // The part is released at once: its memory may be reused for the next message.
            self.outbound.put(&bytes.split_to(bytes.len().min(self.message_limit)));
        }
        Ok(())
    }

    /// Puts a Ping, whose payload is its number, after the waiting frames (RFC 6455 §5.5.2).
    pub fn put_ping(&mut self) -> Result<(), AlreadyClosed> {
        let mut frame = Vec::new();
        if !self.reader.ping(&mut frame) {
            return Err(AlreadyClosed);
        }
        self.outbound.put_frames(&frame);
        Ok(())
    }

    /// Puts Close 1000 after the waiting frames, so that one write sends both, unless a failed
    /// write of the Close could then lose the frames, too. In that case
    /// [`put_close`](Self::put_close) must put it later. Nothing may be put after it.
    pub fn put_close_if_little_waits(&mut self) {
        if !self.is_closed && self.reader.control().is_open() && self.outbound.put_close() {
            self.is_closed = true;
            // tungstenite must know of this Close, or it would answer the server's with another.
            self.reader.control().close(NORMAL, &mut Vec::new());
        }
    }

    /// Puts Close 1000 after the waiting frames, once.
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

    /// Whether the waiting frames should be written now, because they are many or answer the
    /// server.
    pub fn is_due(&self) -> bool {
        self.is_urgent || self.outbound.is_full()
    }

    /// The frames that wait to be written.
    pub fn waiting(&self) -> &[u8] {
        self.outbound.waiting()
    }

    /// Discards the waiting frames, which were written.
    pub fn written(&mut self) {
        self.reader.log().sent(self.outbound.waiting());
        self.outbound.clear();
        self.is_urgent = false;
    }

    /// Gives back the buffers in which nothing waits: of many connections most are idle.
    pub fn release_memory(&mut self) {
        self.reader.release_memory();
        self.outbound.release_memory();
    }

    /// The size of the buffer, in bytes.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.outbound.memory()
    }
}
