//! The log as `mosquitto -v` writes it, with properties and failures added.

use std::net::SocketAddr;

use super::clients::Clients;
use crate::broker::event::BrokerEvent;
use crate::broker::fault::{FaultEvent, PacketDirection, PacketFault};
use crate::mqtt::packet::{Ack, ConnAck, Connect, Packet};
use crate::mqtt::version::Version;

/// The lines for an event.
pub fn lines(event: &BrokerEvent<'_>, clients: &Clients) -> Vec<String> {
    match event {
        BrokerEvent::Opened(address) => vec![format!("New connection from {address}.")],
        BrokerEvent::Received(address, packet) => received(packet, &clients.name(*address)),
        BrokerEvent::Sent(address, packet) => sent(packet, *address, clients),
        BrokerEvent::Closed(address) => {
            let name = clients.name(*address);
            let line = match clients.get(*address) {
                Some(client) if client.disconnect.is_some() => {
                    format!("Client {name} disconnected.")
                }
                Some(_) => format!("Client {name} closed its connection."),
                None => format!("{name} closed its connection."),
            };
            vec![line]
        }
        BrokerEvent::Fault(address, fault) => vec![of_fault(fault, &clients.name(*address))],
        BrokerEvent::Note(text) => vec![(*text).to_owned()],
    }
}

/// What went wrong on purpose, by the name that it has in `--fault`.
fn of_fault(fault: &FaultEvent<'_>, name: &str) -> String {
    match fault {
        FaultEvent::Packet(fault, direction, packet) => {
            let what = match fault {
                PacketFault::Drop => "drop:".to_owned(),
                PacketFault::Duplicate => "dup:".to_owned(),
                PacketFault::Delay(time) => format!("delay={time:?}:"),
                PacketFault::Stall(time) => format!("stall={time:?}:"),
            };
            placed(&format!("Fault {what}"), preposition(*direction), packet, name)
        }
        FaultEvent::Cut(direction, bytes) => {
            let preposition = preposition(*direction);
            format!("Fault cut-after={bytes}: connection reset, {bytes} bytes {preposition} {name}")
        }
        FaultEvent::CutIdle(time) => format!("Fault cut-idle={time:?}: connection ended: {name}"),
        FaultEvent::Refused => format!("Fault refuse: {name}"),
    }
}

fn preposition(direction: PacketDirection) -> &'static str {
    match direction {
        PacketDirection::In => "from",
        PacketDirection::Out => "to",
    }
}

fn received(packet: &Packet, name: &str) -> Vec<String> {
    let first = |kind: &str| vec![format!("Received {kind} from {name}")];
    match packet {
        // It is told with its answer.
        Packet::Connect(_) => Vec::new(),
        Packet::Subscribe(subscribe) => {
            let filters = subscribe.subscriptions.iter();
            let filters = filters.map(|one| format!("    {} (QoS {})", one.filter, one.qos));
            first("SUBSCRIBE").into_iter().chain(filters).collect()
        }
        Packet::Unsubscribe(unsubscribe) => {
            let filters = unsubscribe.filters.iter().map(|filter| format!("    {filter}"));
            first("UNSUBSCRIBE").into_iter().chain(filters).collect()
        }
        Packet::Disconnect(packet) if packet.code.0 == 0 => first("DISCONNECT"),
        packet => vec![placed("Received", "from", packet, name)],
    }
}

fn sent(packet: &Packet, address: SocketAddr, clients: &Clients) -> Vec<String> {
    let name = clients.name(address);
    let ack = |kind: &str, ack: &Ack, code: &str| {
        vec![format!("Sending {kind} to {name} (m{}{code})", ack.packet_id)]
    };
    match packet {
        Packet::ConnAck(connack) => accepted(connack, address, clients),
        Packet::PubAck(puback) if is_plain(puback) => ack("PUBACK", puback, ", rc0"),
        Packet::PubRec(pubrec) if is_plain(pubrec) => ack("PUBREC", pubrec, ", rc0"),
        Packet::PubRel(pubrel) if is_plain(pubrel) => ack("PUBREL", pubrel, ""),
        Packet::PubComp(pubcomp) if is_plain(pubcomp) => ack("PUBCOMP", pubcomp, ""),
        packet => vec![placed("Sending", "to", packet, &name)],
    }
}

fn is_plain(ack: &Ack) -> bool {
    ack.code.0 == 0 && ack.properties.is_empty()
}

/// The line of the packet log of clients, with the client after the name of the packet.
fn placed(what: &str, direction: &str, packet: &Packet, name: &str) -> String {
    let (text, kind) = (packet.describe(), packet.packet_type().name());
    let rest = text.strip_prefix(kind).unwrap_or_default();
    format!("{what} {kind} {direction} {name}{rest}")
}

/// CONNACK, after what the client has asked for.
fn accepted(connack: &ConnAck, address: SocketAddr, clients: &Clients) -> Vec<String> {
    let name = clients.name(address);
    let client = clients.get(address).filter(|_| !connack.code.is_error() && connack.code.0 == 0);
    let mut lines = Vec::new();
    if let Some(client) = client {
        let asked = connect(&client.connect);
        lines.push(format!("New client connected from {address} as {name} {asked}."));
        lines.extend(will(&client.connect));
    }
    let present = u8::from(connack.session_present);
    let line = format!("Sending CONNACK to {name} ({present}, {})", connack.code.0);
    lines.push(connack.describe_properties(line));
    lines
}

/// Version, clean start, keep alive and user name, as mosquitto has them, and properties.
fn connect(connect: &Connect) -> String {
    let version = match connect.version {
        Version::V3_1 => 1,
        Version::V3_1_1 => 2,
        Version::V5 => 5,
    };
    let user = connect.credentials.username.as_ref();
    let user = user.map(|user| format!(", u'{user}'")).unwrap_or_default();
    let (clean, keep_alive) = (u8::from(connect.clean_start), connect.keep_alive);
    connect.describe_properties(format!("(p{version}, c{clean}, k{keep_alive}{user})"))
}

fn will(connect: &Connect) -> Vec<String> {
    match &connect.will {
        None => vec!["No will message specified.".to_owned()],
        Some(will) => {
            let (length, retain) = (will.payload.len(), u8::from(will.retain));
            vec![
                format!("Will message specified ({length} bytes) (r{retain}, q{}).", will.qos),
                format!("    {}", will.topic),
            ]
        }
    }
}
