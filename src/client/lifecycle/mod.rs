//! The states of one connection, and what each input means in each of them. Time comes in as a
//! value, and what is to be done goes out as a queue of [`Action`]s.
//!
//! ```text
//!   Idle ---Connect---> Dialling ---Dialled---> Handshaking ---Opened---> AwaitingConnack
//!
//!   Wherever a try begins, Fetching comes before Dialling if credentials are asked for anew:
//!   Fetching
//!     Fetched --------------> Dialling          or Backoff or Closed, if a server has refused the
//!                                               same credentials
//!     FetchFailed, Close ---> as from Dialling
//!
//!   Idle
//!     Failed, Close --------> Closed
//!   Dialling, Handshaking, AwaitingConnack (one try to connect)
//!     Failed ---------------> Dialling          another name, address or server, an older version,
//!                                               or a redirect that is followed
//!     Failed ---------------> Backoff           another try may help, and is allowed
//!     Failed ---------------> Closed            no other try may help
//!     Close ----------------> Closed            or Dialling, to end the session at the server
//!   AwaitingConnack
//!     Time, no byte came ---> Dialling          with an older version
//!     Accepted -------------> Online
//!     Accepted, Stale ------> ReplacingSession  an old session is there (before MQTT 5)
//!     Accepted -------------> Closing           the connection is only to end the session
//!   Online
//!     Failed ---------------> Backoff           or Closed, when no other try may help
//!     Time, a write failed -> Backoff           likewise
//!     Time, no SUBACK ------> Online            the error is reported; the caller decides
//!     Time, no progress ----> Online            the user is told
//!     Time, renewal is due -> Online            other credentials are asked for
//!     Quiet, renewal -------> ReplacingSession  the connection that takes its place comes next
//!     ConnectAgain ---------> ReplacingSession  likewise
//!     Close ----------------> Closing
//!   Backoff
//!     Time -----------------> Dialling
//!     Failed ---------------> Closed
//!     Close ----------------> Closed            or Dialling, to end the session at the server
//!   ReplacingSession
//!     Failed, Time ---------> Dialling          the next connection of the same try; Backoff or
//!                                               Closed, when its time is up
//!     Close ----------------> Closing
//!   Closing
//!     Failed, Time ---------> Closed            or Dialling, to end the session at the server
//!   Closed
//!     Close ----------------> Closed            or Dialling, to end the session at the server
//! ```
//!
//! [`ConnectionInput::Local`] (input, output, commands) and [`ConnectionInput::Signal`] become
//! events in every state; a signal also shortens the time that a server has at the end. When the
//! time is up before CONNACK, [`Action::Expire`] asks for the reason, which comes back as a
//! failure.

mod action;
mod answer_timer;
mod attempt;
mod close;
mod connect;
mod failed_write;
mod fallback;
mod input;
mod next_server;
mod online;
mod policy;
mod redirect;
mod remedy;
mod renewal;
mod repeated;
mod retry;
mod round;
mod standstill;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Event;
use super::error::Error;
use crate::mqtt::version::Version;
use crate::transport;
use crate::transport::endpoint::Endpoint;
use crate::transport::redirect::Redirects;
pub use action::{Action, AddressOrder, CredentialUse, DialPlan};
use attempt::{ConnectAttempt, ConnectPurpose, Replacing};
pub use close::SessionRemains;
use close::{Closing, ClosingTime};
use failed_write::FailedWrite;
use fallback::Name;
pub use input::{ConnectionInput, LossFacts, SessionFound};
use online::Online;
pub use policy::{CredentialsAsked, Policy, ServerNaming};
use renewal::Renewals;
pub use renewal::{CredentialChange, Fetched, renewal_time};
use repeated::Repeated;
use retry::Retries;
use standstill::Standstill;
pub use standstill::{ArrivingMessage, Awaited, MissingAcknowledgement};

/// A pause before the next try.
#[derive(Debug)]
struct Backoff {
    purpose: ConnectPurpose,
    next: Instant,
}

/// The state of the connection; the graph above has the ways from one to another.
#[derive(Debug)]
enum State {
    Idle,
    /// What identifies the user is asked for anew, before the address is dialled.
    Fetching(Box<ConnectAttempt>),
    Dialling(Box<ConnectAttempt>),
    Handshaking(Box<ConnectAttempt>),
    AwaitingConnack(Box<ConnectAttempt>),
    Online(Online),
    Backoff(Backoff),
    ReplacingSession(Box<ConnectAttempt>, Closing),
    Closing(Closing),
    Closed,
}

/// What is done with bytes that arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// There is no connection.
    Nothing,
    /// They belong to TLS and the upgrade.
    Handshake,
    /// They are the answer to CONNECT.
    Connack,
    /// They are for the session.
    Session,
    /// They are not looked at: only the end of the connection counts.
    Discard,
}

/// The life of one connection, and of those that take its place.
#[derive(Debug)]
pub struct Lifecycle {
    policy: Policy,
    state: State,
    actions: VecDeque<Action>,
    latest: LatestSuccess,
    /// The server that has accepted the latest connection.
    server: Endpoint,
    closing_time: ClosingTime,
    retries: Retries,
    /// The other server that the user was told of, from which credentials are withheld.
    withheld_from: Option<String>,
    /// The way by which servers have sent us to the one of this connection.
    stations: Option<Redirects>,
    renewals: Renewals,
    repeated: Repeated,
    standstill: Standstill,
}

/// What worked the last time, and is tried first the next time.
#[derive(Debug)]
struct LatestSuccess {
    version: Version,
    name: Name,
    /// Which of the addresses.
    address: usize,
    /// Whether the server was sent what identifies the user.
    credentials: CredentialUse,
}

impl LatestSuccess {
    /// Before the first connection.
    fn assumed(policy: &Policy) -> Self {
        let version = policy.versions.first().copied().unwrap_or(Version::V5);
        Self { version, name: Name::Usual, address: 0, credentials: CredentialUse::Send }
    }

    fn of(attempt: &ConnectAttempt) -> Self {
        let ConnectAttempt { plan, name, round, .. } = attempt;
        let credentials = plan.credentials;
        Self { version: plan.version, name: *name, address: round.address, credentials }
    }

    fn subprotocols(&self, policy: &Policy) -> Vec<String> {
        fallback::subprotocols(policy, self.version, self.name)
    }
}

impl Lifecycle {
    /// Not connected; `seed` decides how long the pauses between tries are.
    pub fn new(policy: Policy, seed: u64) -> Self {
        let server = policy.address(0).clone();
        let latest = LatestSuccess::assumed(&policy);
        Self {
            policy,
            latest,
            state: State::Idle,
            actions: VecDeque::new(),
            server,
            closing_time: ClosingTime::Usual,
            retries: Retries::new(seed),
            withheld_from: None,
            stations: None,
            renewals: Renewals::default(),
            repeated: Repeated::default(),
            standstill: Standstill::default(),
        }
    }

    /// The next thing to do.
    pub fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether the broker has accepted the connection, and neither side has ended it.
    #[inline]
    pub fn is_online(&self) -> bool {
        matches!(self.state, State::Online(_))
    }

    /// Whether DISCONNECT and what comes before it are being sent, so that
    /// [`ConnectionInput::Sent`] is awaited.
    pub fn is_sending_disconnect(&self) -> bool {
        match &self.state {
            State::ReplacingSession(_, closing) | State::Closing(closing) => closing.is_sending(),
            State::Idle
            | State::Fetching(_)
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::AwaitingConnack(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::Closed => false,
        }
    }

    /// Whether a connection is only made to end the session at the server: no warning is due about
    /// it.
    pub fn is_ending_session(&self) -> bool {
        match &self.state {
            State::Fetching(attempt)
            | State::Dialling(attempt)
            | State::Handshaking(attempt)
            | State::AwaitingConnack(attempt)
            | State::ReplacingSession(attempt, _) => {
                matches!(attempt.purpose, ConnectPurpose::EndSession(_))
            }
            State::Closing(closing) => closing.is_ending_session(),
            State::Idle | State::Online(_) | State::Backoff(_) | State::Closed => false,
        }
    }

    /// The server that has accepted the latest connection, or else the one that was asked for.
    pub fn server(&self) -> &Endpoint {
        &self.server
    }

    /// What is done with bytes that arrive.
    pub fn reading(&self) -> Reading {
        match &self.state {
            State::Idle
            | State::Fetching(_)
            | State::Dialling(_)
            | State::Backoff(_)
            | State::Closed => Reading::Nothing,
            State::Handshaking(_) => Reading::Handshake,
            State::AwaitingConnack(_) => Reading::Connack,
            State::ReplacingSession(_, closing) | State::Closing(closing) => closing.reading(),
            State::Online(_) => Reading::Session,
        }
    }

    /// Whether the user has interrupted us, or a time that the user set is over.
    pub fn is_hurried(&self) -> bool {
        self.closing_time == ClosingTime::Short
    }

    /// When [`ConnectionInput::Time`] is due, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Idle | State::Closed => None,
            State::Dialling(attempt) => Some(attempt.dial_deadline()),
            State::Fetching(attempt) | State::Handshaking(attempt) => Some(attempt.plan.deadline),
            State::AwaitingConnack(attempt) => Some(attempt.connack_deadline()),
            State::Online(online) => {
                let online = online.deadline(self.policy.connect_timeout);
                let others = [self.standstill.deadline(), self.renewals.deadline()];
                others.into_iter().chain([online]).flatten().min()
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

    /// Takes one input; [`Lifecycle::action`] says what to do about it.
    pub fn handle(&mut self, input: ConnectionInput, now: Instant) {
        match input {
            ConnectionInput::Local(event) => self.actions.push_back(Action::Event(event)),
            ConnectionInput::Signal(signal) => self.interrupted(signal, now),
            ConnectionInput::ShortenClose => self.shorten_close(now),
            ConnectionInput::Connect => self.connect(now),
            ConnectionInput::Fetched(fetched) => self.fetched(fetched, now),
            ConnectionInput::FetchFailed(error) => self.fetch_failed(error, now),
            ConnectionInput::Quiet => self.quiet(now),
            ConnectionInput::ConnectAgain => self.connect_again(now),
            ConnectionInput::Dialled { untried } => self.dialled(untried, now),
            ConnectionInput::Opened => self.opened(now),
            ConnectionInput::Accepted(accepted) => self.accepted(accepted, now),
            ConnectionInput::Failed(error, facts) => self.failed(error, &facts, now),
            ConnectionInput::WriteFailed(error) => self.write_failed(error, now),
            ConnectionInput::Received => self.received(now),
            ConnectionInput::Taken => self.taken(now),
            ConnectionInput::Sent => self.sent(now),
            ConnectionInput::Answered => self.answered(),
            ConnectionInput::Time(facts) => self.time(&facts, now),
            ConnectionInput::Close(remains) => self.close(remains, now),
        }
    }

    /// A message or an acknowledgement came over this connection: the delays begin anew.
    #[inline]
    pub fn note_progress(&mut self) {
        self.retries.failures_in_a_row = 0;
    }

    /// A published message was acknowledged: the connections before this one do not count as
    /// repetitions.
    #[inline]
    pub fn note_acknowledgement(&mut self) {
        self.repeated.acknowledged();
    }

    fn interrupted(&mut self, signal: i32, now: Instant) {
        self.shorten_close(now);
        self.actions.push_back(Action::Event(Event::Interrupted(signal)));
    }

    fn failed(&mut self, error: Error, facts: &LossFacts, now: Instant) {
        match self.take() {
            State::Fetching(attempt)
            | State::Dialling(attempt)
            | State::Handshaking(attempt)
            | State::AwaitingConnack(attempt) => self.attempt_failed(attempt, error, now),
            State::Online(online) => self.connection_failed(&online, error, facts, now),
            // The end of a connection that was to end.
            State::ReplacingSession(attempt, _) => self.dial_after_replacing(attempt, now),
            State::Closing(closing) => self.closing_failed(closing, error, now),
            // Without a connection only something on our side can fail.
            state @ (State::Idle | State::Backoff(_)) => {
                drop(state);
                self.fail(error);
            }
            State::Closed => self.state = State::Closed,
        }
    }

    /// No other try is made. The caller may still have output to write.
    fn fail(&mut self, error: Error) {
        self.actions.push_back(Action::Drop);
        self.give_up(error);
    }

    /// The same where the socket was dropped already.
    fn give_up(&mut self, error: Error) {
        self.actions.push_back(Action::Fail(error));
        self.state = State::Closed;
    }

    fn write_failed(&mut self, error: transport::Error, now: Instant) {
        match &mut self.state {
            State::Online(online) => {
                online.write_failed(error, now);
            }
            State::AwaitingConnack(attempt) => {
                attempt.connack.failed_write.get_or_insert(FailedWrite::new(error, now));
            }
            State::ReplacingSession(_, closing) | State::Closing(closing) => {
                closing.write_failed(error, now);
            }
            // TLS and the upgrade report it themselves; without a socket nothing is written.
            State::Idle
            | State::Fetching(_)
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::Backoff(_)
            | State::Closed => {}
        }
    }

    fn received(&mut self, now: Instant) {
        let (cap, closing_time) = (self.policy.connect_timeout, self.closing_time);
        match &mut self.state {
            State::Online(online) => online.received(now),
            State::Handshaking(attempt) => attempt.progress(cap, closing_time, now),
            State::AwaitingConnack(attempt) => {
                attempt.connack.silent_at = None;
                attempt.progress(cap, closing_time, now);
            }
            State::ReplacingSession(_, closing) | State::Closing(closing) => closing.progress(now),
            State::Idle
            | State::Fetching(_)
            | State::Dialling(_)
            | State::Backoff(_)
            | State::Closed => {}
        }
    }

    fn taken(&mut self, now: Instant) {
        match &mut self.state {
            State::ReplacingSession(_, closing) | State::Closing(closing) => closing.progress(now),
            State::Idle
            | State::Fetching(_)
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
            | State::Fetching(_)
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::AwaitingConnack(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::Closed => {}
        }
    }

    fn time(&mut self, facts: &LossFacts, now: Instant) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.take() {
            state @ (State::Idle | State::Closed) => self.state = state,
            state @ (State::Fetching(_) | State::Dialling(_) | State::Handshaking(_)) => {
                self.state = state;
                self.actions.push_back(Action::Expire);
            }
            State::AwaitingConnack(attempt) => self.connack_is_late(attempt, now),
            State::Online(online) => self.online_is_late(online, facts, now),
            State::Backoff(Backoff { purpose, .. }) => self.begin(purpose, now),
            State::ReplacingSession(attempt, _) => self.dial_after_replacing(attempt, now),
            State::Closing(closing) => self.closing_is_late(closing, now),
        }
    }

    /// How long this try may take from name look-up to CONNACK: `--connect-timeout`, or what is
    /// left of `--wait`, to the tenth of a second.
    pub fn budget(&self) -> Duration {
        let whole = self.policy.connect_timeout;
        match &self.state {
            State::Fetching(attempt)
            | State::Dialling(attempt)
            | State::Handshaking(attempt)
            | State::AwaitingConnack(attempt)
            | State::ReplacingSession(attempt, _) => attempt.budget().min(whole),
            State::Idle
            | State::Online(_)
            | State::Backoff(_)
            | State::Closing(_)
            | State::Closed => whole,
        }
    }

    fn warn(&mut self, line: String) {
        self.actions.push_back(Action::Warn(line));
    }

    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Closed)
    }
}
