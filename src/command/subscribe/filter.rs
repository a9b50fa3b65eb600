//! Which of the messages that come are written: `-T`, `-R`, `--retained-only`, `--random-filter`,
//! `--changed`.

use super::changes::PayloadChanges;
use super::config::{Filter, RetainedFilter, UnchangedPayloads};
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
    /// What the payloads were, where only others are of interest.
    changes: Option<Box<PayloadChanges>>,
}

impl MessageFilter {
    /// What the command line asks for.
    pub fn new(filter: Filter, unchanged: UnchangedPayloads) -> Self {
        let leaves_out = unchanged == UnchangedPayloads::LeftOut;
        Self { filter, changes: leaves_out.then(Box::default) }
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        let Filter { except, retained, probability, skips_removals } = &self.filter;
        except.is_empty()
            && self.changes.is_none()
            && *retained == RetainedFilter::Included
            && probability.is_none()
            && !skips_removals
    }

    /// What becomes of this message, whose payload has `length` bytes, here or still to come.
    pub fn select(&mut self, publish: &Publish, length: usize) -> Selection {
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
        let changes = &mut self.changes;
        let mut is_known = || changes.as_mut().is_some_and(|changes| !changes.is_new(publish));
        if is_stale || is_echo || is_filtered() || is_unlucky() || is_known() {
            Selection::Unwanted
        } else {
            Selection::Wanted
        }
    }
}
