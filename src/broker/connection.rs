//! One connection: its socket, what was read from it and not decoded yet, and what waits to be
//! written to it. Nothing here waits.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

use mio::net::TcpStream;

use super::LogLine;
use super::handshake::{self, Upgraded};
use super::limits::{CONTROL_BYTES, DEAF_BYTES, FIRST_PACKET_BYTES, LINGER, MESSAGE_BYTES};
use super::outbox::Outbox;
use super::router::ConnectionId;
use crate::mqtt::packet::{Decoder, Malformed, Packet};
use crate::mqtt::version::Version;
use crate::websocket::frame::{NORMAL, PROTOCOL_ERROR};
use crate::websocket::outbound::ServerOutbound;
use crate::websocket::reader::Reader;
use crate::websocket::upgrade::accept::Refusal;
use crate::websocket::{Role, WebSocketError};

/// The version before CONNECT has said which.
const OLD: Version = Version::V3_1_1;

/// What arrived on a connection.
#[derive(Debug)]
pub enum Arrival {
    /// The upgrade was asked for and granted.
    Opened,
    /// A packet.
    Packet(Packet),
    /// What came is not MQTT.
    Malformed(Malformed),
    /// The client will send nothing more that counts.
    Lost,
}

/// What every connection is served with.
pub struct Settings {
    /// The only path that is upgraded.
    pub path: String,
    /// The largest packet that is taken, in bytes.
    pub max_packet: usize,
    /// Where debug lines go.
    pub log: Option<LogLine>,
}

impl Settings {
    /// Writes a debug line.
    pub fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(log) = &self.log {
            log(&line());
        }
    }
}

/// How the bytes that arrive are understood.
#[derive(Debug)]
enum Stage {
    /// As the request for the upgrade, of which this has arrived.
    Request(Vec<u8>),
    /// As frames.
    Open(Box<Frames>),
    /// Not at all: they are read and discarded until the client closes. To close a socket with
    /// unread bytes would destroy what was sent last.
    Ignored,
}

/// The decoders of an open WebSocket.
#[derive(Debug)]
struct Frames {
    reader: Reader,
    /// `None` after a malformed packet: frames are still read, so that a Close is answered.
    decoder: Option<Decoder>,
}

/// How the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// What waits is written first, until this time.
    Writing(Instant),
    /// Nothing more is written. The client's end is awaited until this time.
    Written(Instant),
}

/// What is known of the bytes that wait in a socket to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    /// There are none.
    Empty,
    /// There may be some.
    Some,
    /// There may be some, and they are the last: the end must be read, too.
    ToTheEnd,
}

/// A subscriber that this publisher waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// The subscriber.
    pub subscriber: ConnectionId,
    /// When the publisher goes on in any case.
    pub until: Instant,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    /// The client's address.
    pub address: SocketAddr,
    /// The slow subscriber for which nothing is read from here.
    pub hold: Option<Hold>,
    /// The publishers that wait for this subscriber.
    pub waiting: Vec<ConnectionId>,
    /// When the socket last took bytes, while it does not take all.
    pub blocked_since: Option<Instant>,
    /// When the loop looks after it whatever happens.
    pub alarm: Option<Instant>,
    socket: TcpStream,
    stage: Stage,
    /// What CONNECT asked for; a second CONNECT, which is an error, changes nothing.
    version: Option<Version>,
    outbox: Outbox,
    ending: Option<Ending>,
    /// What the packets weigh that wait to be written, in bytes.
    unsent: usize,
    readiness: Readiness,
    /// Whether it is in the line of those that are read from.
    is_in_line: bool,
    /// Whether the client has ended its side, or the connection is broken.
    has_ended: bool,
}

impl Connection {
    /// A connection that was just accepted.
    pub fn new(address: SocketAddr, socket: TcpStream) -> Self {
        Self {
            address,
            hold: None,
            waiting: Vec::new(),
            blocked_since: None,
            alarm: None,
            socket,
            stage: Stage::Request(Vec::new()),
            version: None,
            outbox: Outbox::default(),
            ending: None,
            unsent: 0,
            readiness: Readiness::Empty,
            is_in_line: false,
            has_ended: false,
        }
    }

    /// The socket, to be registered.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// The system has reported that there is something to read, perhaps the end.
    pub fn set_readable(&mut self, has_end: bool) {
        self.readiness = if has_end { Readiness::ToTheEnd } else { Readiness::Some };
    }

    /// Whether it should join the line of those that are read from: it is not in it, and something
    /// should be read.
    pub fn joins_line(&mut self) -> bool {
        let joins = !self.is_in_line && self.wants_to_read();
        self.is_in_line |= joins;
        joins
    }

    /// It has left the line.
    pub fn leave_line(&mut self) {
        self.is_in_line = false;
    }

    /// Whether something should be read now.
    fn wants_to_read(&self) -> bool {
        let has_room = self.unsent <= DEAF_BYTES
            && self.outbox.control_len() <= CONTROL_BYTES
            && self.hold.is_none();
        self.readiness != Readiness::Empty && !self.has_ended && (has_room || self.ending.is_some())
    }

    /// Whether it is still asking for its upgrade.
    pub fn is_asking(&self) -> bool {
        matches!(self.stage, Stage::Request(_)) && self.ending.is_none()
    }

    /// Whether there is nothing left to do: the socket can be closed.
    pub fn is_over(&self) -> bool {
        match self.ending {
            None => false,
            Some(Ending::Writing(_)) => self.has_ended && self.outbox.is_empty(),
            Some(Ending::Written(_)) => self.has_ended,
        }
    }

    /// Whether something waits to be written, or the socket is to be closed.
    pub fn has_to_write(&self) -> bool {
        !self.outbox.is_empty() || self.ending.is_some()
    }

    /// When it is closed in any case, if it ends.
    pub fn last_moment(&self) -> Option<Instant> {
        match self.ending? {
            Ending::Writing(until) | Ending::Written(until) => Some(until),
        }
    }

    /// Reads once and passes what arrived to `take`.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        settings: &Settings,
        now: Instant,
        take: &mut dyn FnMut(Arrival),
    ) {
        if !self.wants_to_read() {
            return;
        }
        match self.socket.read(buffer) {
            Ok(count @ 1..) => {
                // The system reports what comes after a read that took all there was.
                if count < buffer.len() && self.readiness == Readiness::Some {
                    self.readiness = Readiness::Empty;
                }
                self.understand(&buffer[..count], settings, now, take);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readiness = Readiness::Empty;
            }
            Ok(_) => self.lose(&ErrorKind::UnexpectedEof.into(), settings, now, take),
            Err(error) => self.lose(&error, settings, now, take),
        }
    }

    /// The client has ended its side, or the connection is broken.
    fn lose(
        &mut self,
        error: &io::Error,
        settings: &Settings,
        now: Instant,
        take: &mut dyn FnMut(Arrival),
    ) {
        self.has_ended = true;
        match self.stage {
            Stage::Request(_) if self.ending.is_none() => {
                settings.tell(|| format!("{} did not ask for anything: {error}", self.address));
            }
            Stage::Open(_) => {
                settings.tell(|| format!("{} is gone", self.address));
                take(Arrival::Lost);
            }
            Stage::Request(_) | Stage::Ignored => {}
        }
        self.end(None, now);
    }

    fn understand(
        &mut self,
        arrived: &[u8],
        settings: &Settings,
        now: Instant,
        take: &mut dyn FnMut(Arrival),
    ) {
        match &mut self.stage {
            Stage::Request(head) => {
                head.extend_from_slice(arrived);
                if self.ending.is_none() {
                    self.ask(settings, now, take);
                }
            }
            Stage::Open(_) => self.read_frames(arrived, settings, now, take),
            Stage::Ignored => {}
        }
    }

    /// Answers the request, if it has arrived whole.
    fn ask(&mut self, settings: &Settings, now: Instant, take: &mut dyn FnMut(Arrival)) {
        let Stage::Request(arrived) = &mut self.stage else { return };
        match handshake::upgrade(arrived, &settings.path) {
            Upgraded::NotYet => {}
            Upgraded::No(refusal) => self.refuse(&refusal, settings, now),
            Upgraded::Yes { answer, head } => {
                let arrived = arrived.split_off(head);
                self.outbox.post_bytes(answer);
                self.stage = Stage::Open(Box::new(Frames {
                    reader: Reader::new(Role::Server, settings.max_packet + MESSAGE_BYTES, false),
                    decoder: Some(Decoder::new(OLD, FIRST_PACKET_BYTES.min(settings.max_packet))),
                }));
                settings.tell(|| format!("{} is connected", self.address));
                take(Arrival::Opened);
                self.read_frames(&arrived, settings, now, take);
            }
        }
    }

    /// Answers a request with a refusal, and ends the connection.
    pub fn refuse(&mut self, refusal: &Refusal, settings: &Settings, now: Instant) {
        settings.tell(|| format!("{} was refused: {}", self.address, refusal.sentence));
        self.outbox.post_bytes(refusal.response());
        self.stage = Stage::Ignored;
        self.end(None, now);
    }

    /// Reads frames and the packets in them.
    fn read_frames(
        &mut self,
        mut arrived: &[u8],
        settings: &Settings,
        now: Instant,
        take: &mut dyn FnMut(Arrival),
    ) {
        let Stage::Open(frames) = &mut self.stage else { return };
        let Frames { reader, decoder } = &mut **frames;
        loop {
            let taken = reader.feed(arrived);
            arrived = &arrived[taken..];
            let next = reader.next();
            let answers = reader.take_answers();
            match next {
                Some(Ok(payload)) => {
                    decoder.take_if(|decoder| {
                        decoder.feed(payload);
                        !decode(decoder, &mut self.version, self.address, settings, take)
                    });
                }
                Some(Err(error)) => return self.end_websocket(error, settings, now, take),
                None if arrived.is_empty() && answers.is_empty() => return,
                None => {}
            }
            if !answers.is_empty() && self.ending.is_none() {
                self.outbox.post_control(&answers);
            }
        }
    }

    /// The WebSocket ends, by a Close or by a breach of the protocol.
    fn end_websocket(
        &mut self,
        error: WebSocketError,
        settings: &Settings,
        now: Instant,
        take: &mut dyn FnMut(Arrival),
    ) {
        self.stage = Stage::Ignored;
        if let WebSocketError::TooLarge { size, limit } = error {
            let bytes = |count| usize::try_from(count).unwrap_or(usize::MAX);
            // The router ends the connection, with a DISCONNECT if that is possible.
            let (size, maximum) = (bytes(size), bytes(limit));
            return take(Arrival::Malformed(Malformed::PacketTooLarge { size, maximum }));
        }
        let code = match error {
            // The answer to a Close goes after what was posted, as the last word.
            WebSocketError::Closed { code, .. } => code.unwrap_or(NORMAL),
            error => error.answer().unwrap_or(PROTOCOL_ERROR),
        };
        self.end(Some(code), now);
        settings.tell(|| format!("{} is gone", self.address));
        take(Arrival::Lost);
    }

    /// Adds packets to what is written, which then weighs `unsent` bytes. The queue is left empty.
    pub fn post(&mut self, packets: &mut VecDeque<Packet>, unsent: usize) {
        if self.ending.is_some() {
            return packets.clear();
        }
        self.outbox.post(packets);
        self.unsent = unsent;
    }

    /// Ends the connection after what was posted, with a Close frame of this code; the first reason
    /// counts.
    pub fn end(&mut self, close: Option<u16>, now: Instant) {
        if self.ending.is_none() {
            self.ending = Some(Ending::Writing(now + LINGER));
            if let Some(code) = close {
                self.outbox.post_close(code);
            }
        }
    }

    /// Writes what waits, as far as the socket takes it. Returns what the packets weigh that were
    /// written since the last time, in bytes.
    pub fn write(
        &mut self,
        frames: &mut ServerOutbound,
        settings: &Settings,
        now: Instant,
    ) -> usize {
        let Self { socket, outbox, blocked_since, address, .. } = self;
        let mut is_blocked = false;
        let tell = |packet: &Packet| {
            settings.tell(|| format!("{address} is sent {}", packet.describe()));
        };
        let written = outbox.write(self.version.unwrap_or(OLD), frames, tell, |bytes| {
            match write_once(socket, bytes)? {
                Some(count) => {
                    *blocked_since = None;
                    Ok(count)
                }
                None => {
                    is_blocked = true;
                    blocked_since.get_or_insert(now);
                    Ok::<_, io::Error>(0)
                }
            }
        });
        if written.is_err() {
            self.has_ended = true;
            self.outbox = Outbox::default();
            self.end(None, now);
        }
        let weight = self.outbox.take_written();
        if !is_blocked && matches!(self.ending, Some(Ending::Writing(_))) {
            let _ = self.socket.shutdown(Shutdown::Write);
            self.ending = Some(Ending::Written(now + LINGER));
        }
        self.unsent = self.unsent.saturating_sub(weight);
        weight
    }
}

/// Writes once; `None` if the socket takes nothing now.
fn write_once(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<Option<usize>> {
    loop {
        match socket.write(bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            result => return result.map(Some),
        }
    }
}

/// Takes packets out of the decoder; false after a malformed one.
fn decode(
    decoder: &mut Decoder,
    version: &mut Option<Version>,
    address: SocketAddr,
    settings: &Settings,
    take: &mut dyn FnMut(Arrival),
) -> bool {
    loop {
        match decoder.next() {
            Ok(Some(packet)) => {
                if let Packet::Connect(connect) = &packet {
                    version.get_or_insert(connect.version);
                    decoder.set_maximum(settings.max_packet);
                }
                settings.tell(|| format!("{address} sent {}", packet.describe()));
                take(Arrival::Packet(packet));
            }
            Ok(None) => return true,
            Err(error) => {
                take(Arrival::Malformed(error));
                return false;
            }
        }
    }
}
