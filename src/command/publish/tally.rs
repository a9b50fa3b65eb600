//! Counts of published, refused and acknowledged messages, and the exit code that they mean.

use std::time::Instant;

use crate::client;
use crate::command::latency::Acknowledgements;
use crate::command::refusal;
use crate::exit::{Exit, worse};
use crate::format::count::count;
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::{self, Session};
use crate::report;

/// What a lost connection may mean for messages of QoS 0.
pub const GAPS: &str =
    "publishing: messages of QoS 0 may be missing: the connection was lost meanwhile";

/// Why a message counts as refused whose session the broker has lost.
pub const IN_DOUBT: &str = "in doubt: the broker has lost the session";

/// Why a message of QoS 0 counts as refused whose texts hold a discouraged character.
pub const NOT_PROVEN: &str =
    "the connection ended at it, as some brokers end it at a control character";

/// What is known of the messages of QoS 0, which are not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtMostOnce {
    /// There were none.
    Unused,
    /// They were sent on the one connection that there was.
    Sent,
    /// The connection was lost after some of them were sent.
    MaybeLost,
}

/// Counts of messages, whether they were published alone or in a batch.
pub struct Tally {
    /// The context of errors: publishing, and where to.
    pub context: String,
    /// The topics to which each record goes, if there are several: messages are numbered through.
    pub topics: Vec<String>,
    /// Messages are named by their numbers: there may be several.
    pub is_numbered: bool,
    /// Messages that were published.
    pub published: u64,
    /// Their payloads, in bytes.
    pub bytes: u64,
    /// Messages that were refused, or are in doubt.
    pub refused: u64,
    /// What is known of the messages of QoS 0.
    pub at_most_once: AtMostOnce,
    /// The worst exit code so far.
    pub exit: Exit,
    /// How long acknowledgements took, if that is of interest.
    pub acknowledgements: Option<Acknowledgements>,
}

impl Tally {
    /// Nothing was published; `times` asks how long acknowledgements take.
    pub fn new(context: String, topics: Vec<String>, is_numbered: bool, times: bool) -> Self {
        Self {
            context,
            topics,
            is_numbered,
            published: 0,
            bytes: 0,
            refused: 0,
            at_most_once: AtMostOnce::Unused,
            exit: Exit::Done,
            acknowledgements: times.then(Acknowledgements::default),
        }
    }

    /// The number of the record of which this message is made.
    pub fn record_of(&self, message: u64) -> u64 {
        message.saturating_sub(1) / (self.topics.len().max(1) as u64) + 1
    }

    /// The context of errors about this message.
    fn context_of(&self, message: u64) -> String {
        if self.topics.len() < 2 {
            return self.context.clone();
        }
        let place = message.saturating_sub(1) % self.topics.len() as u64;
        let topic = usize::try_from(place).ok().and_then(|place| self.topics.get(place));
        topic.map_or_else(|| self.context.clone(), |topic| format!("publishing to {topic}"))
    }

    /// Counts published messages of this QoS, and the bytes of their payloads.
    pub fn sent(&mut self, count: u64, bytes: u64, qos: QoS) {
        self.published += count;
        self.bytes += bytes;
        if count > 0 && qos == QoS::AtMostOnce && self.at_most_once == AtMostOnce::Unused {
            self.at_most_once = AtMostOnce::Sent;
        }
    }

    /// The connection was lost.
    pub fn connection_lost(&mut self) {
        if self.at_most_once == AtMostOnce::Sent {
            self.at_most_once = AtMostOnce::MaybeLost;
        }
    }

    /// Whether every message was acknowledged, so that the end of the connection costs none.
    pub fn is_acknowledged(&self, session: &Session) -> bool {
        self.at_most_once == AtMostOnce::Unused && session.in_flight() == 0
    }

    /// Notes when messages of this QoS are published, all of them now.
    pub fn clock(&mut self, qos: QoS) -> Clock<'_> {
        let acknowledgements = self.acknowledgements.as_mut().filter(|_| qos > QoS::AtMostOnce);
        Clock(acknowledgements.map(|acknowledgements| (acknowledgements, Instant::now())))
    }

    /// What the broker says about a message that it refuses; about the only one also what to do.
    pub fn refusal(&self, code: ReasonCode, reason: Option<&str>) -> String {
        let words = refusal(code, reason);
        if code == ReasonCode::NOT_AUTHORIZED && !self.is_numbered {
            return format!("{words}; choose another topic, or another user with -u");
        }
        words
    }

    /// A message was acknowledged, by which it may be refused.
    pub fn acknowledged(&mut self, record: u64, code: ReasonCode, reason: Option<&str>) {
        if code.is_error() {
            self.refuse(record, &self.refusal(code, reason));
        } else if let Some(acknowledgements) = &mut self.acknowledgements {
            acknowledgements.acknowledged(record);
        }
    }

    /// Counts what the session says of messages.
    pub fn count(&mut self, event: session::Event) {
        match event {
            session::Event::Acknowledged { token: record, code, reason } => {
                self.acknowledged(record, code, reason.as_deref());
            }
            session::Event::InDoubt { token: record } => self.refuse(record, IN_DOUBT),
            // Successes without a number, and events that are not about messages of ours.
            session::Event::SomeAcknowledged
            | session::Event::Connected(_)
            | session::Event::Refused(_)
            | session::Event::Message(_)
            | session::Event::MessageBegins { .. }
            | session::Event::Piece(_)
            | session::Event::MessageEnds
            | session::Event::MessageCut
            | session::Event::Subscribed(_)
            | session::Event::NotSubscribed { .. }
            | session::Event::Unsubscribed(_)
            | session::Event::AllReleased
            | session::Event::Answered { .. }
            | session::Event::Pong
            | session::Event::Disconnected(_) => {}
        }
    }

    /// An error that is about one message names it: by its number, if there are others, and by
    /// topic and QoS, which `template` has if the session has them no more.
    fn named(&self, mut error: anyhow::Error, template: &Publish) -> anyhow::Error {
        if let Some(client::Error::Repeated { packet, number }) = error.downcast_mut() {
            *number = self.is_numbered.then_some(self.record_of(packet.record));
            if packet.message.is_none() {
                let topic = template.topic.as_ref();
                // A message without a PUBLISH to send again has QoS 2.
                packet.message = topic.map(|topic| (topic.to_string(), QoS::ExactlyOnce));
            }
        }
        error
    }

    /// The same with the counts with which a script can go on from there: `in_doubt` messages are
    /// not finished, and `first` is the number of the first that was not handed over.
    pub fn with_counts(
        &self,
        error: anyhow::Error,
        template: &Publish,
        in_doubt: u64,
        first: u64,
    ) -> anyhow::Error {
        let error = self.named(error, template);
        let no_acknowledgements = self.published == 0 && template.qos == QoS::AtMostOnce;
        if !self.is_numbered || self.at_most_once != AtMostOnce::Unused || no_acknowledgements {
            return error;
        }
        let acknowledged = self.published.saturating_sub(in_doubt + self.refused);
        let acknowledged = count(acknowledged, "message");
        error.context(format!(
            "gave up with {acknowledged} acknowledged and {in_doubt} in doubt; \
             go on with number {first}"
        ))
    }

    /// A message is refused, or in doubt.
    pub fn refuse(&mut self, message: u64, words: &str) {
        self.refused += 1;
        self.exit = worse(self.exit, Exit::Denied);
        if let Some(acknowledgements) = &mut self.acknowledgements {
            acknowledgements.forget(message);
        }
        let what = if self.is_numbered {
            format!("message {}", self.record_of(message))
        } else {
            "message".to_owned()
        };
        report::line(&format!("{}: {what} refused: {words}", self.context_of(message)));
    }
}

/// With which record a script can go on, the `first` that was not handed over; and which arrive
/// twice then, of those that were taken before `untaken`.
pub fn go_on(first: u64, untaken: u64) -> String {
    let last = untaken.saturating_sub(1);
    let twice = match last.checked_sub(first) {
        None => String::new(),
        Some(0) => ", which may arrive twice".to_owned(),
        Some(_) => format!("; numbers {first} to {last} may arrive twice"),
    };
    format!("; go on with number {first}{twice}")
}

/// See [`Tally::clock`].
pub struct Clock<'a>(Option<(&'a mut Acknowledgements, Instant)>);

impl Clock<'_> {
    /// The message of this record, the latest, is published.
    #[inline]
    pub fn published(&mut self, record: u64) {
        if let Some((acknowledgements, now)) = &mut self.0 {
            acknowledgements.published(record, *now);
        }
    }
}
