//! From an address to a connection that the broker has accepted, and how an old session is replaced
//! by a new one.

use std::time::Instant;

use super::attempt::{AgainCause, ConnackWait};
use super::close::Closing;
use super::round::Round;
use super::{
    Action, AddressOrder, ConnectAttempt, ConnectPurpose, CredentialUse, DialPlan, LatestSuccess,
    Lifecycle, Online, Replacing, ServerNaming, SessionFound, State, fallback,
};
use crate::client::Event;

/// After a failure another address of the same name may do better.
fn address_order(purpose: &ConnectPurpose) -> AddressOrder {
    match purpose {
        ConnectPurpose::First { attempts: 0 }
        | ConnectPurpose::Again { cause: AgainCause::Renewal, .. }
        | ConnectPurpose::EndSession(_) => AddressOrder::First,
        ConnectPurpose::First { .. } | ConnectPurpose::Again { .. } => AddressOrder::NextInTurn,
    }
}

impl Lifecycle {
    pub(super) fn connect(&mut self, now: Instant) {
        match &self.state {
            State::Idle => {
                self.retries.wait_ends = Some(now + self.policy.wait);
                self.begin(ConnectPurpose::First { attempts: 0 }, now);
            }
            // It is connected, or about to be, or has ended for good.
            State::Fetching(_)
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::AwaitingConnack(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::ReplacingSession(..)
            | State::Closing(_)
            | State::Closed => {}
        }
    }

    /// Begins a try. After a loss it is that of the next address in turn, if there are several.
    pub(super) fn begin(&mut self, purpose: ConnectPurpose, now: Instant) {
        let count = self.policy.addresses.len();
        let is_lost = matches!(purpose, ConnectPurpose::Again { .. });
        let address = if is_lost { self.latest.address + 1 } else { self.latest.address };
        let round_ends = self.deadline_of(&purpose, now);
        let attempt = self.attempt(purpose, address % count, count - 1, round_ends, now);
        self.start(attempt);
    }

    pub(super) fn attempt(
        &self,
        purpose: ConnectPurpose,
        address: usize,
        addresses_left: usize,
        round_ends: Instant,
        now: Instant,
    ) -> ConnectAttempt {
        let left = round_ends.saturating_duration_since(now);
        let share = u32::try_from(addresses_left).ok().and_then(|left| left.checked_add(1));
        let own_end = now + left / share.unwrap_or(u32::MAX);
        let plan = DialPlan {
            endpoint: self.policy.address(address).clone(),
            version: self.latest.version,
            subprotocols: self.latest.subprotocols(&self.policy),
            deadline: own_end,
            credentials: CredentialUse::Send,
            order: address_order(&purpose),
        };
        ConnectAttempt {
            purpose,
            replacing: Replacing::Nothing,
            plan,
            began: now,
            round: Round {
                address,
                left: addresses_left,
                ends: round_ends,
                own_end,
                untried: 0,
                furthest: None,
            },
            name: self.latest.name,
            redirects: None,
            earlier_error: None,
            connack: ConnackWait::default(),
        }
    }

    pub(super) fn dial(&mut self, mut attempt: Box<ConnectAttempt>) {
        attempt.round.untried = 0;
        self.actions.push_back(Action::Dial(Box::new(attempt.plan.clone())));
        self.state = State::Dialling(attempt);
    }

    pub(super) fn dialled(&mut self, untried: usize, now: Instant) {
        self.state = match self.take() {
            State::Dialling(mut attempt) => {
                attempt.round.untried = untried;
                attempt.progress(self.policy.connect_timeout, self.closing_time, now);
                State::Handshaking(attempt)
            }
            // It belongs to a connection that was given up.
            state @ (State::Idle
            | State::Fetching(_)
            | State::Handshaking(_)
            | State::AwaitingConnack(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::ReplacingSession(..)
            | State::Closing(_)
            | State::Closed) => state,
        };
    }

    pub(super) fn opened(&mut self, now: Instant) {
        self.state = match self.take() {
            State::Handshaking(mut attempt) => {
                self.actions.push_back(Action::Connect(attempt.plan.version));
                attempt.connack.silent_at = fallback::silent_at(&self.policy, &attempt, now);
                attempt.connack.failed_write = None;
                attempt.progress(self.policy.connect_timeout, self.closing_time, now);
                State::AwaitingConnack(attempt)
            }
            state @ (State::Idle
            | State::Fetching(_)
            | State::Dialling(_)
            | State::AwaitingConnack(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::ReplacingSession(..)
            | State::Closing(_)
            | State::Closed) => state,
        };
    }

    pub(super) fn accepted(&mut self, found: SessionFound, now: Instant) {
        match self.take() {
            State::AwaitingConnack(attempt) => self.attempt_accepted(attempt, found, now),
            state @ (State::Idle
            | State::Fetching(_)
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::ReplacingSession(..)
            | State::Closing(_)
            | State::Closed) => self.state = state,
        }
    }

    fn attempt_accepted(
        &mut self,
        mut attempt: Box<ConnectAttempt>,
        found: SessionFound,
        now: Instant,
    ) {
        self.latest = LatestSuccess::of(&attempt);
        if let ConnectPurpose::EndSession(outcome) = &mut attempt.purpose {
            let outcome = outcome.take();
            self.actions.push_back(Action::Disconnect);
            self.state =
                State::Closing(Closing::of_last_connection(outcome, self.closing_time, now));
            return;
        }
        match (attempt.replacing, found) {
            (Replacing::Nothing, SessionFound::Stale) => {
                self.replace(attempt, Replacing::Forgetting, now);
            }
            (Replacing::Forgetting, _) => self.replace(attempt, Replacing::Renewing, now),
            (Replacing::Nothing, SessionFound::New | SessionFound::Resumed)
            | (Replacing::Renewing, _) => {
                self.connected(*attempt, found, now);
            }
        }
    }

    /// Ends this connection, and with the next one goes a step on to a new session.
    fn replace(&mut self, mut attempt: Box<ConnectAttempt>, next: Replacing, now: Instant) {
        attempt.replacing = next;
        self.actions.push_back(Action::Disconnect);
        let closing = Closing::before_another(self.closing_time, now);
        self.state = State::ReplacingSession(attempt, closing);
    }

    fn connected(&mut self, attempt: ConnectAttempt, found: SessionFound, now: Instant) {
        self.warn_of_fallback(&attempt);
        self.retries.latest_error = None;
        self.standstill.connected();
        self.renewals.connected();
        self.stations = attempt.redirects;
        let was_at = std::mem::replace(&mut self.server, attempt.plan.endpoint);
        let before_ended = match attempt.purpose {
            ConnectPurpose::Again { since, .. } => Some(since),
            ConnectPurpose::First { .. } | ConnectPurpose::EndSession(_) => None,
        };
        let failed_write = attempt.connack.failed_write;
        self.state = State::Online(Online::new(failed_write, before_ended, now));
        match &attempt.purpose {
            ConnectPurpose::First { .. } => self.actions.push_back(Action::Connected),
            ConnectPurpose::Again { attempts, cause: AgainCause::Renewal, .. } => {
                self.retries.failures_in_a_row = *attempts;
                self.actions.push_back(Action::Event(Event::Reconnected));
            }
            ConnectPurpose::Again { since, attempts, cause: AgainCause::Loss } => {
                self.retries.failures_in_a_row = *attempts;
                let session = match found {
                    SessionFound::Resumed => "session resumed",
                    SessionFound::New | SessionFound::Stale => "new session",
                };
                let after = now.saturating_duration_since(*since).as_secs_f64();
                let is_named = self.policy.naming == ServerNaming::Always
                    || was_at.to_string() != self.server.to_string();
                let place = if is_named { format!(" to {}", self.server) } else { String::new() };
                self.warn(format!("connected again{place} after {after:.1} s, {session}"));
                self.actions.push_back(Action::Event(Event::Reconnected));
            }
            ConnectPurpose::EndSession(_) => {}
        }
    }
}
