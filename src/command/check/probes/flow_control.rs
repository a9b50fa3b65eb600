//! Probes of the group flow-control: flow control.

use super::Probes;

/// The probes of this group.
pub const PROBES: Probes = &[];
