//! The stream of bytes to the server: TCP, TLS with `wss`, and the poller that waits for both.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::command::check::finding::StreamEnd;
use crate::transport::dial::{Dialled, Reached};
use crate::transport::poll::{Poller, Ready, SocketEvent, Waker};
use crate::transport::stream::{Stream, TlsInfo};
use crate::transport::tls::{CertificateDer, TlsConfig};
use crate::transport::wire::{SharedSocket, Wire};
use crate::transport::{self};

/// The stream of one connection.
pub struct ServerStream {
    stream: Stream,
    socket: SharedSocket,
    poller: Poller,
    /// The other end.
    pub reached: Reached,
    /// Why TLS failed.
    pub tls_error: Option<transport::Error>,
}

impl ServerStream {
    /// A stream over what was dialled, with TLS to this host.
    pub fn new(
        mut dialled: Dialled,
        tls: Option<(&TlsConfig, &str)>,
        waker: &Arc<Waker>,
    ) -> Result<Self, transport::Error> {
        let mut poller = Poller::sharing(waker);
        poller.attach(&mut dialled);
        let Dialled { socket, reached, tunnel, .. } = dialled;
        let wire = Wire::new(socket.clone());
        let stream = match tls {
            Some((config, host)) => Stream::secure(wire, tunnel, config, host)?,
            None => Stream::plain(wire, tunnel),
        };
        Ok(Self { stream, socket, poller, reached, tls_error: None })
    }

    /// Goes on with TLS as far as the bytes allow; whether it is done.
    pub fn handshake(&mut self) -> Result<bool, transport::Error> {
        self.stream.handshake()
    }

    /// What TLS was negotiated.
    pub fn tls(&self) -> Option<TlsInfo> {
        self.stream.info()
    }

    /// The certificates that the server has sent, its own first.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        self.stream.certificates()
    }

    /// Whether TLS ended without `close_notify`.
    pub fn is_truncated(&self) -> bool {
        self.stream.is_truncated()
    }

    /// Waits for the socket until this time: how many bytes came, if it was ready at all. A signal
    /// ends the wait, too.
    pub fn wait(&mut self, until: Instant) -> Option<u64> {
        let is_congested = self.is_congested();
        let wire = self.stream.wire_mut();
        let mut count = 0;
        match self.poller.wait(Some(until), is_congested, || false) {
            Ready::Socket(SocketEvent::Bytes(chunk)) => {
                count = chunk.unread().len() as u64;
                wire.deliver(chunk);
            }
            Ready::Socket(SocketEvent::End(error)) => wire.end(error),
            Ready::Socket(SocketEvent::Writable) => wire.push(),
            Ready::Posted | Ready::Late => return None,
        }
        Some(count)
    }

    /// Reads bytes that have come: how many, or how the stream ended; `None` if there are no more.
    pub fn read(&mut self, buffer: &mut [u8]) -> Option<Result<usize, StreamEnd>> {
        match self.stream.read(buffer) {
            Ok(0) => Some(Err(StreamEnd::Fin)),
            Ok(count) => Some(Ok(count)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => None,
                io::ErrorKind::InvalidData => Some(Err(StreamEnd::BrokenTls)),
                _ => Some(Err(StreamEnd::Reset)),
            },
        }
    }

    /// Gives the poller back what was read.
    pub fn recycle(&mut self) {
        while let Some(chunk) = self.stream.wire_mut().take_spent() {
            self.poller.recycle(chunk);
        }
    }

    /// Writes bytes. A server that does not read is noticed by what it does not answer.
    pub fn write(&mut self, bytes: &[u8]) {
        // The wire keeps its errors: what the server said before explains more.
        let _ = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
    }

    /// Whether bytes wait because the server does not read.
    pub fn is_congested(&self) -> bool {
        self.stream.wire().is_congested()
    }

    /// Shuts down our half of the TCP stream.
    pub fn finish(&mut self) {
        self.stream.wire_mut().finish();
    }

    /// Cuts the connection by RST.
    pub fn reset(self) {
        // Where the system refuses, the server sees FIN instead.
        let _ = self.socket.set_linger(Some(Duration::ZERO));
    }

    /// Cuts the connection by FIN, whatever was begun.
    pub fn cut(self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
