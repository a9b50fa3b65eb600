//! What the server sends us and we have not finished: acknowledgements owed, QoS 2 identifiers,
//! aliases.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use crate::mqtt::packet::{PacketId, PacketType, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

use super::Violation;

/// How many QoS 1 and 2 messages we take before we acknowledge; announced in CONNECT (MQTT 5
/// §3.1.2.11.3). Older versions cannot announce it; there the packet identifiers are the limit.
pub const RECEIVE_MAXIMUM: u16 = 16_384;

/// The highest topic alias that the server may use; announced in CONNECT (MQTT 5 §3.1.2.11.5).
pub const TOPIC_ALIAS_MAXIMUM: u16 = 64;

/// What becomes of a PUBLISH.
#[derive(Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is delivered, under this number.
    New(u64),
    /// A QoS 2 message that was delivered but not settled: PUBREC comes with
    /// [`Inbound::settle_next`].
    Pending,
    /// A QoS 2 message that was settled: only its PUBREC was lost.
    Settled(PacketId),
}

/// An acknowledgement that becomes due when its message is settled.
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
    settled: bool,
    /// The PUBLISH came on this connection, so that PUBREC may answer it.
    here: bool,
}

/// Hashes packet identifiers. There are so few of them that no server can make us slow by a choice
/// of theirs; the hash of the standard library would take half of the time of a QoS 2 message.
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

/// The inbound half of a session.
#[derive(Debug, Default)]
pub struct Inbound {
    delivered: u64,
    owed: VecDeque<Owed>,
    receipts: HashMap<PacketId, Receipt, BuildHasherDefault<IdHasher>>,
    /// How many of the receipts are of this connection: a new connection begins with the whole
    /// quota (§4.9), and what only waits for its PUBREL does not count.
    here: usize,
    aliases: HashMap<u16, TopicName>,
    /// The server may have lost the session without our knowing.
    unsure: bool,
}

impl Inbound {
    /// Puts the topic where only an alias stood (§3.3.2.3.4).
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

    /// Takes a PUBLISH in; QoS 2 messages that we have already are not delivered again.
    #[inline]
    pub fn accept(
        &mut self,
        publish: &Publish,
        receive_maximum: impl Fn() -> u16,
    ) -> Result<Accepted, Violation> {
        if let Some(packet_id) = publish.packet_id {
            if publish.qos == QoS::ExactlyOnce
                && self.has(publish)
                && let Some(receipt) = self.receipts.get_mut(&packet_id)
            {
                self.here += usize::from(!std::mem::replace(&mut receipt.here, true));
                return Ok(if receipt.settled {
                    Accepted::Settled(packet_id)
                } else {
                    Accepted::Pending
                });
            }
            self.owe(self.delivered + 1, packet_id, publish.qos, receive_maximum())?;
        }
        self.delivered += 1;
        Ok(Accepted::New(self.delivered))
    }

    /// Whether this is a QoS 2 message that was delivered before. What is sent again has DUP
    /// `[MQTT-3.3.1-1]`; we rely on it only where the session may be another.
    pub fn has(&self, publish: &Publish) -> bool {
        let repeats = |receipt: &Receipt| publish.dup || receipt.here || !self.unsure;
        publish.qos == QoS::ExactlyOnce
            && publish
                .packet_id
                .and_then(|packet_id| self.receipts.get(&packet_id))
                .is_some_and(repeats)
    }

    /// Takes in once more the latest message that was delivered: it was not received as a whole,
    /// and keeps its number.
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
                self.receipts.insert(packet_id, Receipt { number, settled: false, here: true });
            self.here += usize::from(!old.is_some_and(|old| old.here));
        }
        Ok(())
    }

    /// The next acknowledgement that is due when all messages up to `number` are settled.
    pub fn settle_next(&mut self, number: u64) -> Option<(PacketType, PacketId)> {
        while self.owed.front().is_some_and(|owed| owed.number <= number) {
            let owed = self.owed.pop_front()?;
            if owed.qos == QoS::AtLeastOnce {
                return Some((PacketType::PubAck, owed.packet_id));
            }
            let Some(receipt) = self.receipts.get_mut(&owed.packet_id) else { continue };
            if receipt.number == owed.number {
                receipt.settled = true;
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

    /// A new connection; `unsure`: the server may have lost the session without our knowing.
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
