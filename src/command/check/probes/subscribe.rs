//! Probes of the group subscribe: SUBSCRIBE and UNSUBSCRIBE.

use super::Probes;

/// The probes of this group.
pub const PROBES: Probes = &[];
