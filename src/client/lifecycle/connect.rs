//! From an address to a connection that the broker has accepted, and the steps in which an old
//! session is replaced by a new one.

use std::time::Instant;

use super::close::Closing;
use super::{
    Accepted, Attempt, Connack, Lifecycle, Online, Output, Plan, Purpose, Replacing, State,
    fallback,
};
use crate::client::Event;

impl Lifecycle {
    pub(super) fn connect(&mut self, now: Instant) {
        match &self.state {
            State::Idle => {
                self.wait_ends = Some(now + self.policy.wait);
                self.begin(Purpose::First { attempts: 0 }, now);
            }
            // It is already, or will never be again.
            State::Dialling(_)
            | State::Handshaking(_)
            | State::AwaitingConnack(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::ReplacingSession(..)
            | State::Closing(_)
            | State::Closed => {}
        }
    }

    /// Begins a try at the address that was of use the last time.
    pub(super) fn begin(&mut self, purpose: Purpose, now: Instant) {
        let left = self.policy.addresses.len().saturating_sub(1);
        let attempt = self.attempt(purpose, self.address, left, now);
        self.dial(attempt);
    }

    pub(super) fn attempt(
        &self,
        purpose: Purpose,
        address: usize,
        addresses_left: usize,
        now: Instant,
    ) -> Option<Box<Attempt>> {
        let deadline = self.deadline_of(&purpose, now);
        let plan = Plan {
            endpoint: self.policy.addresses.get(address)?.clone(),
            version: self.version,
            subprotocols: fallback::subprotocols(&self.policy, self.version, self.name),
            deadline,
            withholds_credentials: false,
        };
        Some(Box::new(Attempt {
            purpose,
            replacing: Replacing::Nothing,
            plan,
            began: now,
            address,
            addresses_left,
            name: self.name,
            redirects: None,
            told: None,
            connack: Connack::default(),
        }))
    }

    /// Without any address there is nothing to dial.
    pub(super) fn dial(&mut self, attempt: Option<Box<Attempt>>) {
        let Some(attempt) = attempt else {
            self.state = State::Closed;
            return;
        };
        self.outputs.push_back(Output::Credentials);
        self.outputs.push_back(Output::Dial(Box::new(attempt.plan.clone())));
        self.state = State::Dialling(attempt);
    }

    pub(super) fn dialled(&mut self, now: Instant) {
        self.state = match self.take() {
            State::Dialling(mut attempt) => {
                attempt.progress(self.policy.connect_timeout, self.patience, now);
                State::Handshaking(attempt)
            }
            // News of a connection that was given up.
            state @ (State::Idle
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
                self.outputs.push_back(Output::Connect(attempt.plan.version));
                attempt.connack.silent_at = fallback::silent_at(&self.policy, &attempt, now);
                attempt.connack.failing = None;
                attempt.progress(self.policy.connect_timeout, self.patience, now);
                State::AwaitingConnack(attempt)
            }
            state @ (State::Idle
            | State::Dialling(_)
            | State::AwaitingConnack(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::ReplacingSession(..)
            | State::Closing(_)
            | State::Closed) => state,
        };
    }

    pub(super) fn accepted(&mut self, accepted: Accepted, now: Instant) {
        let state = self.take();
        let mut attempt = match state {
            State::AwaitingConnack(attempt) => attempt,
            State::Idle
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::ReplacingSession(..)
            | State::Closing(_)
            | State::Closed => {
                self.state = state;
                return;
            }
        };
        (self.version, self.name, self.address) =
            (attempt.plan.version, attempt.name, attempt.address);
        if let Purpose::EndSession(outcome) = &mut attempt.purpose {
            let outcome = outcome.take();
            self.outputs.push_back(Output::Disconnect);
            self.state = State::Closing(Closing::of_last_connection(outcome, self.patience, now));
            return;
        }
        match (attempt.replacing, accepted) {
            (Replacing::Nothing, Accepted::Stale) => {
                self.replace(attempt, Replacing::Forgetting, now);
            }
            (Replacing::Forgetting, _) => self.replace(attempt, Replacing::Renewing, now),
            (Replacing::Nothing, Accepted::New | Accepted::Resumed) | (Replacing::Renewing, _) => {
                self.connected(*attempt, accepted, now);
            }
        }
    }

    /// Ends this connection, and with the next one goes a step on to a new session.
    fn replace(&mut self, mut attempt: Box<Attempt>, next: Replacing, now: Instant) {
        attempt.replacing = next;
        self.outputs.push_back(Output::Disconnect);
        let closing = Closing::before_another(self.patience, now);
        self.state = State::ReplacingSession(attempt, closing);
    }

    fn connected(&mut self, attempt: Attempt, accepted: Accepted, now: Instant) {
        self.tell_fallback(&attempt);
        let failing = attempt.connack.failing;
        self.state = State::Online(Online { since: now, failing, asked: None });
        match &attempt.purpose {
            Purpose::First { .. } => self.outputs.push_back(Output::Connected),
            Purpose::Again { since, attempts } => {
                self.failures_in_a_row = *attempts;
                let session = match accepted {
                    Accepted::Resumed => "session resumed",
                    Accepted::New | Accepted::Stale => "new session",
                };
                let after = now.saturating_duration_since(*since).as_secs_f64();
                self.warn(format!("connected again after {after:.1} s, {session}"));
                self.outputs.push_back(Output::Event(Event::Reconnected));
            }
            Purpose::EndSession(_) => {}
        }
    }
}
