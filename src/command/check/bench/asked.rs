//! The point that is asked: its version, its time, its topic, and what went wrong during it.

use std::time::{Duration, Instant};

use super::upgrade::TurnedAway;
use crate::mqtt::version::Version;

/// The names of the topics of a run.
pub struct RunTopics {
    /// PREFIX/RUN
    start: String,
    count: u32,
}

impl RunTopics {
    /// Topics below this prefix, which no other run has.
    pub fn new(prefix: &str) -> Self {
        let run: String = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
        Self { start: format!("{prefix}/{run}"), count: 0 }
    }

    /// A topic for this point, which no other point and no other try has.
    pub fn next(&mut self, point: &str) -> String {
        self.count += 1;
        format!("{}/{point}/{}", self.start, self.count)
    }
}

/// The point that is asked.
pub struct AskedPoint {
    /// The version of the point; `None` for the newest.
    pub version: Option<Version>,
    /// When it began.
    pub began: Instant,
    /// When it must be done.
    pub deadline: Instant,
    /// T
    pub topic: String,
    /// How long the latest answer to an upgrade could take.
    pub patience: Duration,
    /// The user's request was refused in this point, and taken before.
    pub turned_away: Option<TurnedAway>,
    /// The server ended a connection in the middle.
    pub saw_unexpected_end: bool,
}

impl AskedPoint {
    /// It begins now.
    pub fn new(version: Option<Version>, timeout: Duration, topic: String) -> Self {
        let began = Instant::now();
        let deadline = began + timeout;
        Self {
            version,
            began,
            deadline,
            topic,
            patience: timeout,
            turned_away: None,
            saw_unexpected_end: false,
        }
    }
}
