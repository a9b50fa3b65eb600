//! What the other side sends, for both roles: bytes in; payloads, the end, and our answers to
//! control frames out.

use bytes::Bytes;
use tungstenite::error::{CapacityError, Error as FrameError, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Message};

use super::control::Control;
use super::frame::{self, Header, Keys};
use super::frame_log::FrameLog;
use super::inbound::Inbound;
use super::outbound::put_frame;
use super::{Role, WebSocketError};

/// The reading half of a WebSocket.
///
/// Give it what arrives by [`feed`](Self::feed) while it [wants more](Self::wants_more), then take
/// what came of it by [`next`](Self::next), and send the [answers](Self::take_answers).
#[derive(Debug)]
pub struct Reader {
    role: Role,
    inbound: Inbound,
    control: Control,
    /// What came of the latest frame that tungstenite judged.
    outcome: Option<Result<Bytes, WebSocketError>>,
    /// Whole control frames that are to be sent.
    answers: Vec<u8>,
    /// Answers to our own pings that were not taken yet.
    pongs: usize,
    /// Something broke the protocol: what follows has no meaning.
    is_broken: bool,
    log: FrameLog,
}

impl Reader {
    /// The half of the side in this `role`. No message and no frame of the other side may exceed
    /// `max_message` bytes. With `log` each frame is a line for [`traced`](Self::traced).
    pub fn new(role: Role, max_message: usize, log: bool) -> Self {
        Self {
            role,
            inbound: Inbound::new(role, max_message),
            control: Control::new(role, max_message),
            outcome: None,
            answers: Vec::new(),
            pongs: 0,
            is_broken: false,
            log: FrameLog::new(log),
        }
    }

    /// One whose every frame is tungstenite's.
    #[cfg(test)]
    pub fn that_leaves_all(self) -> Self {
        Self { inbound: Inbound::that_leaves_all(self.role), ..self }
    }

    /// Whether [`feed`](Self::feed) would take something: there is nothing that
    /// [`next`](Self::next) or [`take_answers`](Self::take_answers) should take first.
    pub fn wants_more(&self) -> bool {
        self.outcome.is_none()
            && self.answers.is_empty()
            && !self.inbound.is_full()
            && !self.inbound.has_fault()
            && !(self.inbound.is_other() && self.inbound.has_payload())
    }

    /// Takes bytes that have arrived; how many.
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

    /// The next payload, never empty and cut anywhere, or how the WebSocket ended; `None` when more
    /// must arrive first. After the end nothing counts.
    pub fn next(&mut self) -> Option<Result<Bytes, WebSocketError>> {
        if let Some(payload) = self.inbound.payload() {
            return Some(Ok(payload));
        }
        if let Some(fault) = self.inbound.take_fault() {
            self.is_broken = true;
            return Some(Err(fault));
        }
        if self.inbound.has_header() {
            // A frame without payload, or one whose header came after a payload.
            self.feed_other(&[]);
        }
        self.outcome.take()
    }

    /// Whole control frames that are to be sent at once; empty if there are none.
    pub fn take_answers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.answers)
    }

    /// Whether a Pong came; each counts once.
    pub fn take_pong(&mut self) -> bool {
        let came = self.pongs > 0;
        self.pongs -= usize::from(came);
        came
    }

    /// The payload of the first frame, as far as it is remembered, if it is text, as no MQTT packet
    /// begins.
    pub fn first_text(&self) -> Option<String> {
        let first = self.inbound.first();
        let header = Header::read(first)?;
        let payload = &first[header.length..];
        let length = usize::try_from(header.payload).unwrap_or(usize::MAX);
        let payload = &payload[..payload.len().min(length)];
        let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        (payload.len() >= 4 && payload.iter().take(8).all(is_text))
            .then(|| payload.escape_ascii().to_string())
    }

    /// A line about a frame that was not taken yet.
    pub fn traced(&mut self) -> Option<String> {
        self.log.take()
    }

    /// The state of the closing handshake, for the half that writes.
    pub(super) fn control(&mut self) -> &mut Control {
        &mut self.control
    }

    /// Where frames are noted, for the half that writes.
    pub(super) fn log(&mut self) -> &mut FrameLog {
        &mut self.log
    }

    /// Gives tungstenite part of a frame; how many of the bytes that have arrived.
    fn feed_other(&mut self, arrived: &[u8]) -> usize {
        let mut taken = 0;
        let header = self.inbound.take_header();
        if !header.is_empty() {
            self.judge(&header);
        }
        if self.outcome.is_none() {
            let part = self.inbound.take_other(arrived);
            taken = part.len();
            if taken > 0 {
                self.judge(part);
            }
        }
        taken
    }

    fn judge(&mut self, part: &[u8]) {
        let before = self.answers.len();
        self.outcome = match self.control.feed(part, &mut self.answers) {
            Ok(Some(Message::Binary(bytes))) if !bytes.is_empty() => Some(Ok(bytes)),
            Ok(Some(Message::Text(_))) => Some(Err(WebSocketError::TextFrame)),
            Ok(Some(Message::Close(frame))) => Some(Err(self.closed(frame, before))),
            Ok(Some(Message::Pong(_))) => {
                self.pongs = self.pongs.saturating_add(1);
                None
            }
            Ok(_) => None,
            Err(error) => {
                self.is_broken = true;
                Some(Err(self.error(&error)))
            }
        };
    }

    /// What a Close frame says. tungstenite puts 1002 in the place of a code that it does not know,
    /// in what it tells and in its answer, which begins at `before`. The list of codes is ours.
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
        // tungstenite has refused what is no UTF-8.
        let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
        WebSocketError::Closed { code: Some(sent), reason: reason.into_owned() }
    }

    fn error(&self, error: &FrameError) -> WebSocketError {
        match error {
            FrameError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                WebSocketError::TooLarge { size: *size as u64, limit: *max_size as u64 }
            }
            FrameError::Utf8(_) => WebSocketError::BadReason,
            FrameError::Protocol(error) => WebSocketError::Protocol(self.explained(error)),
            other => WebSocketError::Protocol(other.to_string()),
        }
    }

    /// What a protocol error is, and what the other side sent when it never sent a frame that makes
    /// sense.
    fn explained(&self, error: &ProtocolError) -> String {
        let words = protocol_words(error);
        match self.inbound.nonsense() {
            Some(sent) => format!("{words} (it sent \"{}\")", sent.escape_ascii()),
            None => words,
        }
    }
}

/// tungstenite's sentence with a small first letter.
fn protocol_words(error: &ProtocolError) -> String {
    let words = error.to_string();
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests;
