//! Why a run of `sub` ended before what was asked was done, and the line about it.

use std::time::{Duration, Instant};

use crate::format::count::{count, count_of};

/// The failure of the command of the command line, before it is known whether it counts.
#[derive(Debug)]
pub struct CommandFailure {
    /// What has failed, and how.
    pub words: String,
    /// It counts then at the latest.
    pub until: Instant,
}

/// Why a run ended before what was asked was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EarlyEnd {
    /// This time is up.
    TimedOut(Duration),
    /// Nothing came for this time (`--idle`).
    Silent(Duration),
    /// The user has interrupted it.
    Interrupted,
    /// The same, and the broker has not answered this.
    Unanswered(String),
    /// The command of the command line has failed, and how.
    CommandFailed(String),
}

impl EarlyEnd {
    /// What is said where messages have to match something; `tally` says which have come, and is
    /// told until when.
    pub fn with_tally(&self, tally: impl Fn(&str) -> String) -> String {
        match self {
            Self::TimedOut(after) => tally(&format!(" within {} s", after.as_secs_f64())),
            Self::Silent(idle) => tally(&format!(" before {} s of silence", idle.as_secs_f64())),
            Self::Interrupted => format!("interrupted: {}", tally(" so far")),
            Self::Unanswered(what) => format!("{what}: interrupted"),
            Self::CommandFailed(failure) => format!("{failure}; {}", tally(" so far")),
        }
    }

    /// What is said where every message counts.
    pub fn with_count(&self, written: u64, wanted: Option<u64>) -> String {
        let messages = match wanted {
            Some(wanted) => count_of(written, wanted, "message"),
            None => count(written, "message"),
        };
        match self {
            Self::TimedOut(after) => {
                format!("subscribed: timed out after {} s with {messages}", after.as_secs_f64())
            }
            Self::Silent(idle) => {
                format!("subscribed: nothing came for {} s after {messages}", idle.as_secs_f64())
            }
            Self::Interrupted => format!("subscribed: interrupted with {messages}"),
            Self::Unanswered(what) => format!("{what}: interrupted"),
            Self::CommandFailed(failure) => failure.clone(),
        }
    }
}
