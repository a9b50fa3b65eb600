//! How long messages wait for their acknowledgement: `--summary` of `pub`. It must never know a
//! packet.

use std::collections::VecDeque;
use std::time::Instant;

use crate::format::statistics::Statistics;

/// More cannot be in flight: a packet identifier has 16 bits.
const MOST: usize = 65_536;

/// See the module.
#[derive(Debug, Default)]
pub struct Acknowledgements {
    /// When each record was published, in order; `None` is acknowledged.
    waiting: VecDeque<(u64, Option<Instant>)>,
    times: Statistics,
}

impl Acknowledgements {
    /// The record, the latest, is published now.
    pub fn published(&mut self, record: u64) {
        self.published_at(record, Instant::now());
    }

    /// The record, the latest, was published then.
    pub fn published_at(&mut self, record: u64, time: Instant) {
        if self.waiting.len() == MOST {
            self.waiting.pop_front();
        }
        self.waiting.push_back((record, Some(time)));
    }

    /// The record is acknowledged now.
    pub fn acknowledged(&mut self, record: u64) {
        if let Some(published) = self.forget(record) {
            self.times.add(published.elapsed());
        }
    }

    /// The record will not be acknowledged, or is refused; when it was published.
    pub fn forget(&mut self, record: u64) -> Option<Instant> {
        let at = self.waiting.binary_search_by_key(&record, |(record, _)| *record).ok()?;
        let published = self.waiting.get_mut(at).and_then(|(_, published)| published.take());
        while self.waiting.front().is_some_and(|(_, published)| published.is_none()) {
            self.waiting.pop_front();
        }
        published
    }

    /// The times that it took.
    pub fn times(&self) -> &Statistics {
        &self.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_once_in_whatever_order() {
        let mut acknowledgements = Acknowledgements::default();
        (1..=4).for_each(|record| acknowledgements.published(record));
        for record in [3, 1, 3, 9] {
            acknowledgements.acknowledged(record);
        }
        assert_eq!((acknowledgements.times().count(), acknowledgements.waiting.len()), (2, 3));
        acknowledgements.forget(2);
        assert_eq!((acknowledgements.times().count(), acknowledgements.waiting.len()), (2, 1));
    }

    #[test]
    fn what_is_never_acknowledged_is_forgotten() {
        let mut acknowledgements = Acknowledgements::default();
        (0..100_000).for_each(|record| acknowledgements.published(record));
        assert_eq!(acknowledgements.waiting.len(), MOST);
    }
}
