//! Connections that are ended and made anew one after the other, all the time.

use crate::client::fleet::Cause;
use crate::command::bench::results::ChurnResults;

/// What was ended and made anew so far.
#[derive(Debug, Default)]
pub struct Churn {
    /// The connection whose turn it is, if it is ready.
    next: usize,
    results: ChurnResults,
}

impl Churn {
    /// The connection whose turn it is, if it is ready.
    pub fn next(&self) -> usize {
        self.next
    }

    /// How many turns there were.
    #[expect(clippy::cast_precision_loss, reason = "2^53 connections take longer than any run")]
    pub fn turns_before(&self) -> f64 {
        self.results.ended as f64
    }

    /// A connection is ended.
    pub fn end(&mut self, id: usize) {
        self.next = id + 1;
        self.results.ended += 1;
    }

    /// It is back after so many nanoseconds.
    pub fn back(&mut self, session_present: bool, took: u64) {
        self.results.back.add(took);
        self.results.session_present += u64::from(session_present);
    }

    /// It could not come back.
    pub fn failed(&mut self, cause: Cause) {
        *self.results.failed.entry(cause).or_default() += 1;
    }

    /// What came of it, at the end of the run.
    pub fn finish(&mut self) -> ChurnResults {
        std::mem::take(&mut self.results)
    }
}
