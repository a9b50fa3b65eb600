//! Probes of the group session: sessions and wills.

use super::Probes;

/// The probes of this group.
pub const PROBES: Probes = &[];
