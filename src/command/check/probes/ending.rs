//! Probes of the group ending: the ends of connections.

use super::Probes;

/// The probes of this group.
pub const PROBES: Probes = &[];
