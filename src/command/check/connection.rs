//! One connection of `check`: what waits for it, and how what comes goes from the stream to the
//! WebSocket and on to MQTT.

pub mod mqtt;
pub mod stream;
pub mod websocket;

use std::sync::Arc;
use std::time::Instant;

use super::answer::{self, AnswerHead, Parsed};
use super::finding::{CloseFrame, End, StreamEnd, Verdict};
use super::journal::{Direction, Journal, ProtocolLayer};
use super::reader::Heard;
use super::wire::{Frame, PING, PONG};
use crate::mqtt::packet::Packet;
use crate::mqtt::version::Version;
use crate::transport::dial::Dialled;
use crate::transport::poll::Waker;
use crate::transport::tls::TlsConfig;
use crate::transport::{self};
use crate::websocket::frame::CLOSE;
use mqtt::MqttSide;
use stream::ServerStream;
use websocket::{OurClose, WebSocketSide};

/// How many Pongs may wait to be taken.
const MOST_PONGS: usize = 1000;

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
    /// TCP and TLS.
    pub stream: ServerStream,
    stage: Stage,
    /// What came before the WebSocket was open.
    http: Vec<u8>,
    /// The frames.
    pub websocket: WebSocketSide,
    /// The packets.
    pub mqtt: MqttSide,
    /// How the server has ended it, as far as it has.
    pub end: End,
    /// When the server has ended it, if it has.
    pub ended_at: Option<Instant>,
}

impl Link {
    /// A connection over what was dialled, with TLS to this host.
    pub fn new(
        dialled: Dialled,
        tls: Option<(&TlsConfig, &str)>,
        waker: &Arc<Waker>,
    ) -> Result<Self, transport::Error> {
        Ok(Self {
            stage: if tls.is_some() { Stage::Security } else { Stage::Http },
            stream: ServerStream::new(dialled, tls, waker)?,
            http: Vec::new(),
            websocket: WebSocketSide::default(),
            mqtt: MqttSide::new(Version::V5),
            end: End::default(),
            ended_at: None,
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

    /// The answer to the request, once it is there; the first frames behind it are kept.
    pub fn take_head(&mut self) -> Option<Parsed> {
        let parsed = answer::parse(&self.http);
        if let Parsed::Head(_, length) = &parsed {
            self.http.drain(..*length);
        }
        (parsed != Parsed::Partial).then_some(parsed)
    }

    /// What came instead of an answer.
    pub fn early_bytes(&self) -> &[u8] {
        &self.http
    }

    /// From now on frames are read, also what came behind the answer.
    pub fn open(&mut self, head: &AnswerHead, journal: &mut Journal) {
        self.websocket.agree(head);
        self.stage = Stage::Open;
        let early = std::mem::take(&mut self.http);
        self.take(&early, journal);
    }

    /// Whether the server has ended it: by a Close frame or by the stream.
    pub fn has_ended(&self) -> bool {
        self.end.close.is_some() || self.end.stream.is_some()
    }

    /// Waits for the socket until this time, and takes what it has. Returns at once when something
    /// came, or a signal.
    pub fn pump(&mut self, journal: &mut Journal, until: Instant) {
        if let Some(count) = self.stream.wait(until) {
            journal.traffic.1 += count;
            self.ingest(journal);
            self.stream.recycle();
        }
    }

    /// Reads what was delivered.
    fn ingest(&mut self, journal: &mut Journal) {
        match self.advance_tls() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                self.stream.tls_error = Some(error);
                self.ended(StreamEnd::BrokenTls, journal);
            }
        }
        let mut buffer = [0; 16 * 1024];
        while self.end.stream.is_none() {
            match self.stream.read(&mut buffer) {
                Some(Ok(count)) => self.take(&buffer[..count], journal),
                Some(Err(how)) => self.ended(how, journal),
                None => return,
            }
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

    /// Notes whether the server ended TLS in order after it was told to (RFC 8446 §6.1).
    fn note_end_of_tls(&self, how: StreamEnd, journal: &mut Journal) {
        if !self.mqtt.has_left() || self.stream.tls().is_none() {
            return;
        }
        let bare = match how {
            StreamEnd::Fin if !self.stream.is_truncated() => None,
            StreamEnd::Fin => Some("FIN without close_notify"),
            StreamEnd::Reset | StreamEnd::BrokenTls => Some("RST without close_notify"),
        };
        let verdict = bare.map_or(Verdict::Pass, |_| Verdict::Warn);
        journal.observe("tls-close-notify", None, verdict, bare.unwrap_or_default());
    }

    fn take(&mut self, bytes: &[u8], journal: &mut Journal) {
        if self.stage != Stage::Open {
            self.http.extend_from_slice(bytes);
            return;
        }
        for heard in self.websocket.feed(bytes) {
            self.hear(heard, journal);
        }
    }

    fn hear(&mut self, heard: Heard, journal: &mut Journal) {
        let mut note = |words: String, bytes: &[u8]| {
            journal.note(Direction::In, ProtocolLayer::Frame, || words, bytes);
        };
        match heard {
            Heard::Data { payload, ends, compressed, words, .. } => {
                note(words, &payload);
                let inflated = compressed.then(|| self.websocket.inflated(&payload, ends));
                self.take_data(&inflated.unwrap_or(payload), ends, journal);
            }
            Heard::Ping(payload) => {
                note("Ping".to_owned(), &payload);
                journal.count("server_pings", 1);
                self.send(&Frame::new(PONG, payload), journal);
            }
            Heard::Pong(payload) => {
                note("Pong".to_owned(), &payload);
                if self.websocket.pongs.len() < MOST_PONGS {
                    self.websocket.pongs.push_back(payload);
                }
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

    fn take_data(&mut self, payload: &[u8], ends: bool, journal: &mut Journal) {
        for point in ["never-masked", "frames-legal", "binary-only"] {
            journal.observe(point, None, Verdict::Pass, "");
        }
        for answer in self.mqtt.take(payload, &mut self.end, journal) {
            self.send_packet(&answer, journal);
        }
        if ends {
            self.mqtt.end_message(journal);
        }
    }

    fn closed(&mut self, close: CloseFrame, journal: &mut Journal) {
        journal.note(Direction::In, ProtocolLayer::Frame, || close.to_string(), &[]);
        journal.observe("close-code-legal", None, Verdict::Pass, "");
        let code = close.code;
        self.end.close.get_or_insert(close);
        self.ended_at.get_or_insert_with(Instant::now);
        if self.websocket.our_close == OurClose::Due {
            let answer = code.map_or_else(Vec::new, |code| code.to_be_bytes().to_vec());
            self.send(&Frame::new(CLOSE, answer), journal);
        }
    }

    /// Sends a packet as one binary message.
    pub fn send_packet(&mut self, packet: &Packet, journal: &mut Journal) {
        if let Some(bytes) = self.mqtt.sent_bytes(packet, journal) {
            let frame = self.websocket.frame_bytes(&Frame::binary(bytes));
            self.write(&frame, journal);
        }
    }

    /// Sends a frame.
    pub fn send(&mut self, frame: &Frame, journal: &mut Journal) {
        if !matches!(frame.first & 0xf, CLOSE | PING | PONG) {
            self.mqtt.conduct.lose_sight();
        }
        let bytes = self.websocket.sent_bytes(frame, journal);
        self.write(&bytes, journal);
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8], journal: &mut Journal) {
        journal.traffic.0 += bytes.len() as u64;
        self.stream.write(bytes);
    }
}
