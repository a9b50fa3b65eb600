//! The relay between two model brokers: every place where a connection is cut or the relay is
//! killed, and random schedules of several messages.

use super::*;
use crate::mqtt::property::{Properties, Property};
use crate::mqtt::topic::TopicName;

/// A generator that is good enough for schedules, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

fn message(packet_id: u16, qos: QoS, number: u8, dup: bool) -> Publish {
    Publish {
        dup,
        qos,
        packet_id: Some(id(packet_id)),
        ..Publish::new(TopicName::new("t").expect("a topic"), vec![number].into())
    }
}

/// Takes a message that is new.
fn add(relay: &mut Relay, publish: Publish) {
    match relay.arrival(&publish) {
        RelayArrival::New(mark) => relay.add(mark, publish),
        other => panic!("{other:?}: {publish:?}"),
    }
}

/// What the source has not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtSource {
    Unsent,
    Sent,
    /// PUBREC came.
    Received,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FromSource {
    Publish(Publish),
    Release(PacketId),
}

/// Two brokers whose sessions remain, the packets between them and the relay, and the relay.
struct World {
    relay: Relay,
    /// Identifier, number, QoS, stage.
    source: Vec<(u16, u8, QoS, AtSource)>,
    /// The identifiers under which the target has messages of QoS 2.
    target: Vec<PacketId>,
    /// Those that were published on this connection (§4.9).
    outstanding: Vec<PacketId>,
    maximum_qos: QoS,
    to_relay: Vec<FromSource>,
    to_source: Vec<SourceAnswer>,
    to_target: Vec<TargetPacket>,
    from_target: Vec<(PacketType, PacketId)>,
    /// The numbers of the messages that the target has delivered.
    delivered: Vec<u8>,
    /// Whether each side has a connection.
    online: [bool; 2],
    next: u16,
    window: usize,
    /// The most that the relay holds, in bytes.
    bound: usize,
    /// How often the relay has left the source for another connection.
    left: usize,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    SourceSpeaks,
    SourceHears,
    TargetHears,
    TargetSpeaks,
    CutSource,
    CutTarget,
    Kill,
}

const FAULTS: [Step; 3] = [Step::CutSource, Step::CutTarget, Step::Kill];

impl World {
    fn new(messages: &[QoS], maximum_qos: QoS, window: usize) -> Self {
        Self::bounded(HELD, messages, maximum_qos, window)
    }

    fn bounded(bound: usize, messages: &[QoS], maximum_qos: QoS, window: usize) -> Self {
        let mut world = Self {
            bound,
            left: 0,
            relay: Relay::with_bound(bound),
            source: Vec::new(),
            target: Vec::new(),
            outstanding: Vec::new(),
            maximum_qos,
            to_relay: Vec::new(),
            to_source: Vec::new(),
            to_target: Vec::new(),
            from_target: Vec::new(),
            delivered: Vec::new(),
            online: [false; 2],
            next: 1,
            window,
        };
        world.connect_target(Continuity::New);
        world.connect_source(Continuity::New);
        for (number, qos) in (1..).zip(messages) {
            world.publish(number, *qos);
        }
        world
    }

    /// The source has a new message.
    fn publish(&mut self, number: u8, qos: QoS) {
        self.source.push((self.next, number, qos, AtSource::Unsent));
        self.next += 1;
        self.source_sends();
    }

    /// What the source has not sent on this connection.
    fn source_sends(&mut self) {
        for (packet_id, number, qos, stage) in &mut self.source {
            if *stage == AtSource::Unsent {
                let publish = message(*packet_id, *qos, *number, false);
                self.to_relay.push(FromSource::Publish(publish));
                *stage = AtSource::Sent;
            }
        }
    }

    fn connect_source(&mut self, continuity: Continuity) {
        self.online[0] = true;
        self.relay.source_connected(continuity, Version::V5);
        for (packet_id, number, qos, stage) in &self.source {
            self.to_relay.push(match stage {
                AtSource::Unsent => continue,
                AtSource::Sent => FromSource::Publish(message(*packet_id, *qos, *number, true)),
                AtSource::Received => FromSource::Release(id(*packet_id)),
            });
        }
        self.source_sends();
    }

    fn connect_target(&mut self, continuity: Continuity) {
        self.online[1] = true;
        self.relay.target_connected(continuity, self.maximum_qos);
    }

    fn cut_source(&mut self) {
        self.to_relay.clear();
        self.to_source.clear();
        self.online[0] = false;
    }

    fn cut_target(&mut self) {
        self.to_target.clear();
        self.from_target.clear();
        self.outstanding.clear();
        self.online[1] = false;
    }

    /// The relay hands out what it has for the sides that are connected.
    fn pump(&mut self) {
        let waiting = self.relay.entries.values().filter(|entry| entry.stage.waits_for_target());
        assert_eq!(self.relay.awaited, waiting.count());
        if self.online[1] {
            let window = self.window;
            while let Some(packet) = self.relay.next_for_target(|_| window) {
                self.to_target.push(packet);
            }
            if self.relay.asks_for_confirmation() {
                self.to_target.push(TargetPacket::Release(id(u16::MAX)));
            }
        }
        while let Some(answer) = self.relay.next_for_source(self.window) {
            if self.online[0] {
                self.to_source.push(answer);
            }
        }
        let longest = message_size(&message(1, QoS::ExactlyOnce, 0, false));
        assert!(self.relay.held <= self.bound + longest, "{} bytes are held", self.relay.held);
        if self.relay.must_connect_again() {
            self.left += 1;
            // What was said before DISCONNECT arrives.
            while !self.to_source.is_empty() {
                self.source_hears();
            }
            self.take(Step::CutSource);
        }
    }

    fn steps(&self) -> Vec<Step> {
        let pauses = self.relay.must_pause(RelayReach::Connected);
        [
            (Step::SourceSpeaks, !self.to_relay.is_empty() && !pauses),
            (Step::SourceHears, !self.to_source.is_empty()),
            (Step::TargetHears, !self.to_target.is_empty()),
            (Step::TargetSpeaks, !self.from_target.is_empty()),
        ]
        .into_iter()
        .filter_map(|(step, is_possible)| is_possible.then_some(step))
        .collect()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::SourceSpeaks => self.source_speaks(),
            Step::SourceHears => self.source_hears(),
            Step::TargetHears => self.target_hears(),
            Step::TargetSpeaks => {
                let (packet, packet_id) = self.from_target.remove(0);
                if packet_id == id(u16::MAX) {
                    self.relay.confirmed();
                } else {
                    self.relay.target_answered(packet, packet_id, ReasonCode::SUCCESS);
                }
            }
            Step::CutSource => {
                self.cut_source();
                self.connect_source(Continuity::Resumed);
            }
            Step::CutTarget => {
                self.cut_target();
                self.connect_target(Continuity::Resumed);
            }
            Step::Kill => {
                self.cut_source();
                self.cut_target();
                self.relay = Relay::with_bound(self.bound);
                self.connect_target(Continuity::Resumed);
                self.connect_source(Continuity::Resumed);
            }
        }
        self.pump();
    }

    fn source_speaks(&mut self) {
        match self.to_relay.remove(0) {
            FromSource::Release(packet_id) => self.relay.released(packet_id),
            FromSource::Publish(publish) => {
                if let RelayArrival::New(mark) = self.relay.arrival(&publish) {
                    self.relay.add(mark, publish);
                }
            }
        }
    }

    fn source_hears(&mut self) {
        let SourceAnswer { packet, packet_id, .. } = self.to_source.remove(0);
        let at = self.source.iter().position(|(known, ..)| id(*known) == packet_id);
        let Some(at) = at else {
            panic!("{packet:?} {packet_id} for nothing");
        };
        let (_, number, qos, stage) = self.source[at];
        match (packet, stage) {
            (PacketType::PubAck, AtSource::Sent) if qos == QoS::AtLeastOnce => {
                assert!(self.delivered.contains(&number), "acknowledged before the target has it");
                self.source.remove(at);
            }
            (PacketType::PubRec, AtSource::Sent) if qos == QoS::ExactlyOnce => {
                assert!(self.delivered.contains(&number), "acknowledged before the target has it");
                self.source[at].3 = AtSource::Received;
                self.to_relay.push(FromSource::Release(packet_id));
            }
            (PacketType::PubComp, AtSource::Received) => drop(self.source.remove(at)),
            (packet, stage) => panic!("{packet:?} {packet_id} for a message that is {stage:?}"),
        }
    }

    fn target_hears(&mut self) {
        match self.to_target.remove(0) {
            TargetPacket::Release(packet_id) => {
                self.target.retain(|known| *known != packet_id);
                self.outstanding.retain(|known| *known != packet_id);
                self.from_target.push((PacketType::PubComp, packet_id));
            }
            TargetPacket::Publish { packet_id, publish, .. } => match publish.qos {
                QoS::ExactlyOnce => {
                    if !self.target.contains(&packet_id) {
                        self.target.push(packet_id);
                        self.delivered.push(publish.payload[0]);
                    }
                    self.outstanding.push(packet_id);
                    assert!(self.outstanding.len() <= self.window, "more than the window");
                    self.from_target.push((PacketType::PubRec, packet_id));
                }
                QoS::AtLeastOnce => {
                    self.delivered.push(publish.payload[0]);
                    self.from_target.push((PacketType::PubAck, packet_id));
                }
                QoS::AtMostOnce => self.delivered.push(publish.payload[0]),
            },
        }
    }

    /// Everything ends without a further fault.
    fn run_to_end(&mut self) {
        for _ in 0..1000 {
            let Some(step) = self.steps().first().copied() else { break };
            self.take(step);
        }
        assert!(self.source.is_empty(), "the source still waits: {:?}", self.source);
        assert_eq!(self.relay.unfinished(), 0);
        assert!(self.target.is_empty(), "the target still waits");
    }

    /// Each message was delivered, in the order of the first deliveries, and at QoS 2 once.
    fn check(&self, messages: &[QoS], what: &str) {
        let mut first = Vec::new();
        for number in &self.delivered {
            if !first.contains(number) {
                first.push(*number);
            }
        }
        let all: Vec<u8> = (1..).take(messages.len()).collect();
        assert_eq!(first, all, "{what}");
        for (number, qos) in (1..).zip(messages) {
            let times = self.delivered.iter().map(|found| u32::from(*found == number)).sum::<u32>();
            let is_once = qos.min(&self.maximum_qos) == &QoS::ExactlyOnce;
            assert!(!is_once || times == 1, "{what}: message {number} came {times} times");
        }
    }
}

/// Takes a schedule: before each of these steps there is a fault; returns how many steps it had.
fn scheduled(messages: &[QoS], maximum: QoS, faults: &[(usize, Step)], order: usize) -> usize {
    let mut world = World::new(messages, maximum, 20);
    let mut taken = 0;
    loop {
        for (_, fault) in faults.iter().filter(|(at, _)| *at == taken) {
            world.take(*fault);
        }
        let steps = world.steps();
        let Some(step) = steps.get(order % steps.len().max(1)).copied() else { break };
        world.take(step);
        taken += 1;
    }
    let what = format!("{messages:?} at most {maximum:?}, {faults:?}, order {order}");
    world.run_to_end();
    world.check(messages, &what);
    taken
}

#[test]
fn every_pair_of_faults_at_every_step() {
    use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
    for (messages, maximum) in [
        (&[ExactlyOnce][..], ExactlyOnce),
        (&[ExactlyOnce, ExactlyOnce], ExactlyOnce),
        (&[AtLeastOnce, ExactlyOnce], ExactlyOnce),
        (&[ExactlyOnce, AtLeastOnce], AtLeastOnce),
        (&[AtLeastOnce, ExactlyOnce], AtMostOnce),
    ] {
        for order in 0..3 {
            let steps = scheduled(messages, maximum, &[], order);
            for first in (0..=steps).flat_map(|at| FAULTS.map(|fault| (at, fault))) {
                for second in (0..=steps + 4).flat_map(|at| FAULTS.map(|fault| (at, fault))) {
                    scheduled(messages, maximum, &[first, second], order);
                }
            }
        }
    }
}

#[test]
fn random_schedules_of_many_messages() {
    let mut left = 0;
    for seed in 0..3000 {
        let mut random = Random(seed);
        let bound = [HELD, 1000, 300][random.below(3)];
        let mut messages = Vec::new();
        let mut world = World::bounded(bound, &[], QoS::ExactlyOnce, 3);
        for _ in 0..120 {
            let steps = world.steps();
            match random.below(12) {
                0 if messages.len() < 12 => {
                    let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][random.below(2)];
                    messages.push(qos);
                    world.publish(u8::try_from(messages.len()).expect("few"), qos);
                }
                1 => world.take(FAULTS[random.below(FAULTS.len())]),
                _ if !steps.is_empty() => world.take(steps[random.below(steps.len())]),
                _ => {}
            }
        }
        world.run_to_end();
        world.check(&messages, &format!("seed {seed}"));
        left += world.left;
    }
    assert!(left > 10, "the bound was reached {left} times");
}

/// A source that was killed and restores an older state of the session: it does not know what the
/// target waits for.
#[test]
fn what_a_source_has_forgotten_keeps_no_room_at_the_target() {
    let mut world = World::bounded(HELD, &[QoS::ExactlyOnce; 4], QoS::ExactlyOnce, 2);
    for step in [Step::SourceSpeaks; 4] {
        world.take(step);
    }
    while !world.to_target.is_empty() {
        world.take(Step::TargetHears);
    }
    while !world.from_target.is_empty() {
        world.take(Step::TargetSpeaks);
    }
    assert_eq!((world.relay.target.outstanding, world.relay.unfinished()), (2, 4));
    world.cut_source();
    world.source.clear();
    world.connect_source(Continuity::Resumed);
    world.next = 20;
    // It has more to say only after PUBCOMP of what it remembers.
    world.source.push((9, 9, QoS::ExactlyOnce, AtSource::Received));
    world.to_relay.push(FromSource::Release(id(9)));
    world.take(Step::SourceSpeaks);
    world.take(Step::TargetHears);
    world.take(Step::TargetSpeaks);
    world.take(Step::SourceHears);
    assert!(world.source.is_empty(), "PUBCOMP was held back");
    world.publish(5, QoS::ExactlyOnce);
    world.run_to_end();
    world.check(&[QoS::ExactlyOnce; 5], "a message that was forgotten");
}

/// A source that sends all that it has at once, and whose PUBRELs come after it.
#[test]
fn what_is_over_the_bound_is_left_to_the_source_until_the_next_connection() {
    for (bound, window) in [(300, 1), (1000, 2), (2000, 3), (8000, 1)] {
        let messages = [QoS::ExactlyOnce; 60];
        let mut world = World::bounded(bound, &messages, QoS::ExactlyOnce, window);
        for _ in 0..10_000 {
            // The source comes last: what it says is known when nothing else can be done.
            let Some(step) = world.steps().last().copied() else { break };
            world.take(step);
        }
        assert!(world.left > 0 && world.left < 60, "{} connections", world.left);
        world.run_to_end();
        world.check(&messages, &format!("at most {bound} bytes, window {window}"));
    }
}

#[test]
fn what_is_kept_of_many_messages_is_in_memory_of_its_own() {
    let mut relay = Relay::with_bound(0);
    relay.held = 1;
    let block = bytes::Bytes::from(vec![b'x'; 1000]);
    let properties = Properties(vec![Property::user("a".into(), "b".into())]);
    let publish =
        Publish { payload: block.slice(5..9), properties, ..message(1, QoS::ExactlyOnce, 0, true) };
    let kept = relay.kept(publish.clone());
    assert_eq!(kept, publish);
    drop(publish);
    assert!(block.is_unique(), "the block is kept");
}

#[test]
fn what_the_source_has_forgotten_ends_at_the_target() {
    let messages = [QoS::ExactlyOnce, QoS::ExactlyOnce];
    for steps in 0..12 {
        let mut world = World::new(&messages, QoS::ExactlyOnce, 20);
        for _ in 0..steps {
            let Some(step) = world.steps().last().copied() else { break };
            world.take(step);
        }
        world.cut_source();
        world.source.clear();
        let before = world.relay.unfinished();
        // The identifiers begin anew.
        world.next = 1;
        world.connect_source(Continuity::New);
        world.pump();
        assert_eq!(world.relay.must_pause(RelayReach::Connected), world.relay.unfinished() > 0);
        assert!(world.relay.unfinished() <= before);
        world.publish(3, QoS::ExactlyOnce);
        world.publish(4, QoS::ExactlyOnce);
        world.run_to_end();
        let mut delivered = world.delivered.clone();
        delivered.sort_unstable();
        delivered.dedup();
        assert_eq!(delivered.len(), world.delivered.len(), "{steps}: {:?}", world.delivered);
        assert!(world.delivered.ends_with(&[3, 4]), "{steps}: {:?}", world.delivered);
    }
}

#[test]
fn an_identifier_of_an_earlier_run_is_cleared_before_it_is_used() {
    // The source has lost its session and the relay was killed: the target still has message 1.
    let mut world = World::new(&[QoS::ExactlyOnce], QoS::ExactlyOnce, 20);
    for step in [Step::SourceSpeaks, Step::TargetHears] {
        world.take(step);
    }
    world.source.clear();
    world.next = 1;
    world.take(Step::Kill);
    world.publish(2, QoS::ExactlyOnce);
    world.run_to_end();
    assert_eq!(world.delivered, [1, 2]);
}

#[test]
fn refusals_reach_the_source_in_its_order_and_with_a_code_that_it_may_have() {
    let mut relay = Relay::new();
    relay.target_connected(Continuity::New, QoS::ExactlyOnce);
    relay.source_connected(Continuity::New, Version::V5);
    add(&mut relay, message(1, QoS::AtLeastOnce, 1, false));
    let RelayArrival::New(mark) = relay.arrival(&message(2, QoS::AtLeastOnce, 2, false)) else {
        panic!("it is new");
    };
    relay.skip(mark, id(2), QoS::AtLeastOnce, ReasonCode::SUCCESS);
    add(&mut relay, message(3, QoS::AtLeastOnce, 3, false));
    add(&mut relay, message(4, QoS::ExactlyOnce, 4, false));
    while relay.next_for_target(|_| 9).is_some() {}
    relay.target_answered(PacketType::PubRec, id(4), ReasonCode::NOT_AUTHORIZED);
    relay.refused(id(3), ReasonCode::PACKET_TOO_LARGE);
    let answers = |relay: &mut Relay| -> Vec<(PacketType, u16, u8)> {
        let next = std::iter::from_fn(|| relay.next_for_source(9));
        next.map(|answer| (answer.packet, answer.packet_id.get(), answer.code.0)).collect()
    };
    assert_eq!(answers(&mut relay), [(PacketType::PubRec, 4, 0x87)], "1 comes before 2 and 3");
    relay.target_answered(PacketType::PubAck, id(1), ReasonCode::NO_MATCHING_SUBSCRIBERS);
    let expected = [1, 2, 3].map(|number| (PacketType::PubAck, number, 0));
    let expected = [expected[0], expected[1], (PacketType::PubAck, 3, 0x83)];
    assert_eq!(answers(&mut relay), expected);
    let codes: Vec<u8> = relay.take_outcomes().iter().map(|outcome| outcome.code.0).collect();
    assert_eq!(codes, [0x87, 0x95, 0x10]);
    assert_eq!(relay.unfinished(), 0);
}

#[test]
fn before_mqtt_5_a_refusal_is_an_acknowledgement() {
    let mut relay = Relay::new();
    relay.target_connected(Continuity::New, QoS::ExactlyOnce);
    relay.source_connected(Continuity::New, Version::V3_1_1);
    add(&mut relay, message(7, QoS::ExactlyOnce, 1, false));
    while relay.next_for_target(|_| 9).is_some() {}
    relay.target_answered(PacketType::PubRec, id(7), ReasonCode::QUOTA_EXCEEDED);
    let answer = |packet| SourceAnswer { packet, packet_id: id(7), code: ReasonCode::SUCCESS };
    assert_eq!(relay.next_for_source(9), Some(answer(PacketType::PubRec)));
    relay.released(id(7));
    assert_eq!(relay.next_for_source(9), Some(answer(PacketType::PubComp)));
    assert_eq!((relay.next_for_target(|_| 9), relay.unfinished()), (None, 0));
}

#[test]
fn a_source_is_not_read_while_too_much_waits_unless_the_target_waits_for_it() {
    let mut relay = Relay::new();
    relay.target_connected(Continuity::New, QoS::ExactlyOnce);
    relay.source_connected(Continuity::New, Version::V3_1_1);
    let large = |packet_id| Publish {
        payload: vec![0; HELD / 2 + 1].into(),
        ..message(packet_id, QoS::ExactlyOnce, 0, false)
    };
    for number in 1..=3 {
        assert!(!relay.must_pause(RelayReach::Connected), "{number}");
        let small = message(1, QoS::ExactlyOnce, 0, false);
        add(&mut relay, if number == 1 { small } else { large(number) });
        while relay.next_for_target(|_| 1).is_some() {}
    }
    // The target has room for one message, and has not answered it.
    assert!(relay.must_pause(RelayReach::Connected));
    assert!(relay.must_pause(RelayReach::Away));
    relay.target_answered(PacketType::PubRec, id(1), ReasonCode::SUCCESS);
    assert!(!relay.must_pause(RelayReach::Connected), "only the PUBREL of the source makes room");
    relay.released(id(1));
    assert!(relay.must_pause(RelayReach::Connected));
}

#[test]
fn properties_and_messages_that_are_only_answered_count_too() {
    let mut relay = Relay::with_bound(10_000);
    relay.target_connected(Continuity::New, QoS::ExactlyOnce);
    relay.source_connected(Continuity::New, Version::V5);
    let property = Property::user("a".into(), "b".repeat(10_000).into());
    let properties = Properties(vec![property]);
    add(&mut relay, Publish { properties, ..message(1, QoS::AtLeastOnce, 0, false) });
    assert!(relay.must_pause(RelayReach::Away));
    let mut relay = Relay::with_bound(10_000);
    relay.target_connected(Continuity::New, QoS::ExactlyOnce);
    relay.source_connected(Continuity::New, Version::V5);
    add(&mut relay, message(1, QoS::AtLeastOnce, 0, false));
    for _ in 0..100 {
        let again = message(1, QoS::AtLeastOnce, 1, false);
        let RelayArrival::New(mark) = relay.arrival(&again) else { break };
        relay.skip(mark, id(1), QoS::AtLeastOnce, ReasonCode::SUCCESS);
    }
    assert!(relay.unfinished() < 50);
    assert!(relay.must_connect_again() || relay.leaves());
}

/// mosquitto 2.0 does that when more than 65,535 messages wait.
#[test]
fn another_message_under_an_identifier_in_use_waits_for_it() {
    for source_qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut relay = Relay::new();
        relay.target_connected(Continuity::New, QoS::AtLeastOnce);
        relay.source_connected(Continuity::New, Version::V5);
        for number in 1..=3 {
            add(&mut relay, message(7, source_qos, number, false));
        }
        // It is known by its content.
        let again = relay.arrival(&message(7, source_qos, 1, true));
        assert_eq!((again, relay.unfinished()), (RelayArrival::Repeated, 3));
        for number in 1..=3 {
            let Some(TargetPacket::Publish { publish, .. }) = relay.next_for_target(|_| 9) else {
                panic!("message {number} is not passed on");
            };
            assert_eq!((publish.payload[0], relay.next_for_target(|_| 9)), (number, None));
            relay.target_answered(PacketType::PubAck, id(7), ReasonCode::SUCCESS);
            if source_qos == QoS::ExactlyOnce {
                relay.released(id(7));
            }
        }
        assert_eq!(relay.unfinished(), 0);
        let answers = std::iter::from_fn(|| relay.next_for_source(9)).count();
        assert_eq!(answers, if source_qos == QoS::ExactlyOnce { 6 } else { 3 });
        // What waits comes again on the next connection, and is counted then.
        for number in 4..=5 {
            add(&mut relay, message(7, source_qos, number, false));
        }
        assert_eq!(relay.source_connected(Continuity::Resumed, Version::V5), 1);
        assert_eq!(
            (relay.unfinished(), relay.arrival(&message(7, source_qos, 4, true))),
            (1, RelayArrival::Repeated)
        );
        add(&mut relay, message(7, source_qos, 5, true));
    }
}

/// The source has let a message expire whose answer it did not get.
#[test]
fn an_identifier_that_the_source_uses_for_another_message_is_free_when_the_target_is_done() {
    let mut relay = Relay::new();
    relay.target_connected(Continuity::New, QoS::ExactlyOnce);
    relay.source_connected(Continuity::New, Version::V5);
    add(&mut relay, message(7, QoS::ExactlyOnce, 1, false));
    while relay.next_for_target(|_| 9).is_some() {}
    relay.source_connected(Continuity::Resumed, Version::V5);
    add(&mut relay, message(7, QoS::ExactlyOnce, 2, false));
    assert!(relay.must_pause(RelayReach::Connected));
    relay.target_answered(PacketType::PubRec, id(7), ReasonCode::SUCCESS);
    assert_eq!(relay.next_for_target(|_| 9), Some(TargetPacket::Release(id(7))));
    relay.target_answered(PacketType::PubComp, id(7), ReasonCode::SUCCESS);
    assert!(!relay.must_pause(RelayReach::Connected));
    let Some(TargetPacket::Publish { publish, .. }) = relay.next_for_target(|_| 9) else {
        panic!("it is passed on");
    };
    assert_eq!(publish.payload[0], 2);
    assert_eq!(relay.next_for_source(9), None, "nothing was acknowledged yet");
}
