//! Faults on purpose (`--fault`), pure: which packets of a connection are lost, doubled, delayed or
//! held up, and when the connection is cut. The same seed does the same to the same packets.

mod held;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

#[allow(unused_imports)]
pub use held::Held;

use crate::mqtt::packet::PacketType;

/// What `--fault` asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultPlan {
    /// What the random numbers are made of.
    pub seed: u64,
    /// So many connections, the first, are refused.
    pub refused: u64,
    /// What happens to the packets of the others.
    pub rules: Vec<FaultRule>,
}

/// A fault, and what it happens to.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRule {
    /// In which direction; `None` is both.
    pub direction: Option<Direction>,
    /// To packets of which type; `None` is every type but CONNECT and CONNACK.
    pub packet: Option<PacketType>,
    /// What happens.
    pub fault: Fault,
}

/// Where packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a client to the broker.
    In,
    /// From the broker to a client.
    Out,
}

/// What happens to packets.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
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
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// How often it arrives.
    pub copies: u8,
    /// When it arrives.
    pub at: Instant,
}

/// The faults of one connection.
#[derive(Debug)]
pub struct ConnectionFaults {
    plan: Arc<FaultPlan>,
    inward: DirectionFaults,
    outward: DirectionFaults,
}

#[derive(Debug)]
struct DirectionFaults {
    direction: Direction,
    random: fastrand::Rng,
    /// How many packets each rule has seen.
    seen: Vec<u64>,
    /// When the direction goes on that stands still.
    stands_until: Option<Instant>,
    /// When the latest packet arrives: none overtakes another.
    latest: Option<Instant>,
    /// How many bytes may pass before the connection is cut.
    bytes_left: Option<u64>,
}

impl FaultPlan {
    /// Whether the connection with this number, from 0, is refused.
    pub fn refuses(&self, number: u64) -> bool {
        number < self.refused
    }

    /// The faults of the connection with this number, from 0; `None` if nothing can happen to it.
    pub fn of_connection(self: &Arc<Self>, number: u64) -> Option<ConnectionFaults> {
        let of = |direction| DirectionFaults::new(self, direction, number);
        let (inward, outward) = (of(Direction::In), of(Direction::Out));
        (!self.rules.is_empty()).then(|| ConnectionFaults {
            plan: Arc::clone(self),
            inward,
            outward,
        })
    }
}

impl ConnectionFaults {
    /// What becomes of a packet of this type.
    pub fn judge(&mut self, direction: Direction, packet: PacketType, now: Instant) -> Fate {
        let plan = Arc::clone(&self.plan);
        self.side(direction).judge(&plan, packet, now)
    }

    /// How many bytes may still pass in this direction before the connection is reset; `None` is
    /// any number.
    pub fn bytes_left(&self, direction: Direction) -> Option<u64> {
        match direction {
            Direction::In => self.inward.bytes_left,
            Direction::Out => self.outward.bytes_left,
        }
    }

    /// So many bytes have passed.
    pub fn pass(&mut self, direction: Direction, bytes: usize) {
        if let Some(left) = &mut self.side(direction).bytes_left {
            *left = left.saturating_sub(bytes as u64);
        }
    }

    fn side(&mut self, direction: Direction) -> &mut DirectionFaults {
        match direction {
            Direction::In => &mut self.inward,
            Direction::Out => &mut self.outward,
        }
    }
}

impl DirectionFaults {
    fn new(plan: &FaultPlan, direction: Direction, number: u64) -> Self {
        let rules = plan.rules.iter().filter(|rule| rule.concerns(direction));
        let cut = rules.filter_map(|rule| match rule.fault {
            Fault::CutAfter(bytes) => Some(bytes),
            _ => None,
        });
        Self {
            direction,
            random: fastrand::Rng::with_seed(seed(plan.seed, direction, number)),
            seen: vec![0; plan.rules.len()],
            stands_until: None,
            latest: None,
            bytes_left: cut.min(),
        }
    }

    fn judge(&mut self, plan: &FaultPlan, packet: PacketType, now: Instant) -> Fate {
        let (mut copies, mut at) = (1, self.stands_until.map_or(now, |until| until.max(now)));
        for (rule, seen) in plan.rules.iter().zip(&mut self.seen) {
            if !rule.concerns(self.direction) || !rule.is_about(packet) {
                continue;
            }
            *seen += 1;
            match rule.fault {
                // A number is drawn in any case: what one rule does changes nothing for the next.
                Fault::Drop(share) if self.random.f64() < share => copies = 0,
                Fault::Duplicate(share) if self.random.f64() < share => copies *= 2,
                Fault::Delay(shortest, longest) => {
                    at += shortest + longest.saturating_sub(shortest).mul_f64(self.random.f64());
                }
                Fault::Stall { time, after } if *seen == after + 1 => {
                    at += time;
                    self.stands_until = Some(at);
                }
                Fault::Drop(_) | Fault::Duplicate(_) | Fault::Stall { .. } | Fault::CutAfter(_) => {
                }
            }
        }
        let at = self.latest.map_or(at, |latest| latest.max(at));
        self.latest = Some(at);
        Fate { copies, at }
    }
}

impl FaultRule {
    fn concerns(&self, direction: Direction) -> bool {
        self.direction.is_none_or(|one| one == direction)
    }

    fn is_about(&self, packet: PacketType) -> bool {
        match self.packet {
            Some(one) => one == packet,
            None => !matches!(packet, PacketType::Connect | PacketType::ConnAck),
        }
    }
}

/// A seed for each direction of each connection, far from those of its neighbours (`SplitMix64`).
fn seed(seed: u64, direction: Direction, number: u64) -> u64 {
    let place = number.wrapping_mul(2).wrapping_add(u64::from(direction == Direction::Out));
    let mut mixed = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
