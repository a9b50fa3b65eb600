//! The progress of a long stream on stderr, if that is a terminal: a bar where the length of the
//! input is known, a count where it is not. It is erased at the end.

use std::io;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{
    HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike,
};

use crate::terminal::screen;
use crate::terminal::status_line;

/// A stream that takes less time than this gets no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the bar is redrawn.
const REDRAW: Duration = Duration::from_millis(100);

/// The time constant of the rate, in seconds.
const MEMORY: f64 = 3.0;

/// The most redraws a second that indicatif allows: more than [`REDRAW`] asks for, so that none is
/// left out.
const HERTZ: u8 = 30;

/// How far a stream has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Messages that were published or received.
    pub messages: u64,
    /// Their payloads, in bytes.
    pub bytes: u64,
    /// What was read of the input whose length is known, in bytes.
    pub read: u64,
}

/// A narrower terminal shows words without a bar, in columns.
const WIDE: u16 = 40;

/// The bar or the count.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    /// How long the input is, in bytes.
    total: Option<u64>,
    /// When it is redrawn next; `None` if there is no bar.
    next: Option<Instant>,
    rate: Rate,
}

impl Progress {
    /// A bar that appears after a second, if `wanted`; `total` is the length of the input in bytes.
    pub fn new(wanted: bool, total: Option<u64>, now: Instant) -> Self {
        let next = (wanted && screen::has_room_for_bar()).then(|| now + PATIENCE);
        Self { bar: None, total, next, rate: Rate::since(now) }
    }

    /// When [`Progress::update`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Whether there is anything to draw; if not, nothing need be asked for the time.
    pub fn is_on(&self) -> bool {
        self.next.is_some()
    }

    /// The stream has come so far.
    pub fn update(&mut self, position: Position, now: Instant) {
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.next = Some(now + REDRAW);
        // A terminal that was stopped (Ctrl-S) must not stop the connection.
        if !screen::stderr_is_ready() {
            return;
        }
        let is_bar = self.total.is_some();
        let rate = self.rate.update(if is_bar { position.read } else { position.messages }, now);
        let words = self.words(position, rate);
        let bar = self.bar.get_or_insert_with(|| new_bar(self.total));
        // Each of these draws what the one before has set.
        bar.set_message(words);
        if is_bar {
            bar.set_position(position.read);
        } else {
            bar.tick();
        }
    }

    fn words(&self, position: Position, rate: f64) -> String {
        if let Some(total) = self.total {
            let left = time_left(total.saturating_sub(position.read), rate);
            let (read, total) = (HumanBytes(position.read), HumanBytes(total));
            return format!("{read} of {total}, {}/s, {left}", HumanBytes(whole(rate)));
        }
        let Position { messages, bytes, .. } = position;
        let noun = if messages == 1 { "message" } else { "messages" };
        let count = HumanCount(messages);
        format!("{count} {noun}, {}, {}/s", HumanBytes(bytes), HumanCount(whole(rate)))
    }

    /// Erases the bar.
    pub fn finish(&mut self) {
        self.next = None;
        if let Some(bar) = self.bar.take() {
            status_line::clear();
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn new_bar(total: Option<u64>) -> ProgressBar {
    let margin = Margin::of_stderr();
    let has_bar = total.is_some() && margin.width() >= WIDE;
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(margin), HERTZ);
    let bar = ProgressBar::with_draw_target(total, target);
    let template = if has_bar { "{bar:24} {wide_msg}" } else { "{spinner} {wide_msg}" };
    let bar = match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ").tick_chars("-\\|/ ")),
        Err(_) => bar,
    };
    status_line::show_bar(&bar);
    bar
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are far from both ends"
)]
fn whole(rate: f64) -> u64 {
    rate.round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn time_left(left: u64, rate: f64) -> String {
    // A century is as good as never.
    let time = Duration::try_from_secs_f64(left as f64 / rate).ok();
    match time.filter(|time| *time < Duration::from_secs(100 * 365 * 86_400)) {
        Some(time) => format!("{:#} left", HumanDuration(time)),
        None => "stalled".to_owned(),
    }
}

/// The recent number of something per second.
#[derive(Debug)]
struct Rate {
    latest: Instant,
    count: u64,
    /// `None` before the first count.
    value: Option<f64>,
}

impl Rate {
    fn since(now: Instant) -> Self {
        Self { latest: now, count: 0, value: None }
    }

    /// The rate at a new `count`; a count that is smaller than before has started again.
    #[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52 in a moment")]
    fn update(&mut self, count: u64, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.latest).as_secs_f64();
        if passed <= 0.0 {
            return self.value.unwrap_or(0.0);
        }
        let current = count.saturating_sub(self.count) as f64 / passed;
        let value = match self.value {
            Some(value) => value + (current - value) * (1.0 - (-passed / MEMORY).exp()),
            None => current,
        };
        *self = Self { latest: now, count, value: Some(value) };
        value
    }
}

/// Room for the `^C` and for the cursor, in columns.
const MARGIN: u16 = 3;

/// stderr for bars, a little narrower than it is: indicatif fills lines with spaces up to their
/// end, and the `^C` that the terminal shows when somebody interrupts us would wrap such a line,
/// and half of it would stay.
#[derive(Debug)]
struct Margin(Term);

impl Margin {
    /// The terminal that stderr is.
    fn of_stderr() -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_follows_the_stream() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut rate = Rate::since(start);
        assert_eq!(whole(rate.update(1000, start + second)), 1000);
        assert_eq!(whole(rate.update(2000, start + 2 * second)), 1000);
        let slower = rate.update(2000, start + 3 * second);
        assert!(slower > 500.0 && slower < 1000.0, "{slower}");
        assert_eq!(whole(rate.update(2000, start + 60 * second)), 0);
        assert_eq!(whole(rate.update(10, start + 61 * second)), 0, "it was read again");
    }

    #[test]
    fn the_words_of_a_bar() {
        let mut progress = Progress::new(false, Some(10 << 20), Instant::now());
        let position = Position { messages: 7, bytes: 9, read: 5 << 20 };
        assert_eq!(
            progress.words(position, 1_048_576.0),
            "5.00 MiB of 10.00 MiB, 1.00 MiB/s, 5s left"
        );
        assert_eq!(progress.words(position, 0.0), "5.00 MiB of 10.00 MiB, 0 B/s, stalled");
        progress.total = None;
        assert_eq!(progress.words(position, 1234.4), "7 messages, 9 B, 1,234/s");
    }
}
