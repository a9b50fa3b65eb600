//! The signals of `serve`, each with where it came from, and the end of its command.

use std::io;

use signal_hook::consts::{SIGCHLD, SIGINT, SIGQUIT, SIGUSR1};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin;
use signal_hook::low_level::siginfo::Cause;

use super::handled;

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedSignal {
    /// Its number.
    pub number: i32,
    /// Where it came from.
    pub source: SignalSource,
    /// The process that has sent it, if that is known.
    pub sender: Option<i32>,
}

impl ReceivedSignal {
    /// Whether it asks `serve` itself for something: it is SIGUSR1.
    pub fn is_request(self) -> bool {
        self.number == SIGUSR1
    }
}

/// Where a signal came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalSource {
    /// A key, or the end, of the terminal: each process of the process group has got it.
    Terminal,
    /// Another process.
    Process,
}

/// Watches SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGCHLD from its creation on.
#[derive(Debug)]
pub struct SignalWatch(SignalsInfo<WithOrigin>);

impl SignalWatch {
    /// Watches signals from now on.
    pub fn begin() -> io::Result<Self> {
        let numbers = handled().map(|(signal, _)| signal);
        SignalsInfo::new(numbers.chain([SIGQUIT, SIGUSR1, SIGCHLD])).map(Self)
    }

    /// Waits for signals, or for the end of a command: then there may be none.
    pub fn wait(&mut self) -> Vec<ReceivedSignal> {
        self.0
            .wait()
            .filter(|origin| origin.signal != SIGCHLD)
            .map(|origin| received(&origin))
            .collect()
    }
}

fn received(origin: &Origin) -> ReceivedSignal {
    let source = match origin.cause {
        Cause::Kernel => SignalSource::Terminal,
        // Systems that do not say: these two are mostly typed.
        Cause::Unknown if matches!(origin.signal, SIGINT | SIGQUIT) => SignalSource::Terminal,
        _ => SignalSource::Process,
    };
    let sender = origin.process.map(|process| process.pid);
    ReceivedSignal { number: origin.signal, source, sender }
}
