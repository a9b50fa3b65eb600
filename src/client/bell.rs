//! What wakes the thread that waits: other threads ring when they have posted. It must never know
//! what.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

/// A bell that is heard by `poll`. Ringing costs a system call only while somebody listens.
#[derive(Debug)]
pub struct Bell {
    listening: AtomicBool,
    rope: UnixStream,
    ear: UnixStream,
}

impl Bell {
    /// A silent bell.
    pub fn new() -> io::Result<Self> {
        let (rope, ear) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Self { listening: AtomicBool::new(false), rope, ear })
    }

    /// Wakes who listens; call after there is something to find.
    pub fn ring(&self) {
        if self.listening.swap(false, Ordering::SeqCst) {
            // A rope that takes nothing more has been pulled already.
            let _ = (&self.rope).write(&[0]);
        }
    }

    /// For who pulls it whether anybody listens or not.
    pub fn rope(&self) -> &UnixStream {
        &self.rope
    }

    /// From now on it rings aloud; look once more before you sleep.
    pub fn listen(&self) {
        self.listening.store(true, Ordering::SeqCst);
    }

    /// Nobody sleeps any more.
    pub fn rest(&self) {
        self.listening.store(false, Ordering::SeqCst);
    }

    /// It rang: that is over.
    pub fn silence(&self) {
        // More than one pull is rare, and would only wake us once more.
        let _ = (&self.ear).read(&mut [0; 16]);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ear.as_fd()
    }
}
