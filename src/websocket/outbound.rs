//! Frames as they leave: messages get their headers (and a client's their masks) here, and wait in
//! one buffer until it is full or flushed.
//!
//! tungstenite copies a payload into its buffer and masks it there; here it is masked on its way,
//! and the buffer is never zeroed again.

use bytes::{BufMut, BytesMut};

use super::frame::{BINARY, CLOSE, HeaderBytes, Key, Keys, NORMAL, mask};

/// From here on the buffer is full, in bytes.
const FULL: usize = 64 * 1024;

/// So much goes into one packet of any network, in bytes.
const LITTLE: usize = 1024;

/// A client's frames that wait to be written.
#[derive(Debug, Default)]
pub struct ClientOutbound {
    /// It is as long as it ever was, so that what is in use of it need not be zeroed each time.
    buffer: Vec<u8>,
    /// How many bytes of it wait.
    filled: usize,
    keys: Keys,
}

impl ClientOutbound {
    /// Appends a binary message with this payload.
    pub fn put(&mut self, payload: &[u8]) {
        self.put_frame(BINARY, payload);
    }

    /// Appends Close 1000, if what waits is so little that the socket takes both or nothing of it:
    /// whether that is so.
    pub fn put_close(&mut self) -> bool {
        let is_little = self.filled <= LITTLE;
        if is_little {
            self.put_frame(CLOSE, &NORMAL.to_be_bytes());
        }
        is_little
    }

    /// Appends whole frames.
    pub fn put_frames(&mut self, frames: &[u8]) {
        self.room(frames.len()).copy_from_slice(frames);
    }

    fn put_frame(&mut self, opcode: u8, payload: &[u8]) {
        let key = self.keys.next();
        let header = HeaderBytes::new(opcode, payload.len(), Some(key));
        let target = self.room(header.len() + payload.len());
        target[..header.len()].copy_from_slice(&header);
        mask(payload, key, &mut target[header.len()..]);
    }

    /// So many bytes more, to be filled.
    fn room(&mut self, length: usize) -> &mut [u8] {
        let start = self.filled;
        self.filled += length;
        if self.buffer.len() < self.filled {
            self.buffer.resize(self.filled, 0);
        }
        &mut self.buffer[start..self.filled]
    }

    /// Whether what waits is worth a write.
    pub fn is_full(&self) -> bool {
        self.filled >= FULL
    }

    /// What waits.
    pub fn waiting(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// What waited was written.
    pub fn clear(&mut self) {
        self.filled = 0;
        if self.buffer.len() > 2 * FULL {
            // A single long message must not keep its memory for ever.
            self.buffer = Vec::new();
        }
    }

    /// How many bytes of memory it has.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.buffer.len()
    }
}

/// A control frame or a message, whole.
pub fn put_frame(opcode: u8, payload: &[u8], key: Option<Key>, target: &mut Vec<u8>) {
    target.extend_from_slice(&HeaderBytes::new(opcode, payload.len(), key));
    let start = target.len();
    target.extend_from_slice(payload);
    if let Some(key) = key {
        mask(payload, key, &mut target[start..]);
    }
}

/// Room for the longest header of a message of at most 64 KiB without a mask.
const HEADER: usize = 4;

/// A server's frames that wait to be written. A message grows until it is full or finished; then
/// its header is written before it.
#[derive(Debug)]
pub struct ServerOutbound {
    buffer: BytesMut,
    /// Where the message that is still growing begins, header included.
    open: Option<usize>,
    /// The longest payload of a message, at most 64 KiB.
    limit: usize,
}

impl ServerOutbound {
    /// Nothing waits. No payload is longer than `limit`, less than 64 KiB.
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), open: None, limit }
    }

    /// How many more bytes the message takes that is open, or the next one if none is.
    pub fn room(&self) -> usize {
        self.open.map_or(self.limit, |start| self.limit - (self.buffer.len() - start - HEADER))
    }

    /// Where the message grows, a new one if none is open; at most by its [`room`](Self::room).
    pub fn message(&mut self) -> &mut BytesMut {
        if self.open.is_none() {
            self.open = Some(self.buffer.len());
            self.buffer.put_bytes(0, HEADER);
        }
        &mut self.buffer
    }

    /// Finishes the message that is open; an empty one is never sent.
    pub fn finish_message(&mut self) {
        let Some(start) = self.open.take() else { return };
        let content = start + HEADER;
        let length = self.buffer.len() - content;
        if length == 0 {
            self.buffer.truncate(start);
            return;
        }
        let header = HeaderBytes::new(BINARY, length, None);
        let payload = start + header.len();
        self.buffer[start..payload].copy_from_slice(&header);
        if payload < content {
            self.buffer.copy_within(content.., payload);
            self.buffer.truncate(payload + length);
        }
    }

    /// Appends whole control frames after the message.
    pub fn put_frames(&mut self, frames: &[u8]) {
        self.finish_message();
        self.buffer.put_slice(frames);
    }

    /// Appends a Close frame with this code (RFC 6455 §5.5.1).
    pub fn put_close(&mut self, code: u16) {
        let mut frame = Vec::new();
        put_frame(CLOSE, &code.to_be_bytes(), None, &mut frame);
        self.put_frames(&frame);
    }

    /// What waits, in bytes.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// What waits, the open message finished.
    pub fn waiting(&mut self) -> &[u8] {
        self.finish_message();
        &self.buffer
    }

    /// What waited was written.
    pub fn clear(&mut self) {
        self.buffer.clear();
    }
}
