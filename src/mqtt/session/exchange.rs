//! One exchange: a QoS 1 or 2 message, a SUBSCRIBE or an UNSUBSCRIBE that the server has not
//! finished.

use std::fmt;

use super::sent::SentMessage;
use crate::mqtt::packet::PacketId;
use crate::mqtt::property::Properties;
use crate::mqtt::topic::TopicFilter;

/// A packet that is sent again.
#[derive(Debug)]
pub enum Resend {
    /// A message. If its payload is streamed, the caller must stream it again.
    Publish {
        /// The message.
        sent: SentMessage,
        /// Its identifier.
        packet_id: PacketId,
        /// The server may have received the message before `[MQTT-3.3.1-1]`.
        dup: bool,
    },
    /// PUBREL.
    Release(PacketId),
}

/// A SUBSCRIBE or UNSUBSCRIBE that the server has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingSubscribe<'a> {
    /// SUBSCRIBE to these filters.
    Subscribe(&'a [TopicFilter]),
    /// UNSUBSCRIBE from these filters.
    Unsubscribe(&'a [TopicFilter]),
}

/// The action of the client that waits for the answer: "subscribing to a and 2 more".
impl fmt::Display for PendingSubscribe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, filters) = match self {
            Self::Subscribe(filters) => ("subscribing to", filters),
            Self::Unsubscribe(filters) => ("unsubscribing from", filters),
        };
        let first = filters.first().map_or("nothing", TopicFilter::as_str);
        write!(f, "{verb} {first}")?;
        match filters.len() {
            0 | 1 => Ok(()),
            count => write!(f, " and {} more", count - 1),
        }
    }
}

/// One unfinished exchange.
#[derive(Debug)]
pub enum Exchange {
    /// PUBLISH awaits PUBACK, or with QoS 2 PUBREC.
    Published(SentMessage),
    /// PUBREL awaits PUBCOMP; the payload is no longer needed.
    Released { token: u64 },
    /// SUBSCRIBE to these topic filters awaits SUBACK.
    Subscribe(Box<[TopicFilter]>),
    /// UNSUBSCRIBE awaits UNSUBACK.
    Unsubscribe(Box<(Vec<TopicFilter>, Properties)>),
    /// Finished.
    Done,
}

impl Exchange {
    /// Whether an answer to SUBSCRIBE or UNSUBSCRIBE is awaited.
    pub fn is_subscribing(&self) -> bool {
        matches!(self, Self::Subscribe(_) | Self::Unsubscribe(_))
    }

    /// Whether this is a message that is not finished.
    pub fn is_publishing(&self) -> bool {
        matches!(self, Self::Published(_) | Self::Released { .. })
    }

    /// Whether this is a QoS 2 message.
    pub fn is_exactly_once(&self) -> bool {
        match self {
            Self::Published(sent) => sent.is_exactly_once(),
            Self::Released { .. } => true,
            _ => false,
        }
    }

    /// The number of payload bytes held in memory so that they can be sent again.
    pub fn remembered(&self) -> usize {
        match self {
            Self::Published(sent) => sent.remembered(),
            _ => 0,
        }
    }
}
