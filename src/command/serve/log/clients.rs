//! The clients behind the addresses of a log: packets do not say who sent them.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::broker::event::BrokerEvent;
use crate::mqtt::packet::{Connect, Packet};
use crate::mqtt::reason::ReasonCode;

/// What is known of each connection.
#[derive(Debug, Default)]
pub struct Clients(HashMap<SocketAddr, LoggedClient>);

/// What is known of one.
#[derive(Debug)]
pub struct LoggedClient {
    /// Its CONNECT.
    pub connect: Connect,
    /// The identifier that the broker has assigned to it.
    assigned: Option<String>,
    /// The reason code of its DISCONNECT, when that has come.
    pub disconnect: Option<ReasonCode>,
}

impl Clients {
    /// Learns from an event, before it is written.
    pub fn begin(&mut self, event: &BrokerEvent<'_>) {
        match event {
            BrokerEvent::Received(address, packet) => self.received(*address, packet),
            BrokerEvent::Sent(address, packet) => self.sent(*address, packet),
            // They say nothing about a client.
            BrokerEvent::Opened(_)
            | BrokerEvent::Closed(_)
            | BrokerEvent::Fault(..)
            | BrokerEvent::Note(_) => {}
        }
    }

    fn received(&mut self, address: SocketAddr, packet: &Packet) {
        if let Packet::Connect(connect) = packet {
            let connect = Connect::clone(connect);
            let client = LoggedClient { connect, assigned: None, disconnect: None };
            // A second CONNECT is an error, and changes nothing.
            self.0.entry(address).or_insert(client);
        } else if let Packet::Disconnect(disconnect) = packet
            && let Some(client) = self.0.get_mut(&address)
        {
            client.disconnect = Some(disconnect.code);
        }
    }

    fn sent(&mut self, address: SocketAddr, packet: &Packet) {
        if let Packet::ConnAck(connack) = packet
            && let Some(id) = connack.properties.assigned_client_identifier()
            && let Some(client) = self.0.get_mut(&address)
        {
            client.assigned = Some(id.to_string());
        }
    }

    /// Forgets, after an event was written.
    pub fn end(&mut self, event: &BrokerEvent<'_>) {
        if let BrokerEvent::Closed(address) = event {
            self.0.remove(address);
        }
    }

    /// The client at this address, after its CONNECT.
    pub fn get(&self, address: SocketAddr) -> Option<&LoggedClient> {
        self.0.get(&address)
    }

    /// Its client identifier, if it has one that we know.
    pub fn id(&self, address: SocketAddr) -> Option<&str> {
        let client = self.get(address)?;
        let id = client.assigned.as_deref().unwrap_or(&client.connect.client_id);
        (!id.is_empty()).then_some(id)
    }

    /// Its client identifier, or else its address.
    pub fn name(&self, address: SocketAddr) -> String {
        self.id(address).map_or_else(|| address.to_string(), str::to_owned)
    }
}
