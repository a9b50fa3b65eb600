//! The probes: a file for each group, a few lines for each point. A group registers its probes by
//! the name of their point; a point without a probe is not asked.

// Probes have one type, whether a step of theirs can fail or not.
#![allow(clippy::unnecessary_wraps)]

mod connect;
mod ending;
mod flow_control;
mod framing_in;
mod framing_out;
mod limits;
mod properties;
mod publish;
mod raw;
mod reach;
mod session;
mod subscribe;
mod tls;
mod upgrade;

use super::bench::{Bench, Conn};
use super::finding::{Probed, StepResult};

/// How a point is asked.
#[derive(Clone, Copy)]
pub enum PointProbe {
    /// At once.
    Ask(fn(&mut Bench) -> Probed),
    /// By waiting: begun before all others, on connections that are kept, and read at the end.
    Wait {
        /// Opens the connections.
        begin: fn(&mut Bench) -> StepResult<Vec<Conn>>,
        /// Judges what has happened on them since.
        finish: fn(&mut Bench, &[Conn]) -> Probed,
    },
}

/// The probes of a group, by the name of their point.
pub type GroupProbes = &'static [(&'static str, PointProbe)];

/// All probes.
const PROBES: [GroupProbes; 13] = [
    reach::PROBES,
    tls::PROBES,
    upgrade::PROBES,
    framing_in::PROBES,
    framing_out::PROBES,
    connect::PROBES,
    publish::PROBES,
    subscribe::PROBES,
    session::PROBES,
    properties::PROBES,
    flow_control::PROBES,
    ending::PROBES,
    limits::PROBES,
];

/// The probe of this point.
pub fn find(point: &str) -> Option<PointProbe> {
    PROBES.iter().copied().flatten().find(|(name, _)| *name == point).map(|(_, probe)| *probe)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::points;
    use super::*;

    #[test]
    fn every_probe_belongs_to_a_point_of_its_group() {
        let mut seen = BTreeSet::new();
        for (group, probes) in points::groups().iter().zip(PROBES) {
            for (name, _) in probes {
                assert!(group.points.iter().any(|point| point.name == *name), "{name}");
                assert!(seen.insert(*name), "{name} twice");
            }
        }
    }
}
