//! What was lost, doubled, swapped and changed is counted exactly, also where connections were cut
//! before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::rules::{Change, Rules, Treatment};
use super::server::Server;
use super::{is, millis, world};
use crate::client::fleet::Cause;
use crate::command::bench::config::WindowLength;
use crate::command::bench::disturbances::{CrowdKind, CrowdPart, CrowdShare, CutKind, CutPlan};
use crate::command::bench::plan::Plan;
use crate::command::bench::results::Verified;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// The copies that a reader gets of the one stream: by their times in milliseconds.
type Arrivals = BTreeMap<(u64, usize), (u64, Change)>;

/// Does something to every twentieth message, and notes it.
fn random_faults(seed: u64, log: &Arc<Mutex<Arrivals>>) -> impl FnMut(u64) -> Treatment + 'static {
    let (mut random, log) = (fastrand::Rng::with_seed(seed), Arc::clone(log));
    move |number| {
        let usual = millis(5);
        let late = millis(5 + random.u64(2..400));
        let copies = match random.u32(0..140) {
            0 => Vec::new(),
            1 => vec![(usual, Change::Nothing), (late, Change::Nothing)],
            2 => vec![(usual, Change::Nothing), (late, Change::Dup), (late, Change::Dup)],
            3 => vec![(late, Change::Nothing)],
            4 => vec![(usual, Change::Flipped(random.usize(4..64)))],
            5 => vec![(usual, Change::Shortened), (late, Change::Nothing)],
            6 => vec![(usual, Change::Topic("t/other"))],
            _ => vec![(usual, Change::Nothing)],
        };
        let mut log = log.lock().unwrap();
        for (delay, change) in &copies {
            let at = number + u64::try_from(delay.as_millis()).unwrap();
            let place = (at, log.len());
            log.insert(place, (number, *change));
        }
        Treatment { copies, ..Treatment::after(millis(5)) }
    }
}

/// What a reader of these must have found, counted with a set of all numbers.
fn counted(arrivals: &Arrivals, sent: u64) -> Verified {
    let (mut seen, mut found) = (BTreeSet::new(), Verified { copies: sent, ..Verified::default() });
    for (number, change) in arrivals.values() {
        if !matches!(change, Change::Nothing | Change::Dup) {
            found.corrupted += 1;
        } else if !seen.contains(number) {
            found.reordered += u64::from(seen.last().is_some_and(|last| last > number));
            seen.insert(*number);
        } else {
            found.duplicated += 1;
            found.duplicated_with_dup += u64::from(*change == Change::Dup);
        }
    }
    found.lost = sent - seen.len() as u64;
    found
}

#[test]
fn random_faults_are_counted_as_a_set_of_all_numbers_counts_them() {
    for seed in 0..12 {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            let log = Arc::default();
            let mut plan = world::open(1000.0, 1, qos);
            plan.times.length = WindowLength::Time(Duration::from_secs(3));
            let outcome = world::run(&plan, Server::treating(random_faults(seed, &log)));
            let expected = counted(&log.lock().unwrap(), outcome.server.came);
            assert_eq!(outcome.results().verified, expected, "seed {seed}, {qos:?}");
            assert!(expected.lost > 10 && expected.reordered > 10, "{expected:?}");
        }
    }
}

#[test]
fn what_was_not_acknowledged_is_not_lost_however_long_ago_it_was() {
    for copies in [0, 1] {
        let treat = move |number: u64| {
            if number.is_multiple_of(50) {
                Treatment { copies: vec![(millis(1), Change::Nothing); copies], answer: None }
            } else {
                Treatment::after(millis(1))
            }
        };
        let outcome =
            world::run(&world::open(1000.0, 1, QoS::AtLeastOnce), Server::treating(treat));
        let results = outcome.results();
        assert_eq!((outcome.server.came, results.messages.unacknowledged), (12_000, 200));
        let promised = 11_760 + 240 * copies as u64;
        let expected = Verified { copies: promised, ..Verified::default() };
        assert_eq!(results.verified, expected, "{copies} copies");
        assert_eq!(results.latencies.acknowledgement.never(), 200);
        assert_eq!(results.latencies.delivery.never(), 0);
    }
}

#[test]
fn each_message_of_the_window_is_acknowledged_refused_or_neither() {
    let treat = |number: u64| match number % 10 {
        3 => {
            Treatment { answer: Some((millis(1), ReasonCode::QUOTA_EXCEEDED)), ..Treatment::lost() }
        }
        7 => Treatment { answer: None, ..Treatment::after(millis(1)) },
        _ => Treatment::after(millis(1)),
    };
    let outcome = world::run(&world::open(1000.0, 1, QoS::AtLeastOnce), Server::treating(treat));
    let messages = &outcome.results().messages;
    assert_eq!(messages.sent, 10_000);
    let parts = [messages.acknowledged, messages.refusals(), messages.unacknowledged];
    assert_eq!(parts, [8000, 1000, 1000]);
    assert_eq!(outcome.results().verified.lost, 0);
    // A tenth of what was offered was refused.
    assert!(outcome.judgement.overload.is_some_and(|it| (89.0..91.0).contains(&it.delivered)));
}

#[test]
fn each_reader_is_counted_by_itself() {
    let log = Arc::default();
    let mut plan = world::open(1000.0, 1, QoS::AtMostOnce);
    plan.plan = Plan { subscribers: 3, ..plan.plan };
    let outcome = world::run(&plan, Server::treating(random_faults(99, &log)));
    let one = counted(&log.lock().unwrap(), outcome.server.came);
    let found = &outcome.results().verified;
    assert_eq!((found.copies, found.lost), (3 * one.copies, 3 * one.lost));
    assert_eq!((found.duplicated, found.reordered), (3 * one.duplicated, 3 * one.reordered));
    assert_eq!(found.corrupted, 3 * one.corrupted);
}

/// The message of this number is lost; a connection takes 500 ms.
fn loses(number: u64) -> Rules {
    let treat = move |n| if n == number { Treatment::lost() } else { Treatment::after(millis(1)) };
    let connect = Box::new(|tries| Ok(millis(if tries < 2 { 1 } else { 500 })));
    Rules { treat: Box::new(treat), connect, ..Rules::default() }
}

#[test]
fn what_is_lost_after_a_cut_is_told_from_what_was_missed() {
    let who = CrowdPart { kind: CrowdKind::Subscribers, share: CrowdShare::Count(1) };
    let mut plan = world::open(1000.0, 1, QoS::AtLeastOnce);
    let at = Duration::from_secs(4);
    plan.disturbances.cuts = vec![CutPlan { who, at, how: CutKind::Reset }];
    let outcome = world::run(&plan, Server::new(loses(9000)));
    let verified = &outcome.results().verified;
    assert_eq!((verified.lost, verified.duplicated, verified.reordered), (1, 0, 0));
    assert!((499..=502).contains(&verified.missed), "{verified:?}");
    let [cut] = &outcome.results().disturbances.cuts[..] else { panic!("no cut") };
    assert_eq!((cut.count, cut.session_present), (1, 0));
    is(&cut.back, 1.0, millis(500));
    assert_eq!(cut.all_back, Some(millis(500)));
    assert!(outcome.results().connections.disconnected.is_empty());
}

#[test]
fn what_is_lost_after_the_server_lost_a_connection_is_told_from_what_was_missed() {
    let loss = Some((Duration::from_secs(5), 0));
    let outcome = world::run(
        &world::open(1000.0, 1, QoS::AtMostOnce),
        Server::new(Rules { loses: loss, ..loses(9000) }),
    );
    let results = outcome.results();
    assert_eq!(results.connections.disconnected, BTreeMap::from([(Cause::Silent, 1)]));
    assert_eq!((results.connections.reconnected, results.verified.lost), (1, 1));
    // It comes back after 1 s +- 50 %, and 500 ms.
    assert!((1000..=2001).contains(&results.verified.missed), "{:?}", results.verified);
}
