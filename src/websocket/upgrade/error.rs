//! Every way in which an upgrade fails, as data and as one line.

use std::fmt;

/// Why there is no WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpgradeError {
    /// Closed or reset without one byte of an answer: most often a subprotocol that the server does
    /// not want.
    Closed,
    /// Closed or reset within the head of the answer.
    Truncated,
    /// What answered does not speak HTTP.
    NotHttp(NotHttp),
    /// More than 64 KiB of head.
    HeadTooLarge,
    /// HTTP, but not well-formed.
    Malformed(String),
    /// An answer with another status than 101.
    Status(Box<HttpResponse>),
    /// An answer of 101 that breaks RFC 6455.
    Bad(BadUpgrade),
    /// An extra header of ours cannot be sent: its name or value holds a forbidden character. Holds
    /// the name.
    BadHeader(String),
}

/// What speaks where HTTP should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotHttp {
    /// A CONNACK: MQTT over plain TCP.
    Mqtt,
    /// HTTP/2, by its preface or a frame.
    Http2,
    /// A TLS record: `wss://` would be right.
    Tls,
    /// Anything else: its first bytes, escaped.
    Other(String),
}

/// What is wrong with an answer of 101.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadUpgrade {
    /// In HTTP/1.0, which has no upgrade.
    OldHttp,
    /// No `Upgrade: websocket`.
    NoUpgrade,
    /// No `Connection: Upgrade`.
    NoConnection,
    /// No `Sec-WebSocket-Accept`: something that knows no WebSocket has answered.
    NoAccept,
    /// Another `Sec-WebSocket-Accept` than our key demands: a cache has answered.
    WrongAccept,
    /// An extension that we did not offer.
    Extension(String),
    /// A subprotocol that we cannot take; under `--strict` also one that we could.
    Subprotocol {
        /// What we offered.
        offered: Vec<String>,
        /// What was answered.
        answered: Option<String>,
        /// It would be taken, with a warning, without `--strict`.
        tolerable: bool,
    },
}

/// An answer that refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status, never 101.
    pub status: u16,
    /// The server's words for it.
    pub reason: String,
    /// `Location`, where a redirect leads.
    pub location: Option<String>,
    /// `WWW-Authenticate`, or `Proxy-Authenticate`.
    pub www_authenticate: Option<String>,
    /// `Server`.
    pub server: Option<String>,
    /// `Retry-After`: a date, or a number of seconds.
    pub retry_after: Option<String>,
    /// `Upgrade`, what the server would rather speak.
    pub upgrade: Option<String>,
    /// `x-amzn-ErrorType`, the reason that AWS gives.
    pub amzn_error_type: Option<String>,
    /// `Sec-WebSocket-Version`, the versions the server would speak (RFC 6455 §4.4).
    pub websocket_version: Option<String>,
    /// The first line of a text body, or the title of a page, safe to print.
    pub body: Option<String>,
    /// The body was an HTML page.
    pub html: bool,
    /// Path and query that were asked for; empty until the transport fills it in.
    pub target: String,
}

impl HttpResponse {
    /// Whether it wants to be logged in to, but not by Basic (RFC 7617).
    pub fn lacks_basic(&self) -> bool {
        let asked = self.www_authenticate.as_ref();
        asked.is_some_and(|schemes| !schemes.to_ascii_lowercase().contains("basic"))
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told_of("the server").fmt(f)
    }
}

/// The sentence about an error, with its subject.
pub struct Told<'a> {
    error: &'a UpgradeError,
    peer: &'a str,
}

impl UpgradeError {
    /// The sentence with `peer` as its subject: these errors are a proxy's, too.
    pub fn told_of<'a>(&'a self, peer: &'a str) -> Told<'a> {
        Told { error: self, peer }
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, peer } = self;
        match error {
            UpgradeError::Closed => {
                write!(f, "{peer} closed the connection without an HTTP answer")
            }
            UpgradeError::Truncated => {
                write!(f, "{peer} closed the connection in the middle of its HTTP answer")
            }
            UpgradeError::NotHttp(foreign) => foreign.fmt_of(peer, f),
            UpgradeError::HeadTooLarge => {
                write!(f, "{peer}'s HTTP answer has a head of more than 64 KiB")
            }
            UpgradeError::Malformed(words) => {
                write!(f, "{peer}'s HTTP answer is malformed: {words}")
            }
            UpgradeError::Status(refusal) => refusal.fmt_of(peer, f),
            UpgradeError::Bad(fault) => fault.fmt_of(peer, f),
            UpgradeError::BadHeader(name) => {
                write!(f, "header {} cannot be sent", name.escape_debug())
            }
        }
    }
}

impl std::error::Error for UpgradeError {}

impl NotHttp {
    fn fmt_of(&self, peer: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mqtt => write!(f, "{peer} speaks MQTT without WebSockets on this port"),
            Self::Http2 => write!(f, "{peer} answered in HTTP/2"),
            Self::Tls => write!(f, "{peer} speaks TLS on this port"),
            Self::Other(bytes) => {
                write!(f, "{peer} does not speak HTTP on this port (it sent \"{bytes}\")")
            }
        }
    }
}

impl HttpResponse {
    fn fmt_of(&self, peer: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{peer} answered HTTP {:03}", self.status)?;
        if !self.reason.is_empty() {
            write!(f, " {}", self.reason)?;
        }
        if let Some(server) = &self.server {
            write!(f, " ({server})")?;
        }
        if let Some(location) = &self.location {
            write!(f, ", pointing to {location}")?;
        }
        if let Some(version) = self.websocket_version.as_ref().filter(|_| self.status != 101) {
            write!(f, ", speaking version {version} of WebSocket")?;
        }
        if let Some(time) = &self.retry_after {
            let unit = if time.bytes().all(|b| b.is_ascii_digit()) { " s" } else { "" };
            write!(f, ", asking to try again after {time}{unit}")?;
        }
        let words = [&self.amzn_error_type, &self.www_authenticate, &self.body];
        for text in words.into_iter().flatten() {
            write!(f, ": {text}")?;
        }
        Ok(())
    }
}

impl BadUpgrade {
    fn fmt_of(&self, peer: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldHttp => {
                write!(f, "{peer} answered 101 in HTTP/1.0, but a WebSocket needs HTTP/1.1")
            }
            Self::NoUpgrade => {
                write!(f, "{peer} answered 101 without \"Upgrade: websocket\"")
            }
            Self::NoConnection => {
                write!(f, "{peer} answered 101 without \"Connection: Upgrade\"")
            }
            Self::NoAccept => write!(f, "{peer} answered 101 without Sec-WebSocket-Accept"),
            Self::WrongAccept => {
                write!(f, "{peer} answered 101 with a wrong Sec-WebSocket-Accept")
            }
            Self::Extension(name) => {
                write!(f, "{peer} turned on a WebSocket extension that was not offered: {name}")
            }
            Self::Subprotocol { offered, answered: None, .. } => {
                write!(f, "{peer} answered no subprotocol to our offer of {}", offered.join(", "))
            }
            Self::Subprotocol { offered, answered: Some(answered), .. } if offered.is_empty() => {
                write!(f, "{peer} answered subprotocol \"{answered}\", none was offered")
            }
            Self::Subprotocol { offered, answered: Some(answered), .. } => {
                write!(
                    f,
                    "{peer} answered subprotocol \"{answered}\" to our offer of {}",
                    offered.join(", ")
                )
            }
        }
    }
}

impl From<httparse::Error> for UpgradeError {
    fn from(error: httparse::Error) -> Self {
        use httparse::Error;
        let words = match error {
            Error::HeaderName => "a line that is not a header",
            Error::HeaderValue => "a control character in a header",
            Error::Status | Error::Token => "a status line that is none",
            Error::Version => "an unknown version of HTTP",
            _ => return Self::Malformed(error.to_string()),
        };
        Self::Malformed(words.into())
    }
}
