//! What the run does with connections that stop reading, and with those that are made anew all the
//! time.

use std::time::{Duration, Instant};

use super::connecting::ConnectionState;
use super::team::LoopNote;
use super::{Load, LoadPhase, RunDisplay};
use crate::client::fleet::ManyConnections;
use crate::command::bench::disturbances::StallPlan;

/// How many connections are ended in one turn at most.
const AT_ONCE: usize = 64;

impl<D: RunDisplay> Load<D> {
    /// Begins and ends the stalls that are due.
    pub(super) fn stall(&mut self, fleet: &mut impl ManyConnections, now: Instant) {
        let at = self.context.clock.number(now);
        while let Some((_, stall)) = self.next_stall().filter(|(due, _)| *due <= now) {
            let mut ids = stall.who.ids(&self.context.load.plan);
            let state = |id: &usize| self.connecting.state(*id);
            // What comes from those of other loops counts here, too.
            ids.retain(|id| {
                matches!(state(id), ConnectionState::Ready | ConnectionState::Elsewhere)
            });
            let own = ids.iter().filter(|id| state(id) == ConnectionState::Ready);
            let own: Vec<usize> = own.copied().collect();
            for id in &own {
                fleet.stall(*id);
            }
            self.absences.stalls.begin(stall, ids, own.len() as u64, at);
        }
        for id in self.absences.stalls.end(at) {
            if self.connecting.state(id) != ConnectionState::Elsewhere {
                fleet.read_again(id);
            }
        }
    }

    /// The next stall of the plan, and when it is.
    fn next_stall(&self) -> Option<(Instant, StallPlan)> {
        let stalls = &self.context.load.disturbances.stalls;
        let stall = *stalls.get(self.absences.stalls.count())?;
        Some((self.time_in_window(stall.at)?, stall))
    }

    /// When a stall begins or ends.
    pub(super) fn next_stalling(&self) -> Option<Instant> {
        let end = self.absences.stalls.next_end().map(|at| self.context.clock.instant(at));
        let begin = self.next_stall().map(|(at, _)| at);
        [begin, end].into_iter().flatten().min()
    }

    /// Ends the connections whose turn it is; they are made anew when they have ended.
    pub(super) fn churn(&mut self, fleet: &mut impl ManyConnections, now: Instant) {
        let at = self.context.clock.number(now);
        let connections = self.context.load.plan.connections();
        for _ in 0..AT_ONCE {
            if self.next_churn().is_none_or(|due| due > now) {
                return;
            }
            let first = self.absences.churn.next();
            // One that is away, or whose bytes the server does not take, is passed over.
            let ready = (0..connections).map(|after| (first + after) % connections).find(|id| {
                self.connecting.state(*id) == ConnectionState::Ready && !fleet.is_congested(*id)
            });
            let Some(id) = ready else { return };
            self.absences.end(id, connections, at);
            self.connecting.leave(id);
            self.context.member.post_to_others(LoopNote::Away(id, None, at));
            fleet.close(id, now);
            self.is_away(id, at);
        }
    }

    /// When the next connection is ended.
    pub(super) fn next_churn(&self) -> Option<Instant> {
        let rate = self.context.load.disturbances.churn?;
        if !self.phase.is_loading() {
            return None;
        }
        let is_sending = self.phase == LoadPhase::Sending;
        let start = if is_sending { self.context.window.start } else { self.seconds.began() };
        // The loops take turns.
        let turn = self.absences.churn.turns_before() * self.context.loops();
        let after = Duration::from_secs_f64((turn + self.context.loop_number() + 1.0) / rate);
        let due = self.context.clock.instant(start) + after;
        Some(due).filter(|due| self.context.clock.number(*due) < self.context.window.end)
    }
}
