//! What one loop tells another of connections and messages that concern both.

use std::sync::atomic::Ordering;

use super::{TeamMember, locked};

/// What a loop has to know of the connections of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopNote {
    /// So many copies of the messages of a publisher have come (QoS 0, closed loop).
    Arrived(usize, u64),
    /// A connection was ended without DISCONNECT at this time: its will is due.
    WillDue(usize, u64),
    /// A connection was lost: its will may come.
    WillAllowed(usize),
    /// A connection is away since this time: by the cut of this number, or by churn.
    Away(usize, Option<usize>, u64),
    /// It is back since this time.
    Back(usize, u64),
}

impl TeamMember {
    /// Tells another loop.
    pub fn post(&self, to: usize, notes: impl IntoIterator<Item = LoopNote>) {
        let seat = &self.team.seats[to];
        locked(&seat.notes).extend(notes);
        seat.has_notes.store(true, Ordering::Release);
        self.team.wake(to);
    }

    /// Tells all other loops.
    pub fn post_to_others(&self, note: LoopNote) {
        for other in (0..self.share.of).filter(|other| *other != self.share.number) {
            self.post(other, [note]);
        }
    }

    /// What it was told.
    pub fn take_notes(&self) -> Vec<LoopNote> {
        let seat = &self.team.seats[self.share.number];
        if !seat.has_notes.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        std::mem::take(&mut *locked(&seat.notes))
    }
}
