//! What a bench knows beyond the point that is asked: another bench goes on with it where a fault
//! of this program has ended the first one.

use super::known::KnownServer;
use super::leftovers::Leftovers;
use crate::command::check::journal::Journal;
use crate::mqtt::version::Version;

/// What a bench knows.
#[derive(Clone)]
pub struct BenchMemory {
    /// What was seen.
    pub journal: Journal,
    /// What is known of the server.
    pub known: KnownServer,
    /// What is removed at the end.
    pub leftovers: Leftovers,
    /// How many connections were made.
    pub opened: u64,
}

impl BenchMemory {
    /// Nothing is known yet.
    pub fn new(journal: Journal) -> Self {
        let (known, leftovers) = (KnownServer::default(), Leftovers::default());
        Self { journal, known, leftovers, opened: 0 }
    }

    /// The newest version that is known to be spoken.
    pub fn newest(&self) -> Option<Version> {
        self.known.newest()
    }
}
