//! Whether a report says what a sound broker did: nothing was lost, double, out of order or
//! corrupted.

use super::plans::{RealPlan, Trouble};
use crate::Failure;
use crate::honest::{self, Outcome, Verdict};

/// Fails if the report tells of anything that a sound broker does not do.
pub fn check(plan: &RealPlan, outcome: &Outcome) -> Result<Verdict, Failure> {
    let told = || format!("{} {}", outcome.at("/verified"), outcome.stderr());
    let all = outcome.number("/connections/wanted");
    let made = outcome.number("/connections/made");
    honest::check(made > 0.0 && made == all, format!("made {made} of {all}: {}", told()))?;
    for name in ["lost", "reordered", "corrupted", "foreign", "undecided", "missed"] {
        let count = outcome.number(&format!("/verified/{name}"));
        let is_right = count == 0.0 || allows(plan, name);
        honest::check(is_right, format!("{name} {count}: {}", told()))?;
    }
    let twice = outcome.number("/verified/duplicated");
    let with_dup = outcome.number("/verified/duplicated_with_dup");
    // A publisher that was cut sends again what was not acknowledged: at QoS 1 that is new to the
    // broker.
    let is_right = match (plan.qos, plan.trouble) {
        (1, Trouble::CutPublishers | Trouble::Churn) => true,
        (1, Trouble::Cut) => twice == with_dup,
        (_, _) => twice == 0.0,
    };
    honest::check(is_right, format!("duplicated {twice}: {}", told()))?;
    trouble(plan, outcome)?;
    let sent = outcome.number("/verified/sent");
    honest::check(sent > 0.0, format!("nothing: {}", told()))?;
    let rate = outcome.number("/messages/rate");
    let missed = outcome.number("/verified/missed");
    Ok(Verdict::Shown(format!("{sent} verified, {rate:.0}/s, double {twice}, missed {missed}")))
}

/// Whether this may be: a reader that came back without its session has missed something; and a
/// message of QoS 2 was in doubt when the session of its publisher was ended.
fn allows(plan: &RealPlan, name: &str) -> bool {
    match name {
        "missed" => matches!(plan.trouble, Trouble::Churn | Trouble::Wills),
        "undecided" => plan.trouble == Trouble::Churn && plan.qos == 2,
        _ => false,
    }
}

/// What was done to the connections has happened, and is told right.
fn trouble(plan: &RealPlan, outcome: &Outcome) -> Result<(), Failure> {
    let number = |path: &str| outcome.number(path);
    let equal = |one: &str, other: &str| {
        let (first, second) = (number(one), number(other));
        let what = format!("{one} {first}, {other} {second}: {}", outcome.stderr());
        honest::check(first > 0.0 && first == second, what)
    };
    match plan.trouble {
        Trouble::None | Trouble::Stall => Ok(()),
        Trouble::Shared => {
            let starved = number("/groups/starved");
            honest::check(starved == 0.0, format!("starved {starved}"))
        }
        Trouble::Retained => equal("/retained/expected", "/retained/received"),
        Trouble::Wills => {
            let unexpected = number("/wills/unexpected");
            honest::check(unexpected == 0.0, format!("unexpected wills {unexpected}"))?;
            equal("/wills/expected", "/wills/received")
        }
        Trouble::Cut | Trouble::CutPublishers => {
            let back = number("/cuts/0/back/count");
            honest::check(back == number("/cuts/0/count"), format!("back {back}"))
        }
        Trouble::Churn => {
            let ended = number("/churn/ended");
            honest::check(ended > 0.0, format!("churn {ended}"))
        }
    }
}
