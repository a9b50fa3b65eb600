//! One more connection beside those of the load: it sets what is retained before the others
//! subscribe, sees the wills, and removes what is retained at the end.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::team::LoopOrder;
use super::wills::Wills;
use super::{Load, RunDisplay};
use crate::client::fleet::{Cause, Happening, ManyConnections};
use crate::command::bench::payload::Stamp;
use crate::mqtt::packet::{Publish, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;

/// How long wills are waited for after the last connection has ended: those that should not come.
const SILENCE: Duration = Duration::from_millis(200);

/// How long it is waited for the removal of one more retained message.
const CLEARING: Duration = Duration::from_secs(10);

/// How far the watcher is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum WatcherStage {
    /// It was not begun.
    #[default]
    Absent,
    /// It is being made.
    Dialling,
    /// It was made.
    Made,
    /// SUBACK is awaited.
    Subscribing,
    /// What is retained is set.
    Setting,
    /// It sees the wills.
    Watching,
    /// It could not be made, or was lost.
    Lost,
    /// It was lost, and is made again to remove what is retained.
    Returning,
    /// What is retained is removed.
    Clearing,
    /// It is ended.
    Closing,
    /// It has ended.
    Done,
}

/// The watcher.
#[derive(Debug, Default)]
pub struct Watcher {
    stage: WatcherStage,
    /// The topic that is set or cleared next.
    next: usize,
    /// How many messages wait for their acknowledgement.
    open: usize,
    /// When it was last there, or a message was acknowledged, in nanoseconds.
    latest: u64,
    /// The wills that it sees.
    pub wills: Wills,
}

impl Watcher {
    /// One that was not begun, and sees these wills.
    pub fn new(wills: Wills) -> Self {
        Self { wills, ..Self::default() }
    }
}

impl<D: RunDisplay> Load<D> {
    fn watcher_id(&self) -> usize {
        self.context.load.plan.connections()
    }

    /// Makes the watcher, and lets it set what is retained; then the subscribers begin.
    pub(super) fn prepare(&mut self, fleet: &mut impl ManyConnections, now: Instant) {
        if !self.context.member.leads() {
            return;
        }
        let stage = self.leftovers.watcher.stage;
        if stage == WatcherStage::Absent {
            self.leftovers.watcher.stage = WatcherStage::Dialling;
            fleet.dial(self.watcher_id(), now, now);
        } else if stage == WatcherStage::Made {
            self.leftovers.watcher.stage = self.watch(fleet, now);
        } else if stage == WatcherStage::Setting && self.set_retained(fleet, now) {
            self.leftovers.watcher.stage = WatcherStage::Watching;
            self.give(LoopOrder::ConnectReaders(now), now);
        } else if stage == WatcherStage::Lost {
            self.give(LoopOrder::Close(now), now);
        }
    }

    /// The watcher subscribes to the wills, if there are any.
    fn watch(&self, fleet: &mut impl ManyConnections, now: Instant) -> WatcherStage {
        let Some(filter) = self.context.will_filter() else { return WatcherStage::Setting };
        let subscription = Subscription::new(filter, QoS::AtLeastOnce);
        fleet.subscribe(self.watcher_id(), vec![subscription], Properties::default(), now);
        WatcherStage::Subscribing
    }

    /// Sets a retained message for each topic; whether all are acknowledged.
    fn set_retained(&mut self, fleet: &mut impl ManyConnections, now: Instant) -> bool {
        if !self.context.load.messages.retain.is_set_before() {
            return true;
        }
        let at = self.context.clock.number(now);
        let streams = self.context.load.plan.streams();
        let sizes = self.context.load.messages.sizes.clone();
        let mut payload = BytesMut::new();
        self.publish_retained(fleet, |context, topic| {
            let stream = u32::try_from(streams + topic).unwrap_or(u32::MAX);
            let stamp = Stamp { stream, sequence: 0, intended: at };
            context.payloads.put(stamp, sizes.of(stream, 0), &mut payload);
            payload.split().freeze()
        })
    }

    /// Publishes a retained message to each topic; whether all are acknowledged.
    fn publish_retained(
        &mut self,
        fleet: &mut impl ManyConnections,
        mut payload: impl FnMut(&super::Context, usize) -> Bytes,
    ) -> bool {
        let id = self.watcher_id();
        let topics = self.context.topics.len();
        while self.leftovers.watcher.next < topics && fleet.can_publish(id, QoS::AtLeastOnce) {
            let topic = self.leftovers.watcher.next;
            let content = payload(&self.context, topic);
            let name = self.context.topics[topic].clone();
            let message = Publish::new(name, content);
            let message = Publish { retain: true, qos: QoS::AtLeastOnce, ..message };
            self.leftovers.watcher.next += 1;
            if fleet.publish(id, message, topic as u64).is_ok() {
                self.leftovers.watcher.open += 1;
            } else {
                self.results.disturbances.retained_left += 1;
            }
        }
        self.leftovers.watcher.next == topics && self.leftovers.watcher.open == 0
    }

    /// Something happened to the watcher.
    pub(super) fn watcher_happened(&mut self, what: Happening, at: u64) {
        let watcher = &mut self.leftovers.watcher;
        match what {
            Happening::Made(_) if watcher.stage == WatcherStage::Dialling => {
                watcher.stage = WatcherStage::Made;
            }
            // It was lost, and is there again to clear up.
            Happening::Made(_) => watcher.stage = WatcherStage::Clearing,
            Happening::Subscribed { codes, .. } => {
                match codes.iter().find(|code| code.is_error()) {
                    Some(code) => self.watcher_fails(Cause::Suback(*code)),
                    None => watcher.stage = WatcherStage::Setting,
                }
            }
            Happening::Acknowledged { .. } | Happening::InDoubt { .. } => {
                watcher.open = watcher.open.saturating_sub(1);
            }
            Happening::NotMade(cause) | Happening::Lost(cause) => self.watcher_fails(cause),
            Happening::Closed => watcher.stage = WatcherStage::Done,
            Happening::Pong { .. } | Happening::Sendable => {}
        }
        self.leftovers.watcher.latest = at;
        self.receiving.latest = self.receiving.latest.max(at);
    }

    fn watcher_fails(&mut self, cause: Cause) {
        let connections = &mut self.results.connections;
        let next = match self.leftovers.watcher.stage {
            WatcherStage::Watching => {
                *connections.disconnected.entry(cause).or_default() += 1;
                WatcherStage::Lost
            }
            WatcherStage::Absent
            | WatcherStage::Dialling
            | WatcherStage::Made
            | WatcherStage::Subscribing
            | WatcherStage::Setting => {
                *connections.failed.entry(cause).or_default() += 1;
                WatcherStage::Lost
            }
            WatcherStage::Lost
            | WatcherStage::Returning
            | WatcherStage::Clearing
            | WatcherStage::Closing
            | WatcherStage::Done => {
                let topics = self.context.topics.len();
                let Watcher { next, open, .. } = self.leftovers.watcher;
                self.results.disturbances.retained_left += (topics - next + open) as u64;
                WatcherStage::Done
            }
        };
        self.leftovers.watcher.stage = next;
    }

    /// A message came to the watcher.
    pub(super) fn watched(&mut self, payload: &[u8], at: u64) {
        if let Ok(Stamp { stream: u32::MAX, sequence, .. }) = self.context.payloads.read(payload) {
            self.leftovers.watcher.wills.came(sequence, at);
        }
    }

    /// All connections have ended: the watcher removes what is retained, and ends.
    pub(super) fn clear(&mut self, fleet: &mut impl ManyConnections, since: Instant, now: Instant) {
        let has_wills = self.context.will_filter().is_some();
        let stage = self.leftovers.watcher.stage;
        if stage == WatcherStage::Watching && has_wills && now < self.times.limit(since + SILENCE) {
            return;
        }
        self.begin_clearing(fleet, now);
        if self.leftovers.watcher.stage == WatcherStage::Clearing
            && self.publish_retained(fleet, |_, _| Bytes::new())
        {
            self.leftovers.watcher.stage = WatcherStage::Closing;
            fleet.close(self.watcher_id(), now);
        }
        let stage = self.leftovers.watcher.stage;
        let is_done =
            matches!(stage, WatcherStage::Absent | WatcherStage::Lost | WatcherStage::Done);
        if is_done || now >= self.cleared_at(since) {
            let Watcher { next, open, .. } = self.leftovers.watcher;
            let is_left = self.context.load.messages.retain.leaves_something() && !is_done;
            let left = if is_left { self.context.topics.len() - next + open } else { 0 };
            self.results.disturbances.retained_left += left as u64;
            self.results.disturbances.wills =
                has_wills.then(|| self.leftovers.watcher.wills.finish());
            self.begin_ending(now);
        }
    }

    /// The watcher begins to remove what is retained, or ends if there is nothing.
    fn begin_clearing(&mut self, fleet: &mut impl ManyConnections, now: Instant) {
        let id = self.watcher_id();
        let clears = self.context.load.messages.retain.leaves_something();
        let has_sent = self.context.window.start > 0;
        let watcher = &mut self.leftovers.watcher;
        match watcher.stage {
            WatcherStage::Watching | WatcherStage::Setting if clears => {
                watcher.stage = WatcherStage::Clearing;
                (watcher.next, watcher.open) = (0, 0);
            }
            WatcherStage::Watching
            | WatcherStage::Setting
            | WatcherStage::Dialling
            | WatcherStage::Made
            | WatcherStage::Subscribing => {
                watcher.stage = WatcherStage::Closing;
                fleet.close(id, now);
            }
            WatcherStage::Lost if clears && (has_sent || watcher.next > 0) => {
                watcher.stage = WatcherStage::Returning;
                (watcher.next, watcher.open) = (0, 0);
                fleet.dial(id, now, now);
            }
            WatcherStage::Absent
            | WatcherStage::Lost
            | WatcherStage::Returning
            | WatcherStage::Clearing
            | WatcherStage::Closing
            | WatcherStage::Done => {}
        }
    }

    /// When there is something to do for the watcher at the end.
    pub(super) fn next_clearing(&self, since: Instant) -> Instant {
        match self.leftovers.watcher.stage {
            WatcherStage::Absent | WatcherStage::Lost | WatcherStage::Done => since,
            WatcherStage::Watching => self.times.limit(since + SILENCE),
            WatcherStage::Dialling
            | WatcherStage::Made
            | WatcherStage::Subscribing
            | WatcherStage::Setting
            | WatcherStage::Returning
            | WatcherStage::Clearing
            | WatcherStage::Closing => self.cleared_at(since),
        }
    }

    /// When the retained messages that are left are given up.
    fn cleared_at(&self, since: Instant) -> Instant {
        let latest = self.context.clock.instant(self.leftovers.watcher.latest);
        self.times.limit(latest.max(since) + CLEARING)
    }

    /// When there is something to do for the watcher at the beginning.
    pub(super) fn next_preparation(&self) -> Option<Instant> {
        if !self.context.member.leads() {
            return None;
        }
        match self.leftovers.watcher.stage {
            WatcherStage::Absent
            | WatcherStage::Made
            | WatcherStage::Lost
            | WatcherStage::Watching => Some(self.times.began),
            WatcherStage::Setting if self.leftovers.watcher.open == 0 => Some(self.times.began),
            WatcherStage::Dialling
            | WatcherStage::Subscribing
            | WatcherStage::Setting
            | WatcherStage::Returning
            | WatcherStage::Clearing
            | WatcherStage::Closing
            | WatcherStage::Done => None,
        }
    }
}
