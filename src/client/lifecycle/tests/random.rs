//! Schedules of inputs by chance, from a fixed seed, with an audit: nothing is swallowed, nothing
//! waits for ever, and the end is reported once.

use super::*;

const SCHEDULES: u64 = 400;

/// What happens next, and the event that must come of it at once, if any.
fn next(random: &mut fastrand::Rng, number: u64, state: &str) -> (ConnectionInput, Option<String>) {
    match random.u8(..100) {
        0..15 => (DIALLED, None),
        15..30 => (ConnectionInput::Opened, None),
        30..45 => {
            let kinds = [SessionFound::New, SessionFound::Resumed, SessionFound::Stale];
            (accept(kinds[random.usize(..3)]), None)
        }
        45..50 => (fail(fin()), None),
        50..53 => (fail(disconnected(0x87)), None),
        53..56 => (fail(unreached()), None),
        56..59 => (ConnectionInput::WriteFailed(write_error()), None),
        59..66 => (ConnectionInput::Received, None),
        66..70 => (ConnectionInput::Taken, None),
        70..76 => (ConnectionInput::Sent, None),
        76..84 => {
            (ConnectionInput::Local(Event::Written(number)), Some(format!("Written({number})")))
        }
        84..88 => (ConnectionInput::Local(Event::Woken), Some("Woken".to_owned())),
        88..91 => (ConnectionInput::Signal(2), Some("Interrupted(2)".to_owned())),
        91..92 if state != "Idle" => (ConnectionInput::Close(SessionRemains::Always), None),
        92..93 => (ConnectionInput::ShortenClose, None),
        _ => (time(), None),
    }
}

/// Runs one schedule up to the end.
fn run(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let policy = Policy { wait: Duration::from_secs(random.u64(..4)), ..policy() };
    let mut world = World::new(policy);
    world.feed(ConnectionInput::Connect);
    for number in 0..200 {
        world.after(random.u64(..700));
        let (input, event) = next(&mut random, number, world.state());
        let words = format!("{input:?} in {} of seed {seed}", world.state());
        let actions = world.feed(input);
        if let Some(event) = event {
            assert_eq!(actions, [event], "{words}");
        }
        let waits = world.lifecycle.deadline().is_some();
        let is_still = matches!(world.state(), "Online" | "Closed");
        let is_sending = world.lifecycle.is_sending_disconnect();
        assert!(waits || is_still || is_sending, "{words}: nothing is waited for");
    }
    ends(&mut world, seed);
}

/// A caller that wants the end gets it, whatever the state.
fn ends(world: &mut World, seed: u64) {
    world.actions.clear();
    let was_closing = world.state() == "Closing" || world.lifecycle.is_ending_session();
    world.feed(ConnectionInput::Close(SessionRemains::Always));
    for _ in 0..50 {
        if world.state() == "Closed" && (!was_closing || !world.actions.is_empty()) {
            break;
        }
        if world.lifecycle.is_sending_disconnect() {
            world.feed(ConnectionInput::Sent);
        }
        let (_, actions) = world.late();
        if actions.contains(&"expire".to_owned()) {
            world.feed(fail(late_at(Step::ConnAck)));
        }
    }
    assert_eq!(world.state(), "Closed", "seed {seed}: {:?}", world.actions);
    let closed = world.actions.iter().filter(|line| line.starts_with("closed")).count();
    assert_eq!(closed, 1, "seed {seed}: {:?}", world.actions);
}

#[test]
fn schedules_by_chance() {
    for seed in 0..SCHEDULES {
        println!("seed {seed}");
        run(seed);
    }
}
