//! One row for each state and each input: the state after it, and what is wanted.

use super::*;

/// A world in each state; what it did to come there does not count.
fn worlds() -> Vec<World> {
    let connecting = |count: usize| {
        let mut world = World::new(policy());
        let steps = [ConnectionInput::Connect, DIALLED, ConnectionInput::Opened];
        world.feed_all(steps.into_iter().take(count));
        world
    };
    let backoff = || {
        let mut world = World::online(policy());
        world.feed(fail(fin()));
        world
    };
    let replacing = || {
        let mut world = connecting(3);
        world.feed(accept(SessionFound::Stale));
        world
    };
    let closing = || {
        let mut world = World::online(policy());
        world.feed_all([ConnectionInput::Close(SessionRemains::Nothing), ConnectionInput::Sent]);
        world
    };
    let closed = || {
        let mut world = connecting(1);
        world.feed(ConnectionInput::Close(SessionRemains::Nothing));
        world
    };
    let fetching = || {
        let mut world = World::new(Policy { credentials: CredentialsAsked::Always, ..policy() });
        world.feed(ConnectionInput::Connect);
        world
    };
    let mut worlds = vec![
        connecting(0),
        fetching(),
        connecting(1),
        connecting(2),
        connecting(3),
        World::online(policy()),
        backoff(),
        replacing(),
        closing(),
        closed(),
    ];
    for world in &mut worlds {
        world.actions.clear();
    }
    worlds
}

/// What each of them says to this input, the state after it in front.
fn row(input: impl Fn() -> ConnectionInput) -> Vec<String> {
    let said = |mut world: World| {
        let actions = world.feed(input());
        let state = world.state();
        if actions.is_empty() {
            state.to_owned()
        } else {
            format!("{state}: {}", actions.join(", "))
        }
    };
    worlds().into_iter().map(said).collect()
}

const STATES: [&str; 10] = [
    "Idle",
    "Fetching",
    "Dialling",
    "Handshaking",
    "AwaitingConnack",
    "Online",
    "Backoff",
    "ReplacingSession",
    "Closing",
    "Closed",
];

/// The rows of states that do not stay as they are without a word.
fn check(input: impl Fn() -> ConnectionInput, changes: &[(&str, &str)]) {
    let row = row(input);
    for (state, said) in STATES.iter().zip(row) {
        let expected = changes.iter().find(|(of, _)| of == state).map_or(*state, |(_, said)| said);
        assert_eq!(said, expected, "in the state {state}");
    }
    for (state, _) in changes {
        assert!(STATES.contains(state), "{state}");
    }
}

/// What has nothing to do with a connection is an event in every state.
fn check_event(input: impl Fn() -> ConnectionInput, event: &str) {
    for (state, said) in STATES.iter().zip(row(input)) {
        assert_eq!(said, format!("{state}: {event}"));
    }
}

#[test]
fn every_state_has_its_world() {
    let states: Vec<_> = worlds().iter().map(World::state).collect();
    assert_eq!(states, STATES);
}

#[test]
fn connect() {
    check(|| ConnectionInput::Connect, &[("Idle", "Dialling: dial ws://a/mqtt 5 mqtt")]);
}

#[test]
fn credentials_that_come() {
    let came = || fetched(CredentialChange::Other);
    check(came, &[("Fetching", "Dialling: dial ws://a/mqtt 5 mqtt")]);
}

#[test]
fn credentials_that_do_not_come() {
    let failed = || ConnectionInput::FetchFailed(Error::Credentials("no file".to_owned()));
    check(failed, &[("Fetching", "Closed: drop, fail: no file")]);
}

#[test]
fn nothing_under_way() {
    check(|| ConnectionInput::Quiet, &[]);
}

#[test]
fn another_connection_is_wanted() {
    let words = "trace: ws://a/mqtt: connecting again for what was left to the server";
    let expected = format!("ReplacingSession: {words}, leave");
    check(|| ConnectionInput::ConnectAgain, &[("Online", &expected)]);
}

#[test]
fn dialled() {
    check(|| DIALLED, &[("Dialling", "Handshaking")]);
}

#[test]
fn opened() {
    check(|| ConnectionInput::Opened, &[("Handshaking", "AwaitingConnack: connect 5")]);
}

#[test]
fn accepted() {
    for accepted in [SessionFound::New, SessionFound::Resumed] {
        check(|| accept(accepted), &[("AwaitingConnack", "Online: connected")]);
    }
    check(|| accept(SessionFound::Stale), &[("AwaitingConnack", "ReplacingSession: disconnect")]);
}

#[test]
fn an_end_after_which_another_try_may_succeed() {
    let lost = "fail: connection lost: the server closed the connection";
    check(
        || fail(fin()),
        &[
            ("Idle", &format!("Closed: drop, {lost}")),
            ("Fetching", &format!("Closed: drop, {lost}")),
            ("Dialling", &format!("Closed: drop, {lost}")),
            ("Handshaking", &format!("Closed: drop, {lost}")),
            ("AwaitingConnack", &format!("Closed: drop, {lost}")),
            (
                "Online",
                "Backoff: drop, warn: ws://a/mqtt: connection lost: the server closed the \
                 connection; trying again",
            ),
            ("Backoff", &format!("Closed: drop, {lost}")),
            ("ReplacingSession", "Dialling: drop, forget true, dial ws://a/mqtt 5 mqtt"),
            ("Closing", "Closed: drop, closed"),
        ],
    );
}

#[test]
fn an_error_after_which_every_try_would_fail() {
    let refused = "fail: the broker disconnected us: Not authorized";
    let said = row(|| fail(disconnected(0x87)));
    let is_final = |said: &String| said.starts_with("Closed: ") && said.contains("fail: ");
    assert!(said[..7].iter().all(is_final), "{said:?} {refused}");
    assert!(said[7].starts_with("Dialling: "), "the next connection of a replacement: {said:?}");
    assert!(said[8].starts_with("Closed: drop, closed: the broker disconnected us"), "{said:?}");
    assert_eq!(said[9], "Closed");
}

#[test]
fn a_failed_write() {
    check(|| ConnectionInput::WriteFailed(write_error()), &[]);
}

#[test]
fn bytes_and_room() {
    check(|| ConnectionInput::Received, &[]);
    check(|| ConnectionInput::Taken, &[]);
}

#[test]
fn all_is_sent() {
    check(|| ConnectionInput::Sent, &[]);
}

#[test]
fn an_answer_that_nobody_waits_for() {
    check(|| ConnectionInput::Answered, &[]);
}

#[test]
fn time_that_is_not_up() {
    check(time, &[]);
}

#[test]
fn time_that_is_up() {
    let rows = [
        ("Fetching", 12_000, "Fetching: expire"),
        ("Dialling", 12_100, "Dialling: expire"),
        ("Handshaking", 12_000, "Handshaking: expire"),
        (
            "AwaitingConnack",
            4_000,
            "Dialling: drop, trace: no CONNACK to MQTT 5 within 4 s; trying MQTT 3.1.1, \
             dial ws://a/mqtt 3.1.1 mqtt",
        ),
        (
            "ReplacingSession",
            12_000,
            "Closed: drop, forget true, drop, forget false, fail: no CONNACK within 12 s",
        ),
        ("Closing", 1_000, "Closed: drop, closed"),
    ];
    for (mut world, state) in worlds().into_iter().zip(STATES) {
        match rows.iter().find(|(of, ..)| *of == state) {
            Some((_, milliseconds, expected)) => {
                let (waited, actions) = world.late();
                assert_eq!(waited, Duration::from_millis(*milliseconds), "{state}");
                assert_eq!(format!("{}: {}", world.state(), actions.join(", ")), *expected);
            }
            None if state == "Backoff" => {
                let (_, actions) = world.late();
                assert_eq!(actions, ["dial ws://a/mqtt 5 mqtt"]);
            }
            None => assert_eq!(world.lifecycle.deadline(), None, "{state}"),
        }
    }
}

#[test]
fn signals() {
    for signal in [1, 2, 15] {
        check_event(|| ConnectionInput::Signal(signal), &format!("Interrupted({signal})"));
    }
}

#[test]
fn a_shortened_close() {
    check(|| ConnectionInput::ShortenClose, &[]);
}

#[test]
fn output_written() {
    check_event(|| ConnectionInput::Local(Event::Written(7)), "Written(7)");
}

#[test]
fn output_failed() {
    let failed = || ConnectionInput::Local(Event::OutputFailed(io::ErrorKind::BrokenPipe.into()));
    check_event(failed, "OutputFailed(Kind(BrokenPipe))");
}

#[test]
fn a_block_of_input_and_its_end() {
    let block = || ConnectionInput::Local(Event::Input(Ok(Some(bytes::Bytes::from_static(b"x")))));
    check_event(block, "Input(Ok(Some(b\"x\")))");
    check_event(|| ConnectionInput::Local(Event::Input(Ok(None))), "Input(Ok(None))");
}

#[test]
fn the_end_of_a_command() {
    check_event(|| ConnectionInput::Local(Event::Woken), "Woken");
}

#[test]
fn close_where_nothing_remains() {
    check(
        || ConnectionInput::Close(SessionRemains::Nothing),
        &[
            ("Idle", "Closed: drop, closed"),
            ("Fetching", "Closed: drop, closed"),
            ("Dialling", "Closed: drop, closed"),
            ("Handshaking", "Closed: drop, closed"),
            ("AwaitingConnack", "Closed: drop, closed"),
            ("Online", "Closing: disconnect"),
            ("Backoff", "Closed: drop, closed"),
            ("ReplacingSession", "Closing"),
            ("Closed", "Closed: drop, closed"),
        ],
    );
}

#[test]
fn close_where_the_server_would_keep_a_session() {
    let ends = "Dialling: drop, forget true, dial ws://a/mqtt 5 mqtt";
    for remains in [SessionRemains::WithoutDisconnect, SessionRemains::Always] {
        check(
            || ConnectionInput::Close(remains),
            &[
                ("Idle", "Closed: drop, closed"),
                ("Fetching", "Closed: drop, closed"),
                ("Dialling", "Closed: drop, closed"),
                ("Handshaking", "Closed: drop, closed"),
                ("AwaitingConnack", "Closed: drop, closed"),
                ("Online", "Closing: disconnect"),
                ("Backoff", ends),
                ("ReplacingSession", "Closing"),
                ("Closed", ends),
            ],
        );
    }
}
