//! Describes errors of the operating system in a few lower-case words.

use std::io;

/// The cause of `error` in a few lower-case words. A kind without words here has the system's
/// message, including its number, which `report` cuts off.
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
        // Linux reports the time-out of a socket as EAGAIN.
        Kind::TimedOut | Kind::WouldBlock => "timed out".into(),
        Kind::PermissionDenied => "permission denied".into(),
        Kind::AddrNotAvailable => "address not available".into(),
        Kind::NotFound => "no such file".into(),
        _ => uncapitalised(&error.to_string()),
    }
}

/// `text` with a lower-case first letter, unless it begins with an abbreviation.
pub fn uncapitalised(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            format!("{}{}", first.to_lowercase(), &text[first.len_utf8()..])
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_begin_with_a_small_letter() {
        assert_eq!(
            io_words(&io::Error::from(io::ErrorKind::ConnectionRefused)),
            "connection refused"
        );
        assert_eq!(io_words(&io::Error::other("Bad thing")), "bad thing");
        assert_eq!(uncapitalised("TLS is on"), "TLS is on");
        assert_eq!(uncapitalised(""), "");
    }
}
