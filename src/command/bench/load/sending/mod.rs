//! The publishers: what is due, what has left, and what is unfinished.

mod answers;
mod batch;
mod publisher;
mod sinks;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use bytes::BytesMut;

use super::context::Context;
use super::window::Window;
use crate::client::fleet::ManyConnections;
use crate::command::bench::config::{LoadPace, LoadPlan};
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::schedule::SendSchedule;
use crate::mqtt::qos::QoS;
use publisher::{LoadPublisher, WaitReason, quota};
pub use sinks::{AcknowledgedSink, SentSink};

/// A message that is not finished: its publisher, its number there, and when it was due.
pub type OpenMessage = (usize, u64, u64);

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
    /// Messages of QoS 2 of which nobody knows whether the server has them: the session is lost.
    pub doubtful: Vec<OpenMessage>,
    buffer: BytesMut,
}

impl LoadSending {
    /// The publishers before the start.
    pub fn new(context: &Context) -> Self {
        let load = &context.load;
        let count = load.plan.publishers;
        let publishers = (0..count).map(|publisher| {
            let is_own = context.member.share.has_publisher(publisher);
            let schedule = match load.pace {
                LoadPace::Open(offer) if is_own => {
                    Some(SendSchedule::new(offer, publisher, count, load.seed))
                }
                LoadPace::Open(_) | LoadPace::Closed(_) => None,
            };
            // What another loop sends is not sent here.
            let (quota, wait) = if is_own {
                (quota(load.times.length, publisher, count), WaitReason::Offline)
            } else {
                (0, WaitReason::Done)
            };
            LoadPublisher {
                schedule,
                sent: 0,
                quota,
                wait,
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
            doubtful: Vec::new(),
            buffer: BytesMut::new(),
        }
    }

    /// Whether the messages that have not arrived limit what is sent.
    pub fn has_window_of_qos_0(&self) -> bool {
        self.look_at.is_some()
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

    /// Whether a message that is due before `end` waits for its turn, and for nothing else.
    pub fn is_waiting(&self, end: u64, start: u64) -> bool {
        self.publishers.iter().any(|of| {
            let due = of.schedule.as_ref().map(|schedule| schedule.due() + start);
            of.waits_for_us() && of.sent < of.quota && due.is_some_and(|due| due < end)
        })
    }

    /// What was due and has not come to its turn is late, though it is not sent.
    pub fn note_left_behind(&self, context: &Context, lateness: &mut LatencyTimes, now: u64) {
        let Window { start, end, .. } = context.window;
        for of in self.publishers.iter().filter(|of| of.waits_for_us()) {
            let Some(schedule) = &of.schedule else { continue };
            let since = of.since.max(schedule.due() + start);
            // What a signal has cut off was not due yet.
            let due = of.unsent(end.min(now).saturating_sub(start));
            lateness.add_many(now.saturating_sub(since), due);
        }
    }

    /// How many messages are due before `end` and not sent; with `-C` all that are left.
    pub fn unsent(&self, end: u64) -> u64 {
        self.publishers.iter().map(|of| of.unsent(end)).sum()
    }

    /// The same without those that were due before the window.
    pub fn unsent_in(&self, window: &Window) -> u64 {
        let Window { start, begin, end } = *window;
        let before = self.publishers.iter().filter(|of| of.schedule.is_some());
        let before: u64 = before.map(|of| of.unsent(begin - start)).sum();
        self.unsent(end.saturating_sub(start)) - before
    }

    /// The same at publishers that cannot send now.
    pub fn held_up(&self, end: u64) -> u64 {
        let cannot = |of: &&LoadPublisher| {
            matches!(of.wait, WaitReason::Offline | WaitReason::Window | WaitReason::Socket)
                && of.schedule.is_some()
        };
        self.publishers.iter().filter(cannot).map(|of| of.unsent(end)).sum()
    }

    /// Since when nothing can be sent: whoever has something left waits for the server.
    pub fn stuck_since(&self) -> Option<u64> {
        let left = || self.publishers.iter().filter(|of| of.wait != WaitReason::Done);
        let is_stuck = !left().any(LoadPublisher::waits_for_us);
        left().map(|of| of.since).max().filter(|_| is_stuck)
    }

    /// A publisher will not be online again.
    pub fn give_up(&mut self, publisher: usize) {
        self.publishers[publisher].wait = WaitReason::Done;
    }

    /// Sends what is due.
    pub fn act(
        &mut self,
        fleet: &mut impl ManyConnections,
        context: &Context,
        sink: &mut SentSink<'_>,
        now: u64,
    ) {
        self.write_off(context, sink.messages, now);
        for publisher in std::mem::take(&mut self.unblocked) {
            self.send(publisher, fleet, context, sink);
        }
        while let Some(Reverse((at, publisher))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            // One that has come back meanwhile has a place of its own.
            if self.publishers[publisher].is_due(at, context.window.start) {
                self.send(publisher, fleet, context, sink);
            }
        }
    }

    /// Sends as much of a publisher as is due and may leave.
    fn send(
        &mut self,
        publisher: usize,
        fleet: &mut impl ManyConnections,
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
        let Some(limit) = window(&context.load) else { return u64::MAX };
        if context.load.messages.qos > QoS::AtMostOnce {
            return limit.saturating_sub(of.open);
        }
        if !context.has_readers() {
            return u64::MAX;
        }
        let finished = of.written_off.saturating_add(context.messages_of(publisher, of.arrived));
        limit.saturating_sub(of.sent.saturating_sub(finished))
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
fn refusal(fleet: &mut impl ManyConnections, id: usize, qos: QoS) -> WaitReason {
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
    let has_readers = load.plan.subscribers > 0 && load.plan.writers.is_here();
    load.messages.qos == QoS::AtMostOnce && has_readers && window(load).is_some()
}

/// How many messages of a publisher may be unfinished, if that is limited.
fn window(load: &LoadPlan) -> Option<u64> {
    match load.pace {
        LoadPace::Closed(limit) => limit,
        LoadPace::Open(_) => load.messages.window,
    }
}
