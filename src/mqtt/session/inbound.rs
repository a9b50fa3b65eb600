//! Unfinished messages from the server: acknowledgements that are due, identifiers of QoS 2
//! messages, topic aliases.

use std::collections::{HashMap, VecDeque};

use crate::mqtt::id_map::IdMap;
use crate::mqtt::packet::{PacketId, PacketType, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

use super::{Deviation, Violation};

/// How many QoS 1 and 2 messages the server may send before it gets an acknowledgement; announced
/// in CONNECT (MQTT 5 §3.1.2.11.3). It is enough that a fast broker never waits, even at a round
/// trip of 100 ms and 300,000 messages a second. With the default of 65,535, twice as many messages
/// would be sent again after a lost connection. Twice as many are taken, and that is all that have
/// packet identifiers: mosquitto 2.0 sends the whole queue of a session, whatever was announced.
/// Older versions cannot announce it; there the number of packet identifiers is the limit.
pub const RECEIVE_MAXIMUM: u16 = 32_768;

/// How a PUBLISH is accepted.
#[derive(Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// A new message: it is delivered with this number.
    New(u64),
    /// A QoS 2 message that was delivered before and that the caller has not finished.
    /// [`InboundMessages::next_acknowledgement`] will return its PUBREC.
    Pending,
    /// A QoS 2 message that was acknowledged before; the server did not receive the PUBREC.
    Acknowledged(PacketId),
}

/// An acknowledgement that becomes due when the caller has finished with its message.
#[derive(Debug)]
struct DueAcknowledgement {
    number: u64,
    packet_id: PacketId,
    qos: QoS,
}

/// A QoS 2 message between its PUBLISH and its PUBREL (method B of §4.3.3).
#[derive(Debug)]
struct Receipt {
    number: u64,
    /// The caller has finished with the message.
    is_done: bool,
    /// The connection on which the last PUBLISH arrived. PUBREC may only answer it there.
    connection: u64,
    /// The number of the first message that arrived under this identifier there.
    since: u64,
    /// Tells the message from another one.
    mark: MessageMark,
}

/// The unfinished messages from the server.
#[derive(Debug, Default)]
pub struct InboundMessages {
    delivered: u64,
    due: VecDeque<DueAcknowledgement>,
    receipts: IdMap<PacketId, Receipt>,
    /// The number of the connection, from 0.
    connection: u64,
    /// How many of the receipts belong to this connection. A new connection begins with the whole
    /// quota (§4.9), and a message that only waits for its PUBREL does not count.
    here: usize,
    /// How many of the receipts the caller has finished with.
    done: usize,
    aliases: HashMap<u16, TopicName>,
    /// The server may have lost the session without the client's knowledge.
    unsure: bool,
    /// What the server has done against the protocol.
    deviation: Option<Deviation>,
}

/// How many QoS 1 and 2 messages the server may send before it gets an acknowledgement.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// As many as CONNECT has announced (MQTT 5 §3.1.2.11.3).
    pub announced: usize,
    /// As many as are taken.
    pub taken: usize,
}

impl InboundMessages {
    /// Replaces a topic alias by its topic (§3.3.2.3.4).
    pub fn resolve_alias(&mut self, publish: &mut Publish, maximum: u16) -> Result<(), Violation> {
        if publish.properties.is_empty() {
            return publish.topic.is_some().then_some(()).ok_or(Violation::TopicAliasInvalid);
        }
        let Some(alias) = publish.properties.topic_alias() else {
            return publish.topic.is_some().then_some(()).ok_or(Violation::TopicAliasInvalid);
        };
        if alias == 0 || alias > maximum {
            return Err(Violation::TopicAliasInvalid);
        }
        if let Some(topic) = &publish.topic {
            self.aliases.insert(alias, topic.clone());
        } else {
            let topic = self.aliases.get(&alias).ok_or(Violation::TopicAliasInvalid)?;
            publish.topic = Some(topic.clone());
        }
        Ok(())
    }

    /// Accepts a PUBLISH. A QoS 2 message that was delivered before is not delivered again.
    #[inline(always)]
    pub fn accept(
        &mut self,
        publish: &Publish,
        mark: MessageMark,
        quota: impl Fn() -> Quota,
    ) -> Result<Acceptance, Violation> {
        if let Some(packet_id) = publish.packet_id {
            if publish.qos == QoS::ExactlyOnce
                && self.has(publish)
                && let Some(receipt) = self.receipts.get_mut(&packet_id)
            {
                if !publish.dup && receipt.connection == self.connection {
                    return self.accept_under_used(packet_id, mark, quota());
                }
                let earlier = std::mem::replace(&mut receipt.connection, self.connection);
                self.here += usize::from(earlier != self.connection);
                receipt.since = receipt.number;
                return Ok(if receipt.is_done {
                    Acceptance::Acknowledged(packet_id)
                } else {
                    Acceptance::Pending
                });
            }
            self.add_due(self.delivered + 1, packet_id, (publish.qos, mark), quota())?;
        }
        self.delivered += 1;
        Ok(Acceptance::New(self.delivered))
    }

    /// Accepts a message under an identifier that is in use on this connection, without DUP, so
    /// that the server has not sent it before `[MQTT-2.2.1-3]`: mosquitto 2.0 does that where more
    /// messages than there are identifiers wait. What is the same as the message before is taken
    /// for that one `[MQTT-4.3.3-10]`; another one would be lost.
    #[cold]
    fn accept_under_used(
        &mut self,
        packet_id: PacketId,
        mark: MessageMark,
        quota: Quota,
    ) -> Result<Acceptance, Violation> {
        let receipt = self.receipts.get(&packet_id);
        if let Some(receipt) = receipt.filter(|receipt| receipt.mark == mark) {
            self.deviation = Some(Deviation::IdentifierInUse);
            return Ok(if receipt.is_done {
                Acceptance::Acknowledged(packet_id)
            } else {
                Acceptance::Pending
            });
        }
        // It occupies no identifier more than before.
        if self.due.len() >= quota.taken {
            return Err(Violation::ReceiveMaximumExceeded);
        }
        let since = receipt.map_or(0, |receipt| receipt.since);
        self.delivered += 1;
        self.insert_due(self.delivered, packet_id, (QoS::ExactlyOnce, mark));
        if let Some(receipt) = self.receipts.get_mut(&packet_id) {
            receipt.since = since;
        }
        self.deviation = Some(Deviation::IdentifierInUse);
        Ok(Acceptance::New(self.delivered))
    }

    /// What the server has done against the protocol since the last call.
    #[inline]
    pub fn take_deviation(&mut self) -> Option<Deviation> {
        self.deviation.take()
    }

    /// Whether this is a QoS 2 message that was delivered before. A message that is sent again has
    /// DUP `[MQTT-3.3.1-1]`; the session relies on it only where the server may have another
    /// session.
    pub fn has(&self, publish: &Publish) -> bool {
        let repeats = |receipt: &Receipt| {
            publish.dup || receipt.connection == self.connection || !self.unsure
        };
        publish.qos == QoS::ExactlyOnce
            && publish
                .packet_id
                .and_then(|packet_id| self.receipts.get(&packet_id))
                .is_some_and(repeats)
    }

    /// Accepts the last delivered message a second time, with the same number: it was not received
    /// completely.
    pub fn accept_again(
        &mut self,
        number: u64,
        publish: &Publish,
        quota: impl Fn() -> Quota,
    ) -> Result<(), Violation> {
        let Some(packet_id) = publish.packet_id else { return Ok(()) };
        if publish.qos == QoS::ExactlyOnce
            && let Some(receipt) = self.receipts.get_mut(&packet_id)
        {
            let earlier = std::mem::replace(&mut receipt.connection, self.connection);
            self.here += usize::from(earlier != self.connection);
            receipt.since = receipt.number;
            return Ok(());
        }
        let mark = MessageMark::new(publish, &publish.payload);
        self.add_due(number, packet_id, (publish.qos, mark), quota())
    }

    /// Frees the number of the last delivered message, which was not received completely and will
    /// not be sent again.
    pub fn forget(&mut self, number: u64) {
        self.delivered = number - 1;
        self.due.retain(|due| due.number < number);
        // The caller has not finished with these.
        self.receipts.retain(|_, receipt| receipt.number < number || receipt.is_done);
    }

    fn add_due(
        &mut self,
        number: u64,
        packet_id: PacketId,
        (qos, mark): (QoS, MessageMark),
        quota: Quota,
    ) -> Result<(), Violation> {
        let unfinished = if qos == QoS::ExactlyOnce { self.here } else { self.due.len() };
        if unfinished >= quota.announced {
            if unfinished >= quota.taken {
                return Err(Violation::ReceiveMaximumExceeded);
            }
            self.deviation = Some(Deviation::ReceiveMaximumExceeded);
        }
        self.insert_due(number, packet_id, (qos, mark));
        Ok(())
    }

    #[inline(always)]
    fn insert_due(&mut self, number: u64, packet_id: PacketId, (qos, mark): (QoS, MessageMark)) {
        self.due.push_back(DueAcknowledgement { number, packet_id, qos });
        if qos == QoS::ExactlyOnce {
            let connection = self.connection;
            let since = number;
            let receipt = Receipt { number, is_done: false, connection, since, mark };
            let old = self.receipts.insert(packet_id, receipt);
            self.done -= usize::from(old.as_ref().is_some_and(|old| old.is_done));
            self.here += usize::from(old.is_none_or(|old| old.connection != connection));
        }
    }

    /// The next acknowledgement that is due once the caller has finished with all messages up to
    /// `number`.
    pub fn next_acknowledgement(&mut self, number: u64) -> Option<(PacketType, PacketId)> {
        while self.due.front().is_some_and(|due| due.number <= number) {
            let due = self.due.pop_front()?;
            if due.qos == QoS::AtLeastOnce {
                return Some((PacketType::PubAck, due.packet_id));
            }
            let Some(receipt) = self.receipts.get_mut(&due.packet_id) else { continue };
            if receipt.number == due.number {
                self.done += usize::from(!std::mem::replace(&mut receipt.is_done, true));
            }
            if due.number >= receipt.since && receipt.connection == self.connection {
                return Some((PacketType::PubRec, due.packet_id));
            }
        }
        None
    }

    /// Whether every message was acknowledged.
    pub fn is_acknowledged(&self) -> bool {
        self.due.is_empty()
    }

    /// Handles PUBREL, which frees the identifier. Returns whether it was in use.
    pub fn release(&mut self, packet_id: PacketId) -> bool {
        let receipt = self.receipts.remove(&packet_id);
        let is_here = |receipt: &Receipt| receipt.connection == self.connection;
        self.here -= usize::from(receipt.as_ref().is_some_and(is_here));
        self.done -= usize::from(receipt.as_ref().is_some_and(|receipt| receipt.is_done));
        receipt.is_some()
    }

    /// How many messages the caller has finished with that wait for their PUBREL: until it comes
    /// the server may send them again.
    pub fn unreleased(&self) -> usize {
        self.done
    }

    /// Handles the loss of the connection. The server will send every unacknowledged message again;
    /// aliases are forgotten `[MQTT-3.3.2-7]`.
    pub fn connection_lost(&mut self) {
        self.aliases.clear();
        self.due.retain(|due| due.qos == QoS::ExactlyOnce);
        self.here = 0;
        self.connection += 1;
    }

    /// Begins a new connection. `unsure` means that the server may have lost the session without
    /// the client's knowledge.
    pub fn resume(&mut self, session_present: bool, unsure: bool) {
        self.unsure = unsure;
        if !session_present {
            self.session_lost();
        }
    }

    /// Discards the session because the server has lost it `[MQTT-3.2.2-5]`.
    fn session_lost(&mut self) {
        self.due.clear();
        self.receipts.clear();
        self.here = 0;
        self.done = 0;
    }
}

/// The factor of the hash of <https://docs.rs/rustc-hash>.
const MARK_FACTOR: u64 = 0x517c_c1b7_2722_0a95;

/// Tells QoS 2 messages apart: it is the same for the same topic and payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageMark(u32);

impl MessageMark {
    /// That of a message with this payload.
    #[inline]
    pub fn new(publish: &Publish, payload: &[u8]) -> Self {
        if publish.qos == QoS::ExactlyOnce {
            Self::of(publish.topic_or_empty(), payload)
        } else {
            Self::default()
        }
    }

    fn of(topic: &str, payload: &[u8]) -> Self {
        let mut mark = payload.len() as u64;
        for text in [topic.as_bytes(), payload] {
            let (words, rest) = text.as_chunks::<8>();
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            for word in words.iter().chain([&last]) {
                let word = u64::from_le_bytes(*word);
                mark = (mark.rotate_left(5) ^ word).wrapping_mul(MARK_FACTOR);
            }
        }
        // The upper half depends on all bits.
        Self(u32::try_from(mark >> 32).unwrap_or_default())
    }
}
