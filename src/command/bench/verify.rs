//! What of a stream has arrived at a reader: in order, late, twice, or not at all.

/// How many numbers before the highest are remembered one by one.
pub const WINDOW: u64 = 1024;

const WORDS: usize = 16;

/// What a copy of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// The first, in order.
    First,
    /// The first, after a later message.
    Reordered,
    /// Another one.
    Duplicate,
    /// Older than is remembered: late or double.
    Undecided,
}

/// Whether a reader was promised what was sent since its last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Promise {
    /// It was.
    #[default]
    Whole,
    /// It was away without a session: not up to its next message.
    Broken,
}

/// How much of a stream has come to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct PairTally {
    /// The number after the highest that has come.
    pub next: u64,
    /// How many different messages have come.
    pub distinct: u64,
    /// How many were sent while the reader was away without a session.
    pub missed: u64,
    /// Whether it was promised what was sent since.
    pub promise: Promise,
}

impl PairTally {
    /// That all of so many came.
    pub fn all_of(sent: u64) -> Self {
        Self { next: sent, distinct: sent, ..Self::default() }
    }

    /// How many of `expected` messages are lost, and how many were missed by a reader that was away
    /// without a session.
    pub fn judge(&self, expected: u64) -> (u64, u64) {
        let absent = expected.saturating_sub(self.distinct);
        let missed = match self.promise {
            Promise::Whole => self.missed.min(absent),
            // All that was sent after the highest, too.
            Promise::Broken => absent.min(self.missed + expected.saturating_sub(self.next)),
        };
        (absent - missed, missed)
    }
}

/// What one reader has of one stream.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    /// The number after the highest that has come.
    next: u64,
    /// A bit for each of the [`WINDOW`] numbers before `next`, at its remainder.
    seen: [u64; WORDS],
    /// How many different messages have come.
    distinct: u64,
    /// How many were sent while the reader was away without a session.
    missed: u64,
    promise: Promise,
}

impl Pair {
    /// A copy of message `sequence` has come.
    pub fn observe(&mut self, sequence: u64) -> Arrived {
        if sequence >= self.next {
            self.advance(sequence);
            return Arrived::First;
        }
        if self.next - sequence > WINDOW {
            return Arrived::Undecided;
        }
        let (word, bit) = place(sequence);
        if self.seen[word] & bit != 0 {
            return Arrived::Duplicate;
        }
        self.seen[word] |= bit;
        self.distinct += 1;
        Arrived::Reordered
    }

    /// The number after the highest that has come.
    pub fn next(&self) -> u64 {
        self.next
    }

    fn advance(&mut self, sequence: u64) {
        let hole = sequence - self.next;
        if std::mem::take(&mut self.promise) == Promise::Broken {
            self.missed += hole;
        }
        if hole >= WINDOW {
            self.seen = [0; WORDS];
        } else {
            for skipped in self.next..sequence {
                let (word, bit) = place(skipped);
                self.seen[word] &= !bit;
            }
        }
        let (word, bit) = place(sequence);
        self.seen[word] |= bit;
        self.next = sequence + 1;
        self.distinct += 1;
    }

    /// The numbers that have not come and are forgotten when `sequence` comes.
    pub fn forgotten_by(&self, sequence: u64) -> impl Iterator<Item = u64> {
        let from = self.next.saturating_sub(WINDOW);
        (from..(sequence + 1).saturating_sub(WINDOW)).filter(|number| !self.has(*number))
    }

    /// The reader is away without a session: it is promised nothing until its next message.
    pub fn leave(&mut self) {
        self.promise = Promise::Broken;
    }

    /// Whether message `sequence` has come; what is not remembered counts as come.
    pub fn has(&self, sequence: u64) -> bool {
        if sequence >= self.next {
            return false;
        }
        let (word, bit) = place(sequence);
        self.next - sequence > WINDOW || self.seen[word] & bit != 0
    }

    /// How much has come.
    pub fn tally(&self) -> PairTally {
        let Self { next, distinct, missed, promise, .. } = *self;
        PairTally { next, distinct, missed, promise }
    }

    /// The numbers before the highest that have not come, as far as they are remembered.
    pub fn holes(&self) -> impl Iterator<Item = u64> {
        (self.next.saturating_sub(WINDOW)..self.next).filter(|number| !self.has(*number))
    }
}

fn place(sequence: u64) -> (usize, u64) {
    let at = sequence % WINDOW;
    ((at / 64) as usize, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_agrees_with_a_set_of_all_numbers() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut pair, mut set) = (Pair::default(), BTreeSet::new());
            let (mut highest, mut forgotten) = (None::<u64>, Vec::new());
            let reach = [3, 100, 1024, 3000][random.usize(0..4)];
            let mut latest = 0_u64;
            for _ in 0..5000 {
                latest += random.u64(0..3);
                let sequence = if random.u8(0..10) == 0 {
                    latest.saturating_sub(random.u64(0..=reach))
                } else {
                    latest
                };
                let expected = match highest {
                    Some(highest) if sequence <= highest && highest + 1 - sequence > WINDOW => {
                        Arrived::Undecided
                    }
                    _ if set.contains(&sequence) => Arrived::Duplicate,
                    Some(highest) if sequence < highest => Arrived::Reordered,
                    _ => Arrived::First,
                };
                forgotten.extend(pair.forgotten_by(sequence));
                assert_eq!(pair.observe(sequence), expected, "seed {seed}, {sequence}");
                if expected != Arrived::Undecided {
                    set.insert(sequence);
                }
                highest = Some(highest.map_or(sequence, |highest| highest.max(sequence)));
                assert!(pair.has(sequence));
            }
            assert_eq!(pair.distinct, set.len() as u64, "seed {seed}");
            let absent = (0..pair.next.saturating_sub(WINDOW)).filter(|it| !set.contains(it));
            assert!(forgotten.into_iter().eq(absent), "seed {seed}");
            let expected = (latest + 1 - set.len() as u64, 0);
            assert_eq!(pair.tally().judge(latest + 1), expected, "seed {seed}");
        }
    }

    #[test]
    fn the_first_and_the_last_can_be_lost() {
        let mut pair = Pair::default();
        for sequence in 1..99 {
            assert_eq!(pair.observe(sequence), Arrived::First);
        }
        assert_eq!(pair.tally().judge(100), (2, 0));
        assert!(!pair.has(0) && pair.has(50) && !pair.has(99));
    }

    #[test]
    fn a_reader_without_session_was_promised_nothing_for_its_absence() {
        let mut pair = Pair::default();
        for sequence in 0..10 {
            assert_eq!(pair.observe(sequence), Arrived::First);
        }
        pair.leave();
        assert_eq!(pair.tally().judge(25), (0, 15));
        assert_eq!(pair.observe(20), Arrived::First);
        assert_eq!(pair.tally().judge(25), (4, 10));
        assert_eq!(pair.tally().judge(21), (0, 10));
    }

    #[test]
    fn a_pair_needs_little_memory() {
        assert!(size_of::<Pair>() <= 176, "{}", size_of::<Pair>());
    }
}
