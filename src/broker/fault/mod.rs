//! Faults on purpose (`--fault`), pure: which packets of a connection are lost, doubled, delayed or
//! held up, and when the connection is cut. The same seed does the same to the same packets.

mod held;
mod pace;
mod random;
#[cfg(test)]
mod tests;
mod traffic;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use traffic::FaultyTraffic;

use crate::mqtt::packet::{Packet, PacketType};
use pace::{BytePace, SilenceLimit};
use random::RandomSeries;

/// What `--fault` asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultPlan {
    /// What the random numbers are made of; without one they are those of 0.
    pub seed: Option<u64>,
    /// So many connections, the first, are refused.
    pub refused: u64,
    /// What happens to the packets of the others.
    pub rules: Vec<FaultRule>,
}

/// A fault, and what it happens to.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRule {
    /// In which direction; `None` is both.
    pub direction: Option<PacketDirection>,
    /// To packets of which type; `None` is every type but CONNECT and CONNACK.
    pub packet: Option<PacketType>,
    /// What happens.
    pub fault: FaultKind,
}

/// Where packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketDirection {
    /// From a client to the broker.
    In,
    /// From the broker to a client.
    Out,
}

/// What happens to packets.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultKind {
    /// A packet is lost with this probability.
    Drop(f64),
    /// A packet comes twice with this probability.
    Duplicate(f64),
    /// A packet comes later by a time between these.
    Delay(Duration, Duration),
    /// After `after` packets the direction stands still for `time`, once a connection.
    Stall {
        /// For how long.
        time: Duration,
        /// After how many packets.
        after: u64,
    },
    /// After so many bytes the connection is reset.
    CutAfter(u64),
    /// A connection in which nothing passes for so long is ended.
    CutIdle(Duration),
    /// So many bytes pass in a second.
    Rate(u64),
}

/// What happened on purpose.
#[derive(Debug, Clone, Copy)]
pub enum FaultEvent<'a> {
    /// This, to a packet.
    Packet(PacketFault, PacketDirection, &'a Packet),
    /// The connection was reset after so many bytes in this direction.
    Cut(PacketDirection, u64),
    /// The connection was ended because nothing passed for so long.
    CutIdle(Duration),
    /// The connection was refused.
    Refused,
}

/// What happened to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketFault {
    /// It is lost.
    Drop,
    /// It comes twice.
    Duplicate,
    /// It comes so much later.
    Delay(Duration),
    /// It, and what follows, waits for so long.
    Stall(Duration),
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// How often it arrives.
    pub copies: u8,
    /// When it arrives.
    pub at: Instant,
    /// By how much it was delayed.
    delay: Duration,
    /// For how long everything from it on is held up.
    stall: Duration,
}

/// The faults of one connection.
#[derive(Debug)]
pub struct ConnectionFaults {
    plan: Arc<FaultPlan>,
    inward: DirectionFaults,
    outward: DirectionFaults,
    /// How long nothing may pass, if not for ever.
    idle: Option<SilenceLimit>,
}

#[derive(Debug)]
struct DirectionFaults {
    direction: PacketDirection,
    random: RandomSeries,
    /// How many packets there were of each type.
    packets: [u64; 16],
    /// How many packets each rule has seen.
    seen: Vec<u64>,
    /// When the direction goes on that stands still.
    stands_until: Option<Instant>,
    /// When the latest packet arrives: none overtakes another.
    latest: Option<Instant>,
    /// After how many bytes the connection is cut.
    cut_after: Option<u64>,
    /// How fast bytes pass, if not as fast as they can.
    pace: Option<BytePace>,
    /// How many bytes have passed.
    passed: u64,
}

impl FaultPlan {
    /// Whether the connection with this number, from 0, is refused.
    pub fn refuses(&self, number: u64) -> bool {
        number < self.refused
    }

    /// Whether the seed makes a difference.
    pub fn is_random(&self) -> bool {
        self.rules.iter().any(|rule| match rule.fault {
            FaultKind::Drop(share) | FaultKind::Duplicate(share) => share > 0.0 && share < 1.0,
            FaultKind::Delay(shortest, longest) => shortest < longest,
            FaultKind::Stall { .. }
            | FaultKind::CutAfter(_)
            | FaultKind::CutIdle(_)
            | FaultKind::Rate(_) => false,
        })
    }

    /// The faults of the connection with this number, from 0; `None` if nothing can happen to it.
    pub fn of_connection(self: &Arc<Self>, number: u64) -> Option<ConnectionFaults> {
        let of = |direction| DirectionFaults::new(self, direction, number);
        let (inward, outward) = (of(PacketDirection::In), of(PacketDirection::Out));
        let idle = self.rules.iter().filter_map(|rule| match rule.fault {
            FaultKind::CutIdle(time) => Some(time),
            _ => None,
        });
        let idle = idle.min().map(SilenceLimit::new);
        (!self.rules.is_empty()).then(|| ConnectionFaults {
            plan: Arc::clone(self),
            inward,
            outward,
            idle,
        })
    }
}

impl ConnectionFaults {
    /// What becomes of a packet of this type.
    pub fn judge(&mut self, direction: PacketDirection, packet: PacketType, now: Instant) -> Fate {
        let plan = Arc::clone(&self.plan);
        self.side_mut(direction).judge(&plan, packet, now)
    }

    /// When something arrives that no fault concerns, and that must not overtake packets.
    pub fn arrival(&self, direction: PacketDirection, now: Instant) -> Instant {
        self.side(direction).after_all(now)
    }

    /// How many bytes may still pass in this direction before the connection is reset; `None` is
    /// any number.
    pub fn bytes_left(&self, direction: PacketDirection) -> Option<u64> {
        let side = self.side(direction);
        side.cut_after.map(|bytes| bytes.saturating_sub(side.passed))
    }

    /// How many bytes have passed.
    pub fn passed(&self, direction: PacketDirection) -> u64 {
        self.side(direction).passed
    }

    /// How many bytes may pass in this direction now.
    pub fn room(&self, direction: PacketDirection) -> u64 {
        let pace = self.side(direction).pace.as_ref().map_or(u64::MAX, BytePace::room);
        self.bytes_left(direction).map_or(pace, |left| left.min(pace))
    }

    /// So many bytes have passed.
    pub fn pass(&mut self, direction: PacketDirection, bytes: usize, now: Instant) {
        if bytes == 0 {
            return;
        }
        let side = self.side_mut(direction);
        side.passed += bytes as u64;
        if let Some(pace) = &mut side.pace {
            pace.pass(bytes, now);
        }
        if let Some(idle) = &mut self.idle {
            idle.pass(now);
        }
    }

    /// When bytes pass again that do not now, or the connection has been silent for too long.
    pub fn due(&self) -> Option<Instant> {
        let paces = [&self.inward, &self.outward].map(|side| side.pace.as_ref()?.due());
        let idle = self.idle.as_ref().and_then(SilenceLimit::due);
        paces.into_iter().flatten().chain(idle).min()
    }

    /// Lets bytes pass again if it is time.
    pub fn wake(&mut self, now: Instant) {
        for side in [&mut self.inward, &mut self.outward] {
            if let Some(pace) = &mut side.pace {
                pace.wake(now);
            }
        }
    }

    /// For how long nothing has passed, if that is too long.
    pub fn silence(&self, now: Instant) -> Option<Duration> {
        self.idle.as_ref().filter(|idle| idle.due().is_some_and(|at| at <= now)).map(|it| it.time)
    }

    fn side(&self, direction: PacketDirection) -> &DirectionFaults {
        match direction {
            PacketDirection::In => &self.inward,
            PacketDirection::Out => &self.outward,
        }
    }

    fn side_mut(&mut self, direction: PacketDirection) -> &mut DirectionFaults {
        match direction {
            PacketDirection::In => &mut self.inward,
            PacketDirection::Out => &mut self.outward,
        }
    }
}

impl DirectionFaults {
    fn new(plan: &FaultPlan, direction: PacketDirection, number: u64) -> Self {
        let rules = || plan.rules.iter().filter(|rule| rule.concerns(direction));
        let cut = rules().filter_map(|rule| match rule.fault {
            FaultKind::CutAfter(bytes) => Some(bytes),
            _ => None,
        });
        let rate = rules().filter_map(|rule| match rule.fault {
            FaultKind::Rate(bytes) => Some(bytes),
            _ => None,
        });
        Self {
            direction,
            random: RandomSeries::new(plan.seed.unwrap_or_default(), number, direction as u64),
            packets: [0; 16],
            seen: vec![0; plan.rules.len()],
            stands_until: None,
            latest: None,
            cut_after: cut.min(),
            pace: rate.min().map(BytePace::new),
            passed: 0,
        }
    }

    fn judge(&mut self, plan: &FaultPlan, packet: PacketType, now: Instant) -> Fate {
        let count = &mut self.packets[usize::from(packet as u8 & 15)];
        *count += 1;
        let mut fate = Fate { copies: 1, at: now, delay: Duration::ZERO, stall: Duration::ZERO };
        for (number, rule) in plan.rules.iter().enumerate() {
            if !rule.concerns(self.direction) || !rule.is_about(packet) {
                continue;
            }
            let random = || self.random.number(number, packet, *count);
            fate.apply(&rule.fault, self.seen[number], random);
            self.seen[number] += 1;
        }
        let goes_on = self.not_before(now) + fate.stall;
        if fate.stall > Duration::ZERO {
            self.stands_until = Some(goes_on);
        }
        let at = goes_on + fate.delay;
        fate.at = self.latest.map_or(at, |latest| latest.max(at));
        if fate.copies > 0 {
            self.latest = Some(fate.at);
        }
        fate
    }

    /// The earliest time at which a packet arrives that is sent now.
    fn not_before(&self, now: Instant) -> Instant {
        self.stands_until.map_or(now, |until| until.max(now))
    }

    /// The same for what must not overtake a packet.
    fn after_all(&self, now: Instant) -> Instant {
        self.latest.map_or_else(|| self.not_before(now), |latest| latest.max(self.not_before(now)))
    }
}

impl Fate {
    /// What a rule does to the packet, of which it has seen so many others.
    fn apply(&mut self, fault: &FaultKind, seen: u64, random: impl Fn() -> f64) {
        match *fault {
            FaultKind::Drop(share) if random() < share => self.copies = 0,
            FaultKind::Duplicate(share) if random() < share => self.copies = self.copies.min(1) * 2,
            FaultKind::Delay(shortest, longest) => {
                self.delay += shortest + longest.saturating_sub(shortest).mul_f64(random());
            }
            FaultKind::Stall { time, after } if seen == after => self.stall += time,
            FaultKind::Drop(_)
            | FaultKind::Duplicate(_)
            | FaultKind::Stall { .. }
            | FaultKind::CutAfter(_)
            | FaultKind::CutIdle(_)
            | FaultKind::Rate(_) => {}
        }
    }

    /// What has happened to the packet.
    pub fn faults(&self) -> impl Iterator<Item = PacketFault> {
        let delay = (self.copies > 0 && self.delay > Duration::ZERO).then_some(self.delay);
        let all = [
            (self.stall > Duration::ZERO).then_some(PacketFault::Stall(self.stall)),
            (self.copies == 0).then_some(PacketFault::Drop),
            (self.copies > 1).then_some(PacketFault::Duplicate),
            delay.map(PacketFault::Delay),
        ];
        all.into_iter().flatten()
    }
}

impl FaultRule {
    fn concerns(&self, direction: PacketDirection) -> bool {
        self.direction.is_none_or(|one| one == direction)
    }

    fn is_about(&self, packet: PacketType) -> bool {
        match self.packet {
            Some(one) => one == packet,
            None => !matches!(packet, PacketType::Connect | PacketType::ConnAck),
        }
    }
}
