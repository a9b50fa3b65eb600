//! WebSocket (RFC 6455) without I/O, for a client and a server: the upgrade, and binary messages
//! after it. Ordinary frames are read and written here; tungstenite judges control frames and
//! everything unusual.

pub mod client;
mod control;
pub mod frame;
mod frame_log;
mod inbound;
pub mod outbound;
pub mod reader;
mod small;
pub mod upgrade;

use std::fmt;

/// Client or server: the side that this program plays.
pub use tungstenite::protocol::Role;

use frame::{INVALID_DATA, PROTOCOL_ERROR, TOO_BIG, UNSUPPORTED_DATA, close_words};

/// The payload of a client's largest message. With its header of 8 bytes it fills 32 KiB, so that
/// two messages fill 64 KiB, which is a common limit.
pub const MESSAGE_LIMIT: usize = 32 * 1024 - 8;

/// How what a client sends becomes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// A message is as long as what waits, up to [`MESSAGE_LIMIT`].
    UpToLimit,
    /// Each piece that is written is a message, however long.
    PerPiece,
}

/// The end of a WebSocket, or a violation of its protocol by the other side. The messages are those
/// of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebSocketError {
    /// A Close frame was received and has been answered. Without a code it was empty (RFC 6455
    /// §7.1.5: 1005).
    Closed {
        /// The close code.
        code: Option<u16>,
        /// The reason text of the server.
        reason: String,
    },
    /// A text frame, which MQTT forbids ([MQTT-6.0.0-1]). Holds the beginning of its payload, as
    /// far as it has arrived with the header.
    TextFrame(String),
    /// A message larger than the limit.
    TooLarge {
        /// Its length so far, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A Close frame whose reason is not UTF-8.
    BadReason,
    /// A frame header that no WebSocket server writes: reserved bits, an unknown opcode, a mask, a
    /// length that cannot be. Holds which of them.
    Garbled {
        /// What is wrong with the header.
        words: String,
        /// The first bytes from the server, escaped, if it never sent a valid frame.
        sent: Option<String>,
        /// What these bytes look like.
        look: Look,
    },
    /// Another violation of RFC 6455.
    Protocol(String),
}

/// What the bytes of a server look like that are no frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Text.
    Text,
    /// Frames that were compressed, or changed on the way.
    Frames,
}

/// A message of this length, in bytes, is more than a process can hold.
const IMPOSSIBLE: u64 = 1 << 40;

impl WebSocketError {
    /// Whether a message claims a length that no process can hold: the bytes that were read as its
    /// length are something else.
    pub fn is_spoilt(&self) -> bool {
        matches!(self, Self::TooLarge { size, .. } if *size >= IMPOSSIBLE)
    }

    /// The code of the Close frame that answers the error (RFC 6455 §7.4.1); `None` if it was
    /// already answered.
    pub fn answer(&self) -> Option<u16> {
        match self {
            Self::Closed { .. } => None,
            Self::TextFrame(_) => Some(UNSUPPORTED_DATA),
            Self::TooLarge { .. } => Some(TOO_BIG),
            Self::BadReason => Some(INVALID_DATA),
            Self::Garbled { .. } | Self::Protocol(_) => Some(PROTOCOL_ERROR),
        }
    }
}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { code: None, .. } => {
                f.write_str("the server closed the WebSocket without a code")
            }
            Self::Closed { code: Some(code), reason } => fmt_closed(f, *code, reason),
            Self::TextFrame(said) => fmt_text(f, said),
            Self::TooLarge { size, .. } if self.is_spoilt() => {
                write!(f, "a frame claims {size} bytes: the stream is corrupt")
            }
            Self::TooLarge { size, limit } => {
                write!(
                    f,
                    "the server sent a WebSocket message of {size} bytes, the limit is {limit}"
                )
            }
            Self::BadReason => f.write_str(
                "the server broke the WebSocket protocol: a Close frame whose reason is not UTF-8",
            ),
            Self::Garbled { words, sent, .. } => {
                write!(f, "the server broke the WebSocket protocol: {words}")?;
                sent.as_ref().map_or(Ok(()), |sent| write!(f, " (it sent \"{sent}\")"))
            }
            Self::Protocol(words) => write!(f, "the server broke the WebSocket protocol: {words}"),
        }
    }
}

fn fmt_closed(f: &mut fmt::Formatter<'_>, code: u16, reason: &str) -> fmt::Result {
    write!(f, "the server closed the WebSocket with code {code}")?;
    match close_words(code) {
        "" => {}
        words => write!(f, " ({words})")?,
    }
    if reason.is_empty() { Ok(()) } else { write!(f, ": {reason}") }
}

fn fmt_text(f: &mut fmt::Formatter<'_>, said: &str) -> fmt::Result {
    f.write_str("the server sent a text frame")?;
    if !said.is_empty() {
        write!(f, " (\"{}\")", said.escape_debug())?;
    }
    f.write_str(", but MQTT needs binary frames")
}

impl std::error::Error for WebSocketError {}
