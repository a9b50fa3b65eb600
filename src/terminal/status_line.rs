//! What is drawn on the terminal and will be drawn over: a line on stderr must not tear it, whoever
//! writes it. It must never know what is drawn.
//!
//! The one global of the program: so is the terminal that it speaks of.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::ProgressBar;

/// Lines that wait for a frame; a broker that refuses everything must not eat our memory.
const MOST_WAITING: usize = 1000;

static DRAWN: Mutex<Drawn> = Mutex::new(Drawn::Empty);

enum Drawn {
    /// Nothing is: lines are written as they come.
    Empty,
    /// A bar steps aside for a line.
    Bar(ProgressBar),
    /// Lines wait for the next frame, which is drawn below them; so many more were left out.
    Frames { lines: Vec<String>, lost: usize },
}

fn drawn() -> MutexGuard<'static, Drawn> {
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a line, with its line feed, on stderr.
pub fn write(line: &str) {
    match &mut *drawn() {
        Drawn::Empty => to_stderr(line),
        Drawn::Bar(bar) => bar.suspend(|| to_stderr(line)),
        Drawn::Frames { lines, .. } if lines.len() < MOST_WAITING => lines.push(line.to_owned()),
        Drawn::Frames { lost, .. } => *lost += 1,
    }
}

/// From now on this bar is drawn on stderr.
pub fn enter_bar(bar: &ProgressBar) {
    *drawn() = Drawn::Bar(bar.clone());
}

/// From now on frames are drawn on stdout; lines wait for them if they would stand on the same
/// terminal.
pub fn enter_frames() {
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
pub fn leave() {
    if let Drawn::Frames { lines, lost } = std::mem::replace(&mut *drawn(), Drawn::Empty) {
        for line in with_lost(lines, lost) {
            to_stderr(&line);
        }
    }
}

fn with_lost(mut lines: Vec<String>, lost: usize) -> Vec<String> {
    if lost > 0 {
        lines.push(format!("mqttws: {lost} more lines are left out\n"));
    }
    lines
}

fn to_stderr(line: &str) {
    // If stderr is gone there is nobody left to tell.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}
