//! A small world in virtual time: a caller, its [`Session`], a lossy link and the model broker, all
//! driven by one seed. Promises 1, 4 and 5 of the design are checked at its end.

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroU16;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use fastrand::Rng;

use super::audit::Audit;
use super::broker::{Broker, Manner, number_of};
use super::{config, filter, message, parts_above, topic};
use crate::mqtt::packet::{PacketId, Publish, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::{Config, Delivery, Event, Lifetime, SendOptions, Session};
use crate::mqtt::version::Version;

/// More steps than any world needs, to find a session that makes no progress.
const STEPS: usize = 20_000;

/// The events of a world, besides the loss of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// The broker retains the session between connections.
    Retained,
    /// The broker sometimes restarts without its sessions.
    Restarts,
    /// The session does not outlive a connection.
    Volatile,
    /// The caller is killed and begins again with the same client identifier (`-c`).
    Killed,
}

/// The end of a message from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Acknowledged,
    Refused,
    InDoubt,
    /// The caller was killed meanwhile.
    Abandoned,
}

/// What the caller remembers from one life to the next: only what it has written.
#[derive(Default)]
pub struct Life {
    pub(super) subscribed: bool,
    /// Messages by delivery number - 1.
    pub(super) deliveries: Vec<(u32, QoS)>,
    pub(super) settled: usize,
    /// The message that arrives in parts, and the length of its payload.
    partial: Option<(Delivery, usize)>,
}

/// A small world, as the header of this file describes it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct World {
    pub(super) rng: Rng,
    pub(super) scenario: Scenario,
    pub(super) config: Config,
    pub(super) now: Instant,
    pub(super) session: Session,
    pub(super) audit: Audit,
    pub(super) broker: Broker,
    pub(super) up: BytesMut,
    pub(super) down: BytesMut,
    pub(super) online: bool,
    pub(super) faults: usize,
    pub(super) lossless: bool,
    /// The broker has lost the session, and the client does not know it yet.
    pub(super) restarted: bool,
    /// The broker has lost the session, and nothing on the wire told the client.
    pub(super) masked: bool,
    /// The QoS of the client's messages, by number - 1, and how many of them were published.
    pub(super) outgoing: Vec<QoS>,
    pub(super) published: usize,
    pub(super) outcomes: HashMap<u32, Outcome>,
    /// Messages that a caller without memory published under an identifier that the broker still
    /// had.
    pub(super) confused: HashSet<u32>,
    pub(super) half_taken: HashSet<PacketId>,
    pub(super) identifiers: u64,
    /// The QoS of the broker's messages, by number - 1, and how many of them it has tried to send.
    pub(super) incoming: Vec<QoS>,
    pub(super) offered: usize,
    pub(super) life: Life,
    pub(super) written: HashSet<u32>,
}

impl World {
    pub fn new(version: Version, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let scenarios =
            [Scenario::Retained, Scenario::Restarts, Scenario::Volatile, Scenario::Killed];
        let scenario = scenarios[rng.usize(..scenarios.len())];
        let quota = [1, 2, 3, 5, 20][rng.usize(..5)];
        let manner = Manner {
            version,
            receive_maximum: quota,
            window: [1, 2, 4, 20][rng.usize(..4)],
            refuses: [0, 0, 3][rng.usize(..3)],
        };
        let config = Config {
            clean_start: scenario != Scenario::Killed,
            lifetime: match scenario {
                Scenario::Retained | Scenario::Restarts => Lifetime::Client,
                Scenario::Volatile => Lifetime::Connection,
                Scenario::Killed => Lifetime::Persistent,
            },
            keep_alive: [0, 20][rng.usize(..2)],
            receiving: [None, Some(0), Some(20)][rng.usize(..3)]
                .map_or(config(version).receiving, parts_above),
            sending: SendOptions {
                max_inflight: NonZeroU16::new(quota).filter(|_| !version.has_properties()),
                ..SendOptions::default()
            },
            ..config(version)
        };
        let kinds = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
        let mix: Vec<_> = (0..=rng.usize(..3)).map(|_| kinds[rng.usize(..3)]).collect();
        let mut some =
            |most| (0..rng.usize(..most)).map(|_| mix[rng.usize(..mix.len())]).collect::<Vec<_>>();
        let (outgoing, incoming) = (some(16), some(16));
        Self {
            scenario,
            now: Instant::now(),
            session: Session::new(config.clone()),
            audit: Audit::new(version, usize::from(quota)),
            config,
            broker: Broker::new(manner),
            up: BytesMut::new(),
            down: BytesMut::new(),
            online: false,
            faults: rng.usize(..8),
            lossless: true,
            restarted: false,
            masked: false,
            outgoing,
            published: 0,
            outcomes: HashMap::new(),
            confused: HashSet::new(),
            half_taken: HashSet::new(),
            identifiers: 0,
            incoming,
            offered: 0,
            life: Life::default(),
            written: HashSet::new(),
            rng,
        }
    }

    /// Runs the world to its end and checks the result.
    pub fn run(mut self) {
        // Half of the worlds see the identifiers wrap around.
        if self.rng.bool() {
            self.session.exchanges.skip(self.rng.usize(65_520..65_535));
        }
        let mut steps = 0;
        while !self.is_done() {
            self.step();
            steps += 1;
            assert!(steps < STEPS, "no progress: {self:?}");
        }
        self.check_outgoing();
        self.check_incoming();
        self.say_goodbye();
    }

    fn is_done(&self) -> bool {
        self.online
            && self.published == self.outgoing.len()
            && self.offered == self.incoming.len()
            && self.session.in_flight() == 0
            && self.audit.is_idle()
            && self.broker.is_idle()
            && self.life.settled == self.life.deliveries.len()
            && self.up.is_empty()
            && self.down.is_empty()
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(self.rng.u64(..1500));
        if !self.online {
            return self.connect();
        }
        if self.session.deadline().is_some_and(|deadline| deadline <= self.now) {
            let silent = self.session.expire(self.now).is_err();
            return if silent { self.lose() } else { self.flush() };
        }
        match self.rng.u32(..100) {
            0..20 => self.publish(),
            20..30 => self.offer(),
            30..60 => self.carry_up(),
            60..85 => self.carry_down(),
            85..96 => self.settle(),
            _ if self.faults > 0 => self.fail(),
            _ => {}
        }
    }

    pub(super) fn connect(&mut self) {
        self.online = true;
        self.audit.begin();
        self.session.connect();
        self.flush();
    }

    fn publish(&mut self) {
        let Some(&qos) = self.outgoing.get(self.published) else { return };
        if !self.session.can_publish(qos) {
            return;
        }
        // This world does not model which messages of a run may be confused with others.
        if self.half_taken.is_empty() && self.rng.bool() {
            return self.publish_run(qos);
        }
        self.published += 1;
        let number = u32::try_from(self.published).expect("few messages");
        self.identifiers += u64::from(qos > QoS::AtMostOnce);
        if qos == QoS::ExactlyOnce && self.half_taken.contains(&self.session.exchanges.next_id()) {
            self.confused.insert(number);
        }
        self.session
            .publish(message("up", qos, number), u64::from(number))
            .expect("no limit was announced");
        self.flush();
    }

    /// Publishes some messages from one block, as many as may be sent.
    fn publish_run(&mut self, qos: QoS) {
        let alike =
            self.outgoing[self.published..].iter().take_while(|other| **other == qos).count();
        let (mut block, mut payloads) = (BytesMut::new(), VecDeque::new());
        let first = u32::try_from(self.published + 1).expect("few messages");
        for number in (first..).take(self.rng.usize(1..=alike)) {
            let payload = message("up", qos, number).payload;
            payloads.push_back(block.len()..block.len() + payload.len());
            block.extend_from_slice(&payload);
        }
        let head = Rc::new(Publish { payload: block.freeze(), ..message("up", qos, 0) });
        let sent = self.session.publish_run(&head, u64::from(first), |_| payloads.pop_front());
        assert!(sent > 0, "the first may be sent");
        self.published += usize::try_from(sent).expect("few messages");
        self.identifiers += if qos > QoS::AtMostOnce { sent } else { 0 };
        self.flush();
    }

    fn offer(&mut self) {
        let Some(&qos) = self.incoming.get(self.offered) else { return };
        let number = u32::try_from(self.offered + 1).expect("few messages");
        let sent = self.broker.offer(message("down", qos, number));
        self.offered += usize::from(sent);
        self.down.extend_from_slice(&self.broker.out.split());
    }

    fn carry_up(&mut self) {
        if !self.up.is_empty() {
            let count = self.rng.usize(1..=self.up.len());
            self.arrive_up(count);
        }
    }

    pub(super) fn arrive_up(&mut self, count: usize) {
        self.broker.receive(self.up.split_to(count).freeze());
        self.down.extend_from_slice(&self.broker.out.split());
    }

    fn carry_down(&mut self) {
        if !self.down.is_empty() {
            let count = self.rng.usize(1..=self.down.len());
            self.arrive_down(count);
        }
    }

    pub(super) fn arrive_down(&mut self, count: usize) {
        let bytes = self.down.split_to(count).freeze();
        self.audit.received(bytes.clone());
        self.session.receive(bytes, self.now);
        let good = "the broker keeps to the protocol";
        if self.rng.bool() {
            while let Some(event) = self.session.poll(self.now).expect(good) {
                self.heard(event);
            }
        } else {
            let rng = &mut self.rng;
            let mut go_on = || {
                if rng.u8(..4) == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let mut events = Vec::new();
            while let Some(next) =
                super::next_events(&mut self.session, self.now, &mut go_on).expect(good)
            {
                events.extend(next);
            }
            for event in events {
                self.heard(event);
            }
        }
        self.flush();
    }

    pub(super) fn flush(&mut self) {
        while let Some(piece) = self.session.outgoing(self.now) {
            self.audit.sent(piece.clone(), self.life.settled as u64);
            self.up.extend_from_slice(&piece);
        }
    }

    fn settle(&mut self) {
        let delivered = self.life.deliveries.len();
        let settled = self.rng.usize(self.life.settled..=delivered);
        for (message, _) in &self.life.deliveries[self.life.settled..settled] {
            self.written.insert(*message);
        }
        self.life.settled = settled;
        self.session.acknowledge_up_to(settled as u64);
        self.flush();
    }

    fn fail(&mut self) {
        self.faults -= 1;
        match self.scenario {
            Scenario::Killed if self.rng.bool() => self.kill(),
            _ => self.lose(),
        }
    }

    /// The connection breaks at a random byte in each direction.
    fn lose(&mut self) {
        let (up, down) = (self.rng.usize(..=self.up.len()), self.rng.usize(..=self.down.len()));
        self.arrive_up(up);
        self.arrive_down(down);
        self.up.clear();
        self.down.clear();
        self.online = false;
        self.session.lost();
        self.broker.lost();
        self.lossless &= self.scenario != Scenario::Volatile;
        if self.restarted && self.broker.state.is_some() {
            // A CONNECT has begun a new session, and its CONNACK was lost.
            self.mask();
        }
        if self.scenario == Scenario::Restarts && self.rng.bool() {
            self.restart();
        }
        // Each CONNACK of MQTT 5 may allow more or less than the last one.
        if self.config.version.has_properties() {
            self.broker.manner.receive_maximum = [1, 2, 3, 5, 20][self.rng.usize(..5)];
        }
    }

    fn restart(&mut self) {
        self.broker.state = None;
        self.lossless = false;
        self.restarted = true;
        // MQTT 3.1 has no Session Present.
        if self.config.version == Version::V3_1 {
            self.mask();
        }
    }

    fn mask(&mut self) {
        self.masked = true;
        self.audit.masked = true;
    }

    /// The caller dies at a random moment; its output remains.
    fn kill(&mut self) {
        self.lose();
        for number in 1..=u32::try_from(self.published).expect("few messages") {
            if self.outgoing[number as usize - 1] > QoS::AtMostOnce {
                self.outcomes.entry(number).or_insert(Outcome::Abandoned);
            }
        }
        self.half_taken = self.broker.receipts();
        self.life = Life::default();
        self.session = Session::new(self.config.clone());
        self.audit =
            Audit::new(self.config.version, usize::from(self.broker.manner.receive_maximum));
    }

    fn heard(&mut self, event: Event) {
        self.restarted &= !matches!(event, Event::Connected(_));
        match event {
            Event::Connected(_) if !self.life.subscribed => {
                self.life.subscribed = true;
                let subscription = Subscription::new(filter("down"), QoS::ExactlyOnce);
                self.session.subscribe(vec![subscription], Properties::default());
            }
            Event::Connected(_) | Event::Subscribed(_) => {}
            Event::Message(delivery) => self.delivered(&delivery),
            Event::MessageBegins { delivery, length } => {
                assert!(delivery.publish.payload.is_empty());
                assert!(
                    self.life.partial.replace((delivery, length)).is_none(),
                    "one message at a time"
                );
            }
            Event::Piece(piece) => {
                let publish = &mut self.life.partial.as_mut().expect("it has begun").0.publish;
                publish.payload = [&publish.payload[..], &piece].concat().into();
            }
            Event::MessageEnds => {
                let (delivery, length) = self.life.partial.take().expect("it has begun");
                assert_eq!(delivery.publish.payload.len(), length);
                let expected = message("down", delivery.publish.qos, number_of(&delivery.publish));
                assert_eq!(delivery.publish.payload, expected.payload, "nothing is glued together");
                self.delivered(&delivery);
            }
            Event::MessageCut => {
                assert!(self.life.partial.take().is_some(), "it has begun");
            }
            Event::Acknowledged { token: record, code, .. } => {
                self.ended(
                    record,
                    if code.is_error() { Outcome::Refused } else { Outcome::Acknowledged },
                );
            }
            Event::InDoubt { token: record } => self.ended(record, Outcome::InDoubt),
            other => panic!("{other:?}"),
        }
    }

    fn ended(&mut self, record: u64, outcome: Outcome) {
        let number = u32::try_from(record).expect("few messages");
        assert_eq!(self.outcomes.insert(number, outcome), None, "message {number} ends once");
    }

    fn delivered(&mut self, delivery: &Delivery) {
        let (message, qos) = (number_of(&delivery.publish), delivery.publish.qos);
        assert_eq!(delivery.publish.topic.as_ref(), Some(&topic("down")));
        assert_eq!(qos, self.incoming[message as usize - 1], "QoS of message {message}");
        let known = self.life.deliveries.contains(&(message, qos));
        assert!(
            !known || qos == QoS::AtLeastOnce,
            "message {message} of QoS {qos} is delivered twice"
        );
        let latest = self
            .life
            .deliveries
            .iter()
            .filter(|(_, other)| *other == qos)
            .map(|(one, _)| *one)
            .max();
        assert!(
            known || latest.is_none_or(|latest| latest < message),
            "message {message} out of order"
        );
        self.life.deliveries.push((message, qos));
        assert_eq!(
            delivery.number,
            self.life.deliveries.len() as u64,
            "deliveries are counted from 1"
        );
        self.audit.delivered(&delivery.publish, delivery.number);
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("scenario", &self.scenario)
            .field("version", &self.config.version)
            .field("online", &self.online)
            .field("faults", &self.faults)
            .field("outgoing", &self.outgoing)
            .field("published", &self.published)
            .field("outcomes", &self.outcomes)
            .field("confused", &self.confused)
            .field("passed_on", &self.broker.passed_on)
            .field("incoming", &self.incoming)
            .field("offered", &self.offered)
            .field("deliveries", &self.life.deliveries)
            .field("settled", &self.life.settled)
            .field("written", &self.written)
            .field("in flight", &self.session.in_flight())
            .field("buffered", &(self.up.len(), self.down.len()))
            .finish_non_exhaustive()
    }
}
