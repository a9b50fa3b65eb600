//! What happens in the broker, for a log.

use std::net::SocketAddr;
use std::sync::Arc;

use super::fault::FaultEvent;
use crate::mqtt::packet::Packet;

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub enum BrokerEvent<'a> {
    /// A client has opened a WebSocket.
    Opened(SocketAddr),
    /// It sent a packet.
    Received(SocketAddr, &'a Packet),
    /// It is sent a packet.
    Sent(SocketAddr, &'a Packet),
    /// Its connection has ended.
    Closed(SocketAddr),
    /// A fault that was asked for.
    Fault(SocketAddr, FaultEvent<'a>),
    /// A sentence: a refusal, a failure, a message that was dropped.
    Note(&'a str),
}

/// Is called with each event, at once and in order.
pub type Observer = Arc<dyn Fn(&BrokerEvent<'_>) + Send + Sync>;
