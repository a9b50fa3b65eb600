//! WebSocket frames over a stream whose reads never block: the usual ones are taken apart and put
//! together here, everything else is tungstenite's. Binary messages only. It must never know what
//! they carry.

mod frame_log;
mod header;
mod inbound;
mod outbound;

use std::fmt;
use std::io;

use bytes::Bytes;
use tungstenite::error::{CapacityError, Error as FrameError, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig, WebSocketContext};

use super::Phase;
use super::error::Error;
use super::stream::Stream;
use super::words::{io_words, printable, uncapitalised};
use frame_log::FrameLog;
use inbound::{Gathered, Inbound};
use outbound::Outbound;

/// tungstenite zeroes this much before each read.
const READ_BUFFER: usize = 16 * 1024;

/// The payload of our largest message: with its header of 8 bytes it fills 32 KiB, so that two fill
/// 64 KiB. Limits of 64 KiB are common.
pub const MESSAGE_LIMIT: usize = 32 * 1024 - 8;

/// How a WebSocket connection ended, or who broke it.
#[derive(Debug)]
pub enum WebSocketError {
    /// The server sent a Close frame; it has been answered. Without a code it was empty (RFC 6455
    /// §7.1.5: 1005).
    Closed {
        /// The close code.
        code: Option<u16>,
        /// The server's words, safe to print.
        reason: String,
    },
    /// The connection ended without a Close frame: orderly, or with the error of the last read.
    Ended {
        /// Reset, time-out and the like; none for an orderly end of the stream.
        cause: Option<io::Error>,
    },
    /// A text frame, which MQTT forbids ([MQTT-6.0.0-1]). Closed with 1003.
    TextFrame,
    /// A message larger than we accept. Closed with 1009.
    TooLarge {
        /// Its length so far, in bytes.
        size: u64,
        /// The most we accept, in bytes.
        limit: u64,
    },
    /// The server broke RFC 6455. Closed with 1002 (or 1007 for bad UTF-8).
    Protocol(String),
}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { code: None, .. } => {
                f.write_str("the server closed the WebSocket without a code")
            }
            Self::Closed { code: Some(code), reason } if reason.is_empty() => {
                write!(f, "the server closed the WebSocket with code {code}{}", code_words(*code))
            }
            Self::Closed { code: Some(code), reason } => {
                write!(
                    f,
                    "the server closed the WebSocket with code {code}{}: {reason}",
                    code_words(*code)
                )
            }
            Self::Ended { cause: None } => f.write_str("the server closed the connection"),
            Self::Ended { cause: Some(error) } => f.write_str(&io_words(error)),
            Self::TextFrame => f.write_str("the server sent a text frame, MQTT is binary"),
            Self::TooLarge { size, limit } => {
                write!(
                    f,
                    "the server sent a WebSocket message of {size} bytes, the limit is {limit}"
                )
            }
            Self::Protocol(words) => write!(f, "the server broke the WebSocket protocol: {words}"),
        }
    }
}

impl std::error::Error for WebSocketError {}

/// The meaning of a code, as a parenthesis (RFC 6455 §7.4.1).
fn code_words(code: u16) -> &'static str {
    match code {
        1000 => " (normal)",
        1001 => " (going away)",
        1002 => " (protocol error)",
        1003 => " (unacceptable data)",
        1007 => " (inconsistent data)",
        1008 => " (policy violation)",
        1009 => " (message too big)",
        1011 => " (internal error)",
        1012 => " (restarting)",
        1013 => " (try again later)",
        _ => "",
    }
}

/// The state of the frames of one connection.
#[derive(Debug)]
pub struct Frames {
    context: WebSocketContext,
    /// The payload of the largest message we send.
    message_limit: usize,
    /// Answers to our own pings that nobody has asked for yet.
    pongs: usize,
    inbound: Inbound,
    outbound: Outbound,
    /// Our Close frame stands behind what waits, or was sent with it.
    is_closed: bool,
    log: FrameLog,
}

impl Frames {
    /// Frames of a client after the upgrade. No message and no frame of the server may exceed
    /// `max_message` bytes; ours stay below [`MESSAGE_LIMIT`], or are as long as what is written
    /// (`whole_pieces`). With `log` each frame is a line for [`Frames::traced`].
    ///
    /// What arrived behind the answer to the upgrade is given back to the stream, so that
    /// tungstenite sees nothing but what [`Inbound`] leaves to it.
    pub fn new(max_message: usize, whole_pieces: bool, log: bool) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        let message_limit = if whole_pieces { usize::MAX } else { MESSAGE_LIMIT };
        let context = WebSocketContext::new(Role::Client, Some(config));
        let (inbound, outbound) = (Inbound::new(max_message), Outbound::default());
        let log = FrameLog::new(log);
        Self { context, message_limit, pongs: 0, inbound, outbound, is_closed: false, log }
    }

    /// A line about a frame that was not taken yet.
    pub fn traced(&mut self) -> Option<String> {
        self.log.log.take()
    }

    /// The payload of the first frame, as far as it is kept, if it is text, as no MQTT packet
    /// begins.
    pub fn first_text(&self) -> Option<String> {
        let said = self.inbound.said();
        let header = header::Header::read(said)?;
        let payload = &said[header.length..];
        let payload =
            &payload[..payload.len().min(usize::try_from(header.payload).unwrap_or(usize::MAX))];
        let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        (payload.len() >= 4 && payload.iter().take(8).all(is_text))
            .then(|| payload.escape_ascii().to_string())
    }

    /// The next payloads, never empty, cut anywhere; none when the inbox is drained. Pings and
    /// Closes are answered at once.
    pub fn read(&mut self, stream: &mut Stream) -> Result<Option<Bytes>, Error> {
        loop {
            match self.inbound.gather(stream, &mut self.log) {
                Gathered::Bytes(bytes) => return Ok(Some(bytes)),
                Gathered::Nothing => return Ok(None),
                Gathered::Refused(fault) => return Err(self.fail(stream, fault)),
                Gathered::Foreign => {}
            }
            if let Some(bytes) = self.read_foreign(stream)? {
                return Ok(Some(bytes));
            }
        }
    }

    /// Gives tungstenite a frame that is none of the usual ones, or what has come of it.
    fn read_foreign(&mut self, stream: &mut Stream) -> Result<Option<Bytes>, Error> {
        // Its answer stands behind what waits.
        self.write_out(stream)?;
        loop {
            match self.context.read(&mut self.inbound.feed(stream, &mut self.log)) {
                Ok(Message::Binary(bytes)) if bytes.is_empty() => {}
                Ok(Message::Binary(bytes)) => return Ok(Some(bytes)),
                // The answer to a Ping leaves with the next turn of this loop; after a Close
                // nothing counts but the end (RFC 6455 §1.4).
                Ok(Message::Pong(_)) => self.pongs = self.pongs.saturating_add(1),
                Ok(Message::Ping(_) | Message::Frame(_))
                | Err(FrameError::Protocol(ProtocolError::ReceivedAfterClosing)) => {}
                // It was refused before.
                Ok(Message::Text(_)) => return Err(self.fail(stream, WebSocketError::TextFrame)),
                Ok(Message::Close(frame)) => {
                    // The server is leaving: whether our answer still reaches it does not matter.
                    let _ = self.context.flush(&mut self.log.over(stream));
                    return Err(self.closed(frame).into());
                }
                Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(None);
                }
                Err(error) => return Err(self.read_error(stream, error)),
            }
        }
    }

    fn read_error(&mut self, stream: &mut Stream, error: FrameError) -> Error {
        match error {
            FrameError::ConnectionClosed
            | FrameError::AlreadyClosed
            | FrameError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                WebSocketError::Ended { cause: None }.into()
            }
            FrameError::Io(error) => match Error::from_stream(Phase::Open, error) {
                Error::Io { source, .. } => WebSocketError::Ended { cause: Some(source) }.into(),
                tls => tls,
            },
            FrameError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                let (size, limit) = (size as u64, max_size as u64);
                self.fail(stream, WebSocketError::TooLarge { size, limit })
            }
            FrameError::Utf8(_) => {
                let error =
                    WebSocketError::Protocol("a Close frame whose reason is not UTF-8".into());
                self.fail_with(stream, CloseCode::Invalid, error)
            }
            FrameError::Protocol(error) => {
                let error = WebSocketError::Protocol(self.explained(&error));
                self.fail(stream, error)
            }
            other => WebSocketError::Protocol(uncapitalised(&other.to_string())).into(),
        }
    }

    /// What a Close frame says. tungstenite has put 1002 where the code was none (RFC 6455 §7.4).
    fn closed(&self, frame: Option<CloseFrame>) -> WebSocketError {
        let Some(CloseFrame { code, reason }) = frame else {
            return WebSocketError::Closed { code: None, reason: String::new() };
        };
        match self.inbound.close_code() {
            Some(sent) if code == CloseCode::Protocol && sent != u16::from(code) => {
                WebSocketError::Protocol(format!("a Close frame with the invalid code {sent}"))
            }
            _ => WebSocketError::Closed {
                code: Some(code.into()),
                reason: printable(reason.as_str(), 125),
            },
        }
    }

    /// What a protocol error is, and what the server sent when it never sent a frame that makes
    /// sense.
    fn explained(&self, error: &ProtocolError) -> String {
        let words = uncapitalised(&error.to_string());
        match self.inbound.babble() {
            Some(said) => format!("{words} (it sent \"{}\")", said.escape_ascii()),
            None => words,
        }
    }

    /// Fails the connection with the code that the error has.
    fn fail(&mut self, stream: &mut Stream, error: WebSocketError) -> Error {
        let code = match error {
            WebSocketError::TextFrame => CloseCode::Unsupported,
            WebSocketError::TooLarge { .. } => CloseCode::Size,
            _ => CloseCode::Protocol,
        };
        self.fail_with(stream, code, error)
    }

    /// Fails the connection (RFC 6455 §7.1.7): says why with a Close frame, if it can still be
    /// said.
    fn fail_with(&mut self, stream: &mut Stream, code: CloseCode, error: WebSocketError) -> Error {
        let _ = self.close_with(stream, code);
        error.into()
    }

    /// Buffers `bytes` as binary messages, never empty ones; a full buffer is written at once.
    /// While the wire is congested what is left stays in `bytes`.
    pub fn write(&mut self, stream: &mut Stream, bytes: &mut Bytes) -> Result<(), Error> {
        while !bytes.is_empty() && !stream.wire().is_congested() {
            if !self.context.can_write() {
                return Err(WebSocketError::Ended { cause: None }.into());
            }
            // What was taken is let go of at once: its memory is for whoever writes next.
            self.outbound.put(&bytes.split_to(bytes.len().min(self.message_limit)));
            if self.outbound.is_full() {
                self.write_out(stream)?;
            }
        }
        Ok(())
    }

    /// Writes what waits: tungstenite has something to say, or nothing more is to come for now.
    fn write_out(&mut self, stream: &mut Stream) -> Result<(), Error> {
        self.outbound
            .write_out(&mut self.log.over(stream))
            .map_err(|error| write_error(&error.into()))
    }

    /// Sends a Ping (RFC 6455 §5.5.2), and everything before it.
    pub fn ping(&mut self, stream: &mut Stream) -> Result<(), Error> {
        self.write_out(stream)?;
        let mut stream = self.log.over(stream);
        let sent = self.context.write(&mut stream, Message::Ping(Bytes::new()));
        sent.and_then(|()| self.context.flush(&mut stream)).map_err(|error| write_error(&error))
    }

    /// Whether a Pong came; each counts once.
    pub fn take_pong(&mut self) -> bool {
        let came = self.pongs > 0;
        self.pongs -= usize::from(came);
        came
    }

    /// Writes everything buffered.
    pub fn flush(&mut self, stream: &mut Stream) -> Result<(), Error> {
        self.write_out(stream)?;
        self.context.flush(&mut self.log.over(stream)).map_err(|error| write_error(&error))
    }

    /// Puts Close 1000 behind what waits, so that both leave in one write, if the one cannot be
    /// lost with the other by that; where it can, [`close`](Self::close) sends it. Nothing may be
    /// said or read after it.
    pub fn put_close(&mut self) {
        self.is_closed = self.is_closed || (self.context.can_write() && self.outbound.put_close());
    }

    /// Sends Close 1000, once, and everything before it.
    pub fn close(&mut self, stream: &mut Stream) -> Result<(), Error> {
        if self.is_closed {
            self.write_out(stream)
        } else {
            self.close_with(stream, CloseCode::Normal)
        }
    }

    fn close_with(&mut self, stream: &mut Stream, code: CloseCode) -> Result<(), Error> {
        self.write_out(stream)?;
        let frame = CloseFrame { code, reason: "".into() };
        self.context
            .close(&mut self.log.over(stream), Some(frame))
            .map_err(|error| write_error(&error))
    }
}

/// The wire swallows the errors of the socket, so what is left is that one of us has closed.
fn write_error(error: &FrameError) -> Error {
    let cause = match error {
        FrameError::Io(error) => Some(io::Error::from(error.kind())),
        _ => None,
    };
    WebSocketError::Ended { cause }.into()
}

#[cfg(test)]
mod tests;
