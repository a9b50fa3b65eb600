//! Numbers that look random and depend on nothing but what they are drawn for.

use crate::mqtt::packet::PacketType;

/// What a series of numbers is drawn for.
#[derive(Debug, Clone, Copy)]
pub struct RandomSeries(u64);

impl RandomSeries {
    /// The series of one direction (0 or 1) of the connection with this number.
    pub fn new(seed: u64, connection: u64, direction: u64) -> Self {
        Self(mixed(mixed(mixed(0, seed), connection), direction))
    }

    /// A number from 0 up to 1, for what the rule with this number does to the packet that is the
    /// `count`th of its type.
    pub fn number(self, rule: usize, packet: PacketType, count: u64) -> f64 {
        let bits = mixed(mixed(mixed(self.0, rule as u64), packet as u64), count);
        let [a, b, c, d, ..] = bits.to_be_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) / 4_294_967_296.0
    }
}

/// A number in which each bit of both depends on each bit (`SplitMix64`).
fn mixed(state: u64, more: u64) -> u64 {
    let mut bits = (state ^ more).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
