//! A stream of plain bytes: the wire itself, or TLS over it. It must never know what the bytes mean.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use rustls::{ClientConfig, ClientConnection};

use super::Phase;
use super::error::Error;
use super::tls::{self, TlsError};
use super::wire::Wire;

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
    tls: Option<Box<ClientConnection>>,
    /// Read already, and given back: it is read again first.
    given_back: Bytes,
}

impl Stream {
    /// Bytes as they are.
    pub fn plain(wire: Wire) -> Self {
        Self { wire, tls: None, given_back: Bytes::new() }
    }

    /// TLS to `host`; [`Stream::handshake`] begins it.
    pub fn secure(wire: Wire, config: &Arc<ClientConfig>, host: &str) -> Result<Self, TlsError> {
        Ok(Self { wire, tls: Some(Box::new(tls::connection(config, host)?)), given_back: Bytes::new() })
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
        let tls = self.tls.as_ref()?;
        let (version, cipher) = (tls.protocol_version()?, tls.negotiated_cipher_suite()?);
        Some(TlsFacts { version: format!("{version:?}"), cipher: format!("{:?}", cipher.suite()) })
    }

    /// Moves the handshake as far as the inbox allows; true when plain bytes may flow.
    pub fn handshake(&mut self) -> Result<bool, Error> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        loop {
            send_records(tls, &mut self.wire).map_err(|source| Error::from_stream(Phase::Tls, source))?;
            if !tls.is_handshaking() {
                return Ok(true);
            }
            let http = self.wire.peek().starts_with(b"HTTP/");
            match tls.read_tls(&mut self.wire) {
                Ok(0) => return Err(TlsError::Closed.into()),
                Ok(_) => {}
                Err(error) => return waiting(error).map(|()| false),
            }
            if let Err(error) = process(tls, &mut self.wire) {
                return Err(if http { TlsError::NotTls { http } } else { error.into() }.into());
            }
        }
    }

    /// Ends our direction: `close_notify`, then the end of the TCP stream.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            send_records(tls, &mut self.wire)?;
        }
        self.wire.finish();
        Ok(())
    }
}

/// A read of the handshake that brought nothing: nothing has arrived yet, or nothing will.
fn waiting(error: io::Error) -> Result<(), Error> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(()),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Err(TlsError::Closed.into()),
        _ => Err(Error::Io { phase: Phase::Tls, source: error }),
    }
}

/// Decrypts what was read; the alert that tells the server of an error leaves before the error is returned.
fn process(tls: &mut ClientConnection, wire: &mut Wire) -> Result<(), rustls::Error> {
    let result = tls.process_new_packets();
    if result.is_err() {
        // The error itself is what matters.
        let _ = send_records(tls, wire);
    }
    result.map(|_| ())
}

/// Writes all pending records, many in one call.
fn send_records(tls: &mut ClientConnection, wire: &mut Wire) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(wire)?;
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
            match tls.reader().read(target) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            tls.read_tls(&mut self.wire)?;
            process(tls, &mut self.wire)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            // A key update wants an answer.
            send_records(tls, &mut self.wire)?;
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.wire.write(bytes) };
        let count = tls.writer().write(bytes)?;
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
