//! The log of a connection for `-dd`, in the style of `curl -v`: `*` for events, `>` for what the
//! client sent, `<` for what the server sent. Secrets are masked.

use std::collections::VecDeque;
use std::fmt;

use super::stream::TlsInfo;

/// Adds a line to a log. The arguments are formatted only if lines are wanted.
pub type Note<'a> = &'a dyn Fn(fmt::Arguments<'_>);

/// The lines that were not taken yet; `None` if no lines are wanted.
#[derive(Debug, Default)]
pub struct Log(Option<VecDeque<String>>);

impl Log {
    /// A log that stays empty unless lines are `wanted`.
    pub fn new(wanted: bool) -> Self {
        Self(wanted.then(VecDeque::new))
    }

    /// Whether lines are wanted.
    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Adds a line.
    pub fn note(&mut self, line: fmt::Arguments<'_>) {
        if let Some(lines) = &mut self.0 {
            lines.push_back(line.to_string());
        }
    }

    /// Adds each line of the head of a request (`>`) or of a response (`<`), whose secrets must be
    /// masked already.
    pub fn head(&mut self, whose: char, head: &str) {
        for line in head.lines() {
            self.note(format_args!("{whose} {line}"));
        }
    }

    /// Adds the result of a TLS handshake, and the server's certificate.
    pub fn tls(&mut self, info: &TlsInfo) {
        let alpn = info.alpn.as_deref().unwrap_or("none");
        self.note(format_args!("* TLS: {}, {}, ALPN {alpn}", info.version, info.cipher));
        if let Some(certificate) = &info.certificate {
            self.note(format_args!("* certificate: {certificate}"));
        }
    }

    /// Takes the oldest line.
    pub fn take(&mut self) -> Option<String> {
        self.0.as_mut()?.pop_front()
    }
}
