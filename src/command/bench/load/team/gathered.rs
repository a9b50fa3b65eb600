//! The slices and seconds of the window, of all loops together.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::{TeamMember, locked};
use crate::command::bench::joining::Joined;
use crate::command::bench::measure::{LatencyTimes, Quantile};
use crate::command::bench::results::{Results, Second};

/// What each loop tells at the end of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondDetail {
    /// What happened in it.
    Second,
    /// All that it has found until then, too (`--fail-fast`).
    Results,
}

/// A slice or a second, as far as loops have told of it.
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
    /// How many slices it consists of, where loops have told of each.
    slices: u64,
}

impl GatheredSecond {
    /// A slice of one loop.
    pub fn of(
        second: Second,
        [times, lateness]: [LatencyTimes; 2],
        results: Option<Results>,
    ) -> Self {
        Self { second, times, lateness, results, loops: 0, slices: 1 }
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

    /// How many slices there are in it.
    pub fn slices(&self) -> u64 {
        self.slices
    }

    /// Adds the slice of all loops that comes after it.
    #[expect(clippy::cast_precision_loss, reason = "a second has at most 20 slices")]
    pub fn follow(&mut self, next: Self) {
        let before = self.slices;
        if before == 0 {
            *self = Self { slices: 1, ..next };
            return;
        }
        self.slices += 1;
        let Second { sent, received, missing, online, cpu, .. } = next.second;
        let second = &mut self.second;
        second.sent += sent;
        second.received += received;
        (second.missing, second.online) = (missing, online);
        second.cpu = (second.cpu * before as f64 + cpu) / self.slices as f64;
        self.times.merge(&next.times);
        self.lateness.merge(&next.lateness);
        self.results = next.results;
    }

    /// It with the quantiles of what came to all loops.
    pub fn finish(mut self) -> Self {
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

/// The slices that not all loops have ended, or that were not taken yet.
#[derive(Debug, Default)]
pub struct PendingSeconds {
    /// The number of the first.
    first: u64,
    slices: VecDeque<GatheredSecond>,
}

impl TeamMember {
    /// Whether a second is told with all that was found.
    pub fn detail(&self) -> SecondDetail {
        self.team.detail
    }

    /// How long a slice is, in nanoseconds.
    pub fn slice(&self) -> u64 {
        self.team.slice
    }

    /// Tells of the slice of this number.
    pub fn add_slice(&self, number: u64, slice: GatheredSecond) {
        let mut desk = locked(&self.team.desk);
        let PendingSeconds { first, slices } = &mut desk.seconds;
        let place = number.checked_sub(*first).and_then(|place| usize::try_from(place).ok());
        let Some(place) = place else { return };
        if slices.len() <= place {
            slices.resize_with(place + 1, GatheredSecond::default);
        }
        slices[place].add(slice);
        if slices[place].loops == self.share.of {
            self.team.seconds.fetch_add(1, Ordering::Release);
            drop(desk);
            if !self.leads() {
                self.team.wake(0);
            }
        }
    }

    /// The next slice that all loops have ended: each ends them in their order.
    pub fn take_slice(&self) -> Option<GatheredSecond> {
        if self.team.seconds.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut desk = locked(&self.team.desk);
        let next = desk.seconds.slices.pop_front()?;
        desk.seconds.first += 1;
        self.team.seconds.fetch_sub(1, Ordering::Release);
        Some(next)
    }

    /// Those that not all loops have ended; the next step begins with its first slice.
    pub fn take_rest(&self) -> VecDeque<GatheredSecond> {
        let rest = std::mem::take(&mut locked(&self.team.desk).seconds);
        self.team.seconds.store(0, Ordering::Release);
        rest.slices
    }
}
