//! What happens three times in a row.

use super::*;

fn facts(record: Option<u64>, world: &World) -> LossFacts {
    LossFacts {
        unacknowledged: record.map(|record| Unacknowledged {
            record,
            message: Some(("a b".to_owned(), QoS::AtLeastOnce)),
        }),
        sent: Some(world.now),
        ..LossFacts::default()
    }
}

/// The connection ends so after so long, with this message on the way; what is said.
fn round(world: &mut World, record: Option<u64>, error: Error, milliseconds: u64) -> Vec<String> {
    if world.state() == "Backoff" {
        world.reconnect();
    }
    let facts = facts(record, world);
    world.after(milliseconds).feed(ConnectionInput::Failed(error, facts))
}

const GIVEN_UP: &str =
    "fail: the server ended three connections in a row on this message (topic a b, QoS 1)";

#[test]
fn a_message_that_ends_three_connections_is_given_up() {
    type End = fn() -> Error;
    let ends: [End; 5] = [
        fin,
        || close_frame(1000),
        || close_frame(1012),
        || disconnected(0x83),
        || disconnected(0x8b),
    ];
    for end in ends {
        let mut world = World::online(policy());
        round(&mut world, Some(7), end(), 10);
        round(&mut world, Some(7), end(), 10);
        assert_eq!(round(&mut world, Some(7), end(), 10), ["drop", GIVEN_UP]);
    }
}

#[test]
fn resets_do_not_count_and_begin_the_count_anew() {
    let mut world = World::online(policy());
    for error in [fin(), fin(), reset(), fin(), fin()] {
        round(&mut world, Some(7), error, 10);
        assert_eq!(world.state(), "Backoff");
    }
}

#[test]
fn ends_that_come_later_do_not_count() {
    let mut world = World::online(policy());
    for _ in 0..5 {
        round(&mut world, Some(7), fin(), 1_000);
        assert_eq!(world.state(), "Backoff");
    }
}

#[test]
fn other_messages_do_not_count() {
    let mut world = World::online(policy());
    for record in [7, 7, 8, 8, 9] {
        round(&mut world, Some(record), fin(), 10);
        assert_eq!(world.state(), "Backoff");
    }
}

#[test]
fn an_acknowledgement_between_them_begins_the_count_anew() {
    let mut world = World::online(policy());
    for _ in 0..5 {
        round(&mut world, Some(7), fin(), 10);
        world.reconnect();
        world.lifecycle.note_acknowledgement();
    }
    assert_eq!(world.state(), "Online");
}

#[test]
fn a_connection_that_is_not_accepted_is_no_round() {
    let mut world = World::online(policy());
    round(&mut world, Some(7), fin(), 10);
    round(&mut world, Some(7), fin(), 10);
    for _ in 0..3 {
        world.late();
        world.feed_all([DIALLED, ConnectionInput::Opened, fail(refused_silently())]);
    }
    assert_eq!(world.state(), "Backoff");
}

#[test]
fn a_server_that_restarts_begins_the_count_anew() {
    let mut world = World::online(policy());
    // The port is closed, a proxy closes at once, or the broker is not ready.
    for error in [unreached, refused_silently, unreached, refused_silently, refused_silently] {
        round(&mut world, Some(7), fin(), 10);
        assert_eq!(world.state(), "Backoff");
        world.late();
        world.feed(fail(error()));
    }
}

#[test]
fn without_reconnecting_the_loss_is_reported() {
    let retry = Reconnect { tries: Some(2), ..policy().retry };
    let mut world = World::online(Policy { retry, ..policy() });
    round(&mut world, None, fin(), 10);
    round(&mut world, None, fin(), 10);
    let actions = round(&mut world, None, fin(), 10);
    assert!(actions[1].starts_with("fail: connection lost, and 2 tries"), "{actions:?}");
}

const SUBSCRIBE: &str = "warn: the server ended three connections in a row soon after SUBSCRIBE: \
     another client may use the same id (choose another id with -i), or the server forbids a \
     filter, its QoS or so many filters";

#[test]
fn ends_after_subscribe_are_explained_once() {
    let mut world = World::online(policy());
    for number in 1..=6 {
        if world.state() == "Backoff" {
            world.reconnect();
        }
        let facts = LossFacts { is_subscriber: true, ..LossFacts::default() };
        let actions = world.after(10).feed(ConnectionInput::Failed(fin(), facts));
        let is_reported = actions.iter().any(|line| line == SUBSCRIBE);
        assert_eq!(is_reported, number == 3, "{number}: {actions:?}");
    }
}

#[test]
fn ends_after_connack_are_explained_to_a_publisher() {
    let mut world = World::online(policy());
    round(&mut world, None, fin(), 10);
    round(&mut world, None, fin(), 10);
    let actions = round(&mut world, None, fin(), 10);
    let line = "warn: the server ended three connections in a row soon after CONNACK: another \
                client may use the same id (choose another id with -i)";
    assert_eq!(actions.last().map(String::as_str), Some(line));
}

#[test]
fn no_cause_is_guessed_where_the_server_names_one() {
    for (code, is_guessed) in [(0x80, true), (0x83, true), (0x8b, false), (0x89, false)] {
        let mut world = World::online(policy());
        for _ in 0..3 {
            round(&mut world, None, disconnected(code), 10);
        }
        let is_guess = |line: &&String| line.contains("three connections in a row");
        assert_eq!(world.actions.iter().any(|line| is_guess(&line)), is_guessed, "{code:#x}");
    }
}

/// Whether an idle limit is suspected after connections that ended after these silences.
fn idle(silences: &[u64]) -> usize {
    let mut world = World::online(policy());
    for silence in silences {
        if world.state() == "Backoff" {
            world.reconnect();
        }
        let facts = LossFacts { traffic: Some(world.now), ..LossFacts::default() };
        world.after(*silence).feed(ConnectionInput::Failed(reset(), facts));
    }
    let is_reported = |line: &&String| line.contains("an idle limit on the way? try -k");
    world.actions.iter().filter(is_reported).count()
}

#[test]
fn the_same_silence_twice_is_an_idle_limit() {
    assert_eq!(idle(&[60_000]), 0);
    assert_eq!(idle(&[60_000, 60_100]), 1);
    assert_eq!(idle(&[60_000, 60_100, 60_000]), 1, "reported once");
}

#[test]
fn different_silences_are_none() {
    assert_eq!(idle(&[60_000, 30_000, 60_000]), 0);
    assert_eq!(idle(&[100, 100, 100]), 0, "that short is no silence");
    assert_eq!(idle(&[1_000, 1_100, 1_000]), 0, "no keep alive is shorter");
    assert_eq!(idle(&[2_000, 2_100]), 1);
}

/// A third end after the same silence is not blamed on another client.
#[test]
fn an_idle_limit_that_is_told_is_not_explained_otherwise() {
    let mut world = World::online(policy());
    for _ in 0..6 {
        if world.state() == "Backoff" {
            world.reconnect();
        }
        let traffic = Some(world.now);
        let facts = LossFacts { traffic, is_subscriber: true, ..LossFacts::default() };
        world.after(2_000).feed(ConnectionInput::Failed(fin(), facts));
    }
    let said = |words: &str| world.actions.iter().filter(|line| line.contains(words)).count();
    assert_eq!((said("an idle limit on the way?"), said("three connections in a row")), (1, 0));
}
