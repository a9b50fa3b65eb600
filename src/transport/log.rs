//! What a connection tells a user who looks closely (`-dd`): lines in the manner of `curl -v`, `*`
//! for what happened, `>` for what we said, `<` for what the server said. Secrets are
//! masked.

use std::collections::VecDeque;
use std::fmt;

use super::stream::TlsInfo;

/// Takes a line; what is formatted in it is formatted only if it is wanted.
pub type Note<'a> = &'a dyn Fn(fmt::Arguments<'_>);

/// Lines that were not taken yet; always empty when none are wanted.
#[derive(Debug, Default)]
pub struct Log {
    wanted: bool,
    lines: VecDeque<String>,
}

impl Log {
    /// A log that keeps lines only if they are wanted.
    pub fn new(wanted: bool) -> Self {
        Self { wanted, lines: VecDeque::new() }
    }

    /// Whether lines are wanted.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Adds a line.
    pub fn note(&mut self, line: fmt::Arguments<'_>) {
        if self.wanted {
            self.lines.push_back(line.to_string());
        }
    }

    /// Adds each line of the head of a request (`>`) or of an answer (`<`); its secrets are masked
    /// already.
    pub fn head(&mut self, whose: char, head: &str) {
        for line in head.lines() {
            self.note(format_args!("{whose} {line}"));
        }
    }

    /// Adds what TLS agreed on, and with whom.
    pub fn tls(&mut self, info: &TlsInfo) {
        let alpn = info.alpn.as_deref().unwrap_or("none");
        self.note(format_args!("* TLS: {}, {}, ALPN {alpn}", info.version, info.cipher));
        if let Some(certificate) = &info.certificate {
            self.note(format_args!("* certificate: {certificate}"));
        }
    }

    /// The oldest line that was not taken.
    pub fn take(&mut self) -> Option<String> {
        self.lines.pop_front()
    }
}
