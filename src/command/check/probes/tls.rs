//! Probes of the group tls: TLS.

use super::Probes;

/// The probes of this group.
pub const PROBES: Probes = &[];
