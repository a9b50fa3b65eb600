//! The upgrade request: written by a client, read by a server, and shown to a user without its
//! secrets.

use std::fmt;

use super::echo::{Echo, is_secret};
use super::error::UpgradeError;
use super::{
    HEAD_LIMIT, HttpHeader, USER_AGENT, has_token, head_length, header_slots, joined,
    owned_headers, tokens,
};

/// The request of a client, and the parts of it that the response is checked against.
#[derive(Clone, Default)]
pub struct Offer {
    /// The request as it is sent.
    pub request: String,
    /// The random `Sec-WebSocket-Key`.
    pub key: String,
    /// The subprotocols offered, in order of preference.
    pub subprotocols: Vec<String>,
    /// Refuse deviations that are otherwise accepted with a warning.
    pub strict: bool,
    /// The secrets in the request, which must not be shown when the server repeats them.
    pub echo: Echo,
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("request", &masked(&self.request))
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}

impl Offer {
    /// A request with a new key. `target` is path and query, `host` the value of the `Host` header.
    /// `headers` are added unchanged; a `Host` or `User-Agent` among them replaces the usual one. A
    /// header that would end early or add another is an error.
    pub fn new(
        target: &str,
        host: &str,
        subprotocols: &[String],
        headers: &[HttpHeader],
        strict: bool,
    ) -> Result<Self, UpgradeError> {
        if let Some((name, _)) = headers.iter().find(|(name, value)| !is_sendable(name, value)) {
            return Err(UpgradeError::BadHeader(name.clone()));
        }
        if subprotocols.iter().any(|name| !is_token(name)) {
            return Err(UpgradeError::BadHeader("Sec-WebSocket-Protocol".into()));
        }
        let key = tungstenite::handshake::client::generate_key();
        let request = write_request([target, host, &key], subprotocols, headers);
        let (subprotocols, echo) = (subprotocols.to_vec(), Echo::new(target, headers));
        Ok(Self { request, key, subprotocols, strict, echo })
    }

    /// The path and query of the request.
    pub fn target(&self) -> &str {
        self.request.split(' ').nth(1).unwrap_or_default()
    }
}

fn write_request(
    [target, host, key]: [&str; 3],
    subprotocols: &[String],
    headers: &[HttpHeader],
) -> String {
    let replaced = |name: &str| headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    let mut head = format!("GET {target} HTTP/1.1\r\n");
    if !replaced("Host") {
        push_header(&mut head, "Host", host);
    }
    push_header(&mut head, "Upgrade", "websocket");
    push_header(&mut head, "Connection", "Upgrade");
    push_header(&mut head, "Sec-WebSocket-Key", key);
    push_header(&mut head, "Sec-WebSocket-Version", "13");
    if !subprotocols.is_empty() {
        push_header(&mut head, "Sec-WebSocket-Protocol", &subprotocols.join(", "));
    }
    if !replaced("User-Agent") {
        push_header(&mut head, "User-Agent", USER_AGENT);
    }
    for (name, value) in headers {
        push_header(&mut head, name, value);
    }
    head.push_str("\r\n");
    head
}

fn push_header(head: &mut String, name: &str, value: &str) {
    head.extend([name, ": ", value, "\r\n"]);
}

/// Whether a header can be sent as it is (RFC 9110 §5.1, §5.5).
fn is_sendable(name: &str, value: &str) -> bool {
    is_token(name) && !value.chars().any(|c| c.is_control() && c != '\t')
}

/// Whether the text is a token of HTTP (RFC 9110 §5.6.2).
pub fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// The head with `***` in place of the query and of the values of headers that may hold secrets.
pub fn masked(head: &str) -> String {
    let mask = |line: &str| match (line.split_once(':'), line.split_once('?')) {
        (_, Some((start, _))) if line.starts_with("GET ") => format!("{start}?*** HTTP/1.1\r\n"),
        (Some((name, _)), _) if is_secret(name) => format!("{name}: ***\r\n"),
        _ => line.to_owned(),
    };
    head.split_inclusive('\n').map(mask).collect()
}

/// An upgrade request as a server reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method; only `GET` can be upgraded.
    pub method: String,
    /// Path and query as received.
    pub target: String,
    /// Host and port of a target that is a whole URI (RFC 6455 §4.2.1).
    pub authority: Option<String>,
    /// The second part of the version: 1 for HTTP/1.1.
    pub minor_version: u8,
    /// All headers, in order.
    pub headers: Vec<HttpHeader>,
    /// `Sec-WebSocket-Key`.
    pub key: Option<String>,
    /// `Sec-WebSocket-Version`; only 13 is accepted.
    pub version: Option<String>,
    /// The subprotocols offered, in the client's order.
    pub protocols: Vec<String>,
}

impl Request {
    /// Whether the request asks for a WebSocket in the form of RFC 6455 §4.1: a GET of HTTP/1.1
    /// with `Upgrade: websocket` and `Connection: Upgrade`.
    pub fn is_upgrade(&self) -> bool {
        self.method == "GET"
            && self.minor_version == 1
            && has_token(&self.headers, "Upgrade", "websocket")
            && has_token(&self.headers, "Connection", "Upgrade")
    }

    /// The value of a header, with several of the same name joined; `None` if it is absent.
    #[cfg(test)]
    pub fn header(&self, name: &str) -> Option<String> {
        joined(&self.headers, name)
    }
}

/// The reason why bytes are not a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The head has more than 64 KiB.
    TooLarge,
    /// Not HTTP/1. Holds the error.
    Malformed(String),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("the request has a head of more than 64 KiB"),
            Self::Malformed(words) => write!(f, "the request is malformed: {words}"),
        }
    }
}

impl std::error::Error for RequestError {}

/// Reads a request from the beginning of `bytes`. Returns `None` while it is incomplete, then the
/// request and its length.
pub fn parse_request(bytes: &[u8]) -> Result<Option<(Request, usize)>, RequestError> {
    let Some(length) = head_length(bytes, &mut 0) else {
        return if bytes.len() > HEAD_LIMIT {
            Err(RequestError::TooLarge)
        } else {
            refuse_other_protocol(bytes)
        };
    };
    if length > HEAD_LIMIT {
        return Err(RequestError::TooLarge);
    }
    let head = &bytes[..length];
    let mut slots = header_slots(head);
    let mut parsed = httparse::Request::new(&mut slots);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(length)) => Ok(Some((request_from(&parsed), length))),
        Ok(httparse::Status::Partial) => {
            Err(RequestError::Malformed("an empty line within the head".into()))
        }
        Err(error) => Err(RequestError::Malformed(error.to_string())),
    }
}

/// Refuses an incomplete head that can never become a request. It must be refused at once: a client
/// that speaks plain MQTT or TLS sends nothing more.
fn refuse_other_protocol(bytes: &[u8]) -> Result<Option<(Request, usize)>, RequestError> {
    match bytes.first() {
        Some(b) if !b.is_ascii_alphabetic() && !b.is_ascii_whitespace() => {
            Err(RequestError::Malformed("not HTTP".into()))
        }
        _ => Ok(None),
    }
}

fn request_from(parsed: &httparse::Request<'_, '_>) -> Request {
    let headers = owned_headers(parsed.headers);
    let protocols = joined(&headers, "Sec-WebSocket-Protocol");
    let (authority, target) = split_target(parsed.path.unwrap_or_default());
    Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target,
        authority,
        minor_version: parsed.version.unwrap_or_default(),
        key: joined(&headers, "Sec-WebSocket-Key"),
        version: joined(&headers, "Sec-WebSocket-Version"),
        protocols: protocols.iter().flat_map(|list| tokens(list)).map(str::to_owned).collect(),
        headers,
    }
}

/// The authority of a target that is a URI of HTTP, and its path and query.
fn split_target(target: &str) -> (Option<String>, String) {
    let is_http = |scheme: &str| ["http", "https"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
    let Some((_, rest)) = target.split_once("://").filter(|(scheme, _)| is_http(scheme)) else {
        return (None, target.to_owned());
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if path.starts_with('/') { "" } else { "/" };
    (Some(authority.to_owned()), format!("{slash}{path}"))
}

#[cfg(test)]
mod tests;
