//! A stream of bytes over `ws://` or `wss://`. Its owner reads the socket and delivers the bytes.
//! Only `poll` and `dial` wait, and a write for a moment.

pub mod dial;
pub mod endpoint;
pub mod error;
pub mod file;
mod handshake;
mod host;
pub mod log;
mod memory;
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
use std::io;
use std::time::Instant;

use bytes::Bytes;

use endpoint::Scheme;
pub use error::Error;
use log::Log;
use open::Open;
pub use options::Options;
pub use stream::TlsHandshake;
use stream::{Stream, TlsInfo};
use wire::{Chunk, Outlet, Wire};

use crate::websocket::upgrade::{Echo, Offer, Response};
use crate::websocket::{Framing, WebSocketError};

/// How many characters of a text frame are shown.
const TEXT_SHOWN: usize = 60;

/// The phase of a connection, from the name look-up to the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Looking up the name.
    Name,
    /// Connecting.
    Tcp,
    /// Asking the proxy to connect to the server.
    Proxy,
    /// Negotiating TLS.
    Tls,
    /// Waiting for the response to the upgrade request.
    Upgrade,
    /// The WebSocket is open.
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

/// The result of TLS and of the upgrade. Secrets in heads are masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandshakeInfo {
    /// The result of the TLS handshake; `None` for `ws`.
    pub tls: Option<TlsInfo>,
    /// The subprotocol in the response.
    pub subprotocol: Option<String>,
    /// Deviations of the server that were accepted, one sentence each.
    pub warnings: Vec<String>,
    /// Why the file of TLS secrets does not have all of them, if it does not.
    pub key_log_failure: Option<String>,
    /// The head of the request, if a log is wanted; empty until it was sent.
    pub request: String,
    /// The head of the response, if a log is wanted; empty until it is complete.
    pub answer: String,
}

/// The whole stack over one socket: TLS, upgrade, frames.
///
/// After each delivery call [`advance`](Self::advance) until it returns [`Phase::Open`]. From then
/// on call [`read`](Self::read) until it returns `None`.
#[derive(Debug)]
pub struct Transport {
    stream: Stream,
    stage: HandshakeStage,
    offer: Offer,
    max_message: usize,
    framing: Framing,
    info: HandshakeInfo,
    /// Bytes that were written while the wire was congested.
    leftover: Bytes,
    log: Log,
}

fn start_stream(
    wire: Wire,
    tunnel: Option<Box<tls::TlsConnection>>,
    options: &Options,
) -> Result<Stream, Error> {
    match (&options.tls, options.endpoint.scheme) {
        (Some(config), Scheme::Wss) => {
            Ok(Stream::secure(wire, tunnel, config, &options.endpoint.host)?)
        }
        (_, Scheme::Ws) => Ok(Stream::plain(wire, tunnel)),
        (None, Scheme::Wss) => {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "TLS is not configured");
            Err(Error::Io { phase: Phase::Tls, source })
        }
    }
}

#[derive(Debug)]
enum HandshakeStage {
    /// TLS, or nothing for `ws`: the request is not sent yet.
    Security,
    Upgrade(Response),
    Open(Box<Open>),
}

impl Transport {
    /// Begins TLS, or sends the request at once for `ws`. The socket should have a short write
    /// time-out and `TCP_NODELAY`, as [`dial::Dialling`] sets them.
    ///
    /// With a `tunnel`, which is TLS to a proxy, all bytes go through it.
    pub fn start(
        socket: impl Outlet + 'static,
        tunnel: Option<Box<tls::TlsConnection>>,
        options: &Options,
    ) -> Result<Self, Error> {
        let wire = Wire::new(socket);
        let endpoint = &options.endpoint;
        let mut offer = Offer::new(
            &endpoint.target,
            &endpoint.host_header(),
            &options.subprotocols,
            &options.headers,
            options.strict,
        )?;
        options.secrets.iter().for_each(|secret| offer.echo.hide(secret));
        let stream = start_stream(wire, tunnel, options)?;
        let (max_message, framing) = (options.max_message, options.framing);
        let (info, log) = (HandshakeInfo::default(), Log::new(options.log));
        let (stage, leftover) = (HandshakeStage::Security, Bytes::new());
        let mut transport =
            Self { stream, stage, offer, max_message, framing, info, leftover, log };
        transport.advance()?;
        Ok(transport)
    }

    /// Delivers bytes that were read from the socket.
    pub fn deliver(&mut self, chunk: Chunk) {
        self.stream.wire_mut().deliver(chunk);
    }

    /// Delivers the end of the stream, with the error of the last read if there was one.
    pub fn end(&mut self, error: Option<io::Error>) {
        self.stream.wire_mut().end(error);
    }

    /// An emptied chunk, to be filled again.
    pub fn take_spent(&mut self) -> Option<Chunk> {
        self.stream.wire_mut().take_spent()
    }

    /// Hides our secrets in what the server says.
    pub fn echo(&self) -> &Echo {
        &self.offer.echo
    }

    /// How the TLS handshake went, once it is complete; `None` without TLS.
    pub fn tls_handshake(&self) -> Option<TlsHandshake> {
        self.stream.tls_handshake()
    }

    /// The results of the handshakes so far.
    pub fn info(&self) -> &HandshakeInfo {
        &self.info
    }

    /// The next line of the log, if one was asked for ([`Options::log`]).
    pub fn traced(&mut self) -> Option<String> {
        self.log.take().or_else(|| match &mut self.stage {
            HandshakeStage::Open(open) => open.traced(),
            _ => None,
        })
    }

    /// The beginning of the server's first message, if it is text.
    pub fn first_text(&self) -> Option<String> {
        match &self.stage {
            HandshakeStage::Open(open) => {
                open.first_text().map(|text| self.offer.echo.masked(&text))
            }
            _ => None,
        }
    }

    /// Whether the server began with a CONNECT: it sends back what it is sent.
    pub fn has_echoed_connect(&self) -> bool {
        matches!(&self.stage, HandshakeStage::Open(open) if open.has_echoed_connect())
    }

    /// Describes an incomplete response to the upgrade request.
    pub fn beginning(&self) -> Option<&'static str> {
        match &self.stage {
            HandshakeStage::Upgrade(answer) => answer.beginning(),
            _ => None,
        }
    }

    /// The next payload of an open WebSocket; `None` when all delivered bytes are read.
    ///
    /// A failed write does not stop reading. It is reported only after everything that the server
    /// sent, and then as [`Error::Io`], never as an end that could be taken for an orderly one.
    pub fn read(&mut self) -> Result<Option<Bytes>, Error> {
        let HandshakeStage::Open(open) = &mut self.stage else { return Ok(None) };
        let result = open.read(&mut self.stream);
        match result {
            Ok(None) => self.stalled(Phase::Open).map(|()| None),
            Err(Error::Ended { cause }) => Err(self.ended(cause)),
            Err(Error::WebSocket(WebSocketError::Closed { code, reason })) => {
                let reason = self.offer.echo.masked(&reason);
                Err(WebSocketError::Closed { code, reason }.into())
            }
            Err(Error::WebSocket(WebSocketError::TextFrame(said))) => {
                let said = self.offer.echo.masked(&said).chars().take(TEXT_SHOWN).collect();
                Err(WebSocketError::TextFrame(said).into())
            }
            other => other,
        }
    }

    /// The error of an end without Close. A failed write is more important than how the stream
    /// ended.
    fn ended(&self, cause: Option<io::Error>) -> Error {
        match self.stream.wire().write_error() {
            Some(error) => Error::Io { phase: Phase::Open, source: copied(error) },
            None => Error::Ended { cause },
        }
    }

    /// Buffers `bytes` as binary messages of at most 32 KiB (see `websocket`), or as one message
    /// with [`Framing::PerPiece`]. Full buffers are written. After an error continue to read
    /// until [`read`](Self::read) fails, too: its error may explain more.
    ///
    /// Do not write while the connection [is congested](Self::is_congested).
    pub fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        let HandshakeStage::Open(open) = &mut self.stage else { return Err(not_open()) };
        open.write(&mut self.stream, &mut bytes)?;
        self.leftover = bytes;
        self.written()
    }

    /// Whether bytes wait because the server does not read. [`push`](Self::push) writes them.
    pub fn is_congested(&self) -> bool {
        self.stream.wire().is_congested() || !self.leftover.is_empty()
    }

    /// How many bytes of the latest [`write`](Self::write) were not taken yet.
    pub fn unsent(&self) -> usize {
        self.leftover.len()
    }

    /// The time since which the server has taken none of the waiting bytes.
    pub fn stuck_since(&self) -> Option<Instant> {
        self.stream.wire().stuck_since()
    }

    /// Writes as many of the waiting bytes as the socket takes within [`wire::WRITE_TURN`].
    pub fn push(&mut self) -> Result<(), Error> {
        self.stream.wire_mut().push();
        if self.leftover.is_empty() {
            return self.written();
        }
        let leftover = std::mem::take(&mut self.leftover);
        self.write(leftover)
    }

    /// Discards the waiting bytes, because the server no longer reads. Its last words still count,
    /// see [`read`](Self::read).
    pub fn give_up(&mut self) {
        self.leftover = Bytes::new();
        self.stream.wire_mut().give_up();
    }

    /// The connection ends by a reset as soon as the reader of the socket has given it up.
    pub fn reset(&mut self) {
        self.stream.wire_mut().reset();
    }

    /// Sends a WebSocket Ping.
    pub fn ping(&mut self) -> Result<(), Error> {
        let HandshakeStage::Open(open) = &mut self.stage else { return Err(not_open()) };
        open.ping(&mut self.stream)?;
        self.flush()
    }

    /// Whether a WebSocket Pong was received since the last call that returned `true`.
    pub fn take_pong(&mut self) -> bool {
        match &mut self.stage {
            HandshakeStage::Open(open) => open.take_pong(),
            _ => false,
        }
    }

    /// Writes everything buffered. After an error continue to read until [`read`](Self::read)
    /// fails, too: its error may explain more.
    pub fn flush(&mut self) -> Result<(), Error> {
        let HandshakeStage::Open(open) = &mut self.stage else { return Err(not_open()) };
        open.flush(&mut self.stream)?;
        self.written()
    }

    fn written(&self) -> Result<(), Error> {
        match self.stream.wire().write_error() {
            Some(error) => Err(Error::Io { phase: Phase::Open, source: copied(error) }),
            None => Ok(()),
        }
    }

    /// Puts Close 1000 after the buffered bytes, into the same write, if that is safe. Nothing may
    /// be written after it; [`close`](Self::close) sends the rest.
    pub fn put_close(&mut self) {
        if let HandshakeStage::Open(open) = &mut self.stage
            && !self.stream.wire().is_congested()
        {
            open.put_close();
        }
    }

    /// Sends the buffered bytes, Close 1000 and `close_notify`, as far as that is still possible.
    /// The server's last bytes can still be read.
    pub fn close(&mut self) {
        if let HandshakeStage::Open(open) = &mut self.stage {
            // If the server has already closed, it does not read this.
            let _ = open.close(&mut self.stream);
        }
        let _ = self.stream.send_close_notify();
    }

    /// Shuts down the sending direction of the TCP stream.
    pub fn finish(&mut self) {
        self.stream.wire_mut().finish();
    }
}

fn not_open() -> Error {
    Error::Io { phase: Phase::Upgrade, source: io::ErrorKind::NotConnected.into() }
}

/// A copy of an `io::Error`, which is not `Clone`: its kind and its message.
fn copied(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

#[cfg(test)]
mod tests;
