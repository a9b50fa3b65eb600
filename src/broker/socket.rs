//! The socket of a client, plain or under TLS. Nothing here waits.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;
use rustls::server::ServerConnection;

use super::tls;

/// The most plaintext that one record has, in bytes (RFC 8446 §5.1).
const RECORD_BYTES: usize = 16 * 1024;

/// How often one call reads from the system: a client could send records without content for ever.
const MOST_READS: usize = 64;

/// What the system holds beside what it has sent for a client that is not known to read, in bytes.
/// It would hold 4 MiB, which would be copied in vain. For one that reads it may: the fewer it
/// holds, the more often it wakes us.
const MOST_UNSENT: u32 = 128 * 1024;

/// A client that has been sent so many bytes reads: its system does not hold them.
const PROOF_BYTES: usize = 1024 * 1024;

/// A socket. Reads and writes that would have to wait fail with `WouldBlock`; flushing fails so as
/// long as the system has not taken all that was written.
#[derive(Debug)]
pub struct ClientSocket {
    stream: TcpStream,
    tls: Option<Box<TlsLayer>>,
    readable: SystemBuffer,
    /// How many more bytes it takes before its client is known to read.
    unproven: usize,
}

/// What the system may have for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SystemBuffer {
    Drained,
    Unknown,
}

#[derive(Debug)]
struct TlsLayer {
    connection: ServerConnection,
    begun: ClientSpeech,
    has_ended: bool,
}

/// What is known of what the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientSpeech {
    Nothing,
    Tls,
}

/// Whether reading has failed because the client has sent a plain request where TLS is spoken.
pub fn is_plain_request(error: &io::Error) -> bool {
    error.get_ref().and_then(|error| error.downcast_ref::<PlainRequest>()).is_some()
}

/// The client has sent a plain request where TLS is spoken.
#[derive(Debug)]
struct PlainRequest;

impl fmt::Display for PlainRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain request where TLS is spoken")
    }
}

impl std::error::Error for PlainRequest {}

impl ClientSocket {
    /// A socket without TLS.
    pub fn plain(stream: TcpStream) -> Self {
        limit_unsent(&stream, MOST_UNSENT);
        Self { stream, tls: None, readable: SystemBuffer::Unknown, unproven: PROOF_BYTES }
    }

    /// A socket with TLS.
    pub fn secure(stream: TcpStream, connection: ServerConnection) -> Self {
        let layer = TlsLayer { connection, begun: ClientSpeech::Nothing, has_ended: false };
        Self { tls: Some(Box::new(layer)), ..Self::plain(stream) }
    }

    /// From now on without TLS, of which nothing was spoken.
    pub fn make_plain(&mut self) {
        self.tls = None;
    }

    /// Whether the last read took all that the system had: it reports what comes after that.
    pub fn is_drained(&self) -> bool {
        self.readable == SystemBuffer::Drained
    }

    /// Whether something waits that was made by reading: a part of the handshake, or an alert.
    pub fn has_to_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.connection.wants_write())
    }

    /// Whether TLS has not been agreed on.
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.connection.is_handshaking())
    }

    /// The connection below TLS.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether the client is known to have read.
    pub fn is_read(&self) -> bool {
        self.unproven == 0
    }

    /// So many bytes were written.
    fn count(&mut self, bytes: usize) {
        if self.unproven > 0 {
            self.unproven = self.unproven.saturating_sub(bytes);
            if self.unproven == 0 {
                limit_unsent(&self.stream, u32::MAX);
            }
        }
    }

    /// Ends our side.
    pub fn end(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.connection.send_close_notify();
            // What the system does not take now is lost with the connection.
            let _ = tls.flush(&mut self.stream);
        }
        self.shut();
    }

    /// Ends our side, without a word of TLS.
    pub fn shut(&self) {
        // It fails when the client is gone, which the next read finds.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

impl Read for ClientSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { stream, tls, readable, .. } = self;
        *readable = SystemBuffer::Unknown;
        let Some(tls) = tls else {
            let count = stream.read(buffer)?;
            if count < buffer.len() {
                *readable = SystemBuffer::Drained;
            }
            return Ok(count);
        };
        tls.find_speech(stream)?;
        let mut count = tls.take(buffer)?;
        for _ in 0..MOST_READS {
            let has_room = count == 0 || buffer.len() - count >= RECORD_BYTES;
            if tls.has_ended || !has_room {
                break;
            }
            match tls.receive(stream) {
                Ok(()) => count += tls.take(&mut buffer[count..])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    *readable = SystemBuffer::Drained;
                    break;
                }
                // It comes again when what has been read is used.
                Err(_) if count > 0 => break,
                Err(error) => return Err(error),
            }
        }
        match (count, *readable) {
            (0, _) if tls.has_ended => Ok(0),
            (0, SystemBuffer::Drained) => Err(ErrorKind::WouldBlock.into()),
            // The next call goes on.
            (0, SystemBuffer::Unknown) => Err(ErrorKind::Interrupted.into()),
            _ => Ok(count),
        }
    }
}

impl Write for ClientSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.put(bytes);
        self.count(*result.as_ref().unwrap_or(&0));
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tls.as_mut().map_or(Ok(()), |tls| tls.flush(&mut self.stream))
    }
}

impl ClientSocket {
    fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.stream.write(bytes) };
        tls.flush(&mut self.stream)?;
        if tls.connection.is_handshaking() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = tls.connection.writer().write(bytes)?;
        match tls.flush(&mut self.stream) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn limit_unsent(stream: &TcpStream, bytes: u32) {
    // If it fails, a client that does not read costs more.
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(bytes);
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn limit_unsent(_: &TcpStream, _: u32) {}

impl TlsLayer {
    /// Looks at the first byte: no message of TLS begins with a letter.
    fn find_speech(&mut self, stream: &TcpStream) -> io::Result<()> {
        let mut first = [0];
        if self.begun == ClientSpeech::Nothing && stream.peek(&mut first)? > 0 {
            if first[0].is_ascii_alphabetic() {
                return Err(io::Error::new(ErrorKind::InvalidData, PlainRequest));
            }
            self.begun = ClientSpeech::Tls;
        }
        Ok(())
    }

    /// Reads from the system, once.
    fn receive(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        match self.connection.read_tls(stream) {
            Ok(0) => self.has_ended = true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        self.connection.process_new_packets().map(drop).map_err(|error| {
            // The alert that tells the client why.
            let _ = self.flush(stream);
            io::Error::new(ErrorKind::InvalidData, tls::failure(&error))
        })
    }

    /// Takes what was decrypted.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.connection.reader().read(buffer) {
            Ok(0) if !buffer.is_empty() => {
                self.has_ended = true;
                Ok(0)
            }
            // An end without close_notify is an end, too.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.has_ended = true;
                Ok(0)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    fn flush(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(stream) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                // More was written, or the call is made again.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }
}
