//! Lines on stdout that may come faster than they can be read: then many are written at once.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};

use crate::format::escape;

/// How long a line may wait for others, in a pipe or a file: not long enough to be noticed.
const PATIENCE: Duration = Duration::from_millis(50);

/// With more bytes than this the lines are written at once.
const MOST: usize = 16 * 1024;

/// Lines that were not written yet.
#[derive(Debug)]
pub struct Lines {
    is_terminal: bool,
    waiting: BytesMut,
    /// Since when the first of them waits.
    since: Option<Instant>,
    /// The latest line consists of dots, and has no end yet.
    has_dots: bool,
}

impl Lines {
    /// Lines on stdout; on a terminal none waits.
    pub fn new() -> Self {
        Self::over(io::stdout().is_terminal())
    }

    fn over(is_terminal: bool) -> Self {
        Self { is_terminal, waiting: BytesMut::new(), since: None, has_dots: false }
    }

    /// Adds a line.
    pub fn add(&mut self, line: &str, now: Instant) {
        if self.is_terminal {
            escape::escape(line.as_bytes(), &mut self.waiting);
        } else {
            self.waiting.put_slice(line.as_bytes());
        }
        self.waiting.put_u8(b'\n');
        self.since.get_or_insert(now);
    }

    /// Adds a dot to a line of dots; nothing where there is no terminal.
    pub fn add_dot(&mut self, now: Instant) {
        if self.is_terminal {
            self.waiting.put_u8(b'.');
            self.has_dots = true;
            self.since.get_or_insert(now);
        }
    }

    /// Ends the line of dots, if there are any.
    pub fn end_dots(&mut self) {
        if std::mem::take(&mut self.has_dots) {
            self.waiting.put_u8(b'\n');
        }
    }

    /// When those that wait must be written.
    pub fn deadline(&self) -> Option<Instant> {
        let since = self.since?;
        let at_once = self.is_terminal || self.waiting.len() > MOST;
        Some(if at_once { since } else { since + PATIENCE })
    }

    /// Writes the lines that wait; false if the reader of stdout has gone.
    pub fn write(&mut self) -> io::Result<bool> {
        self.since = None;
        if self.waiting.is_empty() {
            return Ok(true);
        }
        let mut stdout = io::stdout().lock();
        let result = stdout.write_all(&self.waiting).and_then(|()| stdout.flush());
        self.waiting.clear();
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            result => result.map(|()| true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_for_a_moment_but_not_on_a_terminal() {
        let now = Instant::now();
        let mut lines = Lines::over(false);
        assert_eq!(lines.deadline(), None);
        lines.add("one\u{9b}", now);
        lines.add("two", now + PATIENCE);
        assert_eq!(lines.deadline(), Some(now + PATIENCE));
        assert_eq!(lines.waiting, "one\u{9b}\ntwo\n");
        lines.add(&"x".repeat(MOST), now);
        assert_eq!(lines.deadline(), Some(now));
        let mut lines = Lines::over(true);
        lines.add("one\u{9b}", now);
        assert_eq!((lines.deadline(), &lines.waiting[..]), (Some(now), &b"one\\x9b\n"[..]));
    }

    #[test]
    fn dots_are_for_a_terminal() {
        for (is_terminal, expected) in [(true, &b"..\n"[..]), (false, b"")] {
            let mut lines = Lines::over(is_terminal);
            lines.add_dot(Instant::now());
            lines.add_dot(Instant::now());
            lines.end_dots();
            lines.end_dots();
            assert_eq!(lines.waiting, expected);
        }
    }
}
