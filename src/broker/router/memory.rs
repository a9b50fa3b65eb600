//! What the router does while there is little memory left.

use std::time::{Duration, Instant};

use super::message::AppMessage;
use super::reason::Reason;
use super::{ConnectionId, EndReason, Router, touch};
use crate::broker::memory::MemoryLevel;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// No connection has this number. A publisher that is held back for it waits for memory.
pub const NOBODY: ConnectionId = 0;

/// How often the user is told, at most.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The memory as far as the router knows, and what it has told of it.
#[derive(Debug, Default)]
pub struct MemoryWatch {
    /// How much there is.
    pub level: MemoryLevel,
    told_at: Option<Instant>,
}

/// What becomes of a message that comes while there is little memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is taken.
    Taken,
    /// It is not.
    Refused,
}

impl Router {
    /// How much memory there is from now on.
    pub fn set_memory(&mut self, level: MemoryLevel) {
        if self.memory.level != level {
            self.readmit_all();
            self.memory.level = level;
        }
    }

    /// Whether so little memory is left that a message is refused whose publisher can be told.
    pub(super) fn lacks_memory(&mut self, message: &AppMessage, now: Instant) -> bool {
        // Without a payload it removes what is retained.
        let is_removal = message.retain && message.payload.is_empty();
        let lacks = self.memory.level >= MemoryLevel::Low && !is_removal;
        if lacks {
            self.tell_of_memory(now);
        }
        lacks
    }

    /// Slows down a publisher that cannot be told that there is little memory. Where there is none,
    /// its message is lost at QoS 0; otherwise its connection ends, and it is not acknowledged.
    pub(super) fn admit(&mut self, id: ConnectionId, qos: QoS, now: Instant) -> Admission {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.hold_back_for = Some(NOBODY);
            touch(&mut self.touched, id, peer);
        }
        if self.memory.level < MemoryLevel::Out {
            return Admission::Taken;
        }
        if qos != QoS::AtMostOnce {
            self.out_of_memory(id, now);
        }
        Admission::Refused
    }

    /// Ends a connection whose packets need memory that is not there.
    pub fn out_of_memory(&mut self, id: ConnectionId, now: Instant) {
        self.tell_of_memory(now);
        self.lines.notes.push(format!("{}: no memory for its packet", self.name(id)));
        let reason = Reason::new(ReasonCode::QUOTA_EXCEEDED, "the broker has no memory left");
        self.shut(id, &reason, EndReason::Refused, now);
    }

    /// Ends a connection if it has been silent for so long in the middle of a packet, while others
    /// lack the memory that it holds.
    pub fn end_if_silent(&mut self, id: ConnectionId, time: Duration, now: Instant) {
        let is_silent = |heard| now.saturating_duration_since(heard) >= time;
        if self.peers.get(&id).is_some_and(|peer| is_silent(peer.heard)) {
            self.out_of_memory(id, now);
        }
    }

    /// Tells the user that memory is scarce, but not again and again.
    pub(super) fn tell_of_memory(&mut self, now: Instant) {
        let was_told = |at: Instant| now.saturating_duration_since(at) < TELL_EVERY;
        if self.memory.told_at.is_some_and(was_told) {
            return;
        }
        self.memory.told_at = Some(now);
        let line = "the limit of memory is reached (see --limit): subscriptions are refused, and \
                    publishers, in MQTT 5; those before it are slowed down or disconnected, and \
                    messages of QoS 0 may be lost";
        self.lines.warnings.push(line.to_owned());
    }
}
