//! Probes of the group framing-out: what the server sends. All of them are observed.

use super::{Probe, Probes};

/// The probes of this group.
pub const PROBES: Probes = &[
    ("binary-only", Probe::Ask(|bench| Ok(bench.observed("binary-only", "all data is binary")))),
    ("never-masked", Probe::Ask(|bench| Ok(bench.observed("never-masked", "no frame is masked")))),
    (
        "frames-legal",
        Probe::Ask(|bench| Ok(bench.observed("frames-legal", "every header is legal"))),
    ),
    (
        "close-code-legal",
        Probe::Ask(|bench| Ok(bench.observed("close-code-legal", "every Close is legal"))),
    ),
    (
        "packets-aligned",
        Probe::Ask(|bench| {
            Ok(bench.observed("packets-aligned", "every small packet came in one message"))
        }),
    ),
    (
        "packets-wellformed",
        Probe::Ask(|bench| Ok(bench.observed("packets-wellformed", "every packet is well formed"))),
    ),
];
