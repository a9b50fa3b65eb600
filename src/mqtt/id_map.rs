//! Tables by small numbers: packet identifiers, and the numbers of connections.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A table by packet identifiers, or by other numbers that the other side cannot choose freely.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// A set of the same.
pub type IdSet<K> = HashSet<K, BuildHasherDefault<IdHasher>>;

/// Hashes packet identifiers, of which there are so few that a peer cannot slow us down by choosing
/// them, and numbers that are ours. The hash of the standard library would take half of the time of
/// a QoS 2 message.
#[derive(Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0 << 8 | u64::from(byte);
        }
    }

    #[inline]
    fn write_u16(&mut self, id: u16) {
        self.0 = u64::from(id);
    }

    #[inline]
    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }

    /// Fibonacci hashing: it spreads consecutive identifiers.
    #[inline]
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}
