//! The quantiles of a report against those of the broker's log, and against what a stall must show.

use super::log::Log;
use super::{Outcome, Verdict, check};
use crate::Failure;

#[expect(clippy::cast_precision_loss, reason = "times")]
pub fn float(number: u64) -> f64 {
    number as f64
}

/// Nanoseconds as milliseconds.
pub fn ms(time: f64) -> String {
    format!("{:.2}", time / 1e6)
}

/// How far a quantile may be from what the broker knows, in nanoseconds.
pub fn slack(truth: f64) -> f64 {
    (truth * 0.02).max(200_000.0)
}

const DELIVERY: &str = "/latency/delivery";

/// The report against the broker's log, at these shares: from the time at which a message was due
/// to the time at which it left, which is between the beginning and the end of a write. How late it
/// came to the broker is the generator's, which says so itself. All figures are told, whatever comes
/// out.
pub fn delays(outcome: &Outcome, log: &Log, shares: &[f64]) -> Result<Verdict, Failure> {
    let (mut text, mut wrong) = (Vec::new(), Vec::new());
    for share in shares {
        let shown = outcome.quantile(DELIVERY, *share);
        let (kept, left) = (float(log.kept(*share)), float(log.whole(*share)));
        let written = float(log.written(*share));
        let name = format!("p{:.4}", share * 100.0);
        let name = name.trim_end_matches('0').trim_end_matches('.');
        let between = format!("{} to {}", ms(left), ms(written));
        text.push(format!("{name} {} (left {between}, kept {})", ms(shown), ms(kept)));
        let off = shown - shown.clamp(left, written);
        if off.abs() > slack(left) {
            wrong.push(format!("{name} is {} ms off", ms(off)));
        }
    }
    let text = text.join(", ");
    if wrong.is_empty() {
        return Ok(Verdict::Shown(format!("{text} [{}]", outcome.circumstances())));
    }
    Verdict::of_failure(outcome, &format!("{}: {text}", wrong.join(", ")).into())
}

/// What a stall of 2 s in 20 s must show, in seconds.
const STALL: [(f64, f64); 4] = [(0.95, 1.0), (0.99, 1.8), (0.999, 1.98), (1.0, 2.0)];

/// Each may be so far off.
const NEAR: f64 = 0.03;

/// What every open loop must print of a stall of 2 s in 20 s: what follows from the stall alone,
/// unless the broker's log shows that it needed longer itself.
pub fn stall(outcome: &Outcome, log: Option<&Log>) -> Result<Verdict, Failure> {
    let (mut text, mut wrong, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for (share, expected) in STALL {
        let shown = outcome.quantile(DELIVERY, share) / 1e9;
        let left = log.map(|log| float(log.of_last(20_000).whole(share)) / 1e9);
        let told = left.map(|left| format!(" (left {left:.3})")).unwrap_or_default();
        text.push(format!("p{} {shown:.3} s{told}", share * 100.0));
        let is_near = |truth: f64| (shown - truth).abs() <= NEAR * truth;
        if let Some(left) = left.filter(|left| !is_near(expected) && is_near(*left)) {
            late.push(format!(
                "at p{} the broker itself was {:.3} s late",
                share * 100.0,
                left - expected
            ));
        } else if !is_near(expected) {
            wrong.push(format!("p{} is not {expected} s", share * 100.0));
        }
    }
    let text = text.join(", ");
    let all = [wrong, late.clone()].concat().join(", ");
    match rest_of_stall(outcome) {
        Ok(rest) if all.is_empty() => Ok(Verdict::Shown(format!("{text}, {rest}"))),
        // It told the truth of a broker that was not what it was to be.
        Ok(rest) if all == late.join(", ") => {
            Ok(Verdict::Unclear(format!("{all}: {text}, {rest}")))
        }
        Ok(rest) => Verdict::of_failure(outcome, &format!("{all}: {text}, {rest}").into()),
        Err(error) => Verdict::of_failure(outcome, &format!("{error} {all}: {text}").into()),
    }
}

/// The median is as ever, the seconds show it, and nothing else is wrong.
fn rest_of_stall(outcome: &Outcome) -> Result<String, Failure> {
    let p50 = outcome.quantile(DELIVERY, 0.5);
    check(p50 < 5e6, format!("p50 {} ms", ms(p50)))?;
    let series = outcome.at("/series").as_array().ok_or("no series")?;
    let worst = series.iter().filter(|second| second["p99"].as_f64() > Some(5e8)).count();
    check((1..=4).contains(&worst), format!("{worst} bad seconds"))?;
    check(outcome.number("/messages/unsent") == 0.0, "unsent")?;
    check(outcome.number("/verified/lost") == 0.0, "lost")?;
    check(outcome.is_valid(), outcome.why())?;
    Ok(format!("p50 {} ms, {worst} bad seconds", ms(p50)))
}
