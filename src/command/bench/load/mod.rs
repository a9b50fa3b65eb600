//! The load: connect, subscribe, send, wait for what is missing, close. It is told what happens and
//! what time it is, and tells the fleet what to do.

mod connecting;
mod context;
mod dialer;
mod receiving;
mod seconds;
mod sending;
mod window;

use std::time::{Duration, Instant};

use super::clock::number;
use super::config::{Comeback, WindowLength};
use super::plan::Role;
use super::results::{LoadEnding, Results};
use crate::client::fleet::{Cause, Driver, Fleet, Happening, Made};
use crate::mqtt::packet::{Publish, Subscription};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;
pub use connecting::commonest;
use connecting::{Connecting, ConnectionState};
pub use context::{Context, System};
use dialer::Dialer;
use receiving::{ReceivedSink, Receiving};
use seconds::Seconds;
use sending::{AcknowledgedSink, LoadSending, SentSink};
pub use window::Window;

/// How many filters one SUBSCRIBE has at most.
const FILTERS: usize = 100;

/// How long what was due before the end of the window may still leave after it.
const GRACE: Duration = Duration::from_millis(250);

/// How long it must have been silent when nothing is missing: what comes then is double.
const SILENCE: Duration = Duration::from_millis(100);

/// How long the drain of an interrupted run takes at most.
const SHORT_DRAIN: Duration = Duration::from_secs(2);

/// How long closing all connections takes at most.
const CLOSING: Duration = Duration::from_secs(2);

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoadPhase {
    /// The subscribers connect and subscribe.
    Readers,
    /// The others connect.
    Others,
    /// The connections stand.
    Holding(Instant),
    /// Messages are sent.
    Sending,
    /// What is missing is waited for.
    Draining,
    /// The connections are ended.
    Closing(Instant),
    /// All is done.
    Over,
}

/// What is shown while it runs.
pub trait RunDisplay {
    /// When something new is to be shown.
    fn next(&self) -> Option<Instant>;
    /// Shows this line.
    fn show(&mut self, line: String, now: Instant);
    /// Prints the figures so far.
    fn print(&mut self, results: &Results);
}

/// What is to be done for connections, and has to wait for the next turn.
#[derive(Debug, Default)]
struct Chores {
    /// Connections that were made and are to subscribe.
    subscribe: Vec<usize>,
    /// Connections that are to be given up.
    abandon: Vec<usize>,
    /// How many connections are being closed.
    closing: usize,
}

/// The load.
pub struct Load<D> {
    context: Context,
    phase: LoadPhase,
    dialer: Dialer,
    connecting: Connecting,
    sending: LoadSending,
    receiving: Receiving,
    seconds: Seconds,
    results: Results,
    chores: Chores,
    /// A signal came, and when.
    signal: Option<(i32, Instant)>,
    began: Instant,
    display: D,
}

impl<D: RunDisplay> Load<D> {
    /// A load that begins now.
    pub fn new(mut context: Context, system: System, display: D, now: Instant) -> Self {
        context.window = Window { start: 0, begin: u64::MAX, end: u64::MAX };
        context.readers = vec![0; context.load.plan.topics];
        let plan = context.load.plan;
        let rate = context.load.connect_rate;
        let mut connecting =
            Connecting::new(plan.connections(), context.load.comeback, context.load.seed, now);
        connecting.expect(plan.subscribers);
        let mut results = Results::default();
        results.connections.wanted = plan.connections() as u64;
        Self {
            phase: LoadPhase::Readers,
            dialer: Dialer::new(0..plan.subscribers, rate, now),
            sending: LoadSending::new(&context),
            receiving: Receiving::new(&context),
            seconds: Seconds::new(system),
            connecting,
            results,
            chores: Chores::default(),
            signal: None,
            began: now,
            display,
            context,
        }
    }

    /// What was found.
    pub fn into_results(mut self) -> Results {
        self.results.series = self.seconds.series;
        self.results
    }

    fn subscribe(&mut self, fleet: &mut Fleet, now: Instant) {
        for id in std::mem::take(&mut self.chores.subscribe) {
            let qos = self.context.load.messages.sub_qos;
            let topics = self.context.load.plan.topics_of_subscriber(id);
            for part in topics.chunks(FILTERS) {
                let filters = part.iter().filter_map(|topic| {
                    TopicFilter::new(self.context.topics[*topic].as_str().to_owned()).ok()
                });
                let subscriptions = filters.map(|filter| Subscription::new(filter, qos)).collect();
                fleet.subscribe(id, subscriptions, now);
            }
        }
    }

    /// Connects, and goes on when all have connected or failed.
    fn connect(&mut self, fleet: &mut Fleet, now: Instant) {
        for (id, intended) in self.dialer.due(now) {
            fleet.dial(id, intended, now);
        }
        let is_settled = self.dialer.is_done() && self.connecting.is_settled();
        match self.phase {
            LoadPhase::Readers if is_settled => {
                let plan = self.context.load.plan;
                let others = plan.subscribers..plan.connections();
                self.connecting.expect(others.len());
                self.dialer = Dialer::new(others, self.context.load.connect_rate, now);
                self.phase = LoadPhase::Others;
                self.connect(fleet, now);
            }
            LoadPhase::Others if is_settled => self.begin(now),
            LoadPhase::Readers
            | LoadPhase::Others
            | LoadPhase::Holding(_)
            | LoadPhase::Sending
            | LoadPhase::Draining
            | LoadPhase::Closing(_)
            | LoadPhase::Over => {}
        }
    }

    /// All are connected: the load begins, or the connections stand.
    fn begin(&mut self, now: Instant) {
        self.results.connections.took = now - self.began;
        self.results.generator.cpu_connecting = self.seconds.share_of_cpu(now - self.began);
        let times = self.context.load.times;
        if self.results.connections.made == 0 {
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

    fn begin_sending(&mut self, now: Instant) {
        let times = self.context.load.times;
        let start = self.context.clock.number(now);
        let begin = start + number(times.warmup);
        let end = match times.length {
            WindowLength::Time(time) => begin + number(time),
            WindowLength::Count(_) => u64::MAX,
        };
        self.context.window = Window { start, begin, end };
        self.phase = LoadPhase::Sending;
        self.count_readers();
        for publisher in 0..self.context.load.plan.publishers {
            let id = self.context.load.plan.publisher_id(publisher);
            match self.connecting.state(id) {
                ConnectionState::Ready => self.sending.online(publisher, &self.context, start),
                ConnectionState::Failed => self.sending.give_up(publisher),
                ConnectionState::Lost
                | ConnectionState::Pending
                | ConnectionState::Subscribing(_)
                | ConnectionState::Closed => {}
            }
        }
    }

    fn count_readers(&mut self) {
        let plan = self.context.load.plan;
        for subscriber in 0..plan.subscribers {
            if self.connecting.state(subscriber) != ConnectionState::Failed {
                for topic in plan.topics_of_subscriber(subscriber) {
                    self.context.readers[topic] += 1;
                }
            }
        }
    }

    fn send(&mut self, fleet: &mut Fleet, now: Instant) {
        let at = self.context.clock.number(now);
        if !self.seconds.has_begun() && at >= self.context.window.begin {
            let Window { start, begin, .. } = self.context.window;
            self.results.messages.backlog = self.sending.held_up(begin - start);
            self.seconds.begin(self.context.window.begin, now);
        }
        let Self { context, sending, results, seconds, .. } = self;
        let mut sink = SentSink {
            messages: &mut results.messages,
            latencies: &mut results.latencies,
            second_lateness: &mut seconds.lateness,
            second_sent: &mut seconds.sent,
        };
        sending.act(fleet, context, &mut sink, at);
        self.tick(at, now);
        if self.has_sent_all(at) {
            self.end_window(now);
        }
    }

    /// Ends the seconds of the window that are over.
    fn tick(&mut self, at: u64, now: Instant) {
        if self.seconds.is_over(at) && at <= self.context.window.end {
            let missing = self.missing();
            self.seconds.end(missing, self.connecting.online(), at, now);
        }
    }

    fn has_sent_all(&self, at: u64) -> bool {
        let Window { start, end, .. } = self.context.window;
        if end == u64::MAX {
            return self.sending.is_done();
        }
        at >= end && (at >= end + number(GRACE) || !self.sending.is_waiting(end, start))
    }

    /// Nothing more is sent.
    fn end_window(&mut self, now: Instant) {
        // After the latest message, which was sent since the turn began.
        let at = self.context.clock.number((self.context.now)()) + 1;
        let window = &mut self.context.window;
        window.end = window.end.min(at.max(window.begin));
        let length = Duration::from_nanos(window.end.saturating_sub(window.begin));
        self.results.messages.window = length;
        self.results.messages.unsent = match self.signal {
            None => self.sending.unsent(window.end - window.start),
            // What was due after the signal was not wanted.
            Some(_) => 0,
        };
        self.sending.stop(&self.context, at);
        if self.seconds.is_over(at) {
            self.seconds.end(self.missing(), self.connecting.online(), at, now);
        }
        self.note_cpu(now);
        let publishers = self.context.load.plan.publishers.max(1) as u64;
        let all = (publishers * number(length)).max(1);
        let [blocked, full] = self.sending.blocked.map(|time| share(time, all));
        self.results.generator.publishers = publishers;
        self.results.generator.blocked = blocked;
        self.results.generator.window_full = full;
        self.receiving.latest = self.receiving.latest.max(at);
        self.phase = LoadPhase::Draining;
    }

    /// Notes what the loop took since the window began.
    fn note_cpu(&mut self, now: Instant) {
        let generator = &mut self.results.generator;
        generator.cpu = self.seconds.cpu_of_window(now);
        generator.loops = vec![generator.cpu];
        self.seconds.finish(generator);
    }

    /// Copies that are to come and have not.
    fn missing(&self) -> u64 {
        self.sending.expected.saturating_sub(self.receiving.distinct)
    }

    fn drain(&mut self, now: Instant) {
        let at = self.context.clock.number(now);
        let is_complete = self.missing() == 0 && self.sending.unfinished == 0;
        let patience = if is_complete { SILENCE } else { self.context.load.times.drain };
        let is_hurried =
            self.signal.is_some_and(|(_, since)| now.duration_since(since) >= SHORT_DRAIN);
        if at >= self.receiving.latest + number(patience) || is_hurried {
            self.judge();
            self.phase = LoadPhase::Closing(now);
        }
    }

    /// When the drain is over if nothing comes.
    fn drained_at(&self) -> Instant {
        let is_complete = self.missing() == 0 && self.sending.unfinished == 0;
        let patience = if is_complete { SILENCE } else { self.context.load.times.drain };
        let quiet = self.context.clock.instant(self.receiving.latest + number(patience));
        match self.signal {
            Some((_, since)) => quiet.min(since + SHORT_DRAIN),
            None => quiet,
        }
    }

    /// Decides what is lost.
    fn judge(&mut self) {
        let open = self.sending.open_messages();
        self.results.messages.unacknowledged += open.len() as u64;
        let plan = self.context.load.plan;
        for subscriber in 0..plan.subscribers {
            if self.connecting.state(subscriber) == ConnectionState::Failed {
                continue;
            }
            for (stream, place) in plan.pairs_of(subscriber) {
                let [all, in_window] = self.sending.streams[stream];
                let (lost, missed) = self.receiving.judge(place, all);
                let verified = &mut self.results.verified;
                verified.copies += all;
                verified.lost += lost;
                verified.missed += missed;
                self.results.messages.expected += in_window;
            }
            self.forgive(subscriber, &open);
        }
        let came = self.receiving.distinct_in_window;
        let never = self.results.messages.expected.saturating_sub(came);
        self.results.latencies.delivery.add_never(never);
        self.judge_acknowledgements(&open);
    }

    /// A message that was not acknowledged need not come.
    fn forgive(&mut self, subscriber: usize, open: &[(usize, u64, u64)]) {
        let plan = self.context.load.plan;
        for (publisher, number, intended) in open {
            let (topic, stream, sequence) = plan.place(*publisher, *number);
            let is_missing = plan.takes(subscriber, topic)
                && !self.receiving.has(subscriber, stream, sequence, &self.context);
            if is_missing {
                let verified = &mut self.results.verified;
                verified.lost = verified.lost.saturating_sub(1);
                verified.copies -= 1;
                if self.context.window.holds(*intended) {
                    self.results.messages.expected -= 1;
                }
            }
        }
    }

    fn judge_acknowledgements(&mut self, open: &[(usize, u64, u64)]) {
        let window = self.context.window;
        let open = open.iter().filter(|(_, _, intended)| window.holds(*intended)).count();
        let unsent = self.results.messages.unsent;
        let latencies = &mut self.results.latencies;
        if self.context.load.messages.qos > QoS::AtMostOnce {
            latencies.acknowledgement.add_never(open as u64 + unsent);
        }
        if self.context.has_readers() && self.results.messages.sent > 0 {
            // What was not sent did not arrive either.
            let copies = self.results.messages.expected / self.results.messages.sent;
            latencies.delivery.add_never(unsent * copies.max(1));
        }
    }

    fn close(&mut self, fleet: &mut Fleet, since: Instant, now: Instant) {
        self.connecting.stop();
        for id in 0..self.context.load.plan.connections() {
            match self.connecting.state(id) {
                ConnectionState::Ready
                | ConnectionState::Subscribing(_)
                | ConnectionState::Pending
                | ConnectionState::Lost => {
                    self.connecting.closed(id);
                    self.chores.closing += 1;
                    fleet.close(id, now);
                }
                ConnectionState::Failed | ConnectionState::Closed => {}
            }
        }
        if now >= since + CLOSING || self.chores.closing == 0 {
            self.phase = LoadPhase::Over;
        }
    }

    fn received(&mut self, id: usize, head: &Publish, payload: &[u8], now: Instant) {
        let Self { context, receiving, results, seconds, sending, .. } = self;
        let at = context.clock.number(now);
        let mut sink = ReceivedSink {
            verified: &mut results.verified,
            messages: &mut results.messages,
            latencies: &mut results.latencies,
            second_times: &mut seconds.times,
            second_received: &mut seconds.received,
        };
        let publisher = receiving.message(id, head, payload, context, &mut sink, at);
        if let Some(publisher) = publisher.filter(|_| context.load.messages.qos == QoS::AtMostOnce)
        {
            sending.arrived(publisher, context, at);
        }
    }

    fn made(&mut self, id: usize, made: &Made, at: u64) {
        let was = self.connecting.state(id);
        let plan = self.context.load.plan;
        let announced = made.connack.properties.receive_maximum();
        self.results.connections.receive_maximum = announced;
        let codes = match plan.role(id) {
            Role::Subscriber(subscriber) => plan.topics_of_subscriber(subscriber).len(),
            Role::Publisher(_) | Role::Idle(_) => 0,
        };
        self.connecting.made(id, made, codes, &mut self.results.connections);
        match plan.role(id) {
            // The session of one that was lost subscribes again by itself.
            Role::Subscriber(_) if was == ConnectionState::Pending => {
                self.chores.subscribe.push(id);
            }
            Role::Publisher(publisher) if self.phase == LoadPhase::Sending => {
                self.sending.online(publisher, &self.context, at);
            }
            Role::Subscriber(_) | Role::Publisher(_) | Role::Idle(_) => {}
        }
    }

    fn lost(&mut self, id: usize, cause: Cause, now: Instant) {
        if matches!(self.phase, LoadPhase::Closing(_) | LoadPhase::Over) {
            return;
        }
        self.connecting.lost(id, cause, now, &mut self.results.connections);
        match self.context.load.plan.role(id) {
            Role::Subscriber(subscriber) => self.receiving.leave(subscriber, &self.context),
            Role::Publisher(publisher) => {
                self.sending.offline(publisher, self.context.clock.number(now));
                if self.context.load.comeback == Comeback::Never {
                    self.sending.give_up(publisher);
                }
            }
            Role::Idle(_) => {}
        }
    }

    /// The line of progress.
    fn progress(&self, now: Instant) -> String {
        let connections = &self.results.connections;
        let online = self.connecting.online();
        match self.phase {
            LoadPhase::Readers | LoadPhase::Others => {
                let failed = connections.failures();
                let wanted = connections.wanted;
                format!("connecting  {} of {wanted}  failed {failed}", connections.made)
            }
            LoadPhase::Holding(until) => {
                let left = until.saturating_duration_since(now).as_secs();
                format!("holding  {left} s left  online {online}/{}", connections.wanted)
            }
            _ => {
                let at = self.context.clock.number(now);
                let since = at.saturating_sub(self.context.window.begin) / 1_000_000_000;
                let missing = self.missing();
                let rates = self.seconds.rates();
                format!(
                    "{since} s  {rates}  missing {missing}  online {online}/{}",
                    connections.wanted
                )
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share has few digits")]
fn share(part: u64, all: u64) -> f64 {
    part as f64 / all as f64
}

impl<D: RunDisplay> Driver for Load<D> {
    fn happened(&mut self, id: usize, what: Happening, now: Instant) {
        let at = self.context.clock.number(now);
        let role = self.context.load.plan.role(id);
        let Self { context, sending, results, .. } = self;
        match (what, role) {
            (Happening::Acknowledged { token, code }, Role::Publisher(publisher)) => {
                let Results { messages, latencies, .. } = results;
                let mut sink = AcknowledgedSink { messages, latencies };
                sending.acknowledged(publisher, token, code, context, &mut sink, at);
                self.receiving.latest = self.receiving.latest.max(at);
            }
            (Happening::InDoubt { token }, Role::Publisher(publisher)) => {
                sending.in_doubt(publisher, token, &mut results.messages);
            }
            (Happening::Sendable, Role::Publisher(publisher)) => {
                sending.unblock(publisher, context, at);
            }
            (Happening::Made(made), _) => self.made(id, &made, at),
            (Happening::Subscribed { codes, took }, _) => {
                let to = &mut results.connections;
                match self.connecting.subscribed(id, &codes, took, to) {
                    Ok(granted) => {
                        let lowest = [results.granted, granted].into_iter().flatten().min();
                        results.granted = lowest;
                    }
                    Err(cause) => {
                        self.connecting.not_made(id, cause, now, to);
                        self.chores.abandon.push(id);
                    }
                }
            }
            (Happening::Pong { took }, _) => results.connections.times.pong.add(number(took)),
            (Happening::NotMade(cause), _) => {
                self.connecting.not_made(id, cause, now, &mut results.connections);
            }
            (Happening::Lost(cause), _) => self.lost(id, cause, now),
            (Happening::Closed, _) => self.chores.closing = self.chores.closing.saturating_sub(1),
            (
                Happening::Acknowledged { .. } | Happening::InDoubt { .. } | Happening::Sendable,
                Role::Subscriber(_) | Role::Idle(_),
            ) => {}
        }
    }

    fn message(&mut self, id: usize, head: &Publish, payload: &[u8], now: Instant) {
        // Nobody else has subscribed.
        if let Role::Subscriber(_) = self.context.load.plan.role(id) {
            self.received(id, head, payload, now);
        }
    }

    fn interrupted(&mut self, signal: i32, now: Instant) {
        self.signal = Some((signal, now));
        let after = now - self.began;
        self.results.ending = LoadEnding::Interrupted(signal, after);
        match self.phase {
            LoadPhase::Sending => self.end_window(now),
            LoadPhase::Readers | LoadPhase::Others => {
                self.results.connections.took = after;
                self.phase = LoadPhase::Closing(now);
            }
            LoadPhase::Holding(_) => self.phase = LoadPhase::Holding(now),
            LoadPhase::Draining | LoadPhase::Closing(_) | LoadPhase::Over => {}
        }
    }

    fn asked_for_figures(&mut self, _: Instant) {
        self.display.print(&self.results);
    }

    fn act(&mut self, fleet: &mut Fleet, now: Instant) {
        for id in std::mem::take(&mut self.chores.abandon) {
            fleet.abandon(id);
        }
        for id in self.connecting.due(now) {
            fleet.dial(id, now, now);
        }
        self.subscribe(fleet, now);
        match self.phase {
            LoadPhase::Readers | LoadPhase::Others => self.connect(fleet, now),
            LoadPhase::Holding(until) if until <= now => {
                let at = self.context.clock.number(now);
                let held = Duration::from_nanos(at.saturating_sub(self.seconds.began()));
                self.results.held = Some((held, self.connecting.online()));
                self.note_cpu(now);
                self.phase = LoadPhase::Closing(now);
            }
            LoadPhase::Sending => self.send(fleet, now),
            LoadPhase::Draining => self.drain(now),
            LoadPhase::Holding(_) | LoadPhase::Closing(_) | LoadPhase::Over => {}
        }
        if let LoadPhase::Closing(since) = self.phase {
            self.close(fleet, since, now);
        }
        if self.display.next().is_some_and(|at| at <= now) {
            self.show(now);
        }
    }

    fn next_due(&self) -> Option<Instant> {
        if !self.chores.subscribe.is_empty() || !self.chores.abandon.is_empty() {
            return Some(self.began);
        }
        let is_settled = self.dialer.is_done() && self.connecting.is_settled();
        let phase = match self.phase {
            LoadPhase::Readers | LoadPhase::Others if is_settled => Some(self.began),
            LoadPhase::Readers | LoadPhase::Others => self.dialer.next(),
            LoadPhase::Holding(until) => Some(until),
            LoadPhase::Sending => self.next_send(),
            LoadPhase::Draining => Some(self.drained_at()),
            LoadPhase::Closing(_) if self.chores.closing == 0 => Some(self.began),
            LoadPhase::Closing(since) => Some(since + CLOSING),
            LoadPhase::Over => None,
        };
        [phase, self.connecting.next(), self.display.next()].into_iter().flatten().min()
    }

    fn is_over(&self) -> bool {
        self.phase == LoadPhase::Over
    }

    fn note_turn(&mut self, took: Duration) {
        if self.phase == LoadPhase::Sending {
            self.results.generator.turn.add(number(took));
        }
    }
}

impl<D: RunDisplay> Load<D> {
    fn show(&mut self, now: Instant) {
        let line = self.progress(now);
        self.display.show(line, now);
    }

    fn next_send(&self) -> Option<Instant> {
        let Window { begin, end, .. } = self.context.window;
        let clock = &self.context.clock;
        let phase = if self.seconds.has_begun() { self.seconds.next() } else { begin };
        let over = if end == u64::MAX { None } else { Some(end) };
        let due = self.sending.next_due();
        [due, Some(phase), over].into_iter().flatten().min().map(|at| clock.instant(at))
    }
}
