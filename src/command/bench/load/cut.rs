//! One cut: who was cut, who is back, what waited meanwhile, and when all was as before.

use std::time::Duration;

use crate::client::fleet::Cause;
use crate::command::bench::disturbances::CutPlan;
use crate::command::bench::measure::{LatencyTimes, Quantile};
use crate::command::bench::results::CutResults;

/// What is due is looked at in slots of so many nanoseconds.
const SLOT: u64 = 100_000_000;

/// The p99 is as before if it was in so many slots one after the other.
const SLOTS: usize = 5;

/// How many slots are kept: those of an hour.
const MOST_SLOTS: usize = 36_000;

/// The p99 is as before if it is not more than so many times what it was.
const TOLERANCE: u64 = 2;

/// For how long nothing that waited may come before the cut is over, in nanoseconds.
const QUIET: u64 = 1_000_000_000;

/// A cut that has happened. Times are nanoseconds of the clock of the run.
#[derive(Debug)]
pub struct Cut {
    /// When it was.
    at: u64,
    /// How many connections are not back.
    away: u64,
    /// How many connections of other loops are not.
    away_elsewhere: u64,
    /// When the last thing came of it.
    latest: u64,
    /// When it was over; `None` while it is not.
    over: Option<u64>,
    /// Above this time, in nanoseconds, delivery is slower than before; `None` without data.
    threshold: Option<u64>,
    /// For what was due in each slot since the cut: how much came, and how much of it late.
    slots: Vec<[u32; 2]>,
    results: CutResults,
}

impl Cut {
    /// So many connections are cut now; delivery had these times before.
    pub fn new(plan: CutPlan, count: u64, at: u64, before: &LatencyTimes) -> Self {
        let threshold = match before.quantile(0.99) {
            Some(Quantile::Time(time)) => Some(time * TOLERANCE),
            Some(Quantile::Never) | None => None,
        };
        let results = CutResults {
            plan,
            count,
            back: LatencyTimes::default(),
            all_back: None,
            failed: std::collections::BTreeMap::new(),
            session_present: 0,
            waited: 0,
            last_waited: None,
            settled: None,
        };
        Self {
            at,
            away: count,
            away_elsewhere: 0,
            latest: at,
            over: None,
            threshold,
            slots: Vec::new(),
            results,
        }
    }

    /// A connection is back, and whether the server still had its session.
    pub fn back(&mut self, session_present: bool, now: u64) {
        let took = now.saturating_sub(self.at);
        self.results.back.add(took);
        self.results.session_present += u64::from(session_present);
        self.away -= 1;
        self.latest = self.latest.max(now);
        if self.away == 0 {
            self.results.all_back = Some(Duration::from_nanos(took));
        }
    }

    /// A connection of another loop was cut.
    pub fn away_elsewhere(&mut self) {
        self.away_elsewhere += 1;
    }

    /// One is back.
    pub fn back_elsewhere(&mut self, now: u64) {
        self.away_elsewhere = self.away_elsewhere.saturating_sub(1);
        self.latest = self.latest.max(now);
    }

    /// A connection could not come back.
    pub fn failed(&mut self, cause: Cause) {
        *self.results.failed.entry(cause).or_default() += 1;
    }

    /// A copy came that was due while a connection was away.
    pub fn waited(&mut self, now: u64) {
        self.results.waited += 1;
        self.latest = self.latest.max(now);
        let after = Duration::from_nanos(now.saturating_sub(self.at));
        self.results.last_waited = self.results.last_waited.max(Some(after));
    }

    /// Whether a copy that was due at `intended` and came now has to do with the cut: it came after
    /// it, and was due before it was over. It is over when all are back, and nothing that waited
    /// has come for a second.
    pub fn is_near(&mut self, intended: u64, now: u64) -> bool {
        let end = self.latest + QUIET;
        if self.over.is_none() && self.away + self.away_elsewhere == 0 && now > end {
            self.over = Some(end);
        }
        now >= self.at && self.over.is_none_or(|over| intended < over)
    }

    /// A copy came so long after it was due.
    pub fn came(&mut self, intended: u64, took: u64) {
        let Some(after) = intended.checked_sub(self.at) else { return };
        let slot = usize::try_from(after / SLOT).unwrap_or(usize::MAX);
        if slot >= MOST_SLOTS {
            return;
        }
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, [0; 2]);
        }
        let [all, late] = &mut self.slots[slot];
        *all = all.saturating_add(1);
        let is_late = self.threshold.is_some_and(|threshold| took > threshold);
        *late = late.saturating_add(u32::from(is_late));
    }

    /// What came of it, at the end of the run.
    pub fn finish(mut self) -> CutResults {
        self.results.back.add_never(self.away);
        self.results.settled = self.settled();
        self.results
    }

    /// When the p99 was as before, from the return of the last connection on.
    fn settled(&self) -> Option<Duration> {
        self.threshold?;
        let back = u64::try_from(self.results.all_back?.as_nanos()).ok()?;
        let first = usize::try_from(back.div_ceil(SLOT)).ok()?;
        let is_good = |[all, late]: &[u32; 2]| u64::from(*late) * 100 <= u64::from(*all);
        let slots = self.slots.get(first..)?;
        let at = slots.windows(SLOTS).position(|slots| slots.iter().all(is_good))?;
        Some(Duration::from_nanos((first + at) as u64 * SLOT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::disturbances::{CrowdKind, CrowdPart, CrowdShare, CutKind};

    const SECOND: u64 = 1_000_000_000;
    const MILLISECOND: u64 = 1_000_000;

    fn cut(count: u64) -> Cut {
        let who = CrowdPart { kind: CrowdKind::Subscribers, share: CrowdShare::Percent(100.0) };
        let plan = CutPlan { who, at: Duration::from_secs(10), how: CutKind::Reset };
        let mut before = LatencyTimes::default();
        before.add_many(MILLISECOND, 1000);
        Cut::new(plan, count, 10 * SECOND, &before)
    }

    #[test]
    fn a_cut_ends_a_second_after_what_waited() {
        let mut cut = cut(1);
        assert!(!cut.is_near(9 * SECOND, 9 * SECOND));
        assert!(cut.is_near(9 * SECOND, 10 * SECOND));
        cut.back(true, 12 * SECOND);
        cut.waited(12 * SECOND + SECOND / 2);
        assert!(cut.is_near(13 * SECOND, 13 * SECOND));
        assert!(cut.is_near(13 * SECOND, 14 * SECOND), "it was due before the end");
        assert!(!cut.is_near(14 * SECOND, 14 * SECOND));
        let results = cut.finish();
        assert_eq!((results.session_present, results.waited), (1, 1));
        assert_eq!(results.all_back, Some(Duration::from_secs(2)));
        assert_eq!(results.last_waited, Some(Duration::from_millis(2500)));
    }

    #[test]
    fn who_is_not_back_never_was() {
        let mut cut = cut(3);
        cut.back(false, 11 * SECOND);
        let results = cut.finish();
        assert_eq!((results.back.count(), results.back.never(), results.all_back), (1, 2, None));
    }

    #[test]
    fn delivery_is_as_before_when_it_stays_so() {
        let mut cut = cut(1);
        cut.back(true, 10 * SECOND + SECOND / 2);
        for slot in 0..30 {
            let intended = 10 * SECOND + slot * SLOT;
            // Late until 1 s, and once more at 1.3 s.
            let is_late = slot < 10 || slot == 13;
            for _ in 0..50 {
                cut.came(intended, if is_late { 3 * MILLISECOND } else { MILLISECOND });
            }
        }
        assert_eq!(cut.finish().settled, Some(Duration::from_millis(1400)));
    }
}
