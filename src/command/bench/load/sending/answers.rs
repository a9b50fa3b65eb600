//! What came of the messages that were sent: acknowledgements, copies that arrived, or nothing.

use super::publisher::{FINISHED, WaitReason};
use super::{AcknowledgedSink, LoadSending, OpenMessage};
use crate::command::bench::load::context::Context;
use crate::command::bench::results::MessageResults;
use crate::mqtt::reason::ReasonCode;

/// For how long nothing may come back at QoS 0 before the window is emptied, in nanoseconds.
const NO_PROGRESS: u64 = 1_000_000_000;

/// How often that is looked at, in nanoseconds.
const LOOK: u64 = 100_000_000;

impl LoadSending {
    /// Empties windows of QoS 0 from which nothing came for a second: what is missing is lost.
    pub(super) fn write_off(&mut self, context: &Context, messages: &mut MessageResults, now: u64) {
        if self.look_at.is_none_or(|at| at > now) {
            return;
        }
        self.look_at = Some(now + LOOK);
        for publisher in 0..self.publishers.len() {
            let of = &mut self.publishers[publisher];
            if of.wait == WaitReason::Window && of.progress + NO_PROGRESS <= now {
                let arrived = context.messages_of(publisher, of.arrived);
                of.written_off = of.sent.saturating_sub(arrived);
                of.progress = now;
                messages.emptied += 1;
                self.unblock(publisher, context, now);
            }
        }
    }

    /// Copies of so many messages came to a reader (QoS 0), or will not come any more, as a later
    /// one has come: the window has room again.
    pub fn arrived(&mut self, publisher: usize, copies: u64, context: &Context, now: u64) {
        let of = &mut self.publishers[publisher];
        of.arrived += copies;
        of.progress = now;
        if of.written_off > 0 {
            // What was written off may come all the same.
            let arrived = context.messages_of(publisher, of.arrived);
            of.written_off = of.written_off.min(of.sent.saturating_sub(arrived));
        }
        if of.wait == WaitReason::Window {
            self.unblock(publisher, context, now);
        }
    }

    /// A message is finished.
    pub fn acknowledged(
        &mut self,
        publisher: usize,
        token: u64,
        code: ReasonCode,
        context: &Context,
        sink: &mut AcknowledgedSink<'_>,
        now: u64,
    ) {
        let Some(intended) = self.finish(publisher, token) else { return };
        if code.is_error() {
            let (topic, stream, _) = context.load.plan.place(publisher, token);
            // It need not come.
            self.expected -= context.readers[topic];
            self.streams[stream][0] -= 1;
            if context.window.holds(intended) {
                *sink.messages.refused.entry(code).or_default() += 1;
                self.streams[stream][1] -= 1;
            }
        } else if context.window.holds(intended) {
            sink.messages.acknowledged += 1;
            sink.latencies.acknowledgement.add(now.saturating_sub(intended));
        }
        self.unblock(publisher, context, now);
    }

    /// The server may or may not have the message, and it is not sent again.
    pub fn in_doubt(
        &mut self,
        publisher: usize,
        token: u64,
        context: &Context,
        messages: &mut MessageResults,
    ) {
        if let Some(intended) = self.finish(publisher, token) {
            messages.unacknowledged += u64::from(context.window.holds(intended));
            self.doubtful.push((publisher, token, intended));
        }
    }

    pub(super) fn finish(&mut self, publisher: usize, token: u64) -> Option<u64> {
        let of = &mut self.publishers[publisher];
        let at = usize::try_from(token.checked_sub(of.first)?).ok()?;
        let place = of.unfinished.get_mut(at)?;
        let intended = std::mem::replace(place, FINISHED);
        if intended == FINISHED {
            return None;
        }
        of.forget_finished();
        of.open -= 1;
        self.unfinished -= 1;
        Some(intended)
    }

    /// The messages that are not finished.
    pub fn open_messages(&self) -> Vec<OpenMessage> {
        let mut open = Vec::new();
        for (publisher, of) in self.publishers.iter().enumerate() {
            let times = (of.first..).zip(&of.unfinished);
            let times = times.filter(|(_, intended)| **intended != FINISHED);
            open.extend(times.map(|(number, intended)| (publisher, number, *intended)));
        }
        open
    }
}
