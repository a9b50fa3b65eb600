//! Probes of the group framing-in: frames that the server reads.

use super::Probes;

/// The probes of this group.
pub const PROBES: Probes = &[];
