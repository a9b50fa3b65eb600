//! The seconds of the window, one by one.

use std::time::{Duration, Instant};

use super::context::System;
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::results::{GeneratorResults, Second};

const SECOND: u64 = 1_000_000_000;

/// The current second, and those before it.
#[derive(Debug)]
pub struct Seconds {
    /// What came: its times.
    pub times: LatencyTimes,
    /// The times of the second before.
    pub times_before: LatencyTimes,
    /// How late messages were.
    pub lateness: LatencyTimes,
    /// How many messages left.
    pub sent: u64,
    /// How many copies came.
    pub received: u64,
    /// How late messages of the second before were.
    pub lateness_before: LatencyTimes,
    /// The seconds of this loop that are over.
    pub series: Vec<Second>,
    /// Those of all loops, in the first one.
    pub of_all: Vec<Second>,
    /// When the window began, in nanoseconds; `None` before.
    began: Option<u64>,
    cpu: Cpu,
}

/// The CPU time at a few points in time.
struct Cpu {
    system: System,
    /// Of the thread, when it was created.
    at_start: Duration,
    /// Of the thread, when the window began, and when that was.
    at_begin: (Duration, Option<Instant>),
    /// Of the thread, at the end of the last second, and when that was.
    at_second: (Duration, Option<Instant>),
    /// Of the machine, when the window began.
    machine: Option<[u64; 3]>,
}

impl std::fmt::Debug for Cpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cpu").field("at_start", &self.at_start).finish_non_exhaustive()
    }
}

fn share(cpu: Duration, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { cpu.as_secs_f64() / time.as_secs_f64() }
}

impl Seconds {
    /// Before the window.
    pub fn new(system: System) -> Self {
        let now = (system.cpu)();
        let cpu = Cpu {
            system,
            at_start: now,
            at_begin: (now, None),
            at_second: (now, None),
            machine: None,
        };
        Self {
            times: LatencyTimes::default(),
            times_before: LatencyTimes::default(),
            lateness: LatencyTimes::default(),
            lateness_before: LatencyTimes::default(),
            sent: 0,
            received: 0,
            series: Vec::new(),
            of_all: Vec::new(),
            began: None,
            cpu,
        }
    }

    /// The system that is asked.
    pub fn system(&self) -> System {
        self.cpu.system
    }

    /// The share of a core that was taken since the creation, which was so long ago.
    pub fn share_of_cpu(&self, time: Duration) -> f64 {
        share((self.cpu.system.cpu)().saturating_sub(self.cpu.at_start), time)
    }

    /// The window has begun at this number.
    pub fn begin(&mut self, at: u64, now: Instant) {
        let cpu = (self.cpu.system.cpu)();
        self.began = Some(at);
        self.cpu.at_begin = (cpu, Some(now));
        self.cpu.at_second = (cpu, Some(now));
        self.cpu.machine = (self.cpu.system.machine)();
        (self.sent, self.received) = (0, 0);
    }

    /// Whether the window has begun.
    pub fn has_begun(&self) -> bool {
        self.began.is_some()
    }

    /// When it began; 0 before.
    pub fn began(&self) -> u64 {
        self.began.unwrap_or_default()
    }

    /// When the current second ends.
    pub fn next(&self) -> u64 {
        self.began().saturating_add((self.series.len() as u64 + 1) * SECOND)
    }

    /// Whether the current second is over.
    pub fn is_over(&self, at: u64) -> bool {
        self.has_begun() && at >= self.next()
    }

    /// Ends the current second, and those that passed unseen.
    pub fn end(&mut self, online: u64, at: u64, now: Instant) {
        let cpu = (self.cpu.system.cpu)();
        let (before, since) = self.cpu.at_second;
        let time = since.map(|since| now - since).unwrap_or_default();
        let second = Second {
            sent: self.sent,
            received: self.received,
            // These are those of all loops.
            quantiles: None,
            missing: 0,
            online,
            lateness: None,
            cpu: share(cpu.saturating_sub(before), time),
        };
        self.series.push(second);
        // What was stopped for several seconds has nothing to say of those.
        while at >= self.next() {
            self.series.push(Second { online, ..Second::default() });
        }
        self.cpu.at_second = (cpu, Some(now));
        std::mem::swap(&mut self.times, &mut self.times_before);
        std::mem::swap(&mut self.lateness, &mut self.lateness_before);
        self.times.clear();
        self.lateness.clear();
        (self.sent, self.received) = (0, 0);
    }

    /// The share of a core that was taken since the window began.
    pub fn cpu_of_window(&self, now: Instant) -> f64 {
        let (before, since) = self.cpu.at_begin;
        let time = since.map(|since| now - since).unwrap_or_default();
        share((self.cpu.system.cpu)().saturating_sub(before), time)
    }

    /// Adds what is known at the end of the window.
    #[expect(clippy::cast_precision_loss, reason = "a share has few digits")]
    pub fn finish(&mut self, generator: &mut GeneratorResults) {
        let now = (self.cpu.system.machine)();
        if let (Some(before), Some(now)) = (self.cpu.machine, now) {
            let [busy, stolen, all] = [0, 1, 2].map(|at| now[at].saturating_sub(before[at]));
            if all > 0 {
                generator.machine_busy = Some(busy as f64 / all as f64);
                generator.steal = Some(stolen as f64 / all as f64);
            }
        }
    }
}
