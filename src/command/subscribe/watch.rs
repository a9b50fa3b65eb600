//! `--watch`, and `--tree` on a terminal: the sink that shows messages as a line for each topic, or
//! counts them in a tree, drawn over in place. A message is acknowledged with the frame that shows
//! it, or a later message.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::config::WatchOptions;
use super::reporting;
use crate::mqtt::packet::Publish;
use crate::stdio::stdout::MessageWriter;
use crate::terminal::continued::Continued;
use crate::terminal::live_tree::{Extent, LiveTree};
use crate::terminal::screen::{self, Size};
use crate::terminal::status_line;
use crate::terminal::watch::Watch;

/// The shortest time from one frame to the next: no eye sees more.
const FRAME: Duration = Duration::from_millis(50);

/// The same for a tree, which is made anew for each frame.
const TREE_FRAME: Duration = Duration::from_millis(200);

/// How often we look whether the terminal has another size, or a line waits to be shown.
const LOOK: Duration = Duration::from_millis(250);

/// What is shown.
enum View {
    Topics(Watch),
    Tree(LiveTree),
}

impl View {
    fn of(options: WatchOptions) -> Self {
        match options {
            WatchOptions::Topics { colour, encoding } => Self::Topics(Watch::new(colour, encoding)),
            WatchOptions::Tree { depth } => Self::Tree(LiveTree::new(depth)),
        }
    }

    fn put(&mut self, publish: &Publish) {
        match self {
            Self::Topics(watch) => {
                if let Some(topic) = &publish.topic {
                    watch.put(topic, &publish.payload, Instant::now());
                }
            }
            Self::Tree(tree) => reporting::count(tree.counts(), publish),
        }
    }

    fn is_stale(&self, size: Size, now: Instant) -> bool {
        match self {
            Self::Topics(watch) => watch.is_stale(size, now),
            Self::Tree(tree) => tree.is_stale(size),
        }
    }

    fn redraw_all(&mut self) {
        match self {
            Self::Topics(watch) => watch.redraw_all(),
            Self::Tree(tree) => tree.redraw_all(),
        }
    }

    fn redraw_below(&mut self) {
        match self {
            Self::Topics(watch) => watch.redraw_below(),
            Self::Tree(tree) => tree.redraw_below(),
        }
    }

    fn frame(&mut self, size: Size, above: &[String], extent: Extent, now: Instant) -> Bytes {
        match self {
            Self::Topics(watch) => watch.frame(size, above, now),
            Self::Tree(tree) => tree.frame(size, above, extent),
        }
    }

    /// The shortest time from one frame to the next.
    fn pause(&self) -> Duration {
        match self {
            Self::Topics(_) => FRAME,
            Self::Tree(_) => TREE_FRAME,
        }
    }
}

/// The view, and how far it has been drawn.
pub struct WatchSink {
    view: View,
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
    pub fn new(options: WatchOptions, output: MessageWriter, now: Instant) -> io::Result<Self> {
        let continued = Continued::watch()?;
        status_line::show_frames();
        let view = View::of(options);
        Ok(Self { view, continued, output, latest: 0, drawn: 0, next: now, has_ended: false })
    }

    /// Adds a message to what the next frame shows.
    pub fn put(&mut self, number: u64, publish: &Publish) {
        self.latest = number;
        self.view.put(publish);
    }

    /// A message that is not shown; it is acknowledged with the next frame.
    pub fn skip(&mut self, number: u64) {
        self.latest = number;
    }

    /// Draws a frame, if it is time for one; when to call this again.
    pub fn draw(&mut self) -> Instant {
        self.draw_below(Instant::now(), Extent::Screen, status_line::take_lines)
    }

    /// The last frame; lines that wait now will stand below it.
    pub fn finish(&mut self) {
        self.view.redraw_all();
        self.next = Instant::now();
        self.draw_below(self.next, Extent::Whole, Vec::new);
    }

    /// The last frame is written: lines go to stderr again.
    pub fn end(&mut self) {
        if !std::mem::replace(&mut self.has_ended, true) {
            status_line::clear();
        }
    }

    fn draw_below(
        &mut self,
        now: Instant,
        extent: Extent,
        take_lines: impl Fn() -> Vec<String>,
    ) -> Instant {
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
            self.view.redraw_below();
        }
        let (size, lines) = (screen::size(), take_lines());
        if lines.is_empty() && self.latest == self.drawn && !self.view.is_stale(size, now) {
            return now + LOOK;
        }
        self.output.piece(self.view.frame(size, &lines, extent, now));
        self.output.end(self.latest);
        self.output.flush();
        self.drawn = self.latest;
        self.next = now + self.view.pause();
        now + LOOK
    }
}

impl Drop for WatchSink {
    fn drop(&mut self) {
        self.end();
    }
}
