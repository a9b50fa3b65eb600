//! Connections that are made at the rate of a step: which begin when, and which are ended to make
//! room for others.

use std::collections::VecDeque;

/// For how long, in seconds, ending a connection is reckoned: so many more than are needed at once
/// are ended beforehand.
const ENDING_TIME: f64 = 0.1;

/// How many nanoseconds a second has.
const SECOND: f64 = 1e9;

/// When connections are to begin: `rate` a second in all loops, which take turns. Times are
/// nanoseconds since the start of the step.
#[derive(Debug, Clone, Copy)]
pub struct Turns {
    /// Connections a second of all loops.
    pub rate: f64,
    /// How many loops there are.
    pub loops: f64,
    /// The number of this one, from 0.
    pub number: f64,
}

impl Turns {
    /// When this loop's turn of this number is.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a step has fewer than 2^53 connections, and is shorter than a century"
    )]
    pub fn due(&self, turn: u64) -> u64 {
        let of_all = turn as f64 * self.loops + self.number;
        (of_all * SECOND / self.rate).round() as u64
    }

    /// How many turns are before this time.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, which is put right"
    )]
    pub fn before(&self, time: u64) -> u64 {
        let about = (time as f64 * self.rate / SECOND - self.number) / self.loops;
        let mut turns = about.max(0.0) as u64;
        while turns > 0 && self.due(turns - 1) >= time {
            turns -= 1;
        }
        while self.due(turns) < time {
            turns += 1;
        }
        turns
    }

    /// How many of `all` connections of this loop are to be free or to be ended at any time.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the rate is at most 100,000 a second"
    )]
    fn reserve(&self, all: usize) -> usize {
        let needed = (self.rate / self.loops * ENDING_TIME).ceil() as usize;
        needed.clamp(1, (all / 2).max(1))
    }
}

/// The connections of one loop in a step.
#[derive(Debug, Default)]
pub struct PacedConnections {
    /// Those that may begin.
    free: VecDeque<usize>,
    /// Those that stand, the oldest first, each with the time at which it was to begin. One that
    /// was lost may still be among them.
    standing: VecDeque<(usize, u64)>,
    /// When each was to begin the last time; 0 if it never was.
    intended: Vec<u64>,
    /// How many are being made.
    making: usize,
    /// How many are being ended.
    ending: usize,
    /// How many turns have begun.
    turns: u64,
    /// Since when one is free again after none was.
    free_since: u64,
    /// How many there are.
    own: usize,
}

impl PacedConnections {
    /// A step begins with these, all of which are free; there are so many of all loops.
    pub fn begin(&mut self, own: impl Iterator<Item = usize>, all: usize, now: u64) {
        self.intended.resize(all, 0);
        self.free = own.collect();
        self.own = self.free.len();
        self.standing.clear();
        (self.making, self.ending, self.turns, self.free_since) = (0, 0, 0, now);
    }

    /// How many there are.
    pub fn own(&self) -> usize {
        self.own
    }

    /// How many turns have begun.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Whether one may begin.
    pub fn has_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// How many are being made.
    pub fn making(&self) -> usize {
        self.making
    }

    /// Whether none is being made or ended, and none stands.
    pub fn is_empty(&self) -> bool {
        self.making + self.ending + self.standing.len() == 0
    }

    /// When this one was to begin the last time; 0 if it never was.
    pub fn intended(&self, id: usize) -> u64 {
        self.intended.get(id).copied().unwrap_or_default()
    }

    /// Whether it has ever begun.
    pub fn has_begun(&self, id: usize) -> bool {
        self.intended(id) > 0
    }

    /// The next begins, which was to begin at `due`: how late that is, by our own fault.
    pub fn start(&mut self, due: u64, now: u64) -> Option<(usize, u64)> {
        let id = self.free.pop_front()?;
        self.intended[id] = due;
        self.turns += 1;
        self.making += 1;
        Some((id, now.saturating_sub(due.max(self.free_since))))
    }

    /// One was made.
    pub fn made(&mut self, id: usize) {
        self.making = self.making.saturating_sub(1);
        self.standing.push_back((id, self.intended(id)));
        if self.standing.len() > 2 * self.intended.len() {
            // Those that were lost and made again are no more than all of them.
            self.standing.retain(|(id, began)| self.intended[*id] == *began);
        }
    }

    /// One could not be made.
    pub fn not_made(&mut self, id: usize, now: u64) {
        self.making = self.making.saturating_sub(1);
        self.release(id, now);
    }

    /// One that stood was lost.
    pub fn lost(&mut self, id: usize, now: u64) {
        if self.standing.front().is_some_and(|(first, _)| *first == id) {
            self.standing.pop_front();
        }
        self.release(id, now);
    }

    /// One that was being ended has ended.
    pub fn ended(&mut self, id: usize, now: u64) {
        self.ending = self.ending.saturating_sub(1);
        self.release(id, now);
    }

    fn release(&mut self, id: usize, now: u64) {
        if self.free.is_empty() {
            self.free_since = now;
        }
        self.free.push_back(id);
    }

    /// Whether one that stands is to be ended for those that come next; there are `all` of this
    /// loop.
    pub fn needs_room(&self, turns: &Turns, all: usize) -> bool {
        !self.standing.is_empty() && self.free.len() + self.ending < turns.reserve(all)
    }

    /// The oldest that stands, which is to be ended, if there is no room for those that come next.
    pub fn make_room(
        &mut self,
        turns: &Turns,
        all: usize,
        stands: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        if !self.needs_room(turns, all) {
            return None;
        }
        self.end_oldest(stands)
    }

    /// The oldest that stands, which is to be ended.
    pub fn end_oldest(&mut self, stands: impl Fn(usize) -> bool) -> Option<usize> {
        while let Some((id, began)) = self.standing.pop_front() {
            if stands(id) && self.intended(id) == began {
                self.ending += 1;
                return Some(id);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_take_turns_and_count_them_all() {
        for (rate, loops) in [(1000.0, 1.0), (3.0, 2.0), (0.7, 3.0), (99_999.0, 4.0)] {
            let of = |number| Turns { rate, loops, number };
            assert_eq!(of(0.0).due(0), 0);
            for time in [0, 1, 999_999_999, 1_000_000_000, 12_345_678_901] {
                let all: Vec<Turns> =
                    [0.0, 1.0, 2.0, 3.0].into_iter().filter(|n| *n < loops).map(of).collect();
                for turns in &all {
                    let count = turns.before(time);
                    assert!(turns.due(count) >= time, "{turns:?} {time}");
                    assert!(count == 0 || turns.due(count - 1) < time, "{turns:?} {time}");
                }
                let count: u64 = all.iter().map(|turns| turns.before(time)).sum();
                let whole = Turns { rate, loops: 1.0, number: 0.0 };
                assert_eq!(count, whole.before(time), "{rate} {loops} {time}");
            }
        }
    }

    #[test]
    fn the_oldest_make_room_and_those_that_were_lost_do_not_count() {
        let turns = Turns { rate: 10.0, loops: 1.0, number: 0.0 };
        let mut paced = PacedConnections::default();
        paced.begin(0..3, 3, 5);
        for due in [10, 20] {
            let (id, late) = paced.start(due, due + 1).unwrap();
            paced.made(id);
            assert_eq!(late, 1);
            assert_eq!(paced.make_room(&turns, 3, |_| true), None);
        }
        let (id, _) = paced.start(30, 30).unwrap();
        assert_eq!((id, paced.has_free(), paced.making()), (2, false, 1));
        // One more has to be free.
        assert_eq!(paced.make_room(&turns, 3, |_| true), Some(0));
        assert_eq!(paced.make_room(&turns, 3, |_| true), None);
        assert_eq!(paced.start(40, 40), None);
        paced.ended(0, 45);
        // It waited for room until 45.
        assert_eq!(paced.start(40, 47), Some((0, 2)));
        paced.made(2);
        paced.lost(1, 50);
        assert_eq!(paced.start(50, 50), Some((1, 0)));
        paced.not_made(1, 60);
        assert_eq!(paced.end_oldest(|id| id != 1), Some(2));
        assert!(!paced.is_empty() && paced.end_oldest(|_| true).is_none());
        assert!(paced.has_begun(2) && paced.intended(2) == 30);
    }
}
