//! A stream of bytes over `ws://` or `wss://`. Its owner reads the socket and delivers the bytes:
//! only `poll` and `dial` wait, and a write for a moment.

pub mod dial;
pub mod endpoint;
pub mod error;
pub mod log;
mod open;
mod options;
pub mod poll;
pub mod proxy;
pub mod redirect;
pub mod stream;
mod text;
pub mod tls;
pub mod wire;

use std::fmt;
use std::io::{self, Read, Write};
use std::time::Instant;

use bytes::Bytes;

use endpoint::Scheme;
pub use error::Error;
use log::Log;
use open::Open;
pub use options::Options;
use stream::{Stream, TlsInfo};
use tls::TlsError;
use wire::{Chunk, Outlet, Wire};

use crate::websocket::upgrade::{self, Offer, Response, UpgradeError};

/// What a connection is doing, from the name to the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Looking up the name.
    Name,
    /// Connecting.
    Tcp,
    /// Asking a proxy to connect us.
    Proxy,
    /// Negotiating TLS.
    Tls,
    /// Waiting for the answer to the upgrade.
    Upgrade,
    /// Frames flow.
    Open,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name look-up",
            Self::Tcp => "TCP connection",
            Self::Proxy => "connection through the proxy",
            Self::Tls => "TLS handshake",
            Self::Upgrade => "WebSocket upgrade",
            Self::Open => "WebSocket connection",
        })
    }
}

/// What TLS and the upgrade agreed on. Secrets in heads are masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandshakeInfo {
    /// What TLS agreed on; none for `ws`.
    pub tls: Option<TlsInfo>,
    /// The subprotocol as answered.
    pub subprotocol: Option<String>,
    /// What the server did wrong and we took, one sentence each.
    pub warnings: Vec<String>,
    /// The head of our request; empty until it was sent.
    pub request: String,
    /// The head of the answer; empty until it was complete.
    pub answer: String,
}

/// The whole stack over one socket: TLS, upgrade, frames.
///
/// After each delivery call [`advance`](Self::advance) until it says [`Phase::Open`], from then on
/// [`read`](Self::read) until it gives none.
#[derive(Debug)]
pub struct Transport {
    stream: Stream,
    stage: Stage,
    offer: Offer,
    max_message: usize,
    whole_pieces: bool,
    info: HandshakeInfo,
    /// What was to be written when the wire was congested.
    leftover: Bytes,
    log: Log,
}

#[derive(Debug)]
enum Stage {
    /// TLS, or nothing for `ws`: the request is not sent yet.
    Security,
    Upgrade(Response),
    Open(Box<Open>),
}

impl Transport {
    /// Begins TLS, or sends the request at once. The socket should have a short write time-out and
    /// `TCP_NODELAY`, as [`dial::Dialling`] sets them.
    ///
    /// Everything goes through the `tunnel`, if there is one: TLS to a proxy.
    pub fn start(
        socket: impl Outlet + 'static,
        tunnel: Option<Box<tls::TlsConnection>>,
        options: &Options,
    ) -> Result<Self, Error> {
        let wire = Wire::new(socket);
        let endpoint = &options.endpoint;
        let offer = Offer::new(
            &endpoint.target,
            &endpoint.host_header(),
            &options.subprotocols,
            &options.headers,
            options.strict,
        )?;
        let stream = match (&options.tls, endpoint.scheme) {
            (Some(config), Scheme::Wss) => Stream::secure(wire, tunnel, config, &endpoint.host)?,
            (_, Scheme::Ws) => Stream::plain(wire, tunnel),
            (None, Scheme::Wss) => {
                let source = io::Error::new(io::ErrorKind::InvalidInput, "TLS is not configured");
                return Err(Error::Io { phase: Phase::Tls, source });
            }
        };
        let (max_message, whole_pieces) = (options.max_message, options.whole_pieces);
        let (info, log) = (HandshakeInfo::default(), Log::new(options.log));
        let (stage, leftover) = (Stage::Security, Bytes::new());
        let mut transport =
            Self { stream, stage, offer, max_message, whole_pieces, info, leftover, log };
        transport.advance()?;
        Ok(transport)
    }

    /// Appends bytes that have come.
    pub fn deliver(&mut self, chunk: Chunk) {
        self.stream.wire_mut().deliver(chunk);
    }

    /// Marks the end of what comes: none for an orderly end.
    pub fn end(&mut self, error: Option<io::Error>) {
        self.stream.wire_mut().end(error);
    }

    /// An emptied chunk, to be filled again.
    pub fn take_spent(&mut self) -> Option<Chunk> {
        self.stream.wire_mut().take_spent()
    }

    /// What became known so far.
    pub fn info(&self) -> &HandshakeInfo {
        &self.info
    }

    /// A line of the log that was not taken yet, if one was asked for ([`Options::log`]).
    pub fn traced(&mut self) -> Option<String> {
        self.log.take().or_else(|| match &mut self.stage {
            Stage::Open(open) => open.traced(),
            _ => None,
        })
    }

    /// Moves through TLS and upgrade as far as the inbox allows, and says where it stands.
    pub fn advance(&mut self) -> Result<Phase, Error> {
        loop {
            let moved = match &self.stage {
                Stage::Security => self.advance_tls()?,
                Stage::Upgrade(_) => self.advance_upgrade()?,
                Stage::Open(_) => return Ok(Phase::Open),
            };
            if !moved {
                let phase = self.phase();
                return self.stalled(phase).map(|()| phase);
            }
        }
    }

    fn phase(&self) -> Phase {
        match self.stage {
            Stage::Security => Phase::Tls,
            Stage::Upgrade(_) => Phase::Upgrade,
            Stage::Open(_) => Phase::Open,
        }
    }

    fn advance_tls(&mut self) -> Result<bool, Error> {
        if !self.stream.handshake()? {
            return Ok(false);
        }
        self.info.tls = self.stream.info();
        if let Some(info) = &self.info.tls {
            self.log.tls(info);
        }
        self.info.request = upgrade::masked(&self.offer.request);
        self.log.head('>', &self.info.request);
        self.stage = Stage::Upgrade(Response::default());
        let request = self.offer.request.as_bytes();
        let sent = self.stream.write_all(request).and_then(|()| self.stream.flush());
        sent.map_err(|source| Error::from_stream(Phase::Upgrade, source))?;
        Ok(true)
    }

    fn advance_upgrade(&mut self) -> Result<bool, Error> {
        let Stage::Upgrade(answer) = &mut self.stage else { return Ok(false) };
        let mut buffer = [0; 4096];
        let accepted = match self.stream.read(&mut buffer) {
            Ok(0) => Err(answer.end()),
            Ok(count) => answer.feed(&buffer[..count], &self.offer),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    return answer
                        .drained()
                        .map(|()| false)
                        .map_err(|error| refused(error, &self.offer));
                }
                io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                    Err(answer.end())
                }
                _ => return Err(Error::from_stream(Phase::Upgrade, error)),
            },
        };
        let head = upgrade::masked(answer.head());
        if head != self.info.answer {
            self.log.head('<', &head);
            self.info.answer = head;
        }
        if matches!(accepted, Err(UpgradeError::Closed)) && self.stream.lacks_certificate() {
            return Err(TlsError::ClientCertificateMissed.into());
        }
        if let Some(accepted) = accepted.map_err(|error| refused(error, &self.offer))? {
            self.info.subprotocol = accepted.subprotocol;
            self.info.warnings = accepted.warnings;
            self.stream.give_back(accepted.leftover);
            self.stage = Stage::Open(Box::new(Open::new(
                self.max_message,
                self.whole_pieces,
                self.log.is_wanted(),
            )));
        }
        Ok(true)
    }

    /// The inbox is drained. A peer that reads nothing any more will not say anything either; one
    /// that is gone shows as the end of what comes, and what it said before that counts more than
    /// our failed write.
    fn stalled(&self, phase: Phase) -> Result<(), Error> {
        match self.stream.wire().write_error() {
            Some(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(Error::Io { phase, source: io::ErrorKind::TimedOut.into() })
            }
            _ => Ok(()),
        }
    }

    /// The beginning of the first message of the server, if it is text.
    pub fn first_text(&self) -> Option<String> {
        match &self.stage {
            Stage::Open(open) => open.first_text(),
            _ => None,
        }
    }

    /// What has arrived of an answer to the upgrade that is not whole.
    pub fn beginning(&self) -> Option<&'static str> {
        match &self.stage {
            Stage::Upgrade(answer) => answer.beginning(),
            _ => None,
        }
    }

    /// Time is up: what is known already and explains more than "timed out" (a refusal with half a
    /// body).
    pub fn expire(&mut self) -> Option<Error> {
        match &mut self.stage {
            Stage::Upgrade(answer) => {
                answer.expire().err().map(|error| refused(error, &self.offer))
            }
            _ => None,
        }
    }

    /// The next payload, once open; none when the inbox is drained.
    ///
    /// A write that failed does not stop reading: it is reported only when the server has said all
    /// it had to say, and then as [`Error::Io`], never as an end that could pass for an orderly
    /// one.
    pub fn read(&mut self) -> Result<Option<Bytes>, Error> {
        let Stage::Open(open) = &mut self.stage else { return Ok(None) };
        let result = open.read(&mut self.stream);
        match result {
            Ok(None) => self.stalled(Phase::Open).map(|()| None),
            Err(Error::Ended { cause }) => Err(self.ended(cause)),
            other => other,
        }
    }

    /// An end without Close: a failed write counts more than how the reading side ended.
    fn ended(&self, cause: Option<io::Error>) -> Error {
        match self.stream.wire().write_error() {
            Some(error) => Error::Io { phase: Phase::Open, source: copied(error) },
            None => Error::Ended { cause },
        }
    }

    /// Buffers `bytes` as binary messages of at most 32 KiB (see `websocket`), or as one
    /// ([`Options::whole_pieces`]); full buffers are written. After an error go on reading until
    /// [`read`](Self::read) fails too: it may tell more.
    ///
    /// Write nothing while the connection [is congested](Self::is_congested).
    pub fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        let Stage::Open(open) = &mut self.stage else { return Err(not_open()) };
        open.write(&mut self.stream, &mut bytes)?;
        self.leftover = bytes;
        self.written()
    }

    /// Whether something waits for a server that does not read. [`push`](Self::push) goes on with
    /// it.
    pub fn is_congested(&self) -> bool {
        self.stream.wire().is_congested() || !self.leftover.is_empty()
    }

    /// Since when the server has taken nothing of what waits.
    pub fn stuck_since(&self) -> Option<Instant> {
        self.stream.wire().stuck_since()
    }

    /// Writes of what waits as much as goes out within [`wire::WRITE_TURN`].
    pub fn push(&mut self) -> Result<(), Error> {
        self.stream.wire_mut().push();
        if self.leftover.is_empty() {
            return self.written();
        }
        let leftover = std::mem::take(&mut self.leftover);
        self.write(leftover)
    }

    /// Gives up what waits: the server does not read any more. What it says still counts more, see
    /// [`read`](Self::read).
    pub fn give_up(&mut self) {
        self.leftover = Bytes::new();
        self.stream.wire_mut().give_up();
    }

    /// Sends a WebSocket Ping.
    pub fn ping(&mut self) -> Result<(), Error> {
        let Stage::Open(open) = &mut self.stage else { return Err(not_open()) };
        open.ping(&mut self.stream)?;
        self.flush()
    }

    /// Whether a WebSocket Pong came, since the last call that said so.
    pub fn take_pong(&mut self) -> bool {
        match &mut self.stage {
            Stage::Open(open) => open.take_pong(),
            _ => false,
        }
    }

    /// Writes everything buffered. After an error go on reading until [`read`](Self::read) fails
    /// too: it may tell more.
    pub fn flush(&mut self) -> Result<(), Error> {
        let Stage::Open(open) = &mut self.stage else { return Err(not_open()) };
        open.flush(&mut self.stream)?;
        self.written()
    }

    fn written(&self) -> Result<(), Error> {
        match self.stream.wire().write_error() {
            Some(error) => Err(Error::Io { phase: Phase::Open, source: copied(error) }),
            None => Ok(()),
        }
    }

    /// Puts Close 1000 after what waits, into the same write, if that can be.
    /// Nothing may be written after it; [`close`](Self::close) says what is missing.
    pub fn put_close(&mut self) {
        if let Stage::Open(open) = &mut self.stage
            && !self.stream.wire().is_congested()
        {
            open.put_close();
        }
    }

    /// Sends, if it still can be sent, what is buffered, Close 1000 and `close_notify`. What the
    /// server still sends can be read.
    pub fn close(&mut self) {
        if let Stage::Open(open) = &mut self.stage {
            // The server may have closed already: then no one reads this.
            let _ = open.close(&mut self.stream);
        }
        let _ = self.stream.say_goodbye();
    }

    /// Ends our direction of the TCP stream.
    pub fn finish(&mut self) {
        self.stream.wire_mut().finish();
    }
}

/// A refusal is told with what was asked for.
fn refused(mut error: UpgradeError, offer: &Offer) -> Error {
    if let UpgradeError::Status(refusal) = &mut error {
        offer.target().clone_into(&mut refusal.target);
    }
    error.into()
}

fn not_open() -> Error {
    Error::Io { phase: Phase::Upgrade, source: io::ErrorKind::NotConnected.into() }
}

/// `io::Error` cannot be cloned; its kind and words can.
fn copied(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

#[cfg(test)]
mod tests;
