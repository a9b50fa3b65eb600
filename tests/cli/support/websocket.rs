//! The server's side of a WebSocket, by hand and without mercy: what a client must not send is an
//! error. It must never know MQTT beyond where a packet ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;
use tungstenite::handshake::derive_accept_key;

const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;

/// A Ping.
pub const PING: u8 = 0x89;

/// A Pong.
pub const PONG: u8 = 0x8a;

/// The longest binary message that our program may send (design.md §3).
const LONGEST_MESSAGE: usize = 32 * 1024;

/// What a test calls wrong, in words.
pub type Complaint = String;

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
    /// It was reset.
    Gone,
}

/// What goes wrong with the bytes that the server sends, counted from the first of the connection.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The connection ends after so many bytes.
    Cut(usize),
    /// The byte at this place has these bits inverted.
    Flip(usize, u8),
}

/// How long a server that sent a wrong byte waits for a client that waits for more.
const PATIENCE_AFTER_A_FAULT: Duration = Duration::from_millis(150);

/// One connection of a client.
pub struct Peer {
    stream: Stream,
    fault: Option<Fault>,
    /// The number of bytes sent.
    pub written: usize,
    /// Read but not yet understood.
    unread: Vec<u8>,
    /// MQTT that came in binary messages.
    packets: Vec<u8>,
    /// The WebSocket's `Sec-WebSocket-Key` and first subprotocol.
    request: String,
}

impl Peer {
    pub fn new(stream: TcpStream, fault: Option<Fault>) -> Self {
        Self {
            stream: Stream::Plain(stream),
            fault,
            written: 0,
            unread: Vec::new(),
            packets: Vec::new(),
            request: String::new(),
        }
    }

    /// Goes on as the server of a TLS connection. A handshake that fails is seen at the next read
    /// or write.
    pub fn start_tls(&mut self, config: &Arc<ServerConfig>) -> Result<(), Complaint> {
        let Stream::Plain(stream) = &self.stream else { return Err("TLS within TLS".into()) };
        let socket = stream.try_clone().map_err(|error| error.to_string())?;
        let connection =
            ServerConnection::new(Arc::clone(config)).map_err(|error| error.to_string())?;
        self.stream = Stream::Tls(Box::new(StreamOwned::new(connection, socket)));
        Ok(())
    }

    pub fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
            Stream::Gone => panic!("the script goes on after a reset"),
        }
    }

    /// Reads the head of a request and returns its lines.
    pub fn read_request(&mut self) -> Result<Vec<String>, Complaint> {
        let end = loop {
            match self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.read_more("in the HTTP request")?,
            }
        };
        let head: Vec<u8> = self.unread.drain(..end).collect();
        if !self.unread.is_empty() {
            return Err("something was sent behind the HTTP request before the answer".into());
        }
        self.request = String::from_utf8(head).map_err(|error| error.to_string())?;
        Ok(self.request.trim_end().split("\r\n").map(str::to_owned).collect())
    }

    /// Reads these bytes and no others.
    pub fn read_bytes(&mut self, expected: &[u8]) -> Result<(), Complaint> {
        while self.unread.len() < expected.len() {
            self.read_more("where bytes were expected")?;
        }
        let got: Vec<u8> = self.unread.drain(..expected.len()).collect();
        if got == expected {
            Ok(())
        } else {
            Err(format!("expected {expected:02x?}, got {got:02x?}"))
        }
    }

    /// An answer that takes the upgrade, with the first subprotocol that was offered.
    pub fn acceptance(&self) -> String {
        let accept = self.accept_key();
        let protocol = self.header("Sec-WebSocket-Protocol").map_or(String::new(), |offered| {
            format!("Sec-WebSocket-Protocol: {}\r\n", offered.split(',').next().unwrap_or_default())
        });
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{protocol}\r\n"
        )
    }

    /// The accept key for the request that was read.
    pub fn accept_key(&self) -> String {
        derive_accept_key(self.header("Sec-WebSocket-Key").unwrap_or_default().as_bytes())
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.request.split("\r\n").filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Reads the next MQTT packet: its first byte and its body.
    pub fn read_packet(&mut self) -> Result<Vec<u8>, Complaint> {
        loop {
            if let Some((header, end)) = packet_bounds(&self.packets) {
                let mut packet: Vec<u8> = self.packets.drain(..end).collect();
                packet.drain(1..header);
                return Ok(packet);
            }
            match self.read_frame()? {
                (BINARY, payload) => self.packets.extend(payload),
                (CLOSE, payload) => return Err(format!("Close {payload:?} instead of a packet")),
                (opcode, _) => return Err(format!("frame {opcode:#x} instead of a packet")),
            }
        }
    }

    /// Reads so many binary messages, of so many bytes in all.
    pub fn read_frames(&mut self, count: usize, length: usize) -> Result<(), Complaint> {
        let before = self.packets.len();
        for _ in 0..count {
            let (BINARY, payload) = self.read_frame()? else {
                return Err("no binary message".into());
            };
            self.packets.extend(payload);
        }
        match self.packets.len() - before {
            got if got == length => Ok(()),
            got => Err(format!("{got} bytes of packets in {count} messages instead of {length}")),
        }
    }

    /// True when nothing came behind the packets that were read, as far as has arrived.
    pub fn is_drained(&self) -> bool {
        self.packets.is_empty() && self.unread.is_empty()
    }

    /// Reads a Close frame and answers it.
    pub fn read_close(&mut self) -> Result<u16, Complaint> {
        match self.read_frame()? {
            (CLOSE, payload) if payload.len() >= 2 => {
                self.write_frame(CLOSE, &payload[..2])?;
                Ok(u16::from_be_bytes([payload[0], payload[1]]))
            }
            (opcode, payload) => {
                Err(format!("frame {opcode:#x} {payload:02x?} instead of a Close with a code"))
            }
        }
    }

    /// Reads a control frame of this kind with this payload.
    pub fn read_control(&mut self, awaited: u8, expected: &[u8]) -> Result<(), Complaint> {
        match self.read_frame()? {
            (opcode, payload) if opcode == awaited && payload == expected => Ok(()),
            (opcode, payload) => {
                Err(format!("frame {opcode:#x} {payload:02x?} instead of {awaited:#x}"))
            }
        }
    }

    /// Reads and forgets until the client ends the connection, in whatever way.
    pub fn read_to_end(&mut self) -> Result<(), Complaint> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.read(&mut buffer) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Err("the client did not end the connection".into());
                }
                // Our alert must not be lost to the reset that unread bytes would cause.
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    return self.read_ciphertext();
                }
                Ok(0) | Err(_) => return Ok(()),
                Ok(_) => {}
            }
        }
    }

    /// Reads until the client resets the connection; nothing may come before that.
    pub fn read_to_reset(&mut self) -> Result<(), Complaint> {
        match self.read(&mut [0; 100]) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
            other => Err(format!("expected a reset, not {other:?}")),
        }
    }

    /// Ends our direction, and reads what the client still sends, whatever it is.
    fn read_ciphertext(&self) -> Result<(), Complaint> {
        let mut socket = self.socket();
        socket.shutdown(Shutdown::Write).ok();
        std::io::copy(&mut socket, &mut std::io::sink()).map(|_| ()).or_else(|error| {
            match error.kind() {
                ErrorKind::ConnectionReset => Ok(()),
                _ => Err(error.to_string()),
            }
        })
    }

    /// Resets the connection; there must be no other hold on its socket.
    pub fn abort(&mut self) -> Result<(), Complaint> {
        let linger = SockRef::from(self.socket()).set_linger(Some(Duration::ZERO));
        self.stream = Stream::Gone;
        linger.map_err(|error| error.to_string())
    }

    /// Sends these bytes in a TLS record of which the last byte is changed on the way; in a handshake,
    /// what is to be said next.
    pub fn write_garbled(&mut self, bytes: &[u8]) -> Result<(), Complaint> {
        let Stream::Tls(stream) = &mut self.stream else { return Err("it is not TLS".into()) };
        let StreamOwned { conn, sock } = &mut **stream;
        let mut record = Vec::new();
        if conn.is_handshaking() {
            conn.read_tls(sock).map_err(|error| error.to_string())?;
            conn.process_new_packets().map_err(|error| error.to_string())?;
        }
        let written = conn.writer().write_all(bytes);
        while conn.wants_write() {
            conn.write_tls(&mut record).map_err(|error| error.to_string())?;
        }
        *record.last_mut().ok_or("there is nothing to change")? ^= 1;
        written.and_then(|()| sock.write_all(&record)).map_err(|error| format!("writing: {error}"))
    }

    /// Receives a TLS record of which a byte was changed on the way, and sends the alert that TLS has
    /// for it.
    pub fn misread(&mut self) -> Result<(), Complaint> {
        let Stream::Tls(stream) = &mut self.stream else { return Err("it is not TLS".into()) };
        let StreamOwned { conn, sock } = &mut **stream;
        let mut record = vec![0; 16 * 1024];
        let length = sock.read(&mut record).map_err(|error| error.to_string())?;
        *record[..length].last_mut().ok_or("the client ended the connection")? ^= 1;
        conn.read_tls(&mut &record[..length]).map_err(|error| error.to_string())?;
        if conn.process_new_packets().is_ok() {
            return Err("a changed record was taken".into());
        }
        while conn.wants_write() {
            conn.write_tls(sock).map_err(|error| error.to_string())?;
        }
        sock.shutdown(Shutdown::Write).map_err(|error| error.to_string())
    }

    /// Reads one frame and checks what a client of ours promises about it (RFC 6455 §5, design.md §3).
    fn read_frame(&mut self) -> Result<(u8, Vec<u8>), Complaint> {
        self.need(2)?;
        let (opcode, second) = (self.unread[0], self.unread[1]);
        if !matches!(opcode, BINARY | CLOSE | PING | PONG) {
            return Err(format!("a client must not send a frame that begins with {opcode:#x}"));
        }
        if second & 0x80 == 0 {
            return Err("an unmasked frame".into());
        }
        let (header, length) = match second & 0x7f {
            126 => (4, self.number(2..4)?),
            127 => (10, self.number(2..10)?),
            short => (2, usize::from(short)),
        };
        if opcode == BINARY && !(1..=LONGEST_MESSAGE).contains(&length) {
            return Err(format!("a binary message of {length} bytes"));
        }
        self.need(header + 4 + length)?;
        let mut frame: Vec<u8> = self.unread.drain(..header + 4 + length).skip(header).collect();
        let mask: Vec<u8> = frame.drain(..4).collect();
        for (byte, mask) in frame.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Ok((opcode, frame))
    }

    fn number(&mut self, range: std::ops::Range<usize>) -> Result<usize, Complaint> {
        self.need(range.end)?;
        Ok(self.unread[range].iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn need(&mut self, length: usize) -> Result<(), Complaint> {
        while self.unread.len() < length {
            self.read_more("where a frame was expected")?;
        }
        Ok(())
    }

    fn read_more(&mut self, place: &str) -> Result<(), Complaint> {
        let mut buffer = [0; 16 * 1024];
        match self.read(&mut buffer) {
            Ok(0) => Err(format!("the client ended the connection {place}")),
            Ok(length) => {
                self.unread.extend(&buffer[..length]);
                Ok(())
            }
            Err(error) => Err(format!("{error} {place}")),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let result = match &mut self.stream {
                Stream::Plain(stream) => stream.read(buffer),
                Stream::Tls(stream) => stream.read(buffer),
                Stream::Gone => return Ok(0),
            };
            // A machine that was stopped and goes on ends a read with a time-out so (signal(7)).
            if !result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Interrupted) {
                return result;
            }
        }
    }

    /// Writes bytes as they are, but for the fault that is due.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Complaint> {
        let mut bytes = bytes.to_vec();
        let here = self.written..self.written + bytes.len();
        self.written = here.end;
        match self.fault {
            Some(Fault::Cut(at)) if here.contains(&at) => {
                self.write_all(&bytes[..at - here.start])?;
                self.socket().shutdown(Shutdown::Both).ok();
                return Err("cut".into());
            }
            Some(Fault::Flip(at, bits)) if here.contains(&at) => {
                bytes[at - here.start] ^= bits;
                self.socket().set_read_timeout(Some(PATIENCE_AFTER_A_FAULT)).ok();
            }
            _ => {}
        }
        self.write_all(&bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Complaint> {
        let written = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Gone => return Err("writing after a reset".into()),
        };
        written.map_err(|error| format!("writing: {error}"))
    }

    /// Writes one unmasked frame.
    pub fn write_frame(&mut self, opcode: u8, payload: &[u8]) -> Result<(), Complaint> {
        self.write(&frame(opcode, payload))
    }
}

/// One unmasked frame, as a server sends it; `opcode` is its first byte.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut frame = vec![opcode];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend(medium.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// Where the body of the first packet begins and where it ends, once it is all there.
fn packet_bounds(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for (index, byte) in bytes.iter().enumerate().skip(1).take(4) {
        length |= usize::from(byte & 0x7f) << (7 * (index - 1));
        if byte & 0x80 == 0 {
            let end = index + 1 + length;
            return (bytes.len() >= end).then_some((index + 1, end));
        }
    }
    None
}
