//! The end of a connection: how long the other side has, and what counts as a loss.

use super::*;

fn closing() -> World {
    let mut world = World::online(policy());
    world.feed(ConnectionInput::Close(SessionRemains::Nothing));
    world
}

fn listening() -> World {
    let mut world = closing();
    world.feed(ConnectionInput::Sent);
    world
}

/// The last action when the connection ends like this.
fn ended(mut world: World, error: Error) -> String {
    world.feed(fail(error)).pop().expect("there is an action")
}

#[test]
fn a_side_that_does_nothing_is_left_after_a_second() {
    assert_eq!(listening().late().0, Duration::from_secs(1));
}

#[test]
fn after_a_signal_it_is_left_after_a_quarter() {
    let mut world = listening();
    world.feed(ConnectionInput::Signal(2));
    assert_eq!(world.late().0, Duration::from_millis(250));
    let mut world = World::online(policy());
    world.feed_all([
        ConnectionInput::Signal(15),
        ConnectionInput::Close(SessionRemains::Nothing),
        ConnectionInput::Sent,
    ]);
    assert_eq!(world.late().0, Duration::from_millis(250));
}

#[test]
fn after_a_signal_a_side_that_goes_on_is_read_for_half_a_second() {
    let mut world = World::online(policy());
    world.feed_all([
        ConnectionInput::Signal(2),
        ConnectionInput::Close(SessionRemains::Nothing),
        ConnectionInput::Sent,
    ]);
    let began = world.now;
    for _ in 0..4 {
        world.after(100).feed(ConnectionInput::Received);
    }
    world.late();
    assert_eq!(world.now - began, Duration::from_millis(500));
    assert_eq!(world.state(), "Closed");
}

#[test]
fn a_side_that_goes_on_is_listened_to() {
    let mut world = listening();
    for _ in 0..10 {
        world.after(400).feed(ConnectionInput::Received);
        assert_eq!(world.state(), "Closing");
    }
    assert_eq!(world.late().0, Duration::from_secs(1));
    // One that has paused for long before it went on may do so again.
    let mut world = listening();
    world.after(900).feed(ConnectionInput::Received);
    assert_eq!(world.late().0, Duration::from_millis(1_800));
}

#[test]
fn but_not_for_longer_than_a_connection_may_take() {
    let mut world = listening();
    let began = world.now;
    while world.lifecycle.deadline().is_some_and(|deadline| deadline > world.now) {
        world.after(500).feed(ConnectionInput::Received);
    }
    world.late();
    assert_eq!(world.now - began, Duration::from_secs(12));
    assert_eq!(world.state(), "Closed");
}

#[test]
fn what_waits_to_be_sent_has_the_time_that_it_has_in_any_state() {
    assert_eq!(closing().lifecycle.deadline(), None);
}

#[test]
fn after_a_signal_it_has_a_quarter_after_each_progress_and_a_second_in_all() {
    let mut world = closing();
    world.feed(ConnectionInput::ShortenClose);
    let began = world.now;
    for _ in 0..4 {
        world.after(240).feed(ConnectionInput::Taken);
    }
    let (_, actions) = world.late();
    assert_eq!(world.now - began, Duration::from_secs(1));
    assert_eq!(actions[0], "give up sending");
    assert!(
        actions[2].starts_with("closed: the server no longer reads what it is sent")
            || actions[2].starts_with("closed: connection lost: the server no longer reads"),
        "{actions:?}"
    );
}

#[test]
fn an_end_after_all_was_said_is_clean() {
    let ends = [
        fin(),
        reset(),
        close_frame(1000),
        close_frame(1001),
        close_frame(1011),
        disconnected(0),
        Error::Lost(write_error()),
    ];
    for end in ends {
        let words = end.to_string();
        assert_eq!(ended(listening(), end), "closed", "{words}");
    }
}

#[test]
fn an_end_before_all_was_said_is_a_loss() {
    for end in [fin(), reset(), close_frame(1000)] {
        assert!(ended(closing(), end).starts_with("closed: connection lost: "));
    }
}

#[test]
fn a_reason_after_our_disconnect_counts() {
    let reported = ended(listening(), disconnected(0x97));
    assert!(reported.starts_with("closed: the broker disconnected us: "), "{reported}");
    for code in [1002, 1003, 1007, 1008, 1009] {
        assert!(ended(listening(), close_frame(code)).starts_with("closed: connection lost: "));
    }
}

#[test]
fn a_reason_counts_more_than_a_failed_write() {
    let mut world = closing();
    world.feed(ConnectionInput::WriteFailed(write_error()));
    let reported = ended(world, disconnected(0x97));
    assert!(reported.starts_with("closed: the broker disconnected us: "), "{reported}");
}

#[test]
fn a_failed_write_is_a_loss_whatever_the_end() {
    for end in [fin(), reset(), close_frame(1000)] {
        let mut world = closing();
        world.feed(ConnectionInput::WriteFailed(write_error()));
        let reported = ended(world, end);
        assert!(reported.starts_with("closed: connection lost: sending failed: "), "{reported}");
    }
}

#[test]
fn a_write_that_failed_before_the_close_is_a_loss_too() {
    let mut world = World::online(policy());
    world.feed_all([
        ConnectionInput::WriteFailed(write_error()),
        ConnectionInput::Close(SessionRemains::Nothing),
    ]);
    assert!(ended(world, fin()).starts_with("closed: connection lost: sending failed: "));
}

#[test]
fn a_write_that_fails_after_all_was_said_is_none() {
    let mut world = listening();
    world.feed(ConnectionInput::WriteFailed(write_error()));
    assert_eq!(ended(world, fin()), "closed");
}

#[test]
fn a_second_close_changes_nothing() {
    let mut world = listening();
    assert!(world.feed(ConnectionInput::Close(SessionRemains::Always)).is_empty());
    assert_eq!(ended(world, fin()), "closed");
}

/// Closed at a server that would keep the session; the connection that ends it is dialled.
fn ending_session() -> World {
    let mut world = World::online(policy());
    world.feed_all([ConnectionInput::Close(SessionRemains::Always), ConnectionInput::Sent]);
    let actions = world.feed(fail(fin()));
    assert_eq!(actions, ["drop", "forget true", "dial ws://a/mqtt 5 mqtt"]);
    world
}

#[test]
fn a_session_that_no_client_takes_up_is_ended_by_one_more_connection() {
    let mut world = ending_session();
    world.feed_all([DIALLED, ConnectionInput::Opened]);
    assert_eq!(world.feed(accept(SessionFound::Resumed)), ["disconnect"]);
    world.feed(ConnectionInput::Sent);
    assert_eq!(ended(world, fin()), "closed");
}

#[test]
fn a_server_that_has_gone_quiet_is_not_waited_for() {
    for steps in 0..3 {
        let mut world = ending_session();
        world.feed_all([DIALLED, ConnectionInput::Opened].into_iter().take(steps));
        let (waited, actions) = world.late();
        assert!(waited <= Duration::from_millis(1_100), "{steps}: {waited:?}");
        assert_eq!(actions, ["expire"]);
        assert_eq!(ended(world, late_at(Step::ConnAck)), "closed");
    }
}

#[test]
fn one_that_goes_on_is_given_time() {
    let mut world = ending_session();
    world.after(900).feed(DIALLED);
    world.after(900).feed(ConnectionInput::Received);
    world.after(900).feed(ConnectionInput::Opened);
    assert_eq!(world.after(900).feed(accept(SessionFound::New)), ["disconnect"]);
}

#[test]
fn a_signal_cuts_it_short() {
    let mut world = ending_session();
    world.feed(DIALLED);
    world.feed(ConnectionInput::Signal(2));
    assert_eq!(world.late().0, Duration::from_millis(250));
}

#[test]
fn a_server_that_read_our_disconnect_has_ended_a_session_of_mqtt_5() {
    let mut world = World::online(policy());
    world.feed_all([
        ConnectionInput::Close(SessionRemains::WithoutDisconnect),
        ConnectionInput::Sent,
    ]);
    assert_eq!(ended(world, fin()), "closed");
}

#[test]
fn one_that_did_not_is_reported_by_one_more_connection() {
    let mut world = World::online(policy());
    world.feed(ConnectionInput::Close(SessionRemains::WithoutDisconnect));
    let actions = world.feed(fail(reset()));
    assert_eq!(actions.last().map(String::as_str), Some("dial ws://a/mqtt 5 mqtt"));
    // What was lost is reported all the same.
    world.feed_all([
        DIALLED,
        ConnectionInput::Opened,
        accept(SessionFound::New),
        ConnectionInput::Sent,
    ]);
    assert!(ended(world, fin()).starts_with("closed: connection lost: "));
}

#[test]
fn an_old_session_is_not_ended_for_a_caller_that_was_never_connected() {
    let mut world = World::new(policy());
    world.feed_all([
        ConnectionInput::Connect,
        DIALLED,
        ConnectionInput::Opened,
        accept(SessionFound::Stale),
    ]);
    world.feed_all([ConnectionInput::Sent, ConnectionInput::Close(SessionRemains::Always)]);
    assert_eq!(ended(world, fin()), "closed");
}

#[test]
fn what_is_left_of_an_old_session_is_discarded_by_a_caller_that_ends_too() {
    let mut world = World::new(policy());
    world.feed_all([
        ConnectionInput::Connect,
        DIALLED,
        ConnectionInput::Opened,
        accept(SessionFound::Stale),
    ]);
    assert_eq!(world.lifecycle.reading(), Reading::Discard);
    world.feed(ConnectionInput::Close(SessionRemains::Nothing));
    assert_eq!(world.state(), "Closing");
    assert_eq!(world.lifecycle.reading(), Reading::Discard, "a packet may be cut");
}

#[test]
fn an_end_while_a_session_is_ended_is_not_about_the_version() {
    let mut world = ending_session();
    world.feed_all([DIALLED, ConnectionInput::Opened]);
    assert_eq!(world.feed(fail(refused_silently())), ["drop", "drop", "closed"]);
}

fn leaving_by_reset() -> World {
    let mut world = World::online(Policy { leaving: Leaving::Reset, ..policy() });
    let actions = world.feed(ConnectionInput::Close(SessionRemains::Nothing));
    assert_eq!((world.state(), actions), ("Closing", vec!["ask".to_owned()]));
    world
}

#[test]
fn a_reset_waits_for_an_answer() {
    let mut world = leaving_by_reset();
    assert!(world.lifecycle.is_sending_disconnect());
    assert!(world.feed(ConnectionInput::Sent).is_empty());
    assert!(world.feed(ConnectionInput::Received).is_empty());
    assert_eq!(world.feed(ConnectionInput::Answered), ["reset", "drop", "closed"]);
    // A server that does not answer is not taken to have got everything.
    let mut world = leaving_by_reset();
    world.feed(ConnectionInput::Sent);
    let (waited, actions) = world.late();
    assert_eq!(waited, Duration::from_secs(12));
    let late = "closed: ending by a reset: no answer from the broker within 12 s";
    assert_eq!(actions, ["reset", "drop", late]);
    for sent in [false, true] {
        let mut world = leaving_by_reset();
        if sent {
            world.feed(ConnectionInput::Sent);
        }
        let lost = "closed: connection lost: the server closed the connection";
        assert_eq!(world.feed(fail(fin())), ["reset", "drop", lost]);
    }
    // Nobody waits for long after an interrupt, and then nothing is said about it.
    let mut world = leaving_by_reset();
    world.feed(ConnectionInput::Sent);
    world.feed(ConnectionInput::Signal(2));
    let (waited, actions) = world.late();
    assert_eq!(waited, Duration::from_millis(250));
    assert_eq!(actions, ["reset", "drop", "closed"]);
}
