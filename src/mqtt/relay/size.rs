//! How much memory a message takes that a relay holds.

use crate::mqtt::packet::Publish;
use crate::mqtt::version::Version;

/// What it takes beside its packet, about, in bytes.
pub const OVERHEAD: usize = 256;
/// The same for each of its properties.
const OVERHEAD_OF_PROPERTY: usize = 96;

/// About so many bytes.
pub fn message_size(message: &Publish) -> usize {
    let packet = message.encoded_len_with(message.payload.len(), Version::V5);
    OVERHEAD + packet + message.properties.0.len() * OVERHEAD_OF_PROPERTY
}
