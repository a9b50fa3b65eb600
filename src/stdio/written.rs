//! Counts of what the thread of the output has written. The caller can stop that thread between
//! two files, so that the counts are final.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Messages, and the bytes of their payloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Whole messages.
    pub messages: u64,
    /// Their payloads.
    pub bytes: u64,
}

impl Counts {
    /// Adds others.
    pub fn add(&mut self, others: Self) {
        self.messages += others.messages;
        self.bytes += others.bytes;
    }
}

/// The counts, shared by the caller and the thread.
#[derive(Debug, Default)]
pub struct Written {
    state: Mutex<WriteState>,
    file_ended: Condvar,
}

#[derive(Debug, Default)]
struct WriteState {
    counts: Counts,
    /// The thread is writing a file.
    is_busy: bool,
    /// The thread begins no other file.
    is_stopped: bool,
}

impl Written {
    /// The thread begins a file; false if it must not.
    pub fn begin_file(&self) -> bool {
        let mut state = self.state();
        state.is_busy = !state.is_stopped;
        state.is_busy
    }

    /// The file is written, or has failed: then it counts nothing.
    pub fn end_file(&self, counts: Counts) {
        let mut state = self.state();
        state.is_busy = false;
        state.counts.add(counts);
        self.file_ended.notify_all();
    }

    /// Something was written to a stream.
    pub fn add(&self, counts: Counts) {
        self.state().counts.add(counts);
    }

    /// The thread begins no other file; what it has written when the one that it is writing has
    /// ended, or after `patience`.
    pub fn stop(&self, patience: Duration) -> Counts {
        let mut state = self.state();
        state.is_stopped = true;
        let ended = self.file_ended.wait_timeout_while(state, patience, |state| state.is_busy);
        ended.unwrap_or_else(PoisonError::into_inner).0.counts
    }

    fn state(&self) -> MutexGuard<'_, WriteState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
