//! The reading end of a connection: what arrives, in chunks of which there are only so many. It
//! must never know what the bytes mean.

use std::io::Cursor;
use std::os::fd::{AsFd, BorrowedFd};

use super::mailbox::SocketMail;
use crate::transport::dial::Dialled;
use crate::transport::wire::{Chunk, Shared};

/// How many chunks may be filled before one of them was understood.
const CHUNKS: usize = 4;

/// How large a chunk is, in bytes.
const CHUNK: usize = 64 * 1024;

/// How large it is before one was filled to the brim: a short run reads little, and would zero the
/// rest for nothing.
const FIRST_CHUNK: usize = 4 * 1024;

/// The socket as far as it is read.
#[derive(Debug)]
pub struct Line {
    /// What the dialling has read too far.
    early: Cursor<Vec<u8>>,
    /// Who writes holds it, too.
    socket: Shared,
    spare: Vec<Chunk>,
    made: usize,
    /// More comes at once than a small chunk holds.
    roomy: bool,
    ended: bool,
}

impl Line {
    /// The reading end of what was dialled.
    pub fn new(dialled: &mut Dialled) -> Self {
        let early = Cursor::new(std::mem::take(&mut dialled.early));
        let socket = dialled.socket.clone();
        Self {
            early,
            socket,
            spare: Vec::with_capacity(CHUNKS),
            made: 0,
            roomy: false,
            ended: false,
        }
    }

    /// Whether there is a chunk to read into, and something may come.
    pub fn has_room(&self) -> bool {
        !self.ended && (!self.spare.is_empty() || self.made < CHUNKS)
    }

    /// Whether there is something to read without waiting for the socket.
    pub fn is_ready(&self) -> bool {
        self.early.position() < self.early.get_ref().len() as u64
    }

    /// The socket to wait for.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// A chunk that was understood.
    pub fn recycle(&mut self, chunk: Chunk) {
        if self.roomy && chunk.capacity() < CHUNK {
            self.made = self.made.saturating_sub(1);
        } else if self.spare.len() < CHUNKS {
            self.spare.push(chunk);
        }
    }

    /// One read; call when there is something to read, and room.
    pub fn read(&mut self) -> SocketMail {
        let mut chunk = self.spare.pop().unwrap_or_else(|| {
            // Most connections never need more than one or two.
            self.made += 1;
            Chunk::with_capacity(if self.roomy { CHUNK } else { FIRST_CHUNK })
        });
        let result = if self.is_ready() {
            chunk.fill_from(&mut self.early)
        } else {
            chunk.fill_from(&mut self.socket)
        };
        self.roomy |= chunk.unread().len() == chunk.capacity();
        self.ended = !matches!(result, Ok(1..));
        match result {
            Ok(0) => SocketMail::End(None),
            Ok(_) => SocketMail::Bytes(chunk),
            Err(error) => SocketMail::End(Some(error)),
        }
    }
}
