//! What several loops, parts or runs have found about cuts, stalls and churn, added.

use std::time::Duration;

use super::{Joined, add_counts, join};
use crate::command::bench::results::{
    ChurnResults, CutResults, DisturbanceResults, GroupResults, RetainedResults, StallResults,
    WillResults,
};

impl DisturbanceResults {
    /// Adds what another has found. Loops and parts have the same cuts, each of its connections.
    pub fn add(&mut self, other: &Self, joined: Joined) {
        let (cuts, stalls) = match joined {
            Joined::SideBySide => (self.cuts.len(), self.stalls.len()),
            Joined::InTurn => (0, 0),
        };
        for (cut, more) in self.cuts.iter_mut().zip(other.cuts.iter().take(cuts)) {
            cut.add(more);
        }
        self.cuts.extend(other.cuts.iter().skip(cuts).cloned());
        for (stall, more) in self.stalls.iter_mut().zip(other.stalls.iter().take(stalls)) {
            stall.add(more);
        }
        self.stalls.extend(other.stalls.iter().skip(stalls).cloned());
        self.back.merge(&other.back);
        self.away.merge(&other.away);
        self.churn.add(&other.churn);
        self.sessions_left += other.sessions_left;
        self.retained_left += other.retained_left;
        join(&mut self.retained, other.retained.as_ref(), RetainedResults::add);
        join(&mut self.wills, other.wills.as_ref(), WillResults::add);
    }
}

impl RetainedResults {
    fn add(&mut self, other: &Self) {
        let counts = (self.expected, other.expected);
        self.complete = later((self.complete, counts.0), (other.complete, counts.1));
        self.expected += other.expected;
        self.received += other.received;
        self.duplicated += other.duplicated;
        self.times.merge(&other.times);
    }
}

impl WillResults {
    fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.received += other.received;
        self.unexpected += other.unexpected;
        self.delay.merge(&other.delay);
    }
}

impl GroupResults {
    /// Adds what another loop has found of the other groups.
    pub fn add_other_groups(&mut self, other: &Self) {
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        self.starved += other.starved;
    }

    /// Adds what another run has found of the same groups.
    pub fn add(&mut self, other: &Self) {
        self.least += other.least;
        self.most += other.most;
        self.starved = self.starved.max(other.starved);
    }
}

/// When both were done; `None` if one never was. What had no connection does not count.
fn later(one: (Option<Duration>, u64), other: (Option<Duration>, u64)) -> Option<Duration> {
    match (one, other) {
        ((_, 0), (time, _)) | ((time, _), (_, 0)) => time,
        ((one, _), (other, _)) => one.zip(other).map(|(one, other)| one.max(other)),
    }
}

impl CutResults {
    fn add(&mut self, other: &Self) {
        let counts = (self.count, other.count);
        self.all_back = later((self.all_back, counts.0), (other.all_back, counts.1));
        self.settled = later((self.settled, counts.0), (other.settled, counts.1));
        self.last_waited = self.last_waited.max(other.last_waited);
        self.count += other.count;
        self.back.merge(&other.back);
        add_counts(&mut self.failed, &other.failed);
        self.session_present += other.session_present;
        self.waited += other.waited;
    }
}

impl StallResults {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.others.merge(&other.others);
        self.waited += other.waited;
        self.last_waited = self.last_waited.max(other.last_waited);
        self.disconnected += other.disconnected;
    }
}

impl ChurnResults {
    fn add(&mut self, other: &Self) {
        self.ended += other.ended;
        self.back.merge(&other.back);
        add_counts(&mut self.failed, &other.failed);
        self.session_present += other.session_present;
    }
}
