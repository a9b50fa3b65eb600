//! The seconds of the window, one by one.

use std::time::{Duration, Instant};

use super::context::System;
use super::team::GatheredSecond;
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::results::{GeneratorResults, Second};

/// A second, in nanoseconds.
pub const SECOND: u64 = 1_000_000_000;

/// Of so many times the memory is kept: those of one slice.
const SPARE: usize = 2;

/// The current slice of the window, and the seconds before it. A slice is a second, or a part of
/// one where lines are wanted at fractions of a second (`--report`).
#[derive(Debug)]
pub struct Seconds {
    /// What came: its times.
    pub times: LatencyTimes,
    /// How late messages were.
    pub lateness: LatencyTimes,
    /// How many messages left.
    pub sent: u64,
    /// How many copies came.
    pub received: u64,
    /// Empty ones for the next slice, which have their memory.
    spare: Vec<LatencyTimes>,
    /// The slices of this loop that were not told of, with their numbers.
    pub ended: Vec<(u64, GatheredSecond)>,
    /// How long a slice is, in nanoseconds.
    slice: u64,
    /// How many slices of this loop are over.
    over: u64,
    /// The seconds of all loops, in the first one.
    pub of_all: Vec<Second>,
    /// The slices of all loops since the last second.
    current: GatheredSecond,
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
    /// Of the thread, at the end of the last slice, and when that was.
    at_slice: (Duration, Option<Instant>),
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
    /// Before the window; a slice has so many nanoseconds.
    pub fn new(system: System, slice: u64) -> Self {
        let now = (system.cpu)();
        let cpu = Cpu {
            system,
            at_start: now,
            at_begin: (now, None),
            at_slice: (now, None),
            machine: None,
        };
        Self {
            times: LatencyTimes::default(),
            lateness: LatencyTimes::default(),
            spare: Vec::new(),
            ended: Vec::new(),
            sent: 0,
            received: 0,
            slice,
            over: 0,
            of_all: Vec::new(),
            current: GatheredSecond::default(),
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
        self.cpu.at_slice = (cpu, Some(now));
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

    /// When the current slice ends.
    pub fn next(&self) -> u64 {
        self.began().saturating_add((self.over + 1) * self.slice)
    }

    /// How many slices are over.
    pub fn over(&self) -> u64 {
        self.over
    }

    /// How many seconds are over.
    pub fn seconds_over(&self) -> u64 {
        self.over * self.slice / SECOND
    }

    /// Whether a second ends with the slice of this number.
    pub fn ends_second(&self, number: u64) -> bool {
        ((number + 1) * self.slice).is_multiple_of(SECOND)
    }

    /// Whether the current slice is over.
    pub fn is_over(&self, at: u64) -> bool {
        self.has_begun() && at >= self.next()
    }

    /// Ends the current slice, and those that passed unseen: how many these are.
    pub fn end(&mut self, online: u64, at: u64, now: Instant) -> (Second, u64) {
        let cpu = (self.cpu.system.cpu)();
        let (before, since) = self.cpu.at_slice;
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
        self.over += 1;
        // What was stopped for several slices has nothing to say of those.
        let unseen = at.saturating_sub(self.next() - self.slice) / self.slice;
        self.over += unseen;
        self.cpu.at_slice = (cpu, Some(now));
        (self.sent, self.received) = (0, 0);
        (second, unseen)
    }

    /// The times of what came since the last call, and of how late messages were.
    pub fn take_times(&mut self) -> [LatencyTimes; 2] {
        let mut empty = || self.spare.pop().unwrap_or_default();
        let (times, lateness) = (empty(), empty());
        let times = std::mem::replace(&mut self.times, times);
        [times, std::mem::replace(&mut self.lateness, lateness)]
    }

    /// Keeps the memory of times that nobody needs any more.
    fn recycle(&mut self, mut times: LatencyTimes) {
        if self.spare.len() < SPARE {
            times.clear();
            self.spare.push(times);
        }
    }

    /// Adds a slice of all loops to the current second; whether that is over by it.
    pub fn add_slice(&mut self, slice: GatheredSecond) -> bool {
        self.current.follow(slice);
        if self.current.slices() * self.slice < SECOND {
            return false;
        }
        let GatheredSecond { second, times, lateness, .. } =
            std::mem::take(&mut self.current).finish();
        self.of_all.push(second);
        self.recycle(times);
        self.recycle(lateness);
        true
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
