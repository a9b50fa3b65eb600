//! The counterpart: a broker that acknowledges as fast as it can and floods whoever subscribes, or
//! gives back what a subscriber publishes. It speaks WebSocket, TLS and plain MQTT on one port, and
//! tells what it got when a connection ends.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustls::ServerConfig;

use crate::Failure;
use crate::core;
use crate::flood::{Flood, Pack, Plan};
use crate::link::{Framing, Link};
use crate::mqtt::{self, Connect, Packet};
use crate::stream::Stream;

/// What one connection brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages.
    pub publishes: u64,
    /// Their payloads, in bytes.
    pub bytes: u64,
    /// Whether it ended with a DISCONNECT.
    pub in_order: bool,
}

/// What subscribers get.
#[derive(Debug, Clone, Copy)]
pub struct Torrent {
    /// How many messages.
    pub count: u64,
    /// The payload of each, in bytes.
    pub size: usize,
    /// Their frames.
    pub pack: Pack,
}

/// See the module. It lives as long as the process.
pub struct Server {
    port: u16,
    torrent: Arc<Mutex<Option<Torrent>>>,
    tallies: Receiver<Tally>,
}

impl Server {
    /// Listens on `port` of loopback, 0 for any.
    pub fn start(port: u16, config: Arc<ServerConfig>) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = listener.local_addr()?.port();
        let torrent = Arc::new(Mutex::new(None));
        let (sender, tallies) = mpsc::channel();
        let shared = Arc::clone(&torrent);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (config, sender) = (Arc::clone(&config), sender.clone());
                let torrent = *shared.lock().unwrap_or_else(PoisonError::into_inner);
                thread::spawn(move || serve(socket, &config, torrent, &sender));
            }
        });
        Ok(Self { port, torrent, tallies })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the next subscribers get.
    pub fn set_torrent(&self, torrent: Option<Torrent>) {
        *self.torrent.lock().unwrap_or_else(PoisonError::into_inner) = torrent;
    }

    /// What the connections that have ended have brought.
    pub fn tallies(&self) -> &Receiver<Tally> {
        &self.tallies
    }
}

fn serve(socket: TcpStream, config: &Arc<ServerConfig>, torrent: Option<Torrent>, sender: &Sender<Tally>) {
    let mut guest = Guest { torrent, ..Guest::default() };
    // A client that leaves without a word is its own affair; the tally says what it brought.
    let _ = Stream::accepted(socket, config).and_then(|stream| guest.entertain(stream));
    let _ = sender.send(guest.tally);
}

/// One client.
#[derive(Default)]
struct Guest {
    torrent: Option<Torrent>,
    connect: Option<Connect>,
    flood: Option<Flood>,
    /// What a subscriber without a torrent publishes comes back, under this topic.
    echo: Option<String>,
    tally: Tally,
}

impl Guest {
    fn entertain(&mut self, stream: Stream) -> Result<(), Failure> {
        let (mut link, mut first) = Link::accepted(stream)?;
        let framing = link.framing();
        link.understand(&mut first, &mut |packet, out| self.take(&packet, out, framing));
        loop {
            link.send()?;
            if let Some(flood) = &mut self.flood {
                flood.fill(&mut link)?;
            }
            if self.echo.is_some() {
                link.look();
            }
            let open = link.read(&mut |packet, out| self.take(&packet, out, framing))?;
            if !open || (framing == Framing::Raw && self.tally.in_order) {
                break;
            }
        }
        link.close()
    }

    #[inline]
    fn take(&mut self, packet: &Packet<'_>, out: &mut Vec<u8>, framing: Framing) {
        match *packet {
            Packet::Publish { qos, id, size } => {
                self.tally.publishes += 1;
                self.tally.bytes += size as u64;
                match qos {
                    0 => {
                        if let Some(topic) = &self.echo {
                            mqtt::put_publish(topic, 0, 0, size, out);
                        }
                    }
                    1 => mqtt::put_ack(mqtt::PUBACK, id, out),
                    _ => mqtt::put_ack(mqtt::PUBREC, id, out),
                }
            }
            Packet::Payload(bytes, _) if self.echo.is_some() => out.extend_from_slice(bytes),
            Packet::Ack(mqtt::PUBREL, id) => mqtt::put_ack(mqtt::PUBCOMP, id, out),
            Packet::Ack(..) => {
                if let Some(flood) = &mut self.flood {
                    flood.acknowledge(packet, out);
                }
            }
            Packet::Other(first, body) => self.answer(first, body, out, framing),
            _ => {}
        }
    }

    fn answer(&mut self, first: u8, body: &[u8], out: &mut Vec<u8>, framing: Framing) {
        let is_v5 = self.connect.is_some_and(|connect| connect.is_v5);
        match first {
            mqtt::CONNECT => {
                self.connect = Connect::parse(body);
                let is_v5 = self.connect.is_some_and(|connect| connect.is_v5);
                out.extend_from_slice(if is_v5 {
                    &[mqtt::CONNACK, 3, 0, 0, 0]
                } else {
                    &[mqtt::CONNACK, 2, 0, 0]
                });
            }
            mqtt::SUBSCRIBE => {
                // A malformed one gets no answer, and its sender waits in vain.
                let _ = mqtt::put_suback(body, is_v5, out);
                let qos = body.last().map_or(0, |options| options & 3);
                self.echo = mqtt::subscribed(body, is_v5).filter(|_| self.torrent.is_none());
                if self.echo.is_some() {
                    // Where it cannot be, the other core serves.
                    let _ = core::stay_on_first();
                }
                self.flood = self.torrent.map(|torrent| Flood::new(self.plan(torrent, qos, is_v5), framing));
            }
            mqtt::PINGREQ => out.extend([mqtt::PINGRESP, 0]),
            mqtt::DISCONNECT => self.tally.in_order = true,
            _ => {}
        }
    }

    fn plan(&self, torrent: Torrent, qos: u8, is_v5: bool) -> Plan {
        let window = self.connect.map_or(u16::MAX, |connect| connect.receive_maximum);
        Plan { count: torrent.count, size: torrent.size, pack: torrent.pack, qos, is_v5, window }
    }
}
