//! Connections that are made at a rate and made anew, and loads of several steps.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rules::Rules;
use super::server::Server;
use super::{is, millis, world};
use crate::client::fleet::Cause;
use crate::command::bench::config::WindowLength;
use crate::command::bench::course::{LoadCourse, Ramp, RampStep};
use crate::command::bench::steps::{StepOutcome, highest};
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

fn rates(steps: &[StepOutcome]) -> Vec<(f64, bool)> {
    steps.iter().map(|step| (step.plan.rate, step.has_held())).collect()
}

#[test]
fn a_ramp_ends_with_the_step_that_does_not_hold() {
    let ramp = Ramp { from: 250.0, to: 16_000.0, step: RampStep::Times(2.0) };
    let steps = steps(LoadCourse::Ramp(ramp));
    assert_eq!(rates(&steps), [(250.0, true), (500.0, true), (1000.0, true), (2000.0, false)]);
    assert_eq!(steps.iter().map(|step| step.sent).collect::<Vec<_>>(), [1250, 2500, 5000, 10_000]);
    assert_eq!(steps[3].because[0], "overload");
    assert_eq!(highest(&steps).unwrap().plan.rate.to_bits(), 1000_f64.to_bits());
}

#[test]
fn a_search_finds_what_the_server_can_do() {
    let steps = steps(LoadCourse::FindMax { from: 200.0, resolution: 0.05 });
    let highest = highest(&steps).unwrap();
    assert_eq!(highest.plan.rate.to_bits(), 1000_f64.to_bits(), "{:?}", rates(&steps));
    // It has held twice more, for twice the time.
    let confirmed = steps.iter().filter(|step| step.plan.length == Duration::from_secs(10));
    assert_eq!(confirmed.map(|step| step.sent).collect::<Vec<_>>(), [10_000, 10_000]);
}
