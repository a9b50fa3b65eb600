//! The session in virtual time: by hand, packet by packet, and in a seeded simulation against a model broker.

mod audit;
mod broker;
mod world;

use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};

use super::{Config, Event, Session, Violation};
use crate::mqtt::packet::{Credentials, Decoder, Packet, PacketId, Publish};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::{TopicFilter, TopicName};
use crate::mqtt::version::Version;

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

/// A session that outlives its connections, but not us.
fn config(version: Version) -> Config {
    Config {
        version,
        client_id: "client".into(),
        clean_start: true,
        outlives_connection: true,
        outlives_us: false,
        keep_alive: 45,
        session_expiry: 3600,
        credentials: Credentials::default(),
        will: None,
        topic_alias: false,
        max_inflight: None,
        maximum_packet: 1 << 20,
        trace: false,
    }
}

fn topic(text: &'static str) -> TopicName {
    TopicName::new(text).unwrap()
}

fn filter(text: &'static str) -> TopicFilter {
    TopicFilter::new(text).unwrap()
}

fn id(packet_id: u16) -> PacketId {
    PacketId::new(packet_id).unwrap()
}

/// A message whose payload begins with its number; some of them are longer.
fn message(name: &'static str, qos: QoS, number: u32) -> Publish {
    let mut payload = BytesMut::zeroed(0);
    payload.put_u32(number);
    payload.put_bytes(b'.', (number % 5) as usize * 7);
    let properties = Properties::default();
    let payload = payload.freeze();
    Publish { dup: false, qos, retain: false, topic: Some(topic(name)), packet_id: None, properties, payload }
}
