//! The ways in which an upgrade can fail, with a message for each.

use std::fmt;

/// The reason why an upgrade failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpgradeError {
    /// The connection was closed before the first byte of an answer. Most often the server does not
    /// accept the subprotocol.
    Closed,
    /// The connection was reset before the first byte of an answer.
    Reset,
    /// The server chose HTTP/2 by ALPN, and then gave no answer in HTTP/1.1.
    Http2Chosen,
    /// The connection was closed or reset within the head of the answer.
    Truncated,
    /// The server does not speak HTTP.
    NotHttp(NotHttp),
    /// The head has more than 64 KiB.
    HeadTooLarge,
    /// HTTP that is not well formed. Holds the error.
    Malformed(String),
    /// An answer with a status other than 101.
    Status(Box<HttpResponse>),
    /// A 101 answer that violates RFC 6455.
    Bad(BadUpgrade),
    /// An additional header cannot be sent, because its name or value holds a forbidden character.
    /// Holds the name.
    BadHeader(String),
}

/// The protocol of a server that does not speak HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotHttp {
    /// A CONNACK: MQTT over plain TCP.
    Mqtt,
    /// HTTP/2: a SETTINGS frame, or its name.
    Http2,
    /// A TLS record: the URL should begin with `wss://`.
    Tls,
    /// A header of the PROXY protocol, which a load balancer writes for a server.
    ProxyHeader,
    /// Our own request.
    Echo,
    /// Another protocol. Holds its first bytes, escaped.
    Other(String),
}

/// The fault of a 101 answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadUpgrade {
    /// It is HTTP/1.0, which has no upgrade.
    OldHttp,
    /// No `Upgrade: websocket`.
    NoUpgrade,
    /// No `Connection: Upgrade`.
    NoConnection,
    /// No `Sec-WebSocket-Accept`: the server does not know WebSocket.
    NoAccept,
    /// A `Sec-WebSocket-Accept` that does not belong to the key: probably the answer of a cache.
    WrongAccept,
    /// An extension that was not offered. Holds its name.
    Extension(String),
    /// A subprotocol that is not accepted, or under `--strict` only accepted with a warning.
    Subprotocol {
        /// The subprotocols that were offered.
        offered: Vec<String>,
        /// The subprotocol in the answer.
        answered: Option<String>,
        /// Without `--strict` it would be accepted with a warning.
        tolerable: bool,
    },
}

/// An answer that refuses the upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status, never 101.
    pub status: u16,
    /// The server's reason phrase.
    pub reason: String,
    /// `Location`: the target of a redirect.
    pub location: Option<Location>,
    /// `WWW-Authenticate`, or `Proxy-Authenticate`.
    pub www_authenticate: Option<String>,
    /// `Server`.
    pub server: Option<String>,
    /// `Retry-After`: a date, or a number of seconds.
    pub retry_after: Option<String>,
    /// `Upgrade`: the protocols that the server would accept.
    pub upgrade: Option<String>,
    /// `x-amzn-ErrorType`: the reason that AWS gives.
    pub amzn_error_type: Option<String>,
    /// `Sec-WebSocket-Version`: the versions that the server would accept (RFC 6455 §4.4).
    pub websocket_version: Option<String>,
    /// `X-Squid-Error`: the reason that Squid gives.
    pub squid_error: Option<String>,
    /// The body, if it is text.
    pub body: BodyText,
    /// The path and query of the request; empty until the transport adds it.
    pub target: String,
}

/// The target of a redirect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// As it is followed; it may hold secrets of the request.
    pub target: String,
    /// As it is shown, without these secrets.
    pub shown: String,
}

/// What the body of a response says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyText {
    /// The first line of the text, or the title of an HTML page, if it says more than the status.
    pub title: Option<String>,
    /// The beginning of the text in lower case, without markup: known phrases are looked for in
    /// it.
    pub searched: String,
}

impl HttpResponse {
    /// Whether the server demands authentication of a kind other than Basic (RFC 7617).
    pub fn lacks_basic(&self) -> bool {
        let asked = self.www_authenticate.as_ref();
        asked.is_some_and(|schemes| !schemes.to_ascii_lowercase().contains("basic"))
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message_about("the server").fmt(f)
    }
}

/// An error with the name of the peer, to be displayed.
pub struct UpgradeMessage<'a> {
    error: &'a UpgradeError,
    peer: &'a str,
}

impl UpgradeError {
    /// The message with `peer` as its subject, because a proxy can cause these errors, too.
    pub fn message_about<'a>(&'a self, peer: &'a str) -> UpgradeMessage<'a> {
        UpgradeMessage { error: self, peer }
    }
}

impl fmt::Display for UpgradeMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, peer } = self;
        match error {
            UpgradeError::Closed => {
                write!(f, "{peer} closed the connection without an HTTP answer")
            }
            UpgradeError::Reset => {
                write!(f, "{peer} reset the connection without an HTTP answer")
            }
            UpgradeError::Http2Chosen => {
                write!(f, "h2 was agreed on with {peer} (ALPN), but a WebSocket needs HTTP/1.1")
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
            Self::ProxyHeader => write!(f, "{peer} sent a header of the PROXY protocol"),
            Self::Echo => write!(f, "{peer} sends back what it is sent: it is an echo server"),
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
            write!(f, ", pointing to {}", location.shown)?;
        }
        if let Some(version) = self.websocket_version.as_ref().filter(|_| self.status != 101) {
            write!(f, ", speaking WebSocket version {version}")?;
        }
        if let Some(time) = &self.retry_after {
            let unit = if time.bytes().all(|b| b.is_ascii_digit()) { " s" } else { "" };
            write!(f, ", asking to try again after {time}{unit}")?;
        }
        let body = &self.body.title;
        let words = [&self.amzn_error_type, &self.squid_error, &self.www_authenticate, body];
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
                write!(f, "{peer} enabled a WebSocket extension that was not offered: {name}")
            }
            Self::Subprotocol { offered, answered, .. } => {
                fmt_subprotocol(peer, offered, answered.as_deref(), f)
            }
        }
    }
}

fn fmt_subprotocol(
    peer: &str,
    offered: &[String],
    answered: Option<&str>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    match answered {
        None => {
            write!(f, "{peer} answered without a subprotocol (offered: {})", offered.join(", "))
        }
        Some(answered) if offered.is_empty() => {
            write!(f, "{peer} answered with subprotocol \"{answered}\", but none was offered")
        }
        Some(answered) => {
            let offered = offered.join(", ");
            write!(f, "{peer} answered with subprotocol \"{answered}\" (offered: {offered})")
        }
    }
}

impl From<httparse::Error> for UpgradeError {
    fn from(error: httparse::Error) -> Self {
        use httparse::Error;
        let words = match error {
            Error::HeaderName => "a line that is not a header",
            Error::HeaderValue => "a control character in a header",
            Error::Status | Error::Token => "an invalid status line",
            Error::Version => "an unknown version of HTTP",
            _ => return Self::Malformed(error.to_string()),
        };
        Self::Malformed(words.into())
    }
}
