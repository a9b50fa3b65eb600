//! The requests that wait for their answers, and which of them an answer is for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;

/// A request without its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The number of its record.
    pub record: u64,
    /// The correlation data that its answer must have; `None` accepts any answer.
    pub correlation: Option<Bytes>,
    /// The lowest QoS on the way there and back.
    pub qos: QoS,
    /// When it was published.
    pub since: Instant,
}

/// Requests without their answers, in the order in which they were published.
#[derive(Debug, Default)]
pub struct Pending(VecDeque<Waiting>);

impl Pending {
    /// A request is published.
    pub fn add(&mut self, waiting: Waiting) {
        self.0.push_back(waiting);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The request that this message answers. A retained message answers nothing.
    pub fn answered(&mut self, answer: &Publish) -> Option<Waiting> {
        if answer.retain {
            return None;
        }
        let data = answer.properties.correlation_data();
        let fits = |waiting: &Waiting| {
            waiting.correlation.is_none() || waiting.correlation.as_ref() == data
        };
        let at = self.0.iter().position(fits)?;
        self.0.remove(at)
    }

    /// The record of the first request without its answer.
    pub fn first(&self) -> Option<u64> {
        self.0.front().map(|waiting| waiting.record)
    }

    /// Whether the request of this record waits.
    pub fn is_waiting(&self, record: u64) -> bool {
        self.0.iter().any(|waiting| waiting.record == record)
    }

    /// The request of this record will not be answered; whether it was still waiting.
    pub fn give_up(&mut self, record: u64) -> bool {
        let before = self.0.len();
        self.0.retain(|waiting| waiting.record != record);
        self.0.len() < before
    }

    /// Removes the next request that has waited for longer than `patience`.
    pub fn overdue(&mut self, patience: Duration, now: Instant) -> Option<Waiting> {
        let is_overdue = now.saturating_duration_since(self.0.front()?.since) >= patience;
        if is_overdue { self.0.pop_front() } else { None }
    }

    /// When the next request will have waited for `patience`.
    pub fn deadline(&self, patience: Duration) -> Option<Instant> {
        self.0.front().and_then(|waiting| waiting.since.checked_add(patience))
    }

    /// The next request that a lost connection may have taken with it, or its answer.
    pub fn lost(&mut self) -> Option<Waiting> {
        let at = self.0.iter().position(|waiting| waiting.qos == QoS::AtMostOnce)?;
        self.0.remove(at)
    }
}

/// What makes an answer known as that of its request.
#[derive(Debug)]
pub enum Correlation {
    /// Nothing: whatever comes is the answer to the one request that waits.
    None,
    /// What the user gave.
    Given(Bytes),
    /// A word of this run, and the number of the record.
    Numbered(String),
}

impl Correlation {
    /// The given data; without them a number for each request, where answers need one.
    pub fn new(given: Option<Bytes>, correlated: bool) -> Self {
        match given {
            Some(data) => Self::Given(data),
            None if correlated => {
                Self::Numbered(std::iter::repeat_with(fastrand::alphanumeric).take(8).collect())
            }
            None => Self::None,
        }
    }

    /// That of the request of this record.
    pub fn of(&self, record: u64) -> Option<Bytes> {
        match self {
            Self::None => None,
            Self::Given(data) => Some(data.clone()),
            Self::Numbered(word) => Some(format!("{word}-{record}").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::property::{Properties, Property, PropertyId};

    fn answer(correlation: Option<&'static [u8]>, retain: bool) -> Publish {
        let data = correlation
            .map(|data| Property::binary(PropertyId::CorrelationData, Bytes::from_static(data)));
        Publish {
            retain,
            properties: data.into_iter().collect::<Properties>(),
            ..Publish::default()
        }
    }

    fn waiting(record: u64, correlation: Option<&'static [u8]>, since: Instant) -> Waiting {
        Waiting {
            record,
            correlation: correlation.map(Bytes::from_static),
            qos: if record == 2 { QoS::AtLeastOnce } else { QoS::AtMostOnce },
            since,
        }
    }

    fn numbers(mut next: impl FnMut() -> Option<Waiting>) -> Vec<u64> {
        std::iter::from_fn(|| next().map(|waiting| waiting.record)).collect()
    }

    #[test]
    fn answers_are_known_by_their_correlation_data() {
        let now = Instant::now();
        let mut pending = Pending::default();
        for (record, data) in [(1, &b"a"[..]), (2, b"b"), (3, b"c")] {
            pending.add(waiting(record, Some(data), now));
        }
        assert_eq!(pending.answered(&answer(None, false)), None);
        assert_eq!(pending.answered(&answer(Some(b"x"), false)), None);
        assert_eq!(pending.answered(&answer(Some(b"b"), true)), None, "retained");
        let record = |waiting: Option<Waiting>| waiting.map(|waiting| waiting.record);
        assert_eq!(record(pending.answered(&answer(Some(b"b"), false))), Some(2));
        assert_eq!(pending.answered(&answer(Some(b"b"), false)), None, "a second answer");
        assert!(pending.give_up(1) && !pending.give_up(1));
        assert_eq!(pending.len(), 1);
    }

    #[test]
    fn without_correlation_data_the_first_answer_is_for_the_first_request() {
        let mut pending = Pending::default();
        pending.add(waiting(1, None, Instant::now()));
        assert_eq!(pending.answered(&answer(None, true)), None);
        assert!(pending.answered(&answer(Some(b"anything"), false)).is_some());
        assert!(pending.is_empty());
    }

    #[test]
    fn patience_ends() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut pending = Pending::default();
        for record in 1..=3 {
            pending.add(waiting(
                record,
                None,
                now + second * u32::try_from(record).expect("small"),
            ));
        }
        assert_eq!(pending.deadline(second), Some(now + second * 2));
        assert_eq!(numbers(|| pending.overdue(second, now + second * 3)), [1, 2]);
        assert_eq!(pending.deadline(Duration::MAX), None);
    }

    #[test]
    fn only_what_is_sent_once_can_be_lost() {
        let mut pending = Pending::default();
        for record in 1..=3 {
            pending.add(waiting(record, None, Instant::now()));
        }
        assert_eq!(numbers(|| pending.lost()), [1, 3]);
        assert_eq!(pending.len(), 1);
    }
}
