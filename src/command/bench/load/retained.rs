//! The messages that were retained before the others subscribed: each must come once to each reader
//! of its topic.

use std::time::Duration;

use crate::command::bench::plan::Plan;
use crate::command::bench::results::RetainedResults;

/// What came of the retained message of a topic at a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum RetainedState {
    /// Nothing.
    #[default]
    Awaited,
    /// It came.
    Came,
    /// The reader has subscribed again: it may come once more.
    Again,
}

/// All of them.
#[derive(Debug, Default)]
pub struct RetainedReads {
    /// By reader and topic; empty if nothing was set.
    states: Vec<RetainedState>,
    /// When each subscriber has subscribed, in nanoseconds.
    subscribed: Vec<u64>,
    /// When the first has.
    first: Option<u64>,
    /// When the latest message came.
    pub latest: u64,
    results: RetainedResults,
}

impl RetainedReads {
    /// Each topic of this plan has a retained message.
    pub fn new(plan: &Plan) -> Self {
        Self {
            states: vec![RetainedState::Awaited; plan.topic_places()],
            subscribed: vec![0; plan.subscribers],
            ..Self::default()
        }
    }

    /// A subscriber subscribes.
    pub fn subscribes(&mut self, subscriber: usize, topics: usize, now: u64) {
        if let Some(at) = self.subscribed.get_mut(subscriber) {
            *at = now;
            self.first.get_or_insert(now);
            self.latest = self.latest.max(now);
            self.results.expected += topics as u64;
        }
    }

    /// A subscriber that was to get so many could not subscribe.
    pub fn fails(&mut self, subscriber: usize, topics: usize) {
        if self.subscribed.get(subscriber).is_some_and(|at| *at > 0) {
            self.results.expected = self.results.expected.saturating_sub(topics as u64);
        }
    }

    /// A message came to a subscriber, for which it has this place.
    pub fn came(&mut self, subscriber: usize, place: usize, now: u64) {
        let Some(state) = self.states.get_mut(place) else { return };
        match std::mem::replace(state, RetainedState::Came) {
            RetainedState::Awaited => {
                self.results.received += 1;
                self.latest = now;
                self.results.times.add(now.saturating_sub(self.subscribed[subscriber]));
            }
            RetainedState::Came => self.results.duplicated += 1,
            RetainedState::Again => *state = RetainedState::Again,
        }
    }

    /// A reader subscribes again, to what has these places.
    pub fn again(&mut self, places: impl Iterator<Item = usize>) {
        for place in places {
            if let Some(state) = self.states.get_mut(place)
                && *state == RetainedState::Came
            {
                *state = RetainedState::Again;
            }
        }
    }

    /// Whether all have come that are to come.
    pub fn is_complete(&self) -> bool {
        self.results.received >= self.results.expected
    }

    /// What came of them; `None` if nothing was set.
    pub fn finish(&self) -> Option<RetainedResults> {
        let is_complete = self.is_complete();
        let mut results = Some(self.results.clone()).filter(|_| !self.states.is_empty())?;
        let took = self.first.map(|first| Duration::from_nanos(self.latest.saturating_sub(first)));
        results.complete = took.filter(|_| is_complete);
        let missing = results.expected.saturating_sub(results.received);
        results.times.add_never(missing);
        Some(results)
    }
}
