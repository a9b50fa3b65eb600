//! SIGINT and SIGTERM: the first is noticed, and obeyed in time; the second ends the process at
//! once. It must never know what obeying means.
//!
//! Handlers raise flags and ring the bell; that takes no thread. Only that the process obeys even
//! when the main thread hangs, in a write to a pipe that nobody reads, takes one:
//! [`Signals::guard`] starts it.

use std::cell::Cell;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::{exit, pipe};

/// What we listen for, twice: a flag has another type.
const SIGNALS: [(i32, usize); 2] = [(SIGINT, 2), (SIGTERM, 15)];

/// How long it may take to obey a signal. Only a socket that takes nothing any more needs longer,
/// and then there is nothing left that waiting could save.
const OBEDIENCE: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct Signals {
    /// The one that came; zero before.
    came: Arc<AtomicUsize>,
    /// The next one ends the process at once.
    armed: Arc<AtomicBool>,
    is_told: bool,
    is_guarded: Cell<bool>,
}

impl Signals {
    /// From now on signals are noticed, and pull `rope`.
    pub fn new(rope: &UnixStream) -> io::Result<Self> {
        let came = Arc::new(AtomicUsize::new(0));
        let armed = Arc::new(AtomicBool::new(false));
        for (signal, number) in SIGNALS {
            // First of all, so that none is lost that comes now; a handler does these in this
            // order.
            flag::register_usize(signal, Arc::clone(&came), number)?;
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&armed))?;
            flag::register(signal, Arc::clone(&armed))?;
            pipe::register(signal, rope.try_clone()?)?;
        }
        Ok(Self { came, armed, is_told: false, is_guarded: Cell::new(false) })
    }

    /// The signal that came, once.
    pub fn take(&mut self) -> Option<i32> {
        let came = came(&self.came).filter(|_| !self.is_told)?;
        self.is_told = true;
        // The handler has done so, unless the signal came between its parts.
        self.armed.store(true, Ordering::SeqCst);
        self.guard();
        Some(came)
    }

    /// From now on the main thread may hang. Without a thread that helps it takes a second signal;
    /// that is no reason to fail.
    pub fn guard(&self) {
        if !self.is_guarded.replace(true) {
            let _ = self.start_guard();
        }
    }

    fn start_guard(&self) -> io::Result<()> {
        let (rope, mut ear) = UnixStream::pair()?;
        for (signal, _) in SIGNALS {
            pipe::register(signal, rope.try_clone()?)?;
        }
        let signal = Arc::clone(&self.came);
        let watch = move || {
            // Who came before the rope was there has raised the flag.
            let signal = loop {
                match came(&signal) {
                    Some(signal) => break signal,
                    None => drop(ear.read(&mut [0])),
                }
            };
            thread::sleep(OBEDIENCE);
            exit(128 + signal);
        };
        thread::Builder::new().name("signals".to_owned()).spawn(watch).map(drop)
    }
}

impl Drop for Signals {
    /// Nobody looks for signals any more: without a guard the next one has to end the process by
    /// itself.
    fn drop(&mut self) {
        if !self.is_guarded.get() {
            self.armed.store(true, Ordering::SeqCst);
            if came(&self.came).is_some() {
                self.guard();
            }
        }
    }
}

fn came(signal: &AtomicUsize) -> Option<i32> {
    i32::try_from(signal.load(Ordering::SeqCst)).ok().filter(|signal| *signal > 0)
}
