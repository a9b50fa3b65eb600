//! stderr for bars, a little narrower than it is: indicatif fills lines with spaces up to their
//! end, and the `^C` that the terminal shows when somebody interrupts us would wrap such a line,
//! and half of it stayed. It must never know what is drawn.

use std::io;

use console::Term;
use indicatif::TermLike;

/// Room for the `^C` and for the cursor, in columns.
const MARGIN: u16 = 3;

/// See the module.
#[derive(Debug)]
pub struct Margin(Term);

impl Margin {
    /// The terminal that stderr is.
    pub fn of_stderr() -> Self {
        Self(Term::buffered_stderr())
    }
}

impl TermLike for Margin {
    fn width(&self) -> u16 {
        self.0.size().1.saturating_sub(MARGIN).max(1)
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.write_line(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
