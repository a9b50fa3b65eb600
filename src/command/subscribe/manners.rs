//! What `sub` does beside writing messages, if anything: `--watch`, `--latency`, the progress on
//! stderr, the note about binary payloads. It must never know how messages are written or
//! acknowledged.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::sink::Sink;
use crate::cli;
use crate::command::timing::Latency;
use crate::format::layout::{Content, Layout};
use crate::mqtt::packet::Publish;
use crate::report;
use crate::terminal::progress::{Position, Progress};
use crate::terminal::screen;
use crate::terminal::status_line;
use crate::terminal::watch::Watch;

/// A frame lasts so long at least: no eye sees more, whatever the broker sends.
const FRAME: Duration = Duration::from_millis(50);

/// How often we look whether the terminal has another size, or a line waits to be shown.
const LOOK: Duration = Duration::from_millis(250);

/// See the module.
#[derive(Debug)]
pub struct Manners {
    watching: Option<Watching>,
    /// A binary payload is still to be noted.
    notes_binary: bool,
    latency: Option<Latency>,
    progress: Progress,
}

/// The board, and what of it has been drawn.
#[derive(Debug)]
struct Watching {
    watch: Watch,
    /// The number of the latest message, and of the latest that was drawn: they are acknowledged
    /// with the frame that shows them, or what came after them.
    latest: u64,
    drawn: u64,
    /// When the next frame may be drawn.
    next: Instant,
}

impl Manners {
    /// What the command line and the terminals ask for; `None` is nothing.
    pub fn new(args: &cli::Subscribe, layout: &Layout, began: Instant) -> Option<Box<Self>> {
        // Commands write to wherever we do, and to stderr.
        let is_kept =
            args.commands.exec.is_none() && (args.output_dir.is_some() || screen::stdout_is_kept());
        let progress = Progress::new(
            args.conversation.shows_progress() && is_kept && !args.watch,
            None,
            began,
        );
        let is_text = super::wishes::encoding(args).is_none();
        let is_plain = matches!(layout.content, Content::Payload { encoding: None, .. });
        let manners = Self {
            watching: args.watch.then(|| Watching::new(args, began)),
            notes_binary: !args.conversation.is_quiet()
                && is_plain
                && (layout.sanitise || args.watch && is_text),
            latency: args.latency.then(Latency::default),
            progress,
        };
        let is_nothing = manners.watching.is_none()
            && !manners.notes_binary
            && manners.latency.is_none()
            && !manners.progress.is_on();
        (!is_nothing).then(|| Box::new(manners))
    }

    /// A message is to be shown; whether that is done, or will be.
    pub fn take(&mut self, number: u64, publish: &Publish) -> bool {
        if let Some(latency) = &mut self.latency {
            latency.add(publish);
        }
        if self.notes_binary && is_binary(&publish.payload) {
            self.notes_binary = false;
            let bytes = publish.payload.len();
            report::note(&format!("binary payload ({bytes} bytes); --hex or --base64 shows it"));
        }
        let Some(watching) = &mut self.watching else { return false };
        watching.latest = number;
        if let Some(topic) = &publish.topic {
            watching.watch.put(topic, &publish.payload);
        }
        true
    }

    /// A message is left out; whether it is acknowledged with the next frame.
    pub fn leave_out(&mut self, number: u64) -> bool {
        self.watching.as_mut().is_some_and(|watching| {
            watching.latest = number;
            true
        })
    }

    /// Draws what is to be drawn before a wait; the time when it wants to be asked again.
    pub fn draw(&mut self, messages: u64, bytes: u64, output: &mut Sink) -> Option<Instant> {
        let now = Instant::now();
        self.progress.update(Position { messages, bytes, read: 0 }, now);
        let next = self
            .watching
            .as_mut()
            .map(|watching| watching.draw(now, status_line::take_lines, output));
        next.into_iter().chain(self.progress.deadline()).min()
    }

    /// The last frame, and then nothing more; lines that wait now will stand below it.
    pub fn finish(&mut self, output: &mut Sink) {
        self.progress.finish();
        if let Some(watching) = &mut self.watching {
            watching.watch.distrust();
            watching.next = Instant::now();
            watching.draw(watching.next, Vec::new, output);
        }
    }

    /// The last frame is written: lines go to stderr again.
    pub fn leave(&mut self) {
        self.progress.finish();
        if self.watching.take().is_some() {
            status_line::leave();
        }
    }

    /// What was measured.
    pub fn latency(&self) -> Option<&Latency> {
        self.latency.as_ref()
    }
}

impl Drop for Manners {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Watching {
    fn new(args: &cli::Subscribe, began: Instant) -> Self {
        status_line::enter_frames();
        let watch = Watch::new(super::wishes::is_coloured(args), super::wishes::encoding(args));
        Self { watch, latest: 0, drawn: 0, next: began }
    }

    /// Draws a frame, if it is time for one, below these lines; when it wants to be asked again.
    fn draw(
        &mut self,
        now: Instant,
        take_lines: impl Fn() -> Vec<String>,
        output: &mut Sink,
    ) -> Instant {
        if now < self.next {
            return self.next;
        }
        // A terminal that was stopped gets the next frame when it goes on; that it goes on is an
        // event.
        if output.is_full() {
            return now + LOOK;
        }
        let (size, lines) = (screen::size(), take_lines());
        if lines.is_empty() && self.latest == self.drawn && !self.watch.is_stale(size) {
            return now + LOOK;
        }
        // A frame is bytes as they are, which fit every layout.
        let _ = output.put(self.latest, &publish_of(self.watch.frame(size, &lines)));
        output.flush();
        self.drawn = self.latest;
        self.next = now + FRAME;
        now + LOOK
    }
}

/// The output takes messages.
fn publish_of(frame: Bytes) -> Publish {
    Publish { payload: frame, ..Publish::default() }
}

/// Whether a payload shown as text says little.
fn is_binary(payload: &[u8]) -> bool {
    memchr::memchr(0, payload).is_some() || std::str::from_utf8(payload).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_not_binary() {
        for text in ["", "grün 日本\r\n\t", "\x1b[31mred\x1b[0m"] {
            assert!(!is_binary(text.as_bytes()), "{text:?}");
        }
        for bytes in [&b"a\0b"[..], b"\xff", b"\x89PNG"] {
            assert!(is_binary(bytes), "{bytes:?}");
        }
    }
}
