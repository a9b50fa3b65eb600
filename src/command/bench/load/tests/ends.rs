//! The end of a load: how long is waited for what is missing, and what a signal ends.

use std::time::Duration;

use super::rules::{Change, Rules, Treatment};
use super::server::Server;
use super::{is, millis, world};
use crate::client::fleet::Cause;
use crate::command::bench::config::WindowLength;
use crate::command::bench::results::LoadEnding;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// Number 11,990 of 12,000 comes after this time, at 1,000 a second.
fn delayed(delay: Duration) -> Server {
    Server::treating(move |number| {
        Treatment::after(if number == 11_990 { delay } else { millis(1) })
    })
}

#[test]
fn what_is_missing_is_waited_for_since_the_latest_arrival() {
    // The last message comes 10 ms after that one was sent, and 5 s are waited from then on.
    let late = world::run(&world::open(1000.0, 1, QoS::AtMostOnce), delayed(millis(5005)));
    assert_eq!((late.results().verified.lost, late.results().verified.reordered), (0, 1));
    is(&late.results().latencies.delivery, 1.0, millis(5005));
    let lost = world::run(&world::open(1000.0, 1, QoS::AtMostOnce), delayed(millis(5100)));
    assert_eq!((lost.results().verified.lost, lost.results().verified.reordered), (1, 0));
    assert_eq!(lost.results().latencies.delivery.never(), 1);
}

#[test]
fn what_is_double_is_waited_for_only_for_a_moment() {
    for (delay, expected) in [(90, 1), (500, 0)] {
        let twice = vec![(millis(1), Change::Nothing), (millis(1 + delay), Change::Nothing)];
        let twice = Treatment { copies: twice, ..Treatment::after(millis(1)) };
        let treat = move |number| {
            if number == 11_999 { twice.clone() } else { Treatment::after(millis(1)) }
        };
        let outcome = world::run(&world::open(1000.0, 1, QoS::AtMostOnce), Server::treating(treat));
        assert_eq!(outcome.results().verified.duplicated, expected, "after {delay} ms");
    }
}

#[test]
fn a_server_that_is_gone_or_takes_nothing_more_ends_a_run_of_so_many_messages() {
    let unanswered = |number| {
        let answer = (number < 100).then_some((millis(1), ReasonCode::SUCCESS));
        Treatment { answer, ..Treatment::after(millis(1)) }
    };
    let gone = || Rules {
        connect: Box::new(|tries| if tries < 2 { Ok(millis(1)) } else { Err(Cause::TcpRefused) }),
        // The publisher, after a tenth of a second.
        loses: Some((millis(100), 1)),
        ..Rules::default()
    };
    let stuck = || Rules { treat: Box::new(unanswered), receive_maximum: 20, ..Rules::default() };
    let congested = || Rules {
        stall: Some((millis(100), Duration::from_secs(100_000))),
        socket: 20,
        ..Rules::default()
    };
    let rules: [(&str, Rules); 3] =
        [("gone", gone()), ("stuck", stuck()), ("congested", congested())];
    for (name, rules) in rules {
        let mut plan = world::open(1000.0, 1, QoS::AtLeastOnce);
        (plan.times.length, plan.times.warmup) = (WindowLength::Count(1000), millis(0));
        let outcome = world::run(&plan, Server::new(rules));
        let messages = &outcome.results().messages;
        assert!((95..=125).contains(&outcome.server.came), "{name}: {}", outcome.server.came);
        assert_eq!(messages.unsent, 1000 - outcome.server.came, "{name}");
        let window = messages.window.as_secs_f64();
        assert!((10.0..12.0).contains(&window), "{name}: {window}");
        assert!(outcome.judgement.is_overloaded(), "{name}");
    }
}

#[test]
fn a_rate_with_long_gaps_is_not_taken_for_a_server_that_takes_nothing() {
    let mut plan = world::open(0.02, 1, QoS::AtLeastOnce);
    (plan.times.length, plan.times.warmup) = (WindowLength::Count(3), millis(0));
    let outcome = world::run(&plan, Server::new(Rules::default()));
    let messages = &outcome.results().messages;
    assert_eq!((messages.sent, messages.acknowledged, messages.unsent), (3, 3, 0));
}

#[test]
fn a_signal_ends_the_window_and_what_was_sent_is_judged() {
    let treat =
        |number| if number == 3000 { Treatment::lost() } else { Treatment::after(millis(1)) };
    let signal = [Duration::from_secs(6)];
    let outcome = world::run_until(
        &world::open(1000.0, 1, QoS::AtMostOnce),
        Server::treating(treat),
        &signal,
    );
    let results = outcome.results();
    assert!(matches!(results.ending, LoadEnding::Interrupted(2, _)), "{:?}", results.ending);
    let messages = &results.messages;
    // What was due after it was not wanted.
    assert_eq!((messages.unsent, results.verified.lost), (0, 1));
    assert!((3990..=4000).contains(&messages.sent), "{messages:?}");
    assert!(messages.window <= Duration::from_secs(4), "{messages:?}");
    assert_eq!(results.verified.copies, outcome.server.came);
}

#[test]
fn a_second_signal_ends_the_drain() {
    let treat =
        |number| if number == 3000 { Treatment::lost() } else { Treatment::after(millis(1)) };
    let took = |signals: &[Duration]| {
        let plan = world::open(1000.0, 1, QoS::AtMostOnce);
        let outcome = world::run_until(&plan, Server::treating(treat), signals);
        assert_eq!(outcome.results().verified.lost, 1);
        assert!(matches!(outcome.results().ending, LoadEnding::Interrupted(2, _)));
        outcome.took
    };
    // What is missing is waited for two seconds after the first.
    assert!((millis(8000)..millis(8500)).contains(&took(&[millis(6000)])));
    assert!((millis(6300)..millis(6600)).contains(&took(&[millis(6000), millis(6300)])));
}

#[test]
fn a_signal_in_the_warm_up_cuts_off_nothing_that_was_late() {
    let plan = world::open(1000.0, 1, QoS::AtMostOnce);
    let outcome = world::run_until(&plan, Server::new(Rules::default()), &[millis(500)]);
    assert_eq!(outcome.results().messages.sent, 0);
    let late = &outcome.results().latencies.lateness;
    assert!(late.count() <= 1, "{} late", late.count());
}
