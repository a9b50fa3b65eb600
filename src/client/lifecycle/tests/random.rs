//! Schedules of inputs by chance, from a fixed seed, with an audit: nothing is swallowed, nothing
//! waits for ever, and the end is told once.

use super::*;

const SCHEDULES: u64 = 400;

/// What happens next, and the event that must come of it at once, if any.
fn next(random: &mut fastrand::Rng, number: u64, state: &str) -> (Input, Option<String>) {
    match random.u8(..100) {
        0..15 => (Input::Dialled, None),
        15..30 => (Input::Opened, None),
        30..45 => {
            let kinds = [Accepted::New, Accepted::Resumed, Accepted::Stale];
            (accept(kinds[random.usize(..3)]), None)
        }
        45..50 => (fail(fin()), None),
        50..53 => (fail(disconnected(0x87)), None),
        53..56 => (fail(unreached()), None),
        56..59 => (Input::WriteFailed(write_error()), None),
        59..66 => (Input::Received, None),
        66..70 => (Input::Taken, None),
        70..76 => (Input::Sent, None),
        76..84 => (Input::Local(Event::Written(number)), Some(format!("Written({number})"))),
        84..88 => (Input::Local(Event::Woken), Some("Woken".to_owned())),
        88..91 => (Input::Signal(2), Some("Interrupted(2)".to_owned())),
        91..92 if state != "Idle" => (Input::Close(Remains::Always), None),
        92..93 => (Input::Hurry, None),
        _ => (time(), None),
    }
}

/// Runs one schedule up to the end.
fn run(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let policy = Policy { wait: Duration::from_secs(random.u64(..4)), ..policy() };
    let mut world = World::new(policy);
    world.tell(Input::Connect);
    for number in 0..200 {
        world.after(random.u64(..700));
        let (input, event) = next(&mut random, number, world.state());
        let words = format!("{input:?} in {} of seed {seed}", world.state());
        let outputs = world.tell(input);
        if let Some(event) = event {
            assert_eq!(outputs, [event], "{words}");
        }
        let waits = world.lifecycle.deadline().is_some();
        let is_still = matches!(world.state(), "Online" | "Closed");
        let is_sending = world.lifecycle.is_saying_goodbye();
        assert!(waits || is_still || is_sending, "{words}: nothing is waited for");
    }
    ends(&mut world, seed);
}

/// A caller that wants the end gets it, whatever the state.
fn ends(world: &mut World, seed: u64) {
    world.outputs.clear();
    let was_closing = world.state() == "Closing" || world.lifecycle.is_ending_session();
    world.tell(Input::Close(Remains::Always));
    for _ in 0..50 {
        if world.state() == "Closed" && (!was_closing || !world.outputs.is_empty()) {
            break;
        }
        if world.lifecycle.is_saying_goodbye() {
            world.tell(Input::Sent);
        }
        let (_, outputs) = world.late();
        if outputs.contains(&"expire".to_owned()) {
            world.tell(fail(late_at(Step::ConnAck)));
        }
    }
    assert_eq!(world.state(), "Closed", "seed {seed}: {:?}", world.outputs);
    let closed = world.outputs.iter().filter(|line| line.starts_with("closed")).count();
    assert_eq!(closed, 1, "seed {seed}: {:?}", world.outputs);
}

#[test]
fn schedules_by_chance() {
    for seed in 0..SCHEDULES {
        run(seed);
    }
}
