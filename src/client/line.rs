//! The reading end of a connection: what arrives, in chunks of which there are only so many. It must never
//! know what the bytes mean.

use std::io::{self, Cursor};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::Socket;

use super::mailbox::SocketMail;
use crate::transport::dial::Dialled;
use crate::transport::wire::Chunk;

/// How many chunks may be filled before one of them was understood.
const CHUNKS: usize = 4;

/// How large a chunk is, in bytes.
const CHUNK: usize = 64 * 1024;

/// The socket as far as it is read.
#[derive(Debug)]
pub struct Line {
    /// What the dialling has read too far.
    early: Cursor<Vec<u8>>,
    /// Without it there is only the end.
    socket: io::Result<Socket>,
    spare: Vec<Chunk>,
    made: usize,
    ended: bool,
}

impl Line {
    /// The reading end of what was dialled.
    pub fn new(dialled: &mut Dialled) -> Self {
        let early = Cursor::new(std::mem::take(&mut dialled.early));
        Self {
            early,
            socket: dialled.socket.try_clone(),
            spare: Vec::with_capacity(CHUNKS),
            made: 0,
            ended: false,
        }
    }

    /// Whether there is a chunk to read into, and something may come.
    pub fn has_room(&self) -> bool {
        !self.ended && (!self.spare.is_empty() || self.made < CHUNKS)
    }

    /// Whether there is something to read without waiting for the socket.
    pub fn is_ready(&self) -> bool {
        self.has_early() || self.socket.is_err()
    }

    /// The socket to wait for.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().ok().map(AsFd::as_fd)
    }

    fn has_early(&self) -> bool {
        self.early.position() < self.early.get_ref().len() as u64
    }

    /// A chunk that was understood.
    pub fn recycle(&mut self, chunk: Chunk) {
        if self.spare.len() < CHUNKS {
            self.spare.push(chunk);
        }
    }

    /// One read; call when there is something to read, and room.
    pub fn read(&mut self) -> SocketMail {
        let mut chunk = self.spare.pop().unwrap_or_else(|| {
            // Most connections never need more than one or two.
            self.made += 1;
            Chunk::with_capacity(CHUNK)
        });
        let early = self.has_early();
        let result = match &mut self.socket {
            _ if early => chunk.fill_from(&mut self.early),
            Ok(socket) => chunk.fill_from(socket),
            Err(error) => Err(io::Error::from(error.kind())),
        };
        self.ended = !matches!(result, Ok(1..));
        match result {
            Ok(0) => SocketMail::End(None),
            Ok(_) => SocketMail::Bytes(chunk),
            Err(error) => SocketMail::End(Some(error)),
        }
    }
}
