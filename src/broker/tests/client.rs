//! A client of a few lines around bytes and masks, which shares only the packets with the broker.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::broker::access::Access;
use crate::broker::event::Observer;
use crate::broker::limits::{Limit, Limits};
use crate::broker::{Broker, BrokerLog, BrokerOptions, RefusalsIn};
use crate::mqtt::packet::{
    Connect, Credentials, Decoder, Packet, PacketId, Publish, Subscribe, Subscription,
};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::{TopicFilter, TopicName};
use crate::mqtt::version::Version;

pub(super) const BINARY: u8 = 0x82;
pub(super) const TEXT: u8 = 0x81;
pub(super) const CLOSE: u8 = 0x88;
pub(super) const PING: u8 = 0x89;
pub(super) const PONG: u8 = 0x8a;

pub(super) const UPGRADE: &str = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Protocol: mqtt\r\n\r\n";

pub(super) fn start() -> Broker {
    start_with(1 << 20, None)
}

pub(super) fn start_with(max_packet: usize, observer: Option<Observer>) -> Broker {
    let log = BrokerLog {
        warning: Arc::new(|_| {}),
        refusals: if observer.is_some() { RefusalsIn::Observer } else { RefusalsIn::Warnings },
        observer,
    };
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let limits = Limits::default().with(Limit::Packet, max_packet);
    Broker::start(BrokerOptions {
        address,
        also: None,
        path: "/mqtt".to_owned(),
        limits,
        access: Access::default(),
        retained: Vec::new(),
        deviations: Vec::new(),
        tls: None,
        log,
    })
    .unwrap()
}

/// A socket to the broker. Every wait is bounded by its read time-out.
pub(super) fn dial(broker: &Broker) -> TcpStream {
    let socket = TcpStream::connect(broker.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// Sends bytes, and reads until the broker closes.
pub(super) fn exchange(broker: &Broker, request: &[u8]) -> String {
    let mut socket = dial(broker);
    socket.write_all(request).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// A masked frame.
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..126), _) => frame.push(0x80 | length),
        (_, Ok(length)) => {
            frame.push(0xfe);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(0xff);
            frame.extend(u64::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

pub(super) fn encoded(packets: &[Packet], version: Version) -> BytesMut {
    let mut bytes = BytesMut::new();
    for packet in packets {
        packet.encode(version, &mut bytes).unwrap();
    }
    bytes
}

/// A client after its upgrade.
pub(super) struct Client {
    pub(super) socket: TcpStream,
    version: Version,
    decoder: Decoder,
}

impl Client {
    pub(super) fn new(broker: &Broker, version: Version) -> Self {
        let mut socket = dial(broker);
        socket.write_all(UPGRADE.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Self { socket, version, decoder: Decoder::new(version, usize::MAX) }
    }

    pub(super) fn connected(broker: &Broker, version: Version, client_id: &'static str) -> Self {
        let mut client = Self::new(broker, version);
        client.send(&[connect(version, client_id)]);
        assert!(
            matches!(client.packet(), Packet::ConnAck(answer) if answer.code == ReasonCode::SUCCESS)
        );
        client
    }

    pub(super) fn subscribed(
        broker: &Broker,
        client_id: &'static str,
        filter: &'static str,
        qos: QoS,
    ) -> Self {
        let mut client = Self::connected(broker, Version::V3_1_1, client_id);
        let subscriptions = vec![Subscription::new(TopicFilter::new(filter).unwrap(), qos)];
        let (packet_id, properties) = (PacketId::MIN, Properties::default());
        client.send(&[Packet::Subscribe(Subscribe { packet_id, properties, subscriptions })]);
        assert!(matches!(client.packet(), Packet::SubAck(_)));
        client
    }

    pub(super) fn send(&mut self, packets: &[Packet]) {
        self.write(&frame(BINARY, &encoded(packets, self.version)));
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// The next frame, or nothing at the end.
    pub(super) fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.socket.read_exact(&mut head).ok()?;
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.socket.read_exact(&mut length).unwrap();
                usize::from(u16::from_be_bytes(length))
            }
            length => usize::from(length),
        };
        assert!(length <= 32 * 1024 && head[1] <= 126, "{head:?}");
        let mut payload = vec![0; length];
        self.socket.read_exact(&mut payload).unwrap();
        Some((head[0], payload))
    }

    pub(super) fn packet(&mut self) -> Packet {
        loop {
            if let Some(packet) = self.decoder.next().unwrap() {
                return packet;
            }
            let (opcode, payload) = self.frame().expect("the connection ended");
            assert_eq!(opcode, BINARY);
            self.decoder.feed(payload.into());
        }
    }

    /// Asserts that the broker closes with this code, and nothing before.
    pub(super) fn expect_close(&mut self, code: u16) {
        assert_eq!(self.frame(), Some((CLOSE, code.to_be_bytes().to_vec())));
        self.write(&frame(CLOSE, &code.to_be_bytes()));
        assert_eq!(self.frame(), None);
    }
}

pub(super) fn connect(version: Version, client_id: &'static str) -> Packet {
    Packet::Connect(Box::new(Connect {
        version,
        clean_start: true,
        keep_alive: 0,
        client_id: client_id.into(),
        will: None,
        credentials: Credentials::default(),
        properties: Properties::default(),
    }))
}

pub(super) fn publish(topic: &'static str, payload: Bytes, qos: QoS) -> Packet {
    Packet::Publish(Publish {
        qos,
        packet_id: (qos != QoS::AtMostOnce).then_some(PacketId::MIN),
        ..Publish::new(TopicName::new(topic).unwrap(), payload)
    })
}
