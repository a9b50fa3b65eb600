//! The very end: what the server would keep of the run is ended.

use std::time::{Duration, Instant};

use super::absences::Redial;
use super::watcher::Watcher;
use super::wills::Wills;
use super::{Context, Load, LoadPhase, RunDisplay};
use crate::client::fleet::ManyConnections;
use crate::command::bench::config::SessionKeeping;

/// How long it is waited for the end of one more session.
const ENDING: Duration = Duration::from_secs(10);

/// What is to be ended at the server.
#[derive(Debug)]
pub struct ServerRemains {
    /// The connection that removes what is retained.
    pub watcher: Watcher,
    /// Connections that are to be made once more, clean.
    sessions: Redial,
    /// How many of them have not ended.
    left: usize,
    /// How many had not when it was looked, and when that was.
    seen: Option<(usize, Instant)>,
    /// Clean connections that were made, and end now.
    end: Vec<usize>,
}

impl ServerRemains {
    /// Nothing is left yet.
    pub fn new(context: &Context) -> Self {
        let has_wills = context.will_filter().is_some();
        let wills = if has_wills { context.load.plan.connections() } else { 0 };
        let watcher = Watcher::new(Wills::new(wills));
        Self { watcher, sessions: Redial::default(), left: 0, seen: None, end: Vec::new() }
    }
}

impl<D: RunDisplay> Load<D> {
    /// All connections are closed: what is left at the server?
    pub(super) fn begin_ending(&mut self, now: Instant) {
        let is_kept = self.context.load.sessions != SessionKeeping::Connection;
        let mut ids = std::mem::take(&mut self.chores.sessions);
        if self.is_of_connecting() {
            ids = self.sessions_of_steps();
            for id in &ids {
                self.connecting.closed(*id);
            }
        }
        let left = if is_kept { ids.len() } else { 0 };
        let rate = self.context.load.connect_rate.map(|rate| rate / self.context.loops());
        self.leftovers.sessions = Redial::new(ids.into_iter().take(left), rate);
        self.leftovers.left = left;
        self.phase = LoadPhase::Ending(now);
    }

    /// Makes a clean connection for each session, which ends it.
    pub(super) fn end_sessions(
        &mut self,
        fleet: &mut impl ManyConnections,
        since: Instant,
        now: Instant,
    ) {
        for id in std::mem::take(&mut self.leftovers.end) {
            fleet.close(id, now);
        }
        for id in self.leftovers.sessions.due(now) {
            fleet.dial_to_end_session(id, now);
        }
        if self.leftovers.seen.is_none_or(|(left, _)| left > self.leftovers.left) {
            self.leftovers.seen = Some((self.leftovers.left, now));
        }
        if self.leftovers.left == 0 || now >= self.ended_at(since) {
            self.results.disturbances.sessions_left += self.leftovers.left as u64;
            self.phase = LoadPhase::Over;
        }
    }

    /// When there is something to do for the sessions.
    pub(super) fn next_ending(&self, since: Instant) -> Instant {
        let is_ready = self.leftovers.left == 0 || !self.leftovers.end.is_empty();
        let next = self.leftovers.sessions.next(since);
        let end = self.ended_at(since);
        if is_ready { since } else { next.map_or(end, |next| next.min(end)) }
    }

    /// When the sessions that are left are given up.
    fn ended_at(&self, since: Instant) -> Instant {
        let latest = self.leftovers.seen.map_or(since, |(_, at)| at);
        self.times.limit(latest + ENDING)
    }

    /// A clean connection was made.
    pub(super) fn made_clean(&mut self, id: usize) {
        self.leftovers.end.push(id);
    }

    /// A session was ended.
    pub(super) fn session_ended(&mut self) {
        self.leftovers.left = self.leftovers.left.saturating_sub(1);
    }

    /// A session could not be ended.
    pub(super) fn session_left(&mut self) {
        if let LoadPhase::Ending(_) = self.phase {
            self.session_ended();
            self.results.disturbances.sessions_left += 1;
        }
    }
}
