//! Many clients of one broker, in one thread with one poll: MQTT 3.1.1 or 5 over WebSocket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as Blocking};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Failure;
use crate::mqtt::{self, Packet, Scanner};
use crate::websocket::{self, Deframer, Mask};

const MASK: Mask = [0x55, 0xaa, 0x33, 0xcc];

/// A publisher has at most so many messages of QoS 1, and of QoS 2, in flight: mosquitto ends a
/// connection with more than twenty of QoS 2.
const WINDOWS: [u64; 2] = [500, 20];
/// So many bytes of small packets share one frame.
const FRAME: usize = 16 * 1024;
/// A publisher has at most so many bytes ready to be written.
const READY: usize = 64 * 1024;
/// One that reads slowly reads so many bytes, so often.
const SIP: (usize, Duration) = (1024, Duration::from_millis(100));

/// The clients, and what has happened to all of them.
pub struct Fleet {
    poll: Poll,
    events: Events,
    address: SocketAddr,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    /// When those that read slowly have read last.
    sipped: Instant,
    /// What came in.
    pub seen: Seen,
}

/// What all clients of a fleet received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// CONNACK and SUBACK.
    pub answers: u64,
    /// Messages.
    pub messages: u64,
    /// Acknowledgements that end an exchange.
    pub acknowledged: u64,
}

/// What one client does.
#[derive(Debug, Clone, Default)]
pub struct Role {
    /// The topic that it subscribes to.
    pub filter: Option<String>,
    /// At this QoS it subscribes, or publishes.
    pub qos: u8,
    /// What it reads after its SUBACK.
    pub reading: Reading,
    pub version: Version,
}

/// What a client reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    #[default]
    All,
    Nothing,
    /// All, for so long.
    For(Duration),
    /// 10 KiB a second.
    Slowly,
}

/// The version that a client speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    #[default]
    V3,
    /// MQTT 5, with this subscription identifier.
    V5(Option<u8>),
    /// MQTT 5, with a session that outlives the connection.
    Persistent,
}

/// What one client publishes.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub topic: String,
    /// Messages take turns in so many topics below that, if there is more than one.
    pub topics: u64,
    pub qos: u8,
    pub size: usize,
    pub count: u64,
}

struct Client {
    socket: TcpStream,
    deframer: Deframer,
    scanner: Scanner,
    role: Role,
    /// What is to be written, and how much of it was.
    out: Vec<u8>,
    written: usize,
    /// The head of the answer to the upgrade, until it has come.
    head: Option<Vec<u8>>,
    answers: u8,
    begun: Instant,
    plan: Plan,
    in_flight: u64,
    next_id: u16,
}

impl Fleet {
    /// A fleet without clients for the broker at this port.
    pub fn new(port: u16) -> Result<Self, Failure> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            address: (Ipv4Addr::LOCALHOST, port).into(),
            clients: Vec::new(),
            buffer: vec![0; 256 * 1024],
            sipped: Instant::now(),
            seen: Seen::default(),
        })
    }

    /// Connects so many clients with this role, a hundred at a time; returns the number of the first.
    pub fn connect(&mut self, count: usize, role: &Role) -> Result<usize, Failure> {
        let first = self.clients.len();
        let answers = self.seen.answers;
        let each = 1 + u64::from(role.filter.is_some());
        for number in 0..count {
            self.dial(role.clone())?;
            if number % 100 == 99 || number + 1 == count {
                let wanted = answers + each * (number as u64 + 1);
                self.run(|seen| seen.answers >= wanted)?;
            }
        }
        Ok(first)
    }

    fn dial(&mut self, role: Role) -> Result<(), Failure> {
        let socket = Blocking::connect(self.address)?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let mut socket = TcpStream::from_std(socket);
        let number = self.clients.len();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(number), interest)?;
        let out = format!(
            "GET /mqtt HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: mqtt\r\n\r\n",
            self.address
        );
        let mut client = Client {
            socket,
            deframer: Deframer::default(),
            scanner: Scanner::default(),
            role,
            out: out.into_bytes(),
            written: 0,
            head: Some(Vec::new()),
            answers: 0,
            begun: Instant::now(),
            plan: Plan::default(),
            in_flight: 0,
            next_id: 0,
        };
        client.write()?;
        self.clients.push(client);
        Ok(())
    }

    /// Gives a client something to publish, and begins.
    pub fn publish(&mut self, client: usize, plan: Plan) -> Result<(), Failure> {
        self.clients[client].plan = plan;
        self.clients[client].write()
    }

    /// Serves the clients until this holds.
    pub fn run(&mut self, until: impl Fn(Seen) -> bool) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !until(self.seen) {
            if Instant::now() >= deadline {
                return Err(
                    format!("the broker did not do its work in a minute: {:?}", self.seen).into()
                );
            }
            self.poll.poll(&mut self.events, Some(SIP.1))?;
            for event in &self.events {
                let client = &mut self.clients[event.token().0];
                if event.is_readable() || event.is_read_closed() {
                    client.read(&mut self.buffer, &mut self.seen)?;
                }
                client.write()?;
            }
            self.sip()?;
        }
        Ok(())
    }

    fn sip(&mut self) -> Result<(), Failure> {
        if self.sipped.elapsed() < SIP.1 {
            return Ok(());
        }
        self.sipped = Instant::now();
        let slow = |client: &&mut Client| client.role.reading == Reading::Slowly;
        for client in self.clients.iter_mut().filter(slow) {
            client.read_once(&mut self.buffer[..SIP.0], &mut Seen::default())?;
        }
        Ok(())
    }
}

impl Client {
    fn read(&mut self, buffer: &mut [u8], seen: &mut Seen) -> Result<(), Failure> {
        loop {
            let reads = match self.role.reading {
                Reading::All => true,
                Reading::Nothing | Reading::Slowly => self.answers < 2,
                Reading::For(time) => self.answers < 2 || self.begun.elapsed() < time,
            };
            if !reads {
                return Ok(());
            }
            // What those read that will stop does not count.
            let seen = match self.role.reading {
                Reading::For(_) if self.answers >= 2 => &mut Seen::default(),
                _ => &mut *seen,
            };
            if !self.read_once(buffer, seen)? {
                return Ok(());
            }
        }
    }

    /// False if there was no more.
    fn read_once(&mut self, buffer: &mut [u8], seen: &mut Seen) -> Result<bool, Failure> {
        match self.socket.read(buffer) {
            Ok(0) => Err("the broker has closed a connection".into()),
            Ok(count) => {
                self.understand(&mut buffer[..count], seen)?;
                Ok(count == buffer.len())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn understand(&mut self, bytes: &mut [u8], seen: &mut Seen) -> Result<(), Failure> {
        let mut rest;
        let mut bytes: &mut [u8] = bytes;
        if let Some(head) = &mut self.head {
            head.extend_from_slice(bytes);
            let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
                return Ok(());
            };
            if !head.starts_with(b"HTTP/1.1 101 ") {
                return Err(format!("no upgrade: {}", String::from_utf8_lossy(head)).into());
            }
            rest = head[end + 4..].to_vec();
            self.head = None;
            let mut connect = Vec::new();
            put_connect(self.role.version, &mut connect);
            self.frame(&connect);
            bytes = &mut rest;
        }
        let mut answers = Vec::new();
        let Self { deframer, scanner, role, in_flight, answers: count, .. } = self;
        deframer.feed(bytes, scanner, &mut |packet| match packet {
            Packet::Publish { qos, id, .. } => {
                seen.messages += 1;
                match qos {
                    0 => {}
                    1 => mqtt::put_ack(mqtt::PUBACK, id, &mut answers),
                    _ => mqtt::put_ack(mqtt::PUBREC, id, &mut answers),
                }
            }
            Packet::Ack(mqtt::PUBACK | mqtt::PUBCOMP, _) => {
                seen.acknowledged += 1;
                *in_flight -= 1;
            }
            Packet::Ack(mqtt::PUBREC, id) => mqtt::put_ack(mqtt::PUBREL, id, &mut answers),
            Packet::Ack(_, id) => mqtt::put_ack(mqtt::PUBCOMP, id, &mut answers),
            Packet::Other(mqtt::CONNACK, _) => {
                seen.answers += 1;
                *count += 1;
                if let Some(filter) = &role.filter {
                    put_subscribe(filter, role.qos, role.version, &mut answers);
                }
            }
            Packet::Other(mqtt::SUBACK, _) => {
                seen.answers += 1;
                *count += 1;
            }
            _ => {}
        });
        if !answers.is_empty() {
            self.frame(&answers);
        }
        Ok(())
    }

    /// Appends a frame with these packets.
    fn frame(&mut self, packets: &[u8]) {
        websocket::put_header(websocket::BINARY, packets.len(), Some(MASK), &mut self.out);
        let start = self.out.len();
        self.out.extend_from_slice(packets);
        websocket::apply_mask(&mut self.out[start..], MASK, 0);
    }

    fn write(&mut self) -> Result<(), Failure> {
        loop {
            if self.written == self.out.len() {
                self.out.clear();
                self.written = 0;
            }
            self.refill();
            if self.out.is_empty() {
                return Ok(());
            }
            match self.socket.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Adds messages that may be published now.
    fn refill(&mut self) {
        while self.head.is_none() && self.plan.count > 0 && self.out.len() < READY {
            let mut packets = Vec::with_capacity(FRAME + self.plan.size);
            while self.plan.count > 0 && packets.len() < FRAME {
                let Plan { topic, topics, qos, size, count } = &mut self.plan;
                if *qos > 0 {
                    if self.in_flight >= WINDOWS[usize::from(*qos) - 1] {
                        break;
                    }
                    self.in_flight += 1;
                    self.next_id = self.next_id % 60_000 + 1;
                }
                if *topics > 1 {
                    let topic = format!("{topic}/{}", *count % *topics);
                    mqtt::put_publish(&topic, *qos, self.next_id, *size, &mut packets);
                } else {
                    mqtt::put_publish(topic, *qos, self.next_id, *size, &mut packets);
                }
                packets.resize(packets.len() + *size, b'x');
                *count -= 1;
            }
            if packets.is_empty() {
                return;
            }
            self.frame(&packets);
        }
    }
}

/// An empty client id: the broker assigns one.
fn put_connect(version: Version, out: &mut Vec<u8>) {
    let properties: &[u8] = match version {
        Version::V3 => return mqtt::put_connect("", out),
        Version::V5(_) => &[0],
        // Session Expiry Interval (§3.1.2.11.2).
        Version::Persistent => &[5, 17, 0, 0, 1, 0],
    };
    let length = u8::try_from(12 + properties.len()).expect("it is short");
    out.extend([mqtt::CONNECT, length]);
    mqtt::put_string("MQTT", out);
    out.extend([5, 2, 0, 0]);
    out.extend(properties);
    mqtt::put_string("", out);
}

fn put_subscribe(filter: &str, qos: u8, version: Version, out: &mut Vec<u8>) {
    // Subscription Identifier (§3.8.2.1.2).
    let properties = match version {
        Version::V3 => vec![],
        Version::V5(Some(identifier)) => vec![2, 11, identifier],
        Version::V5(None) | Version::Persistent => vec![0],
    };
    let length = 5 + properties.len() + filter.len();
    let length = u8::try_from(length).expect("our own filters are short");
    out.extend([mqtt::SUBSCRIBE, length, 0, 1]);
    out.extend(properties);
    mqtt::put_string(filter, out);
    out.push(qos);
}
