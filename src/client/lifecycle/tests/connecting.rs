//! Names, versions, silence, redirects, addresses, and old sessions: what is tried one after the
//! other, and which error is reported.

use super::*;
use crate::mqtt::property::{Property, PropertyId};

fn handshaking(policy: Policy) -> World {
    let mut world = World::new(policy);
    world.feed_all([ConnectionInput::Connect, DIALLED]);
    world
}

fn awaiting_connack(policy: Policy) -> World {
    let mut world = handshaking(policy);
    world.feed(ConnectionInput::Opened);
    world
}

/// The next connection of the same try, up to CONNECT.
fn go_on(world: &mut World) {
    assert_eq!(world.state(), "Dialling");
    world.feed_all([DIALLED, ConnectionInput::Opened]);
}

#[test]
fn a_status_of_400_may_be_about_the_name() {
    let mut world = handshaking(policy());
    let actions = world.feed(fail(status(400)));
    assert_eq!(actions.last().map(String::as_str), Some("dial ws://a/mqtt 5 mqttv3.1"));
    let actions = world.feed(fail(status(400)));
    assert!(actions.iter().any(|line| line.starts_with("fail: ")), "once: {actions:?}");
}

#[test]
fn the_name_that_worked_is_used_again() {
    let mut world = handshaking(policy());
    world.feed(fail(status(400)));
    go_on(&mut world);
    world.feed_all([accept(SessionFound::New), fail(fin())]);
    let (_, actions) = world.late();
    assert_eq!(actions, ["dial ws://a/mqtt 5 mqttv3.1"]);
}

#[test]
fn names_that_were_given_are_not_changed() {
    let mut world = handshaking(Policy { subprotocols: Some(vec!["x".to_owned()]), ..policy() });
    assert!(world.actions.contains(&"dial ws://a/mqtt 5 x".to_owned()));
    world.feed(fail(status(400)));
    assert_eq!(world.state(), "Closed");
}

#[test]
fn a_refused_version_leads_to_the_next_one_down_to_the_oldest() {
    let mut world = awaiting_connack(policy());
    for (code, next) in [(0x84, "3.1.1 mqtt"), (0x01, "3.1 mqttv3.1")] {
        let actions = world.feed(fail(refused(code)));
        assert_eq!(actions.last(), Some(&format!("dial ws://a/mqtt {next}")));
        go_on(&mut world);
    }
    world.feed(fail(refused(0x01)));
    assert_eq!(world.state(), "Closed");
}

#[test]
fn an_end_instead_of_connack_may_be_about_the_version() {
    let mut world = awaiting_connack(policy());
    world.feed(fail(refused_silently()));
    go_on(&mut world);
    let actions = world.feed(accept(SessionFound::New));
    assert_eq!(
        actions,
        [
            "warn: connected with MQTT 3.1.1 and subprotocol mqtt; the first try failed: no answer \
             to CONNECT: the server closed the connection; -V 311 leaves that try out",
            "connected"
        ]
    );
}

#[test]
fn the_version_that_worked_is_used_again() {
    let mut world = awaiting_connack(policy());
    world.feed(fail(refused(0x84)));
    go_on(&mut world);
    world.feed_all([accept(SessionFound::New), fail(fin())]);
    let (_, actions) = world.late();
    assert_eq!(actions, ["dial ws://a/mqtt 3.1.1 mqtt"]);
}

#[test]
fn an_end_while_a_lost_connection_is_made_again_is_not_about_the_version() {
    let mut world = World::online(policy());
    world.feed(fail(fin()));
    world.late();
    world.feed_all([DIALLED, ConnectionInput::Opened, fail(refused_silently())]);
    assert_eq!(world.state(), "Backoff");
}

/// What a try ends with that meets these errors one after the other.
fn reported(errors: impl IntoIterator<Item = Error>) -> String {
    let mut world = awaiting_connack(policy());
    for error in errors {
        if world.state() == "Dialling" {
            go_on(&mut world);
        }
        world.feed(fail(error));
    }
    assert_eq!(world.state(), "Closed");
    world.actions.last().cloned().unwrap_or_default()
}

#[test]
fn the_error_that_came_furthest_is_reported() {
    let bad_password = "fail: the broker refused: bad user name or password";
    let said = reported([refused(0x84), refused(4)]);
    assert!(said.starts_with("fail: the broker refused: "), "{said} {bad_password}");
    let said = reported([refused_silently(), refused(5)]);
    assert!(said.starts_with("fail: the broker refused: "), "{said}");
    let said = reported([refused(0x84), unreached()]);
    assert!(said.starts_with("fail: the broker refused MQTT 5: "), "{said}");
    // RabbitMQ 3.10 given a wrong password.
    let said = reported([closed(1011, ""), closed(1002, "unauthenticated"), closed(1002, "")]);
    assert!(said.ends_with("code 1002 (protocol error): unauthenticated"), "{said}");
    let said = reported([refused(0x84), refused(0x01), refused(0x01)]);
    assert!(said.starts_with("fail: the broker refused MQTT 5: "), "the first: {said}");
}

#[test]
fn errors_are_ordered_by_how_far_they_came() {
    let steps = [
        unreached(),
        late_at(Step::Transport(Phase::Tls)),
        status(404),
        refused_silently(),
        refused(0x84),
        refused(4),
    ];
    let progress: Vec<_> = steps.iter().map(fallback::progress).collect();
    assert!(progress.is_sorted_by(|one, other| one < other), "{progress:?}");
    assert_eq!(
        fallback::progress(&late_at(Step::ConnAck)),
        fallback::progress(&refused_silently())
    );
}

#[test]
fn silence_means_the_next_version_after_a_third_of_the_time_each() {
    let mut world = awaiting_connack(policy());
    for next in ["3.1.1 mqtt", "3.1 mqttv3.1"] {
        let (waited, actions) = world.late();
        assert_eq!(waited, Duration::from_secs(4));
        assert_eq!(actions.last(), Some(&format!("dial ws://a/mqtt {next}")));
        go_on(&mut world);
    }
    let (waited, actions) = world.late();
    assert_eq!((waited, actions), (Duration::from_secs(4), vec!["expire".to_owned()]));
    let actions = world.feed(fail(late_at(Step::ConnAck)));
    assert_eq!(actions, ["drop", "fail: no CONNACK to MQTT 5 within 4 s"], "the first is reported");
}

#[test]
fn a_silence_is_told_to_the_tenth_of_a_second() {
    let mut world =
        awaiting_connack(Policy { connect_timeout: Duration::from_secs(10), ..policy() });
    let (_, actions) = world.late();
    let trace = "trace: no CONNACK to MQTT 5 within 3.4 s; trying MQTT 3.1.1";
    assert!(actions.iter().any(|action| action == trace), "{actions:?}");
}

#[test]
fn a_version_after_silence_is_reported_with_the_flag_that_spares_the_wait() {
    let mut world = awaiting_connack(policy());
    world.late();
    go_on(&mut world);
    let actions = world.feed(accept(SessionFound::New));
    let line = "warn: connected with MQTT 3.1.1 and subprotocol mqtt; the first try failed: no \
                CONNACK to MQTT 5 within 4 s; -V 311 leaves that try out";
    assert_eq!(actions[0], line);
}

#[test]
fn what_was_connected_with_is_named_and_the_flags_for_it() {
    let warned = |policy: Policy, codes: &[u8], is_other_name: bool| {
        let mut world = handshaking(policy);
        if is_other_name {
            world.feed(fail(status(400)));
            assert_eq!(world.state(), "Dialling");
            world.feed(DIALLED);
        }
        world.feed(ConnectionInput::Opened);
        for code in codes {
            world.feed(fail(refused(*code)));
            go_on(&mut world);
        }
        let actions = world.feed(accept(SessionFound::New));
        let line = actions.first().expect("a warning").clone();
        let (with, rest) = line.split_once("; the first try failed: ").expect("one");
        let (_, advice) = rest.rsplit_once("; ").expect("advice");
        (with.to_owned(), advice.to_owned())
    };
    let none = Policy { subprotocols: Some(Vec::new()), ..policy() };
    for (found, with, advice) in [
        (warned(none, &[0x84], false), "MQTT 3.1.1 without a subprotocol", "-V 311"),
        (warned(policy(), &[0x84, 0x01], false), "MQTT 3.1 and subprotocol mqttv3.1", "-V 31"),
        (warned(policy(), &[], true), "MQTT 5 and subprotocol mqttv3.1", "--subprotocol mqttv3.1"),
        (
            warned(policy(), &[0x84], true),
            "MQTT 3.1.1 and subprotocol mqttv3.1",
            "-V 311 --subprotocol mqttv3.1",
        ),
    ] {
        let expected =
            (format!("warn: connected with {with}"), format!("{advice} leaves that try out"));
        assert_eq!(found, expected);
    }
}

#[test]
fn any_byte_is_no_silence() {
    let mut world = awaiting_connack(policy());
    world.after(3_000).feed(ConnectionInput::Received);
    assert_eq!(world.late(), (Duration::from_secs(9), vec!["expire".to_owned()]));
}

#[test]
fn a_version_that_was_asked_for_is_waited_for() {
    for version_choice in [VersionChoice::Asked, VersionChoice::NeededBy("-x")] {
        let mut world = awaiting_connack(Policy { version_choice, ..policy() });
        assert_eq!(world.late(), (Duration::from_secs(12), vec!["expire".to_owned()]));
    }
}

#[test]
fn silence_of_a_server_that_has_accepted_before_is_not_about_the_version() {
    let mut world = World::online(policy());
    world.feed(fail(fin()));
    world.late();
    world.feed_all([DIALLED, ConnectionInput::Opened]);
    assert_eq!(world.late(), (Duration::from_secs(12), vec!["expire".to_owned()]));
}

#[test]
fn redirects_are_followed_where_that_is_wanted() {
    let follow = Policy { redirects: RedirectPolicy::Follow, ..policy() };
    let mut world = handshaking(follow);
    let actions = world.feed(fail(redirect("/there")));
    assert_eq!(actions, ["drop", "dial ws://a/there 5 mqtt"]);
    world.feed(DIALLED);
    let actions = world.feed(fail(status(404)));
    assert!(actions[1].starts_with("fail: redirected to ws://a/there: "), "{actions:?}");
    let mut world = handshaking(policy());
    world.feed(fail(redirect("/there")));
    assert_eq!(world.state(), "Closed");
}

#[test]
fn credentials_are_not_sent_to_another_server() {
    let mut world = handshaking(Policy { redirects: RedirectPolicy::Follow, ..policy() });
    let actions = world.feed(fail(redirect("http://b/x")));
    let line = "warn: redirected to another server, b:80; withheld from it: user name and password";
    assert_eq!(actions, ["drop", line, "dial ws://b/x 5 mqtt withheld"]);
    world.feed(DIALLED);
    let actions = world.feed(fail(redirect("http://b/y")));
    assert_eq!(actions, ["drop", "dial ws://b/y 5 mqtt withheld"], "reported once");
}

#[test]
fn another_version_begins_where_the_redirect_began() {
    let mut world = handshaking(Policy { redirects: RedirectPolicy::Follow, ..policy() });
    world.feed(fail(redirect("http://b/x")));
    go_on(&mut world);
    let actions = world.feed(fail(refused(0x84)));
    assert_eq!(actions.last().map(String::as_str), Some("dial ws://a/mqtt 3.1.1 mqtt"));
}

#[test]
fn a_circle_of_redirects_ends() {
    let mut world = handshaking(Policy { redirects: RedirectPolicy::Follow, ..policy() });
    world.feed(fail(redirect("/b")));
    world.feed(DIALLED);
    let actions = world.feed(fail(redirect("/mqtt")));
    assert!(actions[1].contains("circle"), "{actions:?}");
}

fn two_addresses() -> Policy {
    Policy { addresses: vec![endpoint("ws://a/mqtt"), endpoint("ws://b/mqtt")], ..policy() }
}

#[test]
fn each_address_is_tried_once() {
    let mut world = World::new(two_addresses());
    world.feed(ConnectionInput::Connect);
    let actions = world.feed(fail(unreached()));
    assert_eq!(actions[0], "drop");
    assert!(actions[1].starts_with("warn: ws://a/mqtt: 192.0.2.1:80: "), "{actions:?}");
    assert!(actions[1].ends_with("; trying ws://b/mqtt"), "{actions:?}");
    assert_eq!(actions[2..], ["dial ws://b/mqtt 5 mqtt"]);
    world.feed(fail(unreached()));
    assert_eq!(world.state(), "Closed");
}

#[test]
fn each_address_has_its_share_of_the_time() {
    let mut world = World::new(two_addresses());
    world.feed(ConnectionInput::Connect);
    assert_eq!(world.late().0, Duration::from_millis(6_100));
    world.feed(fail(late_at(Step::Transport(Phase::Tcp))));
    assert_eq!(world.late().0, Duration::from_secs(6));
    let actions = world.feed(fail(late_at(Step::Transport(Phase::Tcp))));
    assert!(actions[1].starts_with("fail: no TCP connection"), "{actions:?}");
}

#[test]
fn the_address_that_came_furthest_is_the_one_of_the_error() {
    let mut world = World::new(two_addresses());
    world.feed_all([ConnectionInput::Connect, fail(status(503)), fail(unreached())]);
    assert_eq!(world.lifecycle.server().to_string(), "ws://a/mqtt");
    assert!(world.actions.last().is_some_and(|line| line.contains("HTTP 503")));
    let mut world = World::new(two_addresses());
    world.feed_all([ConnectionInput::Connect, fail(unreached()), fail(status(503))]);
    assert_eq!(world.lifecycle.server().to_string(), "ws://b/mqtt");
}

#[test]
fn after_a_loss_the_next_address_is_the_first_to_be_tried() {
    let mut world = World::online(two_addresses());
    world.feed(fail(fin()));
    assert_eq!(world.late().1, ["dial ws://b/mqtt 5 mqtt"]);
    let actions = world.feed(fail(unreached()));
    assert_eq!(actions.last().map(String::as_str), Some("dial ws://a/mqtt 5 mqtt"));
    go_on(&mut world);
    let actions = world.feed(accept(SessionFound::Resumed));
    assert!(actions[0].starts_with("warn: connected again after "), "{actions:?}");
    world.feed(fail(fin()));
    world.late();
    go_on(&mut world);
    let actions = world.feed(accept(SessionFound::Resumed));
    assert!(actions[0].starts_with("warn: connected again to ws://b/mqtt after "), "{actions:?}");
    world.feed(fail(fin()));
    assert_eq!(world.late().1, ["dial ws://a/mqtt 5 mqtt"]);
}

#[test]
fn a_program_with_clients_of_several_servers_names_each() {
    let mut world = World::online(Policy { naming: ServerNaming::Always, ..policy() });
    world.feed(fail(fin()));
    world.late();
    go_on(&mut world);
    let actions = world.feed(accept(SessionFound::Resumed));
    assert!(actions[0].starts_with("warn: connected again to ws://a/mqtt after "), "{actions:?}");
}

fn names(mut error: Error, server: &str) -> Error {
    let reference = Property::text(PropertyId::ServerReference, server.into());
    match &mut error {
        Error::Refused { connack, .. } => connack.properties.push(reference),
        Error::Disconnected(disconnect) => disconnect.properties.push(reference),
        _ => {}
    }
    error
}

#[test]
fn a_server_that_a_connack_names_is_followed() {
    for code in [0x9c, 0x9d] {
        let policy = || Policy { redirects: RedirectPolicy::Follow, ..policy() };
        let mut world = awaiting_connack(policy());
        let actions = world.feed(fail(names(refused(code), "b:81")));
        let expected = [
            "drop",
            "warn: redirected to another server, b:81; withheld from it: user name and password",
            "dial ws://b:81/mqtt 5 mqtt withheld",
        ];
        assert_eq!(actions, expected);
        go_on(&mut world);
        let actions = world.feed(fail(names(refused(code), "a:80")));
        assert!(actions[1].contains("in a circle: ws://a/mqtt -> ws://b:81/mqtt -> ws://a/mqtt"));
        let mut world = awaiting_connack(policy());
        world.feed(fail(refused(code)));
        assert_eq!(world.state(), "Closed", "it names none");
    }
    let mut world = awaiting_connack(policy());
    world.feed(fail(names(refused(0x9c), "b:81")));
    assert_eq!(world.state(), "Closed", "without --follow");
}

#[test]
fn a_server_that_a_disconnect_names_is_followed() {
    let mut world = World::online(Policy { redirects: RedirectPolicy::Follow, ..policy() });
    let actions = world.feed(fail(names(disconnected(0x9c), "b")));
    assert_eq!(actions.last().map(String::as_str), Some("dial ws://b/mqtt 5 mqtt withheld"));
    go_on(&mut world);
    world.feed(accept(SessionFound::New));
    let actions = world.feed(fail(names(disconnected(0x9c), "a")));
    assert!(actions[1].contains("in a circle"), "{actions:?}");

    let mut world = World::online(Policy { redirects: RedirectPolicy::Follow, ..policy() });
    world.feed(fail(names(disconnected(0x9c), "b")));
    go_on(&mut world);
    world.feed(accept(SessionFound::New));
    world.after(11_000);
    let actions = world.feed(fail(names(disconnected(0x9c), "c")));
    let again = actions.last().map(String::as_str);
    assert_eq!(again, Some("dial ws://c/mqtt 5 mqtt withheld"), "withheld from the second, too");
}

#[test]
fn a_server_that_sends_its_client_away_leads_to_the_next_address() {
    let mut world = World::online(two_addresses());
    world.feed(fail(disconnected(0x9c)));
    assert_eq!(world.late().1, ["dial ws://b/mqtt 5 mqtt"]);
    let mut world = World::new(two_addresses());
    world.feed_all([ConnectionInput::Connect, fail(refused(0x9d))]);
    assert_eq!(world.actions.last().map(String::as_str), Some("dial ws://b/mqtt 5 mqtt"));
    let mut world = World::online(policy());
    world.feed(fail(disconnected(0x9c)));
    assert_eq!(world.state(), "Closed");
}

#[test]
fn an_error_that_means_us_ends_it_at_the_first_address() {
    let mut world = World::new(two_addresses());
    world.feed_all([ConnectionInput::Connect, DIALLED, fail(status(401))]);
    assert_eq!(world.state(), "Closed");
}

#[test]
fn credentials_are_asked_for_at_each_connection() {
    let mut world = World::online(policy());
    for _ in 0..3 {
        world.feed(fail(fin()));
        assert_eq!(world.late().1, ["dial ws://a/mqtt 5 mqtt"]);
        world.feed_all([DIALLED, ConnectionInput::Opened, accept(SessionFound::New)]);
    }
}

#[test]
fn an_old_session_is_replaced_by_two_more_connections() {
    let mut world = awaiting_connack(policy());
    world.feed(accept(SessionFound::Stale));
    world.feed(ConnectionInput::Sent);
    let actions = world.feed(fail(fin()));
    assert_eq!(actions, ["drop", "forget true", "dial ws://a/mqtt 5 mqtt"]);
    go_on(&mut world);
    assert_eq!(world.feed(accept(SessionFound::New)), ["disconnect"]);
    world.feed(ConnectionInput::Sent);
    // A server that does not end the connection is left after a second.
    let (waited, actions) = world.late();
    assert_eq!(waited, Duration::from_secs(1));
    assert_eq!(actions, ["drop", "forget false", "dial ws://a/mqtt 5 mqtt"]);
    go_on(&mut world);
    assert_eq!(world.feed(accept(SessionFound::New)), ["connected"]);
}

#[test]
fn an_old_session_is_replaced_within_the_time_for_connecting() {
    let mut world = awaiting_connack(policy());
    world.feed_all([accept(SessionFound::Stale), ConnectionInput::Sent]);
    for _ in 0..30 {
        world.after(500).feed(ConnectionInput::Received);
    }
    let actions = world.late().1;
    assert_eq!(actions.last().map(String::as_str), Some("fail: no CONNACK within 12 s"));
}

#[test]
fn a_write_that_fails_before_connack_leaves_a_second_for_last_words() {
    let mut world = awaiting_connack(policy());
    world.feed(ConnectionInput::WriteFailed(write_error()));
    let (waited, actions) = world.late();
    assert_eq!(waited, Duration::from_secs(1));
    assert!(actions.last().is_some_and(|line| line.starts_with("fail: connection lost: ")));
}

#[test]
fn a_write_that_failed_before_connack_counts_after_it() {
    let mut world = awaiting_connack(policy());
    world.feed_all([ConnectionInput::WriteFailed(write_error()), accept(SessionFound::New)]);
    assert_eq!(world.state(), "Online");
    let (waited, actions) = world.late();
    assert_eq!(waited, Duration::from_secs(1));
    assert!(
        actions[1].starts_with("warn: ws://a/mqtt: connection lost: sending failed: "),
        "{actions:?}"
    );
}

/// The broker has taken MQTT 3.1.1, and has an old session that is being replaced.
fn replacing() -> World {
    let mut world = awaiting_connack(policy());
    world.feed(fail(refused(0x84)));
    go_on(&mut world);
    world.feed_all([accept(SessionFound::Stale), ConnectionInput::Sent, fail(fin())]);
    go_on(&mut world);
    world
}

#[test]
fn silence_while_an_old_session_is_replaced_is_not_about_the_version() {
    assert_eq!(replacing().late(), (Duration::from_secs(12), vec!["expire".to_owned()]));
}

#[test]
fn an_end_while_an_old_session_is_replaced_is_not_about_the_version() {
    let mut world = replacing();
    world.feed(fail(refused_silently()));
    assert_eq!(world.state(), "Closed");
}
