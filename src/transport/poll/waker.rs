//! Wakes the thread that waits in `poll`, after another thread has posted something.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

/// A pair of sockets. Waking costs a system call only while the thread waits.
#[derive(Debug)]
pub struct Waker {
    is_awaited: AtomicBool,
    writer: UnixStream,
    reader: UnixStream,
}

impl Waker {
    /// A waker of a thread that does not wait yet.
    pub fn new() -> io::Result<Self> {
        let (writer, reader) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        reader.set_nonblocking(true)?;
        Ok(Self { is_awaited: AtomicBool::new(false), writer, reader })
    }

    /// Wakes the thread that waits; call after there is something for it to find.
    pub fn wake(&self) {
        if self.is_awaited.swap(false, Ordering::SeqCst) {
            // A full buffer holds a byte that wakes.
            let _ = (&self.writer).write(&[0]);
        }
    }

    /// For signal handlers, which always write.
    pub fn writer(&self) -> &UnixStream {
        &self.writer
    }

    /// From now on [`Waker::wake`] writes; look once more for what was posted before the wait.
    pub fn before_sleep(&self) {
        self.is_awaited.store(true, Ordering::SeqCst);
    }

    /// The thread does not wait any more.
    pub fn after_sleep(&self) {
        self.is_awaited.store(false, Ordering::SeqCst);
    }

    /// The descriptor to wait for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// Takes what was written.
    pub fn drain(&self) {
        // More than one byte is rare, and would only wake us once more.
        let _ = (&self.reader).read(&mut [0; 16]);
    }
}
