//! Several lines on stderr that are drawn anew in their place, with text of stdout above them. They
//! are erased at the end.

use std::io::{self, Write};

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
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Margin::of_stderr()), HERTZ);
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
