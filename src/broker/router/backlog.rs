//! How many bytes wait to be sent to one client: counted up by the router, down by the thread that
//! writes to the client.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use crate::broker::limits::{SLOW_BYTES, UNSENT_BYTES};

/// The backlog of one connection, shared between the router and the connection's writer.
#[derive(Debug, Default)]
pub struct Backlog {
    unsent: AtomicUsize,
    queued: AtomicUsize,
    starved: AtomicBool,
    stuck: AtomicBool,
}

impl Backlog {
    /// Bytes were handed over to be written.
    pub fn add(&self, weight: usize) {
        self.unsent.fetch_add(weight, SeqCst);
    }

    /// Counts written bytes down. True if the router waits for that (`Router::relieved`).
    #[must_use]
    pub fn sent(&self, weight: usize) -> bool {
        let before = self.unsent.fetch_sub(weight, SeqCst);
        self.stuck.store(false, SeqCst);
        before.saturating_sub(weight) <= UNSENT_BYTES / 2 && self.starved.swap(false, SeqCst)
    }

    /// Bytes handed over and not yet written.
    pub fn unsent(&self) -> usize {
        self.unsent.load(SeqCst)
    }

    /// Everything that waits for the client, in bytes.
    pub fn total(&self) -> usize {
        self.unsent() + self.queued.load(SeqCst)
    }

    /// What waits in the client's session, in bytes.
    pub fn set_queued(&self, weight: usize) {
        self.queued.store(weight, SeqCst);
    }

    /// Whether nothing more should be handed over. Asks to be told when that changes.
    pub fn is_full(&self) -> bool {
        if self.unsent() <= UNSENT_BYTES {
            return false;
        }
        self.starved.store(true, SeqCst);
        // The writer may have finished between the two steps, and then it reports nothing more.
        self.unsent() > UNSENT_BYTES / 2 || !self.starved.swap(false, SeqCst)
    }

    /// Whether publishers should be held back for this client.
    pub fn is_slow(&self) -> bool {
        self.total() > SLOW_BYTES && !self.stuck.load(SeqCst)
    }

    /// A publisher was held back in vain: no other is, until something is written again.
    pub fn set_stuck(&self) {
        self.stuck.store(true, SeqCst);
    }
}
