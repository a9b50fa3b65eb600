//! One connection of the router: the facts of its CONNECT, and the packets to be sent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::aliases::OutboundAliases;
use super::outgoing::OutgoingItem;
use super::reader::{BacklogLevel, ReaderPace};
use super::{ConnectionId, EndReason, SessionKey, copies};
use crate::broker::limits::UNSENT_BYTES;
use crate::broker::memory::MemoryLevel;
use crate::mqtt::packet::{Connect, MAXIMUM_REMAINING_LENGTH, Packet};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

/// The largest packet of MQTT, in bytes.
const LARGEST_PACKET: usize = MAXIMUM_REMAINING_LENGTH + 5;

/// A Reason String has no more bytes.
const LONGEST_REASON: usize = 1024;

/// A payload of fewer bytes fits into that, whatever its topic is.
const SMALL: usize = 1024 * 1024;

/// What waits to be written to a client.
#[derive(Debug)]
pub struct Backlog {
    /// What the packets weigh, handed over or not, in bytes.
    pub unsent: usize,
    /// How the client takes them.
    pub reader: ReaderPace,
    /// How long publishers wait for the client when it stops reading, before it loses messages: not
    /// at all for one of which is not known that it has ever read any.
    pub patience: Duration,
    /// How many of those that were not handed over are PUBLISH.
    pub published: u64,
}

/// Which packets to a client have a Reason String (§3.1.2.11.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasonStrings {
    /// Each that may have one.
    Everywhere,
    /// CONNACK and DISCONNECT alone: the client has not asked for more `[MQTT-3.1.2-29]`.
    AtTheEnds,
}

/// What a client takes, as its CONNECT says.
#[derive(Debug)]
pub struct ClientTerms {
    /// The largest packet, in bytes (§3.1.2.11.4).
    pub maximum_packet: usize,
    /// Which packets to it say why.
    reason_strings: ReasonStrings,
    /// The aliases of the messages to it, if it allows some.
    pub aliases: Option<Box<OutboundAliases>>,
}

/// A connection, from its opening until its end was handed over.
#[derive(Debug)]
pub struct Peer {
    /// Its session; `None` before CONNECT and after the end.
    pub session: Option<SessionKey>,
    /// The client's version.
    pub version: Version,
    /// What the client takes.
    pub terms: ClientTerms,
    /// Silence after which the connection is closed: one and a half times its Keep Alive
    /// `[MQTT-3.1.2-22]`.
    pub silence: Option<Duration>,
    /// When it last sent anything.
    pub heard: Instant,
    /// When its silence is checked next.
    pub alarm: Option<Instant>,
    /// The topics of its topic aliases (§3.3.2.3.4).
    aliases: Vec<Option<TopicName>>,
    /// The packets that wait to be written.
    pub backlog: Backlog,
    /// What is to be sent, in order.
    pub items: VecDeque<OutgoingItem>,
    /// Nothing is sent after `items`.
    pub end: Option<EndReason>,
    /// The slow subscriber for which this publisher should wait a little.
    pub hold_back_for: Option<ConnectionId>,
    /// It is in the router's list of connections that have something to hand over.
    pub touched: bool,
}

impl Peer {
    /// A connection that has not sent CONNECT.
    pub fn new(now: Instant) -> Self {
        Self {
            session: None,
            version: Version::V3_1_1,
            terms: ClientTerms {
                maximum_packet: LARGEST_PACKET,
                reason_strings: ReasonStrings::Everywhere,
                aliases: None,
            },
            silence: None,
            heard: now,
            alarm: None,
            aliases: Vec::new(),
            backlog: Backlog {
                unsent: 0,
                reader: ReaderPace::Prompt,
                patience: Duration::ZERO,
                published: 0,
            },
            items: VecDeque::new(),
            end: None,
            hold_back_for: None,
            touched: false,
        }
    }

    /// Learns from CONNECT in which form the client wants to be answered.
    pub fn introduce(&mut self, connect: &Connect) {
        let properties = &connect.properties;
        self.version = connect.version;
        if let Some(maximum) = properties.maximum_packet_size() {
            let maximum = usize::try_from(maximum).unwrap_or(usize::MAX);
            self.terms.maximum_packet = self.terms.maximum_packet.min(maximum);
        }
        let aliases = properties.topic_alias_maximum().and_then(OutboundAliases::new);
        self.terms.aliases = aliases.map(Box::new);
        if properties.request_problem_information() == Some(false) {
            self.terms.reason_strings = ReasonStrings::AtTheEnds;
        }
    }

    /// Whether the client would take this packet.
    pub fn takes(&self, packet: &Packet) -> bool {
        let maximum = self.terms.maximum_packet;
        let is_small = match packet {
            Packet::Publish(publish) => {
                publish.payload.len() < SMALL && publish.properties.0.is_empty()
            }
            _ => false,
        };
        // Most clients take everything.
        is_small && maximum == LARGEST_PACKET || packet.encoded_len(self.version) <= maximum
    }

    /// The packet that `packet` makes of its properties, with a Reason String if there is one that
    /// the client takes `[MQTT-3.2.2-19]`.
    pub fn explained(&self, string: &str, packet: impl Fn(Properties) -> Packet) -> Packet {
        let plain = packet(Properties::default());
        let is_end = matches!(plain, Packet::ConnAck(_) | Packet::Disconnect(_));
        let is_wanted = is_end || self.terms.reason_strings == ReasonStrings::Everywhere;
        if string.is_empty() || !is_wanted || !self.version.has_properties() {
            return plain;
        }
        // It may name what the client has sent, which is longer than a string can be.
        let mut ends = 0..=string.len().min(LONGEST_REASON);
        let end = ends.rfind(|end| string.is_char_boundary(*end)).unwrap_or(0);
        let string = Property::text(PropertyId::ReasonString, string[..end].into());
        let explained = packet(Properties(vec![string]));
        if self.takes(&explained) { explained } else { plain }
    }

    /// Adds what is to be sent, unless the connection has ended.
    pub fn push(&mut self, item: OutgoingItem) {
        if self.end.is_none() {
            self.backlog.unsent += item.weight();
            self.items.push_back(item);
        }
    }

    /// The topic of an alias; `None` if it was never set.
    pub fn alias(&self, alias: u16) -> Option<&TopicName> {
        self.aliases.get(usize::from(alias).checked_sub(1)?)?.as_ref()
    }

    /// Sets the topic of an alias; false if the alias is above `maximum`, or 0.
    #[must_use]
    pub fn set_alias(&mut self, alias: u16, topic: &TopicName, maximum: u16) -> bool {
        if alias == 0 || alias > maximum {
            return false;
        }
        let at = usize::from(alias) - 1;
        if self.aliases.len() <= at {
            self.aliases.resize(at + 1, None);
        }
        self.aliases[at] = Some(copies::topic(topic));
        true
    }
}

/// Unsent bytes of a connection above which messages will soon be lost.
pub fn nearly_full(memory: MemoryLevel) -> usize {
    memory.unsent_bytes() / 8 * 7
}

impl Backlog {
    /// Packets of this weight were written. True if there is room again after there was none.
    #[must_use]
    pub fn written(&mut self, weight: usize) -> bool {
        let before = self.unsent;
        self.unsent = self.unsent.saturating_sub(weight);
        let levels = [MemoryLevel::Plenty, MemoryLevel::Low].map(|level| level.unsent_bytes() / 2);
        levels.into_iter().any(|half| before > half && self.unsent <= half)
    }

    /// Whether nothing more should be handed over, because the client does not read. While memory
    /// is scarce a client that does keeps what waits for it: publishers wait before it is more.
    pub fn is_full(&self, memory: MemoryLevel) -> bool {
        let is_saved = memory == MemoryLevel::Scarce && !self.reader.is_stuck();
        self.unsent > if is_saved { UNSENT_BYTES } else { memory.unsent_bytes() }
    }

    /// How many bytes it can take before it is full, or before publishers wait for the client.
    pub fn room(&self, memory: MemoryLevel) -> usize {
        let most = if self.is_left_alone() { memory.unsent_bytes() } else { nearly_full(memory) };
        (most + 1).saturating_sub(self.unsent)
    }

    /// Whether nobody waits for the client when it has stopped, however much it will lose.
    pub fn is_left_alone(&self) -> bool {
        self.patience.is_zero() || self.reader.is_stuck()
    }

    /// Whether publishers wait for the client, for which this much waits.
    #[inline]
    pub fn is_waited_for(&mut self, level: BacklogLevel, now: Instant) -> bool {
        self.reader.is_waited_for(level, self.patience, now)
    }
}
