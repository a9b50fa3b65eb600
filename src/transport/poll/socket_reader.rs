//! The reading end of a connection: bytes in a fixed number of chunks.

use std::io::Cursor;
use std::os::fd::{AsFd, BorrowedFd};

use super::SocketEvent;
use crate::transport::dial::Dialled;
use crate::transport::wire::{Chunk, SharedSocket};

/// How many chunks may be filled before the bytes of one were taken.
const CHUNKS: usize = 4;

/// How large a chunk is, in bytes.
const CHUNK: usize = 64 * 1024;

/// How large it is before one was filled: a short run reads little, and would zero the rest for
/// nothing.
const FIRST_CHUNK: usize = 4 * 1024;

/// The socket as far as it is read.
#[derive(Debug)]
pub struct SocketReader {
    /// What was read of it before, by the dialling.
    read_ahead: Cursor<Vec<u8>>,
    /// The transport writes to the same socket.
    socket: SharedSocket,
    spare: Vec<Chunk>,
    made: usize,
    /// How large the next chunk is made, in bytes.
    chunk_size: usize,
    is_ended: bool,
}

impl SocketReader {
    /// The reading end of what was dialled.
    pub fn new(dialled: &mut Dialled) -> Self {
        let read_ahead = Cursor::new(std::mem::take(&mut dialled.early));
        let socket = dialled.socket.clone();
        Self {
            read_ahead,
            socket,
            spare: Vec::with_capacity(CHUNKS),
            made: 0,
            chunk_size: FIRST_CHUNK,
            is_ended: false,
        }
    }

    /// Whether there is a chunk to read into, and something may come.
    pub fn has_room(&self) -> bool {
        !self.is_ended && (!self.spare.is_empty() || self.made < CHUNKS)
    }

    /// Whether there is something to read without waiting for the socket.
    pub fn is_ready(&self) -> bool {
        self.read_ahead.position() < self.read_ahead.get_ref().len() as u64
    }

    /// The socket to wait for.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes a chunk to fill it again.
    pub fn recycle(&mut self, chunk: Chunk) {
        if chunk.capacity() < self.chunk_size {
            self.made = self.made.saturating_sub(1);
        } else if self.spare.len() < CHUNKS {
            self.spare.push(chunk);
        }
    }

    /// One read; call when there is something to read, and room.
    pub fn read(&mut self) -> SocketEvent {
        let mut chunk = self.spare.pop().unwrap_or_else(|| {
            // Most connections never need more than one or two.
            self.made += 1;
            Chunk::with_capacity(self.chunk_size)
        });
        let result = if self.is_ready() {
            chunk.fill_from(&mut self.read_ahead)
        } else {
            chunk.fill_from(&mut self.socket)
        };
        if chunk.unread().len() == chunk.capacity() {
            // More comes at once than a small chunk holds.
            self.chunk_size = CHUNK;
        }
        self.is_ended = !matches!(result, Ok(1..));
        match result {
            Ok(0) => SocketEvent::End(None),
            Ok(_) => SocketEvent::Bytes(chunk),
            Err(error) => SocketEvent::End(Some(error)),
        }
    }
}
