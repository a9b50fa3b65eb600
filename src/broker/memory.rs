//! How much memory the process has in use, and how much of the limit `memory` is left.

use super::limits::{DEAF_BYTES, MOST_ANSWERS, READ_BYTES, UNSENT_BYTES};
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

    /// Answers that a client leaves unread above which nothing is read from it.
    pub fn answers(self) -> usize {
        match self {
            Self::Plenty => MOST_ANSWERS,
            Self::Scarce => MOST_ANSWERS / 8,
            Self::Low => MOST_ANSWERS / 32,
            Self::Out => 0,
        }
    }

    /// What one read asks for from a client that has left so many answers unread: the smallest
    /// packets need many times as much for their answers.
    pub fn read_bytes(self, answers: usize) -> usize {
        match self {
            Self::Plenty => READ_BYTES,
            Self::Scarce if answers == 0 => READ_BYTES,
            Self::Scarce | Self::Low | Self::Out => READ_BYTES / 16,
        }
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
