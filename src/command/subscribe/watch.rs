//! `--watch`: the sink that shows messages as a line for each topic. A message is acknowledged with
//! the frame that shows it, or a later message.

use std::io;
use std::time::{Duration, Instant};

use super::config;
use crate::mqtt::packet::Publish;
use crate::stdio::stdout::MessageWriter;
use crate::terminal::continued::Continued;
use crate::terminal::screen;
use crate::terminal::status_line;
use crate::terminal::watch::Watch;

/// The shortest time from one frame to the next: no eye sees more.
const FRAME: Duration = Duration::from_millis(50);

/// How often we look whether the terminal has another size, or a line waits to be shown.
const LOOK: Duration = Duration::from_millis(250);

/// The view, and how far it has been drawn.
pub struct WatchSink {
    watch: Watch,
    continued: Continued,
    /// Where frames are written, as they are.
    pub output: MessageWriter,
    /// The number of the latest message, and of the latest that was drawn.
    latest: u64,
    drawn: u64,
    /// When the next frame may be drawn.
    next: Instant,
    /// The view is over: lines go to stderr as they come.
    has_ended: bool,
}

impl WatchSink {
    /// Lines for stderr stand above the frames from now on.
    pub fn new(
        config: config::WatchOptions,
        output: MessageWriter,
        now: Instant,
    ) -> io::Result<Self> {
        let continued = Continued::watch()?;
        status_line::show_frames();
        let watch = Watch::new(config.colour, config.encoding);
        Ok(Self { watch, continued, output, latest: 0, drawn: 0, next: now, has_ended: false })
    }

    /// Adds a message to what the next frame shows.
    pub fn put(&mut self, number: u64, publish: &Publish) {
        self.latest = number;
        if let Some(topic) = &publish.topic {
            self.watch.put(topic, &publish.payload, Instant::now());
        }
    }

    /// A message that is not shown; it is acknowledged with the next frame.
    pub fn skip(&mut self, number: u64) {
        self.latest = number;
    }

    /// Draws a frame, if it is time for one; when to call this again.
    pub fn draw(&mut self) -> Instant {
        self.draw_below(Instant::now(), status_line::take_lines)
    }

    /// The last frame; lines that wait now will stand below it.
    pub fn finish(&mut self) {
        self.watch.redraw_all();
        self.next = Instant::now();
        self.draw_below(self.next, Vec::new);
    }

    /// The last frame is written: lines go to stderr again.
    pub fn end(&mut self) {
        if !std::mem::replace(&mut self.has_ended, true) {
            status_line::clear();
        }
    }

    fn draw_below(&mut self, now: Instant, take_lines: impl Fn() -> Vec<String>) -> Instant {
        if now < self.next {
            return self.next;
        }
        // A terminal that was stopped gets the next frame when it goes on; that it goes on is an
        // event.
        if self.output.is_full() {
            return now + LOOK;
        }
        // The shell has written below the frame meanwhile.
        if self.continued.take() {
            self.watch.redraw_below();
        }
        let (size, lines) = (screen::size(), take_lines());
        if lines.is_empty() && self.latest == self.drawn && !self.watch.is_stale(size, now) {
            return now + LOOK;
        }
        self.output.piece(self.watch.frame(size, &lines, now));
        self.output.end(self.latest);
        self.output.flush();
        self.drawn = self.latest;
        self.next = now + FRAME;
        now + LOOK
    }
}

impl Drop for WatchSink {
    fn drop(&mut self) {
        self.end();
    }
}
