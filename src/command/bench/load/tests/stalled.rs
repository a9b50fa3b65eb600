//! A server that stands still for two seconds: what was due meanwhile is late by exactly what is
//! left of them, and the report says so.

use std::time::Duration;

use super::rules::{Rules, Treatment};
use super::server::Server;
use super::world::{self, Outcome};
use super::{is, millis};
use crate::command::bench::config::WindowLength;
use crate::command::bench::measure::LatencyTimes;
use crate::mqtt::qos::QoS;

/// From 6 s to 8 s after the first message; the window is from 2 s to 22 s.
const STALL: Option<(Duration, Duration)> = Some((Duration::from_secs(6), Duration::from_secs(2)));

fn stalled(pairs: usize, qos: QoS, socket: usize) -> Outcome {
    let mut plan = world::open(1000.0, pairs, qos);
    plan.times.length = WindowLength::Time(Duration::from_secs(20));
    world::run(&plan, Server::new(Rules { stall: STALL, socket, ..Rules::default() }))
}

/// Of 20,000 messages 2,000 are late by 1 ms, 2 ms and so on up to 2 s.
#[track_caller]
fn are_late(times: &LatencyTimes) {
    assert_eq!((times.count(), times.never()), (20_000, 0));
    for (share, expected) in
        [(0.5, 0), (0.9, 0), (0.95, 1000), (0.99, 1800), (0.999, 1980), (0.9999, 1998), (1.0, 2000)]
    {
        is(times, share, millis(expected));
    }
}

#[test]
fn a_stall_shows_in_the_quantiles_as_long_as_it_was() {
    for pairs in [1, 100] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let outcome = stalled(pairs, qos, usize::MAX);
            let results = outcome.results();
            are_late(&results.latencies.delivery);
            if qos > QoS::AtMostOnce {
                are_late(&results.latencies.acknowledgement);
            }
            // Each was sent when it was due.
            is(&results.latencies.lateness, 1.0, millis(0));
            assert_eq!((results.messages.unsent, results.verified.lost), (0, 0));
            let received: Vec<u64> =
                results.series[3..8].iter().map(|second| second.received).collect();
            assert_eq!(received, [1000, 0, 0, 3000, 1000], "{pairs}, {qos:?}");
            assert!(outcome.judgement.is_valid() && !outcome.judgement.is_overloaded());
        }
    }
}

#[test]
fn what_could_not_be_sent_meanwhile_is_as_late_and_not_ours() {
    for pairs in [1, 10] {
        let outcome = stalled(pairs, QoS::AtLeastOnce, 100 / pairs);
        let results = outcome.results();
        are_late(&results.latencies.delivery);
        are_late(&results.latencies.acknowledgement);
        is(&results.latencies.lateness, 1.0, millis(0));
        // After 100 messages the sockets are full, for 1.9 s of 20 s.
        let blocked = results.generator.blocked;
        assert!((blocked - 0.095).abs() < 0.001, "{blocked}");
        assert!(outcome.judgement.is_valid() && !outcome.judgement.is_overloaded());
    }
}

#[test]
fn a_stall_shows_once_a_slot_of_the_window_in_a_closed_loop() {
    let treat = Box::new(|_| Treatment::after(millis(50)));
    let server = Server::new(Rules { stall: STALL, treat, ..Rules::default() });
    let outcome = world::run(&world::closed(50, 1, QoS::AtLeastOnce), server);
    let buckets = outcome.results().latencies.delivery.buckets();
    let late = buckets.iter().filter(|(lowest, _)| *lowest > 1_000_000_000);
    assert_eq!(late.map(|(_, count)| count).sum::<u64>(), 50);
}

#[test]
fn a_stall_at_the_end_of_the_window_leaves_nothing_out() {
    let mut plan = world::open(1000.0, 1, QoS::AtMostOnce);
    plan.times.length = WindowLength::Time(Duration::from_secs(5));
    // The window ends in its middle, after 7 s.
    let outcome = world::run(&plan, Server::new(Rules { stall: STALL, ..Rules::default() }));
    let results = outcome.results();
    assert_eq!((results.messages.sent, results.messages.received), (5000, 4000));
    assert_eq!((results.latencies.delivery.count(), results.verified.lost), (5000, 0));
    is(&results.latencies.delivery, 1.0, millis(2000));
    is(&results.latencies.delivery, 0.9, millis(1500));
    assert!(outcome.judgement.is_overloaded());
}
