//! Which of the messages that come are written: `-T`, `-R`, `--retained-only`, `--random-filter`.

use super::config::{Filter, RetainedFilter};
use crate::mqtt::packet::Publish;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// It is written.
    Wanted,
    /// It is not.
    Unwanted,
    /// It is not, and nothing after it is.
    TheEnd,
}

/// Decides which messages are written.
#[derive(Debug)]
pub struct MessageFilter {
    filter: Filter,
    /// Nothing is left out.
    is_everything: bool,
}

impl MessageFilter {
    /// What the command line asks for.
    pub fn new(filter: Filter) -> Self {
        let is_everything = filter.except.is_empty()
            && filter.retained == RetainedFilter::Included
            && !filter.skips_removals
            && filter.probability.is_none();
        Self { filter, is_everything }
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.is_everything
    }

    /// What becomes of this message, whose payload has `length` bytes, here or still to come.
    pub fn select(&self, publish: &Publish, length: usize) -> Selection {
        if self.is_everything {
            return Selection::Wanted;
        }
        let Filter { except, retained, probability, skips_removals } = &self.filter;
        if *retained == RetainedFilter::Only && !publish.retain {
            return Selection::TheEnd;
        }
        let is_stale = *retained == RetainedFilter::LeftOut && publish.retain;
        let is_echo = *skips_removals && !publish.retain && length == 0;
        let is_filtered = || {
            publish.topic.as_ref().is_some_and(|topic| except.iter().any(|out| out.matches(topic)))
        };
        let is_unlucky = || probability.is_some_and(|probability| fastrand::f64() >= probability);
        if is_stale || is_echo || is_filtered() || is_unlucky() {
            Selection::Unwanted
        } else {
            Selection::Wanted
        }
    }
}
