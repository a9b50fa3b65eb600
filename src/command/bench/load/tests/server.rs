//! A server of a load in virtual time: it does with each message what a script says, and counts it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::rules::{Rules, Treatment, changed};
use super::world::{now, set};
use crate::client::fleet::{Cause, Driver, Happening, Made, ManyConnections, Steps, TcpEnd};
use crate::mqtt::packet::{ConnAck, Publish, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::Unsendable;

/// Something that is going to happen.
#[derive(Debug)]
enum Event {
    /// A message has come to the server.
    Came(SentMessage),
    /// A message was worked on.
    Done(SentMessage),
    /// A copy comes to a reader.
    Copy(usize, Publish, Bytes),
    /// This happens to a connection.
    Happens(usize, Happening),
}

/// A message on its way to the server.
#[derive(Debug)]
struct SentMessage {
    from: usize,
    /// Over which of its connections.
    made: u32,
    number: u64,
    token: u64,
    head: Publish,
    payload: Bytes,
}

/// What the server knows of a connection.
#[derive(Debug, Default)]
struct Guest {
    is_online: bool,
    /// How often it was made; what belongs to an earlier one is not told.
    made: u32,
    /// What it has subscribed to, and does again by itself.
    wanted: Vec<String>,
    filters: Vec<String>,
    in_flight: usize,
    /// How many of its messages were not looked at.
    unread: usize,
    /// What waits for a reader that does not read.
    stalled: Option<Vec<Event>>,
}

/// The server.
pub struct Server {
    rules: Rules,
    guests: Vec<Guest>,
    /// In the order of their times; each with the connection that it belongs to.
    events: BTreeMap<(Instant, u64), ((usize, u32), Event)>,
    order: u64,
    tries: u64,
    first: Option<Instant>,
    busy_until: Option<Instant>,
    /// What is told at once.
    happened: VecDeque<(usize, Happening)>,
    /// How many messages have come.
    pub came: u64,
    /// How many messages of a publisher were not acknowledged at once, at most.
    pub most_in_flight: usize,
}

impl Server {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            guests: Vec::new(),
            events: BTreeMap::new(),
            order: 0,
            tries: 0,
            first: None,
            busy_until: None,
            happened: VecDeque::new(),
            came: 0,
            most_in_flight: 0,
        }
    }

    /// One that does this with each message.
    pub fn treating(treat: impl FnMut(u64) -> Treatment + 'static) -> Self {
        Self::new(Rules { treat: Box::new(treat), ..Rules::default() })
    }

    /// Times are counted from here, and not from the first message.
    pub fn counts_from(&mut self, first: Instant) {
        self.first = Some(first);
    }

    fn guest(&mut self, id: usize) -> &mut Guest {
        if self.guests.len() <= id {
            self.guests.resize_with(id + 1, Guest::default);
        }
        &mut self.guests[id]
    }

    fn plan(&mut self, at: Instant, id: usize, event: Event) {
        let made = self.guest(id).made;
        self.order += 1;
        self.events.insert((at, self.order), ((id, made), event));
    }

    /// When something happens next.
    pub fn next(&self) -> Option<Instant> {
        let event = self.events.keys().next().map(|(at, _)| *at);
        let others = [self.rules.loses.map(|(at, _)| at), self.rules.pause.map(|(at, _)| at)];
        let others = others.into_iter().flatten();
        let others = others.filter_map(|after| Some(self.first? + after));
        event.into_iter().chain(others).min()
    }

    /// How long the generator is stopped at this time.
    pub fn pause(&mut self, at: Instant) -> Duration {
        let Some(first) = self.first else { return Duration::ZERO };
        let pause = self.rules.pause.take_if(|(after, _)| first + *after <= at);
        pause.map_or(Duration::ZERO, |(_, length)| length)
    }

    /// Tells what happens at once.
    pub fn tell(&mut self, driver: &mut impl Driver) {
        while let Some((id, what)) = self.happened.pop_front() {
            driver.happened(id, what, now());
        }
    }

    /// Does what is due, and tells it.
    pub fn pass_on(&mut self, driver: &mut impl Driver) {
        if let Some(first) = self.first
            && let Some((_, id)) = self.rules.loses.take_if(|(after, _)| first + *after <= now())
        {
            self.end(id);
            driver.happened(id, Happening::Lost(Cause::Silent), now());
        }
        while let Some(entry) = self.events.first_entry()
            && entry.key().0 <= now()
        {
            let ((at, _), ((id, made), event)) = entry.remove_entry();
            let is_of_server = matches!(event, Event::Came(_) | Event::Done(_));
            if is_of_server || self.guest(id).made == made {
                self.happen(at, id, event, driver);
            }
        }
    }

    /// When a stall is over that lasts at this time.
    fn stalled_until(&self, at: Instant) -> Option<Instant> {
        let (after, length) = self.rules.stall?;
        let begin = self.first? + after;
        (begin <= at && at < begin + length).then(|| begin + length)
    }

    fn happen(&mut self, at: Instant, id: usize, event: Event, driver: &mut impl Driver) {
        match event {
            Event::Came(message) => {
                let begin = self.busy_until.map_or(at, |busy| busy.max(at));
                let begin = self.stalled_until(begin).unwrap_or(begin);
                self.busy_until = Some(begin + self.rules.work);
                self.plan(begin + self.rules.work, id, Event::Done(message));
            }
            Event::Done(message) => self.treat(at, message),
            Event::Copy(..) if self.guest(id).stalled.is_some() => {
                self.guest(id).stalled.as_mut().expect("it was looked at").push(event);
            }
            Event::Copy(id, head, payload) => driver.message(id, &head, &payload, now()),
            Event::Happens(id, what) => {
                if let Happening::Made(_) = what {
                    self.made(id);
                }
                if let Happening::Acknowledged { .. } = what {
                    self.guest(id).in_flight -= 1;
                }
                driver.happened(id, what, now());
            }
        }
    }

    fn made(&mut self, id: usize) {
        let guest = self.guest(id);
        guest.is_online = true;
        guest.filters.clone_from(&guest.wanted);
        let codes = vec![ReasonCode::SUCCESS; guest.wanted.len()];
        if !codes.is_empty() {
            let what = Happening::Subscribed { codes, took: Duration::ZERO };
            self.plan(now(), id, Event::Happens(id, what));
        }
    }

    fn treat(&mut self, at: Instant, message: SentMessage) {
        let SentMessage { from, made, number, token, head, payload } = message;
        let socket = self.rules.socket;
        let guest = self.guest(from);
        guest.unread -= 1;
        if guest.is_online && guest.unread + 1 == socket {
            self.plan(at, from, Event::Happens(from, Happening::Sendable));
        }
        let Treatment { copies, answer } = (self.rules.treat)(number);
        let topic = head.topic_or_empty().to_owned();
        let readers: Vec<usize> = (0..self.guests.len())
            .filter(|id| self.guests[*id].filters.contains(&topic) && self.guests[*id].is_online)
            .collect();
        for (delay, change) in copies {
            for reader in &readers {
                let (head, payload) = changed(&head, &payload, change);
                self.plan(at + delay, *reader, Event::Copy(*reader, head, payload));
            }
        }
        let is_there = self.guest(from).made == made;
        if let Some((delay, code)) = answer.filter(|_| is_there && head.qos > QoS::AtMostOnce) {
            let what = Happening::Acknowledged { token, code };
            self.plan(at + delay, from, Event::Happens(from, what));
        }
    }

    fn send(&mut self, id: usize, head: &Publish, payload: Bytes, token: u64) {
        let at = now();
        self.first.get_or_insert(at);
        let head = Publish { payload: Bytes::new(), ..head.clone() };
        let (number, made) = (self.came, self.guest(id).made);
        let message = SentMessage { from: id, made, number, token, head, payload };
        self.came += 1;
        let guest = self.guest(id);
        guest.unread += 1;
        if message.head.qos > QoS::AtMostOnce {
            guest.in_flight += 1;
        }
        self.most_in_flight = self.most_in_flight.max(self.guests[id].in_flight);
        self.plan(at, id, Event::Came(message));
        set(at + self.rules.cost);
    }

    fn end(&mut self, id: usize) {
        let guest = self.guest(id);
        guest.is_online = false;
        guest.made += 1;
        guest.in_flight = 0;
        guest.filters.clear();
        guest.stalled = None;
    }
}

impl ManyConnections for Server {
    fn dial(&mut self, id: usize, intended: Instant, now: Instant) {
        let result = (self.rules.connect)(self.tries);
        self.tries += 1;
        let (at, what) = match result {
            Ok(delay) => {
                let at = self.stalled_until(now).unwrap_or(now) + delay;
                let connack = Box::new(ConnAck {
                    session_present: false,
                    code: ReasonCode::SUCCESS,
                    properties: Properties::default(),
                });
                let steps = Steps { tcp: Some(at - now), ..Steps::default() };
                let took = at - intended;
                (at, Happening::Made(Made { took, steps, connack }))
            }
            Err(cause) => (now, Happening::NotMade(cause)),
        };
        self.plan(at, id, Event::Happens(id, what));
    }

    fn dial_to_end_session(&mut self, id: usize, now: Instant) {
        self.dial(id, now, now);
    }

    fn has_sent_connect(&self, id: usize) -> bool {
        self.guests.get(id).is_some_and(|guest| guest.is_online)
    }

    fn subscribe(
        &mut self,
        id: usize,
        subscriptions: Vec<Subscription>,
        _: Properties,
        now: Instant,
    ) {
        let filters = subscriptions.iter().map(|one| one.filter.as_str().to_owned());
        self.guest(id).wanted.extend(filters);
        let guest = self.guest(id);
        guest.filters.clone_from(&guest.wanted);
        let codes = subscriptions.iter().map(|one| ReasonCode(one.qos.bits())).collect();
        let what = Happening::Subscribed { codes, took: Duration::ZERO };
        self.plan(now, id, Event::Happens(id, what));
    }

    fn can_publish(&mut self, id: usize, qos: QoS) -> bool {
        let is_full = self.guest(id).in_flight >= self.rules.receive_maximum;
        !self.is_congested(id) && (qos == QoS::AtMostOnce || !is_full)
    }

    fn is_congested(&self, id: usize) -> bool {
        self.guests.get(id).is_some_and(|guest| guest.unread >= self.rules.socket)
    }

    fn publish_run(
        &mut self,
        id: usize,
        head: &Rc<Publish>,
        token: u64,
        mut next: impl FnMut(usize) -> Option<Range<usize>>,
    ) -> u64 {
        let mut sent = 0;
        while self.can_publish(id, head.qos)
            && let Some(range) = next(usize::MAX)
        {
            self.send(id, head, head.payload.slice(range), token + sent);
            sent += 1;
        }
        sent
    }

    fn publish(&mut self, id: usize, message: Publish, token: u64) -> Result<(), Unsendable> {
        let payload = message.payload.clone();
        self.send(id, &message, payload, token);
        Ok(())
    }

    fn close(&mut self, id: usize, _: Instant) {
        self.end(id);
        self.happened.push_back((id, Happening::Closed));
    }

    fn abandon(&mut self, id: usize) {
        self.end(id);
    }

    fn cut(&mut self, id: usize, _: TcpEnd) {
        self.end(id);
    }

    fn stall(&mut self, id: usize) {
        self.guest(id).stalled = Some(Vec::new());
    }

    fn read_again(&mut self, id: usize) {
        for event in self.guest(id).stalled.take().unwrap_or_default() {
            self.plan(now(), id, event);
        }
    }
}
