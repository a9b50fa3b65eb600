//! How much memory the process has in use, and how much of the limit `memory` is left.

use super::limits::{DEAF_BYTES, UNSENT_BYTES};
use crate::allocator::allocated;

const MIB: usize = 1024 * 1024;

/// How much memory is left for clients; the later the worse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryLevel {
    /// Half of it or more.
    #[default]
    Plenty,
    /// Less than half: those who do not read get less.
    Scarce,
    /// Less than an eighth: publishers are refused or slowed down.
    Low,
    /// None: nothing is taken that would have to be kept.
    Out,
}

impl MemoryLevel {
    /// The level now, with this limit in bytes.
    pub fn now(limit: usize) -> Self {
        Self::of(allocated(), limit)
    }

    /// How much more is in use than leaves enough for clients, in bytes.
    pub fn excess(limit: usize) -> usize {
        allocated().saturating_sub(limit / 4 * 3)
    }

    fn of(used: usize, limit: usize) -> Self {
        if used >= limit {
            Self::Out
        } else if used >= limit - limit / 8 {
            Self::Low
        } else if used >= limit / 2 {
            Self::Scarce
        } else {
            Self::Plenty
        }
    }

    /// Unsent bytes of one connection, above which nothing more is handed over to it, or, while
    /// memory is scarce, to one that does not read.
    pub fn unsent_bytes(self) -> usize {
        if self == Self::Plenty { UNSENT_BYTES } else { MIB }
    }

    /// Unsent bytes (then acknowledgements) above which nothing is read from the client itself.
    pub fn deaf_bytes(self) -> usize {
        match self {
            Self::Plenty => DEAF_BYTES,
            Self::Scarce | Self::Low => 2 * MIB,
            Self::Out => 4096,
        }
    }
}

#[test]
fn levels() {
    use MemoryLevel::{Low, Out, Plenty, Scarce};
    let levels = [0, 49, 50, 87, 88, 99, 100, 101].map(|used| MemoryLevel::of(used, 100));
    assert_eq!(levels, [Plenty, Plenty, Scarce, Scarce, Low, Low, Out, Out]);
}
