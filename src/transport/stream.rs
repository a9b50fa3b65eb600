//! A stream of plain bytes: the wire itself, or TLS over it. It must never know what the bytes mean.

use std::io::{self, Read, Write};

use bytes::Bytes;

use super::Phase;
use super::error::Error;
use super::tls::{self, Asked, Plain, TlsConfig, TlsError};
use super::wire::Wire;

/// How many of the first bytes are kept.
const FIRST: usize = 32;

/// What a TLS handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1_2` or `TLSv1_3`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
}

/// A [`Wire`], with TLS when there is a connection.
#[derive(Debug)]
pub struct Stream {
    wire: Wire,
    tls: Option<Box<tls::Connection>>,
    /// The first bytes that came during the handshake: they tell what speaks where TLS should.
    first: Vec<u8>,
    /// Read already, and given back: it is read again first.
    given_back: Bytes,
}

impl Stream {
    /// Bytes as they are.
    pub fn plain(wire: Wire) -> Self {
        Self { wire, tls: None, first: Vec::new(), given_back: Bytes::new() }
    }

    /// TLS to `host`; [`Stream::handshake`] begins it.
    pub fn secure(wire: Wire, config: &TlsConfig, host: &str) -> Result<Self, TlsError> {
        let tls = Some(Box::new(config.connection(host)?));
        Ok(Self { wire, tls, first: Vec::new(), given_back: Bytes::new() })
    }

    /// Gives back what was read too far: the next reads begin with it.
    pub fn give_back(&mut self, bytes: Vec<u8>) {
        self.given_back = bytes.into();
    }

    /// The wire below.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The wire below, to deliver to.
    pub fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// What TLS agreed on, once it has.
    pub fn facts(&self) -> Option<TlsFacts> {
        let tls = &self.tls.as_ref()?.session;
        let (version, cipher) = (tls.protocol_version()?, tls.negotiated_cipher_suite()?);
        Some(TlsFacts { version: format!("{version:?}"), cipher: format!("{:?}", cipher.suite()) })
    }

    /// Moves the handshake as far as the inbox allows; true when plain bytes may flow.
    pub fn handshake(&mut self) -> Result<bool, Error> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        loop {
            send_records(tls, &mut self.wire).map_err(|source| Error::from_stream(Phase::Tls, source))?;
            if !tls.session.is_handshaking() {
                return Ok(true);
            }
            let arrived = self.wire.peek();
            let wanted = FIRST.saturating_sub(self.first.len()).min(arrived.len());
            self.first.extend_from_slice(&arrived[..wanted]);
            match tls.session.read_tls(&mut self.wire) {
                Ok(0) => return Err(cut_short(&self.first).into()),
                Ok(_) => {}
                Err(error) => return waiting(error, &self.first).map(|()| false),
            }
            process(tls, &mut self.wire, &self.first)?;
        }
    }

    /// Whether the server asked for a client certificate and there was none to show.
    pub fn lacks_certificate(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.asked() == Asked::InVain)
    }

    /// Ends our direction: `close_notify`, then the end of the TCP stream.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.session.send_close_notify();
            send_records(tls, &mut self.wire)?;
        }
        self.wire.finish();
        Ok(())
    }
}

/// An end within the handshake.
fn cut_short(first: &[u8]) -> TlsError {
    Plain::recognise(first).map_or(TlsError::Closed, TlsError::NotTls)
}

/// A read of the handshake that brought nothing: nothing has arrived yet, or nothing will.
fn waiting(error: io::Error, first: &[u8]) -> Result<(), Error> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(()),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Err(cut_short(first).into()),
        _ => Err(Error::Io { phase: Phase::Tls, source: error }),
    }
}

/// Decrypts what was read; the alert that tells the server of an error leaves before the error is returned.
fn process(tls: &mut tls::Connection, wire: &mut Wire, first: &[u8]) -> Result<(), TlsError> {
    tls.session.process_new_packets().map(|_| ()).map_err(|error| {
        // The error itself is what matters.
        let _ = send_records(tls, wire);
        TlsError::explained(error, first, tls.asked())
    })
}

/// Writes all pending records, many in one call.
fn send_records(tls: &mut tls::Connection, wire: &mut Wire) -> io::Result<()> {
    while tls.session.wants_write() {
        tls.session.write_tls(wire)?;
    }
    Ok(())
}

impl Read for Stream {
    /// `WouldBlock` when the inbox holds no whole record. The end is 0 with or without `close_notify`: many
    /// servers leave it out, and the layers above have ends of their own.
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if !self.given_back.is_empty() {
            let count = self.given_back.len().min(target.len());
            target[..count].copy_from_slice(&self.given_back.split_to(count));
            return Ok(count);
        }
        let Some(tls) = &mut self.tls else { return self.wire.read(target) };
        loop {
            match tls.session.reader().read(target) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            tls.session.read_tls(&mut self.wire)?;
            process(tls, &mut self.wire, &self.first)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            // A key update wants an answer.
            send_records(tls, &mut self.wire)?;
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.wire.write(bytes) };
        let count = tls.session.writer().write(bytes)?;
        send_records(tls, &mut self.wire)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            send_records(tls, &mut self.wire)?;
        }
        self.wire.flush()
    }
}
