//! The two threads of one connection: the reader takes frames apart and decodes packets, the writer
//! encodes packets and puts frames together.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::LogLine;
use super::frames::Frames;
use super::handshake::is_impatience;
use super::limits::{BATCH, LINGER, MESSAGE_BYTES, READ_BYTES};
use super::listener::RouterEvent;
use super::router::packet_weight;
use super::shared_connection::{SharedConnection, Unwritten};
use crate::mqtt::packet::{Decoder, Malformed, Packet};
use crate::websocket::frame::{NORMAL, PROTOCOL_ERROR};
use crate::websocket::reader::Reader;
use crate::websocket::{Role, WebSocketError};

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

/// What was read and decoded, on its way to the router.
struct Inlet<'a> {
    connection: &'a SharedConnection,
    mailbox: &'a SyncSender<RouterEvent>,
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

    /// Hands over that the client does not speak MQTT, after what it said before.
    fn malformed(&mut self, error: Malformed) {
        self.post();
        let _ = self.mailbox.send(RouterEvent::Malformed { connection: self.connection.id, error });
    }
}

/// Reads until the connection ends. `leftover` is what came after the head of the HTTP request.
pub fn read(connection: &SharedConnection, context: Context<'_>, leftover: &[u8]) {
    let mut inlet = Inlet {
        connection,
        mailbox: context.mailbox,
        packets: Vec::new(),
        weight: 0,
        posted: Instant::now(),
    };
    let close = read_frames(&mut inlet, context, leftover);
    inlet.post();
    connection.end(close);
    // It fails only when the router is gone, and then nobody needs to know.
    let _ = context.mailbox.send(RouterEvent::Lost(connection.id));
    drain(connection);
}

/// Reads frames until the WebSocket ends, and says with which code it should be closed.
fn read_frames(inlet: &mut Inlet<'_>, context: Context<'_>, leftover: &[u8]) -> Option<u16> {
    let mut decoder = Some(Decoder::new(inlet.connection.version(), context.max_packet));
    let mut reader = Reader::new(Role::Server, context.max_packet + MESSAGE_BYTES, false);
    if let Some(close) = read_arrived(leftover, &mut reader, &mut decoder, inlet, context) {
        return Some(close);
    }
    let mut buffer = vec![0; READ_BYTES];
    loop {
        // Before we wait, the router has what was decoded.
        inlet.post();
        let count = match (&inlet.connection.socket).read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => return None,
            Ok(count) => count,
        };
        let arrived = &buffer[..count];
        if let Some(close) = read_arrived(arrived, &mut reader, &mut decoder, inlet, context) {
            return Some(close);
        }
    }
}

/// Reads what has arrived; the code with which the connection should be closed, if it should.
fn read_arrived(
    mut arrived: &[u8],
    reader: &mut Reader,
    decoder: &mut Option<Decoder>,
    inlet: &mut Inlet<'_>,
    context: Context<'_>,
) -> Option<u16> {
    loop {
        let taken = reader.feed(arrived);
        arrived = &arrived[taken..];
        let next = reader.next();
        let answers = reader.take_answers();
        match next {
            Some(Ok(payload)) => {
                let is_intact =
                    decoder.as_mut().is_none_or(|decoder| decode(decoder, payload, inlet, context));
                if !is_intact {
                    // The router ends the connection; frames are read on, so that its Close is
                    // answered.
                    *decoder = None;
                }
            }
            Some(Err(error)) => return Some(end_code(error, inlet)),
            None if arrived.is_empty() && answers.is_empty() => return None,
            None => {}
        }
        if !answers.is_empty() {
            inlet.connection.post_frame(&answers);
        }
    }
}

/// With which code a connection is closed that has ended so.
fn end_code(error: WebSocketError, inlet: &mut Inlet<'_>) -> u16 {
    if let WebSocketError::TooLarge { size, limit } = error {
        let bytes = |count| usize::try_from(count).unwrap_or(usize::MAX);
        inlet.malformed(Malformed::PacketTooLarge { size: bytes(size), maximum: bytes(limit) });
        // The router ends the connection, with a DISCONNECT if that is possible.
        drain(inlet.connection);
    }
    match error {
        // The answer to a Close goes after what was posted, as the writer's last word.
        WebSocketError::Closed { code, .. } => code.unwrap_or(NORMAL),
        error => error.answer().unwrap_or(PROTOCOL_ERROR),
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
        // Publishers that wait for this client go on as it takes what it is sent.
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
