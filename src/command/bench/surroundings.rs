//! Where and when a run was.

use super::machine::Machine;
use super::part::RunPart;
use super::server::BenchServer;
use super::stored::StoredRun;

/// Where and when a run was, and what it is compared with.
pub struct Surroundings {
    /// The number of the run.
    pub run: u32,
    /// Which part of it.
    pub part: RunPart,
    /// The start of the run, as RFC 3339.
    pub start: String,
    /// The server.
    pub server: BenchServer,
    /// This machine.
    pub machine: Machine,
    /// An earlier run that it is compared with.
    pub baseline: Option<StoredRun>,
}
