//! The log as JSON: an object for each event, in one line.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::clients::Clients;
use crate::broker::event::BrokerEvent;
use crate::broker::fault::{FaultEvent, PacketDirection, PacketFault};
use crate::mqtt::packet::{Ack, Connect, Packet, Publish};
use crate::mqtt::reason::ReasonCode;

/// The members of an object, in their order.
type JsonMembers = Vec<(&'static str, Value)>;

/// The object for an event that happened at this time.
pub fn object(event: &BrokerEvent<'_>, clients: &Clients, time: &str) -> String {
    let of = |name: &str, address: &SocketAddr| {
        let mut members = vec![("event", json!(name)), ("address", json!(address.to_string()))];
        members.extend(clients.id(*address).map(|id| ("client", json!(id))));
        members
    };
    let of_packet = |name: &str, address: &SocketAddr, packet: &Packet| {
        let mut members = of(name, address);
        members.push(("packet", json!(packet.packet_type().name())));
        members.extend(content(packet));
        members
    };
    let members = match event {
        BrokerEvent::Opened(address) => of("open", address),
        BrokerEvent::Received(address, packet) => of_packet("received", address, packet),
        BrokerEvent::Sent(address, packet) => of_packet("sent", address, packet),
        BrokerEvent::Closed(address) => of("close", address),
        BrokerEvent::Fault(address, fault) => {
            let mut members = of("fault", address);
            members.extend(of_fault(fault));
            members
        }
        BrokerEvent::Note(text) => vec![("event", json!("note")), ("text", json!(text))],
    };
    let members = [("time", json!(time))].into_iter().chain(members);
    let members: Vec<String> = members.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// What went wrong on purpose, by the name that it has in `--fault`.
fn of_fault(fault: &FaultEvent<'_>) -> JsonMembers {
    match fault {
        FaultEvent::Packet(fault, way, packet) => {
            let (name, time) = match fault {
                PacketFault::Drop => ("drop", None),
                PacketFault::Duplicate => ("dup", None),
                PacketFault::Delay(time) => ("delay", Some(time)),
                PacketFault::Stall(time) => ("stall", Some(time)),
            };
            let mut members = vec![("fault", json!(name)), direction(*way)];
            members.extend(time.map(|time| ("seconds", json!(time.as_secs_f64()))));
            members.push(("packet", json!(packet.packet_type().name())));
            members.extend(content(packet));
            members
        }
        FaultEvent::Cut(way, bytes) => {
            vec![("fault", json!("cut-after")), direction(*way), ("passed", json!(bytes))]
        }
        FaultEvent::CutIdle(time) => {
            vec![("fault", json!("cut-idle")), ("seconds", json!(time.as_secs_f64()))]
        }
        FaultEvent::Refused => vec![("fault", json!("refuse"))],
    }
}

fn direction(direction: PacketDirection) -> (&'static str, Value) {
    let name = match direction {
        PacketDirection::In => "in",
        PacketDirection::Out => "out",
    };
    ("direction", json!(name))
}

/// What a packet says, without payloads and secrets.
fn content(packet: &Packet) -> JsonMembers {
    match packet {
        Packet::Connect(packet) => connect(packet),
        Packet::ConnAck(packet) => {
            vec![code(packet.code), ("session_present", json!(packet.session_present))]
        }
        Packet::Publish(packet) => publish(packet),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            let Ack { packet_id, code: reason, .. } = ack;
            vec![("mid", json!(u16::from(*packet_id))), code(*reason)]
        }
        Packet::Subscribe(packet) => {
            let filters = packet.subscriptions.iter();
            let filters = filters
                .map(|one| json!({ "filter": one.filter.as_str(), "qos": one.qos as u8 }))
                .collect();
            vec![("mid", json!(u16::from(packet.packet_id))), ("filters", Value::Array(filters))]
        }
        Packet::SubAck(packet) => acknowledged(packet.packet_id.into(), &packet.codes),
        Packet::UnsubAck(packet) => acknowledged(packet.packet_id.into(), &packet.codes),
        Packet::Unsubscribe(packet) => {
            let filters = packet.filters.iter().map(|filter| json!(filter.as_str())).collect();
            vec![("mid", json!(u16::from(packet.packet_id))), ("filters", Value::Array(filters))]
        }
        Packet::Disconnect(packet) => vec![code(packet.code)],
        Packet::Auth(packet) => vec![code(packet.code)],
        Packet::PingReq | Packet::PingResp => Vec::new(),
    }
}

fn code(code: ReasonCode) -> (&'static str, Value) {
    ("code", json!(code.0))
}

fn acknowledged(mid: u16, codes: &[ReasonCode]) -> JsonMembers {
    let codes = codes.iter().map(|code| json!(code.0)).collect();
    vec![("mid", json!(mid)), ("codes", Value::Array(codes))]
}

fn connect(packet: &Connect) -> JsonMembers {
    let mut members = vec![
        ("version", json!(packet.version.to_string())),
        ("clean_start", json!(packet.clean_start)),
        ("keep_alive", json!(packet.keep_alive)),
    ];
    let user = packet.credentials.username.as_ref();
    members.extend(user.map(|user| ("username", json!(user.to_string()))));
    members.extend(packet.will.as_ref().map(|will| ("will_topic", json!(will.topic.as_str()))));
    members
}

fn publish(packet: &Publish) -> JsonMembers {
    let mut members = vec![
        ("topic", json!(packet.topic_or_empty())),
        ("qos", json!(packet.qos as u8)),
        ("retain", json!(packet.retain)),
        ("dup", json!(packet.dup)),
        ("bytes", json!(packet.payload.len())),
    ];
    members.extend(packet.packet_id.map(|mid| ("mid", json!(u16::from(mid)))));
    members
}
