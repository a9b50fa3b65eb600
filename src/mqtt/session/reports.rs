//! The reports of a session to its caller: events and lines of the packet log.

use std::collections::VecDeque;

use super::config::Config;
use super::{Deviation, Event};

/// The events and lines that wait for the caller.
#[derive(Debug, Default)]
pub struct Reports {
    events: VecDeque<Event>,
    lines: VecDeque<String>,
    useful: bool,
    /// The deviations of the server in the order in which they happened first.
    deviations: Vec<Deviation>,
    /// How many of them the caller has got.
    deviations_told: usize,
}

impl Reports {
    /// The next event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether an event waits.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// Adds an event.
    pub fn push(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Notes that a message or an acknowledgement was received.
    #[inline]
    pub fn set_useful(&mut self) {
        self.useful = true;
    }

    /// Whether a message or an acknowledgement was received since the last call.
    pub fn take_useful(&mut self) -> bool {
        std::mem::take(&mut self.useful)
    }

    /// Adds a deviation of the server, unless there was one of this kind before.
    #[cold]
    pub fn deviate(&mut self, deviation: Deviation) {
        if !self.deviations.contains(&deviation) {
            self.deviations.push(deviation);
        }
    }

    /// The next deviation.
    pub fn next_deviation(&mut self) -> Option<Deviation> {
        let deviation = self.deviations.get(self.deviations_told).copied()?;
        self.deviations_told += 1;
        Some(deviation)
    }

    /// Adds a line about a packet, if the configuration asks for it.
    pub fn log(&mut self, config: &Config, verb: &str, describe: impl FnOnce() -> String) {
        if config.reports.trace {
            self.lines.push_back(format!("Client {} {verb} {}", config.client_id, describe()));
        }
    }

    /// The next line of the packet log.
    pub fn next_line(&mut self) -> Option<String> {
        self.lines.pop_front()
    }
}
