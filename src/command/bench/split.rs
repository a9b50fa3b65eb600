//! Parts of a run whose readers are split: what a part knows of streams that are published in
//! another, and what is decided when all of them are put together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::verify::PairTally;

/// What a part knows of streams whose readers are in several parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SplitTally {
    /// The number of its topic in the whole; `None` if the readers are not split.
    pub topic: Option<usize>,
    /// Its streams, if it has published them.
    pub written: Vec<WrittenStream>,
    /// What came to its readers, if they are published in another part; how many readers have each.
    pub read: BTreeMap<ReadStream, u64>,
    /// How many copies came whose times are of another clock.
    pub other_clock: u64,
    /// How long after `--start-at` the last of its subscribers was ready.
    pub late: Duration,
}

/// A stream, as the part that has published it knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenStream {
    /// How many messages were sent.
    pub sent: u64,
    /// Those of the window.
    pub in_window: u64,
    /// Those that need not come.
    pub excused: Vec<ExcusedMessage>,
}

/// A message that need not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExcusedMessage {
    /// Its number in the stream.
    pub sequence: u64,
    /// Why.
    pub why: ExcuseReason,
    /// Whether it belongs to the window.
    pub is_in_window: bool,
}

/// Why a message need not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExcuseReason {
    /// It was not acknowledged.
    Unacknowledged,
    /// It was of QoS 2, and the server lost the session.
    SessionLost,
}

/// What came of a stream to a reader.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadStream {
    /// The number of the stream.
    pub stream: usize,
    /// How much came.
    pub tally: PairTally,
    /// The numbers that did not come before the highest that did, as first and end.
    pub holes: Vec<(u64, u64)>,
}

/// Numbers that rise, as ranges.
pub fn ranges(numbers: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, end)) if *end == number => *end += 1,
            _ => ranges.push((number, number + 1)),
        }
    }
    ranges
}

impl SplitTally {
    /// Adds what another loop of the same part knows.
    pub fn add(&mut self, other: &Self) {
        self.topic = self.topic.or(other.topic);
        if self.written.is_empty() {
            self.written.clone_from(&other.written);
        }
        for (read, readers) in &other.read {
            *self.read.entry(read.clone()).or_default() += readers;
        }
        self.other_clock += other.other_clock;
        self.late = self.late.max(other.late);
    }

    /// Whether what came to its readers is decided only with the part that has published it.
    pub fn is_open(&self) -> bool {
        self.topic.is_some() && self.written.is_empty()
    }
}

/// How much is decided at most: so many such numbers can be added.
const MOST: u64 = 1 << 48;

/// What is decided of copies that were published in another part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecidedCopies {
    /// Copies that the readers must get.
    pub copies: u64,
    /// Those of the window.
    pub in_window: u64,
    /// Those that never came.
    pub lost: u64,
    /// What was sent while a reader was away, without a session.
    pub missed: u64,
    /// Of which nobody knows whether they were sent.
    pub undecided: u64,
}

impl DecidedCopies {
    /// What is decided of all that came to the readers of a part.
    pub fn of(read: &BTreeMap<ReadStream, u64>, written: &[WrittenStream]) -> Self {
        let mut all = Self::default();
        for (came, readers) in read {
            let none = WrittenStream::default();
            let one = came.decide(written.get(came.stream).unwrap_or(&none));
            let add = |all: &mut u64, one: u64| {
                *all = all.saturating_add(one.saturating_mul(*readers)).min(MOST);
            };
            add(&mut all.copies, one.copies);
            add(&mut all.in_window, one.in_window);
            add(&mut all.lost, one.lost);
            add(&mut all.missed, one.missed);
            add(&mut all.undecided, one.undecided);
        }
        all
    }
}

impl ReadStream {
    /// Whether a message has come.
    fn has(&self, sequence: u64) -> bool {
        let is_hole =
            |(first, end): &(u64, u64)| Range { start: *first, end: *end }.contains(&sequence);
        sequence < self.tally.next && !self.holes.iter().any(is_hole)
    }

    /// What is decided for one reader.
    fn decide(&self, written: &WrittenStream) -> DecidedCopies {
        let mut of = Decision::of(self.tally, [written.sent, written.in_window]);
        for excuse in written.excused.iter().filter(|excuse| !self.has(excuse.sequence)) {
            of.excuse(*excuse);
        }
        of.copies
    }
}

/// What is decided of a stream at one reader, message by message.
#[derive(Debug, Clone, Copy)]
pub struct Decision {
    /// What it is so far.
    pub copies: DecidedCopies,
}

impl Decision {
    /// All that was sent must come: so much, and so much of it in the window.
    pub fn of(tally: PairTally, [all, in_window]: [u64; 2]) -> Self {
        let (lost, missed) = tally.judge(all);
        Self { copies: DecidedCopies { copies: all, in_window, lost, missed, undecided: 0 } }
    }

    /// A message has not come, and need not.
    pub fn excuse(&mut self, excuse: ExcusedMessage) {
        let copies = &mut self.copies;
        copies.copies = copies.copies.saturating_sub(1);
        copies.in_window = copies.in_window.saturating_sub(u64::from(excuse.is_in_window));
        // It is one of those that are absent.
        if copies.lost > 0 {
            copies.lost -= 1;
        } else {
            copies.missed = copies.missed.saturating_sub(1);
        }
        copies.undecided += u64::from(excuse.why == ExcuseReason::SessionLost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::verify::Pair;

    #[test]
    fn what_came_elsewhere_is_decided_as_if_it_were_one_run() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let sent = random.u64(0..3000);
            let mut pair = Pair::default();
            let mut absent = Vec::new();
            let mut came = std::collections::BTreeSet::new();
            for sequence in 0..sent {
                if random.u8(0..20) == 0 {
                    continue;
                }
                absent.extend(pair.forgotten_by(sequence));
                pair.observe(sequence);
                came.insert(sequence);
            }
            let excused: Vec<ExcusedMessage> = (0..random.u64(0..5))
                .map(|_| ExcusedMessage {
                    sequence: random.u64(0..sent.max(1)),
                    why: ExcuseReason::Unacknowledged,
                    is_in_window: true,
                })
                .collect();
            let unique: std::collections::BTreeSet<u64> =
                excused.iter().map(|excuse| excuse.sequence).collect();
            let excused: Vec<ExcusedMessage> = unique
                .iter()
                .filter(|sequence| **sequence < sent)
                .map(|sequence| ExcusedMessage { sequence: *sequence, ..excused[0] })
                .collect();
            let holes = ranges(absent.into_iter().chain(pair.holes()));
            let read = ReadStream { stream: 0, tally: pair.tally(), holes };
            let need_not = excused.iter().filter(|excuse| !came.contains(&excuse.sequence)).count();
            let written = WrittenStream { sent, in_window: sent, excused };
            let readers = random.u64(1..4);
            let decided = DecidedCopies::of(&BTreeMap::from([(read, readers)]), &[written]);
            let copies = sent - need_not as u64;
            let lost = copies - came.len() as u64;
            let expected = DecidedCopies {
                copies: copies * readers,
                in_window: copies * readers,
                lost: lost * readers,
                missed: 0,
                undecided: 0,
            };
            assert_eq!(decided, expected, "seed {seed}");
        }
    }

    #[test]
    fn numbers_become_ranges() {
        assert_eq!(ranges([1, 2, 3, 7, 9, 10]), [(1, 4), (7, 8), (9, 11)]);
        assert_eq!(ranges([]), []);
    }
}
