//! The states of one connection, and what each input means in each of them. Time comes in as a
//! value, and what is to be done goes out as a queue of [`Output`]s.
//!
//! ```text
//!  Idle --Connect--> Dialling --Dialled--> Handshaking --Opened--> AwaitingConnack
//!                     ^   |                     |                    |         |
//!                     |   +------- Failed: other name, older --------+         |
//!                     |            version, redirect, next address             |
//!                     |                                                    Accepted
//!      the time is up |                                                    |       |
//!                     +--- Backoff <--- Failed, and another try may help --+--- Online
//!                     |                                                    |       |
//!                     +--- ReplacingSession <--- an old session is there --+       |
//!                     |    (before MQTT 5)                                         |
//!                     |                                                            |
//!                     +--- Closing <---------- Close ------------------------------+
//!                          |  ^ one more connection, where the server would keep a session that
//!                          v  | nobody wants
//!                        Closed <--- Failed, and no other try may help (from every state)
//! ```
//!
//! [`Input::Local`] (input, output, commands) and [`Input::Signal`] become events in every state;
//! a signal also shortens what waits for a server at the end.

mod close;
mod connect;
mod fallback;
mod input;
mod output;
mod policy;
mod redirect;
mod repeated;
mod retry;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Event;
use super::error::Error;
use super::unanswered::PendingSubscribe;
use crate::mqtt::version::Version;
use crate::transport;
use crate::transport::redirect::Redirects;
use close::Closing;
pub use close::Remains;
use fallback::Name;
pub use input::{Accepted, Evidence, Input};
pub use output::{Output, Plan};
pub use policy::Policy;
use repeated::{Repeated, Verdict};

/// How long the dialling thread may take longer than the deadline, before a name look-up is to
/// blame.
const GRACE: Duration = Duration::from_millis(100);

/// After a failed write the server's last words are listened for, for so long.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A connection that stood for so long was worth having, even if nothing came over it: the delays
/// begin anew after it.
const WORTH: Duration = Duration::from_secs(10);

/// What a connection is made for.
#[derive(Debug)]
enum Purpose {
    /// The first one; `--wait` may allow more tries.
    First {
        /// How many failed before.
        attempts: u32,
    },
    /// To mend one that was lost.
    Again {
        /// When it was lost.
        since: Instant,
        /// How many tries there were, this one included.
        attempts: u32,
    },
    /// Only to end the session at the server; then the caller hears how the connection before
    /// this one ended.
    EndSession(Option<Error>),
}

/// How far an old session of our client id is replaced by a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replacing {
    /// There is none, as far as we know.
    Nothing,
    /// This connection has Clean Session, and so ends it.
    Forgetting,
    /// This connection begins the new one.
    Renewing,
}

/// One try to connect: as many connections as names, versions, redirects and an old session ask
/// for, under one deadline.
#[derive(Debug)]
pub struct Attempt {
    purpose: Purpose,
    replacing: Replacing,
    plan: Plan,
    began: Instant,
    /// Which address this is, and how many were not tried yet.
    address: usize,
    addresses_left: usize,
    name: Name,
    redirects: Option<Redirects>,
    /// What the earlier connections found.
    told: Option<Error>,
    connack: Connack,
}

/// The wait for CONNACK.
#[derive(Debug, Default)]
struct Connack {
    /// When silence means that the version is not understood.
    silent_at: Option<Instant>,
    /// A write failed: until then we listen.
    failing: Option<(transport::Error, Instant)>,
}

/// A connection that the broker has accepted.
#[derive(Debug)]
pub struct Online {
    since: Instant,
    /// A write failed: until then we listen to what the broker may still have to say.
    failing: Option<(transport::Error, Instant)>,
    /// A SUBSCRIBE or UNSUBSCRIBE awaits its answer.
    asked: Option<PendingSubscribe>,
}

/// A pause before the next try.
#[derive(Debug)]
struct Backoff {
    purpose: Purpose,
    next: Instant,
}

/// Where it stands; the graph above has the ways between these states.
#[derive(Debug)]
enum State {
    Idle,
    Dialling(Box<Attempt>),
    Handshaking(Box<Attempt>),
    AwaitingConnack(Box<Attempt>),
    Online(Online),
    Backoff(Backoff),
    ReplacingSession(Box<Attempt>, Closing),
    Closing(Closing),
    Closed,
}

/// What the driver does with what arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Nothing arrives.
    Nothing,
    /// It moves TLS and the upgrade on.
    Handshake,
    /// CONNACK is awaited.
    Connack,
    /// It is for the session.
    Session,
    /// It is for nobody: only its end counts.
    Discard,
}

/// How long a server that does nothing at the end is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Usual,
    Hasty,
}

/// The life of one connection, and of those that take its place.
#[derive(Debug)]
pub struct Lifecycle {
    policy: Policy,
    state: State,
    outputs: VecDeque<Output>,
    /// What worked the last time.
    version: Version,
    name: Name,
    address: usize,
    patience: Patience,
    /// When `--wait` is over.
    wait_ends: Option<Instant>,
    /// How the last try of `--wait` failed.
    last_failure: Option<String>,
    /// How many tries it took since a connection was last of use.
    failures_in_a_row: u32,
    repeated: Repeated,
    random: fastrand::Rng,
}

impl Lifecycle {
    /// Not connected; `seed` decides how long the pauses between tries are.
    pub fn new(policy: Policy, seed: u64) -> Self {
        let version = policy.versions.first().copied().unwrap_or(Version::V5);
        Self {
            policy,
            state: State::Idle,
            outputs: VecDeque::new(),
            version,
            name: Name::Usual,
            address: 0,
            patience: Patience::Usual,
            wait_ends: None,
            last_failure: None,
            failures_in_a_row: 0,
            repeated: Repeated::default(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The next thing to do.
    pub fn output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether the broker has accepted the connection, and nobody has ended it.
    #[inline]
    pub fn is_online(&self) -> bool {
        matches!(self.state, State::Online(_))
    }

    /// Whether all there is to say is being sent, so that [`Input::Sent`] is awaited.
    pub fn is_saying_goodbye(&self) -> bool {
        match &self.state {
            State::ReplacingSession(_, closing) | State::Closing(closing) => closing.is_sending(),
            State::Idle
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::AwaitingConnack(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::Closed => false,
        }
    }

    /// Whether a connection is only made to end the session at the server: nobody needs to hear of
    /// it.
    pub fn is_ending_session(&self) -> bool {
        match &self.state {
            State::Dialling(attempt)
            | State::Handshaking(attempt)
            | State::AwaitingConnack(attempt)
            | State::ReplacingSession(attempt, _) => {
                matches!(attempt.purpose, Purpose::EndSession(_))
            }
            State::Closing(closing) => closing.is_ending_session(),
            State::Idle | State::Online(_) | State::Backoff(_) | State::Closed => false,
        }
    }

    /// What is done with what arrives.
    pub fn reading(&self) -> Reading {
        match &self.state {
            State::Idle | State::Dialling(_) | State::Backoff(_) | State::Closed => {
                Reading::Nothing
            }
            State::Handshaking(_) => Reading::Handshake,
            State::AwaitingConnack(_) => Reading::Connack,
            State::ReplacingSession(..) => Reading::Discard,
            State::Closing(closing) if closing.is_ending_session() => Reading::Discard,
            State::Online(_) | State::Closing(_) => Reading::Session,
        }
    }

    /// When [`Input::Time`] is due, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Idle | State::Closed => None,
            State::Dialling(attempt) => Some(attempt.plan.deadline + GRACE),
            State::Handshaking(attempt) => Some(attempt.plan.deadline),
            State::AwaitingConnack(attempt) => {
                let Connack { silent_at, failing, .. } = &attempt.connack;
                let failing = failing.as_ref().map(|(_, until)| *until);
                [Some(attempt.plan.deadline), *silent_at, failing].into_iter().flatten().min()
            }
            State::Online(online) => {
                let answer = online.asked.as_ref();
                let answer = answer.map(|asked| asked.until(self.policy.connect_timeout));
                let failing = online.failing.as_ref().map(|(_, until)| *until);
                [answer, failing].into_iter().flatten().min()
            }
            State::Backoff(backoff) => Some(backoff.next),
            State::ReplacingSession(attempt, closing) => Some(
                closing
                    .deadline()
                    .map_or(attempt.plan.deadline, |until| until.min(attempt.plan.deadline)),
            ),
            State::Closing(closing) => closing.deadline(),
        }
    }

    /// What it means; the outputs say what to do about it.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Local(event) => self.outputs.push_back(Output::Event(event)),
            Input::Signal(signal) => self.interrupted(signal, now),
            Input::Hurry => self.hurry(now),
            Input::Connect => self.connect(now),
            Input::Dialled => self.dialled(now),
            Input::Opened => self.opened(now),
            Input::Accepted(accepted) => self.accepted(accepted, now),
            Input::Failed(error, evidence) => self.failed(error, &evidence, now),
            Input::WriteFailed(error) => self.write_failed(error, now),
            Input::Received => self.received(now),
            Input::Taken => self.taken(now),
            Input::Sent => self.sent(now),
            Input::Time(evidence) => self.time(&evidence, now),
            Input::Close(remains) => self.close(remains, now),
        }
    }

    /// Between two tries of `--wait`: how the last one failed.
    pub fn last_failure(&self) -> Option<&str> {
        let failure = self.last_failure.as_deref();
        failure.filter(|_| matches!(self.state, State::Backoff(_)))
    }

    /// A message or an acknowledgement came over this connection: it is of use.
    #[inline]
    pub fn note_use(&mut self) {
        self.failures_in_a_row = 0;
    }

    /// While a connection is being ended: whether the server owes PUBRELs.
    pub fn note_pubrels(&mut self, awaits: bool) {
        if let State::ReplacingSession(_, closing) | State::Closing(closing) = &mut self.state {
            closing.note_pubrels(awaits);
        }
    }

    /// A message of ours was acknowledged: whatever comes next is no repetition.
    #[inline]
    pub fn note_acknowledgement(&mut self) {
        self.repeated.acknowledged();
    }

    /// Whether a SUBSCRIBE or an UNSUBSCRIBE awaits its answer, and we read what comes.
    pub fn note_asking(&mut self, is_asking: bool, now: Instant) {
        if let State::Online(online) = &mut self.state {
            if !is_asking {
                online.asked = None;
            } else if online.asked.is_none() {
                online.asked = Some(PendingSubscribe::new(now));
            }
        }
    }

    fn interrupted(&mut self, signal: i32, now: Instant) {
        self.hurry(now);
        self.outputs.push_back(Output::Event(Event::Interrupted(signal)));
    }

    fn failed(&mut self, error: Error, evidence: &Evidence, now: Instant) {
        match self.take() {
            State::Dialling(attempt) | State::Handshaking(attempt) => {
                self.attempt_failed(attempt, error, now);
            }
            State::AwaitingConnack(attempt) => self.attempt_failed(attempt, error, now),
            State::Online(online) => self.connection_failed(&online, error, evidence, now),
            // The end of a connection that was to end.
            State::ReplacingSession(attempt, _) => self.dial_after_replacing(attempt, now),
            State::Closing(closing) => self.closing_failed(closing, error, now),
            // Something of ours failed; there is no connection that it could have been.
            state @ (State::Idle | State::Backoff(_)) => {
                drop(state);
                self.fail(error);
            }
            State::Closed => self.state = State::Closed,
        }
    }

    /// A connection that was accepted ended: tries again, if that may help.
    fn connection_failed(
        &mut self,
        online: &Online,
        error: Error,
        evidence: &Evidence,
        now: Instant,
    ) {
        let verdict = self.repeated.ended(&error, evidence, online.since, now);
        let may_retry = error.is_mendable() && self.policy.retry.allows(0) && !evidence.is_cut;
        let failures = self.failures_in_a_row;
        let worth = now.saturating_duration_since(online.since) >= WORTH;
        let attempts = if worth { 0 } else { failures };
        if !may_retry {
            return self.fail(error);
        }
        if let Some(Verdict::GiveUp(packet)) = verdict {
            return self.fail(Error::Repeated { packet, number: None });
        }
        if !self.policy.retry.allows(attempts) {
            return self.fail(Error::NotMended { last: Box::new(error), tries: attempts });
        }
        self.outputs.push_back(Output::Drop);
        self.warn(format!("{error}; trying again"));
        if let Some(Verdict::Warn(line)) = verdict {
            self.warn(line);
        }
        self.pause(Purpose::Again { since: now, attempts }, attempts, now);
    }

    /// Nothing more can be tried; the caller may still have output to write.
    fn fail(&mut self, error: Error) {
        self.outputs.push_back(Output::Drop);
        self.give_up(error);
    }

    /// The same where the socket was dropped already.
    fn give_up(&mut self, error: Error) {
        self.outputs.push_back(Output::Fail(error));
        self.state = State::Closed;
    }

    fn write_failed(&mut self, error: transport::Error, now: Instant) {
        match &mut self.state {
            State::Online(online) => {
                online.failing.get_or_insert((error, now + LAST_WORDS));
            }
            State::AwaitingConnack(attempt) => {
                attempt.connack.failing.get_or_insert((error, now + LAST_WORDS));
            }
            State::ReplacingSession(_, closing) | State::Closing(closing) => {
                closing.write_failed(error, now);
            }
            // TLS and the upgrade tell of it themselves; without a socket there is nothing to
            // write.
            State::Idle
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::Backoff(_)
            | State::Closed => {}
        }
    }

    fn received(&mut self, now: Instant) {
        let (cap, patience) = (self.policy.connect_timeout, self.patience);
        match &mut self.state {
            State::Online(online) => {
                if let Some(asked) = &mut online.asked {
                    asked.heard(now);
                }
            }
            State::Handshaking(attempt) => attempt.progress(cap, patience, now),
            State::AwaitingConnack(attempt) => {
                attempt.connack.silent_at = None;
                attempt.progress(cap, patience, now);
            }
            State::ReplacingSession(_, closing) | State::Closing(closing) => closing.progress(now),
            State::Idle | State::Dialling(_) | State::Backoff(_) | State::Closed => {}
        }
    }

    fn taken(&mut self, now: Instant) {
        match &mut self.state {
            State::ReplacingSession(_, closing) | State::Closing(closing) => closing.progress(now),
            State::Idle
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::AwaitingConnack(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::Closed => {}
        }
    }

    fn sent(&mut self, now: Instant) {
        let cap = self.policy.connect_timeout;
        match &mut self.state {
            State::ReplacingSession(_, closing) | State::Closing(closing) => {
                closing.sent(now, cap);
            }
            State::Idle
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::AwaitingConnack(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::Closed => {}
        }
    }

    fn time(&mut self, evidence: &Evidence, now: Instant) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.take() {
            state @ (State::Idle | State::Closed) => self.state = state,
            state @ (State::Dialling(_) | State::Handshaking(_)) => {
                self.state = state;
                self.outputs.push_back(Output::Expire);
            }
            State::AwaitingConnack(attempt) => self.connack_is_late(attempt, now),
            State::Online(online) => self.answer_is_late(online, evidence, now),
            State::Backoff(Backoff { purpose, .. }) => self.begin(purpose, now),
            State::ReplacingSession(attempt, _) => self.dial_after_replacing(attempt, now),
            State::Closing(closing) => self.closing_is_late(closing, now),
        }
    }

    fn connack_is_late(&mut self, mut attempt: Box<Attempt>, now: Instant) {
        let is_late = attempt.plan.deadline <= now;
        match attempt.connack.failing.take() {
            Some((error, until)) if is_late || until <= now => {
                self.attempt_failed(attempt, Error::Lost(error), now);
            }
            failing => {
                attempt.connack.failing = failing;
                if !is_late && attempt.connack.silent_at.is_some_and(|silent| silent <= now) {
                    return self.met_by_silence(attempt);
                }
                self.state = State::AwaitingConnack(attempt);
                self.outputs.push_back(Output::Expire);
            }
        }
    }

    /// A write that failed, with no last words from the server; or a SUBSCRIBE without its answer.
    fn answer_is_late(&mut self, mut online: Online, evidence: &Evidence, now: Instant) {
        match online.failing.take() {
            Some((error, until)) if until <= now => {
                self.connection_failed(&online, Error::Lost(error), evidence, now);
            }
            failing => {
                online.failing = failing;
                online.asked = None;
                let after = self.policy.connect_timeout;
                let what = evidence.unanswered.clone().unwrap_or_default();
                self.outputs.push_back(Output::Fail(Error::Unanswered { what, after }));
                self.state = State::Online(online);
            }
        }
    }

    /// How long this try may take from name look-up to CONNACK: `--connect-timeout`, or what is
    /// left of `--wait`, to the tenth of a second.
    pub fn budget(&self) -> Duration {
        let whole = self.policy.connect_timeout;
        match &self.state {
            State::Dialling(attempt)
            | State::Handshaking(attempt)
            | State::AwaitingConnack(attempt)
            | State::ReplacingSession(attempt, _) => {
                let budget = attempt.plan.deadline.saturating_duration_since(attempt.began);
                let tenths = u64::try_from(budget.as_millis().div_ceil(100)).unwrap_or(u64::MAX);
                Duration::from_millis(tenths.saturating_mul(100)).min(whole)
            }
            State::Idle
            | State::Online(_)
            | State::Backoff(_)
            | State::Closing(_)
            | State::Closed => whole,
        }
    }

    /// A warning, unless nobody needs to hear it.
    fn warn(&mut self, line: String) {
        self.outputs.push_back(Output::Warn(line));
    }

    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Closed)
    }
}
