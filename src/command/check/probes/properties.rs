//! Probes of the group properties: the properties of MQTT 5.

use super::Probes;

/// The probes of this group.
pub const PROBES: Probes = &[];
