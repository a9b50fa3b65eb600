//! What several loops, parts or runs have found, added.

mod disturbances;

use std::collections::BTreeMap;
use std::time::Duration;

use super::payload::Verification;
use super::results::{
    ConnectionResults, ConnectionTimes, GeneratorResults, GroupResults, Latencies, LoadEnding,
    MakingResults, MessageResults, Results, Second, Verified,
};

/// How two results belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// They are of the same time: of two loops, or of two parts of a run.
    SideBySide,
    /// They follow each other: two runs.
    InTurn,
}

impl Joined {
    /// The length of both together.
    fn time(self, one: Duration, other: Duration) -> Duration {
        match self {
            Self::SideBySide => one.max(other),
            Self::InTurn => one + other,
        }
    }
}

impl Results {
    /// Adds what another loop, part or run has found: counters and histograms are added. Of what
    /// cannot be added the worst is kept.
    pub fn add(&mut self, other: &Self, joined: Joined) {
        self.connections.add(&other.connections, joined);
        self.making.add(&other.making);
        self.messages.add(&other.messages, joined);
        self.verified.add(&other.verified);
        self.latencies.add(&other.latencies);
        self.generator.add(&other.generator, joined);
        let add_groups = match joined {
            Joined::SideBySide => GroupResults::add_other_groups,
            Joined::InTurn => GroupResults::add,
        };
        join(&mut self.groups, other.groups.as_ref(), add_groups);
        self.disturbances.add(&other.disturbances, joined);
        match joined {
            Joined::SideBySide => self.add_seconds(&other.series),
            Joined::InTurn => self.series.extend_from_slice(&other.series),
        }
        self.held = match (self.held, other.held) {
            (Some((one, online)), Some((two, more))) => {
                Some((joined.time(one, two), online + more))
            }
            (one, two) => one.or(two),
        };
        self.granted = [self.granted, other.granted].into_iter().flatten().min();
        if self.ending == LoadEnding::Complete {
            self.ending = other.ending;
        }
    }

    fn add_seconds(&mut self, series: &[Second]) {
        if self.series.len() < series.len() {
            self.series.resize(series.len(), Second::default());
        }
        for (second, other) in self.series.iter_mut().zip(series) {
            second.add(other);
        }
    }
}

/// Adds what may be missing on either side.
fn join<T: Clone>(to: &mut Option<T>, other: Option<&T>, add: fn(&mut T, &T)) {
    match (to, other) {
        (Some(to), Some(other)) => add(to, other),
        (to @ None, Some(other)) => *to = Some(other.clone()),
        (_, None) => {}
    }
}

/// Adds counts by their names.
pub fn add_counts<K: Ord + Copy>(to: &mut BTreeMap<K, u64>, other: &BTreeMap<K, u64>) {
    for (name, count) in other {
        *to.entry(*name).or_default() += count;
    }
}

impl ConnectionResults {
    /// Adds what a further step has done to the same connections.
    pub fn add_step(&mut self, step: &Self) {
        let Self { failed, disconnected, reconnected, .. } = std::mem::take(self);
        *self = Self { failed, disconnected, reconnected, ..step.clone() };
        add_counts(&mut self.failed, &step.failed);
        add_counts(&mut self.disconnected, &step.disconnected);
        self.reconnected += step.reconnected;
    }

    fn add(&mut self, other: &Self, joined: Joined) {
        self.wanted += other.wanted;
        self.made += other.made;
        add_counts(&mut self.failed, &other.failed);
        add_counts(&mut self.disconnected, &other.disconnected);
        let firsts = [self.first_failed, other.first_failed];
        self.first_failed = firsts.into_iter().flatten().min_by_key(|(_, after)| *after);
        self.reconnected += other.reconnected;
        self.resumed += other.resumed;
        self.took = joined.time(self.took, other.took);
        let maxima = [self.receive_maximum, other.receive_maximum];
        self.receive_maximum = maxima.into_iter().flatten().min();
        self.times.add(&other.times);
    }
}

impl ConnectionTimes {
    fn add(&mut self, other: &Self) {
        self.whole.merge(&other.whole);
        self.tcp.merge(&other.tcp);
        self.tls.merge(&other.tls);
        self.upgrade.merge(&other.upgrade);
        self.connack.merge(&other.connack);
        self.suback.merge(&other.suback);
        self.pong.merge(&other.pong);
    }
}

impl MakingResults {
    fn add(&mut self, other: &Self) {
        self.due += other.due;
        self.not_begun += other.not_begun;
        self.arrived += other.arrived;
    }
}

impl MessageResults {
    fn add(&mut self, other: &Self, joined: Joined) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        add_counts(&mut self.refused, &other.refused);
        self.unacknowledged += other.unacknowledged;
        self.unsent += other.unsent;
        self.expected += other.expected;
        self.received += other.received;
        self.window = joined.time(self.window, other.window);
        // That of the first to begin.
        self.after = match (self.after.is_zero(), other.after.is_zero()) {
            (true, _) => other.after,
            (false, true) => self.after,
            (false, false) => self.after.min(other.after),
        };
        self.backlog += other.backlog;
        self.emptied += other.emptied;
    }
}

impl Verified {
    fn add(&mut self, other: &Self) {
        if other.extent == Verification::None {
            self.extent = Verification::None;
        }
        self.copies += other.copies;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.duplicated_with_dup += other.duplicated_with_dup;
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
        self.missed += other.missed;
        self.foreign += other.foreign;
        self.undecided += other.undecided;
        self.split.add(&other.split);
    }
}

impl Latencies {
    fn add(&mut self, other: &Self) {
        self.delivery.merge(&other.delivery);
        self.acknowledgement.merge(&other.acknowledgement);
        self.lateness.merge(&other.lateness);
        for (third, more) in self.thirds.iter_mut().zip(&other.thirds) {
            third.merge(more);
        }
    }
}

impl GeneratorResults {
    fn add(&mut self, other: &Self, joined: Joined) {
        match joined {
            Joined::SideBySide => self.loops.extend_from_slice(&other.loops),
            Joined::InTurn => {
                let count = self.loops.len().max(other.loops.len());
                self.loops.resize(count, 0.0);
                for (cpu, more) in self.loops.iter_mut().zip(&other.loops) {
                    *cpu = cpu.max(*more);
                }
            }
        }
        self.cpu = self.cpu.max(other.cpu);
        self.cpu_connecting = self.cpu_connecting.max(other.cpu_connecting);
        self.machine_busy = larger(self.machine_busy, other.machine_busy);
        self.steal = larger(self.steal, other.steal);
        self.rss = self.rss.max(other.rss);
        self.rss_before = self.rss_before.max(other.rss_before);
        self.turn.merge(&other.turn);
        let publishers = self.publishers + other.publishers;
        let weights = (self.publishers, other.publishers);
        self.blocked = mean(self.blocked, other.blocked, weights);
        self.window_full = mean(self.window_full, other.window_full, weights);
        self.publishers = publishers;
        let longest = [self.longest_turn, other.longest_turn];
        self.longest_turn = longest.into_iter().flatten().max_by_key(|(_, turn)| *turn);
    }
}

fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    [one, other].into_iter().flatten().reduce(f64::max)
}

/// The mean of two shares of so many.
#[expect(clippy::cast_precision_loss, reason = "there are at most a million publishers")]
fn mean(one: f64, other: f64, (ones, others): (u64, u64)) -> f64 {
    match ones + others {
        0 => one.max(other),
        all => (one * ones as f64 + other * others as f64) / all as f64,
    }
}

impl Second {
    /// Adds what another loop or part saw in the same second. Its quantiles cannot be added: the
    /// worst is kept.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.quantiles = match (self.quantiles, other.quantiles) {
            (Some(one), Some(two)) => Some((one.0.max(two.0), one.1.max(two.1))),
            (one, two) => one.or(two),
        };
        self.missing += other.missing;
        self.online += other.online;
        self.lateness = self.lateness.max(other.lateness);
        self.cpu = self.cpu.max(other.cpu);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fleet::Cause;

    fn results(sent: u64, time: u64, seconds: usize) -> Results {
        let mut results = Results::default();
        results.connections.wanted = 2;
        results.connections.failed.insert(Cause::TcpRefused, 1);
        results.connections.first_failed = Some((1, Duration::from_nanos(time)));
        results.messages.sent = sent;
        results.messages.window = Duration::from_secs(seconds as u64);
        results.latencies.delivery.add_many(time, sent);
        results.generator.loops = vec![0.5];
        results.generator.cpu = 0.5;
        results.generator.publishers = sent;
        results.generator.blocked = 0.1;
        results.series = vec![Second { sent, missing: 1, ..Second::default() }; seconds];
        results.verified.lost = 1;
        results
    }

    #[test]
    fn what_is_of_the_same_time_is_added_second_by_second() {
        let mut all = results(10, 2000, 2);
        all.add(&results(30, 1000, 3), Joined::SideBySide);
        assert_eq!((all.messages.sent, all.verified.lost, all.connections.wanted), (40, 2, 4));
        assert_eq!(all.messages.window, Duration::from_secs(3));
        assert_eq!(all.connections.failed[&Cause::TcpRefused], 2);
        assert_eq!(all.connections.first_failed, Some((1, Duration::from_micros(1))));
        let sent: Vec<u64> = all.series.iter().map(|second| second.sent).collect();
        assert_eq!((sent, all.series[0].missing), (vec![40, 40, 30], 2));
        assert_eq!((all.latencies.delivery.count(), all.generator.loops.len()), (40, 2));
        assert!((all.generator.blocked - 0.1).abs() < 1e-9);
    }

    #[test]
    fn runs_that_follow_each_other_are_longer_together() {
        let mut all = results(10, 2000, 2);
        all.add(&results(30, 1000, 3), Joined::InTurn);
        assert_eq!(all.messages.window, Duration::from_secs(5));
        assert_eq!((all.series.len(), all.generator.loops.len()), (5, 1));
        assert_eq!(all.messages.sent, 40);
    }

    #[test]
    fn nothing_is_changed_by_adding_nothing() {
        let one = results(10, 2000, 2);
        let mut all = Results::default();
        all.add(&one, Joined::SideBySide);
        all.add(&Results::default(), Joined::SideBySide);
        assert_eq!(format!("{all:?}"), format!("{one:?}"));
    }
}
