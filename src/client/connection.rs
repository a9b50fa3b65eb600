//! One connection: what is read from it and written to it, how far it came, and how long each step
//! took.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::error::Error;
use crate::mqtt::session::Session;
use crate::mqtt::version::Version;
use crate::transport::dial::{Dialled, Reached};
use crate::transport::wire::Chunk;
use crate::transport::{self, HandshakeInfo, Phase, Transport};
use crate::websocket::upgrade::Echo;

/// A server that reads nothing for this long counts as lost, whatever the keep alive.
const LONGEST_STUCK: Duration = Duration::from_secs(20);

/// How long each step of the connection took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Name look-up; zero for a literal address.
    pub name: Duration,
    /// TCP connection.
    pub tcp: Duration,
    /// The proxy; `None` without one.
    pub proxy: Option<Duration>,
    /// TLS handshake; `None` for `ws://`.
    pub tls: Option<Duration>,
    /// WebSocket upgrade.
    pub upgrade: Duration,
    /// From CONNECT to CONNACK.
    pub connack: Duration,
}

/// A connection that the broker has accepted.
#[derive(Debug, Clone)]
pub struct Established {
    /// The address that answered.
    pub address: Reached,
    /// What TLS and the upgrade agreed on.
    pub info: HandshakeInfo,
    /// The version that the broker took.
    pub version: Version,
    /// How long each step took.
    pub timings: Timings,
}

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// Frames, once the upgrade is done.
    Open,
    /// What waits: Close was sent, and `close_notify`.
    Closed,
    /// Nothing: a write failed.
    Failed,
}

/// A connection from the first byte of TLS or of the upgrade to its end.
#[derive(Debug)]
pub struct Connection {
    /// TLS, upgrade and frames.
    transport: Transport,
    reached: Reached,
    timings: Timings,
    phase: Phase,
    /// When the step began that is not finished.
    step_began: Instant,
    writing: Writing,
    /// When something was sent the last time.
    sent: Option<Instant>,
    /// When bytes came the last time.
    received: Option<Instant>,
}

impl Connection {
    /// Begins TLS or the upgrade over a connection that was dialled.
    pub fn start(
        dialled: Dialled,
        options: &transport::Options,
        now: Instant,
    ) -> Result<Self, transport::Error> {
        let Dialled { socket, reached, lookup, connect, proxy, tunnel, .. } = dialled;
        Ok(Self {
            transport: Transport::start(socket, tunnel, options)?,
            reached,
            timings: Timings { name: lookup, tcp: connect, proxy, ..Timings::default() },
            phase: Phase::Tcp,
            step_began: now,
            writing: Writing::Open,
            sent: None,
            received: None,
        })
    }

    /// Takes bytes that have come.
    pub fn receive(&mut self, chunk: Chunk, now: Instant) {
        self.transport.deliver(chunk);
        self.received = Some(now);
    }

    /// Nothing more will come; an error that ended the reading.
    pub fn receive_end(&mut self, error: Option<io::Error>) {
        self.transport.end(error);
    }

    /// A chunk whose bytes were taken, to be filled again.
    pub fn take_spent(&mut self) -> Option<Chunk> {
        self.transport.take_spent()
    }

    /// The next bytes for the session, as far as they have arrived.
    #[inline]
    pub fn read(&mut self) -> Result<Option<Bytes>, transport::Error> {
        self.transport.read()
    }

    /// Whether a WebSocket Pong came since the last call.
    #[inline]
    pub fn take_pong(&mut self) -> bool {
        self.transport.take_pong()
    }

    /// Hides our secrets in what the server says.
    pub fn echo(&self) -> &Echo {
        self.transport.echo()
    }

    /// The next line for the log.
    pub fn traced(&mut self) -> Option<String> {
        self.transport.traced()
    }

    /// Moves TLS and the upgrade on as far as what has arrived allows; whether frames may flow.
    pub fn advance(&mut self) -> Result<bool, transport::Error> {
        let reached = self.transport.advance()?;
        if self.phase == Phase::Tls && reached != Phase::Tls {
            self.timings.tls = Some(self.step_began.elapsed());
            self.step_began = Instant::now();
        }
        self.phase = reached;
        if reached == Phase::Open {
            self.timings.upgrade = self.step_began.elapsed();
            self.step_began = Instant::now();
        }
        Ok(reached == Phase::Open)
    }

    /// Whether anything may be written: frames flow, and no write has failed.
    fn takes_frames(&self) -> bool {
        self.phase == Phase::Open && self.writing != Writing::Failed
    }

    /// Writes what the session wants sent, as long as the server reads. What does not fill a write
    /// waits for [`Connection::flush`].
    ///
    /// After an error nothing more is written; that holds for each method that writes.
    pub fn write_from(
        &mut self,
        session: &mut Session,
        now: Instant,
    ) -> Result<(), transport::Error> {
        if !self.takes_frames() {
            return Ok(());
        }
        let mut result = Ok(());
        while !self.transport.is_congested()
            && result.is_ok()
            && let Some(piece) = session.outgoing(now)
        {
            self.sent = Some(now);
            result = self.transport.write(piece);
        }
        self.written(result)
    }

    /// Writes everything, as far as the server reads it.
    pub fn flush(&mut self) -> Result<(), transport::Error> {
        if !self.takes_frames() {
            return Ok(());
        }
        let result = self.transport.flush();
        self.written(result)
    }

    /// Goes on with what waits for a server that did not read; whether it has read some of it.
    pub fn push(&mut self) -> (bool, Result<(), transport::Error>) {
        let before = self.transport.stuck_since();
        let result = self.transport.push();
        let is_moving = before != self.transport.stuck_since();
        (is_moving, self.written(result))
    }

    /// Sends a WebSocket Ping.
    pub fn ping(&mut self) -> Result<(), transport::Error> {
        if !self.takes_frames() {
            return Ok(());
        }
        let result = self.transport.ping();
        self.written(result)
    }

    /// Gives up what waits to be written: the server does not read.
    pub fn give_up_writing(&mut self) -> transport::Error {
        self.transport.give_up();
        self.writing = Writing::Failed;
        transport::Error::Io { phase: Phase::Open, source: io::ErrorKind::TimedOut.into() }
    }

    fn written(&mut self, result: Result<(), transport::Error>) -> Result<(), transport::Error> {
        if result.is_err() {
            self.writing = Writing::Failed;
        }
        result
    }

    /// Whether something waits for a server that does not read.
    #[inline]
    pub fn is_congested(&self) -> bool {
        self.transport.is_congested()
    }

    /// How many bytes of the latest piece wait for the server to read, in bytes.
    pub fn unsent(&self) -> usize {
        self.transport.unsent()
    }

    /// When a server that reads nothing counts as lost: when it should have ended the connection
    /// for our silence `[MQTT-3.1.2-22]`.
    pub fn stuck_until(&self, keep_alive: Option<Duration>) -> Option<Instant> {
        let since = self.transport.stuck_since()?;
        let silence = keep_alive.map_or(LONGEST_STUCK, |interval| interval * 3 / 2);
        Some(since + silence.min(LONGEST_STUCK))
    }

    /// What is being done.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// CONNACK came.
    pub fn accepted(&mut self) {
        self.timings.connack = self.step_began.elapsed();
    }

    /// What the server did wrong in the upgrade and we tolerate, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.transport.info().warnings
    }

    /// Why the file of TLS secrets does not have all of them, if it does not.
    pub fn key_log_failure(&self) -> Option<&str> {
        self.transport.info().key_log_failure.as_deref()
    }

    /// How the connection was made, once CONNACK has come.
    pub fn established(&self, version: Version) -> Established {
        Established {
            address: self.reached.clone(),
            info: self.transport.info().clone(),
            version,
            timings: self.timings,
        }
    }

    /// When bytes came the last time.
    pub fn received(&self) -> Option<Instant> {
        self.received
    }

    /// When something was sent the last time.
    pub fn sent(&self) -> Option<Instant> {
        self.sent
    }

    /// When something was sent or received the last time.
    pub fn traffic(&self) -> Option<Instant> {
        self.sent.max(self.received)
    }

    /// Puts Close after DISCONNECT, into the same write where little waits.
    pub fn put_close(&mut self) {
        self.transport.put_close();
    }

    /// Ends by a reset, without DISCONNECT and Close.
    pub fn reset(mut self) {
        self.transport.reset();
    }

    /// DISCONNECT was written: Close and `close_notify` follow it; whether all that is sent, as far
    /// as it can be.
    pub fn close(&mut self) -> bool {
        if self.writing == Writing::Open {
            self.transport.close();
            self.writing = Writing::Closed;
        }
        if self.transport.is_congested() {
            return false;
        }
        self.transport.finish();
        true
    }

    /// Half an answer explains more than that the time was up, and what was tolerated in the
    /// upgrade may be why there is no CONNACK.
    pub fn explain(&mut self, error: Error) -> Error {
        let Error::ConnectTimedOut { step, after, .. } = error else { return error };
        if let Some(explanation) = self.transport.expire() {
            return Error::Transport(explanation);
        }
        let warnings = self.transport.info().warnings.join("; ");
        let warnings = Some(warnings).filter(|warnings| !warnings.is_empty());
        let beginning = self.transport.beginning().map(str::to_owned);
        Error::ConnectTimedOut { step, after, tried: beginning.or(warnings) }
    }

    /// What an error means that comes before CONNACK: text is no MQTT broker that broke the
    /// protocol, nor is what we have sent ourselves, and an end of the connection is a refusal
    /// without a reason.
    pub fn before_connack(&self, error: Error) -> Error {
        match error {
            Error::Violation(_) | Error::Lost(transport::Error::WebSocket(_))
                if self.transport.has_echoed_connect() =>
            {
                Error::Echo
            }
            Error::Violation(violation) => {
                self.transport.first_text().map_or(Error::Violation(violation), Error::NotMqtt)
            }
            Error::Lost(error) if error.is_end() => Error::RefusedSilently(error),
            error => error,
        }
    }
}

#[cfg(test)]
mod tests;
