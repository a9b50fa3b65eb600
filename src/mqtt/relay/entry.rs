//! A message that is on its way.

use super::RelayMark;
use super::expiry::HeldMessage;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// Whether a message may have been sent to the session of the target before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelaySending {
    First,
    /// It may, so it has DUP `[MQTT-3.3.1-1]`.
    Again,
}

/// Whether the source has sent the PUBREL on the connection that it has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayAsked {
    Here,
    /// On one before, or it will never send it.
    Before,
}

/// How far a message has come at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayStage {
    /// The target may have another message under the identifier, from a run before this one: it
    /// is asked to release that, and its PUBCOMP is awaited.
    Clearing,
    /// It is to be published.
    Waiting(RelaySending),
    /// The first answer of the target is awaited.
    Published,
    /// PUBREC came; the PUBREL of the source is awaited.
    Received,
    /// PUBREL was sent, or is to be sent; PUBCOMP is awaited.
    Released(RelayAsked),
    /// The target has finished with it.
    Finished(ReasonCode),
}

impl RelayStage {
    /// Whether the next step is the target's.
    pub fn waits_for_target(self) -> bool {
        matches!(self, Self::Clearing | Self::Published | Self::Released(_))
    }
}

/// The first answer to the source: PUBACK or PUBREC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayAnswer {
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
pub struct RelayEntry {
    /// The position of the message among those that came.
    pub number: u64,
    /// What tells it from other messages, unless only its PUBREL came.
    pub mark: Option<RelayMark>,
    /// The QoS at the source.
    pub qos: QoS,
    /// The message, until the target has acknowledged it.
    pub message: Option<HeldMessage>,
    pub stage: RelayStage,
    pub answer: RelayAnswer,
    pub owner: Owner,
    /// The connection to the target on which it counts against the Receive Maximum.
    pub sent_on: Option<u64>,
}

impl RelayEntry {
    /// The result of the first answer to the source, if it may be given.
    pub fn verdict(&self) -> Option<ReasonCode> {
        match (self.qos, self.stage) {
            (_, RelayStage::Finished(code)) => Some(code),
            (QoS::ExactlyOnce, RelayStage::Received | RelayStage::Released(_)) => {
                Some(ReasonCode::SUCCESS)
            }
            (_, RelayStage::Clearing | RelayStage::Waiting(_) | RelayStage::Published)
            | (
                QoS::AtMostOnce | QoS::AtLeastOnce,
                RelayStage::Received | RelayStage::Released(_),
            ) => None,
        }
    }
}
