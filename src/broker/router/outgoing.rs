//! What the router hands over for one connection.

use std::collections::VecDeque;

use super::common::{CommonDelivery, CommonMessages, run_weight};
use super::message::weight;
use super::{ConnectionId, EndReason};
use crate::broker::limits::MESSAGE_OVERHEAD;
use crate::mqtt::packet::{Packet, PublishRun};

/// What is sent to a client, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutgoingItem {
    /// A packet.
    Packet(Packet),
    /// Messages that are passed on as they came.
    Run(PublishRun),
    /// Packets and runs that others are sent, too.
    Common(CommonMessages),
}

impl OutgoingItem {
    /// What it weighs while it waits to be written, in bytes.
    pub fn weight(&self) -> usize {
        match self {
            Self::Packet(packet) => packet_weight(packet),
            Self::Run(run) => run_weight(run),
            Self::Common(common) => common.left().weight,
        }
    }

    /// The packets one by one.
    pub fn into_packets(self) -> impl Iterator<Item = Packet> {
        let mut packets = Vec::new();
        self.put_packets(&mut packets);
        packets.into_iter()
    }

    fn put_packets(self, packets: &mut Vec<Packet>) {
        match self {
            Self::Packet(packet) => packets.push(packet),
            Self::Run(run) => packets.extend(run.messages().map(Packet::Publish)),
            Self::Common(mut common) => {
                while let Some((delivery, _)) = common.next_delivery() {
                    if let Some(delivery) = delivery {
                        Self::from(delivery).put_packets(packets);
                    }
                }
            }
        }
    }
}

impl From<CommonDelivery> for OutgoingItem {
    fn from(delivery: CommonDelivery) -> Self {
        match delivery {
            CommonDelivery::Packet(packet) => Self::Packet(packet),
            CommonDelivery::Run(run) => Self::Run(run),
        }
    }
}

impl From<Packet> for OutgoingItem {
    fn from(packet: Packet) -> Self {
        Self::Packet(packet)
    }
}

/// What the router hands over for one connection.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The connection.
    pub connection: ConnectionId,
    /// To be sent, in order; may be drained or swapped for another queue.
    pub items: &'a mut VecDeque<OutgoingItem>,
    /// What these and those that were handed over before and not written weigh, in bytes.
    pub unsent: usize,
    /// To be closed after that.
    pub end: Option<EndReason>,
    /// Not to be read from until this other connection has caught up, or a little while has passed;
    /// of [`NOBODY`](super::NOBODY), until there may be more memory.
    pub hold_back_for: Option<ConnectionId>,
}

/// What a packet weighs while it waits to be written, in bytes.
pub fn packet_weight(packet: &Packet) -> usize {
    match packet {
        Packet::Publish(publish) => weight(publish),
        Packet::SubAck(ack) => MESSAGE_OVERHEAD + ack.codes.len(),
        Packet::UnsubAck(ack) => MESSAGE_OVERHEAD + ack.codes.len(),
        _ => MESSAGE_OVERHEAD,
    }
}
