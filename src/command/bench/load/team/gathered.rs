//! The seconds of the window, of all loops together.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::{TeamMember, locked};
use crate::command::bench::joining::Joined;
use crate::command::bench::measure::{LatencyTimes, Quantile};
use crate::command::bench::results::{Results, Second};

/// What each loop tells of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondDetail {
    /// What happened in it.
    Second,
    /// All that it has found until then, too (`--fail-fast`).
    Results,
}

/// A second, as far as loops have told of it.
#[derive(Debug, Default)]
pub struct GatheredSecond {
    /// Their sum.
    pub second: Second,
    /// The times of what came.
    pub times: LatencyTimes,
    /// How late messages were.
    pub lateness: LatencyTimes,
    /// All that was found until then, if that is wanted.
    pub results: Option<Results>,
    /// How many loops have told of it.
    loops: usize,
}

impl GatheredSecond {
    /// A second of one loop.
    pub fn of(
        second: Second,
        [times, lateness]: [LatencyTimes; 2],
        results: Option<Results>,
    ) -> Self {
        Self { second, times, lateness, results, loops: 0 }
    }

    fn add(&mut self, other: Self) {
        self.second.add(&other.second);
        self.times.take_in(other.times);
        self.lateness.take_in(other.lateness);
        match (&mut self.results, other.results) {
            (Some(all), Some(more)) => all.add(&more, Joined::SideBySide),
            (all, more) => *all = all.take().or(more),
        }
        self.loops += 1;
    }

    /// The second with the quantiles of what came to all loops.
    fn finish(mut self) -> Self {
        let quantile = |times: &LatencyTimes, share| match times.quantile(share) {
            Some(Quantile::Time(time)) => Some(time),
            Some(Quantile::Never) | None => None,
        };
        let quantiles = quantile(&self.times, 0.5).zip(quantile(&self.times, 0.99));
        self.second.quantiles = quantiles;
        self.second.lateness = quantile(&self.lateness, 0.99);
        self
    }
}

/// The seconds that not all loops have ended, or that were not taken yet.
#[derive(Debug, Default)]
pub struct PendingSeconds {
    /// The number of the first.
    first: usize,
    seconds: VecDeque<GatheredSecond>,
}

impl TeamMember {
    /// Whether a second is told with all that was found.
    pub fn detail(&self) -> SecondDetail {
        self.team.detail
    }

    /// Tells of the second of this number.
    pub fn add_second(&self, number: usize, second: GatheredSecond) {
        let mut desk = locked(&self.team.desk);
        let PendingSeconds { first, seconds } = &mut desk.seconds;
        let Some(place) = number.checked_sub(*first) else { return };
        if seconds.len() <= place {
            seconds.resize_with(place + 1, GatheredSecond::default);
        }
        seconds[place].add(second);
        if seconds[place].loops == self.share.of {
            self.team.seconds.fetch_add(1, Ordering::Release);
            drop(desk);
            if !self.leads() {
                self.team.wake(0);
            }
        }
    }

    /// The next second that all loops have ended: each ends them in their order.
    pub fn take_second(&self) -> Option<GatheredSecond> {
        if self.team.seconds.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut desk = locked(&self.team.desk);
        let next = desk.seconds.seconds.pop_front()?;
        desk.seconds.first += 1;
        self.team.seconds.fetch_sub(1, Ordering::Release);
        Some(next.finish())
    }

    /// Those that not all loops have ended; the next step begins with its first second.
    pub fn take_rest(&self) -> Vec<Second> {
        let rest = std::mem::take(&mut locked(&self.team.desk).seconds);
        self.team.seconds.store(0, Ordering::Release);
        rest.seconds.into_iter().map(|second| second.finish().second).collect()
    }
}
