//! What is sent, and when.

use super::rules::{Rules, Treatment};
use super::server::Server;
use super::{is, millis, world};
use crate::command::bench::config::{LoadPace, WindowLength};
use crate::command::bench::judge::LoadLimit;
use crate::command::bench::schedule::{ArrivalPattern, OfferedRate};
use crate::mqtt::qos::QoS;

const PAIRS: [(u64, usize); 4] = [(1000, 1), (1000, 7), (997, 100), (5000, 10)];

fn slow(delay: u64) -> Server {
    Server::treating(move |_| Treatment::after(millis(delay)))
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn float(rate: u64) -> f64 {
    rate as f64
}

#[test]
fn an_open_loop_sends_what_is_due_and_nothing_else() {
    for (rate, pairs) in PAIRS {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            let outcome = world::run(&world::open(float(rate), pairs, qos), slow(2));
            let (results, about) = (outcome.results(), format!("{rate}/s, {pairs}, {qos:?}"));
            let messages = &results.messages;
            assert!(messages.sent.abs_diff(rate * 10) <= 1, "{about}: {}", messages.sent);
            assert!(messages.received.abs_diff(rate * 10) <= 1, "{about}: {}", messages.received);
            assert_eq!((messages.unsent, messages.expected), (0, messages.sent), "{about}");
            // The warm-up is verified, too.
            assert!(
                outcome.server.came.abs_diff(rate * 12) <= 1,
                "{about}: {}",
                outcome.server.came
            );
            assert_eq!(results.verified.copies, outcome.server.came, "{about}");
            assert_eq!(results.latencies.delivery.count(), messages.sent, "{about}");
            is(&results.latencies.lateness, 1.0, millis(0));
            for share in [0.01, 0.5, 0.999, 1.0] {
                is(&results.latencies.delivery, share, millis(2));
            }
            if qos == QoS::AtLeastOnce {
                assert_eq!(messages.acknowledged, messages.sent, "{about}");
                is(&results.latencies.acknowledgement, 1.0, millis(2));
            }
            let judgement = &outcome.judgement;
            assert_eq!((judgement.limit, judgement.is_valid()), (LoadLimit::NotReached, true));
            assert!(!judgement.is_overloaded(), "{about}");
        }
    }
}

#[test]
fn each_second_of_the_window_has_its_share() {
    let outcome = world::run(&world::open(1000.0, 7, QoS::AtMostOnce), slow(2));
    let series = &outcome.results().series;
    assert_eq!(series.len(), 10);
    for second in series {
        assert!(second.sent.abs_diff(1000) <= 1 && second.received.abs_diff(1000) <= 1);
        assert!(second.missing <= 3 && second.online == 14, "{second:?}");
    }
}

#[test]
fn random_gaps_keep_the_rate_and_are_kept() {
    let offer = OfferedRate { rate: 1000.0, arrival: ArrivalPattern::Poisson, tick: 100_000 };
    let plan = world::open(1000.0, 5, QoS::AtMostOnce);
    let plan = crate::command::bench::config::LoadPlan { pace: LoadPace::Open(offer), ..plan };
    let outcome = world::run(&plan, slow(2));
    let results = outcome.results();
    // The standard deviation is 100.
    assert!(results.messages.sent.abs_diff(10_000) < 500, "{}", results.messages.sent);
    assert_eq!((results.messages.unsent, results.verified.lost), (0, 0));
    is(&results.latencies.lateness, 1.0, millis(0));
    is(&results.latencies.delivery, 1.0, millis(2));
    assert!(!outcome.judgement.is_overloaded());
}

#[test]
fn so_many_messages_as_were_asked_for() {
    let mut plan = world::open(1000.0, 3, QoS::AtLeastOnce);
    (plan.times.length, plan.times.warmup) = (WindowLength::Count(1000), millis(0));
    let outcome = world::run(&plan, slow(2));
    let messages = &outcome.results().messages;
    assert_eq!((messages.sent, outcome.server.came, messages.unsent), (1000, 1000, 0));
    let window = messages.window;
    assert!(millis(995) <= window && window <= millis(1001), "{window:?}");
    assert!(!outcome.judgement.is_overloaded());
}

#[test]
fn a_closed_loop_keeps_its_window_full() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let outcome = world::run(&world::closed(50, 2, qos), slow(50));
        let results = outcome.results();
        // Two windows of 50 each 50 ms.
        assert_eq!(results.messages.sent, 20_000, "{qos:?}");
        is(&results.latencies.delivery, 0.5, millis(50));
        is(&results.latencies.delivery, 1.0, millis(50));
        assert_eq!((results.latencies.lateness.count(), results.verified.lost), (0, 0));
        if qos > QoS::AtMostOnce {
            assert_eq!(outcome.server.most_in_flight, 50);
        }
        assert_eq!(outcome.judgement.limit, LoadLimit::Unknown);
        assert!(results.generator.window_full > 0.99, "{}", results.generator.window_full);
    }
}

#[test]
fn a_closed_loop_sends_no_more_than_the_server_takes() {
    let treat = Box::new(|_| Treatment::after(millis(50)));
    let server = Server::new(Rules { treat, receive_maximum: 20, ..Rules::default() });
    let outcome = world::run(&world::closed(50, 1, QoS::AtLeastOnce), server);
    assert_eq!((outcome.server.most_in_flight, outcome.results().messages.sent), (20, 4000));
}

#[test]
fn a_window_from_which_nothing_comes_is_emptied_each_second() {
    let treat =
        |number| if number < 100 { Treatment::after(millis(100)) } else { Treatment::lost() };
    let outcome = world::run(&world::closed(10, 1, QoS::AtMostOnce), Server::treating(treat));
    let results = outcome.results();
    assert_eq!(results.verified.lost, outcome.server.came - 100);
    assert_eq!(results.verified.copies, outcome.server.came);
    let emptied = results.messages.emptied;
    assert!((9..=11).contains(&emptied), "{emptied}");
    // Ten each time, but for the last, with which the window ended.
    assert_eq!(outcome.server.came, 100 + 10 * emptied);
}
