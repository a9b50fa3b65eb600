//! Messages from the server that are not finished: acknowledgements that are due, identifiers of
//! QoS 2, topic aliases.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use crate::mqtt::packet::{PacketId, PacketType, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

use super::Violation;

/// How many QoS 1 and 2 messages the server may send before we acknowledge; announced in CONNECT
/// (MQTT 5 §3.1.2.11.3). So many that a fast broker never waits for us, also at a round trip of
/// 100 ms and 100,000 messages a second; the default of 65,535 would let four times as many come
/// again after a lost connection. Older versions cannot announce it: there the packet identifiers
/// are the limit.
pub const RECEIVE_MAXIMUM: u16 = 16_384;

/// The highest topic alias that the server may use; announced in CONNECT (MQTT 5 §3.1.2.11.5). A
/// topic has 64 KiB at the most, so the aliases take 4 MiB at the most.
pub const TOPIC_ALIAS_MAXIMUM: u16 = 64;

/// How a PUBLISH is accepted.
#[derive(Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// A new message: it is delivered, under this number.
    New(u64),
    /// A QoS 2 message that was delivered before, and that the caller is not done with: PUBREC
    /// comes with [`InboundMessages::next_acknowledgement`].
    Pending,
    /// A QoS 2 message that was acknowledged before: only its PUBREC was lost.
    Acknowledged(PacketId),
}

/// An acknowledgement that becomes due when the caller is done with its message.
#[derive(Debug)]
struct Owed {
    number: u64,
    packet_id: PacketId,
    qos: QoS,
}

/// A QoS 2 message between its PUBLISH and its PUBREL (method B of §4.3.3).
#[derive(Debug)]
struct Receipt {
    number: u64,
    /// The caller is done with the message.
    is_done: bool,
    /// The PUBLISH came on this connection, so that PUBREC may answer it.
    here: bool,
}

/// Hashes packet identifiers. There are so few of them that a server cannot slow us down by
/// choosing them; the hash of the standard library would take half of the time of a QoS 2 message.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0 << 8 | u64::from(byte);
        }
    }

    fn write_u16(&mut self, id: u16) {
        self.0 = u64::from(id);
    }

    /// Fibonacci hashing: neighbours, which identifiers are, fall far apart.
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// The messages from the server that are not finished.
#[derive(Debug, Default)]
pub struct InboundMessages {
    delivered: u64,
    owed: VecDeque<Owed>,
    receipts: HashMap<PacketId, Receipt, BuildHasherDefault<IdHasher>>,
    /// How many of the receipts are of this connection: a new connection begins with the whole
    /// quota (§4.9), and what only waits for its PUBREL does not count.
    here: usize,
    aliases: HashMap<u16, TopicName>,
    /// The server may have lost the session without our knowledge.
    unsure: bool,
}

impl InboundMessages {
    /// Puts the topic in the place of its alias (§3.3.2.3.4).
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

    /// Accepts a PUBLISH; a QoS 2 message that was delivered before is not delivered again.
    #[inline]
    pub fn accept(
        &mut self,
        publish: &Publish,
        receive_maximum: impl Fn() -> u16,
    ) -> Result<Acceptance, Violation> {
        if let Some(packet_id) = publish.packet_id {
            if publish.qos == QoS::ExactlyOnce
                && self.has(publish)
                && let Some(receipt) = self.receipts.get_mut(&packet_id)
            {
                self.here += usize::from(!std::mem::replace(&mut receipt.here, true));
                return Ok(if receipt.is_done {
                    Acceptance::Acknowledged(packet_id)
                } else {
                    Acceptance::Pending
                });
            }
            self.owe(self.delivered + 1, packet_id, publish.qos, receive_maximum())?;
        }
        self.delivered += 1;
        Ok(Acceptance::New(self.delivered))
    }

    /// Whether this is a QoS 2 message that was delivered before. A message that is sent again has
    /// DUP `[MQTT-3.3.1-1]`; we rely on that only where the session may be another one.
    pub fn has(&self, publish: &Publish) -> bool {
        let repeats = |receipt: &Receipt| publish.dup || receipt.here || !self.unsure;
        publish.qos == QoS::ExactlyOnce
            && publish
                .packet_id
                .and_then(|packet_id| self.receipts.get(&packet_id))
                .is_some_and(repeats)
    }

    /// Accepts the latest message that was delivered once more: it was not received as a whole, and
    /// has the same number as before.
    pub fn accept_again(
        &mut self,
        number: u64,
        publish: &Publish,
        receive_maximum: impl Fn() -> u16,
    ) -> Result<(), Violation> {
        let Some(packet_id) = publish.packet_id else { return Ok(()) };
        if publish.qos == QoS::ExactlyOnce
            && let Some(receipt) = self.receipts.get_mut(&packet_id)
        {
            self.here += usize::from(!std::mem::replace(&mut receipt.here, true));
            return Ok(());
        }
        self.owe(number, packet_id, publish.qos, receive_maximum())
    }

    /// The latest message that was delivered was not received as a whole, and will not be: its
    /// number is free.
    pub fn forget(&mut self, number: u64) {
        self.delivered = number - 1;
        self.owed.retain(|owed| owed.number < number);
        self.receipts.retain(|_, receipt| receipt.number < number);
    }

    fn owe(
        &mut self,
        number: u64,
        packet_id: PacketId,
        qos: QoS,
        receive_maximum: u16,
    ) -> Result<(), Violation> {
        let maximum = usize::from(receive_maximum);
        let unfinished = if qos == QoS::ExactlyOnce { self.here } else { self.owed.len() };
        if unfinished >= maximum {
            return Err(Violation::ReceiveMaximumExceeded);
        }
        self.owed.push_back(Owed { number, packet_id, qos });
        if qos == QoS::ExactlyOnce {
            let old =
                self.receipts.insert(packet_id, Receipt { number, is_done: false, here: true });
            self.here += usize::from(!old.is_some_and(|old| old.here));
        }
        Ok(())
    }

    /// The next acknowledgement that is due when the caller is done with all messages up to
    /// `number`.
    pub fn next_acknowledgement(&mut self, number: u64) -> Option<(PacketType, PacketId)> {
        while self.owed.front().is_some_and(|owed| owed.number <= number) {
            let owed = self.owed.pop_front()?;
            if owed.qos == QoS::AtLeastOnce {
                return Some((PacketType::PubAck, owed.packet_id));
            }
            let Some(receipt) = self.receipts.get_mut(&owed.packet_id) else { continue };
            if receipt.number == owed.number {
                receipt.is_done = true;
                if receipt.here {
                    return Some((PacketType::PubRec, owed.packet_id));
                }
            }
        }
        None
    }

    /// PUBREL: the identifier is free; whether it was in use.
    pub fn release(&mut self, packet_id: PacketId) -> bool {
        let receipt = self.receipts.remove(&packet_id);
        self.here -= usize::from(receipt.as_ref().is_some_and(|receipt| receipt.here));
        receipt.is_some()
    }

    /// Whether a PUBREL is to come for a message that was acknowledged by PUBREC on this connection.
    pub fn awaits_pubrel(&self) -> bool {
        self.receipts.values().any(|receipt| receipt.is_done && receipt.here)
    }

    /// The server will send everything again that we have not acknowledged; aliases are forgotten
    /// `[MQTT-3.3.2-7]`.
    pub fn connection_lost(&mut self) {
        self.aliases.clear();
        self.owed.retain(|owed| owed.qos == QoS::ExactlyOnce);
        self.here = 0;
        for receipt in self.receipts.values_mut() {
            receipt.here = false;
        }
    }

    /// A new connection; `unsure`: the server may have lost the session without our knowledge.
    pub fn resume(&mut self, session_present: bool, unsure: bool) {
        self.unsure = unsure;
        if !session_present {
            self.session_lost();
        }
    }

    /// The server has forgotten the session, so we do `[MQTT-3.2.2-5]`.
    fn session_lost(&mut self) {
        self.owed.clear();
        self.receipts.clear();
        self.here = 0;
    }
}
