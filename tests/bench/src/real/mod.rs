//! `mqttws-bench real`: ten million messages through real brokers, by `mqttws bench`: it must find
//! nothing lost, double, out of order or corrupted that is not, whatever is done to the connections.

mod plans;
mod sites;
mod sound;

use std::time::Instant;

use crate::Failure;
use crate::honest::{Bench, Summary, Verdict, Wanted, begin_as};
use plans::{BrokerName, RealPlan};
use sites::Site;

/// Runs the cases: `real mqttws=PROGRAM [mosquitto] [case=NAME]... [times=N]`, or names them:
/// `real list`.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let wanted = Wanted::new(arguments)?;
    let plans: Vec<RealPlan> =
        plans::all().into_iter().filter(|plan| wanted.holds(&plan.name)).collect();
    if wanted.list {
        plans.iter().for_each(|plan| println!("{}", plan.name));
        return Ok(());
    }
    let (began, mut summary, mut all) = (Instant::now(), Summary::default(), 0.0);
    for broker in [BrokerName::Serve, BrokerName::Mosquitto] {
        let mine: Vec<&RealPlan> = plans.iter().filter(|plan| plan.broker == broker).collect();
        if mine.is_empty() {
            continue;
        }
        let site = Site::start(broker, &wanted.bench)?;
        for plan in mine {
            for _ in 0..wanted.times {
                let verdict = one(plan, &site, &wanted.bench, &mut all);
                summary.note(&plan.name, verdict);
            }
        }
    }
    println!("{all:.0} copies verified");
    summary.finish(began.elapsed())
}

/// One case; adds how many copies it has verified.
fn one(plan: &RealPlan, site: &Site, bench: &Bench, all: &mut f64) -> Result<Verdict, Failure> {
    let flags = format!("{} {}", plan.flags, site.trust(plan.is_tls));
    let running = begin_as(&[&bench.program], &site.url(plan.is_tls), plan.version, &flags)?;
    let outcome = running.finish()?;
    *all += outcome.number("/verified/sent").max(0.0);
    sound::check(plan, &outcome)
}
