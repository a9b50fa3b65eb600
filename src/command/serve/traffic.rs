//! The packets of the clients, with what they leave out: the client identifier of the sender, and
//! the topics of topic aliases.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;

use super::log::clients::Clients;
use crate::broker::event::BrokerEvent;
use crate::mqtt::packet::{Packet, Publish};
use crate::mqtt::topic::TopicName;

/// What is known of the clients.
#[derive(Debug, Default)]
pub struct ClientTraffic {
    clients: Clients,
    aliases: HashMap<(SocketAddr, u16), TopicName>,
}

/// A packet that a client has sent.
#[derive(Debug, Clone, Copy)]
pub struct ClientPacket<'a> {
    /// Its client identifier, or its address while it has none.
    pub client: &'a str,
    /// The packet; the topic of a PUBLISH is never left out.
    pub packet: &'a Packet,
}

impl ClientTraffic {
    /// Calls `take` if an event is a packet of a client.
    pub fn observe(&mut self, event: &BrokerEvent<'_>, take: impl FnOnce(ClientPacket<'_>)) {
        self.clients.begin(event);
        match event {
            BrokerEvent::Received(address, packet) => {
                let client = self.clients.name(*address);
                let packet = self.resolved(*address, packet);
                take(ClientPacket { client: &client, packet: &packet });
            }
            BrokerEvent::Closed(address) => self.aliases.retain(|(of, _), _| of != address),
            BrokerEvent::Opened(_)
            | BrokerEvent::Sent(..)
            | BrokerEvent::Fault(..)
            | BrokerEvent::Note(_) => {}
        }
        self.clients.end(event);
    }

    /// The packet with its topic; learns from it what an alias stands for.
    fn resolved<'a>(&mut self, address: SocketAddr, packet: &'a Packet) -> Cow<'a, Packet> {
        let Packet::Publish(publish) = packet else { return Cow::Borrowed(packet) };
        let Some(alias) = publish.properties.topic_alias() else { return Cow::Borrowed(packet) };
        if let Some(topic) = &publish.topic {
            self.aliases.insert((address, alias), topic.clone());
            return Cow::Borrowed(packet);
        }
        let topic = self.aliases.get(&(address, alias)).cloned();
        Cow::Owned(Packet::Publish(Publish { topic, ..publish.clone() }))
    }
}
