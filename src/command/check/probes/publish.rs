//! Probes of the group publish: PUBLISH and its acknowledgements.

use super::Probes;

/// The probes of this group.
pub const PROBES: Probes = &[];
