//! Writes frames into one buffer, which is sent when it is full or flushed. Messages get their
//! headers here, and those of a client their masks.
//!
//! tungstenite copies a payload into its buffer and masks it there. Here the copy masks, and the
//! buffer is zeroed only once.

use bytes::{BufMut, BytesMut};

use super::frame::{BINARY, CLOSE, HeaderBytes, Key, Keys, NORMAL, mask};

/// The buffer is full when it holds this many bytes.
const FULL: usize = 64 * 1024;

/// This many bytes fit into one packet of any network.
const LITTLE: usize = 1024;

/// The frames of a client that wait to be written.
#[derive(Debug, Default)]
pub struct ClientOutbound {
    /// Never shorter than before, so that the part in use need not be zeroed again.
    buffer: Vec<u8>,
    /// The number of bytes that wait.
    filled: usize,
    keys: Keys,
}

impl ClientOutbound {
    /// Appends a binary message with this payload.
    pub fn put(&mut self, payload: &[u8]) {
        self.put_frame(BINARY, payload);
    }

    /// Appends Close 1000 if so few bytes wait that the socket takes either all of it or nothing.
    /// Returns whether it did.
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

    /// Appends room for this many bytes.
    fn room(&mut self, length: usize) -> &mut [u8] {
        let start = self.filled;
        self.filled += length;
        if self.buffer.len() < self.filled {
            self.grow(start);
        }
        &mut self.buffer[start..self.filled]
    }

    /// Makes the buffer long enough, and keeps what is in use: the system gives memory that is
    /// zeroed, and `Vec::resize` may do so byte by byte.
    #[cold]
    fn grow(&mut self, in_use: usize) {
        let mut longer = vec![0; self.filled.max(2 * self.buffer.len())];
        longer[..in_use].copy_from_slice(&self.buffer[..in_use]);
        self.buffer = longer;
    }

    /// Whether enough bytes wait for a write.
    pub fn is_full(&self) -> bool {
        self.filled >= FULL
    }

    /// The bytes that wait.
    pub fn waiting(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Discards the waiting bytes, which were written.
    pub fn clear(&mut self) {
        self.filled = 0;
        if self.buffer.len() > 2 * FULL {
            // A single long message must not occupy its memory for ever.
            self.buffer = Vec::new();
        }
    }

    /// Gives back the buffer, if nothing waits.
    pub fn release_memory(&mut self) {
        if self.filled == 0 {
            self.buffer = Vec::new();
        }
    }

    /// The size of the buffer, in bytes.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.buffer.len()
    }
}

/// Appends a whole control frame or message to `target`.
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

/// The frames of a server that wait to be written. A message grows until it is full or finished;
/// then its header is put before it.
#[derive(Debug)]
pub struct ServerOutbound {
    buffer: BytesMut,
    /// The position of the message that is still growing, header included.
    open: Option<usize>,
    /// The longest payload of a message, at most 64 KiB.
    limit: usize,
}

impl ServerOutbound {
    /// An empty buffer. No payload is longer than `limit`, which is below 64 KiB.
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), open: None, limit }
    }

    /// How many more bytes fit into the open message, or into the next one if none is open.
    pub fn room(&self) -> usize {
        self.open.map_or(self.limit, |start| self.limit - (self.buffer.len() - start - HEADER))
    }

    /// The buffer of the open message, or of a new one if none is open. It may grow at most by
    /// [`room`](Self::room).
    pub fn message(&mut self) -> &mut BytesMut {
        if self.open.is_none() {
            self.open = Some(self.buffer.len());
            self.buffer.put_bytes(0, HEADER);
        }
        &mut self.buffer
    }

    /// Finishes the open message. An empty message is never sent.
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

    /// Appends whole control frames after the open message.
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

    /// The number of bytes that wait.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Finishes the open message and returns the bytes that wait.
    pub fn waiting(&mut self) -> &[u8] {
        self.finish_message();
        &self.buffer
    }

    /// Discards the waiting bytes, which were written.
    pub fn clear(&mut self) {
        self.buffer.clear();
    }
}
