//! Relief while there is little memory: connections make room that hold some for a request or a
//! packet that is incomplete.

use std::time::{Duration, Instant};

use super::EventLoop;
use crate::broker::connections::PartHolder;
use crate::broker::handshake;
use crate::broker::limits::{Limit, PATIENCE};
use crate::broker::memory::MemoryLevel;

/// How often such connections are looked for.
const RELIEF: Duration = Duration::from_secs(1);
/// The same while they hold much: a client that comes meanwhile is refused.
const SOON: Duration = Duration::from_millis(10);

/// Bytes of an incomplete packet that are worth the look.
pub const INCOMPLETE_BYTES: usize = 4096;

/// This part of the limit of memory is much for all incomplete packets together.
const MUCH: usize = 8;

impl EventLoop {
    /// While there is little memory, ends the connections that hold some for a packet and have
    /// stopped sending it. Where all of them together hold much, those make room that began first.
    pub(super) fn relieve(&mut self, now: Instant) {
        if self.measure_memory() < MemoryLevel::Low {
            self.relief_at = None;
        } else if self.relief_at.is_none_or(|at| at <= now) {
            let limit = self.limits.get(Limit::Memory);
            let mut holders = self.connections.with_incomplete(INCOMPLETE_BYTES);
            holders.sort_unstable_by_key(|holder| holder.since);
            let mut held: usize = holders.iter().map(|holder| holder.bytes).sum();
            self.relief_at = Some(now + if held >= limit / MUCH { SOON } else { RELIEF });
            let mut wanted = MemoryLevel::excess(limit);
            for PartHolder { id, bytes, .. } in holders {
                if wanted > 0 && held >= limit / MUCH {
                    self.end_incomplete(id, now);
                    held -= bytes;
                    wanted = wanted.saturating_sub(bytes);
                } else {
                    self.service.brokers.end_if_silent(id, PATIENCE, now);
                }
            }
        }
    }

    /// Ends a connection whose request or packet is incomplete.
    fn end_incomplete(&mut self, id: u64, now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.is_before_upgrade() {
            connection.refuse(&handshake::no_memory(), &mut self.service, now);
            self.connections.queue_write(id);
        } else {
            self.service.brokers.out_of_memory(id, now);
        }
    }
}
