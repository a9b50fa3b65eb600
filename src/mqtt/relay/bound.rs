//! The bound of what a relay holds in memory, and what is done when it is reached.
//!
//! The source is not read while too much waits, as long as the target can go on without it. That
//! may not be so at QoS 2: the PUBREL that makes room at the target comes after what the source has
//! sent before it. Then the rest of this connection is read without being kept or answered, and the
//! source sends it again on the next one, after the PUBRELs that it owes.

use bytes::BytesMut;

use super::size::message_size;
use super::{Relay, RelayReach};
use crate::mqtt::packet::{Decoded, Decoder, Packet, Publish};
use crate::mqtt::version::Version;

/// The most that is held of messages that the target has not acknowledged, in bytes, but for the
/// last of them.
pub const HELD: usize = 64 * 1024 * 1024;

/// As long as less is held, messages stay in the memory that they came in, with what else came.
const SHARED: usize = 1024 * 1024;

/// A message of so many bytes is most of the memory that it came in.
const LARGE: usize = 32 * 1024;

/// The source is left at once, for another connection, if it has to make room so many times for
/// what waits; otherwise what it has sent is read to its end, which is less to send again.
const ROUNDS: usize = 8;

impl Relay {
    /// Whether the source must not be read: what is left of a session that it has lost occupies
    /// identifiers, or too much waits for a target that can go on without the source.
    pub fn must_pause(&self, target: RelayReach) -> bool {
        let goes_on = target == RelayReach::Away || self.awaited > 0;
        self.source.orphans > 0 || (self.held > self.bound && goes_on && !self.source.leaves())
    }

    /// Whether new messages are left to the next connection to the source.
    pub fn leaves(&self) -> bool {
        self.source.leaves()
    }

    /// Whether the source is to be connected to again: messages were left to that, and nothing else
    /// is to be done, or no more than what the source can say first there.
    pub fn must_connect_again(&self) -> bool {
        let waiting = self.unfinished();
        self.source.leaves() && self.awaited == 0 && waiting <= ROUNDS * self.target.outstanding
    }

    /// Whether a new message is taken. The source is read although too much waits only because the
    /// target waits for it.
    pub(super) fn takes_new(&mut self) -> bool {
        if self.held > self.bound {
            self.source.leave();
        }
        self.source.takes_new()
    }

    /// The message as it is kept: in memory of its own, if it is a small part of what came with it
    /// and many are kept.
    pub(super) fn kept(&self, message: Publish) -> Publish {
        if self.held < SHARED.min(self.bound) || message_size(&message) > LARGE {
            return message;
        }
        in_own_memory(&message).unwrap_or(message)
    }
}

fn in_own_memory(message: &Publish) -> Option<Publish> {
    let length = message.encoded_len_with(message.payload.len(), Version::V5);
    let mut bytes = BytesMut::with_capacity(length);
    Packet::Publish(message.clone()).encode(Version::V5, &mut bytes).ok()?;
    let mut decoder = Decoder::new(Version::V5, length);
    decoder.feed(bytes.freeze());
    match decoder.next_part() {
        Ok(Some(Decoded::Packet(Packet::Publish(copy)))) if copy == *message => Some(copy),
        _ => None,
    }
}
