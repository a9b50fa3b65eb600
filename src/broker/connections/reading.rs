//! In which order connections are read from, and how much at a time, pure: those that cost little
//! are not to wait long for those that cost much.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::broker::limits::READ_BYTES;
use crate::broker::router::ConnectionId;

/// While others wait, one read is to take no longer: packets of a few bytes take a hundred times as
/// long as the same bytes in large ones.
const LONGEST_READ: Duration = Duration::from_micros(250);

/// While others wait, one read asks for so many bytes at least, and the first one for no more.
const LEAST_BYTES: usize = 4096;

/// So much time is a client given before its share counts: TLS, the upgrade and CONNECT take longer
/// than what many send later.
const TO_BEGIN: Duration = Duration::from_millis(5);

/// So many others are no reason to read less at a time.
const FEW: usize = 4;

/// The connections that are read from, in their order: one that sends again after a while goes
/// before those that have more to say than one read takes.
#[derive(Debug, Default)]
pub struct ReadingLine {
    /// The former.
    pub first: VecDeque<ConnectionId>,
    /// The latter.
    pub others: VecDeque<ConnectionId>,
    /// How many of the former were taken since the last one of the others.
    in_a_row: usize,
}

impl ReadingLine {
    /// So many are taken at most before it is the turn of one of the others.
    const IN_A_ROW: usize = 8;

    /// How many there are.
    pub fn len(&self) -> usize {
        self.first.len() + self.others.len()
    }

    /// Takes the next one out.
    pub fn next(&mut self) -> Option<ConnectionId> {
        self.in_a_row += 1;
        if self.in_a_row > Self::IN_A_ROW || self.first.is_empty() {
            self.in_a_row = 0;
            return self.others.pop_front().or_else(|| self.first.pop_front());
        }
        self.first.pop_front()
    }
}

/// What it costs to read from a connection.
#[derive(Debug)]
pub struct ReadingCost {
    /// How many bytes one read asks for while others wait.
    bytes: usize,
    /// What is left of the time that does not count.
    to_begin: Duration,
    /// From when on it has had no more than its share of the time; `None` if nothing has counted.
    below_share_at: Option<Instant>,
}

impl Default for ReadingCost {
    fn default() -> Self {
        Self { bytes: LEAST_BYTES, to_begin: TO_BEGIN, below_share_at: None }
    }
}

impl ReadingCost {
    /// How many bytes one read asks for, while so many others wait.
    pub fn bytes(&self, others: usize) -> usize {
        if others <= FEW { READ_BYTES } else { self.bytes }
    }

    /// Whether it has had no more than its share of the time.
    pub fn is_below_share(&self, now: Instant) -> bool {
        self.below_share_at.is_none_or(|at| at <= now)
    }

    /// Notes that a read has taken the time from `begin` to `end`, while so many others waited.
    pub fn add(&mut self, others: usize, begin: Instant, end: Instant) {
        let taken = end.saturating_duration_since(begin);
        let counts = taken.saturating_sub(self.to_begin);
        self.to_begin = self.to_begin.saturating_sub(taken);
        if !counts.is_zero() {
            let theirs = counts.saturating_mul(u32::try_from(others).unwrap_or(u32::MAX));
            self.below_share_at = end.checked_add(theirs);
        }
        if taken > LONGEST_READ {
            self.bytes = (self.bytes / 2).max(LEAST_BYTES);
        } else if taken < LONGEST_READ / 4 {
            self.bytes = (self.bytes * 2).min(READ_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// A loop in virtual time with floods that always have more to read, of which a byte costs so
    /// much, and one client that sends 100 bytes every now and then.
    struct World {
        now: Instant,
        line: ReadingLine,
        costs: HashMap<ConnectionId, ReadingCost>,
    }

    /// The client that sends little.
    const SMALL: ConnectionId = 0;

    impl World {
        fn new(floods: u64) -> Self {
            let costs = (0..=floods).map(|id| (id, ReadingCost::default())).collect();
            let mut line = ReadingLine::default();
            line.first.extend(1..=floods);
            Self { now: Instant::now(), line, costs }
        }

        /// Reads from the next one; returns which.
        fn read(&mut self, per_byte: Duration) -> ConnectionId {
            let others = self.line.len() - 1;
            let id = self.line.next().unwrap();
            let cost = self.costs.get_mut(&id).unwrap();
            let bytes = if id == SMALL { 100 } else { cost.bytes(others) };
            let begin = self.now;
            self.now += per_byte * u32::try_from(bytes).unwrap();
            cost.add(self.line.len(), begin, self.now);
            if id != SMALL {
                self.sends(id);
            }
            id
        }

        /// Reads for so long.
        fn go_on(&mut self, time: Duration, per_byte: Duration) {
            let until = self.now + time;
            while self.now < until {
                self.read(per_byte);
            }
        }

        /// All that a client had sent was read, and it has sent again.
        fn sends(&mut self, id: ConnectionId) {
            let is_first = self.costs[&id].is_below_share(self.now);
            let line = if is_first { &mut self.line.first } else { &mut self.line.others };
            line.push_back(id);
        }

        /// How long the small client waits from now on until it is read from.
        fn wait_of_small(&mut self, per_byte: Duration) -> Duration {
            let begin = self.now;
            self.sends(SMALL);
            while self.read(per_byte) != SMALL {}
            self.now - begin
        }
    }

    #[test]
    fn a_client_that_sends_little_waits_a_few_milliseconds_beside_200_floods() {
        // Large messages, messages of one byte, Pings, subscriptions.
        for nanos in [1, 15, 60, 100] {
            let per_byte = Duration::from_nanos(nanos);
            let mut world = World::new(200);
            // A new client, while nothing is known of any of them.
            let first = world.wait_of_small(per_byte);
            assert!(first < Duration::from_millis(200), "{nanos} ns: {first:?}");
            world.go_on(TO_BEGIN * 300, per_byte);
            for _ in 0..100 {
                world.go_on(Duration::from_millis(20), per_byte);
                let waited = world.wait_of_small(per_byte);
                assert!(waited < Duration::from_millis(5), "{nanos} ns: {waited:?}");
            }
        }
    }

    #[test]
    fn those_that_always_have_more_get_the_same_time_each() {
        let mut world = World::new(20);
        let mut reads = HashMap::new();
        for _ in 0..2000 {
            *reads.entry(world.read(Duration::from_nanos(60))).or_insert(0) += 1;
        }
        assert!((1..=20).all(|id| (98..=102).contains(&reads[&id])), "{reads:?}");
    }

    #[test]
    fn one_that_is_alone_is_read_from_as_fast_as_it_goes() {
        let mut cost = ReadingCost::default();
        let now = Instant::now();
        assert_eq!(cost.bytes(FEW), READ_BYTES);
        assert_eq!(cost.bytes(FEW + 1), LEAST_BYTES);
        cost.add(FEW, now, now + LONGEST_READ * 10);
        assert_eq!(cost.bytes(FEW), READ_BYTES);
        assert_eq!(cost.bytes(FEW + 1), LEAST_BYTES);
        for _ in 0..4 {
            cost.add(FEW, now, now);
        }
        assert_eq!(cost.bytes(FEW + 1), READ_BYTES, "reads that cost little are large again");
    }
}
