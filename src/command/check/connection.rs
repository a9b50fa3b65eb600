//! One connection of `check`: the loop that waits for it, and what came over it.

mod agreed;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::aliases::Aliases;
use super::answer::{self, AnswerHead, Parsed};
use super::conduct::Conduct;
use super::finding::{CloseFrame, End, StreamEnd, Verdict};
use super::inflate::Inflater;
use super::journal::{Direction, Journal, ProtocolLayer};
use super::packets::{PayloadReader, ReceivedPacket};
use super::reader::{FrameReader, Heard};
use super::wire::{Frame, PING, PONG};
use crate::mqtt::packet::{Ack, Packet, PacketId, PacketType};
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;
use crate::transport::dial::{Dialled, Reached};
use crate::transport::poll::{Poller, Ready, SocketEvent, Waker};
use crate::transport::stream::{Stream, TlsInfo};
use crate::transport::tls::TlsConfig;
use crate::transport::wire::{SharedSocket, Wire};
use crate::transport::{self};
use crate::websocket::frame::{CLOSE, Keys};

/// Whether messages are acknowledged as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// At once.
    Automatic,
    /// By the probe.
    Held,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// TLS is negotiated.
    Security,
    /// The answer to the upgrade is awaited.
    Http,
    /// Frames are exchanged.
    Open,
}

/// One connection.
pub struct Link {
    stream: Stream,
    socket: SharedSocket,
    poller: Poller,
    stage: Stage,
    /// What came before the WebSocket was open.
    http: Vec<u8>,
    frames: FrameReader,
    packets: PayloadReader,
    /// What was exchanged, to judge what comes.
    pub conduct: Conduct,
    keys: Keys,
    /// The version that is spoken.
    pub version: Version,
    /// Packets that nobody has taken yet, and those that are malformed.
    pub inbox: VecDeque<ReceivedPacket>,
    /// Pongs that nobody has taken yet.
    pub pongs: VecDeque<Bytes>,
    /// How the server has ended it, as far as it has.
    pub end: End,
    /// When the server has ended it, if it has.
    pub ended_at: Option<Instant>,
    /// The keep alive that holds, in seconds: ours, or the server's.
    pub keep_alive: u16,
    /// Whether messages are acknowledged as they come.
    pub acks: Acks,
    /// The topic aliases that the server has set.
    pub aliases: Aliases,
    /// We have sent a Close frame.
    pub has_sent_close: bool,
    /// CONNACK 0 has come.
    pub is_welcome: bool,
    /// When a CONNACK came that refuses.
    pub refused_at: Option<Instant>,
    /// The latest packet identifier that was used.
    pub latest_id: u16,
    /// The other end.
    pub reached: Reached,
    /// Why TLS failed.
    pub tls_error: Option<transport::Error>,
    inflater: Inflater,
    /// Why a compressed message could not be read; none is read after it.
    pub inflate_error: Option<&'static str>,
    /// We have sent DISCONNECT: the server ends the connection in order.
    has_said_goodbye: bool,
}

impl Link {
    /// A connection over what was dialled, with TLS to this host.
    pub fn new(
        mut dialled: Dialled,
        tls: Option<(&TlsConfig, &str)>,
        waker: &Arc<Waker>,
    ) -> Result<Self, transport::Error> {
        let mut poller = Poller::sharing(waker);
        poller.attach(&mut dialled);
        let Dialled { socket, reached, tunnel, .. } = dialled;
        let wire = Wire::new(socket.clone());
        let (stream, stage) = match tls {
            Some((config, host)) => (Stream::secure(wire, tunnel, config, host)?, Stage::Security),
            None => (Stream::plain(wire, tunnel), Stage::Http),
        };
        let version = Version::V5;
        Ok(Self {
            stream,
            socket,
            poller,
            stage,
            http: Vec::new(),
            frames: FrameReader::default(),
            packets: PayloadReader::new(version),
            conduct: Conduct::new(version),
            keys: Keys::default(),
            version,
            inbox: VecDeque::new(),
            pongs: VecDeque::new(),
            end: End::default(),
            ended_at: None,
            keep_alive: 0,
            acks: Acks::Automatic,
            aliases: Aliases::default(),
            has_sent_close: false,
            is_welcome: false,
            refused_at: None,
            latest_id: 0,
            reached,
            tls_error: None,
            inflater: Inflater::default(),
            inflate_error: None,
            has_said_goodbye: false,
        })
    }

    /// Goes on with TLS as far as the bytes allow; whether it is done.
    pub fn advance_tls(&mut self) -> Result<bool, transport::Error> {
        if self.stage == Stage::Security && self.stream.handshake()? {
            self.stage = Stage::Http;
        }
        Ok(self.stage != Stage::Security)
    }

    /// Whether frames are exchanged.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// What TLS was negotiated.
    pub fn tls(&self) -> Option<TlsInfo> {
        self.stream.info()
    }

    /// The answer to the request, once it is there; the first frames behind it are kept.
    pub fn take_head(&mut self) -> Option<Parsed> {
        match answer::parse(&self.http) {
            Parsed::Partial => None,
            Parsed::Other => Some(Parsed::Other),
            Parsed::Head(head, length) => {
                self.http.drain(..length);
                Some(Parsed::Head(head, length))
            }
        }
    }

    /// What came instead of an answer.
    pub fn early_bytes(&self) -> &[u8] {
        &self.http
    }

    /// From now on frames are read, also what came behind the answer.
    pub fn open(&mut self, head: &AnswerHead, journal: &mut Journal) {
        let extensions = head.tokens("Sec-WebSocket-Extensions");
        self.frames.may_compress =
            extensions.iter().any(|name| name.starts_with("permessage-deflate"));
        self.stage = Stage::Open;
        let early = std::mem::take(&mut self.http);
        self.take(&early, journal);
    }

    /// From now on packets of this version are exchanged.
    pub fn speak(&mut self, version: Version) {
        self.version = version;
        self.packets = PayloadReader::new(version);
        self.conduct = Conduct::new(version);
    }

    /// Whether the server has ended it: by a Close frame or by the stream.
    pub fn has_ended(&self) -> bool {
        self.end.close.is_some() || self.end.stream.is_some()
    }

    /// The next packet identifier.
    pub fn next_id(&mut self) -> PacketId {
        self.latest_id = self.latest_id.checked_add(1).unwrap_or(1);
        PacketId::new(self.latest_id).unwrap_or(PacketId::MIN)
    }

    /// Waits for the socket until this time, and takes what it has. Returns at once when something
    /// came, or a signal.
    pub fn pump(&mut self, journal: &mut Journal, until: Instant) {
        let is_congested = self.stream.wire().is_congested();
        match self.poller.wait(Some(until), is_congested, || false) {
            Ready::Socket(SocketEvent::Bytes(chunk)) => {
                journal.traffic.1 += chunk.unread().len() as u64;
                self.stream.wire_mut().deliver(chunk);
                self.ingest(journal);
            }
            Ready::Socket(SocketEvent::End(error)) => {
                self.stream.wire_mut().end(error);
                self.ingest(journal);
            }
            Ready::Socket(SocketEvent::Writable) => {
                self.stream.wire_mut().push();
                self.ingest(journal);
            }
            Ready::Posted | Ready::Late => {}
        }
    }

    /// Reads what was delivered.
    fn ingest(&mut self, journal: &mut Journal) {
        if self.stage == Stage::Security {
            match self.advance_tls() {
                Ok(true) => {}
                Ok(false) => return self.recycle(),
                Err(error) => {
                    self.tls_error = Some(error);
                    self.ended(StreamEnd::BrokenTls, journal);
                }
            }
        }
        let mut buffer = [0; 16 * 1024];
        while self.end.stream.is_none() {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended(StreamEnd::Fin, journal),
                Ok(count) => self.take(&buffer[..count], journal),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    self.ended(StreamEnd::BrokenTls, journal);
                }
                Err(_) => self.ended(StreamEnd::Reset, journal),
            }
        }
        self.recycle();
    }

    fn recycle(&mut self) {
        while let Some(chunk) = self.stream.wire_mut().take_spent() {
            self.poller.recycle(chunk);
        }
    }

    fn ended(&mut self, how: StreamEnd, journal: &mut Journal) {
        if self.end.stream.is_none() {
            self.end.stream = Some(how);
            self.ended_at.get_or_insert_with(Instant::now);
            let words = End { stream: Some(how), close: self.end.close.clone(), said: None };
            let words = words.to_string();
            journal.note(Direction::In, ProtocolLayer::Tcp, || words, &[]);
            self.note_end_of_tls(how, journal);
        }
    }

    fn take(&mut self, bytes: &[u8], journal: &mut Journal) {
        if self.stage != Stage::Open {
            self.http.extend_from_slice(bytes);
            return;
        }
        for heard in self.frames.feed(bytes) {
            self.hear(heard, journal);
        }
    }

    fn hear(&mut self, heard: Heard, journal: &mut Journal) {
        match heard {
            Heard::Data { payload, ends, compressed, words, .. } => {
                journal.note(Direction::In, ProtocolLayer::Frame, || words, &payload);
                let payload = if compressed { self.inflated(&payload, ends) } else { payload };
                for point in ["never-masked", "frames-legal", "binary-only"] {
                    journal.observe(point, None, Verdict::Pass, "");
                }
                for received in self.packets.feed(&payload) {
                    self.receive(received, journal);
                }
                if ends {
                    let completed = self.packets.end_message();
                    journal.raise("packets_per_message_max", completed);
                }
            }
            Heard::Ping(payload) => {
                journal.note(Direction::In, ProtocolLayer::Frame, || "Ping".to_owned(), &payload);
                journal.count("server_pings", 1);
                self.send(&Frame::new(PONG, payload), journal);
            }
            Heard::Pong(payload) => {
                journal.note(Direction::In, ProtocolLayer::Frame, || "Pong".to_owned(), &payload);
                self.pongs.push_back(payload);
            }
            Heard::Close(close) => self.closed(close, journal),
            Heard::Violation { point, words } => {
                journal.observe(point, None, Verdict::Fail, words);
            }
            Heard::Spoilt(words) => {
                journal.observe("frames-legal", None, Verdict::Fail, words.clone());
                journal.note(Direction::In, ProtocolLayer::Frame, || words, &[]);
            }
        }
    }

    fn closed(&mut self, close: CloseFrame, journal: &mut Journal) {
        journal.note(Direction::In, ProtocolLayer::Frame, || close.to_string(), &[]);
        journal.observe("close-code-legal", None, Verdict::Pass, "");
        let code = close.code;
        self.end.close.get_or_insert(close);
        self.ended_at.get_or_insert_with(Instant::now);
        if !self.has_sent_close {
            let answer = code.map_or_else(Vec::new, |code| code.to_be_bytes().to_vec());
            self.send(&Frame::new(CLOSE, answer), journal);
        }
    }

    fn receive(&mut self, mut received: ReceivedPacket, journal: &mut Journal) {
        journal.note(Direction::In, ProtocolLayer::Packet, || received.words(), &received.raw);
        let version = Some(self.version);
        if received.is_split {
            let words = format!("{} in several messages", received.words());
            journal.observe("packets-aligned", None, Verdict::Warn, words);
        } else {
            journal.observe("packets-aligned", None, Verdict::Pass, "");
        }
        let shown = super::journal::hex(&received.raw);
        if let Ok(packet) = &mut received.packet {
            self.aliases.resolve(packet, version, journal);
            for (point, verdict, words) in self.conduct.judge(packet) {
                journal.observe(point, version, verdict, format!("{words} ({shown})"));
            }
            self.answer(packet, journal);
        } else {
            let words = format!("{} ({shown})", received.words());
            journal.observe("packets-wellformed", version, Verdict::Fail, words);
        }
        self.inbox.push_back(received);
    }

    /// Notes what a packet says about the connection, and acknowledges messages.
    fn answer(&mut self, packet: &Packet, journal: &mut Journal) {
        match packet {
            Packet::ConnAck(connack) if connack.code.0 == 0 => self.is_welcome = true,
            Packet::ConnAck(connack) => {
                self.end.said = Some((PacketType::ConnAck, connack.code));
                self.refused_at.get_or_insert_with(Instant::now);
            }
            Packet::Disconnect(disconnect) => {
                self.end.said = Some((PacketType::Disconnect, disconnect.code));
            }
            Packet::Publish(publish) if self.acks == Acks::Automatic => {
                let answer = match (publish.qos, publish.packet_id) {
                    (QoS::AtLeastOnce, Some(id)) => Packet::PubAck(Ack::success(id)),
                    (QoS::ExactlyOnce, Some(id)) => Packet::PubRec(Ack::success(id)),
                    _ => return,
                };
                self.send_packet(&answer, journal);
            }
            Packet::PubRel(ack) if self.acks == Acks::Automatic => {
                self.send_packet(&Packet::PubComp(Ack::success(ack.packet_id)), journal);
            }
            // The probe answers these, or they ask for no answer; and the last four only a client
            // sends, which `conduct` judges.
            Packet::Publish(_)
            | Packet::PubRel(_)
            | Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubComp(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp
            | Packet::Auth(_)
            | Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq => {}
        }
    }

    /// Sends a packet as one binary message.
    pub fn send_packet(&mut self, packet: &Packet, journal: &mut Journal) {
        let mut bytes = bytes::BytesMut::new();
        self.has_said_goodbye |= matches!(packet, Packet::Disconnect(_));
        // Probes write packets that cannot be encoded by hand.
        if packet.encode(self.version, &mut bytes).is_ok() {
            let is_secret = matches!(packet, Packet::Connect(_));
            let shown = if is_secret { &[][..] } else { &bytes[..] };
            journal.note(Direction::Out, ProtocolLayer::Packet, || packet.describe(), shown);
            self.conduct.sent(packet);
            let frame = Frame::binary(bytes.to_vec()).bytes(self.keys.next());
            self.write(&frame, journal);
        }
    }

    /// Sends a frame.
    pub fn send(&mut self, frame: &Frame, journal: &mut Journal) {
        match frame.first & 0xf {
            CLOSE => self.has_sent_close = true,
            PING | PONG => {}
            _ => self.conduct.lose_sight(),
        }
        journal.note(Direction::Out, ProtocolLayer::Frame, || frame.words(), &frame.payload);
        let bytes = frame.bytes(self.keys.next());
        self.write(&bytes, journal);
    }

    /// The bytes of a frame, with a mask of this connection.
    pub fn frame_bytes(&mut self, frame: &Frame) -> Vec<u8> {
        frame.bytes(self.keys.next())
    }

    /// Writes bytes as they are. A server that does not read is noticed by what it does not answer.
    pub fn write(&mut self, bytes: &[u8], journal: &mut Journal) {
        journal.traffic.0 += bytes.len() as u64;
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
