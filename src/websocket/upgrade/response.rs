//! The response of a server to an upgrade request, or of a proxy to CONNECT, checked by a client as
//! it arrives.

use std::fmt;

use super::echo::Echo;
use super::error::{BadUpgrade, BodyText, HttpResponse, Location, UpgradeError};
use super::foreign::{self, FirstBytes};
use super::page::{self, BodyForm};
use super::request::Offer;
use super::subprotocol::judge;
use super::{
    HEAD_LIMIT, HttpHeader, accept_key, has_token, head_length, header_slots, joined,
    owned_headers, shortened,
};

/// The largest part of a refusal's body that is read, in bytes.
const BODY_LIMIT: usize = 16 * 1024;

/// A successful upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedUpgrade {
    /// The subprotocol of the answer.
    pub subprotocol: Option<String>,
    /// The deviations that were accepted, one sentence each.
    pub warnings: Vec<String>,
    /// The bytes after the head, which are the first frames.
    pub leftover: Vec<u8>,
}

/// The bytes of a response so far, and how much of it was read.
#[derive(Default)]
pub struct Response {
    bytes: Vec<u8>,
    /// Where the search for the end of the head continues.
    searched: usize,
    /// The head of the final response as received, once it is complete.
    head: String,
    /// A refusal whose body is still arriving.
    refusal: Option<(Box<HttpResponse>, Body)>,
    /// The total length of the interim responses before the final one.
    skipped: usize,
    /// The first line of the request, which an echo server sends back; empty if there is none to
    /// recognise.
    request_line: String,
    /// The secrets of the request.
    echo: Echo,
}

/// How the body of a refusal is read.
#[derive(Debug)]
struct Body {
    end: BodyEnd,
    /// Its kind as Content-Type says it, in lower case; empty if that is missing.
    kind: String,
}

/// How the end of a body is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyEnd {
    Length(usize),
    Chunked,
    /// By the end of the connection, which may never come.
    Close,
}

struct Head {
    /// The second part of the version: 1 for HTTP/1.1.
    minor_version: u8,
    status: u16,
    reason: String,
    headers: Vec<HttpHeader>,
}

impl fmt::Debug for Response {
    /// Without the bytes, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("length", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Response {
    /// The response to this request, yet to come.
    pub fn to(offer: &Offer) -> Self {
        let line = offer.request.split_inclusive('\n').next().unwrap_or_default();
        Self { request_line: line.to_owned(), ..Self::hiding(offer.echo.clone()) }
    }

    /// A response, yet to come, whose text is shown without these secrets.
    pub fn hiding(echo: Echo) -> Self {
        Self { echo, ..Self::default() }
    }

    /// Takes more bytes. Returns `None` while more are needed, then the upgrade or the reason why
    /// there is none.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        offer: &Offer,
    ) -> Result<Option<AcceptedUpgrade>, UpgradeError> {
        match self.take(bytes, |status| status == 101)? {
            Some(head) => accept(&head, offer, std::mem::take(&mut self.bytes)).map(Some),
            None => Ok(None),
        }
    }

    /// The same for the response of a proxy to CONNECT. Returns the bytes that have already come
    /// through the tunnel once it stands (RFC 9110 §9.3.6: any 2xx, without a body).
    pub fn feed_tunnel(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, UpgradeError> {
        let head = self.take(bytes, |status| (200..300).contains(&status))?;
        Ok(head.map(|_| std::mem::take(&mut self.bytes)))
    }

    /// Takes more bytes. Returns `None` while more are needed, then the head of a response with a
    /// good status.
    fn take(
        &mut self,
        bytes: &[u8],
        is_good: impl Fn(u16) -> bool,
    ) -> Result<Option<Head>, UpgradeError> {
        self.bytes.extend_from_slice(bytes);
        loop {
            if self.refusal.is_some() {
                return self.refuse_if(Self::body_is_complete).map(|()| None);
            }
            match foreign::recognise(&self.bytes, &self.request_line, &self.echo) {
                FirstBytes::Http => {}
                FirstBytes::Unclear => return Ok(None),
                FirstBytes::Foreign(protocol) => return Err(UpgradeError::NotHttp(protocol)),
            }
            let Some((head, length)) = self.take_head()? else { return Ok(None) };
            match head.status {
                status if is_good(status) => return Ok(Some(head)),
                // An interim response (RFC 9110 §15.2): the final one follows.
                100..=199 => self.skipped += length,
                _ => {
                    let body = Body { end: body_end(&head), kind: content_type(&head) };
                    self.refusal = Some((Box::new(response_of(&head, &self.echo)), body));
                }
            }
        }
    }

    /// Takes a head from the bytes, if it is complete; with its length.
    fn take_head(&mut self) -> Result<Option<(Head, usize)>, UpgradeError> {
        let length = head_length(&self.bytes, &mut self.searched);
        if length.unwrap_or(self.bytes.len()) + self.skipped > HEAD_LIMIT {
            return Err(UpgradeError::HeadTooLarge);
        }
        let Some(length) = length else { return Ok(None) };
        let head = parse_head(&self.bytes[..length])?;
        self.head = String::from_utf8_lossy(&self.bytes[..length]).into_owned();
        self.bytes.drain(..length);
        self.searched = 0;
        Ok(Some((head, length)))
    }

    /// All bytes that have arrived were fed. A refusal whose body has no announced end is reported
    /// with the part of the body that is there.
    pub fn drained(&mut self) -> Result<(), UpgradeError> {
        self.refuse_if(|end, _| end == BodyEnd::Close)
    }

    /// The time is up. A refusal is reported without the rest of its body, and bytes of which no
    /// HTTP answer can begin are shown.
    pub fn expire(&mut self) -> Result<(), UpgradeError> {
        self.refuse_if(|_, _| true)?;
        match foreign::recognise(&self.bytes, &self.request_line, &self.echo) {
            FirstBytes::Unclear => {
                Err(UpgradeError::NotHttp(foreign::unknown(&self.bytes, &self.echo)))
            }
            FirstBytes::Http | FirstBytes::Foreign(_) => Ok(()),
        }
    }

    /// The connection has ended. Returns what that means.
    pub fn end(&mut self) -> UpgradeError {
        match self.expire() {
            Err(refusal) => refusal,
            Ok(()) if self.bytes.is_empty() && self.skipped == 0 => UpgradeError::Closed,
            Ok(()) => UpgradeError::Truncated,
        }
    }

    /// Describes an incomplete response; `None` if nothing has arrived.
    pub fn beginning(&self) -> Option<&'static str> {
        match (self.bytes.is_empty(), self.skipped) {
            (true, 0) => None,
            (true, _) => Some("only an interim answer came"),
            (false, _) => Some("only the beginning of an HTTP answer came"),
        }
    }

    /// The head of the final response as received; empty while it is incomplete.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Reports the refusal, if there is one and `condition` holds for its body.
    fn refuse_if(
        &mut self,
        condition: impl FnOnce(BodyEnd, &[u8]) -> bool,
    ) -> Result<(), UpgradeError> {
        match self.refusal.take() {
            Some((mut refusal, body)) if condition(body.end, &self.bytes) => {
                let content = self.echo.masked_bytes(&decoded(body.end, &self.bytes));
                let text = String::from_utf8_lossy(&content);
                let form = BodyForm::of(&text, &body.kind);
                refusal.body = BodyText {
                    title: page::words(&text, form, refusal.status, &refusal.reason),
                    searched: page::plain_text(&text, form),
                };
                Err(UpgradeError::Status(refusal))
            }
            waiting => {
                self.refusal = waiting;
                Ok(())
            }
        }
    }

    fn body_is_complete(end: BodyEnd, body: &[u8]) -> bool {
        body.len() >= BODY_LIMIT
            || match end {
                BodyEnd::Length(length) => body.len() >= length,
                BodyEnd::Chunked => dechunked(body).1,
                BodyEnd::Close => false,
            }
    }
}

fn parse_head(bytes: &[u8]) -> Result<Head, UpgradeError> {
    let mut slots = header_slots(bytes);
    let mut response = httparse::Response::new(&mut slots);
    let mut config = httparse::ParserConfig::default();
    config.allow_spaces_after_header_name_in_responses(true);
    config.allow_obsolete_multiline_headers_in_responses(true);
    config.allow_multiple_spaces_in_response_status_delimiters(true);
    if config.parse_response(&mut response, bytes)?.is_partial() {
        return Err(UpgradeError::Malformed("an empty line within the head".into()));
    }
    Ok(Head {
        minor_version: response.version.unwrap_or_default(),
        status: response.code.unwrap_or_default(),
        reason: response.reason.unwrap_or_default().to_owned(),
        headers: owned_headers(response.headers),
    })
}

/// Checks a 101 response (RFC 6455 §4.1).
fn accept(head: &Head, offer: &Offer, leftover: Vec<u8>) -> Result<AcceptedUpgrade, UpgradeError> {
    let fault = |fault| Err(UpgradeError::Bad(fault));
    if head.minor_version != 1 {
        return fault(BadUpgrade::OldHttp);
    }
    if !has_token(&head.headers, "Upgrade", "websocket") {
        return fault(BadUpgrade::NoUpgrade);
    }
    if !has_token(&head.headers, "Connection", "Upgrade") {
        return fault(BadUpgrade::NoConnection);
    }
    match joined(&head.headers, "Sec-WebSocket-Accept").filter(|accept| !accept.is_empty()) {
        None => return fault(BadUpgrade::NoAccept),
        Some(accept) if accept != accept_key(&offer.key) => return fault(BadUpgrade::WrongAccept),
        Some(_) => {}
    }
    if let Some(extension) =
        joined(&head.headers, "Sec-WebSocket-Extensions").filter(|list| !list.is_empty())
    {
        return fault(BadUpgrade::Extension(shortened(&offer.echo.masked(&extension), 100)));
    }
    let subprotocol = joined(&head.headers, "Sec-WebSocket-Protocol");
    let warning = judge(&offer.subprotocols, subprotocol.as_deref(), offer.strict);
    let warning = warning.map_err(|error| masked_answer(error, &offer.echo))?;
    let warnings = warning.iter().map(|warning| offer.echo.masked(warning)).collect();
    Ok(AcceptedUpgrade { subprotocol, warnings, leftover })
}

/// The error about a subprotocol, without the secrets that the answer may repeat.
fn masked_answer(mut error: UpgradeError, echo: &Echo) -> UpgradeError {
    if let UpgradeError::Bad(BadUpgrade::Subprotocol { answered: Some(answered), .. }) = &mut error
    {
        *answered = echo.masked(answered);
    }
    error
}

fn response_of(head: &Head, echo: &Echo) -> HttpResponse {
    let text = |name| joined(&head.headers, name).map(|value| shortened(&echo.masked(&value), 300));
    HttpResponse {
        status: head.status,
        reason: shortened(&echo.masked(&head.reason), 100),
        // It is followed as it is, and shown without our secrets.
        location: joined(&head.headers, "Location")
            .filter(|target| !target.is_empty())
            .map(|target| Location { target, shown: text("Location").unwrap_or_default() }),
        www_authenticate: text("WWW-Authenticate").or_else(|| text("Proxy-Authenticate")),
        server: text("Server"),
        retry_after: text("Retry-After"),
        upgrade: text("Upgrade"),
        amzn_error_type: text("x-amzn-ErrorType"),
        websocket_version: text("Sec-WebSocket-Version"),
        squid_error: text("X-Squid-Error"),
        body: BodyText::default(),
        target: String::new(),
    }
}

/// How the body ends. A body that is not text is taken for empty (RFC 9112 §6.3).
fn body_end(head: &Head) -> BodyEnd {
    if matches!(head.status, 204 | 304) || !is_text(head) {
        return BodyEnd::Length(0);
    }
    if has_token(&head.headers, "Transfer-Encoding", "chunked") {
        return BodyEnd::Chunked;
    }
    let length = joined(&head.headers, "Content-Length").and_then(|length| length.parse().ok());
    length.map_or(BodyEnd::Close, BodyEnd::Length)
}

fn content_type(head: &Head) -> String {
    joined(&head.headers, "Content-Type").unwrap_or_default().to_ascii_lowercase()
}

fn is_text(head: &Head) -> bool {
    let coded =
        joined(&head.headers, "Content-Encoding").is_some_and(|coding| coding != "identity");
    let kind = content_type(head);
    !coded
        && (kind.is_empty()
            || ["text/", "json", "xml", "html"].iter().any(|part| kind.contains(part)))
}

fn decoded(end: BodyEnd, body: &[u8]) -> Vec<u8> {
    match end {
        BodyEnd::Length(length) => body[..body.len().min(length)].to_vec(),
        BodyEnd::Chunked => dechunked(body).0,
        BodyEnd::Close => body.to_vec(),
    }
}

/// The content of a chunked body so far, and whether it is complete or cannot be decoded further.
fn dechunked(mut body: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(body) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return (content, false),
            Err(_) => return (content, true),
        };
        body = &body[start..];
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        content.extend_from_slice(&body[..body.len().min(size)]);
        if size == 0 {
            return (content, true);
        }
        // An empty line follows the content.
        let Some(rest) = size.checked_add(2).and_then(|end| body.get(end..)) else {
            return (content, false);
        };
        body = rest;
    }
}
