//! How far a long publish has come, on a terminal only; gone without a trace when it is done.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// What takes less than this needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the bar is brought up to date.
const REDRAW: Duration = Duration::from_millis(100);

/// Counts of a stream of messages.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    next: Option<Instant>,
}

impl Progress {
    /// A bar that appears after a second, if `wanted` and if stderr is a terminal.
    pub fn new(wanted: bool, now: Instant) -> Self {
        let next = (wanted && std::io::stderr().is_terminal()).then(|| now + PATIENCE);
        Self { bar: None, next }
    }

    /// The stream has come so far.
    pub fn update(&mut self, messages: u64, bytes: u64, now: Instant) {
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.next = Some(now + REDRAW);
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
            ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        bar.set_message(format!("{messages} messages, {}", indicatif::HumanBytes(bytes)));
        bar.tick();
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        self.next = None;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
