//! The connections that the run itself has ended: since when they are away, and in which order they
//! come back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::churn::Churn;
use super::cut::Cut;
use super::stalls::{ArrivedCopy, Stalls};
use crate::client::fleet::Cause;
use crate::command::bench::disturbances::CutPlan;
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::results::DisturbanceResults;

/// How many connections begin again in one turn at most.
const AT_ONCE: usize = 64;

/// The latest absence of a connection; times are nanoseconds of the clock of the run.
#[derive(Debug, Clone, Copy)]
struct Absence {
    reason: AbsenceReason,
    /// Since when.
    since: u64,
    /// When it was back.
    back: Option<u64>,
}

/// Why a connection is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AbsenceReason {
    /// The cut of this number.
    Cut(usize),
    /// Its turn to be made anew had come (`--churn`).
    Churn,
}

/// All connections that the run has ended.
#[derive(Debug, Default)]
pub struct Absences {
    /// The latest absence of each connection; empty if there was none.
    latest: Vec<Option<Absence>>,
    cuts: Vec<Cut>,
    /// Those that are made anew all the time.
    pub churn: Churn,
    /// Those that do not read.
    pub stalls: Stalls,
    /// Those that are to be made again.
    pub redial: Redial,
}

impl Absences {
    /// No connection is away; those that will be come back at this rate.
    pub fn new(rate: Option<f64>) -> Self {
        Self { redial: Redial { rate, ..Redial::default() }, ..Self::default() }
    }

    /// How many cuts there were.
    pub fn cuts(&self) -> usize {
        self.cuts.len()
    }

    /// These of so many connections are cut now; delivery had these times before.
    pub fn cut(
        &mut self,
        plan: CutPlan,
        ids: &[usize],
        connections: usize,
        at: u64,
        before: &LatencyTimes,
    ) {
        self.latest.resize(connections, None);
        let number = self.cuts.len();
        let is_of_it = |absence: &&Absence| absence.reason == AbsenceReason::Cut(number);
        let away = self.latest.iter().flatten().filter(is_of_it);
        let elsewhere = away.filter(|absence| absence.back.is_none()).count() as u64;
        for id in ids {
            let reason = AbsenceReason::Cut(number);
            self.latest[*id] = Some(Absence { reason, since: at, back: None });
        }
        let mut cut = Cut::new(plan, ids.len() as u64, at, before);
        // Other loops were faster.
        (0..elsewhere).for_each(|_| cut.away_elsewhere());
        self.cuts.push(cut);
    }

    /// This of so many connections is ended now, and made anew.
    pub fn end(&mut self, id: usize, connections: usize, at: u64) {
        self.latest.resize(connections, None);
        self.latest[id] = Some(Absence { reason: AbsenceReason::Churn, since: at, back: None });
        self.churn.end(id);
    }

    /// A connection is back, and whether the server still had its session; returns how long it was
    /// away by a cut.
    pub fn back(&mut self, id: usize, session_present: bool, now: u64) -> Option<u64> {
        let absence = self.latest.get_mut(id)?.as_mut()?;
        absence.back = Some(now);
        let took = now.saturating_sub(absence.since);
        match absence.reason {
            AbsenceReason::Cut(cut) => {
                self.cuts[cut].back(session_present, now);
                Some(took)
            }
            AbsenceReason::Churn => {
                self.churn.back(session_present, took);
                None
            }
        }
    }

    /// A connection of another loop is away since `at`: by the cut of this number, or by churn.
    pub fn away_elsewhere(&mut self, id: usize, cut: Option<usize>, connections: usize, at: u64) {
        self.latest.resize(connections, None);
        let reason = cut.map_or(AbsenceReason::Churn, AbsenceReason::Cut);
        self.latest[id] = Some(Absence { reason, since: at, back: None });
        if let Some(cut) = cut.and_then(|cut| self.cuts.get_mut(cut)) {
            cut.away_elsewhere();
        }
    }

    /// A connection of another loop is back.
    pub fn back_elsewhere(&mut self, id: usize, at: u64) {
        let Some(Some(absence)) = self.latest.get_mut(id) else { return };
        absence.back = Some(at);
        match absence.reason {
            AbsenceReason::Cut(cut) => {
                if let Some(cut) = self.cuts.get_mut(cut) {
                    cut.back_elsewhere(at);
                }
            }
            AbsenceReason::Churn => {}
        }
    }

    /// A connection could not come back.
    pub fn failed(&mut self, id: usize, cause: Cause) {
        if let Some(Some(absence)) = self.latest.get(id) {
            match absence.reason {
                AbsenceReason::Cut(cut) => self.cuts[cut].failed(cause),
                AbsenceReason::Churn => self.churn.failed(cause),
            }
        }
    }

    /// A first copy came; whether it has to do with a cut.
    pub fn copy(&mut self, copy: ArrivedCopy) -> bool {
        self.stalls.copy(copy);
        if self.cuts.is_empty() {
            return false;
        }
        let ArrivedCopy { reader, publisher, intended, at } = copy;
        let waited_for = [reader, publisher].into_iter().find_map(|id| {
            let absence = self.latest.get(id).copied().flatten()?;
            let is_of_it = id == reader || intended >= absence.since;
            let has_waited = absence.back.is_some_and(|back| intended < back && back <= at);
            (is_of_it && has_waited).then_some(absence.reason)
        });
        match waited_for {
            // What another loop has cut may be known here before this one's part of it.
            Some(AbsenceReason::Cut(cut)) => {
                if let Some(cut) = self.cuts.get_mut(cut) {
                    cut.waited(at);
                }
            }
            Some(AbsenceReason::Churn) | None => {}
        }
        let mut is_near = false;
        for cut in &mut self.cuts {
            cut.came(intended, at.saturating_sub(intended));
            is_near |= cut.is_near(intended, at);
        }
        is_near
    }

    /// What came of the cuts, at the end of the run.
    pub fn finish(&mut self, to: &mut DisturbanceResults) {
        to.cuts = self.cuts.drain(..).map(Cut::finish).collect();
        let away = to.cuts.iter().map(|cut| cut.back.never()).sum();
        to.back.add_never(away);
        to.stalls = self.stalls.finish();
        to.churn = self.churn.finish();
    }
}

/// Connections that begin again one after the other.
#[derive(Debug, Default)]
pub struct Redial {
    waiting: VecDeque<usize>,
    /// Connections a second; `None` is all at once.
    rate: Option<f64>,
    /// When the next may begin.
    next: Option<Instant>,
}

impl Redial {
    /// These are to begin at this rate.
    pub fn new(ids: impl IntoIterator<Item = usize>, rate: Option<f64>) -> Self {
        Self { waiting: ids.into_iter().collect(), rate, next: None }
    }

    /// This one is to begin, too.
    pub fn push(&mut self, id: usize) {
        self.waiting.push_back(id);
    }

    /// Nothing begins any more.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// When the next begins; `now` if it is at once.
    pub fn next(&self, now: Instant) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.next.unwrap_or(now))
    }

    /// Those that begin now.
    pub fn due(&mut self, now: Instant) -> Vec<usize> {
        let mut due = Vec::new();
        while due.len() < AT_ONCE
            && self.next.is_none_or(|next| next <= now)
            && let Some(id) = self.waiting.pop_front()
        {
            due.push(id);
            if let Some(rate) = self.rate {
                let from = self.next.unwrap_or(now);
                self.next = Some(from + Duration::from_secs_f64(1.0 / rate));
            }
        }
        if self.waiting.is_empty() && self.next.is_some_and(|next| next <= now) {
            self.next = None;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_come_back_at_their_rate() {
        let began = Instant::now();
        let half = Duration::from_millis(500);
        let mut redial = Redial::new(0..3, Some(2.0));
        assert_eq!(redial.due(began), [0]);
        assert_eq!(redial.next(began), Some(began + half));
        assert_eq!(redial.due(began + 2 * half), [1, 2]);
        assert_eq!(redial.next(began + 2 * half), None);
        redial.push(7);
        assert!(redial.due(began + 2 * half).is_empty(), "not above the rate");
        assert_eq!(redial.due(began + 3 * half), [7]);
        let all = Redial::new(0..200, None).due(began);
        assert_eq!(all.len(), AT_ONCE);
    }
}
