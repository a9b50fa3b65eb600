//! Pauses between tries, and when there is no other: `--wait`, `--reconnect-delay`,
//! `--reconnect-tries`.

use super::*;

const RETRY: Reconnect = Reconnect {
    shortest: Duration::from_secs(1),
    longest: Duration::from_secs(30),
    tries: Some(3),
};

#[test]
fn delays_double_up_to_the_longest_and_are_jittered() {
    let longest: Vec<u64> = (0..8).map(|attempt| RETRY.delay(attempt, 1.0).as_secs()).collect();
    assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30, 30]);
    assert_eq!(RETRY.delay(2, 0.5), Duration::from_secs(2));
    assert_eq!(RETRY.delay(4, 0.0), Duration::ZERO);
    assert_eq!(RETRY.delay(u32::MAX, 1.0), Duration::from_secs(30));
}

#[test]
fn tries_are_counted() {
    assert!(RETRY.allows(2));
    assert!(!RETRY.allows(3));
    assert!(Reconnect { tries: None, ..RETRY }.allows(u32::MAX));
    assert!(!Reconnect { tries: Some(0), ..RETRY }.allows(0));
}

fn waiting(seconds: u64) -> World {
    let mut world = World::new(Policy { wait: Duration::from_secs(seconds), ..policy() });
    world.feed(ConnectionInput::Connect);
    world
}

#[test]
fn wait_pauses_for_half_a_second_at_most() {
    let mut world = waiting(10);
    let began = world.now;
    let mut tries = 1;
    while world.state() == "Dialling" {
        world.feed(fail(unreached()));
        if world.state() == "Closed" {
            break;
        }
        let (waited, _) = world.late();
        assert!(waited <= Duration::from_millis(500), "{waited:?}");
        tries += 1;
    }
    assert_eq!(world.now - began, Duration::from_secs(10), "the last try is at the very end");
    assert!(tries >= 21, "{tries}");
}

#[test]
fn wait_is_reported_once() {
    let mut world = waiting(2);
    for _ in 0..3 {
        world.feed(fail(unreached()));
        world.late();
    }
    let reported =
        world.actions.iter().filter(|line| line.starts_with("warn: waiting for ws://a/mqtt: "));
    assert_eq!(reported.count(), 1, "{:?}", world.actions);
}

#[test]
fn a_try_of_wait_is_cut_to_what_is_left() {
    let mut world = waiting(1);
    world.feed(DIALLED);
    assert_eq!(world.lifecycle.budget(), Duration::from_secs(1));
    assert_eq!(world.late(), (Duration::from_secs(1), vec!["expire".to_owned()]));
    world.feed(fail(late_at(Step::Transport(Phase::Upgrade))));
    assert_eq!(world.state(), "Closed");
}

/// What nobody waited for is told as it is.
#[test]
fn an_error_says_whether_it_was_waited_for() {
    for (seconds, error, is_waited_for) in
        [(1, refused(3), true), (1, refused(5), false), (0, refused(3), false)]
    {
        let mut world = waiting(seconds);
        world.after(1000 * seconds);
        world.lifecycle.handle(fail(error), world.now);
        let actions: Vec<Action> = std::iter::from_fn(|| world.lifecycle.action()).collect();
        let is_told = |action: &Action| matches!(action, Action::Fail(Error::WaitOver(_)));
        assert_eq!(actions.iter().any(is_told), is_waited_for, "{actions:?}");
    }
}

#[test]
fn without_wait_there_is_one_try_with_all_the_time() {
    let mut world = waiting(0);
    world.feed(DIALLED);
    assert_eq!(world.late().0, Duration::from_secs(12));
    world.feed(fail(late_at(Step::Transport(Phase::Upgrade))));
    assert_eq!(world.state(), "Closed");
}

#[test]
fn wait_does_not_wait_where_every_try_would_fail() {
    for error in [status(401), status(403), refused(4), refused(5)] {
        let mut world = waiting(600);
        world.feed_all([DIALLED, fail(error)]);
        assert_eq!(world.state(), "Closed");
    }
}

#[test]
fn close_ends_a_wait() {
    let mut world = waiting(600);
    world.feed(fail(unreached()));
    assert_eq!(world.feed(ConnectionInput::Close(SessionRemains::Always)), ["drop", "closed"]);
}

#[test]
fn a_signal_in_a_pause_is_reported_at_once() {
    let mut world = waiting(600);
    world.feed(fail(unreached()));
    assert_eq!(world.feed(ConnectionInput::Signal(2)), ["Interrupted(2)"]);
}

fn lost(tries: Option<u32>) -> World {
    let retry = Reconnect { tries, ..policy().retry };
    let mut world = World::online(Policy { retry, ..policy() });
    world.feed(fail(fin()));
    world
}

#[test]
fn as_many_tries_as_are_allowed() {
    let mut world = lost(Some(3));
    for _ in 0..2 {
        world.late();
        world.feed(fail(unreached()));
        assert_eq!(world.state(), "Backoff");
    }
    world.late();
    let actions = world.feed(fail(unreached()));
    let line = "fail: connection lost, and 3 tries to connect again failed: ";
    assert!(actions[1].starts_with(line), "{actions:?}");
}

#[test]
fn a_connection_without_traffic_does_not_begin_the_count_anew() {
    let mut world = lost(Some(2));
    world.reconnect();
    world.feed(fail(fin()));
    world.reconnect();
    let actions = world.feed(fail(fin()));
    assert!(actions[1].starts_with("fail: connection lost, and 2 tries"), "{actions:?}");
}

#[test]
fn a_connection_with_traffic_begins_the_count_anew() {
    let mut world = lost(Some(1));
    for _ in 0..5 {
        world.reconnect();
        world.lifecycle.note_progress();
        world.feed(fail(fin()));
    }
    assert_eq!(world.state(), "Backoff");
}

#[test]
fn so_does_one_that_stood_for_long() {
    let mut world = lost(Some(1));
    world.reconnect();
    world.after(10_000).feed(fail(fin()));
    assert_eq!(world.state(), "Backoff");
}

#[test]
fn without_reconnecting_a_loss_is_the_end() {
    let retry = Reconnect { tries: Some(0), ..policy().retry };
    let mut world = World::online(Policy { retry, ..policy() });
    let actions = world.feed(fail(fin()));
    assert_eq!(actions, ["drop", "fail: connection lost: the server closed the connection"]);
}

#[test]
fn a_message_that_is_cut_for_ever_is_the_end() {
    let mut world = World::online(policy());
    let facts = LossFacts { is_cut: true, ..LossFacts::default() };
    world.feed(ConnectionInput::Failed(fin(), facts));
    assert_eq!(world.state(), "Closed");
}

#[test]
fn what_is_found_again_is_reported() {
    for (accepted, session) in
        [(SessionFound::New, "new session"), (SessionFound::Resumed, "session resumed")]
    {
        let mut world = lost(None);
        world.late();
        world.after(2_000).feed_all([DIALLED, ConnectionInput::Opened]);
        let actions = world.feed(accept(accepted));
        assert!(actions[0].starts_with("warn: connected again after "), "{actions:?}");
        assert!(actions[0].ends_with(&format!(" s, {session}")), "{actions:?}");
        assert_eq!(actions[1], "Reconnected");
    }
}

#[test]
fn a_subscribe_without_its_answer_is_reported_and_the_connection_stays() {
    let mut world = World::online(policy());
    world.lifecycle.note_asking(true, world.now);
    let deadline = world.lifecycle.deadline().expect("an answer is awaited");
    assert_eq!(deadline - world.now, Duration::from_secs(12));
    world.now = deadline;
    let unanswered = Some("subscribing to t".to_owned());
    let actions =
        world.feed(ConnectionInput::Time(LossFacts { unanswered, ..LossFacts::default() }));
    assert_eq!(actions, ["fail: subscribing to t: no answer from the broker within 12 s"]);
    assert_eq!(world.feed(ConnectionInput::Close(SessionRemains::Nothing)), ["disconnect"]);
}

#[test]
fn an_answer_ends_the_wait_for_it() {
    let mut world = World::online(policy());
    world.lifecycle.note_asking(true, world.now);
    world.lifecycle.note_asking(false, world.now);
    assert_eq!(world.lifecycle.deadline(), None);
}

#[test]
fn a_failed_write_leaves_a_second_for_last_words() {
    let mut world = World::online(policy());
    world.feed(ConnectionInput::WriteFailed(write_error()));
    let (waited, actions) = world.late();
    assert_eq!(waited, Duration::from_secs(1));
    assert_eq!(world.state(), "Backoff");
    assert!(
        actions[1].starts_with("warn: ws://a/mqtt: connection lost: sending failed: "),
        "{actions:?}"
    );
}

#[test]
fn the_error_of_the_latest_try_of_wait_is_known_until_there_is_a_connection() {
    let mut world = waiting(10);
    assert_eq!(world.lifecycle.latest_error(), None);
    for error in [status(503), unreached()] {
        let words = error.to_string();
        world.feed(fail(error));
        assert_eq!(world.lifecycle.latest_error(), Some(words.as_str()));
        world.late();
    }
    world.feed_all([DIALLED, ConnectionInput::Opened, accept(SessionFound::New)]);
    assert_eq!(world.lifecycle.latest_error(), None);
}
