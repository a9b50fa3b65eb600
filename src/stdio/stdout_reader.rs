//! Notices when the reader of our stdout closes its end of the pipe, without writing to it.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

/// The reader of stdout, if that is a pipe.
#[derive(Debug, Clone, Default)]
pub struct StdoutReader {
    gone: Arc<AtomicBool>,
}

impl StdoutReader {
    /// Starts a thread that waits until the reader has closed the pipe, and then calls `tell`. If
    /// stdout is not a pipe, no thread is started.
    pub fn watch(tell: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let reader = Self::default();
        let stdout = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
        if stdout.metadata()?.file_type().is_fifo() {
            let gone = Arc::clone(&reader.gone);
            let body = move || {
                if is_left(&stdout) {
                    gone.store(true, Ordering::SeqCst);
                    tell();
                }
            };
            thread::Builder::new().name("reader".to_owned()).spawn(body)?;
        }
        Ok(reader)
    }

    /// Whether the reader has gone.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }
}

/// Waits until the last reader of a pipe has closed it: `poll` reports that as an error even where
/// no event is asked for. A pipe that cannot be polled counts as one that is read.
fn is_left(pipe: &impl AsFd) -> bool {
    loop {
        let mut asked = [PollFd::new(pipe, PollFlags::empty())];
        match poll(&mut asked, None) {
            Ok(_) => return asked[0].revents().contains(PollFlags::ERR),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
