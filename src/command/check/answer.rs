//! The answer to an upgrade request, as it came: nothing is refused here, for what is wrong with it
//! is what `check` looks for.

use std::fmt;

use super::finding::{End, StreamEnd};

/// The largest head that is read, in bytes.
const LARGEST: usize = 64 * 1024;

/// The head of an HTTP answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswerHead {
    /// The version of HTTP, such as `HTTP/1.1`.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// Names as received and trimmed values, in order.
    pub headers: Vec<(String, String)>,
}

/// What came for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP answer.
    Head(AnswerHead),
    /// Something else: its first bytes.
    Other(Vec<u8>),
    /// The connection ended without an answer.
    Ended(End),
    /// Nothing, or the beginning of a head.
    Silence,
}

/// What the bytes so far are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// A head, and its length in bytes.
    Head(AnswerHead, usize),
    /// Not HTTP/1.
    Other,
    /// More bytes are needed.
    Partial,
}

/// Reads the final head at the beginning of these bytes; interim ones (RFC 9110 §15.2) are skipped.
pub fn parse(bytes: &[u8]) -> Parsed {
    let shared = START.len().min(bytes.len());
    if bytes[..shared] != START[..shared] || bytes.len() > LARGEST {
        return Parsed::Other;
    }
    let Some(length) = head_length(bytes) else { return Parsed::Partial };
    let text = String::from_utf8_lossy(&bytes[..length]);
    let mut lines = text.lines();
    let mut first = lines.next().unwrap_or_default().splitn(3, ' ');
    let version = first.next().unwrap_or_default().to_owned();
    let Some(status) = first.next().and_then(|status| status.parse().ok()) else {
        return Parsed::Other;
    };
    if (100..200).contains(&status) && status != 101 {
        return match parse(&bytes[length..]) {
            Parsed::Head(head, rest) => Parsed::Head(head, length + rest),
            other => other,
        };
    }
    let reason = first.next().unwrap_or_default().trim().to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    let headers = lines.filter_map(header).collect();
    Parsed::Head(AnswerHead { version, status, reason, headers }, length)
}

/// The length of the head, with the empty line at its end.
fn head_length(bytes: &[u8]) -> Option<usize> {
    let ends = memchr::memchr_iter(b'\n', bytes);
    ends.into_iter().find_map(|at| match &bytes[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// What every answer of HTTP/1 begins with.
const START: &[u8] = b"HTTP/1.";

/// Whether these bytes begin as HTTP/1 does.
pub fn is_http(bytes: &[u8]) -> bool {
    bytes.starts_with(START)
}

impl AnswerHead {
    /// The values of a header, one for each line of it.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header, its lines joined to one list; `None` without one.
    pub fn value(&self, name: &str) -> Option<String> {
        let all = self.all(name);
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// The elements of a header that is a list.
    pub fn tokens(&self, name: &str) -> Vec<String> {
        let all = self.all(name).join(",");
        all.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
    }

    /// The subprotocols that the answer names.
    pub fn subprotocols(&self) -> Vec<String> {
        self.tokens("Sec-WebSocket-Protocol")
    }
}

impl Answer {
    /// The status, if it is HTTP.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Head(head) => Some(head.status),
            _ => None,
        }
    }

    /// Whether it is a status that is meant to pass: another try may be answered otherwise.
    pub fn is_passing(&self) -> bool {
        matches!(self.status(), Some(408 | 425 | 500 | 502..=504))
    }

    /// Whether it is HTTP with a status from 400 to 499.
    pub fn is_client_error(&self) -> bool {
        matches!(self.status(), Some(400..=499))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) if head.status == 101 => match head.value("Sec-WebSocket-Protocol") {
                Some(name) => write!(f, "101 with the subprotocol {}", shortened(&name)),
                None => f.write_str("101 without a subprotocol"),
            },
            Self::Head(head) => write!(f, "{} {}", head.status, shortened(&head.reason)),
            Self::Other(bytes) if is_http(bytes) && bytes.len() > LARGEST => {
                write!(f, "an HTTP head of more than {} KiB", LARGEST / 1024)
            }
            Self::Other(bytes) if is_http(bytes) => {
                write!(f, "a broken line of HTTP: {}", beginning(bytes))
            }
            Self::Other(bytes) => write!(f, "no HTTP: {}", beginning(bytes)),
            Self::Ended(end) => match end.stream {
                Some(StreamEnd::Fin) => f.write_str("no answer, but FIN"),
                Some(StreamEnd::Reset) => f.write_str("no answer, but RST"),
                Some(StreamEnd::BrokenTls) => f.write_str("no answer, but broken TLS"),
                None => f.write_str("no answer, but the end"),
            },
            Self::Silence => f.write_str("no answer"),
        }
    }
}

/// What begins so: a protocol that is known, or the bytes.
pub fn beginning(bytes: &[u8]) -> String {
    match bytes {
        [0x15, 0x03, ..] => "a TLS alert: the port speaks TLS".to_owned(),
        [b'I', b'N', b'F', b'O', b' ', ..] => "INFO: a NATS server".to_owned(),
        [_, _, _, 0x04, ..] if bytes.len() >= 9 => "an HTTP/2 preface".to_owned(),
        [0x20, 0x02, ..] => "a CONNACK: the port speaks MQTT without WebSocket".to_owned(),
        _ => {
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
            format!("{:?}", text.trim_end())
        }
    }
}

/// The first characters of a server's text.
fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_they_came() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Yes\r\nA: 1\r\na:2, 3\r\n\r\n\x82";
        let Parsed::Head(head, length) = parse(bytes) else { panic!() };
        assert_eq!((head.status, head.reason.as_str(), length), (101, "Yes", bytes.len() - 1));
        assert_eq!(head.tokens("A"), ["1", "2", "3"]);
        assert_eq!((head.value("a").unwrap(), head.value("b")), ("1, 2, 3".to_owned(), None));
        for end in 1..length - 1 {
            assert_eq!(parse(&bytes[..end]), Parsed::Partial, "{end}");
        }
        assert_eq!(parse(b"\x15\x03\x01"), Parsed::Other);
        assert_eq!(parse(b"HTTP/1.1 x\r\n\r\n"), Parsed::Other);
    }

    #[test]
    fn answers_are_told_in_words() {
        let head = |text: &str| match parse(text.as_bytes()) {
            Parsed::Head(head, _) => Answer::Head(head).to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(head("HTTP/1.1 404 Not Found\r\n\r\n"), "404 Not Found");
        assert_eq!(head("HTTP/1.1 101 x\r\n\r\n"), "101 without a subprotocol");
        let other = |bytes: &[u8]| Answer::Other(bytes.to_vec()).to_string();
        let long = [b"HTTP/1.1 101 x\r\nA: ".to_vec(), vec![b'a'; LARGEST]].concat();
        assert_eq!(other(&long), "an HTTP head of more than 64 KiB");
        assert_eq!(other(b"HTTP/1.1 x\r\n\r\n"), "a broken line of HTTP: \"HTTP/1.1 x\"");
        assert_eq!(beginning(b"\x15\x03\x03\0\x02"), "a TLS alert: the port speaks TLS");
        assert_eq!(beginning(b"SSH-2.0-x\r\n"), "\"SSH-2.0-x\"");
        assert_eq!(Answer::Ended(End::default()).to_string(), "no answer, but the end");
    }
}
