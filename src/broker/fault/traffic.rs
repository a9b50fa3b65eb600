//! What goes through one connection that has faults, pure: it is judged, held until it arrives, and
//! released in its order.

use std::collections::VecDeque;
use std::time::Instant;

use super::held::Held;
use super::{ConnectionFaults, FaultEvent, PacketDirection};
use crate::broker::input::ClientInput;
use crate::broker::limits::{HELD_BYTES, MESSAGE_OVERHEAD, TIME_TO_ANSWER};
use crate::broker::router::{EndReason, OutgoingItem, packet_weight};
use crate::mqtt::packet::Packet;
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

/// The traffic of one connection.
#[derive(Debug)]
pub struct FaultyTraffic {
    faults: ConnectionFaults,
    /// On its way to the broker.
    inward: Held<ClientInput>,
    /// On its way to the client.
    outward: Held<Packet>,
    /// When the connection is cut because as much has been sent to the client as may be.
    cut_at: Option<Instant>,
    /// Why the connection ends once `outward` is empty.
    end: Option<EndReason>,
    /// What the packets weigh that were lost on their way to the client, in bytes, and that the
    /// router still takes for unsent.
    lost: usize,
    /// What the second copies weigh that were added to `outward`, in bytes, of which the router
    /// does not know.
    added: usize,
}

impl FaultyTraffic {
    /// The traffic of a new connection.
    pub fn new(faults: ConnectionFaults) -> Self {
        let (inward, outward) = (Held::default(), Held::default());
        Self { faults, inward, outward, cut_at: None, end: None, lost: 0, added: 0 }
    }

    /// When something that is held arrives next, bytes may pass again, or the connection is cut.
    pub fn due(&self) -> Option<Instant> {
        let due = [self.inward.due(), self.outward.due(), self.cut_at, self.faults.due()];
        due.into_iter().flatten().min()
    }

    /// How many bytes may still pass before the connection is cut; `None` is any number.
    pub fn bytes_left(&self, direction: PacketDirection) -> Option<u64> {
        self.faults.bytes_left(direction)
    }

    /// How many of so many bytes may pass in this direction now.
    pub fn room(&self, direction: PacketDirection, bytes: usize) -> usize {
        usize::try_from(self.faults.room(direction)).map_or(bytes, |room| room.min(bytes))
    }

    /// Lets bytes pass again that were held up, if it is time.
    pub fn wake(&mut self, now: Instant) {
        self.faults.wake(now);
    }

    /// So many bytes have passed.
    pub fn pass(&mut self, direction: PacketDirection, bytes: usize, now: Instant) {
        self.faults.pass(direction, bytes, now);
        if self.bytes_left(PacketDirection::Out) == Some(0) {
            self.cut_at.get_or_insert(now + TIME_TO_ANSWER);
        }
    }

    /// Whether all has arrived that may come from the client before the connection is cut.
    pub fn is_at_end_of_input(&self) -> bool {
        self.bytes_left(PacketDirection::In) == Some(0) && self.inward.is_empty()
    }

    /// Why the connection is cut now, if it is.
    pub fn cut(&self, now: Instant) -> Option<FaultEvent<'static>> {
        if let Some(silence) = self.faults.silence(now) {
            return Some(FaultEvent::CutIdle(silence));
        }
        let direction = if self.cut_at.is_some_and(|at| at <= now) {
            PacketDirection::Out
        } else {
            self.is_at_end_of_input().then_some(PacketDirection::In)?
        };
        Some(FaultEvent::Cut(direction, self.faults.passed(direction)))
    }
}

/// On the way to the broker.
impl FaultyTraffic {
    /// Whether more is to be read.
    pub fn takes_input(&self) -> bool {
        self.inward.weight() <= HELD_BYTES && self.faults.room(PacketDirection::In) > 0
    }

    /// Whether something is held.
    pub fn holds_input(&self) -> bool {
        !self.inward.is_empty()
    }

    /// Judges what a client has sent, and holds it.
    pub fn hold_input(&mut self, input: ClientInput, now: Instant, tell: impl Fn(FaultEvent<'_>)) {
        let ClientInput::Packet(packet) = input else {
            let at = self.faults.arrival(PacketDirection::In, now);
            return self.inward.push(at, input, 0);
        };
        let fate = self.faults.judge(PacketDirection::In, packet.packet_type(), now);
        for fault in fate.faults() {
            tell(FaultEvent::Packet(fault, PacketDirection::In, &packet));
        }
        let weight = packet.encoded_len(Version::V5) + MESSAGE_OVERHEAD;
        for copy in copies(packet, fate.copies) {
            self.inward.push(fate.at, ClientInput::Packet(copy), weight);
        }
    }

    /// Takes the next that has arrived at `now`.
    pub fn next_input(&mut self, now: Instant) -> Option<ClientInput> {
        self.inward.pop(now)
    }
}

/// On the way to the client.
impl FaultyTraffic {
    /// Judges packets for the client, and holds them.
    pub fn hold_packets(
        &mut self,
        items: &mut VecDeque<OutgoingItem>,
        now: Instant,
        tell: impl Fn(FaultEvent<'_>),
    ) {
        for packet in items.drain(..).flat_map(OutgoingItem::into_packets) {
            let fate = self.faults.judge(PacketDirection::Out, packet.packet_type(), now);
            for fault in fate.faults() {
                tell(FaultEvent::Packet(fault, PacketDirection::Out, &packet));
            }
            let weight = packet_weight(&packet);
            match fate.copies {
                0 => self.lost += weight,
                more => self.added += weight * usize::from(more - 1),
            }
            for copy in copies(packet, fate.copies) {
                self.outward.push(fate.at, copy, weight);
            }
        }
    }

    /// Takes the packets that have arrived at `now`.
    pub fn arrived_packets(&mut self, now: Instant) -> VecDeque<OutgoingItem> {
        std::iter::from_fn(|| self.outward.pop(now)).map(OutgoingItem::Packet).collect()
    }

    /// Takes all packets, arrived or not.
    pub fn all_packets(&mut self) -> VecDeque<OutgoingItem> {
        std::iter::from_fn(|| self.outward.pop_any()).map(OutgoingItem::Packet).collect()
    }

    /// The connection ends after what is held. False if nothing is.
    #[must_use]
    pub fn defer_end(&mut self, reason: EndReason) -> bool {
        let is_deferred = !self.outward.is_empty();
        if is_deferred {
            self.end.get_or_insert(reason);
        }
        is_deferred
    }

    /// Takes the reason of an end that was deferred and is due.
    pub fn take_end(&mut self) -> Option<EndReason> {
        self.end.take_if(|_| self.outward.is_empty())
    }

    /// Nothing reaches the client any more.
    pub fn discard_packets(&mut self) {
        self.outward = Held::default();
    }

    /// What the router is to be told was written, in bytes, when packets of this weight were.
    pub fn written(&mut self, weight: usize) -> usize {
        let all = weight + std::mem::take(&mut self.lost);
        let unknown = self.added.min(all);
        self.added -= unknown;
        all - unknown
    }

    /// What is not sent of what the router takes for unsent, in bytes.
    pub fn lost(&self) -> usize {
        self.lost
    }
}

/// So many copies of a packet. A QoS 1 or 2 message that comes again says so `[MQTT-3.3.1-1]`.
fn copies(packet: Packet, count: u8) -> impl Iterator<Item = Packet> {
    let mut again = packet.clone();
    if let Packet::Publish(publish) = &mut again {
        publish.dup |= publish.qos != QoS::AtMostOnce;
    }
    let again = std::iter::repeat_n(again, usize::from(count.saturating_sub(1)));
    (count > 0).then_some(packet).into_iter().chain(again)
}
