//! SIGINT, SIGTERM, SIGHUP and, for `ping`, SIGQUIT. In a client the first of those that end it is
//! reported to its loop, and the second ends the process at once; `serve` passes each signal on to
//! its command.
//!
//! Handlers set flags and write to a socket that the loop waits for, which needs no thread. A
//! thread, which [`Signals::guard`] starts, is needed only to end the process while the main thread
//! hangs in a write to a pipe that is not read.

mod group_guard;
mod run;
mod watch;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::{exit, pipe, unregister};

pub use group_guard::GroupGuard;
pub use run::RunSignals;
pub use watch::{ReceivedSignal, SignalSource, SignalWatch};

/// The signals that are watched; each a second time in the type that `register_usize` takes.
const SIGNALS: [(i32, usize); 3] = [(SIGINT, 2), (SIGTERM, 15), (SIGHUP, 1)];

/// The time from a signal to the end of the process. Only a socket to a server that reads nothing
/// needs longer, and there waiting would not help.
const TIME_TO_OBEY: Duration = Duration::from_secs(5);

/// The signals that are watched: not SIGHUP if it was ignored when the program was started, which
/// is what nohup does.
fn handled() -> impl Iterator<Item = (i32, usize)> {
    let ignores_hangup = is_ignored(SIGHUP);
    SIGNALS.into_iter().filter(move |(signal, _)| *signal != SIGHUP || !ignores_hangup)
}

/// Whether this signal was ignored when the process was started. There is no safe call for that:
/// sigaction is unsafe in every crate. On Linux it is in `/proc/self/stat`, which is shorter than
/// `status`; elsewhere the answer is no.
fn is_ignored(signal: i32) -> bool {
    let mut stat = [0; 1024];
    let length = File::open("/proc/self/stat").and_then(|mut file| file.read(&mut stat));
    ignored_signals(&stat[..length.unwrap_or(0)]) & (1 << (signal - 1)) != 0
}

/// The signals below 32 that this line of `/proc/PID/stat` says are ignored, as bits from 0 for
/// signal 1; none in any other text.
fn ignored_signals(stat: &[u8]) -> u64 {
    // The command in parentheses is field 2, and may hold anything; the mask is field 33.
    let fields = stat.iter().rposition(|byte| *byte == b')').map_or(&[][..], |at| &stat[at + 1..]);
    let mask = fields.split(|byte| *byte == b' ').nth(33 - 2);
    mask.and_then(|mask| std::str::from_utf8(mask).ok()?.parse().ok()).unwrap_or(0)
}

/// The signals of a client.
#[derive(Debug)]
pub struct Signals {
    /// The number of the signal that came; 0 before.
    came: Arc<AtomicUsize>,
    /// Whether the next signal ends the process at once.
    ends_at_next: Arc<AtomicBool>,
    /// How many milliseconds longer the end may take.
    more: Arc<AtomicU64>,
    is_taken: bool,
    is_guarded: Cell<bool>,
    handled: Vec<i32>,
    /// What was registered.
    handlers: RefCell<Vec<SigId>>,
}

impl Signals {
    /// Watches signals from now on; each writes a byte to `waker`.
    pub fn new(waker: &UnixStream) -> io::Result<Self> {
        let came = Arc::new(AtomicUsize::new(0));
        let ends_at_next = Arc::new(AtomicBool::new(false));
        let (mut registered, mut handlers) = (Vec::new(), Vec::new());
        for (signal, number) in handled() {
            registered.push(signal);
            let ends = || Arc::clone(&ends_at_next);
            handlers.extend([
                // Handlers run in the order of their registration: the number first, so that a
                // signal that comes now is not lost.
                flag::register_usize(signal, Arc::clone(&came), number)?,
                flag::register_conditional_shutdown(signal, 128 + signal, ends())?,
                flag::register(signal, ends())?,
                pipe::register(signal, waker.try_clone()?)?,
            ]);
        }
        let (is_taken, is_guarded) = (false, Cell::new(false));
        let (more, handlers) = (Arc::default(), RefCell::new(handlers));
        Ok(Self { came, ends_at_next, more, is_taken, is_guarded, handled: registered, handlers })
    }

    /// Another part of the program watches signals, and did so before: nothing follows here from
    /// one that came or comes.
    pub fn leave(&mut self) {
        self.handlers.get_mut().drain(..).for_each(|handler| {
            unregister(handler);
        });
        self.came.store(0, Ordering::SeqCst);
        self.is_guarded.set(true);
    }

    /// The signal that came; `None` when it was taken before.
    pub fn take(&mut self) -> Option<i32> {
        let came = came(&self.came).filter(|_| !self.is_taken)?;
        self.is_taken = true;
        // The handler has set it, unless the signal came between two registrations.
        self.ends_at_next.store(true, Ordering::SeqCst);
        self.guard();
        Some(came)
    }

    /// The end of the process may take so much longer: the caller waits for something that is worth
    /// it, and is told of a second signal.
    pub fn extend(&self, more: Duration) {
        let more = u64::try_from(more.as_millis()).unwrap_or(u64::MAX);
        self.more.store(more, Ordering::SeqCst);
    }

    /// Starts the thread that ends the process: call it before the main thread may hang. If the
    /// thread cannot be started, a second signal is needed, which is no reason to fail.
    pub fn guard(&self) {
        if !self.is_guarded.replace(true) {
            let _ = self.start_guard();
        }
    }

    fn start_guard(&self) -> io::Result<()> {
        let (writer, mut reader) = UnixStream::pair()?;
        for signal in &self.handled {
            self.handlers.borrow_mut().push(pipe::register(*signal, writer.try_clone()?)?);
        }
        let signal = Arc::clone(&self.came);
        let more = Arc::clone(&self.more);
        let watch = move || {
            // A signal that came before the socket was registered has set the number.
            while came(&signal).is_none() {
                // Nothing can come any more after `leave`.
                if matches!(reader.read(&mut [0]), Ok(0)) {
                    return;
                }
            }
            thread::sleep(TIME_TO_OBEY);
            while let Some(signal) = came(&signal) {
                match more.swap(0, Ordering::SeqCst) {
                    0 => exit(128 + signal),
                    more => thread::sleep(Duration::from_millis(more)),
                }
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(watch).map(drop)
    }
}

impl Drop for Signals {
    /// No loop looks for signals any more: without a guard the next signal must end the process.
    fn drop(&mut self) {
        if !self.is_guarded.get() {
            self.ends_at_next.store(true, Ordering::SeqCst);
            if came(&self.came).is_some() {
                self.guard();
            }
        }
    }
}

fn came(signal: &AtomicUsize) -> Option<i32> {
    i32::try_from(signal.load(Ordering::SeqCst)).ok().filter(|signal| *signal > 0)
}

/// SIGQUIT as ping(8) understands it: it asks for the figures so far.
#[derive(Debug)]
pub struct QuitWatch(Arc<AtomicBool>);

impl QuitWatch {
    /// Watches it from now on; it writes a byte to `waker`.
    pub fn begin(waker: &UnixStream) -> io::Result<Self> {
        // Handlers run in the order of their registration: first the flag, then the byte.
        let came = Arc::default();
        flag::register(SIGQUIT, Arc::clone(&came))?;
        pipe::register(SIGQUIT, waker.try_clone()?)?;
        Ok(Self(came))
    }

    /// Whether it has come since the last call.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_field_33() {
        let stat =
            b"42 (a b) 3)) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 \
            28 29 30 31 32 4097 34 35\n";
        assert_eq!(ignored_signals(stat), 4097);
        for wrong in [&b""[..], b"42", b"42 (a) S", b"42 (a) S 4 x"] {
            assert_eq!(ignored_signals(wrong), 0);
        }
    }

    #[test]
    fn a_test_is_not_started_to_ignore_sigterm() {
        assert!(!is_ignored(SIGTERM));
    }
}
