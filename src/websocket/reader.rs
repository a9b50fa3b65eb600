//! Reads a WebSocket, for both roles: takes bytes; returns payloads, the end, and the answers to
//! control frames.

use bytes::Bytes;
use tungstenite::error::{CapacityError, Error as FrameError, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Message};

use super::control::Control;
use super::frame::{self, FrameHeader, Keys};
use super::frame_log::FrameLog;
use super::inbound::Inbound;
use super::outbound::put_frame;
use super::{Look, Role, WebSocketError};

/// The reading half of a WebSocket.
///
/// Give it the bytes that arrive with [`feed`](Self::feed) while it [wants more](Self::wants_more).
/// Then take its results with [`next`](Self::next) and send the [answers](Self::take_answers).
#[derive(Debug)]
pub struct Reader {
    role: Role,
    inbound: Inbound,
    /// Made for the first frame that tungstenite judges: most clients of a broker send none.
    control: Option<Box<Control>>,
    max_message: usize,
    /// The result of the last frame that tungstenite judged.
    outcome: Option<Result<Bytes, WebSocketError>>,
    /// Whole control frames to send.
    answers: Vec<u8>,
    /// The number of the latest Ping, and what became of it.
    pings: u32,
    ping: PingState,
    /// The other side broke the protocol. Later bytes are ignored.
    is_broken: bool,
    log: FrameLog,
}

/// What became of our latest Ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PingState {
    /// There is none, or its answer was reported.
    Nothing,
    /// It has no answer yet.
    Waiting,
    /// Its answer came.
    Answered,
}

impl Reader {
    /// The reading half in this `role`. No message and no frame of the other side may exceed
    /// `max_message` bytes. With `log`, [`traced`](Self::traced) returns a line about each frame.
    pub fn new(role: Role, max_message: usize, log: bool) -> Self {
        Self {
            role,
            inbound: Inbound::new(role, max_message),
            control: None,
            max_message,
            outcome: None,
            answers: Vec::new(),
            pings: 0,
            ping: PingState::Nothing,
            is_broken: false,
            log: FrameLog::new(log),
        }
    }

    /// The same, but tungstenite reads every frame.
    #[cfg(test)]
    pub fn leaving_all_to_tungstenite(self) -> Self {
        Self { inbound: Inbound::leaving_all_to_tungstenite(self.role), ..self }
    }

    /// Whether [`feed`](Self::feed) would take anything. It takes nothing while
    /// [`next`](Self::next) or [`take_answers`](Self::take_answers) has something to return.
    pub fn wants_more(&self) -> bool {
        self.outcome.is_none()
            && self.answers.is_empty()
            && !self.inbound.is_full()
            && !self.inbound.has_fault()
            && !(self.inbound.is_other() && self.inbound.has_payload())
    }

    /// Takes bytes that have arrived. Returns how many.
    pub fn feed(&mut self, arrived: &[u8]) -> usize {
        if self.is_broken {
            return arrived.len();
        }
        let mut taken = 0;
        while taken < arrived.len() && self.wants_more() {
            let rest = &arrived[taken..];
            taken += if self.inbound.is_other() {
                self.feed_other(rest)
            } else {
                self.inbound.take(rest, &mut self.log)
            };
        }
        taken
    }

    /// The next payload, never empty and cut anywhere, or the end of the WebSocket; `None` if more
    /// bytes are needed. After the end there is nothing else.
    pub fn next(&mut self) -> Option<Result<Bytes, WebSocketError>> {
        if let Some(payload) = self.inbound.payload() {
            return Some(Ok(payload));
        }
        if let Some(fault) = self.inbound.take_fault() {
            self.is_broken = true;
            return Some(Err(fault));
        }
        if self.inbound.has_header() {
            // A frame without a payload, or one whose header arrived after a payload.
            self.feed_other(&[]);
        }
        self.outcome.take()
    }

    /// Gives back the memory for payloads, if none waits.
    pub fn release_memory(&mut self) {
        self.inbound.release_memory();
    }

    /// Takes the whole control frames that should be sent at once; empty if there are none.
    pub fn take_answers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.answers)
    }

    /// Appends a Ping with the next number as its payload to `frames`, unless one side has closed.
    /// Returns whether it did.
    pub fn ping(&mut self, frames: &mut Vec<u8>) -> bool {
        self.pings = self.pings.wrapping_add(1);
        self.ping = PingState::Waiting;
        let payload = Bytes::copy_from_slice(&self.pings.to_be_bytes());
        self.control().ping(payload, frames)
    }

    /// Whether the latest Ping was answered. A Pong with another payload is no answer to it, and
    /// the other side need not answer earlier ones (RFC 6455 §5.5.3). Each answer is reported once.
    pub fn take_pong(&mut self) -> bool {
        let is_answered = self.ping == PingState::Answered;
        if is_answered {
            self.ping = PingState::Nothing;
        }
        is_answered
    }

    /// The remembered part of the first frame's payload if it is text, which no MQTT packet is.
    pub fn first_text(&self) -> Option<String> {
        let payload = self.first_payload()?;
        is_text(&payload).then(|| payload.escape_ascii().to_string())
    }

    /// Whether the other side began with a CONNECT, masked or not: it sends back what it is sent.
    pub fn has_echoed_connect(&self) -> bool {
        // The type, a length of one to four bytes, and the name of the protocol with its length.
        self.first_payload().is_some_and(|payload| {
            payload.first() == Some(&0x10)
                && (2..=5).any(|at| {
                    let name = payload.get(at..).unwrap_or_default();
                    name.starts_with(b"\0\x04MQTT") || name.starts_with(b"\0\x06MQIsdp")
                })
        })
    }

    /// The remembered part of the first frame's payload.
    fn first_payload(&self) -> Option<Vec<u8>> {
        let first = self.inbound.first();
        let header = FrameHeader::read(first)?;
        let payload = &first[header.length..];
        let length = usize::try_from(header.payload).unwrap_or(usize::MAX);
        let mut payload = payload[..payload.len().min(length)].to_vec();
        if let Some(key) = header.key {
            frame::unmask(&mut payload, key);
        }
        Some(payload)
    }

    /// The next line about a frame.
    pub fn traced(&mut self) -> Option<String> {
        self.log.take()
    }

    /// The state of the closing handshake, for the writing half.
    pub(super) fn control(&mut self) -> &mut Control {
        let (role, max_message) = (self.role, self.max_message);
        self.control.get_or_insert_with(|| Box::new(Control::new(role, max_message)))
    }

    /// The log of frames, for the writing half.
    pub(super) fn log(&mut self) -> &mut FrameLog {
        &mut self.log
    }

    /// Gives tungstenite part of a frame. Returns how many of the arrived bytes it took.
    fn feed_other(&mut self, arrived: &[u8]) -> usize {
        let mut taken = 0;
        let header = self.inbound.take_header();
        if !header.is_empty() {
            self.judge(&header);
        }
        if self.outcome.is_none() {
            let (part, count) = self.inbound.take_other(arrived);
            taken = count;
            if !part.is_empty() {
                self.judge(part);
            }
        }
        taken
    }

    fn judge(&mut self, part: &[u8]) {
        let before = self.answers.len();
        let mut answers = std::mem::take(&mut self.answers);
        let judged = self.control().feed(part, &mut answers);
        self.answers = answers;
        self.outcome = match judged {
            Ok(Some(Message::Binary(bytes))) if !bytes.is_empty() => Some(Ok(bytes)),
            Ok(Some(Message::Text(text))) => {
                Some(Err(WebSocketError::TextFrame(text.as_str().to_owned())))
            }
            Ok(Some(Message::Close(frame))) => Some(Err(self.closed(frame, before))),
            Ok(Some(Message::Pong(payload))) => {
                if self.ping == PingState::Waiting && *payload == self.pings.to_be_bytes() {
                    self.ping = PingState::Answered;
                }
                None
            }
            Ok(_) => None,
            Err(error) => {
                self.is_broken = true;
                Some(Err(self.error(&error)))
            }
        };
    }

    /// The meaning of a Close frame. tungstenite replaces a code that it does not know by 1002,
    /// both in its report and in its answer, which begins at `before`. The list of codes here is
    /// longer, so the code is read from the frame itself.
    fn closed(&mut self, frame: Option<CloseFrame>, before: usize) -> WebSocketError {
        let Some(CloseFrame { code, reason }) = frame else {
            return WebSocketError::Closed { code: None, reason: String::new() };
        };
        let told = u16::from(code);
        let payload = self.inbound.control_payload();
        let sent = payload.first_chunk().map_or(told, |code| u16::from_be_bytes(*code));
        if code != CloseCode::Protocol || sent == told {
            return WebSocketError::Closed { code: Some(told), reason: reason.as_str().to_owned() };
        }
        if !frame::is_close_code(sent) {
            return WebSocketError::Protocol(format!("a Close frame with the invalid code {sent}"));
        }
        if self.answers.len() > before {
            self.answers.truncate(before);
            let key = (self.role == Role::Client).then(|| Keys::default().next());
            put_frame(frame::CLOSE, &payload, key, &mut self.answers);
        }
        // tungstenite has refused a reason that is not UTF-8.
        let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
        WebSocketError::Closed { code: Some(sent), reason: reason.into_owned() }
    }

    fn error(&self, error: &FrameError) -> WebSocketError {
        match error {
            FrameError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                WebSocketError::TooLarge { size: *size as u64, limit: *max_size as u64 }
            }
            FrameError::Utf8(_) => WebSocketError::BadReason,
            FrameError::Protocol(error) if is_garbled(error) => self.garbled(error),
            FrameError::Protocol(error) => WebSocketError::Protocol(protocol_words(error)),
            other => WebSocketError::Protocol(other.to_string()),
        }
    }

    /// A frame header that makes no sense. If the other side never sent a valid frame, its first
    /// bytes are quoted.
    fn garbled(&self, error: &ProtocolError) -> WebSocketError {
        let start = self.inbound.unrecognised_start();
        let look = match start {
            Some(start) if is_text(start) => Look::Text,
            Some(_) | None => Look::Frames,
        };
        let sent = start.map(|sent| sent.escape_ascii().to_string());
        WebSocketError::Garbled { words: protocol_words(error), sent, look }
    }
}

/// Whether the header of the frame itself is wrong, and not only its place among the others.
fn is_garbled(error: &ProtocolError) -> bool {
    matches!(
        error,
        ProtocolError::NonZeroReservedBits
            | ProtocolError::UnmaskedFrameFromClient
            | ProtocolError::MaskedFrameFromServer
            | ProtocolError::FragmentedControlFrame
            | ProtocolError::ControlFrameTooBig
            | ProtocolError::UnknownControlFrameType(_)
            | ProtocolError::UnknownDataFrameType(_)
            | ProtocolError::InvalidOpcode(_)
    )
}

/// Whether the bytes begin as text does.
fn is_text(bytes: &[u8]) -> bool {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    bytes.len() >= 4 && bytes.iter().take(8).all(is_text)
}

/// What the other side did, in the terms of RFC 6455.
fn protocol_words(error: &ProtocolError) -> String {
    let words = match error {
        ProtocolError::NonZeroReservedBits => "a frame with reserved bits set",
        ProtocolError::UnmaskedFrameFromClient => "an unmasked frame from the client",
        ProtocolError::MaskedFrameFromServer => "a masked frame from the server",
        ProtocolError::FragmentedControlFrame => "a fragmented control frame",
        ProtocolError::ControlFrameTooBig => "a control frame of more than 125 bytes",
        ProtocolError::UnexpectedContinueFrame => {
            "a continuation frame without a message to continue"
        }
        ProtocolError::ExpectedFragment(_) => "a new message before the previous message ended",
        ProtocolError::InvalidCloseSequence => "a Close frame with an invalid payload",
        ProtocolError::UnknownControlFrameType(opcode)
        | ProtocolError::UnknownDataFrameType(opcode)
        | ProtocolError::InvalidOpcode(opcode) => {
            return format!("a frame with the unknown opcode {opcode}");
        }
        other => return other.to_string(),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests;
