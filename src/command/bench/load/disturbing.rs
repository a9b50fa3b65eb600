//! What the run does to its own connections while messages are sent.

use std::time::{Duration, Instant};

use super::connecting::ConnectionState;
use super::team::LoopNote;
use super::{Load, RunDisplay};
use crate::client::fleet::{Made, ManyConnections, TcpEnd};
use crate::command::bench::clock::number;
use crate::command::bench::config::SessionKeeping;
use crate::command::bench::disturbances::{CutKind, CutPlan};
use crate::command::bench::plan::Role;
use crate::mqtt::qos::QoS;

impl<D: RunDisplay> Load<D> {
    /// Does what is due to connections, and begins those again that come back.
    pub(super) fn disturb(&mut self, fleet: &mut impl ManyConnections, now: Instant) {
        while let Some((_, cut)) = self.next_cut().filter(|(at, _)| *at <= now) {
            self.cut(cut, fleet, now);
        }
        self.stall(fleet, now);
        self.churn(fleet, now);
        for id in self.absences.redial.due(now) {
            fleet.dial(id, now, now);
        }
    }

    /// When something is to be done to connections.
    pub(super) fn next_disturbance(&self) -> Option<Instant> {
        let cut = self.next_cut().map(|(at, _)| at);
        let redial = self.absences.redial.next(self.times.began);
        let others = [self.next_stalling(), self.next_churn()];
        [cut, redial].into_iter().chain(others).flatten().min()
    }

    /// The next cut of the plan, and when it is.
    fn next_cut(&self) -> Option<(Instant, CutPlan)> {
        let cut = *self.context.load.disturbances.cuts.get(self.absences.cuts())?;
        Some((self.time_in_window(cut.at)?, cut))
    }

    /// When so much of the window is over: not known before it, and never after it.
    pub(super) fn time_in_window(&self, after: Duration) -> Option<Instant> {
        let is_in_it = self.phase.is_loading() && self.seconds.has_begun();
        is_in_it.then(|| self.context.clock.instant(self.seconds.began() + number(after)))
    }

    fn cut(&mut self, cut: CutPlan, fleet: &mut impl ManyConnections, now: Instant) {
        let plan = self.context.load.plan;
        let mut ids = cut.who.ids(&plan);
        ids.retain(|id| self.connecting.state(*id) == ConnectionState::Ready);
        let at = self.context.clock.number(now);
        let before = &self.results.disturbances.away;
        let number = self.absences.cuts();
        self.absences.cut(cut, &ids, plan.connections(), at, before);
        for id in ids {
            self.connecting.leave(id);
            self.context.member.post_to_others(LoopNote::Away(id, Some(number), at));
            match cut.how {
                CutKind::Reset => fleet.cut(id, TcpEnd::Reset),
                CutKind::Fin => fleet.cut(id, TcpEnd::Fin),
                CutKind::Disconnect => fleet.close(id, now),
            }
            if cut.how != CutKind::Disconnect {
                self.will_is_due(id, at);
                self.absences.redial.push(id);
            }
            self.is_away(id, at);
        }
    }

    /// A connection is away from now on.
    pub(super) fn is_away(&mut self, id: usize, at: u64) {
        match self.context.load.plan.role(id) {
            Role::Subscriber(subscriber) if !self.has_promise() => {
                self.leave(subscriber);
            }
            Role::Publisher(publisher) => self.sending.offline(publisher, at),
            Role::Subscriber(_) | Role::Idle(_) => {}
        }
    }

    /// A subscriber has no session any more. A group has as long as one of its members is there.
    pub(super) fn leave(&mut self, subscriber: usize) {
        let plan = self.context.load.plan;
        let reader = plan.reader(subscriber);
        let mut others = plan.members(reader).filter(|member| *member != subscriber);
        if !others.any(|member| self.connecting.state(member).is_there()) {
            self.receiving.leave(reader, &self.context);
        }
    }

    /// Whether what is sent to a reader that is away must come to it later, if the server keeps its
    /// session.
    fn has_promise(&self) -> bool {
        let messages = &self.context.load.messages;
        let granted = self.results.granted.unwrap_or(messages.sub_qos);
        messages.qos.min(granted) > QoS::AtMostOnce
            && self.context.load.sessions != SessionKeeping::Connection
    }

    /// A connection that was away was made again.
    pub(super) fn returns(&mut self, id: usize, made: &Made, at: u64) {
        let session_present = made.connack.session_present;
        let codes = if session_present { 0 } else { self.codes(id) };
        self.connecting.returns(id, codes);
        if codes == 0 {
            self.is_back(id, session_present, at);
        }
    }

    /// A connection that was away is ready again.
    pub(super) fn is_back(&mut self, id: usize, session_present: bool, at: u64) {
        self.context.member.post_to_others(LoopNote::Back(id, at));
        if let Some(took) = self.absences.back(id, session_present, at) {
            self.results.disturbances.back.add(took);
        }
    }

    /// How many filters a connection subscribes to.
    pub(super) fn codes(&self, id: usize) -> usize {
        match self.context.load.plan.role(id) {
            Role::Subscriber(subscriber) => self.context.filters(subscriber).len(),
            Role::Publisher(_) | Role::Idle(_) => 0,
        }
    }
}
