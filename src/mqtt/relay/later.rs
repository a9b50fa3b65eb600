//! Messages of the source whose identifier is still in use.

use std::collections::VecDeque;

use super::RelayMark;
use super::size::{OVERHEAD, message_size};
use crate::mqtt::id_map::IdMap;
use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// What becomes of a new message.
#[derive(Debug)]
pub enum RelayFate {
    /// It goes to the target.
    Passed(Publish),
    /// It is only answered, at its QoS.
    Skipped(QoS, ReasonCode),
}

impl RelayFate {
    /// How much memory it takes, about, in bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Passed(message) => message_size(message),
            Self::Skipped(..) => OVERHEAD,
        }
    }
}

/// A new message.
#[derive(Debug)]
pub struct NewMessage {
    pub mark: RelayMark,
    pub fate: RelayFate,
}

/// New messages, each behind the one that has its identifier.
#[derive(Debug, Default)]
pub struct Later {
    waiting: IdMap<PacketId, VecDeque<NewMessage>>,
    count: usize,
}

impl Later {
    /// Keeps a message until its identifier is free.
    pub fn push(&mut self, packet_id: PacketId, new: NewMessage) {
        self.count += 1;
        self.waiting.entry(packet_id).or_default().push_back(new);
    }

    /// The next message under this identifier, which is free now.
    pub fn take(&mut self, packet_id: PacketId) -> Option<NewMessage> {
        if self.count == 0 {
            return None;
        }
        let queue = self.waiting.get_mut(&packet_id)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&packet_id);
        }
        self.count -= usize::from(next.is_some());
        next
    }

    /// Forgets all of them: the source will send them again. Returns how many were to be passed on,
    /// and what all of them take, in bytes.
    pub fn clear(&mut self) -> (u64, usize) {
        let all = std::mem::take(self).waiting.into_values().flatten();
        all.fold((0, 0), |(count, bytes), new| {
            let is_passed = matches!(new.fate, RelayFate::Passed(_));
            (count + u64::from(is_passed), bytes + new.fate.size())
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }
}
