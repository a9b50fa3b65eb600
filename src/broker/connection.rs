//! The two threads of one connection: the reader owns the WebSocket's reading side (tungstenite)
//! and decodes packets; the writer encodes packets and writes frames.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::{Message, Role, WebSocketConfig};
use tungstenite::{Error, WebSocket};

use super::LogLine;
use super::frames::{CLOSE, Frames};
use super::handshake::is_impatience;
use super::limits::{BATCH, LINGER, MESSAGE_BYTES, READ_BYTES};
use super::listener::RouterEvent;
use super::router::packet_weight;
use super::shared_connection::{SharedConnection, Unwritten};
use crate::mqtt::packet::{Decoder, Malformed, Packet};

/// Close codes (RFC 6455 §7.4.1).
pub const NORMAL: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;
const UNSUPPORTED_DATA: u16 = 1003;
const TOO_BIG: u16 = 1009;

/// How often a slowly arriving packet is reported as a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// What the threads of all connections share.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The router's mailbox.
    pub mailbox: &'a SyncSender<RouterEvent>,
    /// The largest packet that is accepted, in bytes.
    pub max_packet: usize,
    /// Where debug lines go.
    pub log: Option<&'a LogLine>,
}

/// The reading side of a socket as tungstenite wants it. Before it blocks it hands over what was
/// decoded; what tungstenite writes (Pong, the answer to Close) goes through the writer.
struct Inlet<'a> {
    connection: &'a SharedConnection,
    mailbox: &'a SyncSender<RouterEvent>,
    /// What came after the head of the HTTP request.
    leftover: Bytes,
    packets: Vec<Packet>,
    weight: usize,
    /// When the router last heard from us.
    posted: Instant,
}

impl Inlet<'_> {
    /// Hands the decoded packets over, and waits if the router has too much to do.
    fn post(&mut self) {
        if self.packets.is_empty() && self.posted.elapsed() < SIGN_OF_LIFE {
            return;
        }
        let packets = std::mem::take(&mut self.packets);
        let weight = std::mem::take(&mut self.weight);
        self.connection.admit(weight);
        // It fails only when the router is gone, and then this connection is being ended.
        let _ = self.mailbox.send(RouterEvent::Packets {
            connection: self.connection.id,
            packets,
            weight,
        });
        self.posted = Instant::now();
    }

    /// Hands over that the client does not speak MQTT.
    fn malformed(&self, error: Malformed) {
        let _ = self.mailbox.send(RouterEvent::Malformed { connection: self.connection.id, error });
    }
}

impl Read for Inlet<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.leftover.is_empty() {
            let count = self.leftover.len().min(buffer.len());
            self.leftover.copy_to_slice(&mut buffer[..count]);
            return Ok(count);
        }
        self.post();
        loop {
            match (&self.connection.socket).read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Write for Inlet<'_> {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        match frame {
            // The answer to a Close is the end; it goes after what was posted, and nothing after
            // it.
            [CLOSE, _, high, low, ..] => {
                self.connection.end(Some(u16::from_be_bytes([*high, *low])));
            }
            [CLOSE, ..] => self.connection.end(Some(NORMAL)),
            _ => self.connection.post_frame(frame),
        }
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads until the connection ends. `leftover` is what came after the head of the HTTP request.
pub fn read(connection: &SharedConnection, context: Context<'_>, leftover: Vec<u8>) {
    let inlet = Inlet {
        connection,
        mailbox: context.mailbox,
        leftover: leftover.into(),
        packets: Vec::new(),
        weight: 0,
        posted: Instant::now(),
    };
    let limit = Some(context.max_packet + MESSAGE_BYTES);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_message_size(limit)
        .max_frame_size(limit);
    // Not `from_partially_read`: a buffer begun with so few bytes stays as small for all reads.
    let mut socket = WebSocket::from_raw_socket(inlet, Role::Server, Some(config));
    let close = read_messages(&mut socket, connection, context);
    socket.get_mut().post();
    connection.end(close);
    // It fails only when the router is gone, and then nobody needs to know.
    let _ = context.mailbox.send(RouterEvent::Lost(connection.id));
    drain(connection);
}

/// Reads messages until the WebSocket ends, and says with which code it should be closed.
fn read_messages(
    socket: &mut WebSocket<Inlet<'_>>,
    connection: &SharedConnection,
    context: Context<'_>,
) -> Option<u16> {
    let mut decoder = Some(Decoder::new(connection.version(), context.max_packet));
    loop {
        match socket.read() {
            Ok(Message::Binary(bytes)) => {
                let inlet = socket.get_mut();
                let intact =
                    decoder.as_mut().is_none_or(|decoder| decode(decoder, bytes, inlet, context));
                if !intact {
                    // The router ends the connection; frames are read on, so that its Close is
                    // answered.
                    decoder = None;
                }
            }
            Ok(Message::Text(_)) | Err(Error::Utf8(_)) => return Some(UNSUPPORTED_DATA),
            Ok(_) => {}
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                return None;
            }
            Err(Error::Protocol(_)) => return Some(PROTOCOL_ERROR),
            Err(Error::Capacity(CapacityError::MessageTooLong { size, max_size: maximum })) => {
                let inlet = socket.get_mut();
                inlet.post();
                inlet.malformed(Malformed::PacketTooLarge { size, maximum });
                // The router ends the connection, with a DISCONNECT if that is possible.
                drain(connection);
                return Some(TOO_BIG);
            }
            Err(_) => return None,
        }
    }
}

/// Decodes a piece of the MQTT stream; false when nothing after it can be understood.
fn decode(
    decoder: &mut Decoder,
    bytes: Bytes,
    inlet: &mut Inlet<'_>,
    context: Context<'_>,
) -> bool {
    decoder.feed(bytes);
    loop {
        match decoder.next() {
            Ok(Some(packet)) => {
                if let Packet::Connect(connect) = &packet {
                    inlet.connection.set_version(connect.version);
                }
                context.tell(|| format!("{} sent {}", inlet.connection.address, packet.describe()));
                inlet.weight += packet_weight(&packet);
                inlet.packets.push(packet);
                if inlet.packets.len() >= BATCH {
                    inlet.post();
                }
            }
            Ok(None) => return true,
            Err(error) => {
                inlet.post();
                inlet.malformed(error);
                return false;
            }
        }
    }
}

/// Reads and forgets until the other side closes or the writer cuts the socket: closing a socket
/// with unread bytes would destroy what we sent last.
fn drain(connection: &SharedConnection) {
    let mut waste = [0; 4096];
    while matches!((&connection.socket).read(&mut waste), Ok(1..)) {}
}

/// A socket that waits for a slow client as long as the connection is wanted, but not much longer.
struct Patient<'a>(&'a SharedConnection);

impl Write for Patient<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match (&self.0.socket).write(bytes) {
                Err(error) if is_impatience(&error) => {
                    if self.0.ending().is_some_and(|ending| ending.since.elapsed() >= LINGER) {
                        return Err(error);
                    }
                }
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what the router posts until the connection ends, then closes the socket.
pub fn write(connection: &SharedConnection, context: Context<'_>) {
    let mut frames = Frames::new(Patient(connection));
    let mut unwritten = Unwritten::default();
    loop {
        connection.take(&mut unwritten);
        let ending = unwritten.ending.take();
        if write_all(connection, context, &mut unwritten, &mut frames).is_err() {
            connection.end(None);
            break;
        }
        if let Some(ending) = ending {
            if let Some(code) = ending.close {
                frames.close(code);
                // Nothing can be done for a client that is gone.
                let _ = frames.flush();
            }
            let _ = connection.socket.shutdown(Shutdown::Write);
            connection.wait_for_reader();
            break;
        }
    }
    connection.cut();
}

/// Writes everything that is to be written and empties it.
fn write_all(
    connection: &SharedConnection,
    context: Context<'_>,
    unwritten: &mut Unwritten,
    frames: &mut Frames<Patient<'_>>,
) -> io::Result<()> {
    let mut weight = unwritten.frames.len();
    if weight > 0 {
        frames.control(&unwritten.frames);
        unwritten.frames.clear();
    }
    let version = connection.version();
    for packet in unwritten.packets.drain(..) {
        context.tell(|| format!("{} is sent {}", connection.address, packet.describe()));
        frames.packet(&packet, version)?;
        weight += packet_weight(&packet);
        // So that those who wait for us see us move.
        if weight >= READ_BYTES {
            context.wrote(connection, std::mem::take(&mut weight));
        }
    }
    frames.flush()?;
    context.wrote(connection, weight);
    Ok(())
}

impl Context<'_> {
    fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(log) = self.log {
            log(&line());
        }
    }

    /// So much was written: the router is told if it waits for that.
    fn wrote(&self, connection: &SharedConnection, weight: usize) {
        if weight > 0 && connection.wrote(weight) {
            let _ = self.mailbox.send(RouterEvent::Relieved(connection.id));
        }
    }
}
