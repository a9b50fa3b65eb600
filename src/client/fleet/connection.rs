//! One connection of a fleet: a socket that does not block, TLS, the upgrade, frames, and the
//! session over them.

use std::io;
use std::time::{Duration, Instant};

use crate::mqtt::session::{Config, Event, Session};
use crate::transport::wire::{Chunk, SharedSocket};
use crate::transport::{self, Phase, Transport};

use super::cause::Cause;
use super::driver::{Driver, Happening, Made, Steps};
use super::stage::ConnectionStage;

/// How long a server is waited for that was sent DISCONNECT and Close.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How many chunks of one connection may wait in its transport: more are read only when the server
/// has taken what waits for it.
const MOST_CHUNKS: u8 = 2;

/// Whether a connection stands in a queue of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Queued {
    /// It does not.
    #[default]
    No,
    /// It does.
    Yes,
    /// It must not be read.
    Stalled,
}

/// What reading has left in the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// There may be more.
    Something,
}

/// The socket, and what lies above it once it is connected.
#[derive(Debug)]
struct OpenSocket {
    socket: SharedSocket,
    /// TLS, upgrade and frames.
    transport: Option<Box<Transport>>,
    /// How many chunks lie in the transport.
    chunks: u8,
    end: StreamEnd,
}

/// Whether the end of what the server sends has been announced: no event comes for it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamEnd {
    /// It has not.
    Open,
    /// It has: it is read after what came before it.
    Announced,
}

/// One connection.
#[derive(Debug)]
pub struct FleetConnection {
    session: Session,
    /// How far it is.
    pub stage: ConnectionStage,
    link: Option<OpenSocket>,
    /// When it was to begin.
    intended: Instant,
    /// When it has begun.
    began: Instant,
    step_began: Instant,
    steps: Steps,
    pings: Pings,
    /// The earliest entry in the heap of alarms.
    pub armed: Option<Instant>,
    /// Whether it waits to be read.
    pub reading: Queued,
    /// Whether it waits to be written.
    pub writing: Queued,
}

/// The requests that wait for an answer.
#[derive(Debug, Default)]
struct Pings {
    /// When the PINGREQ was sent that is not answered.
    asked: Option<Instant>,
    /// When the SUBSCRIBE was sent that is not answered.
    subscribed: Option<Instant>,
}

impl FleetConnection {
    /// A connection that has not begun.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            session: Session::new(config),
            stage: ConnectionStage::Idle,
            link: None,
            intended: now,
            began: now,
            step_began: now,
            steps: Steps::default(),
            pings: Pings::default(),
            armed: None,
            reading: Queued::No,
            writing: Queued::No,
        }
    }

    /// The session.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Begins with a socket that connects.
    pub fn begin(&mut self, socket: SharedSocket, intended: Instant, now: Instant) {
        self.link = Some(OpenSocket { socket, transport: None, chunks: 0, end: StreamEnd::Open });
        if self.reading == Queued::Stalled {
            self.reading = Queued::No;
        }
        self.stage = ConnectionStage::Tcp;
        (self.intended, self.began, self.step_began) = (intended, now, now);
        self.steps = Steps::default();
        self.pings = Pings::default();
    }

    /// The socket, if there is one.
    pub fn socket(&self) -> Option<&SharedSocket> {
        self.link.as_ref().map(|link| &link.socket)
    }

    /// Whether the transport has bytes that the server has not taken.
    pub fn is_congested(&self) -> bool {
        self.transport().is_some_and(Transport::is_congested)
    }

    fn transport(&self) -> Option<&Transport> {
        self.link.as_ref()?.transport.as_deref()
    }

    /// When something is due if nothing happens; `timeout` is for each connection and SUBACK.
    pub fn deadline(&self, timeout: Duration) -> Option<Instant> {
        match self.stage {
            ConnectionStage::Idle => None,
            ConnectionStage::Tcp
            | ConnectionStage::Tls
            | ConnectionStage::Upgrade
            | ConnectionStage::Connack => Some(self.began + timeout),
            ConnectionStage::Online => {
                let suback = self.pings.subscribed.map(|since| since + timeout);
                [self.session.deadline(), suback].into_iter().flatten().min()
            }
            ConnectionStage::Closing => Some(self.step_began + LAST_WORDS),
        }
    }

    /// The time of an alarm is up: what there is to report.
    pub fn expire(&mut self, timeout: Duration, now: Instant) -> Result<(), Cause> {
        if self.deadline(timeout).is_none_or(|at| at > now) {
            return Ok(());
        }
        match self.stage {
            ConnectionStage::Idle => Ok(()),
            ConnectionStage::Online
                if self.pings.subscribed.is_some_and(|since| since + timeout <= now) =>
            {
                Err(Cause::Timeout(ConnectionStage::Online))
            }
            ConnectionStage::Online => {
                self.session.expire(now).map_err(|_| Cause::Silent)?;
                if self.session.awaits_pong() {
                    self.pings.asked.get_or_insert(now);
                }
                Ok(())
            }
            stage => Err(Cause::Timeout(stage)),
        }
    }

    /// Notes that a SUBSCRIBE is sent.
    pub fn note_subscribe(&mut self, now: Instant) {
        self.pings.subscribed.get_or_insert(now);
    }

    /// The socket is connected, or failed: begins TLS or the upgrade.
    pub fn connected(&mut self, options: &transport::Options, now: Instant) -> Result<(), Cause> {
        let Some(link) = &mut self.link else { return Ok(()) };
        match link.socket.take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return Err(Cause::of_socket(&error)),
        }
        match link.socket.peer_addr() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(()),
            Err(error) => return Err(Cause::of_socket(&error)),
        }
        self.steps.tcp = Some(now - self.step_began);
        self.step_began = now;
        self.stage =
            if options.tls.is_some() { ConnectionStage::Tls } else { ConnectionStage::Upgrade };
        let stage = self.stage;
        let transport = Transport::start(link.socket.clone(), None, options)
            .map_err(|error| Cause::of_transport(&error, stage))?;
        link.transport = Some(Box::new(transport));
        Ok(())
    }

    /// Reads from the socket, at most `most` bytes, and understands what came.
    pub fn read(
        &mut self,
        id: usize,
        spare: &mut Vec<Chunk>,
        most: usize,
        driver: &mut impl Driver,
    ) -> Result<Left, Cause> {
        let mut count = 0;
        while count < most {
            let Some((got, capacity)) = self.read_once(spare) else { return Ok(Left::Nothing) };
            // Not before: the read takes time, too.
            let understood = self.understand(id, driver, Instant::now());
            self.take_spent(spare);
            understood?;
            if got == 0 || (got < capacity && !self.is_end_announced()) {
                // The socket is empty: what comes next is an event of its own.
                return Ok(Left::Nothing);
            }
            count += got;
        }
        Ok(Left::Something)
    }

    /// Notes that the server sends nothing after what it has sent.
    pub fn note_end(&mut self) {
        if let Some(link) = &mut self.link {
            link.end = StreamEnd::Announced;
        }
    }

    fn is_end_announced(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.end == StreamEnd::Announced)
    }

    /// Reads once: how many bytes came, 0 at the end, and how many could have come. `None` if
    /// nothing has come, or nothing may be read now.
    fn read_once(&mut self, spare: &mut Vec<Chunk>) -> Option<(usize, usize)> {
        let OpenSocket { socket, transport: Some(transport), chunks, .. } = self.link.as_mut()?
        else {
            return None;
        };
        if *chunks >= MOST_CHUNKS {
            // It goes on when the server has taken what waits for it.
            return None;
        }
        let mut chunk = spare.pop().unwrap_or_else(|| Chunk::with_capacity(super::CHUNK));
        let capacity = chunk.capacity();
        match chunk.fill_from(socket) {
            Ok(0) => transport.end(None),
            Ok(got) => {
                transport.deliver(chunk);
                *chunks += 1;
                return Some((got, capacity));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                spare.push(chunk);
                return None;
            }
            Err(error) => transport.end(Some(error)),
        }
        Some((0, capacity))
    }

    fn take_spent(&mut self, spare: &mut Vec<Chunk>) {
        if let Some(OpenSocket { transport: Some(transport), chunks, .. }) = &mut self.link {
            while let Some(chunk) = transport.take_spent() {
                *chunks = chunks.saturating_sub(1);
                spare.push(chunk);
            }
        }
    }

    /// Understands what was read.
    pub fn understand(
        &mut self,
        id: usize,
        driver: &mut impl Driver,
        now: Instant,
    ) -> Result<(), Cause> {
        let stage = self.stage;
        let failed = |error: transport::Error| Cause::of_transport(&error, stage);
        if matches!(self.stage, ConnectionStage::Tls | ConnectionStage::Upgrade) {
            self.advance(now)?;
        }
        loop {
            let Some(OpenSocket { transport: Some(transport), .. }) = &mut self.link else {
                return Ok(());
            };
            match transport.read().map_err(failed)? {
                Some(bytes) => self.session.receive(bytes, now),
                None => return Ok(()),
            }
            self.take_packets(id, driver, now)?;
        }
    }

    /// Goes on with TLS and the upgrade; sends CONNECT after them.
    fn advance(&mut self, now: Instant) -> Result<(), Cause> {
        let stage = self.stage;
        let Some(OpenSocket { transport: Some(transport), .. }) = &mut self.link else {
            return Ok(());
        };
        let phase = transport.advance().map_err(|error| Cause::of_transport(&error, stage))?;
        if self.stage == ConnectionStage::Tls && phase != Phase::Tls {
            self.steps.tls = Some(now - self.step_began);
            self.steps.handshake = transport.tls_handshake();
            (self.stage, self.step_began) = (ConnectionStage::Upgrade, now);
        }
        if phase == Phase::Open {
            self.steps.upgrade = Some(now - self.step_began);
            (self.stage, self.step_began) = (ConnectionStage::Connack, now);
            self.session.connect();
        }
        Ok(())
    }

    /// Takes the packets that have arrived out of the session.
    fn take_packets(
        &mut self,
        id: usize,
        driver: &mut impl Driver,
        now: Instant,
    ) -> Result<(), Cause> {
        let mut done = None;
        loop {
            let run = self.session.for_each_publish(|message| {
                driver.message(id, message.head(), message.payload(), now);
                done = Some(message.number());
                std::ops::ControlFlow::Continue(())
            });
            // The driver never breaks it off.
            let _ = run.map_err(|_| Cause::Protocol)?;
            match self.session.poll(now).map_err(|_| Cause::Protocol)? {
                None => break,
                Some(Event::Message(delivery)) => {
                    driver.message(id, &delivery.publish, &delivery.publish.payload, now);
                    done = Some(delivery.number);
                }
                Some(event) => self.report(id, event, driver, now)?,
            }
        }
        if let Some(number) = done {
            self.session.acknowledge_up_to(number);
        }
        if let Some(asked) = self.pings.asked
            && !self.session.awaits_pong()
        {
            self.pings.asked = None;
            driver.happened(id, Happening::Pong { took: now - asked }, now);
        }
        Ok(())
    }

    fn report(
        &mut self,
        id: usize,
        event: Event,
        driver: &mut impl Driver,
        now: Instant,
    ) -> Result<(), Cause> {
        let happening = match event {
            Event::Connected(connack) => {
                self.steps.connack = Some(now - self.step_began);
                self.stage = ConnectionStage::Online;
                Happening::Made(Made { took: now - self.intended, steps: self.steps, connack })
            }
            Event::Refused(connack) => return Err(Cause::Connack(connack.code)),
            Event::Disconnected(disconnect) => return Err(Cause::Disconnect(disconnect.code)),
            Event::Subscribed(suback) => {
                let took = self.pings.subscribed.map(|since| now - since).unwrap_or_default();
                if !self.session.has_pending_subscribe() {
                    self.pings.subscribed = None;
                }
                Happening::Subscribed { codes: suback.codes, took }
            }
            Event::Acknowledged { token, code, .. } => Happening::Acknowledged { token, code },
            Event::InDoubt { token } => Happening::InDoubt { token },
            Event::NotSubscribed { .. } => return Err(Cause::Protocol),
            Event::Message(_)
            | Event::MessageBegins { .. }
            | Event::Piece(_)
            | Event::MessageEnds
            | Event::MessageCut
            | Event::AllReleased
            | Event::Pong
            | Event::SomeAcknowledged
            | Event::Answered { .. }
            | Event::Unsubscribed(_) => return Ok(()),
        };
        driver.happened(id, happening, now);
        Ok(())
    }

    /// Writes what waits, as far as the socket takes it. A failed write shows when the socket is
    /// read.
    pub fn write(&mut self, now: Instant) {
        let Some(OpenSocket { transport: Some(transport), .. }) = &mut self.link else { return };
        if transport.is_congested() {
            let _ = transport.push();
        }
        while !transport.is_congested() {
            let Some(bytes) = self.session.outgoing(now) else { break };
            let _ = transport.write(bytes);
        }
        if !matches!(
            self.stage,
            ConnectionStage::Tcp | ConnectionStage::Tls | ConnectionStage::Upgrade
        ) {
            let _ = transport.flush();
        }
    }

    /// Gives back the buffers in which nothing waits.
    pub fn release_memory(&mut self) {
        if let Some(OpenSocket { transport: Some(transport), .. }) = &mut self.link {
            transport.release_memory();
        }
        self.session.release_memory();
    }

    /// Sends DISCONNECT and Close, if the server has accepted the connection; otherwise it is just
    /// ended. Returns whether the end of the server is awaited.
    pub fn close(&mut self, now: Instant) -> bool {
        if self.stage != ConnectionStage::Online {
            self.drop_link();
            return false;
        }
        self.session.disconnect(crate::mqtt::reason::ReasonCode::SUCCESS);
        (self.stage, self.step_began) = (ConnectionStage::Closing, now);
        self.write(now);
        if let Some(OpenSocket { transport: Some(transport), .. }) = &mut self.link {
            transport.close();
        }
        true
    }

    /// The connection is gone.
    pub fn drop_link(&mut self) {
        self.link = None;
        self.stage = ConnectionStage::Idle;
        self.session.lost();
    }
}
