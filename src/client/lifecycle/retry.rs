//! When and how often another try is made.

use std::time::{Duration, Instant};

use super::attempt::AgainCause;
use super::redirect::Redirected;
use super::{
    Action, Backoff, ConnectAttempt, ConnectPurpose, Lifecycle, Replacing, State, fallback,
};
use crate::client::Reconnect;
use crate::client::error::Error;

/// `--wait` pauses no longer than this between two tries.
const LONGEST_WAIT_PAUSE: Duration = Duration::from_millis(500);

/// The last try of `--wait`, at its very end, may take this long.
const LAST_TRY: Duration = Duration::from_millis(500);

/// What has been tried since there was a connection, and when the next try is due.
#[derive(Debug)]
pub struct Retries {
    /// When `--wait` is over.
    pub wait_ends: Option<Instant>,
    /// What the latest try of `--wait` has failed with.
    pub latest_error: Option<String>,
    /// How many tries it took since something last came over a connection.
    pub failures_in_a_row: u32,
    random: fastrand::Rng,
}

impl Retries {
    /// Nothing was tried yet; `seed` decides how long the pauses between tries are.
    pub fn new(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { wait_ends: None, latest_error: None, failures_in_a_row: 0, random }
    }

    /// The pause before try number `attempts` (from 0).
    pub(super) fn delay(&mut self, reconnect: Reconnect, attempts: u32) -> Duration {
        reconnect.delay(attempts, self.random.f64())
    }

    /// When `--wait` has the next try: the last one at its very end.
    fn next_first_try(
        &mut self,
        reconnect: Reconnect,
        attempts: u32,
        now: Instant,
    ) -> Option<Instant> {
        let ends = self.wait_ends.filter(|ends| now < *ends)?;
        let pause = self.delay(reconnect, attempts).min(LONGEST_WAIT_PAUSE);
        Some((now + pause).min(ends))
    }
}

impl Lifecycle {
    /// A connection of an attempt failed before it was accepted: goes on with the next thing to
    /// try, if there is any.
    pub(super) fn attempt_failed(
        &mut self,
        attempt: Box<ConnectAttempt>,
        error: Error,
        now: Instant,
    ) {
        self.actions.push_back(Action::Drop);
        self.repeated.interrupted();
        let (attempt, error) = match self.follow(attempt, error, now) {
            Redirected::To(attempt) => return self.dial(attempt),
            Redirected::Not(attempt, error) => (attempt, error),
        };
        let (mut attempt, error) = match self.fall_back(attempt, error) {
            Ok(()) => return,
            Err(unchanged) => unchanged,
        };
        let error = fallback::furthest(attempt.earlier_error.take(), error);
        if attempt.replacing == Replacing::Forgetting {
            // The next try begins where this one began.
            self.actions.push_back(Action::ForgetSession(false));
        }
        let (mut attempt, error) = match self.try_next(attempt, error, now) {
            Ok(()) => return,
            Err(unchanged) => unchanged,
        };
        let (address, error) = attempt.round.furthest_with(error);
        self.failed_at(address, &attempt.purpose);
        self.try_failed(attempt.purpose, error, now);
    }

    /// Every address, name and version was tried once.
    fn try_failed(&mut self, purpose: ConnectPurpose, error: Error, now: Instant) {
        match purpose {
            ConnectPurpose::First { attempts } => self.first_try_failed(attempts, error, now),
            ConnectPurpose::Again { .. } if !self.may_be_made_again(&error) => self.give_up(error),
            ConnectPurpose::Again { attempts, .. } if !self.policy.retry.allows(attempts) => {
                self.give_up(Error::NotReconnected { last: Box::new(error), tries: attempts });
            }
            ConnectPurpose::Again { attempts, cause, .. } => {
                self.warn_of_failed_try(cause, &error);
                self.keep_refusal(error, now);
                self.pause(purpose, attempts, now);
            }
            ConnectPurpose::EndSession(outcome) => self.finish(outcome),
        }
    }

    fn first_try_failed(&mut self, attempts: u32, error: Error, now: Instant) {
        let is_temporary = error.is_temporary();
        let reconnect = self.policy.retry;
        let next = is_temporary.then(|| self.retries.next_first_try(reconnect, attempts, now));
        let Some(next) = next.flatten() else {
            let was_waited_for = is_temporary && !self.policy.wait.is_zero();
            return self.give_up(if was_waited_for {
                Error::WaitOver(Box::new(error))
            } else {
                error
            });
        };
        let error = error.to_string();
        if attempts == 0 {
            self.warn(format!("waiting for {}: {error}", self.server));
        }
        self.retries.latest_error = Some(error);
        let purpose = ConnectPurpose::First { attempts: attempts + 1 };
        self.state = State::Backoff(Backoff { purpose, next });
    }

    /// What the latest try of `--wait` has failed with, until there is a connection.
    pub fn latest_error(&self) -> Option<&str> {
        self.retries.latest_error.as_deref()
    }

    /// A first try takes no longer than the rest of `--wait`, where that was asked for.
    pub(super) fn first_deadline(&self, now: Instant) -> Instant {
        let usual = now + self.policy.connect_timeout;
        match self.retries.wait_ends {
            Some(ends) if !self.policy.wait.is_zero() => usual.min(ends.max(now + LAST_TRY)),
            _ => usual,
        }
    }

    /// Waits for a while, and then tries again.
    pub(super) fn pause(&mut self, purpose: ConnectPurpose, attempts: u32, now: Instant) {
        let purpose = match purpose {
            ConnectPurpose::Again { since, attempts, .. } => {
                let (attempts, cause) = (attempts.saturating_add(1), AgainCause::Loss);
                ConnectPurpose::Again { since, attempts, cause }
            }
            purpose @ (ConnectPurpose::First { .. } | ConnectPurpose::EndSession(_)) => purpose,
        };
        let next = now + self.retries.delay(self.policy.retry, attempts);
        self.state = State::Backoff(Backoff { purpose, next });
    }
}
