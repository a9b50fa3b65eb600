//! The signals of a run that clears up at a server before it ends. Its loop is told of the first
//! two; one more ends the process at once. So does each after [`RunSignals::finish`], if it has not
//! ended meanwhile; and a loop that does not go on is not waited for.

use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::flag;
use signal_hook::low_level::{exit, pipe};

use super::{QuitWatch, TIME_TO_OBEY, came, handled};

/// Of so many signals the loop is told.
const MOST_TOLD: usize = 2;

/// What is left to do after [`RunSignals::finish`] takes less, unless nobody reads it.
const TIME_TO_PRINT: Duration = Duration::from_millis(250);

/// SIGINT, SIGTERM and SIGHUP, and SIGQUIT, which asks for the figures so far.
#[derive(Debug)]
pub struct RunSignals {
    /// For each signal that ends the run a byte comes.
    ending: UnixStream,
    /// For each SIGQUIT, too.
    asking: UnixStream,
    quit: QuitWatch,
    /// Of how many the loop was told.
    told: AtomicUsize,
    guarded: Arc<GuardedRun>,
}

/// What the thread knows that ends the process.
#[derive(Debug)]
struct GuardedRun {
    /// The number of the latest signal; 0 before.
    came: Arc<AtomicUsize>,
    /// Of how many the loop was told when it had ended; at first the largest number.
    most: AtomicUsize,
    /// Whether the loop has made a turn since it was looked.
    has_turned: AtomicBool,
}

impl RunSignals {
    /// Watches signals from now on.
    pub fn begin() -> io::Result<Self> {
        let (ending, told) = UnixStream::pair()?;
        let (asking, asked) = UnixStream::pair()?;
        let (guard, warned) = UnixStream::pair()?;
        ending.set_nonblocking(true)?;
        asking.set_nonblocking(true)?;
        let came = Arc::default();
        for (signal, number) in handled() {
            // Handlers run in the order of their registration: the number is there with the byte.
            flag::register_usize(signal, Arc::clone(&came), number)?;
            pipe::register(signal, told.try_clone()?)?;
            pipe::register(signal, warned.try_clone()?)?;
        }
        let (most, has_turned) = (usize::MAX.into(), AtomicBool::new(false));
        let guarded = Arc::new(GuardedRun { came, most, has_turned });
        let quit = QuitWatch::begin(&asked)?;
        let shared = Arc::clone(&guarded);
        thread::Builder::new().name("signals".to_owned()).spawn(move || shared.guard(guard))?;
        Ok(Self { ending, asking, quit, told: AtomicUsize::new(0), guarded })
    }

    /// What becomes readable when a signal comes: a loop waits for it.
    pub fn descriptors(&self) -> [RawFd; 2] {
        [self.ending.as_raw_fd(), self.asking.as_raw_fd()]
    }

    /// The next signal that ends the run.
    pub fn take(&self) -> Option<i32> {
        if !matches!((&self.ending).read(&mut [0]), Ok(1)) {
            return None;
        }
        self.told.fetch_add(1, Ordering::SeqCst);
        came(&self.guarded.came)
    }

    /// Whether the figures so far were asked for since the last call.
    pub fn take_request(&self) -> bool {
        while matches!((&self.asking).read(&mut [0; 64]), Ok(1..)) {}
        self.quit.take()
    }

    /// The loop makes a turn: it obeys.
    pub fn note_turn(&self) {
        self.guarded.has_turned.store(true, Ordering::Relaxed);
    }

    /// There is nothing left to clear up: the next signal ends the process.
    pub fn finish(&self) {
        while self.take().is_some() {}
        self.guarded.most.store(self.told.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

impl Drop for RunSignals {
    fn drop(&mut self) {
        self.finish();
    }
}

impl GuardedRun {
    /// Ends the process when it is time.
    fn guard(&self, mut reader: UnixStream) {
        let (mut count, mut has_ended) = (0, false);
        loop {
            let is_over = match reader.read(&mut [0]) {
                Ok(0) => return,
                Ok(_) => {
                    count += 1;
                    let is_one_more = has_ended || count > MOST_TOLD;
                    // The loop was not told of this one: it had ended.
                    has_ended = count > self.most.load(Ordering::SeqCst);
                    let time = if has_ended { TIME_TO_PRINT } else { TIME_TO_OBEY };
                    // Without it the next signal is waited for.
                    let _ = reader.set_read_timeout(Some(time));
                    is_one_more
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => false,
                Err(error) if is_late(&error) => {
                    has_ended || !self.has_turned.swap(false, Ordering::SeqCst)
                }
                Err(_) => return,
            };
            if is_over && let Some(signal) = came(&self.came) {
                exit(128 + signal);
            }
        }
    }
}

/// Whether nothing came in time.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
