//! A connection that the broker has accepted: what is waited for on it, and what follows its loss.

use std::time::{Duration, Instant};

use super::answer_timer::AnswerTimer;
use super::attempt::{AgainCause, ConnectPurpose};
use super::failed_write::FailedWrite;
use super::repeated::Consequence;
use super::{Action, Lifecycle, LossFacts, State};
use crate::client::error::Error;
use crate::transport;

/// After a connection that lasted this long the delays begin anew, even if nothing came over it.
pub const LONG_LIVED: Duration = Duration::from_secs(10);

/// A connection that the broker has accepted.
#[derive(Debug)]
pub struct Online {
    since: Instant,
    /// When the connection before was lost or left, if there was one.
    pub before_ended: Option<Instant>,
    failed_write: Option<FailedWrite>,
    /// A SUBSCRIBE or UNSUBSCRIBE awaits its answer.
    asked: Option<AnswerTimer>,
}

impl Online {
    /// Accepted now; a write may have failed before.
    pub fn new(
        failed_write: Option<FailedWrite>,
        before_ended: Option<Instant>,
        now: Instant,
    ) -> Self {
        Self { since: now, before_ended, failed_write, asked: None }
    }

    /// When something has to be decided, if `timeout` is how long a SUBSCRIBE may go unanswered.
    pub fn deadline(&self, timeout: Duration) -> Option<Instant> {
        let answer = self.asked.as_ref().map(|asked| asked.until(timeout));
        let failed_write = self.failed_write.as_ref().map(|failed| failed.until);
        [answer, failed_write].into_iter().flatten().min()
    }

    /// Bytes came.
    pub fn received(&mut self, now: Instant) {
        if let Some(asked) = &mut self.asked {
            asked.received(now);
        }
    }

    /// A write failed.
    pub fn write_failed(&mut self, error: transport::Error, now: Instant) {
        self.failed_write.get_or_insert(FailedWrite::new(error, now));
    }

    /// Why a write failed, if one did.
    pub fn into_write_error(self) -> Option<transport::Error> {
        self.failed_write.map(|failed| failed.error)
    }
}

impl Lifecycle {
    /// When the connection before this one was lost or left.
    pub fn before_ended(&self) -> Option<Instant> {
        match &self.state {
            State::Online(online) => online.before_ended,
            State::Idle
            | State::Fetching(_)
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::AwaitingConnack(_)
            | State::Backoff(_)
            | State::ReplacingSession(..)
            | State::Closing(_)
            | State::Closed => None,
        }
    }

    /// Whether a SUBSCRIBE or an UNSUBSCRIBE awaits its answer, and what comes is read.
    pub fn note_asking(&mut self, is_asking: bool, now: Instant) {
        if let State::Online(online) = &mut self.state {
            if !is_asking {
                online.asked = None;
            } else if online.asked.is_none() {
                online.asked = Some(AnswerTimer::new(now));
            }
        }
    }

    /// The connection ended: tries again, if that may help.
    pub(super) fn connection_failed(
        &mut self,
        online: &Online,
        error: Error,
        facts: &LossFacts,
        now: Instant,
    ) {
        let consequence =
            self.repeated.ended(&error, facts, self.policy.credentials, online.since, now);
        let is_long_lived = now.saturating_duration_since(online.since) >= LONG_LIVED;
        let attempts = if is_long_lived { 0 } else { self.retries.failures_in_a_row };
        self.renewals.disconnected();
        let is_over = !self.policy.retry.allows(0) || facts.is_cut;
        if is_over || !(self.may_be_made_again(&error) || self.is_sent_on(&error)) {
            return self.fail(error);
        }
        if self.follow_disconnect(&error, online.since, now) {
            return;
        }
        if let Some(Consequence::GiveUp(packet)) = consequence {
            return self.fail(Error::Repeated { packet, number: None });
        }
        if !self.policy.retry.allows(attempts) {
            return self.fail(Error::NotReconnected { last: Box::new(error), tries: attempts });
        }
        self.actions.push_back(Action::Drop);
        self.warn(format!("{}: {error}; trying again", self.server));
        if let Some(Consequence::Warn(line)) = consequence {
            self.warn(line);
        }
        self.keep_refusal(error, now);
        let cause = AgainCause::Loss;
        self.pause(ConnectPurpose::Again { since: now, attempts, cause }, attempts, now);
    }

    /// The server has not said why a write failed; or a SUBSCRIBE was not answered in time; or the
    /// server goes no further.
    pub(super) fn online_is_late(&mut self, mut online: Online, facts: &LossFacts, now: Instant) {
        self.tell_standstill(now);
        self.begin_renewal(now);
        if online.deadline(self.policy.connect_timeout).is_none_or(|deadline| now < deadline) {
            self.state = State::Online(online);
            return;
        }
        if let Some(failed) = online.failed_write.take_if(|failed| failed.until <= now) {
            return self.connection_failed(&online, Error::Lost(failed.error), facts, now);
        }
        online.asked = None;
        self.state = State::Online(online);
        let after = self.policy.connect_timeout;
        let what = facts.unanswered.clone().unwrap_or_default();
        self.actions.push_back(Action::Fail(Error::Unanswered { what, after }));
    }
}
