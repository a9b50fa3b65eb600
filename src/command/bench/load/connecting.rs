//! The connections: which are ready, which have failed, and which come back.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Range;
use std::time::{Duration, Instant};

use super::dialer::Dialer;
use super::pacing::PacedConnections;
use super::team::OwnIds;
use crate::client::fleet::{Cause, Made, TlsHandshake};
use crate::command::bench::clock::number;
use crate::command::bench::config::{Comeback, LoadPlan};
use crate::command::bench::results::ConnectionResults;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// How far a connection is, as the load sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// Another loop has it.
    Elsewhere,
    /// It was not begun, or is being made.
    Pending,
    /// It waits for so many codes of SUBACK.
    Subscribing(usize),
    /// It is ready.
    Ready,
    /// It was ready, is lost, and may come back.
    Lost,
    /// The run has ended it, and it comes back.
    Away,
    /// It was away, and waits for so many codes of SUBACK.
    Returning(usize),
    /// It could not be made.
    Failed,
    /// It has ended as it should.
    Closed,
}

impl ConnectionState {
    /// Whether it was made, and neither lost nor ended by the run.
    pub fn is_there(self) -> bool {
        match self {
            Self::Pending | Self::Subscribing(_) | Self::Ready | Self::Closed => true,
            Self::Elsewhere | Self::Lost | Self::Away | Self::Returning(_) | Self::Failed => false,
        }
    }
}

/// All connections.
#[derive(Debug)]
pub struct Connecting {
    states: Vec<ConnectionState>,
    own: OwnIds,
    /// Those that begin for the first time.
    dialer: Dialer,
    /// How many are to become ready or to fail before it goes on.
    pending: usize,
    /// When those come back that were lost.
    comebacks: BinaryHeap<Reverse<(Instant, usize)>>,
    comeback: Comeback,
    random: fastrand::Rng,
    /// When the first was to begin.
    began: Instant,
    /// Those of a step of connecting.
    pub paced: PacedConnections,
}

impl Connecting {
    /// The connections of this load that are in this loop, none of which has begun.
    pub fn new(load: &LoadPlan, own: OwnIds, now: Instant) -> Self {
        let state = |id| {
            if own.has(id) { ConnectionState::Pending } else { ConnectionState::Elsewhere }
        };
        let LoadPlan { comeback, seed, .. } = *load;
        Self {
            states: (0..load.plan.connections()).map(state).collect(),
            own,
            dialer: Dialer::new(0..0, own, None, now),
            pending: 0,
            comebacks: BinaryHeap::new(),
            comeback,
            random: fastrand::Rng::with_seed(seed ^ 0x6c6f_7374),
            began: now,
            paced: PacedConnections::default(),
        }
    }

    /// How many there are in this loop.
    pub fn wanted(&self) -> u64 {
        let own = self.states.iter().filter(|state| **state != ConnectionState::Elsewhere);
        own.count() as u64
    }

    /// How many there are in all loops.
    pub fn count(&self) -> usize {
        self.states.len()
    }

    /// A connection is so far.
    pub fn set(&mut self, id: usize, state: ConnectionState) {
        self.states[id] = state;
    }

    /// How far a connection is.
    pub fn state(&self, id: usize) -> ConnectionState {
        self.states[id]
    }

    /// These are to be made now, at this rate, and to become ready.
    pub fn expect(&mut self, ids: Range<usize>, rate: Option<f64>, now: Instant) {
        self.pending += ids.clone().filter(|id| self.own.has(*id)).count();
        self.dialer = Dialer::new(ids, self.own, rate, now);
    }

    /// Those that are to begin for the first time now, each with its time.
    pub fn due_first(&mut self, now: Instant) -> Vec<(usize, Instant)> {
        self.dialer.due(now)
    }

    /// When the next is to begin for the first time.
    pub fn next_first(&self) -> Option<Instant> {
        self.dialer.next()
    }

    /// Whether all that were begun are ready or have failed.
    pub fn is_settled(&self) -> bool {
        self.dialer.is_done() && self.pending == 0
    }

    /// How many are online.
    pub fn online(&self) -> u64 {
        self.states.iter().filter(|state| **state == ConnectionState::Ready).count() as u64
    }

    /// A connection was made; whether that was its first time. `codes` of SUBACK are to come.
    pub fn made(&mut self, id: usize, made: &Made, codes: usize, to: &mut ConnectionResults) {
        to.resumed += u64::from(made.steps.handshake == Some(TlsHandshake::Resumed));
        if self.states[id] == ConnectionState::Lost {
            to.reconnected += 1;
            self.states[id] = ConnectionState::Ready;
            return;
        }
        note_made(made, to);
        note_steps(made, to);
        if codes > 0 {
            self.states[id] = ConnectionState::Subscribing(codes);
        } else {
            self.settle(id, ConnectionState::Ready);
        }
    }

    /// A connection of a step was made; whether it belongs to the window.
    pub fn made_in_step(
        &mut self,
        id: usize,
        made: &Made,
        is_measured: bool,
        to: &mut ConnectionResults,
    ) {
        to.resumed += u64::from(made.steps.handshake == Some(TlsHandshake::Resumed));
        if is_measured {
            note_made(made, to);
        }
        // Of the warm-up, too: the server is at its fastest when a step begins.
        note_steps(made, to);
        self.states[id] = ConnectionState::Ready;
        self.paced.made(id);
    }

    /// A connection of a step could not be made; now as a number, and as a point in time.
    pub fn not_made_in_step(
        &mut self,
        id: usize,
        cause: Cause,
        (at, now): (u64, Instant),
        to: &mut ConnectionResults,
    ) {
        *to.failed.entry(cause).or_default() += 1;
        to.first_failed.get_or_insert((id + 1, now.duration_since(self.began)));
        self.states[id] = ConnectionState::Failed;
        self.paced.not_made(id, at);
    }

    fn settle(&mut self, id: usize, state: ConnectionState) {
        self.states[id] = state;
        self.pending = self.pending.saturating_sub(1);
    }

    /// SUBACK came; an error if it refuses a filter. Returns the lowest QoS that it grants.
    pub fn subscribed(
        &mut self,
        id: usize,
        codes: &[ReasonCode],
        took: Duration,
        to: &mut ConnectionResults,
    ) -> Result<Option<QoS>, Cause> {
        let (ConnectionState::Subscribing(missing) | ConnectionState::Returning(missing)) =
            self.states[id]
        else {
            return Ok(None);
        };
        if let Some(code) = codes.iter().find(|code| code.is_error()) {
            return Err(Cause::Suback(*code));
        }
        let is_first = matches!(self.states[id], ConnectionState::Subscribing(_));
        match missing.saturating_sub(codes.len()) {
            0 if is_first => {
                to.times.suback.add(number(took));
                self.settle(id, ConnectionState::Ready);
            }
            0 => self.states[id] = ConnectionState::Ready,
            left if is_first => self.states[id] = ConnectionState::Subscribing(left),
            left => self.states[id] = ConnectionState::Returning(left),
        }
        Ok(codes.iter().filter_map(|code| QoS::from_bits(code.0)).min())
    }

    /// A connection could not be made, or was lost before it was ready. One that was ready before
    /// is tried again.
    pub fn not_made(&mut self, id: usize, cause: Cause, now: Instant, to: &mut ConnectionResults) {
        match self.states[id] {
            ConnectionState::Lost => return self.come_back(id, now),
            ConnectionState::Away | ConnectionState::Returning(_) => {
                self.states[id] = ConnectionState::Away;
                return self.come_back(id, now);
            }
            ConnectionState::Pending | ConnectionState::Subscribing(_) => {}
            ConnectionState::Elsewhere
            | ConnectionState::Ready
            | ConnectionState::Failed
            | ConnectionState::Closed => return,
        }
        *to.failed.entry(cause).or_default() += 1;
        to.first_failed.get_or_insert((id + 1, now.duration_since(self.began)));
        self.settle(id, ConnectionState::Failed);
    }

    /// A connection was lost.
    pub fn lost(&mut self, id: usize, cause: Cause, now: Instant, to: &mut ConnectionResults) {
        if matches!(
            self.states[id],
            ConnectionState::Pending
                | ConnectionState::Subscribing(_)
                | ConnectionState::Returning(_)
        ) {
            return self.not_made(id, cause, now, to);
        }
        *to.disconnected.entry(cause).or_default() += 1;
        self.states[id] = ConnectionState::Lost;
        self.come_back(id, now);
    }

    /// The run ends a connection, which comes back.
    pub fn leave(&mut self, id: usize) {
        self.states[id] = ConnectionState::Away;
    }

    /// A connection that was away was made again; so many codes of SUBACK are to come.
    pub fn returns(&mut self, id: usize, codes: usize) {
        let is_ready = codes == 0;
        self.states[id] =
            if is_ready { ConnectionState::Ready } else { ConnectionState::Returning(codes) };
    }

    fn come_back(&mut self, id: usize, now: Instant) {
        if self.comeback == Comeback::Soon {
            let delay = Duration::from_secs_f64(0.5 + self.random.f64());
            self.comebacks.push(Reverse((now + delay, id)));
        }
    }

    /// A connection has ended as it should.
    pub fn closed(&mut self, id: usize) {
        self.states[id] = ConnectionState::Closed;
    }

    /// When the next comes back.
    pub fn next(&self) -> Option<Instant> {
        self.comebacks.peek().map(|Reverse((at, _))| *at)
    }

    /// Those that come back now.
    pub fn due(&mut self, now: Instant) -> Vec<usize> {
        let mut due = Vec::new();
        while let Some(Reverse((at, id))) = self.comebacks.peek().copied()
            && at <= now
        {
            self.comebacks.pop();
            due.push(id);
        }
        due
    }

    /// None comes back any more.
    pub fn stop(&mut self) {
        self.comebacks.clear();
        self.comeback = Comeback::Never;
    }
}

/// Notes a connection that was made, and how long it took.
fn note_made(made: &Made, to: &mut ConnectionResults) {
    to.made += 1;
    to.times.whole.add(number(made.took));
}

/// Notes how long the steps of a connection took that was made.
fn note_steps(made: &Made, to: &mut ConnectionResults) {
    let times = &mut to.times;
    let steps = &made.steps;
    for (time, step) in [
        (&mut times.tcp, steps.tcp),
        (&mut times.tls, steps.tls),
        (&mut times.upgrade, steps.upgrade),
        (&mut times.connack, steps.connack),
    ] {
        if let Some(step) = step {
            time.add(number(step));
        }
    }
}

/// The cause that came most often.
pub fn commonest(causes: &BTreeMap<Cause, u64>) -> Option<Cause> {
    causes.iter().max_by_key(|(_, count)| **count).map(|(cause, _)| *cause)
}
