//! The stalls: which connections do not read, and what the others see meanwhile.

use std::time::Duration;

use crate::command::bench::clock::number;
use crate::command::bench::disturbances::StallPlan;
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::results::StallResults;

/// How long after a stall a connection that is lost was lost by it, in nanoseconds.
const AFTERWARDS: u64 = 1_000_000_000;

/// A first copy of a message that came.
#[derive(Debug, Clone, Copy)]
pub struct ArrivedCopy {
    /// The connection that got it.
    pub reader: usize,
    /// The connection that published it.
    pub publisher: usize,
    /// When it was due.
    pub intended: u64,
    /// When it came.
    pub at: u64,
}

/// A stall that has begun. Times are nanoseconds of the clock of the run.
#[derive(Debug)]
struct Stall {
    at: u64,
    until: u64,
    /// The connections, in their order.
    ids: Vec<usize>,
    state: StallState,
    results: StallResults,
}

/// Whether the connections of a stall read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StallState {
    /// They do not.
    Stalled,
    /// They do.
    Over,
}

impl Stall {
    fn holds(&self, id: usize) -> bool {
        self.ids.binary_search(&id).is_ok()
    }
}

/// All stalls that have begun.
#[derive(Debug, Default)]
pub struct Stalls(Vec<Stall>);

impl Stalls {
    /// How many have begun.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// These connections stop reading now.
    ///
    /// `own` of them are of this loop.
    pub fn begin(&mut self, plan: StallPlan, ids: Vec<usize>, own: u64, at: u64) {
        let results = StallResults {
            plan,
            count: own,
            others: LatencyTimes::default(),
            waited: 0,
            last_waited: None,
            disconnected: 0,
        };
        let until = at + number(plan.length);
        self.0.push(Stall { at, until, ids, state: StallState::Stalled, results });
    }

    /// When connections read again the next time.
    pub fn next_end(&self) -> Option<u64> {
        let stalled = self.0.iter().filter(|stall| stall.state == StallState::Stalled);
        stalled.map(|stall| stall.until).min()
    }

    /// The connections that read again now, and in no stall any more.
    pub fn end(&mut self, now: u64) -> Vec<usize> {
        let mut ids = Vec::new();
        for stall in &mut self.0 {
            if stall.state == StallState::Stalled && stall.until <= now {
                stall.state = StallState::Over;
                ids.extend(&stall.ids);
            }
        }
        let others = self.0.iter().filter(|stall| stall.state == StallState::Stalled);
        ids.retain(|id| !others.clone().any(|stall| stall.holds(*id)));
        ids
    }

    /// A first copy came.
    pub fn copy(&mut self, copy: ArrivedCopy) {
        let ArrivedCopy { reader, publisher, intended, at } = copy;
        for stall in &mut self.0 {
            let is_during = (stall.at..stall.until).contains(&intended);
            match (stall.holds(reader), stall.holds(publisher)) {
                (false, false) if is_during => {
                    stall.results.others.add(at.saturating_sub(intended));
                }
                (true, _) if intended < stall.until && at >= stall.until => {
                    stall.results.waited += 1;
                    let after = Duration::from_nanos(at - stall.until);
                    stall.results.last_waited = stall.results.last_waited.max(Some(after));
                }
                (false | true, _) => {}
            }
        }
    }

    /// A connection was lost.
    pub fn lost(&mut self, id: usize, now: u64) {
        let stalls = self.0.iter_mut();
        let mut stalls = stalls.filter(|it| it.at <= now && now <= it.until + AFTERWARDS);
        if let Some(stall) = stalls.find(|stall| stall.holds(id)) {
            stall.results.disconnected += 1;
        }
    }

    /// What came of them, at the end of the run.
    pub fn finish(&mut self) -> Vec<StallResults> {
        self.0.drain(..).map(|stall| stall.results).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::disturbances::{CrowdKind, CrowdPart, CrowdShare};

    const SECOND: u64 = 1_000_000_000;

    fn plan(length: u64) -> StallPlan {
        let who = CrowdPart { kind: CrowdKind::Subscribers, share: CrowdShare::Count(2) };
        let (at, length) = (Duration::from_secs(5), Duration::from_secs(length));
        StallPlan { who, at, length }
    }

    #[test]
    fn what_the_others_see_is_told_apart() {
        let mut stalls = Stalls::default();
        stalls.begin(plan(2), vec![1, 4], 2, 5 * SECOND);
        let copy =
            |reader, publisher, intended, at| ArrivedCopy { reader, publisher, intended, at };
        stalls.copy(copy(0, 9, 6 * SECOND, 6 * SECOND + 1000));
        stalls.copy(copy(0, 4, 6 * SECOND, 6 * SECOND + 1000));
        stalls.copy(copy(0, 9, 7 * SECOND, 7 * SECOND + 1000));
        assert!(stalls.end(6 * SECOND).is_empty());
        assert_eq!(stalls.next_end(), Some(7 * SECOND));
        assert_eq!(stalls.end(7 * SECOND), [1, 4]);
        stalls.copy(copy(4, 9, 6 * SECOND, 7 * SECOND + SECOND / 2));
        stalls.lost(1, 8 * SECOND);
        stalls.lost(1, 9 * SECOND);
        let [results] = &stalls.finish()[..] else { panic!("one stall") };
        assert_eq!((results.others.count(), results.waited, results.disconnected), (1, 1, 1));
        assert_eq!(results.last_waited, Some(Duration::from_millis(500)));
    }

    #[test]
    fn who_is_in_two_stalls_reads_after_the_second() {
        let mut stalls = Stalls::default();
        stalls.begin(plan(2), vec![1, 4], 2, 5 * SECOND);
        stalls.begin(plan(3), vec![4, 5], 2, 6 * SECOND);
        assert_eq!(stalls.end(7 * SECOND), [1]);
        assert_eq!(stalls.end(9 * SECOND), [4, 5]);
        assert_eq!(stalls.next_end(), None);
    }
}
