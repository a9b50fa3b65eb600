//! One connection: carries bytes between its socket and the router. Nothing here waits.

mod deviant;
mod faulty;
mod sending;
mod told;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use faulty::room;

use super::BrokerLog;
use super::access::UpgradeRules;
use super::brokers::Brokers;
use super::deviation::{BrokerDeviations, DeviantTraffic};
use super::event::BrokerEvent;
use super::fault::{FaultEvent, FaultPlan, FaultyTraffic, PacketDirection};
use super::handshake;
use super::input::{ClientInput, InputDecoder};
use super::limits::CONTROL_BYTES;
use super::memory::MemoryLevel;
use super::output::OutputQueue;
use super::refusals::Refusals;
use super::router::{ConnectionId, EndReason, OutgoingItem};
use super::socket::{self, ClientSocket};
use super::tls::ServerTls;
use crate::mqtt::packet::Packet;
use crate::websocket::outbound::ServerOutbound;
use crate::websocket::upgrade::accept::Refusal;
use sending::{EndStage, SendingSide, SocketRoom, close_code};
use told::{log_input, tell_failed_handshake, tell_refusal};

/// What every connection is served with.
pub struct Service {
    /// Where its packets go.
    pub brokers: Brokers,
    /// The only path that is upgraded.
    pub path: String,
    /// Which upgrades are accepted.
    pub upgrades: UpgradeRules,
    /// How connections are encrypted, if they are.
    pub tls: Option<ServerTls>,
    /// What is called when something happens.
    pub log: BrokerLog,
    /// What goes wrong on purpose.
    pub faults: Option<Arc<FaultPlan>>,
    /// Which refusals it is told of.
    pub refusals: Refusals,
    /// What is done otherwise than the standards say.
    pub deviations: BrokerDeviations,
    /// What one read fills.
    pub buffer: Vec<u8>,
    /// What one write empties.
    pub frames: ServerOutbound,
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

/// A connection.
#[derive(Debug)]
pub struct ServerConnection {
    id: ConnectionId,
    address: SocketAddr,
    socket: ClientSocket,
    input: InputDecoder,
    readiness: Readiness,
    sending: SendingSide,
    /// What goes wrong on purpose, if something can.
    faults: Option<Box<FaultyTraffic>>,
    /// What changes what passes, if something does.
    deviant: Option<Box<DeviantTraffic>>,
    /// When the request or the packet began that is incomplete, if one is.
    begun_at: Option<Instant>,
    /// Whether the client has ended its side, or the connection is broken.
    has_ended: bool,
}

impl ServerConnection {
    /// A connection that was just accepted. Packets of at most `max_packet` bytes are taken.
    pub fn new(
        id: ConnectionId,
        socket: ClientSocket,
        address: SocketAddr,
        max_packet: usize,
    ) -> Self {
        Self {
            id,
            address,
            socket,
            input: InputDecoder::new(max_packet),
            readiness: Readiness::Empty,
            sending: SendingSide {
                queue: OutputQueue::default(),
                room: SocketRoom::Some,
                stage: EndStage::Open,
                close_answer: None,
            },
            faults: None,
            deviant: None,
            begun_at: None,
            has_ended: false,
        }
    }

    /// The same with these faults on purpose.
    pub fn faulty(mut self, faults: Option<FaultyTraffic>) -> Self {
        self.faults = faults.map(Box::new);
        self
    }

    /// Where the client is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same with these deviations.
    pub fn deviating(mut self, deviations: &BrokerDeviations) -> Self {
        self.deviant = deviations.of_connection(self.id).map(Box::new);
        self
    }

    /// The same, passing on runs of messages as one, of at most so many bytes. Nobody then sees
    /// each of them: not for connections with faults or deviations, or where somebody listens.
    pub fn joining_messages(mut self, longest_run: usize) -> Self {
        if self.faults.is_none() && self.deviant.is_none() {
            self.input.join_messages(longest_run);
        }
        self
    }

    /// The system has reported that there is something to read, perhaps the end; returns whether
    /// all that had come before was read.
    pub fn set_readable(&mut self, has_end: bool) -> bool {
        let readiness = if has_end { Readiness::ToTheEnd } else { Readiness::Some };
        std::mem::replace(&mut self.readiness, readiness) == Readiness::Empty
    }

    /// Whether something should be read now. A client that does not read what it is sent is not
    /// read from either.
    pub fn wants_to_read(&self, memory: MemoryLevel) -> bool {
        let most_control = if memory == MemoryLevel::Out { 0 } else { CONTROL_BYTES };
        let has_room = self.sending.queue.unsent() <= memory.deaf_bytes()
            && self.sending.queue.control_len() <= most_control
            && self.sending.queue.answers() <= memory.answers()
            && self.faults.as_ref().is_none_or(|faults| faults.takes_input());
        self.readiness != Readiness::Empty && !self.has_ended && (has_room || self.is_closing())
    }

    /// The memory that is held for a request or a packet that is incomplete, in bytes.
    pub fn incomplete(&self) -> usize {
        self.input.incomplete()
    }

    /// What the items weigh that were posted and not written, in bytes.
    pub fn unsent(&self) -> usize {
        self.sending.queue.unsent()
    }

    /// When that began.
    pub fn begun_at(&self) -> Option<Instant> {
        self.begun_at
    }

    /// Whether something waits to be written, or the socket is to be closed.
    pub fn has_to_write(&self) -> bool {
        !self.sending.queue.is_empty()
            || self.is_closing()
            || self.is_at_end_of_input()
            || self.holds_deviant_output()
            || self.socket.has_to_write()
    }

    /// Whether the socket did not take all that it was given.
    pub fn is_blocked(&self) -> bool {
        self.sending.room == SocketRoom::None
    }

    /// Whether nothing is written, nor need be tried, before the system reports that the socket has
    /// room. What changes or cuts the traffic on purpose is tried at any time.
    pub fn awaits_room(&self) -> bool {
        let is_plain = self.faults.is_none() && self.deviant.is_none();
        is_plain && self.is_blocked() && !self.is_closing()
    }

    /// Whether its request for the upgrade is awaited.
    pub fn is_before_upgrade(&self) -> bool {
        self.input.is_request() && !self.is_closing()
    }

    /// Whether it may be closed to make room: its client has not sent CONNECT.
    pub fn is_before_connect(&self) -> bool {
        self.input.is_before_connect()
    }

    fn is_closing(&self) -> bool {
        self.sending.stage != EndStage::Open
    }

    /// Whether there is nothing left to do: the socket can be closed.
    pub fn is_over(&self) -> bool {
        match self.sending.stage {
            EndStage::Open => false,
            EndStage::Writing(_) => self.has_ended && self.sending.queue.is_empty(),
            EndStage::Written(_) => self.has_ended,
        }
    }

    /// When it is closed in any case, if it ends.
    pub fn closes_at(&self) -> Option<Instant> {
        match self.sending.stage {
            EndStage::Open => None,
            EndStage::Writing(until) | EndStage::Written(until) => Some(until),
        }
    }

    /// Reads once, at most so many bytes, and gives what arrived to the router.
    pub fn read(&mut self, service: &mut Service, bytes: usize, now: Instant) {
        if !self.wants_to_read(service.brokers.memory()) {
            return;
        }
        let mut buffer = std::mem::take(&mut service.buffer);
        let most = service.brokers.memory().read_bytes(self.sending.queue.answers());
        let most = most.min(bytes).min(buffer.len());
        let room = room(self.faults.as_deref(), PacketDirection::In, most);
        match self.socket.read(&mut buffer[..room]) {
            Ok(count @ 1..) => {
                // The system reports what comes after a read that took all there was.
                if self.socket.is_drained() && self.readiness == Readiness::Some {
                    self.readiness = Readiness::Empty;
                }
                if let Some(faults) = &mut self.faults {
                    faults.pass(PacketDirection::In, count, now);
                }
                service.brokers.heard(self.id, count);
                self.arrive(&buffer[..count], service, now);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readiness = Readiness::Empty;
            }
            Err(error) if socket::is_plain_request(&error) => {
                self.socket.make_plain();
                self.refuse_plain(service, now);
            }
            Ok(_) => self.lose(&ErrorKind::UnexpectedEof.into(), service, now),
            Err(error) => self.lose(&error, service, now),
        }
        service.buffer = buffer;
    }

    fn understand(&mut self, arrived: &[u8], service: &mut Service, now: Instant) {
        let Service { brokers, path, upgrades, log, refusals, .. } = service;
        let Self { id, address, input, sending, faults, begun_at, .. } = self;
        let is_open = sending.stage == EndStage::Open;
        let mut faults = faults.as_mut().filter(|_| is_open);
        let begun = input.begun();
        input.feed(arrived, path, upgrades, &mut |part| {
            // What is incomplete afterwards began after it.
            *begun_at = None;
            match &mut faults {
                // Faults are those of MQTT: Pings are answered at once.
                Some(faults) if !matches!(part, ClientInput::Answers(_)) => {
                    let tell =
                        |fault: FaultEvent<'_>| log.tell(&BrokerEvent::Fault(*address, fault));
                    faults.hold_input(part, now, tell);
                }
                _ => {
                    log_input(log, *address, &part);
                    if let Err(refusal) = sending.take_input(part, *id, brokers, now) {
                        tell_refusal(log, refusals, *address, &refusal, now);
                    }
                }
            }
        });
        if input.begun() > begun {
            brokers.part_arrived(*id, now);
        }
        if input.begun() > 0 {
            begun_at.get_or_insert(now);
        }
        self.take_held_input(service, now);
    }

    /// The client has ended its side, or the connection is broken.
    fn lose(&mut self, error: &io::Error, service: &mut Service, now: Instant) {
        self.has_ended = true;
        if self.socket.is_handshaking() && error.kind() == ErrorKind::InvalidData {
            tell_failed_handshake(service, self.address, error, now);
        } else if self.is_before_upgrade() {
            service.log.note(|| format!("{} did not ask for anything: {error}", self.address));
        }
        if let Some(faults) = &mut self.faults {
            faults.discard_packets();
            if faults.holds_input() {
                return;
            }
        }
        self.finish_loss(service, now);
    }

    /// All that the client has sent was taken.
    fn finish_loss(&mut self, service: &mut Service, now: Instant) {
        if self.input.is_websocket() {
            service.brokers.lost(self.id, now);
        }
        self.tell_end(&service.log);
        self.sending.end(None, now);
    }

    /// Tells of the end of an open WebSocket; nothing that still comes counts any more.
    pub fn tell_end(&mut self, log: &BrokerLog) {
        if self.input.is_websocket() {
            log.tell(&BrokerEvent::Closed(self.address));
            self.input.discard();
        }
    }

    /// Answers with a refusal, and ends the connection. A client that has not asked for anything is
    /// not worth a line: browsers open connections in advance.
    pub fn refuse(&mut self, refusal: &Refusal, service: &mut Service, now: Instant) {
        let Service { log, refusals, .. } = service;
        if !self.input.is_untouched() {
            tell_refusal(log, refusals, self.address, refusal, now);
        }
        self.refuse_untold(refusal, now);
    }

    /// The same, without a line in the log.
    pub fn refuse_untold(&mut self, refusal: &Refusal, now: Instant) {
        self.input.discard();
        self.sending.refuse(refusal, now);
    }

    /// Refuses a plain request where TLS is spoken.
    fn refuse_plain(&mut self, Service { log, refusals, .. }: &mut Service, now: Instant) {
        let refusal = handshake::not_tls();
        tell_refusal(log, refusals, self.address, &refusal, now);
        self.socket.make_plain();
        self.input.discard();
        self.sending.refuse(&refusal, now);
    }

    /// Adds items to what is written, which then weighs `unsent` bytes. The queue is left empty.
    pub fn post(
        &mut self,
        items: &mut VecDeque<OutgoingItem>,
        unsent: usize,
        log: &BrokerLog,
        now: Instant,
    ) {
        let Self { address, sending, faults, has_ended, .. } = self;
        if sending.stage != EndStage::Open {
            items.clear();
        } else if let Some(faults) = faults {
            if *has_ended {
                // What it has sent still arrives; nothing reaches it.
                return items.clear();
            }
            let tell = |fault: FaultEvent<'_>| log.tell(&BrokerEvent::Fault(*address, fault));
            faults.hold_packets(items, now, tell);
            let unsent = unsent.saturating_sub(faults.lost());
            sending.queue.post(&mut faults.arrived_packets(now), unsent);
        } else {
            sending.queue.post(items, unsent);
        }
    }

    /// Ends the connection after what was posted.
    pub fn end(&mut self, reason: EndReason, now: Instant) {
        self.input.ignore_packets();
        if let Some(faults) = &mut self.faults {
            if reason == EndReason::Stopped || self.has_ended {
                let unsent = self.sending.queue.unsent();
                self.sending.queue.post(&mut faults.all_packets(), unsent);
            } else if faults.defer_end(reason) {
                return;
            }
        }
        self.sending.end(close_code(reason), now);
    }

    /// Writes what waits, as far as the socket takes it.
    pub fn write(&mut self, service: &mut Service, now: Instant) {
        self.release_before_cut();
        let before = self.sending.room;
        let mut taken = 0;
        let Self { id, socket, sending, address, faults, deviant, .. } = self;
        let mut deviant = deviant.as_deref_mut();
        let SendingSide { queue, room: socket_room, .. } = sending;
        let Service { frames, log, brokers, .. } = service;
        let tell = |packet: &Packet| log.tell(&BrokerEvent::Sent(*address, packet));
        let written = queue.write(self.input.version(), frames, tell, |bytes| {
            let bytes = &bytes[..room(faults.as_deref(), PacketDirection::Out, bytes.len())];
            let count = match bytes {
                // The connection is about to be cut, or slow on purpose.
                [] => None,
                _ => deviant::put(socket, deviant.as_deref_mut(), bytes)?,
            };
            brokers.wrote(*id, count.unwrap_or(0));
            taken += count.unwrap_or(0);
            *socket_room = if count.is_some() { SocketRoom::Some } else { SocketRoom::None };
            if let Some(faults) = faults {
                faults.pass(PacketDirection::Out, count.unwrap_or(0), now);
            }
            Ok::<_, io::Error>(count.unwrap_or(0))
        });
        if written.and_then(|()| self.flush()).is_err() {
            self.give_up(now);
        }
        self.tell_room(before, taken, &mut service.brokers, now);
        // First of all: a connection that a deviation resets does not end before that.
        self.after_deviation(service, now);
        if self.sending.is_written() && !self.is_at_end_of_input() {
            self.end_side(now);
        }
        let weight = self.sending.queue.take_written();
        let weight = self.faults.as_mut().map_or(weight, |faults| faults.written(weight));
        if weight > 0 {
            service.brokers.written(self.id, weight, now);
        }
    }

    /// Tells the router whether a socket that had room has none any more, or takes bytes again.
    fn tell_room(&self, before: SocketRoom, taken: usize, brokers: &mut Brokers, now: Instant) {
        match before {
            SocketRoom::Some if self.is_blocked() => {
                if self.socket.is_read() {
                    brokers.has_read(self.id);
                }
                brokers.stopped(self.id, now);
            }
            SocketRoom::None if taken > 0 || !self.is_blocked() => brokers.went_on(self.id, now),
            SocketRoom::Some | SocketRoom::None => {}
        }
    }

    /// Nothing can be written any more.
    fn give_up(&mut self, now: Instant) {
        self.has_ended = true;
        self.sending.discard();
        match &mut self.faults {
            // What the client has sent arrives before its end.
            Some(faults) if faults.holds_input() => faults.discard_packets(),
            _ => self.sending.end(None, now),
        }
    }
}

/// Whether the system takes nothing now.
fn is_blocked(result: &io::Result<()>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Writes once; `None` if the socket takes nothing now.
fn write_once(socket: &mut impl Write, bytes: &[u8]) -> io::Result<Option<usize>> {
    loop {
        match socket.write(bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            result => return result.map(Some),
        }
    }
}
