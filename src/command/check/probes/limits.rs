//! Probes of the group limits: limits, load and time.

use super::{Probe, Probes};
use crate::command::check::bench::Bench;
use crate::command::check::finding::{Finding, Probed, Verdict};

/// The probes of this group.
pub const PROBES: Probes = &[("still-alive", Probe::Ask(still_alive))];

fn still_alive(bench: &mut Bench) -> Probed {
    let finding = bench.observed("still-alive", "it always answered");
    Ok(match finding.verdict {
        // There was no reason to ask.
        Verdict::NotApplicable => Finding::pass("no connection was lost"),
        _ => finding,
    })
}
