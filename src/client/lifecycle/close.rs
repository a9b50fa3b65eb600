//! How a connection ends: what waits, DISCONNECT and Close are sent, and then what the other side
//! still says is read, as long as it goes on.

use std::io;
use std::time::{Duration, Instant};

use super::{
    Action, AddressOrder, ConnectAttempt, ConnectPurpose, Lifecycle, Online, Reading, Replacing,
    State,
};
use crate::client::Event;
use crate::client::error::{Error, Step};
use crate::client::options::Leaving;
use crate::transport::{self, Phase};
use crate::websocket::WebSocketError;

/// How long the other side may do nothing (send, read or end) before the connection is dropped.
pub const QUIET: Duration = Duration::from_secs(1);

/// The same when the user has interrupted us.
const SHORT_QUIET: Duration = Duration::from_millis(250);

/// How long sending may take when the user has interrupted us.
const SHORT_SENDING: Duration = Duration::from_secs(1);

/// The most time for reading then, even if the other side goes on.
const SHORT_READING: Duration = Duration::from_millis(500);

/// Close codes by which a server says that it does not take what it was sent. NATS sends 1002 for a
/// topic that it does not allow.
const ABOUT_DATA: [u16; 5] = [1002, 1003, 1007, 1008, 1009];

/// Whether our session remains at the server although no client will take it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRemains {
    /// It does not.
    Nothing,
    /// Only if our DISCONNECT does not reach the server.
    WithoutDisconnect,
    /// In any case: before MQTT 5 only a connection with Clean Session ends it.
    Always,
}

/// How long a server that does nothing is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosingTime {
    /// [`QUIET`].
    Usual,
    /// The user has interrupted us.
    Short,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClosingStage {
    /// DISCONNECT and Close wait to be written, since then.
    Sending(Instant),
    /// Everything is sent; what the server says is read, until then at the latest.
    Reading { since: Instant, until: Instant },
}

/// What follows the end of a connection.
#[derive(Debug)]
enum Then {
    /// It is reported to the caller; the session at the server may have to be ended before.
    Report(SessionRemains),
    /// The next connection of the attempt that replaces an old session.
    Another,
    /// The end of the connection before this one is reported to the caller.
    EndOfSession,
    /// The connection is reset when the server has answered, and that is reported to the caller.
    Reset,
}

/// A connection that is being ended.
#[derive(Debug)]
pub struct Closing {
    stage: ClosingStage,
    then: Then,
    /// What is done with bytes that still arrive.
    reading: Reading,
    time: ClosingTime,
    /// When the other side did something the last time, and its longest pause since all was sent.
    progress: Instant,
    longest_pause: Duration,
    /// What was lost, so far.
    outcome: Option<Error>,
}

impl Closing {
    fn new(then: Then, reading: Reading, closing_time: ClosingTime, now: Instant) -> Self {
        Self {
            stage: ClosingStage::Sending(now),
            then,
            reading,
            time: closing_time,
            progress: now,
            longest_pause: Duration::ZERO,
            outcome: None,
        }
    }

    /// A connection that the caller ends.
    pub(super) fn by_caller(
        remains: SessionRemains,
        closing_time: ClosingTime,
        now: Instant,
    ) -> Self {
        Self::new(Then::Report(remains), Reading::Session, closing_time, now)
    }

    /// A connection that the caller ends by a reset.
    fn before_reset(closing_time: ClosingTime, now: Instant) -> Self {
        Self::new(Then::Reset, Reading::Session, closing_time, now)
    }

    /// A connection after which there will be another.
    pub(super) fn before_another(closing_time: ClosingTime, now: Instant) -> Self {
        Self::new(Then::Another, Reading::Discard, closing_time, now)
    }

    /// The connection that was made only to end a session.
    pub(super) fn of_last_connection(
        outcome: Option<Error>,
        closing_time: ClosingTime,
        now: Instant,
    ) -> Self {
        Self { outcome, ..Self::new(Then::EndOfSession, Reading::Discard, closing_time, now) }
    }

    /// Whether DISCONNECT and Close are not sent yet.
    pub fn is_sending(&self) -> bool {
        matches!(self.stage, ClosingStage::Sending(_))
    }

    /// What is done with bytes that still arrive.
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// Whether the connection was only made to end a session.
    pub fn is_ending_session(&self) -> bool {
        matches!(self.then, Then::EndOfSession)
    }

    /// The other side did something.
    pub(super) fn progress(&mut self, now: Instant) {
        if !self.is_sending() {
            let pause = now.saturating_duration_since(self.progress);
            self.longest_pause = self.longest_pause.max(pause);
        }
        self.progress = now;
    }

    /// From now on the other side has little time.
    pub(super) fn shorten_close(&mut self, now: Instant) {
        if self.time == ClosingTime::Usual {
            self.time = ClosingTime::Short;
            self.progress = now;
            match &mut self.stage {
                ClosingStage::Sending(since) | ClosingStage::Reading { since, .. } => *since = now,
            }
        }
    }

    /// Everything is sent; `cap` is the most that the rest may take.
    pub(super) fn sent(&mut self, now: Instant, cap: Duration) {
        if self.is_sending() {
            self.stage = ClosingStage::Reading { since: now, until: now + cap };
            self.progress = now;
        }
    }

    /// What waits to be written is lost; what the other side says may explain it.
    pub(super) fn write_failed(&mut self, error: transport::Error, now: Instant) {
        // After DISCONNECT the server may end the connection before it has read Close.
        if self.is_sending() {
            self.outcome.get_or_insert(Error::Lost(error));
            self.stage = ClosingStage::Reading { since: now, until: now + QUIET };
            self.progress = now;
        }
    }

    /// When the connection is dropped. Where the other side does not read what waits, and the time
    /// is not shortened, that is decided as in any other state.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match (self.stage, self.time) {
            (ClosingStage::Sending(_), ClosingTime::Usual) => None,
            (ClosingStage::Sending(since), ClosingTime::Short) => {
                Some((self.progress + SHORT_QUIET).min(since + SHORT_SENDING))
            }
            (ClosingStage::Reading { until, .. }, ClosingTime::Usual) => {
                // A server that has paused before, and then went on, may pause for longer: it is
                // busy with what we have sent.
                let quiet = QUIET.max(self.longest_pause * 2);
                let is_over = self.progress + quiet;
                // The answer is all that comes.
                Some(if self.awaits_answer() { until } else { until.min(is_over) })
            }
            (ClosingStage::Reading { since, until }, ClosingTime::Short) => {
                Some(until.min(since + SHORT_READING).min(self.progress + SHORT_QUIET))
            }
        }
    }

    /// Whether the server is to answer before the connection is reset.
    fn awaits_answer(&self) -> bool {
        matches!(self.then, Then::Reset)
    }

    /// Keeps this end of the connection as the outcome, if it means that something was lost.
    fn judge(&mut self, error: Error) {
        let counts = match (&self.stage, &error) {
            // A reason code explains more than a write that failed.
            (_, Error::Disconnected(disconnect)) => disconnect.code.is_error() || self.is_sending(),
            (
                ClosingStage::Reading { .. },
                Error::Lost(transport::Error::WebSocket(WebSocketError::Closed { code, .. })),
            ) => code.is_some_and(|code| ABOUT_DATA.contains(&code)),
            (ClosingStage::Reading { .. }, _) => self.awaits_answer(),
            (ClosingStage::Sending(_), _) => true,
        };
        if counts {
            let first = self.outcome.take();
            self.outcome = Some(match (first, error) {
                (_, error @ Error::Disconnected(_)) => error,
                (first, error) => first.unwrap_or(error),
            });
        }
    }
}

impl Lifecycle {
    /// From now on a server that does nothing is waited for only shortly.
    pub(super) fn shorten_close(&mut self, now: Instant) {
        self.closing_time = ClosingTime::Short;
        match &mut self.state {
            State::ReplacingSession(_, closing) | State::Closing(closing) => {
                closing.shorten_close(now);
            }
            State::Fetching(attempt)
            | State::Dialling(attempt)
            | State::Handshaking(attempt)
            | State::AwaitingConnack(attempt) => {
                if matches!(attempt.purpose, ConnectPurpose::EndSession(_)) {
                    attempt.plan.deadline = attempt.plan.deadline.min(now + SHORT_QUIET);
                }
            }
            State::Idle | State::Online(_) | State::Backoff(_) | State::Closed => {}
        }
    }

    /// The caller wants to end. What waits is sent first, if there is a connection.
    pub(super) fn close(&mut self, remains: SessionRemains, now: Instant) {
        match self.take() {
            State::Online(online) => self.leave(online, remains, now),
            // DISCONNECT was given to the transport already.
            State::ReplacingSession(attempt, mut closing) => {
                let remains = match (attempt.replacing, remains) {
                    // Our DISCONNECT was one after which the server keeps the session.
                    (Replacing::Nothing, SessionRemains::WithoutDisconnect) => {
                        SessionRemains::Always
                    }
                    (_, remains) => remains,
                };
                closing.then = Then::Report(attempt.purpose.remains(remains));
                self.state = State::Closing(closing);
            }
            State::Fetching(attempt)
            | State::Dialling(attempt)
            | State::Handshaking(attempt)
            | State::AwaitingConnack(attempt) => self.end_try(attempt.purpose, remains, now),
            State::Backoff(backoff) => self.end_try(backoff.purpose, remains, now),
            State::Closed => self.end_session(remains, None, now),
            State::Idle => self.finish(None),
            State::Closing(closing) => self.state = State::Closing(closing),
        }
    }

    /// Begins to end a connection, after all that waits.
    fn leave(&mut self, online: Online, remains: SessionRemains, now: Instant) {
        let (mut closing, action) = match self.policy.leaving {
            Leaving::Reset => (Closing::before_reset(self.closing_time, now), Action::AskForAnswer),
            Leaving::Disconnect | Leaving::DisconnectWithWill => {
                (Closing::by_caller(remains, self.closing_time, now), Action::Disconnect)
            }
        };
        self.actions.push_back(action);
        if let Some(error) = online.into_write_error() {
            closing.write_failed(error, now);
        }
        self.state = State::Closing(closing);
    }

    /// Gives up a try to connect.
    fn end_try(&mut self, purpose: ConnectPurpose, remains: SessionRemains, now: Instant) {
        match purpose {
            ConnectPurpose::EndSession(outcome) => self.finish(outcome),
            purpose @ (ConnectPurpose::First { .. } | ConnectPurpose::Again { .. }) => {
                self.end_session(purpose.remains(remains), None, now);
            }
        }
    }

    /// There is no connection any more: ends the session with one that is made only for that, if
    /// the session remains at the server.
    fn end_session(&mut self, remains: SessionRemains, outcome: Option<Error>, now: Instant) {
        if remains == SessionRemains::Nothing {
            return self.finish(outcome);
        }
        self.actions.push_back(Action::Drop);
        self.actions.push_back(Action::ForgetSession(true));
        self.begin(ConnectPurpose::EndSession(outcome), now);
    }

    /// The end is reported to the caller.
    pub(super) fn finish(&mut self, outcome: Option<Error>) {
        self.actions.push_back(Action::Drop);
        self.actions.push_back(Action::Event(Event::Closed(
            outcome.map_or(Ok(()), |error| Err(Box::new(error))),
        )));
        self.state = State::Closed;
    }

    /// The connection that we are ending has ended.
    pub(super) fn closing_failed(&mut self, mut closing: Closing, error: Error, now: Instant) {
        closing.judge(error);
        self.closed(closing, now);
    }

    /// The other side has done nothing for too long.
    pub(super) fn closing_is_late(&mut self, mut closing: Closing, now: Instant) {
        if closing.is_sending() {
            self.actions.push_back(Action::GiveUpSending);
            let source = io::ErrorKind::TimedOut.into();
            closing.judge(Error::Lost(transport::Error::Io { phase: Phase::Open, source }));
        } else if closing.awaits_answer() && closing.time == ClosingTime::Usual {
            let (what, after) = ("ending by a reset".to_owned(), self.policy.connect_timeout);
            closing.judge(Error::Unanswered { what, after });
        }
        self.closed(closing, now);
    }

    /// The server has answered after everything else: it has got all.
    pub(super) fn answered(&mut self) {
        match self.take() {
            State::Closing(closing) if closing.awaits_answer() => {
                self.actions.push_back(Action::Reset);
                self.finish(closing.outcome);
            }
            state => self.state = state,
        }
    }

    /// Whether the connection is reset as soon as the server has answered.
    pub fn is_leaving_by_reset(&self) -> bool {
        matches!(&self.state, State::Closing(closing) if closing.awaits_answer())
    }

    /// Whether the caller ends the connection so that the server publishes the will.
    pub fn is_left_with_will(&self) -> bool {
        let is_left = matches!(&self.state, State::Closing(Closing { then: Then::Report(_), .. }));
        is_left && self.policy.leaving == Leaving::DisconnectWithWill
    }

    fn closed(&mut self, closing: Closing, now: Instant) {
        match closing.then {
            Then::Report(remains) => {
                let is_sent = closing.outcome.is_none();
                let remains = match remains {
                    SessionRemains::WithoutDisconnect if is_sent => SessionRemains::Nothing,
                    remains => remains,
                };
                self.end_session(remains, closing.outcome, now);
            }
            Then::EndOfSession | Then::Another => self.finish(closing.outcome),
            Then::Reset => {
                self.actions.push_back(Action::Reset);
                self.finish(closing.outcome);
            }
        }
    }

    /// The connection to the server with an old session has ended: the next one.
    pub(super) fn dial_after_replacing(&mut self, mut attempt: Box<ConnectAttempt>, now: Instant) {
        self.actions.push_back(Action::Drop);
        if attempt.replacing != Replacing::Nothing {
            let forget = attempt.replacing == Replacing::Forgetting;
            self.actions.push_back(Action::ForgetSession(forget));
        }
        attempt.plan.version = self.latest.version;
        if attempt.plan.deadline <= now {
            let (step, after) = (Step::ConnAck, self.policy.connect_timeout);
            let error = Error::ConnectTimedOut { step, after, tried: None };
            return self.attempt_failed(attempt, error, now);
        }
        attempt.plan.order = AddressOrder::Same;
        self.dial(attempt);
    }

    /// Until when a connection for this purpose must be accepted.
    pub(super) fn deadline_of(&self, purpose: &ConnectPurpose, now: Instant) -> Instant {
        match purpose {
            ConnectPurpose::First { .. } => self.first_deadline(now),
            ConnectPurpose::Again { .. } => now + self.policy.connect_timeout,
            ConnectPurpose::EndSession(_) => now + QUIET,
        }
    }
}
