//! The HTTP upgrade (RFC 6455 §4), for both sides: the request that a client sends and a server
//! reads, and the response that a server sends and a client checks. Servers answer in many ways
//! that the RFC does not foresee. Harmless ones are accepted with a warning; the others are
//! reported so that a user can act.

pub mod accept;
mod echo;
mod error;
mod foreign;
mod page;
mod request;
mod response;
mod subprotocol;

use data_encoding::BASE64;

pub use echo::Echo;
pub use error::{BadUpgrade, HttpResponse, Location, NotHttp, UpgradeError};
pub use foreign::is_connack;
pub use request::{Offer, Request, RequestError, is_token, masked, parse_request};
pub use response::{AcceptedUpgrade, Response};
pub use subprotocol::NONE_CONFIRMED;

/// The largest head of a request or a response that is read, in bytes.
pub const HEAD_LIMIT: usize = 64 * 1024;

/// The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
pub fn accept_key(key: &str) -> String {
    tungstenite::handshake::derive_accept_key(key.as_bytes())
}

/// The name of this program in HTTP.
pub const USER_AGENT: &str = concat!("mqttws/", env!("CARGO_PKG_VERSION"));

/// The value of an `Authorization` header with `user:password` (RFC 7617 §2).
pub fn basic(credentials: &str) -> String {
    format!("Basic {}", BASE64.encode(credentials.as_bytes()))
}

/// A header of a parsed head: its name as received, its value trimmed.
pub type HttpHeader = (String, String);

/// All values of a header joined into one list (RFC 9110 §5.3); `None` if the header is absent.
fn joined(headers: &[HttpHeader], name: &str) -> Option<String> {
    let mut values =
        headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let mut all = values.next()?.clone();
    for value in values {
        all.push_str(", ");
        all.push_str(value);
    }
    Some(all)
}

/// The first `limit` characters of a server's text, enough to recognise it.
fn shortened(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}

/// The elements of a comma-separated list.
fn tokens(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|token| !token.is_empty())
}

/// Whether the list in the header `name` holds `token`, in upper or lower case.
fn has_token(headers: &[HttpHeader], name: &str, token: &str) -> bool {
    joined(headers, name)
        .is_some_and(|list| tokens(&list).any(|item| item.eq_ignore_ascii_case(token)))
}

fn owned_headers(headers: &[httparse::Header<'_>]) -> Vec<HttpHeader> {
    let owned = |header: &httparse::Header<'_>| {
        (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned())
    };
    headers.iter().map(owned).collect()
}

/// The length of the head at the beginning of `bytes`, including the empty line at its end. `from`
/// is where an earlier search over the same bytes ended. It is advanced, so that bytes that arrive
/// one by one take linear time.
fn head_length(bytes: &[u8], from: &mut usize) -> Option<usize> {
    for end in memchr::memchr_iter(b'\n', &bytes[*from..]).map(|at| *from + at) {
        match &bytes[end + 1..] {
            [b'\n', ..] => return Some(end + 2),
            [b'\r', b'\n', ..] => return Some(end + 3),
            _ => {}
        }
    }
    *from = bytes.len().saturating_sub(2).max(*from);
    None
}

/// As many header slots as the head has lines.
fn header_slots(head: &[u8]) -> Vec<httparse::Header<'_>> {
    vec![httparse::EMPTY_HEADER; memchr::memchr_iter(b'\n', head).count()]
}

#[cfg(test)]
mod tests;
