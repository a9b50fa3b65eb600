//! What set the limit: a generator that is too slow or was stopped accuses itself, and a server
//! that holds back is named.

use std::time::Duration;

use super::rules::{Rules, Treatment};
use super::server::Server;
use super::{is, millis, world};
use crate::command::bench::config::{LoadPace, WindowLength};
use crate::command::bench::judge::{LoadLimit, Steadiness};
use crate::command::bench::plan::Plan;
use crate::mqtt::qos::QoS;

#[test]
fn a_generator_that_is_too_slow_says_so() {
    let mut plan = world::open(4000.0, 1, QoS::AtMostOnce);
    plan.times.length = WindowLength::Time(Duration::from_secs(3));
    let cost = Duration::from_micros(500);
    let outcome = world::run(&plan, Server::new(Rules { cost, ..Rules::default() }));
    assert_eq!(outcome.judgement.limit, LoadLimit::Generator);
    let why = outcome.judgement.invalid.join("; ");
    assert!(why.contains("the generator was late: lateness p99 2.") && !why.contains("server"));
    let messages = &outcome.results().messages;
    // For 250 ms after the window it sends what waits for it, in batches of 512.
    let sent = outcome.server.came;
    assert!((10_500..=11_524).contains(&sent), "{sent}");
    assert_eq!(sent + messages.unsent, 20_000);
}

#[test]
fn a_generator_that_was_stopped_says_so() {
    for (qos, pause) in [(QoS::AtMostOnce, 300), (QoS::AtLeastOnce, 2500)] {
        let length = millis(pause);
        let pause = Some((Duration::from_secs(6), length));
        let rules = Rules { pause, ..Rules::default() };
        let outcome = world::run(&world::open(1000.0, 3, qos), Server::new(rules));
        assert_eq!(outcome.judgement.limit, LoadLimit::Generator);
        let why = &outcome.judgement.invalid[0];
        assert!(why.starts_with("the generator stood still for "), "{why}");
        let results = outcome.results();
        // All the same nothing that was due is left out.
        assert_eq!((results.messages.sent, results.messages.unsent), (10_000, 0));
        is(&results.latencies.lateness, 1.0, length);
        is(&results.latencies.delivery, 1.0, length);
    }
}

#[test]
fn connections_that_stood_while_the_generator_was_stopped_prove_nothing() {
    let mut plan = world::open(1000.0, 1, QoS::AtMostOnce);
    plan.plan = Plan { publishers: 0, subscribers: 0, idle: 5, ..plan.plan };
    plan.pace = LoadPace::Closed(None);
    plan.times.length = WindowLength::Time(Duration::from_secs(3));
    // Also over its end: in the turn after that nothing stands any more.
    for (after, length) in [(1000, 300), (2500, 2000)] {
        let rules = Rules { pause: Some((millis(after), millis(length))), ..Rules::default() };
        let outcome = world::run(&plan, Server::new(rules));
        let [why] = &outcome.judgement.invalid[..] else { panic!("{:?}", outcome.judgement) };
        assert!(why.starts_with("the generator stood still for "), "{why}");
        assert_eq!(outcome.judgement.limit, LoadLimit::Generator);
    }
    let outcome = world::run(&plan, Server::new(Rules::default()));
    assert!(outcome.judgement.is_valid(), "{:?}", outcome.judgement);
}

#[test]
fn a_closed_loop_that_was_stopped_has_the_generator_for_its_limit() {
    let (pause, treat) =
        (Some((Duration::from_secs(6), millis(300))), Treatment::after(millis(50)));
    let treat = Box::new(move |_| treat.clone());
    let server = Server::new(Rules { treat, pause, ..Rules::default() });
    let outcome = world::run(&world::closed(50, 1, QoS::AtLeastOnce), server);
    let judgement = &outcome.judgement;
    assert_eq!((judgement.limit, judgement.is_valid()), (LoadLimit::Generator, true));
}

#[test]
fn a_server_that_takes_too_few_at_once_holds_back() {
    let treat = Box::new(|_| Treatment::after(millis(100)));
    let server = Server::new(Rules { treat, receive_maximum: 10, ..Rules::default() });
    let outcome = world::run(&world::open(1000.0, 1, QoS::AtLeastOnce), server);
    let results = outcome.results();
    assert_eq!((outcome.server.came, results.messages.unsent), (1200, 10_800));
    // That is not the generator's fault.
    is(&results.latencies.lateness, 1.0, millis(0));
    let LoadLimit::ServerBlocked(_, percent) = outcome.judgement.limit else {
        panic!("{:?}", outcome.judgement)
    };
    assert!(percent >= 98, "{percent}");
    assert!(outcome.judgement.is_valid() && outcome.judgement.is_overloaded());
    // All that was due in the window is infinitely late: what was sent was due before it.
    for times in [&results.latencies.delivery, &results.latencies.acknowledgement] {
        assert_eq!((times.count(), times.never()), (0, 10_000));
    }
}

#[test]
fn a_server_that_falls_behind_is_overloaded() {
    let server = Server::new(Rules { work: millis(2), ..Rules::default() });
    let outcome = world::run(&world::open(1000.0, 1, QoS::AtMostOnce), server);
    let results = outcome.results();
    assert_eq!((results.messages.sent, results.messages.received), (10_000, 5000));
    assert_eq!((results.verified.lost, results.verified.copies), (0, 12_000));
    let overload = outcome.judgement.overload.unwrap();
    assert!((overload.delivered - 50.0).abs() < 0.1, "{overload:?}");
    // What is due after t is done after 2 t.
    assert!((overload.growth.unwrap() / 1e9 - 1.0).abs() < 0.01, "{overload:?}");
    assert_eq!(outcome.judgement.limit, LoadLimit::ServerBehind);
    assert_eq!(outcome.judgement.steadiness, Steadiness::Growing);
}
