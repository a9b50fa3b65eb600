//! After ten seconds without progress the user is told, once.

use super::super::standstill::{ArrivingMessage, Awaited, MissingAcknowledgement};
use super::*;

const MESSAGE: &str = "note: nothing more of a message of 100000 bytes for 10 s; mosquitto before \
                       2.1 does this";
const NO_PUBACK: &str =
    "note: the broker has sent no PUBACK for 10 s; -W limits how long it is waited for";

fn message(arrived: usize) -> Awaited {
    Awaited { message: Some(ArrivingMessage { arrived, length: 100_000 }), acknowledgement: None }
}

fn acknowledgement(packet: &'static str, earlier: u64) -> Awaited {
    Awaited { message: None, acknowledgement: Some(MissingAcknowledgement { packet, earlier }) }
}

impl World {
    fn awaits(&mut self, awaited: Awaited) -> &mut Self {
        self.lifecycle.note_awaited(awaited, self.now);
        self
    }
}

#[test]
fn a_message_that_goes_no_further_is_told_once() {
    let mut world = World::online(policy());
    world.awaits(message(10)).after(9999).awaits(message(10));
    assert_eq!(world.feed(time()), [""; 0]);
    assert_eq!(world.late(), (Duration::from_millis(1), vec![MESSAGE.to_owned()]));
    world.awaits(message(10)).after(60_000);
    assert_eq!((world.lifecycle.deadline(), world.feed(time())), (None, vec![]));
    world.awaits(Awaited::default()).awaits(message(20));
    assert_eq!(world.lifecycle.deadline(), None, "another message");
}

#[test]
fn each_byte_is_progress() {
    let mut world = World::online(policy());
    for arrived in 0..100 {
        world.awaits(message(arrived)).after(9_000);
        assert_eq!(world.feed(time()), [""; 0]);
    }
    assert_eq!(world.late(), (Duration::from_secs(1), vec![MESSAGE.to_owned()]));
}

#[test]
fn a_missing_acknowledgement_is_told_once() {
    for packet in ["PUBACK", "PUBREC", "PUBCOMP"] {
        let mut world = World::online(policy());
        world.awaits(acknowledgement(packet, 0)).after(9_000).awaits(acknowledgement(packet, 1));
        let line = NO_PUBACK.replace("PUBACK", packet);
        assert_eq!(world.late(), (Duration::from_secs(10), vec![line]));
        world.awaits(acknowledgement(packet, 2));
        assert_eq!(world.lifecycle.deadline(), None);
    }
}

#[test]
fn what_is_not_awaited_any_more_is_not_told() {
    let mut world = World::online(policy());
    world.awaits(message(10)).after(5_000).awaits(Awaited::default()).after(20_000);
    assert_eq!((world.lifecycle.deadline(), world.feed(time())), (None, vec![]));
}

/// A time begins anew on another connection, and nothing is told without one.
#[test]
fn another_connection_has_its_own_time() {
    let retry = Reconnect { shortest: Duration::ZERO, longest: Duration::ZERO, tries: None };
    let mut world = World::online(Policy { retry, ..policy() });
    world.awaits(acknowledgement("PUBACK", 0)).after(9_000);
    world.feed(fail(fin()));
    world.awaits(acknowledgement("PUBACK", 0));
    world.reconnect();
    assert_eq!(world.lifecycle.deadline(), None);
    world.awaits(acknowledgement("PUBACK", 0));
    assert_eq!(world.late(), (Duration::from_secs(10), vec![NO_PUBACK.to_owned()]));
}

/// A SUBSCRIBE without its answer is another matter, whichever is due first.
#[test]
fn a_subscribe_without_its_answer_ends_in_its_own_time() {
    let mut world = World::online(policy());
    world.lifecycle.note_asking(true, world.now);
    world.awaits(message(10));
    assert_eq!(world.late(), (Duration::from_secs(10), vec![MESSAGE.to_owned()]));
    let (waited, actions) = world.late();
    assert_eq!(waited, Duration::from_secs(2));
    assert!(actions[0].starts_with("fail: "), "{actions:?}");
}
