//! Several lines on stderr that are drawn anew in their place, with text of stdout above them. They
//! are erased at the end.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::progress::Margin;
use super::screen::{self, Size};
use super::status_line;

/// The most redraws in a second.
const HERTZ: u8 = 10;

/// The lines.
#[derive(Debug)]
pub struct Region(ProgressBar);

impl Region {
    /// No line yet; `None` where stdout and stderr are not one terminal that can be drawn on.
    pub fn open() -> Option<Self> {
        if !screen::stdout_is_terminal() || !screen::has_room_for_bar() {
            return None;
        }
        let rows = RegionTerm { margin: Margin::of_stderr(), written: AtomicUsize::new(0) };
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(rows), HERTZ);
        let style = ProgressStyle::with_template("{msg}").ok()?;
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        status_line::show_bar(&bar);
        Some(Self(bar))
    }

    /// The room for the lines.
    pub fn size() -> Size {
        let margin = Margin::of_stderr();
        Size { rows: margin.height().into(), columns: margin.width().into() }
    }

    /// Draws these lines instead of those before, unless that was a moment ago.
    pub fn draw(&self, lines: &[String]) {
        self.0.set_message(lines.join("\n"));
    }

    /// Writes text on stdout, above the lines.
    pub fn print_above(&self, text: &str) {
        // What cannot be written is noticed by what is written at the end.
        self.0.suspend(|| {
            let mut stdout = io::stdout().lock();
            let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        });
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        status_line::clear();
        self.0.finish_and_clear();
    }
}

/// stderr for lines of their own. indicatif fills each line with blanks, so that the next one
/// begins in the next row; with a margin that would be in the middle of the same one.
#[derive(Debug)]
struct RegionTerm {
    margin: Margin,
    /// How often something was written since the last flush: lines and blanks take turns.
    written: AtomicUsize,
}

impl TermLike for RegionTerm {
    fn width(&self) -> u16 {
        self.margin.width()
    }

    fn height(&self) -> u16 {
        self.margin.height()
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.margin.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.margin.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.margin.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.margin.move_cursor_left(columns)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.margin.write_line(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        match self.written.fetch_add(1, Ordering::Relaxed) {
            0 => self.margin.write_str(text),
            line if line % 2 == 0 => self.margin.write_str(&format!("\n{text}")),
            _blanks => Ok(()),
        }
    }

    fn clear_line(&self) -> io::Result<()> {
        self.margin.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.written.store(0, Ordering::Relaxed);
        self.margin.flush()
    }
}
