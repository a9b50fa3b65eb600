//! How a connection ends: what there is to say, DISCONNECT and Close are sent, and then the other
//! side is listened to as long as it goes on.

use std::io;
use std::time::{Duration, Instant};

use super::{Attempt, Lifecycle, Output, Patience, Purpose, Replacing, State};
use crate::client::Event;
use crate::client::error::{Error, Step};
use crate::transport::{self, Phase};
use crate::websocket::WebSocketError;

/// How long the other side may do nothing (neither say anything, nor take what waits, nor end)
/// before it is left.
const QUIET: Duration = Duration::from_secs(1);

/// The same while the other side owes the PUBREL of a message that was written: left too early, it
/// would send the message again in the next session. Mosquitto is silent for over a second while
/// it reads tens of thousands of PUBRECs on a busy machine.
const QUIET_BEFORE_PUBREL: Duration = Duration::from_secs(4);

/// The same when the user has interrupted us.
const QUIET_IN_HASTE: Duration = Duration::from_millis(250);

/// How long sending may take when the user has interrupted us.
const SENDING_IN_HASTE: Duration = Duration::from_secs(1);

/// How long the other side is listened to then, also when it goes on.
const LISTENING_IN_HASTE: Duration = Duration::from_millis(500);

/// The same while the other side owes PUBRELs, also when it is silent: who stops a program does not
/// want its messages again. With [`SENDING_IN_HASTE`] this is less than the time after which a
/// signal ends the process, whatever it is doing.
const LISTENING_IN_HASTE_BEFORE_PUBREL: Duration = Duration::from_secs(3);

/// Whether the server would keep a session of ours that nobody wants any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// It would not.
    Nothing,
    /// Only if our DISCONNECT does not reach it.
    Untold,
    /// Whatever we say: before MQTT 5 only a connection with Clean Session ends it.
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Something waits to be written, since then.
    Sending(Instant),
    /// Everything is said; at the latest until then the answer is listened to.
    Listening { since: Instant, until: Instant },
}

/// What follows the end of a connection.
#[derive(Debug)]
enum Then {
    /// The caller hears of it; the session at the server may have to be ended.
    Tell(Remains),
    /// The next connection of the attempt that replaces an old session.
    Another,
    /// The caller hears how the connection before this one ended.
    EndOfSession,
}

/// A connection that is being ended.
#[derive(Debug)]
pub struct Closing {
    stage: Stage,
    then: Then,
    patience: Patience,
    /// When the other side did something the last time, and its longest pause since all was said.
    progress: Instant,
    longest_pause: Duration,
    /// The other side owes PUBRELs.
    awaits_pubrel: bool,
    /// What was lost, so far.
    outcome: Option<Error>,
}

impl Closing {
    fn new(then: Then, outcome: Option<Error>, patience: Patience, now: Instant) -> Self {
        Self {
            stage: Stage::Sending(now),
            then,
            patience,
            progress: now,
            longest_pause: Duration::ZERO,
            awaits_pubrel: false,
            outcome,
        }
    }

    /// A connection that the caller ends.
    pub(super) fn by_caller(remains: Remains, patience: Patience, now: Instant) -> Self {
        Self::new(Then::Tell(remains), None, patience, now)
    }

    /// A connection after which there will be another.
    pub(super) fn before_another(patience: Patience, now: Instant) -> Self {
        Self::new(Then::Another, None, patience, now)
    }

    /// The connection that was made only to end a session.
    pub(super) fn of_last_connection(
        outcome: Option<Error>,
        patience: Patience,
        now: Instant,
    ) -> Self {
        Self::new(Then::EndOfSession, outcome, patience, now)
    }

    /// Whether what there is to say was not yet sent.
    pub fn is_sending(&self) -> bool {
        matches!(self.stage, Stage::Sending(_))
    }

    /// Whether nobody needs to hear of it.
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
    pub(super) fn hurry(&mut self, now: Instant) {
        if self.patience == Patience::Usual {
            self.patience = Patience::Hasty;
            self.progress = now;
            match &mut self.stage {
                Stage::Sending(since) | Stage::Listening { since, .. } => *since = now,
            }
        }
    }

    /// Everything is said; `cap` is the most that the rest may take.
    pub(super) fn sent(&mut self, now: Instant, cap: Duration) {
        if self.is_sending() {
            self.stage = Stage::Listening { since: now, until: now + cap };
            self.progress = now;
        }
    }

    /// Whether the other side owes PUBRELs.
    pub(super) fn note_pubrels(&mut self, awaits: bool) {
        self.awaits_pubrel = awaits;
    }

    /// What was to be written is lost; what the other side says may tell why.
    pub(super) fn write_failed(&mut self, error: transport::Error, now: Instant) {
        // After DISCONNECT the server may be gone before it has heard Close.
        if self.is_sending() {
            self.outcome.get_or_insert(Error::Lost(error));
            self.stage = Stage::Listening { since: now, until: now + QUIET };
            self.progress = now;
        }
    }

    /// When the other side is left. One that does not read what waits is left when it would count
    /// as lost in any other state, too, unless we are in a hurry.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match (self.stage, self.patience) {
            (Stage::Sending(_), Patience::Usual) => None,
            (Stage::Sending(since), Patience::Hasty) => {
                Some((self.progress + QUIET_IN_HASTE).min(since + SENDING_IN_HASTE))
            }
            (Stage::Listening { until, .. }, Patience::Usual) => {
                // A server that has paused before, and then went on, may pause for longer: it is
                // busy with what we have sent.
                let least = if self.awaits_pubrel { QUIET_BEFORE_PUBREL } else { QUIET };
                let quiet = least.max(self.longest_pause * 2);
                Some(until.min(self.progress + quiet))
            }
            (Stage::Listening { since, until }, Patience::Hasty) if self.awaits_pubrel => {
                Some(until.min(since + LISTENING_IN_HASTE_BEFORE_PUBREL))
            }
            (Stage::Listening { since, until }, Patience::Hasty) => {
                let quiet = self.progress + QUIET_IN_HASTE;
                Some(until.min(since + LISTENING_IN_HASTE).min(quiet))
            }
        }
    }

    /// Whether the end of the connection, seen like this, means that something was lost.
    fn judge(&mut self, error: Error) {
        let counts = match (&self.stage, &error) {
            // A reason of its own tells more than a write that failed.
            (_, Error::Disconnected(disconnect)) => disconnect.code.is_error() || self.is_sending(),
            (
                Stage::Listening { .. },
                Error::Lost(transport::Error::WebSocket(WebSocketError::Closed { code, .. })),
            ) => matches!(code, Some(1008 | 1009)),
            (Stage::Listening { .. }, _) => false,
            (Stage::Sending(_), _) => true,
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
    /// From now on nobody waits for a server that does nothing.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.patience = Patience::Hasty;
        match &mut self.state {
            State::ReplacingSession(_, closing) | State::Closing(closing) => closing.hurry(now),
            State::Dialling(attempt)
            | State::Handshaking(attempt)
            | State::AwaitingConnack(attempt) => {
                if matches!(attempt.purpose, Purpose::EndSession(_)) {
                    attempt.plan.deadline = attempt.plan.deadline.min(now + QUIET_IN_HASTE);
                }
            }
            State::Idle | State::Online(_) | State::Backoff(_) | State::Closed => {}
        }
    }

    /// The caller wants to end. What had to be said is said first, if there is somebody to say it
    /// to.
    pub(super) fn close(&mut self, remains: Remains, now: Instant) {
        match self.take() {
            State::Online(online) => {
                let mut closing = Closing::by_caller(remains, self.patience, now);
                self.outputs.push_back(Output::Disconnect);
                if let Some((error, _)) = online.failing {
                    closing.write_failed(error, now);
                }
                self.state = State::Closing(closing);
            }
            // DISCONNECT is on its way already.
            State::ReplacingSession(attempt, mut closing) => {
                closing.then = Then::Tell(attempt.purpose.remains(remains));
                self.state = State::Closing(closing);
            }
            State::Dialling(attempt)
            | State::Handshaking(attempt)
            | State::AwaitingConnack(attempt) => match attempt.purpose {
                Purpose::EndSession(outcome) => self.finish(outcome),
                purpose @ (Purpose::First { .. } | Purpose::Again { .. }) => {
                    self.end_session(purpose.remains(remains), None, now);
                }
            },
            State::Backoff(backoff) => {
                self.end_session(backoff.purpose.remains(remains), None, now);
            }
            State::Closed => self.end_session(remains, None, now),
            State::Idle => self.finish(None),
            State::Closing(closing) => self.state = State::Closing(closing),
        }
    }

    /// There is no connection any more: ends the session with one that is made only for that, if
    /// the server would keep it.
    fn end_session(&mut self, remains: Remains, outcome: Option<Error>, now: Instant) {
        if remains == Remains::Nothing {
            return self.finish(outcome);
        }
        self.outputs.push_back(Output::Drop);
        self.outputs.push_back(Output::ForgetSession(true));
        self.begin(Purpose::EndSession(outcome), now);
    }

    /// The caller hears how it ended.
    pub(super) fn finish(&mut self, outcome: Option<Error>) {
        self.outputs.push_back(Output::Drop);
        self.outputs.push_back(Output::Event(Event::Closed(
            outcome.map_or(Ok(()), |error| Err(Box::new(error))),
        )));
        self.state = State::Closed;
    }

    /// The connection that we are ending has ended.
    pub(super) fn closing_failed(&mut self, mut closing: Closing, error: Error, now: Instant) {
        closing.judge(error);
        self.closed(closing, now);
    }

    /// The other side does nothing any more.
    pub(super) fn closing_is_late(&mut self, mut closing: Closing, now: Instant) {
        if closing.is_sending() {
            self.outputs.push_back(Output::GiveUpSending);
            let source = io::ErrorKind::TimedOut.into();
            closing.judge(Error::Lost(transport::Error::Io { phase: Phase::Open, source }));
        }
        if closing.awaits_pubrel {
            self.warn(
                "the broker has not answered every PUBREC: it may send messages again".into(),
            );
        }
        self.closed(closing, now);
    }

    fn closed(&mut self, closing: Closing, now: Instant) {
        match closing.then {
            Then::Tell(remains) => {
                let is_untold = closing.outcome.is_some();
                let remains = match remains {
                    Remains::Untold if !is_untold => Remains::Nothing,
                    remains => remains,
                };
                self.end_session(remains, closing.outcome, now);
            }
            Then::EndOfSession | Then::Another => self.finish(closing.outcome),
        }
    }

    /// The connection to the server with an old session has ended: the next one.
    pub(super) fn dial_after_replacing(&mut self, mut attempt: Box<Attempt>, now: Instant) {
        self.outputs.push_back(Output::Drop);
        let forget = attempt.replacing == Replacing::Forgetting;
        self.outputs.push_back(Output::ForgetSession(forget));
        attempt.plan.version = self.version;
        if attempt.plan.deadline <= now {
            let (step, after) = (Step::ConnAck, self.policy.connect_timeout);
            let error = Error::ConnectTimedOut { step, after, tried: None };
            return self.attempt_failed(attempt, error, now);
        }
        self.dial(Some(attempt));
    }

    /// Until when a connection for this purpose must be accepted.
    pub(super) fn deadline_of(&self, purpose: &Purpose, now: Instant) -> Instant {
        match purpose {
            Purpose::First { .. } => self.first_deadline(now),
            Purpose::Again { .. } => now + self.policy.connect_timeout,
            Purpose::EndSession(_) => now + QUIET,
        }
    }
}

impl Purpose {
    /// What remains at the server when a try for this purpose is given up.
    fn remains(&self, remains: Remains) -> Remains {
        match self {
            // Nothing of ours was ever there.
            Self::First { .. } => Remains::Nothing,
            Self::Again { .. } | Self::EndSession(_) => remains,
        }
    }
}

impl Attempt {
    /// Something happened: a connection that only ends a session may take a little longer, `cap`
    /// from its beginning at the most.
    pub(super) fn progress(&mut self, cap: Duration, patience: Patience, now: Instant) {
        if matches!(self.purpose, Purpose::EndSession(_)) && patience == Patience::Usual {
            self.plan.deadline = (now + QUIET).min(self.began + cap);
        }
    }
}
