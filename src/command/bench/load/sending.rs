//! The publishers: what is due, what has left, and what is unfinished.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;
use std::rc::Rc;

use bytes::BytesMut;

use super::context::Context;
use crate::client::fleet::Fleet;
use crate::command::bench::config::{LoadPace, LoadPlan, WindowLength};
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::payload::Stamp;
use crate::command::bench::results::{Latencies, MessageResults};
use crate::command::bench::schedule::SendSchedule;
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// How many payload bytes of one publisher are prepared at once.
const BATCH_BYTES: usize = 32 * 1024;

/// How many messages of one publisher are prepared at once.
const BATCH: usize = 512;

/// For how long nothing may come back at QoS 0 before the window is emptied, in nanoseconds.
const NO_PROGRESS: u64 = 1_000_000_000;

/// How often that is looked at, in nanoseconds.
const LOOK: u64 = 100_000_000;

/// What a publisher waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitReason {
    /// Its connection.
    Offline,
    /// The time of its next message.
    Due,
    /// Its next turn.
    Turn,
    /// The acknowledgement of a message.
    Window,
    /// The server, which does not take what was sent.
    Socket,
    /// Nothing: it has sent all.
    Done,
}

/// One publisher.
#[derive(Debug)]
struct LoadPublisher {
    schedule: Option<SendSchedule>,
    /// How many messages it has sent.
    sent: u64,
    /// How many it may send (`-C`).
    quota: u64,
    wait: WaitReason,
    /// Since when it waits for that, in nanoseconds.
    since: u64,
    /// When the time of each message was that is not finished, from number `first` on.
    unfinished: VecDeque<u64>,
    first: u64,
    /// How many of them are not finished.
    open: u64,
    /// How many copies of its messages came (QoS 0, closed loop).
    arrived: u64,
    /// When the latest came, in nanoseconds.
    progress: u64,
    /// How many of its messages were written off.
    written_off: u64,
}

/// What stands in the place of the time of a message that is finished.
const FINISHED: u64 = u64::MAX;

impl LoadPublisher {
    /// How many messages are due before `end` and not sent; with a quota and no schedule all that
    /// are left.
    fn unsent(&self, end: u64) -> u64 {
        let left = self.quota - self.sent;
        match &self.schedule {
            Some(schedule) => schedule.waiting_until(end).min(left),
            None if self.quota == u64::MAX => 0,
            None => left,
        }
    }

    /// The times at the front that are finished are forgotten.
    fn forget_finished(&mut self) {
        while self.unfinished.front() == Some(&FINISHED) {
            self.unfinished.pop_front();
            self.first += 1;
        }
    }
}

/// All publishers.
#[derive(Debug)]
pub struct LoadSending {
    publishers: Vec<LoadPublisher>,
    /// When the next message of a publisher is due.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    /// Those that may go on at once.
    unblocked: Vec<usize>,
    /// When it is looked at whether windows of QoS 0 make progress; `None` if there are none.
    look_at: Option<u64>,
    /// How many messages of each stream were sent, and how many of them in the window.
    pub streams: Vec<[u64; 2]>,
    /// Nanoseconds that publishers could not send in the window: for the socket, for the window.
    pub blocked: [u64; 2],
    /// How many messages wait for an acknowledgement.
    pub unfinished: u64,
    /// How many copies of what was sent are to come.
    pub expected: u64,
    buffer: BytesMut,
}

impl LoadSending {
    /// The publishers before the start.
    pub fn new(context: &Context) -> Self {
        let load = &context.load;
        let count = load.plan.publishers;
        let publishers = (0..count).map(|publisher| {
            let schedule = match load.pace {
                LoadPace::Open(offer) => {
                    Some(SendSchedule::new(offer, publisher, count, load.seed))
                }
                LoadPace::Closed(_) => None,
            };
            LoadPublisher {
                schedule,
                sent: 0,
                quota: quota(load.times.length, publisher, count),
                wait: WaitReason::Offline,
                since: 0,
                unfinished: VecDeque::new(),
                first: 0,
                open: 0,
                arrived: 0,
                progress: 0,
                written_off: 0,
            }
        });
        Self {
            publishers: publishers.collect(),
            due: BinaryHeap::new(),
            unblocked: Vec::new(),
            look_at: has_window_of_qos_0(load).then_some(0),
            streams: vec![[0; 2]; load.plan.streams()],
            blocked: [0; 2],
            unfinished: 0,
            expected: 0,
            buffer: BytesMut::new(),
        }
    }

    /// A publisher is online: it may send from now on.
    pub fn online(&mut self, publisher: usize, context: &Context, now: u64) {
        let of = &mut self.publishers[publisher];
        of.progress = now;
        self.unblock(publisher, context, now);
    }

    /// A publisher has lost its connection.
    pub fn offline(&mut self, publisher: usize, now: u64) {
        let of = &mut self.publishers[publisher];
        if of.wait != WaitReason::Done {
            (of.wait, of.since) = (WaitReason::Offline, now);
        }
    }

    /// What a publisher waited for may be there.
    pub fn unblock(&mut self, publisher: usize, context: &Context, now: u64) {
        let of = &mut self.publishers[publisher];
        match of.wait {
            WaitReason::Window | WaitReason::Socket | WaitReason::Offline => {
                let kind = usize::from(of.wait == WaitReason::Window);
                if of.wait != WaitReason::Offline {
                    self.blocked[kind] += context.window.overlap(of.since, now);
                }
                (of.wait, of.since) = (WaitReason::Turn, now);
                self.unblocked.push(publisher);
            }
            WaitReason::Due | WaitReason::Turn | WaitReason::Done => {}
        }
    }

    /// When the next message is due, in nanoseconds; 0 is at once.
    pub fn next_due(&self) -> Option<u64> {
        if !self.unblocked.is_empty() {
            return Some(0);
        }
        let due = self.due.peek().map(|Reverse((at, _))| *at);
        due.into_iter().chain(self.look_at).min()
    }

    /// Whether every publisher has sent what it may.
    pub fn is_done(&self) -> bool {
        self.publishers.iter().all(|of| of.wait == WaitReason::Done)
    }

    /// Whether a message that is due before `end` waits at a publisher that is online.
    pub fn is_waiting(&self, end: u64, start: u64) -> bool {
        self.publishers.iter().any(|of| {
            let is_online = !matches!(of.wait, WaitReason::Offline | WaitReason::Done);
            let due = of.schedule.as_ref().map(|schedule| schedule.due() + start);
            is_online && of.sent < of.quota && due.is_some_and(|due| due < end)
        })
    }

    /// How many messages are due before `end` and not sent; with `-C` all that are left.
    pub fn unsent(&self, end: u64) -> u64 {
        self.publishers.iter().map(|of| of.unsent(end)).sum()
    }

    /// The same at publishers that cannot send now.
    pub fn held_up(&self, end: u64) -> u64 {
        let cannot = |of: &&LoadPublisher| {
            matches!(of.wait, WaitReason::Offline | WaitReason::Window | WaitReason::Socket)
                && of.schedule.is_some()
        };
        self.publishers.iter().filter(cannot).map(|of| of.unsent(end)).sum()
    }

    /// A publisher will not be online again.
    pub fn give_up(&mut self, publisher: usize) {
        self.publishers[publisher].wait = WaitReason::Done;
    }

    /// Sends what is due.
    pub fn act(&mut self, fleet: &mut Fleet, context: &Context, sink: &mut SentSink<'_>, now: u64) {
        self.write_off(context, sink.messages, now);
        for publisher in std::mem::take(&mut self.unblocked) {
            self.send(publisher, fleet, context, sink);
        }
        while let Some(Reverse((at, publisher))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            self.send(publisher, fleet, context, sink);
        }
    }

    /// Empties windows of QoS 0 from which nothing came for a second: what is missing is lost.
    fn write_off(&mut self, context: &Context, messages: &mut MessageResults, now: u64) {
        if self.look_at.is_none_or(|at| at > now) {
            return;
        }
        self.look_at = Some(now + LOOK);
        for publisher in 0..self.publishers.len() {
            let of = &mut self.publishers[publisher];
            if of.wait == WaitReason::Window && of.progress + NO_PROGRESS <= now {
                let arrived = context.messages_of(publisher, of.arrived);
                of.written_off = of.sent.saturating_sub(arrived);
                of.progress = now;
                messages.emptied += 1;
                self.unblock(publisher, context, now);
            }
        }
    }

    /// Sends as much of a publisher as is due and may leave.
    fn send(
        &mut self,
        publisher: usize,
        fleet: &mut Fleet,
        context: &Context,
        sink: &mut SentSink<'_>,
    ) {
        let now = context.clock.number((context.now)());
        let end = context.window.end;
        if matches!(self.publishers[publisher].wait, WaitReason::Offline | WaitReason::Done) {
            return;
        }
        let room = self.room(publisher, context);
        if room == 0 {
            return self.wait(publisher, WaitReason::Window, now);
        }
        let id = context.load.plan.publisher_id(publisher);
        if !fleet.can_publish(id, context.load.messages.qos) {
            let wait = refusal(fleet, id, context.load.messages.qos);
            return self.wait(publisher, wait, now);
        }
        let batch = self.prepare(publisher, context, room, now.min(end.saturating_sub(1)), now);
        let count = batch.times.len();
        let sent = self.hand_over(publisher, fleet, context, &batch, sink, now);
        if sent < count {
            let wait = refusal(fleet, id, context.load.messages.qos);
            return self.wait(publisher, wait, now);
        }
        self.go_on(publisher, context, now);
    }

    /// What a publisher waits for after a batch.
    fn go_on(&mut self, publisher: usize, context: &Context, now: u64) {
        let of = &self.publishers[publisher];
        let next = of.schedule.as_ref().map(|schedule| schedule.due() + context.window.start);
        let wait = match next {
            _ if of.sent >= of.quota => WaitReason::Done,
            Some(due) if due >= context.window.end => WaitReason::Done,
            None if now >= context.window.end => WaitReason::Done,
            Some(due) if due > now => {
                self.due.push(Reverse((due, publisher)));
                WaitReason::Due
            }
            _ => WaitReason::Turn,
        };
        self.wait(publisher, wait, now);
    }

    fn wait(&mut self, publisher: usize, wait: WaitReason, now: u64) {
        let of = &mut self.publishers[publisher];
        if matches!(wait, WaitReason::Window | WaitReason::Socket) {
            of.since = now;
        }
        // Otherwise the end of the last block still counts for what it has held up.
        of.wait = wait;
        if wait == WaitReason::Turn {
            self.unblocked.push(publisher);
        }
    }

    /// How many messages the window of a publisher has room for.
    fn room(&self, publisher: usize, context: &Context) -> u64 {
        let of = &self.publishers[publisher];
        let limit = match context.load.pace {
            LoadPace::Closed(Some(limit)) => limit,
            LoadPace::Closed(None) | LoadPace::Open(_) => return u64::MAX,
        };
        if context.load.messages.qos > QoS::AtMostOnce {
            return limit.saturating_sub(of.open);
        }
        if !context.has_readers() {
            return u64::MAX;
        }
        let finished = of.written_off.saturating_add(context.messages_of(publisher, of.arrived));
        limit.saturating_sub(of.sent.saturating_sub(finished))
    }

    /// A copy of a message came to its reader (QoS 0): the window has room again.
    pub fn arrived(&mut self, publisher: usize, context: &Context, now: u64) {
        let of = &mut self.publishers[publisher];
        of.arrived += 1;
        of.progress = now;
        if of.wait == WaitReason::Window {
            self.unblock(publisher, context, now);
        }
    }

    /// Puts the payloads of the messages that are due into one block.
    fn prepare(
        &mut self,
        publisher: usize,
        context: &Context,
        room: u64,
        until: u64,
        now: u64,
    ) -> DueBatch {
        let of = &self.publishers[publisher];
        let (plan, sizes) = (&context.load.plan, &context.load.messages.sizes);
        let mut ahead = of.schedule.clone();
        let (topic, ..) = plan.place(publisher, of.sent);
        let mut batch = DueBatch { topic, ..DueBatch::default() };
        let most = room.min(of.quota - of.sent).min(BATCH as u64);
        self.buffer.reserve(BATCH_BYTES);
        for number in of.sent..of.sent + most {
            let intended = match &ahead {
                Some(schedule) => schedule.due() + context.window.start,
                None => now,
            };
            let (other, stream, sequence) = plan.place(publisher, number);
            let is_late_enough = intended <= until || (ahead.is_none() && now < context.window.end);
            if !is_late_enough || other != topic || self.buffer.len() >= BATCH_BYTES {
                break;
            }
            let stream = u32::try_from(stream).unwrap_or(u32::MAX);
            let length = sizes.of(stream, sequence);
            let start = self.buffer.len();
            let stamp = Stamp { stream, sequence, intended };
            context.payloads.put(stamp, length, &mut self.buffer);
            batch.payloads.push(start..self.buffer.len());
            batch.times.push(intended);
            if let Some(schedule) = &mut ahead {
                schedule.advance();
            }
        }
        batch
    }

    /// Hands a batch to the connection; returns how many messages it took.
    fn hand_over(
        &mut self,
        publisher: usize,
        fleet: &mut Fleet,
        context: &Context,
        batch: &DueBatch,
        sink: &mut SentSink<'_>,
        now: u64,
    ) -> usize {
        if batch.times.is_empty() {
            return 0;
        }
        let id = context.load.plan.publisher_id(publisher);
        let payload = self.buffer.split().freeze();
        let qos = context.load.messages.qos;
        let head = Publish { qos, ..Publish::new(context.topics[batch.topic].clone(), payload) };
        let head = Rc::new(head);
        let token = self.publishers[publisher].sent;
        let mut ranges = batch.payloads.iter();
        let fits = |longest: usize, range: &Range<usize>| range.len() <= longest;
        let mut sent = fleet.publish_run(id, &head, token, |longest| {
            ranges.next().filter(|range| fits(longest, range)).cloned()
        });
        if sent == 0 && fleet.can_publish(id, qos) {
            // Larger than a run takes.
            let payload = head.payload.slice(batch.payloads[0].clone());
            let message = Publish { payload, ..Publish::clone(&head) };
            if fleet.publish(id, message, token).is_err() {
                self.skip_too_large(publisher, sink);
                return 1;
            }
            sent = 1;
        }
        let sent = usize::try_from(sent).unwrap_or(0);
        for time in &batch.times[..sent] {
            self.note_sent(publisher, context, *time, sink, now);
        }
        sent
    }

    /// The next message is larger than the server takes.
    fn skip_too_large(&mut self, publisher: usize, sink: &mut SentSink<'_>) {
        let of = &mut self.publishers[publisher];
        of.sent += 1;
        of.unfinished.push_back(FINISHED);
        of.forget_finished();
        if let Some(schedule) = &mut of.schedule {
            schedule.advance();
        }
        *sink.messages.refused.entry(ReasonCode::PACKET_TOO_LARGE).or_default() += 1;
    }

    fn note_sent(
        &mut self,
        publisher: usize,
        context: &Context,
        intended: u64,
        sink: &mut SentSink<'_>,
        now: u64,
    ) {
        let of = &mut self.publishers[publisher];
        let (topic, stream, _) = context.load.plan.place(publisher, of.sent);
        of.sent += 1;
        self.expected += context.readers[topic];
        if let Some(schedule) = &mut of.schedule {
            schedule.advance();
            // What was blocked is late from the end of the block on.
            sink.lateness(now.saturating_sub(intended.max(of.since)), intended, context);
        }
        self.streams[stream][0] += 1;
        *sink.second_sent += 1;
        if context.window.holds(intended) {
            self.streams[stream][1] += 1;
            sink.messages.sent += 1;
        }
        of.unfinished.push_back(intended);
        if context.load.messages.qos > QoS::AtMostOnce {
            of.open += 1;
            self.unfinished += 1;
        } else {
            of.unfinished.clear();
            of.first = of.sent;
        }
    }

    /// A message is finished.
    pub fn acknowledged(
        &mut self,
        publisher: usize,
        token: u64,
        code: ReasonCode,
        context: &Context,
        sink: &mut AcknowledgedSink<'_>,
        now: u64,
    ) {
        let Some(intended) = self.finish(publisher, token) else { return };
        if code.is_error() {
            *sink.messages.refused.entry(code).or_default() += 1;
            let (topic, stream, _) = context.load.plan.place(publisher, token);
            // It need not come.
            self.expected -= context.readers[topic];
            self.streams[stream][0] -= 1;
            if context.window.holds(intended) {
                self.streams[stream][1] -= 1;
            }
        } else if context.window.holds(intended) {
            sink.messages.acknowledged += 1;
            sink.latencies.acknowledgement.add(now.saturating_sub(intended));
        }
        self.unblock(publisher, context, now);
    }

    /// The server may or may not have the message, and it is not sent again.
    pub fn in_doubt(&mut self, publisher: usize, token: u64, messages: &mut MessageResults) {
        if self.finish(publisher, token).is_some() {
            messages.unacknowledged += 1;
        }
    }

    fn finish(&mut self, publisher: usize, token: u64) -> Option<u64> {
        let of = &mut self.publishers[publisher];
        let at = usize::try_from(token.checked_sub(of.first)?).ok()?;
        let place = of.unfinished.get_mut(at)?;
        let intended = std::mem::replace(place, FINISHED);
        if intended == FINISHED {
            return None;
        }
        of.forget_finished();
        of.open -= 1;
        self.unfinished -= 1;
        Some(intended)
    }

    /// The messages that are not finished: publisher, number, intended time.
    pub fn open_messages(&self) -> Vec<(usize, u64, u64)> {
        let mut open = Vec::new();
        for (publisher, of) in self.publishers.iter().enumerate() {
            let times = (of.first..).zip(&of.unfinished);
            let times = times.filter(|(_, intended)| **intended != FINISHED);
            open.extend(times.map(|(number, intended)| (publisher, number, *intended)));
        }
        open
    }

    /// Ends the waits that are measured.
    pub fn stop(&mut self, context: &Context, now: u64) {
        for of in &mut self.publishers {
            let kind = match of.wait {
                WaitReason::Socket => Some(0),
                WaitReason::Window => Some(1),
                WaitReason::Offline | WaitReason::Due | WaitReason::Turn | WaitReason::Done => None,
            };
            if let Some(kind) = kind {
                self.blocked[kind] += context.window.overlap(of.since, now);
            }
            of.wait = WaitReason::Done;
        }
        self.due.clear();
        self.unblocked.clear();
        self.look_at = None;
    }
}

/// What a connection waits for that took less than there was.
fn refusal(fleet: &mut Fleet, id: usize, qos: QoS) -> WaitReason {
    if fleet.is_congested(id) {
        WaitReason::Socket
    } else if qos == QoS::AtMostOnce || fleet.can_publish(id, qos) {
        // The next write makes room.
        WaitReason::Turn
    } else {
        WaitReason::Window
    }
}

/// Whether the messages that have not arrived limit what is sent.
fn has_window_of_qos_0(load: &LoadPlan) -> bool {
    load.messages.qos == QoS::AtMostOnce
        && load.plan.subscribers > 0
        && matches!(load.pace, LoadPace::Closed(Some(_)))
}

/// How many messages a publisher may send.
fn quota(length: WindowLength, publisher: usize, publishers: usize) -> u64 {
    match length {
        WindowLength::Time(_) => u64::MAX,
        WindowLength::Count(count) => {
            let (publisher, publishers) = (publisher as u64, publishers as u64);
            count / publishers + u64::from(publisher < count % publishers)
        }
    }
}

/// Messages of one publisher to one topic that are due.
#[derive(Debug, Default)]
struct DueBatch {
    topic: usize,
    payloads: Vec<Range<usize>>,
    times: Vec<u64>,
}

/// Where it is noted what was sent.
pub struct SentSink<'a> {
    /// The messages of the window.
    pub messages: &'a mut MessageResults,
    /// The times.
    pub latencies: &'a mut Latencies,
    /// Of the current second: how late messages were.
    pub second_lateness: &'a mut LatencyTimes,
    /// Of the current second: how many messages left.
    pub second_sent: &'a mut u64,
}

impl SentSink<'_> {
    fn lateness(&mut self, late: u64, intended: u64, context: &Context) {
        if context.window.holds(intended) {
            self.latencies.lateness.add(late);
            self.second_lateness.add(late);
        }
    }
}

/// Where it is noted what was acknowledged.
pub struct AcknowledgedSink<'a> {
    /// The messages of the window.
    pub messages: &'a mut MessageResults,
    /// The times.
    pub latencies: &'a mut Latencies,
}
