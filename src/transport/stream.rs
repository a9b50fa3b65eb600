//! A stream of plain bytes: the wire itself, TLS over it, or TLS inside the TLS of a proxy.

use std::io::{self, BufRead, IoSlice, Read, Write};

use bytes::{Buf, Bytes};
use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, HandshakeKind, ProtocolVersion};

use super::Phase;
use super::error::Error;
use super::tls::{self, CertificateInfo, CertificateRequest, OtherProtocol, TlsConfig, TlsError};
use super::wire::Wire;

/// How many of the first bytes are remembered.
const FIRST: usize = 32;

/// How a TLS handshake went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsHandshake {
    /// With certificates.
    Full,
    /// By the ticket of an earlier one.
    Resumed,
}

/// The result of a TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// The cipher suite, by its registered name.
    pub cipher: String,
    /// The application protocol that the server selected (RFC 7301).
    pub alpn: Option<String>,
    /// The server's certificate, if it can be read.
    pub certificate: Option<CertificateInfo>,
}

/// Bytes over a [`Wire`]: plain, in TLS, or in TLS inside TLS to a proxy.
#[derive(Debug)]
pub struct Stream {
    top: Layer<Layer<Wire>>,
    /// The first bytes of the handshake. They show which protocol a server speaks that does not
    /// speak TLS.
    first: Vec<u8>,
    /// Bytes that were read and given back. They are read again first.
    given_back: Bytes,
}

/// TLS over the layer `below`, or nothing if there is no TLS connection.
#[derive(Debug)]
struct Layer<B> {
    below: B,
    tls: Option<Box<tls::TlsConnection>>,
    /// The error after which nothing can be decrypted. It is reported after the bytes before it.
    broken: Option<TlsError>,
    /// The stream has ended without `close_notify`.
    is_truncated: bool,
}

impl Stream {
    /// A stream of plain bytes, through the `tunnel` if there is one.
    pub fn plain(wire: Wire, tunnel: Option<Box<tls::TlsConnection>>) -> Self {
        let below = Layer { below: wire, tls: tunnel, broken: None, is_truncated: false };
        let top = Layer { below, tls: None, broken: None, is_truncated: false };
        Self { top, first: Vec::new(), given_back: Bytes::new() }
    }

    /// A stream of TLS to `host`, through the `tunnel` if there is one; [`Stream::handshake`]
    /// begins it.
    pub fn secure(
        wire: Wire,
        tunnel: Option<Box<tls::TlsConnection>>,
        config: &TlsConfig,
        host: &str,
    ) -> Result<Self, TlsError> {
        let mut stream = Self::plain(wire, tunnel);
        stream.top.tls = Some(Box::new(config.connection(host)?));
        Ok(stream)
    }

    /// Gives back bytes that were read too far. The next reads begin with them.
    pub fn give_back(&mut self, bytes: Vec<u8>) {
        self.given_back = bytes.into();
    }

    /// The wire at the bottom.
    pub fn wire(&self) -> &Wire {
        &self.top.below.below
    }

    /// The wire at the bottom, to deliver bytes to.
    pub fn wire_mut(&mut self) -> &mut Wire {
        &mut self.top.below.below
    }

    /// The result of the TLS handshake with the server, once it is complete.
    pub fn info(&self) -> Option<TlsInfo> {
        let tls = &self.top.tls.as_ref()?.session;
        let (version, cipher) = (tls.protocol_version()?, tls.negotiated_cipher_suite()?);
        let certificate = tls.peer_certificates().and_then(<[_]>::first);
        Some(TlsInfo {
            version: version_name(version),
            cipher: cipher_name(cipher.suite()),
            alpn: tls.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
            certificate: certificate.and_then(|certificate| CertificateInfo::read(certificate)),
        })
    }

    /// How the TLS handshake went, once it is complete; `None` without TLS.
    pub fn tls_handshake(&self) -> Option<TlsHandshake> {
        Some(match self.top.tls.as_ref()?.session.handshake_kind()? {
            HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest => TlsHandshake::Full,
            HandshakeKind::Resumed => TlsHandshake::Resumed,
        })
    }

    /// The certificate that the server has shown, whatever was decided about it.
    pub fn presented(&self) -> Option<CertificateInfo> {
        self.top.tls.as_ref()?.presented()
    }

    /// Why the file of secrets does not have all of them, if it does not.
    pub fn key_log_failure(&self) -> Option<String> {
        let failure = |tls: &Option<Box<tls::TlsConnection>>| tls.as_ref()?.key_log_failure();
        failure(&self.top.below.tls).or_else(|| failure(&self.top.tls))
    }

    /// The certificates that the server has sent, its own first; none without TLS.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        self.top.tls.as_ref().map_or(&[], |tls| tls.certificates())
    }

    /// Whether the stream of the server has ended without `close_notify` (RFC 8446 §6.1).
    pub fn is_truncated(&self) -> bool {
        self.top.is_truncated
    }

    /// Advances the handshake as far as the delivered bytes allow. Returns whether it is complete.
    pub fn handshake(&mut self) -> Result<bool, Error> {
        let Layer { below, tls, .. } = &mut self.top;
        let Some(tls) = tls else { return Ok(true) };
        loop {
            send_records(tls, below).map_err(|source| Error::from_stream(Phase::Tls, source))?;
            if !tls.session.is_handshaking() {
                return Ok(true);
            }
            if below.tls.is_none() {
                let arrived = below.below.peek();
                let wanted = FIRST.saturating_sub(self.first.len()).min(arrived.len());
                self.first.extend_from_slice(&arrived[..wanted]);
            }
            match tls.session.read_tls(below) {
                Ok(0) => return Err(ended_early(&self.first, TlsError::Closed).into()),
                Ok(_) => {}
                Err(error) => return read_error(error, &self.first).map(|()| false),
            }
            process(tls, below, &self.first)?;
        }
    }

    /// The protocol of a server whose first bytes are not TLS.
    pub fn other_protocol(&self) -> Option<OtherProtocol> {
        OtherProtocol::recognise(&self.first)
    }

    /// Whether the server asked for a client certificate and the client has none.
    pub fn lacks_certificate(&self) -> bool {
        self.top
            .tls
            .as_ref()
            .is_some_and(|tls| tls.certificate_request() == CertificateRequest::Unanswered)
    }

    /// Sends `close_notify` in each TLS layer.
    pub fn send_close_notify(&mut self) -> io::Result<()> {
        self.top.send_close_notify().and_then(|()| self.top.below.send_close_notify())
    }
}

/// The name of a version in the style of OpenSSL and curl.
fn version_name(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The registered name of a cipher suite; rustls has other names for those of TLS 1.3 (RFC 8446
/// §B.4).
fn cipher_name(suite: CipherSuite) -> String {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256".to_owned(),
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384".to_owned(),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The error for an end of the stream during the handshake; `end` is the one for a server that may
/// speak TLS.
fn ended_early(first: &[u8], end: TlsError) -> TlsError {
    OtherProtocol::recognise(first).map_or(end, TlsError::NotTls)
}

/// The meaning of a read during the handshake that returned no bytes: nothing has arrived yet, or
/// nothing will.
fn read_error(error: io::Error, first: &[u8]) -> Result<(), Error> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(()),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            Err(ended_early(first, TlsError::Reset).into())
        }
        _ => Err(Error::Io { phase: Phase::Tls, source: error }),
    }
}

/// Decrypts the bytes that were read. An alert about an error is sent before the error is returned.
/// `first` are the server's first bytes.
fn process(
    tls: &mut tls::TlsConnection,
    below: &mut impl Write,
    first: &[u8],
) -> Result<(), TlsError> {
    tls.session.process_new_packets().map(|_| ()).map_err(|error| {
        // The error of TLS is more important than that of sending the alert.
        let _ = send_records(tls, below);
        TlsError::explained(error, first, tls.certificate_request())
    })
}

/// Writes all pending records, many in one call.
fn send_records(tls: &mut tls::TlsConnection, below: &mut impl Write) -> io::Result<()> {
    while tls.session.wants_write() {
        tls.session.write_tls(below)?;
    }
    Ok(())
}

impl<B: Write> Layer<B> {
    fn send_close_notify(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        tls.session.send_close_notify();
        send_records(tls, &mut self.below)
    }
}

impl<B: BufRead + Write> BufRead for Layer<B> {
    /// `WouldBlock` if the delivered bytes hold no complete record. The end is reported as zero
    /// bytes, with or without `close_notify`: many servers leave it out, and the layers above have
    /// their own ends.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let Some(tls) = &mut self.tls else { return self.below.fill_buf() };
        loop {
            match tls.session.reader().fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.is_truncated = true;
                    return Ok(&[]);
                }
                Err(error) => return Err(error),
                Ok(_) => break,
            }
            if let Some(error) = &self.broken {
                return Err(io::Error::new(io::ErrorKind::InvalidData, error.clone()));
            }
            tls.session.read_tls(&mut self.below)?;
            // The server's first bytes were checked during the handshake. Bytes before a record
            // that cannot be decrypted are read first.
            self.broken = process(tls, &mut self.below, &[]).err();
            // A key update needs an answer.
            send_records(tls, &mut self.below)?;
        }
        tls.session.reader().into_first_chunk()
    }

    fn consume(&mut self, count: usize) {
        match &mut self.tls {
            Some(tls) => tls.session.reader().consume(count),
            None => self.below.consume(count),
        }
    }
}

impl<B: BufRead + Write> Read for Layer<B> {
    /// The same bytes, copied.
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(target)?;
        self.consume(count);
        Ok(count)
    }
}

impl<B: Write> Write for Layer<B> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.below.write(bytes) };
        let count = tls.session.writer().write(bytes)?;
        send_records(tls, &mut self.below)?;
        Ok(count)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.below.write_vectored(slices) };
        let count = tls.session.writer().write_vectored(slices)?;
        send_records(tls, &mut self.below)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            send_records(tls, &mut self.below)?;
        }
        self.below.flush()
    }
}

impl BufRead for Stream {
    /// As for each layer, after the bytes that were given back.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given_back.is_empty() { self.top.fill_buf() } else { Ok(&self.given_back) }
    }

    fn consume(&mut self, count: usize) {
        if self.given_back.is_empty() {
            self.top.consume(count);
        } else {
            self.given_back.advance(count);
        }
    }
}

impl Read for Stream {
    /// The same bytes, copied.
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(target)?;
        self.consume(count);
        Ok(count)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.top.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.top.flush()
    }
}
