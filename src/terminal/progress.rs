//! The progress of a long stream on stderr, if that is a terminal: a bar where its end is known, a
//! count where it is not. It is erased at the end.

use std::io;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{
    HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike,
};

use crate::format::count::plural;
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
    /// Messages that were handed over.
    pub messages: u64,
    /// Their payloads, in bytes.
    pub bytes: u64,
    /// The whole stream, if its end is known.
    pub whole: Option<Part>,
    /// One large message, which is worth a bar if it takes longer than others.
    pub message: Option<Part>,
}

/// How far something has come that has a known end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// How much of it was handed over.
    pub done: u64,
    /// How much there is of it.
    pub total: u64,
    /// What is counted.
    pub unit: Unit,
    /// When it ends, where that is known from elsewhere than the rate.
    pub ends: Option<Instant>,
}

/// What a bar counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Messages.
    Messages,
}

/// A narrower terminal shows words without a bar, in columns.
const WIDE: u16 = 40;

/// The bar or the count.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    /// What the bar shows.
    shape: BarKind,
    /// When it is redrawn next; `None` if there is no bar.
    next: Option<Instant>,
    /// The latest large message, and since when it is this one.
    message: Option<(Part, Instant)>,
    wanted: Wanted,
    began: Instant,
    /// Nothing was looked at yet.
    is_first: bool,
    rate: Rate,
}

/// What a user may see of the progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing.
    Nothing,
    /// A bar where an end is known, and otherwise nothing.
    Bar,
    /// A bar where an end is known, and otherwise a count.
    BarOrCount,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BarKind {
    /// A count of messages.
    Count,
    /// A bar that ends at this number.
    Bar(u64),
}

impl Progress {
    /// What is wanted appears after a second.
    pub fn new(wanted: Wanted, now: Instant) -> Self {
        let is_on = wanted != Wanted::Nothing && screen::has_room_for_bar();
        Self {
            bar: None,
            shape: BarKind::Count,
            next: is_on.then(|| now + PATIENCE),
            message: None,
            wanted,
            began: now,
            is_first: true,
            rate: Rate::since(now),
        }
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
        let lasting = self.lasting(position.message, now);
        let part = position.whole.or(lasting);
        self.is_first = false;
        if part.is_none() && self.wanted == Wanted::Bar {
            return self.erase();
        }
        let shape = part.map_or(BarKind::Count, |part| BarKind::Bar(part.total));
        if shape != self.shape || self.bar.is_none() {
            self.rate = self.rate_of(shape, position, now);
            self.shape = shape;
            self.erase();
        }
        let rate = self.rate.update(part.map_or(position.messages, |part| part.done), now);
        self.draw(part, position, rate, now);
    }

    fn draw(&mut self, part: Option<Part>, position: Position, rate: f64, now: Instant) {
        let shape = self.shape;
        let words = part.map_or_else(|| count(position, rate), |part| words(part, rate, now));
        let bar = self.bar.get_or_insert_with(|| new_bar(shape));
        // Each of these draws what the one before has set.
        bar.set_message(words);
        match part {
            Some(part) => bar.set_position(part.done),
            None => bar.tick(),
        }
    }

    /// The large message, once it has lasted for so long that it is worth a bar of its own.
    fn lasting(&mut self, message: Option<Part>, now: Instant) -> Option<Part> {
        let is_same =
            |latest: &Part, one: &Part| latest.total == one.total && latest.done <= one.done;
        // The first one began with the stream.
        let began = if self.is_first { self.began } else { now };
        self.message = message.map(|message| match &self.message {
            Some((latest, since)) if is_same(latest, &message) => (message, *since),
            _ => (message, began),
        });
        let is_long = |since: Instant| now.saturating_duration_since(since) >= PATIENCE;
        self.message.filter(|(_, since)| is_long(*since)).map(|(message, _)| message)
    }

    /// The rate of what is shown from now on.
    fn rate_of(&self, shape: BarKind, position: Position, now: Instant) -> Rate {
        match (shape, &self.message, &self.bar) {
            (BarKind::Bar(_), Some((_, since)), _) if position.whole.is_none() => {
                Rate::since(*since)
            }
            // Nothing was shown before.
            (_, _, None) => Rate::since(self.began),
            (_, _, Some(_)) => Rate { count: position.messages, ..Rate::since(now) },
        }
    }

    /// Erases the bar.
    pub fn finish(&mut self) {
        self.next = None;
        self.erase();
    }

    fn erase(&mut self) {
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

/// The words of a count.
fn count(position: Position, rate: f64) -> String {
    let Position { messages, bytes, .. } = position;
    let (count, noun) = (HumanCount(messages), plural(messages, "message"));
    format!("{count} {noun}, {}, {}/s", HumanBytes(bytes), HumanCount(whole(rate)))
}

/// The words of a bar.
fn words(part: Part, rate: f64, now: Instant) -> String {
    let Part { done, total, unit, ends } = part;
    let left = match ends {
        Some(ends) => format!("{:#} left", HumanDuration(ends.saturating_duration_since(now))),
        None if done >= total => "waiting for the broker".to_owned(),
        None => time_left(total - done, rate),
    };
    let rate = whole(rate);
    match unit {
        Unit::Bytes => {
            let (done, total, rate) = (HumanBytes(done), HumanBytes(total), HumanBytes(rate));
            format!("{done} of {total}, {rate}/s, {left}")
        }
        Unit::Messages => {
            let (done, noun) = (HumanCount(done), plural(total, "message"));
            format!("{done} of {} {noun}, {}/s, {left}", HumanCount(total), HumanCount(rate))
        }
    }
}

fn new_bar(shape: BarKind) -> ProgressBar {
    let margin = Margin::of_stderr();
    let total = match shape {
        BarKind::Count => None,
        BarKind::Bar(total) => Some(total),
    };
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
    fn the_words_of_a_bar_and_of_a_count() {
        let now = Instant::now();
        let part = Part { done: 5 << 20, total: 10 << 20, unit: Unit::Bytes, ends: None };
        let words = |part, rate| words(part, rate, now);
        assert_eq!(words(part, 1_048_576.0), "5.00 MiB of 10.00 MiB, 1.00 MiB/s, 5s left");
        assert_eq!(words(part, 0.0), "5.00 MiB of 10.00 MiB, 0 B/s, stalled");
        let given = Part { done: 10 << 20, ..part };
        let waiting = "10.00 MiB of 10.00 MiB, 0 B/s, waiting for the broker";
        assert_eq!(words(given, 0.0), waiting);
        let replayed = Part { ends: Some(now + Duration::from_secs(90)), ..part };
        assert_eq!(words(replayed, 9.0), "5.00 MiB of 10.00 MiB, 9 B/s, 2m left");
        let messages = Part { done: 1000, total: 1234, unit: Unit::Messages, ends: None };
        assert_eq!(words(messages, 9.0), "1,000 of 1,234 messages, 9/s, 26s left");
        let position = Position { messages: 7, bytes: 9, ..Position::default() };
        assert_eq!(count(position, 1234.4), "7 messages, 9 B, 1,234/s");
        assert_eq!(count(Position { messages: 1, ..position }, 0.0), "1 message, 9 B, 0/s");
    }

    /// One large message among others: its bar comes after a second, and goes with it.
    #[test]
    fn a_large_message_must_last() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let part = |done, total| Some(Part { done, total, unit: Unit::Bytes, ends: None });
        let mut progress = Progress::new(Wanted::Nothing, start);
        assert_eq!(progress.lasting(part(1, 9), at(1000)), part(1, 9), "the first of all");
        progress.is_first = false;
        for (now, given, is_shown) in [
            (2000, part(2, 9), true),
            (2100, None, false),
            (2200, part(1, 9), false),
            (3100, part(2, 9), false),
            (3200, part(3, 9), true),
            (3300, part(1, 9), false),
            (4400, part(1, 8), false),
        ] {
            let shown = progress.lasting(given, at(now));
            assert_eq!(shown, given.filter(|_| is_shown), "{now}");
        }
    }
}
