//! What is noted for other parts of the run where the readers are split.

use std::collections::BTreeMap;

use super::team::SentMessages;
use super::{Load, RunDisplay};
use crate::command::bench::split::{ExcusedMessage, ReadStream, WrittenStream, ranges};

/// How many numbers that have not come are told of one reader and stream at most.
const MOST_HOLES: usize = 10_000;

impl<D: RunDisplay> Load<D> {
    /// Notes what was published, for readers in other parts. The first loop does so for all.
    pub(super) fn note_written(
        &mut self,
        sent: &SentMessages,
        excuses: &BTreeMap<usize, Vec<ExcusedMessage>>,
    ) {
        let split = &mut self.results.verified.split;
        let writers = self.context.load.plan.writers;
        if split.topic.is_none() || !writers.is_here() || !self.context.member.leads() {
            return;
        }
        let stream = |(stream, [sent, in_window]): (usize, &[u64; 2])| WrittenStream {
            sent: *sent,
            in_window: *in_window,
            excused: excuses.get(&stream).cloned().unwrap_or_default(),
        };
        split.written = sent.streams.iter().enumerate().map(stream).collect();
    }

    /// Notes what came of a stream that is published elsewhere.
    pub(super) fn note_read(&mut self, reader: usize, stream: usize) {
        let place = self.context.pair(reader, stream);
        let Some(tally) = self.receiving.tally(place) else { return };
        let holes = ranges(self.receiving.holes(place).take(MOST_HOLES));
        let read = ReadStream { stream, tally, holes };
        *self.results.verified.split.read.entry(read).or_default() += 1;
    }
}
