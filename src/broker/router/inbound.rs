//! The QoS 2 messages of a client that were routed and that it has not released (§4.3.3, Method B).

use crate::mqtt::id_map::IdSet;
use crate::mqtt::packet::PacketId;

/// Their packet identifiers.
#[derive(Debug, Default)]
pub struct UnreleasedMessages {
    /// Those that came on this connection: the Receive Maximum counts them.
    counted: IdSet<PacketId>,
    /// Those that came on earlier ones. Their PUBREL is awaited, but counts for nothing: the quota
    /// of a client begins anew with each connection (§4.9).
    earlier: IdSet<PacketId>,
}

impl UnreleasedMessages {
    /// The client has reconnected.
    pub fn resume(&mut self) {
        self.earlier.extend(self.counted.drain());
    }

    /// A message came on this connection; false if it was routed before.
    #[must_use]
    pub fn insert(&mut self, id: PacketId) -> bool {
        let was_routed = self.earlier.remove(&id);
        self.counted.insert(id) && !was_routed
    }

    /// Whether this message was routed and not released.
    pub fn contains(&self, id: PacketId) -> bool {
        self.counted.contains(&id) || self.earlier.contains(&id)
    }

    /// The identifier is free again; false if it was.
    pub fn remove(&mut self, id: PacketId) -> bool {
        self.counted.remove(&id) || self.earlier.remove(&id)
    }

    /// How many came on this connection.
    pub fn counted(&self) -> usize {
        self.counted.len()
    }
}
