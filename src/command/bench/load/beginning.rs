//! The beginning: subscribers connect and subscribe, then the others connect; then the load begins.

use std::time::{Duration, Instant};

use super::connecting::ConnectionState;
use super::team::{LoopOrder, LoopStage};
use super::{Load, LoadPhase, RunDisplay, Window};
use crate::client::fleet::ManyConnections;
use crate::command::bench::clock::number;
use crate::command::bench::config::{LoadPace, WindowLength};
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::results::{Latencies, Results};
use crate::mqtt::packet::Subscription;
use crate::mqtt::qos::QoS;

/// How many filters one SUBSCRIBE has at most.
const FILTERS: usize = 100;

impl<D: RunDisplay> Load<D> {
    pub(super) fn subscribe(&mut self, fleet: &mut impl ManyConnections, now: Instant) {
        for id in std::mem::take(&mut self.chores.subscribe) {
            let qos = self.context.load.messages.sub_qos;
            let filters = self.context.filters(id);
            let at = self.context.clock.number(now);
            let topics = self.context.topics_of_subscriber(id);
            self.receiving.retained.subscribes(id, topics, at);
            for part in filters.chunks(FILTERS) {
                let filters = part.iter().cloned();
                let subscriptions = filters.map(|filter| Subscription::new(filter, qos)).collect();
                let properties = self.context.load.messages.properties.subscribe.clone();
                fleet.subscribe(id, subscriptions, properties, now);
            }
        }
    }

    /// The subscribers begin to connect.
    pub(super) fn begin_readers(&mut self, now: Instant) {
        let subscribers = 0..self.context.load.plan.subscribers;
        self.connecting.expect(subscribers, self.context.load.connect_rate, now);
        self.phase = LoadPhase::Readers;
    }

    /// Until when retained messages are waited for; `now` if none is missing.
    pub(super) fn retained_due(&self, now: Instant) -> Instant {
        let retained = &self.receiving.retained;
        if retained.is_complete() {
            return now;
        }
        self.context.clock.instant(retained.latest) + self.context.load.times.drain
    }

    /// The others begin to connect.
    pub(super) fn begin_others(&mut self, now: Instant) {
        let plan = self.context.load.plan;
        // Those of a step of connecting begin in it.
        let first = if self.is_of_connecting() { plan.connections() } else { plan.subscribers };
        let others = first..plan.connections();
        self.connecting.expect(others, self.context.load.connect_rate, now);
        self.phase = LoadPhase::Others;
    }

    /// Connects, and goes on when the connections of all loops are there or have failed.
    pub(super) fn connect(&mut self, fleet: &mut impl ManyConnections, now: Instant) {
        for (id, intended) in self.connecting.due_first(now) {
            self.note_beginning(now - intended);
            fleet.dial(id, intended, now);
        }
        if !self.connecting.is_settled() {
            return;
        }
        if self.phase == LoadPhase::Readers && self.retained_due(now) <= now {
            self.reach(LoopStage::ReadersReady);
        } else if self.phase == LoadPhase::Others {
            self.all_are_ready(now);
        }
        self.go_on_connecting(fleet, now);
    }

    /// A connection is begun so late. With messages it is those whose lateness is measured; and
    /// connections that begin all at once wait for each other.
    fn note_beginning(&mut self, late: Duration) {
        if self.context.load.plan.publishers == 0 && self.context.load.connect_rate.is_some() {
            self.results.latencies.lateness.add(number(late));
        }
    }

    /// The connections of this loop are there, or have failed.
    fn all_are_ready(&mut self, now: Instant) {
        if self.context.member.stage() >= LoopStage::AllReady {
            return;
        }
        let took = &mut self.results.connections.took;
        if took.is_zero() {
            *took = now - self.times.began;
        }
        let late = self.context.start_at.map(|at| now.saturating_duration_since(at));
        self.results.verified.split.late = late.unwrap_or_default();
        self.count_readers();
        self.reach(LoopStage::AllReady);
    }

    /// The first loop decides that all go on.
    fn go_on_connecting(&mut self, fleet: &mut impl ManyConnections, now: Instant) {
        let stage = self.context.member.stage();
        if !self.context.member.leads() || !self.context.member.all_at(stage) {
            return;
        }
        let is_time = self.context.start_at.is_none_or(|at| at <= now);
        if stage == LoopStage::ReadersReady && self.phase == LoadPhase::Readers {
            self.give(LoopOrder::ConnectOthers(now), now);
            self.connect(fleet, now);
        } else if stage == LoopStage::AllReady && is_time {
            self.give(LoopOrder::Begin(now), now);
        }
    }

    /// When there is something to do while connecting.
    pub(super) fn next_connection(&self) -> Option<Instant> {
        let member = &self.context.member;
        let begins = member.leads() && member.all_at(LoopStage::AllReady);
        match (self.phase, member.stage()) {
            _ if !self.connecting.is_settled() => self.connecting.next_first(),
            (LoadPhase::Readers, LoopStage::Begun) => Some(self.retained_due(self.times.began)),
            (LoadPhase::Others, LoopStage::Begun | LoopStage::ReadersReady) => {
                Some(self.times.began)
            }
            (LoadPhase::Others, LoopStage::AllReady) if begins => self.context.start_at,
            // The others are waited for.
            (_, _) => None,
        }
    }

    /// All are connected: the load begins, or the connections stand.
    pub(super) fn begin(&mut self, now: Instant) {
        self.results.generator.cpu_connecting = self.seconds.share_of_cpu(now - self.times.began);
        let times = self.context.load.times;
        if self.is_of_connecting() {
            self.begin_making(now);
        } else if self.total().made == 0 {
            self.phase = LoadPhase::Closing(now);
        } else if self.context.load.plan.publishers == 0 {
            let length = match times.length {
                WindowLength::Time(time) => time,
                WindowLength::Count(_) => Duration::ZERO,
            };
            self.seconds.begin(self.context.clock.number(now), now);
            self.phase = LoadPhase::Holding(now + length);
        } else {
            self.begin_sending(now);
        }
    }

    pub(super) fn begin_sending(&mut self, now: Instant) {
        let times = self.context.load.times;
        let start = self.context.clock.number(now);
        let begin = start + number(times.warmup);
        let end = match times.length {
            WindowLength::Time(time) => begin + number(time),
            WindowLength::Count(_) => u64::MAX,
        };
        self.context.window = Window { start, begin, end };
        let after = begin.saturating_sub(self.context.clock.number(self.times.began));
        self.results.messages.after = Duration::from_nanos(after);
        self.phase = LoadPhase::Sending;
        self.prepare_times();
        self.context.readers = self.context.member.readers();
        for publisher in 0..self.context.load.plan.own_publishers() {
            let id = self.context.load.plan.publisher_id(publisher);
            match self.connecting.state(id) {
                ConnectionState::Ready => self.sending.online(publisher, &self.context, start),
                ConnectionState::Failed => self.sending.give_up(publisher),
                ConnectionState::Elsewhere
                | ConnectionState::Lost
                | ConnectionState::Pending
                | ConnectionState::Subscribing(_)
                | ConnectionState::Away
                | ConnectionState::Returning(_)
                | ConnectionState::Closed => {}
            }
        }
    }

    /// Takes the memory for all times of the window now: it does not grow while they come.
    fn prepare_times(&mut self) {
        let Results { latencies, generator, .. } = &mut self.results;
        let Latencies { delivery, acknowledgement, lateness, thirds: [first, last] } = latencies;
        generator.turn.prepare();
        if let LoadPace::Open(_) = self.context.load.pace {
            lateness.prepare();
        }
        if self.context.load.messages.qos > QoS::AtMostOnce {
            acknowledgement.prepare();
        }
        if self.context.load.plan.subscribers > 0 {
            [delivery, first, last].into_iter().for_each(LatencyTimes::prepare);
        }
    }

    /// Tells the other loops how many readers of this one get each message of a topic.
    fn count_readers(&mut self) {
        let plan = self.context.load.plan;
        let mut readers = vec![0; plan.topics];
        for reader in 0..plan.readers() {
            let is_member = |id| match self.connecting.state(id) {
                ConnectionState::Elsewhere | ConnectionState::Failed => false,
                ConnectionState::Pending
                | ConnectionState::Subscribing(_)
                | ConnectionState::Ready
                | ConnectionState::Lost
                | ConnectionState::Away
                | ConnectionState::Returning(_)
                | ConnectionState::Closed => true,
            };
            if plan.members(reader).any(is_member) {
                for topic in self.context.topics_of_reader(reader) {
                    readers[topic] += 1;
                }
            }
        }
        self.context.member.add_readers(&readers);
    }
}
