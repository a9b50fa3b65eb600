//! What an operating system or a peer says, in a few words that are safe to print.
//! It must never know where they are printed.

use std::io;

/// The cause of `error` in a few lower-case words, without an error number.
pub fn io_words(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => "connection refused".into(),
        Kind::ConnectionReset => "connection reset by the server".into(),
        Kind::ConnectionAborted => "connection aborted".into(),
        Kind::BrokenPipe => "connection closed by the server".into(),
        Kind::NotConnected => "not connected".into(),
        Kind::HostUnreachable => "host unreachable".into(),
        Kind::NetworkUnreachable => "network unreachable".into(),
        // A time-out of the socket is EAGAIN on Unix and ETIMEDOUT on Windows.
        Kind::TimedOut | Kind::WouldBlock => "timed out".into(),
        Kind::PermissionDenied => "permission denied".into(),
        Kind::AddrNotAvailable => "address not available".into(),
        Kind::NotFound => "no such file".into(),
        _ => plain_words(&error.to_string()),
    }
}

/// `text` without its error number and without the prefix that std puts before look-up errors.
fn plain_words(text: &str) -> String {
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(text);
    let text = text.find(" (os error").map_or(text, |at| &text[..at]);
    uncapitalised(text)
}

/// `text` with a small first letter, unless it begins with an abbreviation.
pub fn uncapitalised(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            format!("{}{}", first.to_lowercase(), &text[first.len_utf8()..])
        }
        _ => text.to_owned(),
    }
}

/// `CamelCase` as words: `TooManyWarnings` is `too many warnings`; what follows the name is left
/// out.
pub fn spaced(name: &str) -> String {
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let mut words = String::with_capacity(name.len() + 8);
    let mut characters = name.chars().peekable();
    let mut after_small = false;
    while let Some(c) = characters.next() {
        let before_small = characters.peek().is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && !words.is_empty() && (after_small || before_small) {
            words.push(' ');
        }
        let is_abbreviation = c.is_ascii_uppercase()
            && !before_small
            && !(after_small && characters.peek().is_none());
        words.push(if is_abbreviation { c } else { c.to_ascii_lowercase() });
        after_small = !c.is_ascii_uppercase();
    }
    words
}

/// At most `limit` characters of `text`, without control and bidirectional characters.
pub fn printable(text: &str, limit: usize) -> String {
    text.chars().filter(|&c| !is_unprintable(c)).take(limit).collect()
}

/// Characters that could drive a terminal or disguise what stands beside them.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_lose_their_numbers_and_capitals() {
        assert_eq!(
            io_words(&io::Error::from(io::ErrorKind::ConnectionRefused)),
            "connection refused"
        );
        let lookup = "failed to lookup address information: Name or service not known";
        assert_eq!(io_words(&io::Error::other(lookup)), "name or service not known");
        assert_eq!(io_words(&io::Error::other("Bad thing (os error 99)")), "bad thing");
        assert_eq!(uncapitalised("TLS is on"), "TLS is on");
        assert_eq!(uncapitalised(""), "");
    }

    #[test]
    fn names_become_words() {
        for (name, words) in [
            ("HandshakePayloadTooLarge", "handshake payload too large"),
            ("UnknownCA", "unknown CA"),
            ("UnknownPSKIdentity", "unknown PSK identity"),
            ("MissingData(\"ProtocolVersion\")", "missing data"),
            ("", ""),
        ] {
            assert_eq!(spaced(name), words);
        }
    }

    #[test]
    fn printable_text_cannot_drive_a_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\u{202e}c\r\n", 99), "a[31mbc");
        assert_eq!(printable("äöü", 2), "äö");
    }
}
