//! A server that answers sometimes, and sometimes not: what other points have seen of the
//! upgrades, answers and deliveries that a point has found in order.

use super::PointResult;
use crate::command::check::finding::Verdict;
use crate::command::check::journal::{Journal, Observation};

/// What the observation of a point whose two tries differed begins with.
pub const FLAKY: &str = "flaky: ";

/// The points that others add to, and what to do then.
const JUDGED_LATER: [(&str, &str); 5] = [
    ("offer-mqtt", "find out why the server, or one of those behind a proxy, refuses at times"),
    ("suback-each", "answer each SUBSCRIBE with SUBACK: clients wait for it without end"),
    ("qos0-round-trip", "find out why messages at QoS 0 are lost where the network loses nothing"),
    (
        "qos1-round-trip",
        "answer each PUBLISH at QoS 1 with PUBACK: clients wait for it without end",
    ),
    (
        "qos2-round-trip",
        "answer each PUBLISH at QoS 2 with PUBREC, and each PUBREL with PUBCOMP: clients wait for \
         them without end",
    ),
];

/// Makes the results of points worse that passed, and did not hold later in the run; these results.
/// What has happened once may be chance; a must that is broken again and again is broken.
pub fn worsen<'a>(results: &'a mut [PointResult], journal: &Journal) -> Vec<&'a PointResult> {
    let mut worse = Vec::new();
    for result in results.iter_mut().filter(|result| result.verdict == Verdict::Pass) {
        let judged = JUDGED_LATER.iter().find(|(name, _)| *name == result.point.name);
        let Some((name, remedy)) = judged else { continue };
        let seen: Vec<&Observation> = journal
            .observed(name, None)
            .filter(|one| one.version.is_none() || one.version == result.version)
            .collect();
        let Some(first) = seen.first() else { continue };
        result.observed = match seen.len() {
            1 => format!("{FLAKY}once {}, during {}", first.observed, first.during),
            count => {
                format!("{FLAKY}{count} times {}, first during {}", first.observed, first.during)
            }
        };
        let is_must = !matches!(*name, "offer-mqtt" | "qos0-round-trip");
        result.verdict = if is_must && seen.len() > 1 { Verdict::Fail } else { Verdict::Warn };
        result.remedy = remedy;
        result.evidence.clone_from(&first.evidence);
        worse.push(&*result);
    }
    worse
}
