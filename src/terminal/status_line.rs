//! Lines on stderr while a bar or a frame is drawn on the terminal: they are written above it.
//!
//! It is the one global of the program, because the terminal is: errors, warnings and the packet
//! log come from everywhere, and none of them may be written into the middle of a bar.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::ProgressBar;

/// The most lines that wait for a frame: a broker that refuses everything must not fill our memory.
const MOST_WAITING: usize = 1000;

static DRAWN: Mutex<Drawn> = Mutex::new(Drawn::Nothing);

enum Drawn {
    /// Nothing: lines are written as they come.
    Nothing,
    /// A bar: it is erased for a line and drawn again below it.
    Bar(ProgressBar),
    /// Frames: lines wait for the next one, which is drawn below them. When too many wait, the
    /// number of those that are left out is counted.
    Frames { lines: Vec<String>, lost: usize },
}

fn drawn() -> MutexGuard<'static, Drawn> {
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a line, with its line feed, on stderr.
pub fn write(line: &str) {
    match &mut *drawn() {
        Drawn::Nothing => to_stderr(line),
        Drawn::Bar(bar) => bar.suspend(|| to_stderr(line)),
        Drawn::Frames { lines, .. } if lines.len() < MOST_WAITING => lines.push(line.to_owned()),
        Drawn::Frames { lost, .. } => *lost += 1,
    }
}

/// From now on this bar is drawn on stderr.
pub fn show_bar(bar: &ProgressBar) {
    *drawn() = Drawn::Bar(bar.clone());
}

/// From now on frames are drawn on stdout; lines wait for them if they would stand on the same
/// terminal.
pub fn show_frames() {
    if super::screen::stderr_is_terminal() {
        *drawn() = Drawn::Frames { lines: Vec::new(), lost: 0 };
    }
}

/// The lines that have come since the last frame.
pub fn take_lines() -> Vec<String> {
    match &mut *drawn() {
        Drawn::Frames { lines, lost } => with_lost(std::mem::take(lines), std::mem::take(lost)),
        _ => Vec::new(),
    }
}

/// Nothing is drawn any more; lines that waited are written.
pub fn clear() {
    if let Drawn::Frames { lines, lost } = std::mem::replace(&mut *drawn(), Drawn::Nothing) {
        for line in with_lost(lines, lost) {
            to_stderr(&line);
        }
    }
}

fn with_lost(mut lines: Vec<String>, lost: usize) -> Vec<String> {
    if lost > 0 {
        let are = if lost == 1 { "line is" } else { "lines are" };
        lines.push(format!("mqttws: {lost} more {are} left out\n"));
    }
    lines
}

fn to_stderr(line: &str) {
    // If stderr is closed, the error cannot be reported.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}
