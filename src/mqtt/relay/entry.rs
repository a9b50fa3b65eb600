//! A message that is on its way.

use super::Mark;
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// Whether a message may have been sent to the session of the target before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    First,
    /// It may, so it has DUP `[MQTT-3.3.1-1]`.
    Again,
}

/// Whether the source has sent the PUBREL on the connection that it has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Here,
    /// On one before, or it will never send it.
    Before,
}

/// How far a message has come at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The target may have another message under the identifier, from a run before this one: it
    /// is asked to release that, and its PUBCOMP is awaited.
    Clearing,
    /// It is to be published.
    Waiting(Sending),
    /// The first answer of the target is awaited.
    Published,
    /// PUBREC came; the PUBREL of the source is awaited.
    Received,
    /// PUBREL was sent, or is to be sent; PUBCOMP is awaited.
    Released(Asked),
    /// The target has finished with it.
    Finished(ReasonCode),
}

impl Stage {
    /// Whether the next step is the target's.
    pub fn waits_for_target(self) -> bool {
        matches!(self, Self::Clearing | Self::Published | Self::Released(_))
    }
}

/// The first answer to the source: PUBACK or PUBREC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is to be given.
    Due,
    /// It was given on this connection.
    Given,
    /// The connection was lost: the source sends the message or its PUBREL again.
    Lost,
}

/// Whose message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The source knows it.
    Source,
    /// The source has lost its session.
    Nobody,
}

/// A message that is on its way.
#[derive(Debug)]
pub struct Entry {
    /// The position of the message among those that came.
    pub number: u64,
    /// What tells it from other messages, unless only its PUBREL came.
    pub mark: Option<Mark>,
    /// The QoS at the source.
    pub qos: QoS,
    /// The message, until the target has acknowledged it.
    pub message: Option<Publish>,
    pub stage: Stage,
    pub answer: Answer,
    pub owner: Owner,
    /// The connection to the target on which it counts against the Receive Maximum.
    pub sent_on: Option<u64>,
}

impl Entry {
    /// The result of the first answer to the source, if it may be given.
    pub fn verdict(&self) -> Option<ReasonCode> {
        match (self.qos, self.stage) {
            (_, Stage::Finished(code)) => Some(code),
            (QoS::ExactlyOnce, Stage::Received | Stage::Released(_)) => Some(ReasonCode::SUCCESS),
            (_, Stage::Clearing | Stage::Waiting(_) | Stage::Published)
            | (QoS::AtMostOnce | QoS::AtLeastOnce, Stage::Received | Stage::Released(_)) => None,
        }
    }
}
