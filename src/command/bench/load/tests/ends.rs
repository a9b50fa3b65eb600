//! The end of a load: how long is waited for what is missing, and what a signal ends.

use std::time::Duration;

use super::rules::{Change, Treatment};
use super::server::Server;
use super::{is, millis, world};
use crate::command::bench::results::LoadEnding;
use crate::mqtt::qos::QoS;

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
fn a_signal_ends_the_window_and_what_was_sent_is_judged() {
    let treat =
        |number| if number == 3000 { Treatment::lost() } else { Treatment::after(millis(1)) };
    let signal = Some(Duration::from_secs(6));
    let outcome =
        world::run_until(&world::open(1000.0, 1, QoS::AtMostOnce), Server::treating(treat), signal);
    let results = outcome.results();
    assert!(matches!(results.ending, LoadEnding::Interrupted(2, _)), "{:?}", results.ending);
    let messages = &results.messages;
    // What was due after it was not wanted.
    assert_eq!((messages.unsent, results.verified.lost), (0, 1));
    assert!((3990..=4000).contains(&messages.sent), "{messages:?}");
    assert!(messages.window <= Duration::from_secs(4), "{messages:?}");
    assert_eq!(results.verified.copies, outcome.server.came);
}
