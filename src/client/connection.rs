//! One connection: its transport, how far it came, and how long each step took.

use std::time::{Duration, Instant};

use super::error::Error;
use crate::mqtt::version::Version;
use crate::transport::dial::{Dialled, Reached};
use crate::transport::{self, HandshakeInfo, Phase, Transport};

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

/// What was reached.
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

/// A connection from the first byte of TLS or of the upgrade to its end.
#[derive(Debug)]
pub struct Connection {
    /// TLS, upgrade and frames.
    pub transport: Transport,
    reached: Reached,
    timings: Timings,
    phase: Phase,
    /// When the step began that is not finished.
    step_began: Instant,
    /// A write failed: nothing more is written.
    pub is_failing: bool,
    /// Close was sent, and `close_notify`.
    is_close_sent: bool,
    /// When something was sent the last time.
    pub sent: Option<Instant>,
    /// When something came the last time.
    pub received: Option<Instant>,
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
            is_failing: false,
            is_close_sent: false,
            sent: None,
            received: None,
        })
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
    pub fn takes_frames(&self) -> bool {
        self.phase == Phase::Open && !self.is_failing
    }

    /// What is being done.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// CONNACK came.
    pub fn accepted(&mut self) {
        self.timings.connack = self.step_began.elapsed();
    }

    /// What was reached, once CONNACK has come.
    pub fn established(&self, version: Version) -> Established {
        Established {
            address: self.reached.clone(),
            info: self.transport.info().clone(),
            version,
            timings: self.timings,
        }
    }

    /// When something was sent or received the last time.
    pub fn traffic(&self) -> Option<Instant> {
        self.sent.max(self.received)
    }

    /// DISCONNECT was written: Close and `close_notify` follow it; whether they are on their way.
    pub fn end(&mut self) -> bool {
        if !std::mem::replace(&mut self.is_close_sent, true) {
            self.transport.close();
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
    /// protocol, and an end of the connection is a refusal without a reason.
    pub fn before_connack(&self, error: Error) -> Error {
        match error {
            Error::Violation(violation) => {
                self.transport.first_text().map_or(Error::Violation(violation), Error::NotMqtt)
            }
            Error::Lost(error) if error.is_end() => Error::RefusedSilently(error),
            error => error,
        }
    }
}
