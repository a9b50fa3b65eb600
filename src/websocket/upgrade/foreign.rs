//! Recognises a peer that does not speak HTTP/1 by its first bytes. It is given a name only where
//! these bytes prove it; otherwise they are shown.

use super::echo::Echo;
use super::error::NotHttp;

/// How many of the first bytes are shown.
const SHOWN: usize = 40;

/// What the first bytes of a peer prove.
#[derive(Debug, PartialEq, Eq)]
pub enum FirstBytes {
    /// It may be speaking HTTP/1.
    Http,
    /// More bytes are needed to tell which protocol it is. It is not HTTP/1.
    Unclear,
    /// It speaks another protocol.
    Foreign(NotHttp),
}

/// Whether bytes begin as a protocol does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Yes,
    /// They may, once more have arrived.
    Maybe,
    No,
}

/// What the first bytes of a peer prove; `request_line` is what was sent to it first.
pub fn recognise(bytes: &[u8], request_line: &str, echo: &Echo) -> FirstBytes {
    if begins(bytes, b"HTTP/1.") != Match::No {
        return FirstBytes::Http;
    }
    let echoed =
        if request_line.is_empty() { Match::No } else { begins(bytes, request_line.as_bytes()) };
    let protocols = [
        (connack(bytes), NotHttp::Mqtt),
        (tls_record(bytes), NotHttp::Tls),
        (settings(bytes), NotHttp::Http2),
        (begins(bytes, b"HTTP/2"), NotHttp::Http2),
        (begins(bytes, b"PRI * HTTP/2.0\r\n"), NotHttp::Http2),
        (begins(bytes, b"PROXY TCP"), NotHttp::ProxyHeader),
        (begins(bytes, b"PROXY UNKNOWN"), NotHttp::ProxyHeader),
        (begins(bytes, b"\r\n\r\n\0\r\nQUIT\n"), NotHttp::ProxyHeader),
        (echoed, NotHttp::Echo),
    ];
    let may_be_one = protocols.iter().any(|(found, _)| *found == Match::Maybe);
    match protocols.into_iter().find(|(found, _)| *found == Match::Yes) {
        Some((_, protocol)) => FirstBytes::Foreign(protocol),
        None if may_be_one => FirstBytes::Unclear,
        None => FirstBytes::Foreign(unknown(bytes, echo)),
    }
}

/// The protocol of these bytes, to which no more will be added.
pub fn unknown(bytes: &[u8], echo: &Echo) -> NotHttp {
    let masked = echo.masked_bytes(bytes);
    NotHttp::Other(masked[..masked.len().min(SHOWN)].escape_ascii().to_string())
}

/// Whether the bytes are a CONNACK: MQTT without WebSockets.
pub fn is_connack(bytes: &[u8]) -> bool {
    connack(bytes) == Match::Yes
}

fn begins(bytes: &[u8], start: &[u8]) -> Match {
    let count = bytes.len().min(start.len());
    match bytes[..count] == start[..count] {
        true if count == start.len() => Match::Yes,
        true => Match::Maybe,
        false => Match::No,
    }
}

/// CONNACK: its type, a length, the flag Session Present, and a code that it may have (MQTT 3.1.1
/// §3.2, MQTT 5 §3.2).
fn connack(bytes: &[u8]) -> Match {
    let [first, rest @ ..] = bytes else { return Match::Maybe };
    let Some(length_end) = rest.iter().take(4).position(|byte| byte & 0x80 == 0) else {
        return if *first == 0x20 && rest.len() < 4 { Match::Maybe } else { Match::No };
    };
    let has_properties = length_end > 0 || rest[0] > 2;
    if *first != 0x20 || (length_end == 0 && rest[0] < 2) {
        return Match::No;
    }
    match rest[length_end + 1..] {
        [flags, ..] if flags > 1 => Match::No,
        [_, code, ..] => {
            let is_code = code == 0 || code >= 0x80 || (!has_properties && code <= 5);
            if is_code { Match::Yes } else { Match::No }
        }
        _ => Match::Maybe,
    }
}

/// A handshake record or an alert of any version (RFC 8446 §5.1).
fn tls_record(bytes: &[u8]) -> Match {
    match bytes {
        [0x15 | 0x16, 0x03, 0..=4, ..] => Match::Yes,
        [] | [0x15 | 0x16] | [0x15 | 0x16, 0x03] => Match::Maybe,
        _ => Match::No,
    }
}

/// The header of a SETTINGS frame on stream 0, with which every HTTP/2 connection begins (RFC 9113
/// §3.4, §4.1, §6.5).
fn settings(bytes: &[u8]) -> Match {
    let fits = bytes.iter().take(9).enumerate().all(|(at, byte)| match at {
        0 | 4..=8 => *byte == 0,
        3 => *byte == 4,
        _ => true,
    });
    match bytes {
        _ if !fits => Match::No,
        [_, high, low, _, _, _, _, _, _, ..] => {
            let length = u16::from_be_bytes([*high, *low]);
            if length.is_multiple_of(6) { Match::Yes } else { Match::No }
        }
        _ => Match::Maybe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "GET /mqtt HTTP/1.1\r\n";

    fn recognised(bytes: &[u8]) -> FirstBytes {
        recognise(bytes, REQUEST, &Echo::default())
    }

    #[test]
    fn a_name_needs_a_proof() {
        let proofs: [(&[u8], NotHttp); 12] = [
            (&[0x20, 0x02, 0x00, 0x00], NotHttp::Mqtt),
            (&[0x20, 0x02, 0x00, 0x05], NotHttp::Mqtt),
            (&[0x20, 0x03, 0x00, 0x84, 0x00], NotHttp::Mqtt),
            (&[0x20, 0x80, 0x01, 0x00, 0x00], NotHttp::Mqtt),
            (&[0x15, 0x03, 0x01], NotHttp::Tls),
            (&[0, 0, 0x12, 4, 0, 0, 0, 0, 0], NotHttp::Http2),
            (&[0, 0, 0, 4, 0, 0, 0, 0, 0], NotHttp::Http2),
            (b"HTTP/2 200\r\n", NotHttp::Http2),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NotHttp::Http2),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", NotHttp::ProxyHeader),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11", NotHttp::ProxyHeader),
            (b"GET /mqtt HTTP/1.1\r\nHost: x\r\n", NotHttp::Echo),
        ];
        for (bytes, protocol) in proofs {
            assert_eq!(recognised(bytes), FirstBytes::Foreign(protocol), "{bytes:?}");
            assert_eq!(recognised(&bytes[..1]), FirstBytes::Unclear.or_http(bytes[0]), "{bytes:?}");
        }
        let others: [&[u8]; 12] = [
            b"  hello",
            b"\x20\x02\x02\x00",
            b"\x20\x02\x00\x07",
            b"\x20\x00",
            b"\xe0\x00",
            b"\0\0\0\0\0",
            b"\0\0\x05\x04\0\0\0\0\0",
            b"\x16\x16\x16",
            b"PRIVATE",
            b"PROXIED",
            b"GET /",
            b"SSH-2.0-x\r\n",
        ];
        for bytes in others {
            let shown = NotHttp::Other(bytes.escape_ascii().to_string());
            let expected = match bytes {
                // Our request may follow.
                b"GET /" => FirstBytes::Unclear,
                _ => FirstBytes::Foreign(shown),
            };
            assert_eq!(recognised(bytes), expected, "{}", bytes.escape_ascii());
        }
        assert_eq!(recognised(b"HTTP/1.1 200"), FirstBytes::Http);
        assert_eq!(recognised(b"H"), FirstBytes::Http);
    }

    impl FirstBytes {
        /// The expectation for one byte, which may begin `HTTP/1.`.
        fn or_http(self, byte: u8) -> Self {
            if byte == b'H' { Self::Http } else { self }
        }
    }

    #[test]
    fn a_service_that_greets_is_shown() {
        let bytes = [b'x'; 100];
        assert_eq!(recognised(&bytes), FirstBytes::Foreign(NotHttp::Other("x".repeat(SHOWN))));
    }
}
