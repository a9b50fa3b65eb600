//! The two threads of one connection: the reader decodes frames and packets, the writer encodes
//! them.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::event::{BrokerEvent, Observer};
use super::frames::Frames;
use super::handshake::is_timeout;
use super::limits::{BATCH, LINGER, MESSAGE_BYTES, READ_BYTES};
use super::router::packet_weight;
use super::router_thread::RouterEvent;
use super::shared_connection::{SharedConnection, Unwritten};
use crate::mqtt::packet::{Decoder, Malformed, Packet};
use crate::websocket::frame::{NORMAL, PROTOCOL_ERROR};
use crate::websocket::reader::Reader;
use crate::websocket::{Role, WebSocketError};

/// How often a packet that arrives slowly is reported to the router, for the keep alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// What the threads of all connections share.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The router's mailbox.
    pub mailbox: &'a SyncSender<RouterEvent>,
    /// The largest packet that is accepted, in bytes.
    pub max_packet: usize,
    /// Who is told of each packet.
    pub observer: Option<&'a Observer>,
}

/// The packets that were read and decoded and that the router does not have yet.
struct Unposted<'a> {
    connection: &'a SharedConnection,
    mailbox: &'a SyncSender<RouterEvent>,
    packets: Vec<Packet>,
    weight: usize,
    /// When packets were last posted.
    posted: Instant,
}

impl Unposted<'_> {
    /// Hands the decoded packets to the router; waits while the router has too much to do.
    fn post(&mut self) {
        if self.packets.is_empty() && self.posted.elapsed() < SIGN_OF_LIFE {
            return;
        }
        let packets = std::mem::take(&mut self.packets);
        let weight = std::mem::take(&mut self.weight);
        self.connection.admit(weight);
        // It fails only after the router has ended, and then this connection ends, too.
        let _ = self.mailbox.send(RouterEvent::Packets {
            connection: self.connection.id,
            packets,
            weight,
        });
        self.posted = Instant::now();
    }

    /// Tells the router that what came after these packets is not MQTT.
    fn malformed(&mut self, error: Malformed) {
        self.post();
        let _ = self.mailbox.send(RouterEvent::Malformed { connection: self.connection.id, error });
    }
}

/// Reads until the connection ends. `leftover` is what came after the head of the HTTP request.
pub fn read(connection: &SharedConnection, context: Context<'_>, leftover: &[u8]) {
    let mut unposted = Unposted {
        connection,
        mailbox: context.mailbox,
        packets: Vec::new(),
        weight: 0,
        posted: Instant::now(),
    };
    let close = read_frames(&mut unposted, context, leftover);
    unposted.post();
    connection.end(close);
    // It fails only after the router has ended, which then does not need to know.
    let _ = context.mailbox.send(RouterEvent::Lost(connection.id));
    drain(connection);
}

/// Reads frames until the WebSocket ends; returns the code of the Close frame to send, if any.
fn read_frames(unposted: &mut Unposted<'_>, context: Context<'_>, leftover: &[u8]) -> Option<u16> {
    let mut decoder = Some(Decoder::new(unposted.connection.version(), context.max_packet));
    let mut reader = Reader::new(Role::Server, context.max_packet + MESSAGE_BYTES, false);
    if let Some(close) = read_arrived(leftover, &mut reader, &mut decoder, unposted, context) {
        return Some(close);
    }
    let mut buffer = vec![0; READ_BYTES];
    loop {
        // Before we wait, the router has what was decoded.
        unposted.post();
        let count = match (&unposted.connection.socket).read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => return None,
            Ok(count) => count,
        };
        let arrived = &buffer[..count];
        if let Some(close) = read_arrived(arrived, &mut reader, &mut decoder, unposted, context) {
            return Some(close);
        }
    }
}

/// Decodes what has arrived; returns the code of the Close frame to send, if the WebSocket ended.
fn read_arrived(
    mut arrived: &[u8],
    reader: &mut Reader,
    decoder: &mut Option<Decoder>,
    unposted: &mut Unposted<'_>,
    context: Context<'_>,
) -> Option<u16> {
    loop {
        let taken = reader.feed(arrived);
        arrived = &arrived[taken..];
        let next = reader.next();
        let answers = reader.take_answers();
        match next {
            Some(Ok(payload)) => {
                // After a malformed packet the router ends the connection; frames are still read,
                // so that the client's Close is answered.
                decoder.take_if(|decoder| !decode(decoder, payload, unposted, context));
            }
            Some(Err(error)) => return Some(end_code(error, unposted)),
            None if arrived.is_empty() && answers.is_empty() => return None,
            None => {}
        }
        if !answers.is_empty() {
            unposted.connection.post_frame(&answers);
        }
    }
}

/// The code of the Close frame that answers this end of the WebSocket.
fn end_code(error: WebSocketError, unposted: &mut Unposted<'_>) -> u16 {
    if let WebSocketError::TooLarge { size, limit } = error {
        let bytes = |count| usize::try_from(count).unwrap_or(usize::MAX);
        unposted.malformed(Malformed::PacketTooLarge { size: bytes(size), maximum: bytes(limit) });
        // The router ends the connection, with a DISCONNECT if that is possible.
        drain(unposted.connection);
    }
    match error {
        // The answer to a Close goes after what was posted, as the writer's last word.
        WebSocketError::Closed { code, .. } => code.unwrap_or(NORMAL),
        error => error.answer().unwrap_or(PROTOCOL_ERROR),
    }
}

/// Decodes a piece of the MQTT stream; false after a malformed packet.
fn decode(
    decoder: &mut Decoder,
    bytes: Bytes,
    unposted: &mut Unposted<'_>,
    context: Context<'_>,
) -> bool {
    decoder.feed(bytes);
    loop {
        match decoder.next() {
            Ok(Some(packet)) => {
                if let Packet::Connect(connect) = &packet {
                    unposted.connection.set_version(connect.version);
                }
                context.tell(&BrokerEvent::Received(unposted.connection.address, &packet));
                unposted.weight += packet_weight(&packet);
                unposted.packets.push(packet);
                if unposted.packets.len() >= BATCH {
                    unposted.post();
                }
            }
            Ok(None) => return true,
            Err(error) => {
                unposted.malformed(error);
                return false;
            }
        }
    }
}

/// Reads and discards until the client closes or the writer cuts the socket: to close a socket with
/// unread bytes would destroy what we sent last.
fn drain(connection: &SharedConnection) {
    let mut waste = [0; 4096];
    while matches!((&connection.socket).read(&mut waste), Ok(1..)) {}
}

/// A socket whose writes wait for a slow client until the connection ends, and [`LINGER`] longer.
struct PatientSocket<'a>(&'a SharedConnection);

impl Write for PatientSocket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match (&self.0.socket).write(bytes) {
                Err(error) if is_timeout(&error) => {
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
    let mut frames = Frames::new(PatientSocket(connection));
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
                // It fails only for a client that is gone.
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
    frames: &mut Frames<PatientSocket<'_>>,
) -> io::Result<()> {
    let mut weight = unwritten.frames.len();
    if weight > 0 {
        frames.control(&unwritten.frames);
        unwritten.frames.clear();
    }
    let version = connection.version();
    for packet in unwritten.packets.drain(..) {
        context.tell(&BrokerEvent::Sent(connection.address, &packet));
        frames.packet(&packet, version)?;
        weight += packet_weight(&packet);
        // Publishers that wait for this client can go on before all of it is written.
        if weight >= READ_BYTES {
            context.wrote(connection, std::mem::take(&mut weight));
        }
    }
    frames.flush()?;
    context.wrote(connection, weight);
    Ok(())
}

impl Context<'_> {
    fn tell(&self, event: &BrokerEvent<'_>) {
        if let Some(observer) = self.observer {
            observer(event);
        }
    }

    /// This many bytes were written; tells the router if it waits for that.
    fn wrote(&self, connection: &SharedConnection, weight: usize) {
        if weight > 0 && connection.wrote(weight) {
            let _ = self.mailbox.send(RouterEvent::Relieved(connection.id));
        }
    }
}
