//! The HTTP upgrade of both sides, pure: bytes in, bytes or a verdict out. Servers answer in many
//! ways that RFC 6455 does not foresee; this room takes what is harmless with a warning and reports
//! the rest so that a user can act. It must never touch a socket or the clock.

mod answer;
mod error;
mod redirect;
mod request;
mod subprotocol;

pub use answer::Answer;
pub use error::{Fault, Foreign, Refusal, UpgradeError};
pub use redirect::{Redirects, is_for_one_host, keeps_credentials};
pub use request::{Offer, Request, masked, parse_request};

/// The largest head we read, in bytes, of an answer or a request.
pub const HEAD_LIMIT: usize = 64 * 1024;

/// The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
pub fn accept_key(key: &str) -> String {
    tungstenite::handshake::derive_accept_key(key.as_bytes())
}

/// What we call ourselves in HTTP.
pub const USER_AGENT: &str = concat!("mqttws/", env!("CARGO_PKG_VERSION"));

/// The value of an `Authorization` header with `user:password` (RFC 7617 §2).
pub fn basic(credentials: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("Basic ");
    for three in credentials.as_bytes().chunks(3) {
        let byte = |at: usize| three.get(at).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = (bits >> (18 - 6 * at)) as usize & 63;
            text.push(if at <= three.len() { char::from(ALPHABET[digit]) } else { '=' });
        }
    }
    text
}

/// A header of a parsed head: its name as received, its value trimmed.
pub type Header = (String, String);

/// All values of a header joined as one list (RFC 9110 §5.3); none when the header is absent.
fn joined(headers: &[Header], name: &str) -> Option<String> {
    let mut values =
        headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let mut all = values.next()?.clone();
    for value in values {
        all.push_str(", ");
        all.push_str(value);
    }
    Some(all)
}

/// The elements of a comma-separated list.
fn tokens(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|token| !token.is_empty())
}

/// Whether the list in header `name` holds `token`, in any letter case.
fn has_token(headers: &[Header], name: &str, token: &str) -> bool {
    joined(headers, name)
        .is_some_and(|list| tokens(&list).any(|item| item.eq_ignore_ascii_case(token)))
}

fn owned_headers(headers: &[httparse::Header<'_>]) -> Vec<Header> {
    let owned = |header: &httparse::Header<'_>| {
        (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned())
    };
    headers.iter().map(owned).collect()
}

/// The length of the head that begins `bytes`, with the empty line that ends it. `from` is where an
/// earlier search over the same bytes may be resumed; it is moved along, so that dripped bytes cost
/// linear time.
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

/// Header slots enough for any head: one for each line.
fn header_slots(head: &[u8]) -> Vec<httparse::Header<'_>> {
    vec![httparse::EMPTY_HEADER; memchr::memchr_iter(b'\n', head).count()]
}

#[cfg(test)]
mod tests;
