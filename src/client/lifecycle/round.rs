//! How far a try has come through the servers.

use std::time::Instant;

use super::fallback::progress;
use crate::client::error::Error;

/// How far a try has come through the servers.
#[derive(Debug)]
pub struct Round {
    /// Which of the addresses this is.
    pub address: usize,
    /// How many addresses come after it.
    pub left: usize,
    /// Until when all of them are tried.
    pub ends: Instant,
    /// Until when this one is, with all addresses of its name and the servers that it names.
    pub own_end: Instant,
    /// How many addresses of the name were not tried yet.
    pub untried: usize,
    /// The address that came furthest of those that were tried before, and its error.
    pub furthest: Option<(usize, Error)>,
}

impl Round {
    /// The address that came furthest, this one included, and its error; the first of those that
    /// came as far. A refusal that is about us is the error in any case: it has ended the try.
    pub fn furthest_with(&mut self, error: Error) -> (usize, Error) {
        let ends_try = !error.may_be_of_one_server();
        match self.furthest.take() {
            Some((at, first)) if !ends_try && progress(&first) >= progress(&error) => (at, first),
            _ => (self.address, error),
        }
    }
}
