//! One try to connect, and the deadlines of its steps.

use std::time::{Duration, Instant};

use super::close::{ClosingTime, QUIET, SessionRemains};
use super::failed_write::FailedWrite;
use super::fallback::Name;
use super::round::Round;
use super::{Action, DialPlan, Lifecycle, State};
use crate::client::error::{Error, whole_tenths};
use crate::transport::redirect::Redirects;

/// The dialling thread may report this much after the deadline; later, it waits for a name look-up.
const GRACE: Duration = Duration::from_millis(100);

/// What a connection is made for.
#[derive(Debug)]
pub enum ConnectPurpose {
    /// The first one; `--wait` may allow more tries.
    First {
        /// How many failed before.
        attempts: u32,
    },
    /// To replace one that was lost.
    Again {
        /// When it was lost.
        since: Instant,
        /// How many tries there were, this one included.
        attempts: u32,
        /// Why it is needed.
        cause: AgainCause,
    },
    /// Only to end the session at the server. How the connection before this one ended is reported
    /// to the caller after it.
    EndSession(Option<Error>),
}

/// Why a connection takes the place of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgainCause {
    /// That one was lost.
    Loss,
    /// We have left that one: its credentials end, or the server is to send again what it has sent
    /// there.
    Renewal,
}

impl ConnectPurpose {
    /// What remains at the server when a try for this purpose is given up.
    pub fn remains(&self, remains: SessionRemains) -> SessionRemains {
        match self {
            // The server has nothing from us yet.
            Self::First { .. } => SessionRemains::Nothing,
            Self::Again { .. } | Self::EndSession(_) => remains,
        }
    }
}

/// How far an old session of our client id is replaced by a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacing {
    /// There is none, as far as we know.
    Nothing,
    /// This connection has Clean Session, and so ends it.
    Forgetting,
    /// This connection begins the new one.
    Renewing,
}

/// The wait for CONNACK.
#[derive(Debug, Default)]
pub struct ConnackWait {
    /// When silence means that the version is not understood.
    pub silent_at: Option<Instant>,
    /// CONNECT, or an answer to AUTH, could not be written.
    pub failed_write: Option<FailedWrite>,
}

/// One try to connect: as many connections as names, versions, redirects and an old session ask
/// for, under one deadline.
#[derive(Debug)]
pub struct ConnectAttempt {
    pub purpose: ConnectPurpose,
    pub replacing: Replacing,
    pub plan: DialPlan,
    pub began: Instant,
    pub round: Round,
    pub name: Name,
    pub redirects: Option<Redirects>,
    /// What the earlier connections to this address failed with: the error that came furthest.
    pub earlier_error: Option<Error>,
    pub connack: ConnackWait,
}

impl ConnectAttempt {
    /// Until when dialling is waited for.
    pub fn dial_deadline(&self) -> Instant {
        self.plan.deadline + GRACE
    }

    /// Until when CONNACK is waited for, before something has to be decided.
    pub fn connack_deadline(&self) -> Instant {
        let ConnackWait { silent_at, failed_write } = &self.connack;
        let failed_write = failed_write.as_ref().map(|failed| failed.until);
        [*silent_at, failed_write].into_iter().flatten().fold(self.plan.deadline, Instant::min)
    }

    /// How long the try may take, to the tenth of a second.
    pub fn budget(&self) -> Duration {
        whole_tenths(self.plan.deadline.saturating_duration_since(self.began))
    }

    /// The server did something: a connection that only ends a session may take a little longer,
    /// `cap` from its beginning at the most.
    pub fn progress(&mut self, cap: Duration, closing_time: ClosingTime, now: Instant) {
        if matches!(self.purpose, ConnectPurpose::EndSession(_))
            && closing_time == ClosingTime::Usual
        {
            self.plan.deadline = (now + QUIET).min(self.began + cap);
        }
    }
}

impl Lifecycle {
    /// A deadline of the wait for CONNACK has passed.
    pub(super) fn connack_is_late(&mut self, mut attempt: Box<ConnectAttempt>, now: Instant) {
        let is_late = attempt.plan.deadline <= now;
        if let Some(failed) = attempt.connack.failed_write.take_if(|it| is_late || it.until <= now)
        {
            return self.attempt_failed(attempt, Error::Lost(failed.error), now);
        }
        if !is_late && attempt.connack.silent_at.is_some_and(|silent| silent <= now) {
            return self.met_by_silence(attempt);
        }
        self.state = State::AwaitingConnack(attempt);
        self.actions.push_back(Action::Expire);
    }
}
