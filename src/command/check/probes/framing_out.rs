//! Probes of the group framing-out: what the server sends. All of them are observed.

use super::{GroupProbes, PointProbe};

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    (
        "binary-only",
        PointProbe::Ask(|bench| Ok(bench.observed("binary-only", "all data is binary"))),
    ),
    (
        "never-masked",
        PointProbe::Ask(|bench| Ok(bench.observed("never-masked", "no frame is masked"))),
    ),
    (
        "frames-legal",
        PointProbe::Ask(|bench| Ok(bench.observed("frames-legal", "every header is legal"))),
    ),
    (
        "close-code-legal",
        PointProbe::Ask(|bench| Ok(bench.observed("close-code-legal", "every Close is legal"))),
    ),
    (
        "packets-aligned",
        PointProbe::Ask(|bench| {
            Ok(bench.observed("packets-aligned", "every small packet came in one message"))
        }),
    ),
    (
        "packets-wellformed",
        PointProbe::Ask(|bench| {
            Ok(bench.observed("packets-wellformed", "every packet is well formed"))
        }),
    ),
];
