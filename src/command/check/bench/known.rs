//! What is known of the server from the points before.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::command::check::answer::Answer;
use crate::mqtt::version::Version;

/// Whether a version is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    /// CONNACK 0 came.
    Yes,
    /// It was refused: how.
    No(String),
}

/// What is known of the server.
#[derive(Debug, Clone, Default)]
pub struct KnownServer {
    spoken: BTreeMap<Version, Spoken>,
    /// What came for the user's request when it was first sent.
    pub plain_answer: Option<Answer>,
    /// The user's request was answered by 101 once.
    pub was_upgraded: bool,
    /// How long the server took for the slowest of its first answers.
    pub first_answer: Duration,
}

impl KnownServer {
    /// Whether no CONNECT was answered, or waited for, yet.
    pub fn is_new_to_mqtt(&self) -> bool {
        self.spoken.is_empty()
    }

    /// Whether a version is spoken, as far as that is known.
    pub fn spoken(&self, version: Version) -> Option<&Spoken> {
        self.spoken.get(&version)
    }

    /// Notes whether a version is spoken.
    pub fn note_spoken(&mut self, version: Version, spoken: Spoken) {
        self.spoken.insert(version, spoken);
    }

    /// The newest version that is known to be spoken.
    pub fn newest(&self) -> Option<Version> {
        self.versions().first().copied()
    }

    /// The versions that are known to be spoken, the newest first.
    pub fn versions(&self) -> Vec<Version> {
        let spoken = self.spoken.iter().rev().filter(|(_, spoken)| **spoken == Spoken::Yes);
        spoken.map(|(version, _)| *version).collect()
    }
}
