//! Where the sending notes what it did.

use crate::command::bench::load::context::Context;
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::results::{Latencies, MessageResults};

/// Where it is noted what was sent.
pub struct SentSink<'a> {
    /// The messages of the window.
    pub messages: &'a mut MessageResults,
    /// The times.
    pub latencies: &'a mut Latencies,
    /// Of the current second: how late messages were.
    pub second_lateness: &'a mut LatencyTimes,
    /// Of the current second: how many messages left.
    pub second_sent: &'a mut u64,
}

impl SentSink<'_> {
    pub(super) fn lateness(&mut self, late: u64, intended: u64, context: &Context) {
        if context.window.holds(intended) {
            self.latencies.lateness.add(late);
            self.second_lateness.add(late);
        }
    }
}

/// Where it is noted what was acknowledged.
pub struct AcknowledgedSink<'a> {
    /// The messages of the window.
    pub messages: &'a mut MessageResults,
    /// The times.
    pub latencies: &'a mut Latencies,
}
