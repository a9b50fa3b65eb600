//! Connections that are made at a rate and made anew, and loads of several steps.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::rules::Rules;
use super::server::Server;
use super::{is, millis, world};
use crate::client::fleet::Cause;
use crate::command::bench::config::{LoadPlan, WindowLength};
use crate::command::bench::course::{LoadCourse, Ramp, RampStep, SteppedRate};
use crate::command::bench::measure::Quantile;
use crate::command::bench::plan::Plan;
use crate::command::bench::results::LoadEnding;
use crate::command::bench::step_outcome::{ConnectionCounts, StepCounts, StepOutcome, highest};
use crate::mqtt::qos::QoS;

#[test]
fn connections_are_made_at_their_rate() {
    let mut plan = world::open(1000.0, 100, QoS::AtMostOnce);
    plan.connect_rate = Some(100.0);
    let connect = |tries| if tries % 50 == 7 { Err(Cause::Http(503)) } else { Ok(millis(1)) };
    let rules = Rules { connect: Box::new(connect), ..Rules::default() };
    let outcome = world::run(&plan, Server::new(rules));
    let connections = &outcome.results().connections;
    assert_eq!(connections.failed, BTreeMap::from([(Cause::Http(503), 4)]));
    assert_eq!((connections.made, connections.first_failed.unwrap().0), (196, 8));
    let took = connections.took;
    assert!(millis(1980) <= took && took <= millis(2000), "{took:?}");
    is(&connections.times.whole, 1.0, millis(1));
    // Two of the publishers are not there, and what they had to send is unsent.
    let messages = &outcome.results().messages;
    assert_eq!((messages.sent, messages.unsent), (9800, 240));
}

#[test]
fn so_many_connections_a_second_are_made_anew() {
    let mut plan = world::open(1000.0, 5, QoS::AtMostOnce);
    plan.disturbances.churn = Some(10.0);
    let outcome = world::run(&plan, Server::new(Rules::default()));
    let results = outcome.results();
    let churn = &results.disturbances.churn;
    // From the start of the warm-up to the end of the window.
    assert_eq!((churn.ended, churn.back.count(), churn.session_present), (119, 119, 0));
    is(&churn.back, 1.0, millis(1));
    assert_eq!((results.verified.lost, results.connections.losses()), (0, 0));
}

/// The steps of a course at a server that takes 1 ms a message.
fn steps(course: LoadCourse) -> Vec<StepOutcome> {
    let mut plan = world::open(1.0, 1, QoS::AtMostOnce);
    plan.times.length = WindowLength::Time(Duration::from_secs(5));
    plan.times.course = course;
    let server = Server::new(Rules { work: millis(1), ..Rules::default() });
    let found = world::run(&plan, server).found;
    assert_eq!(found.results.verified.lost, 0);
    found.steps
}

fn sent(step: &StepOutcome) -> u64 {
    match &step.counts {
        StepCounts::Messages(counts) => counts.sent,
        StepCounts::Connections(counts) => panic!("{counts:?}"),
    }
}

fn rates(steps: &[StepOutcome]) -> Vec<(f64, bool)> {
    steps.iter().map(|step| (step.plan.rate, step.has_held())).collect()
}

#[test]
fn a_ramp_ends_with_the_step_that_does_not_hold() {
    let of = SteppedRate::Messages;
    let ramp = Ramp { of, from: 250.0, to: 16_000.0, step: RampStep::Times(2.0) };
    let steps = steps(LoadCourse::Ramp(ramp));
    assert_eq!(rates(&steps), [(250.0, true), (500.0, true), (1000.0, true), (2000.0, false)]);
    assert_eq!(steps.iter().map(sent).collect::<Vec<_>>(), [1250, 2500, 5000, 10_000]);
    assert_eq!(steps[3].because[0], "overload");
    assert_eq!(highest(&steps).unwrap().plan.rate.to_bits(), 1000_f64.to_bits());
}

#[test]
fn a_search_finds_what_the_server_can_do() {
    let of = SteppedRate::Messages;
    let steps = steps(LoadCourse::FindMax { of, from: 200.0, resolution: 0.05 });
    let highest = highest(&steps).unwrap();
    assert_eq!(highest.plan.rate.to_bits(), 1000_f64.to_bits(), "{:?}", rates(&steps));
    // It has held twice more, for twice the time.
    let confirmed = steps.iter().filter(|step| step.plan.length == Duration::from_secs(10));
    assert_eq!(confirmed.map(sent).collect::<Vec<_>>(), [10_000, 10_000]);
}

/// A ramp of connecting with so many connections, each step of 10 s.
fn connecting(connections: usize, ramp: [f64; 2]) -> LoadPlan {
    let mut plan = world::closed(1, 0, QoS::AtMostOnce);
    let (of, [from, to]) = (SteppedRate::Connecting, ramp);
    plan.plan = Plan { idle: connections, topics: 1, ..plan.plan };
    plan.times.course = LoadCourse::Ramp(Ramp { of, from, to, step: RampStep::Times(2.0) });
    plan
}

fn counts(steps: &[StepOutcome]) -> Vec<ConnectionCounts> {
    let counts = steps.iter().map(|step| match &step.counts {
        StepCounts::Connections(counts) => counts.clone(),
        StepCounts::Messages(counts) => panic!("{counts:?}"),
    });
    counts.collect()
}

/// A server that takes one connection after the other, each for this time.
fn one_by_one(each: Duration) -> Rules {
    let mut free_at: Option<Instant> = None;
    let connect = move |_| {
        let begin = free_at.map_or(world::now(), |at| at.max(world::now()));
        free_at = Some(begin + each);
        Ok(begin + each - world::now())
    };
    Rules { connect: Box::new(connect), ..Rules::default() }
}

#[test]
fn connections_of_a_step_are_made_at_its_rate_however_few_stand() {
    for connections in [1, 2, 3, 50, 10_000] {
        let plan = connecting(connections, [20.0, 80.0]);
        let outcome = world::run(&plan, Server::new(one_by_one(millis(2))));
        let counts = counts(&outcome.found.steps);
        let due: Vec<u64> = counts.iter().map(|step| step.due).collect();
        assert_eq!(due, [200, 400, 800], "{connections}: {:?}", outcome.found.steps);
        for step in &counts {
            assert_eq!((step.made, step.not_begun), (step.due, 0), "{connections}: {step:?}");
            assert!(
                (step.rate * 10.0 - f64::from(u32::try_from(step.due).unwrap())).abs() < 1.5,
                "{connections}: {step:?}"
            );
        }
        // The figures are those of the highest that held.
        let times = &outcome.results().connections.times.whole;
        assert_eq!((times.count(), times.never()), (800, 0));
        is(times, 1.0, millis(2));
        assert_eq!(outcome.results().connections.made, 800);
    }
}

#[test]
fn a_server_that_takes_fewer_connections_ends_the_ramp() {
    let plan = connecting(100, [50.0, 800.0]);
    let found = world::run(&plan, Server::new(one_by_one(millis(5)))).found;
    let held = [(50.0, true), (100.0, true), (200.0, true), (400.0, false)];
    assert_eq!(rates(&found.steps), held);
    let last = &counts(&found.steps)[3];
    // It makes 200 a second, and the 100 that may be in use are not enough for what waits.
    assert!((1990.0..=2010.0).contains(&(last.rate * 10.0)), "{last:?}");
    assert_eq!(last.due, 4000);
    assert_eq!(last.made + last.not_begun, 4000, "{last:?}");
    assert!((2000..2200).contains(&last.not_begun), "{last:?}");
    let [_, p99, max] = found.steps[3].times;
    assert_eq!((p99, max), (Some(Quantile::Never), Some(Quantile::Never)));
    assert_eq!(found.steps[3].limit.word(), "server");
}

#[test]
fn a_fleet_that_is_too_small_is_not_taken_for_a_slow_server() {
    // Each connection takes 100 ms, and there are 5: 50 a second at most.
    let rules = Rules { connect: Box::new(|_| Ok(millis(100))), ..Rules::default() };
    let found = world::run(&connecting(5, [40.0, 80.0]), Server::new(rules)).found;
    assert_eq!(rates(&found.steps), [(40.0, true), (80.0, false)]);
    assert_eq!(found.steps[1].limit.word(), "unknown");
}

#[test]
fn connections_of_a_step_that_fail_are_counted_by_cause() {
    let connect = |tries| if tries % 10 == 9 { Err(Cause::Http(503)) } else { Ok(millis(1)) };
    let rules = Rules { connect: Box::new(connect), ..Rules::default() };
    let found = world::run(&connecting(9, [10.0, 80.0]), Server::new(rules)).found;
    assert_eq!(rates(&found.steps), [(10.0, false)]);
    let step = &counts(&found.steps)[0];
    // One of those of the warm-up.
    assert_eq!(step.failed, BTreeMap::from([(Cause::Http(503), 11)]));
    assert_eq!((step.due, step.made, step.not_begun), (100, 90, 0));
    assert_eq!(found.steps[0].times[2], Some(Quantile::Never));
}

#[test]
fn a_step_of_connecting_can_be_interrupted_at_any_time() {
    for after in [0, 1, 500, 999, 1000, 5000, 10_999, 11_000, 11_001, 11_500, 20_000] {
        let plan = connecting(5, [10.0, 20.0]);
        let rules = Rules { connect: Box::new(|_| Ok(millis(30))), ..Rules::default() };
        let outcome = world::run_until(&plan, Server::new(rules), &[millis(after)]);
        let results = outcome.results();
        let ending = results.ending;
        assert!(matches!(ending, LoadEnding::Interrupted(2, _)), "{after}: {ending:?}");
        assert_eq!(results.making.not_begun, 0, "{after}: {:?}", results.making);
        let whole = usize::from(after > 11_000);
        assert_eq!(outcome.found.steps.len(), whole, "{after}");
    }
}
