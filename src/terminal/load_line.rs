//! One line on stderr that is drawn again and again while a load runs.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{screen, status_line};

/// How often the line is drawn.
const INTERVAL: Duration = Duration::from_millis(100);

/// The line; nothing where there is no terminal.
#[derive(Debug, Default)]
pub struct LoadLine {
    bar: Option<ProgressBar>,
    next: Option<Instant>,
}

impl LoadLine {
    /// The line, where stderr is a terminal that can redraw one.
    pub fn new(now: Instant) -> Self {
        if !screen::stderr_is_terminal() || !screen::can_redraw() {
            return Self::default();
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            bar.set_style(style);
        }
        status_line::show_bar(&bar);
        Self { bar: Some(bar), next: Some(now) }
    }

    /// When it is to be drawn next.
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Draws this line.
    pub fn show(&mut self, line: String, now: Instant) {
        self.next = self.next.map(|_| now + INTERVAL);
        if let Some(bar) = &self.bar {
            bar.set_message(line);
            bar.tick();
        }
    }

    /// Does something, such as printing a line, while it is not there.
    pub fn aside(&self, act: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(act),
            None => act(),
        }
    }

    /// Removes it.
    pub fn finish(&mut self) {
        self.next = None;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            status_line::clear();
        }
    }
}
