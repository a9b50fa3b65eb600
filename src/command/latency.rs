//! Times that are measured: how long a message took from `pub --latency` to `sub --latency`, by the
//! time in its user property, and how long `pub --summary` waited for each acknowledgement.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use bytes::BytesMut;
use bytestring::ByteString;

use crate::format::count::count;
use crate::format::statistics::Statistics;
use crate::format::time;
use crate::mqtt::packet::Publish;
use crate::mqtt::property::{Property, Value};
use crate::report;
use crate::stdio;

/// The name of the user property; its value is RFC 3339 in UTC with microseconds, as the `time` of
/// a record.
const NAME: &str = "time";

/// Gives a message that is published now the user property `time`, in place of any that it has.
pub fn stamp(publish: &mut Publish) {
    let mut now = BytesMut::new();
    stdio::local_time().rfc_3339(&mut now);
    let is_time =
        |property: &Property| matches!(property.value(), Value::Pair(name, _) if name == NAME);
    publish.properties.0.retain(|property| !is_time(property));
    // What rfc_3339 writes is ASCII.
    if let Ok(now) = ByteString::try_from(now.freeze()) {
        publish.properties.0.push(Property::user(ByteString::from_static(NAME), now));
    }
}

/// How long messages took, as far as they say when they were published.
#[derive(Debug, Default)]
pub struct Latency {
    times: Statistics,
    /// Messages that came before they were published.
    early: u64,
}

impl Latency {
    /// The message is here now. A retained one says how old it is, and not how fast it came.
    pub fn add(&mut self, publish: &Publish) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut properties = publish.properties.user_properties();
        let published =
            properties.find(|(name, _)| *name == NAME).and_then(|(_, time)| time::since_1970(time));
        if let Some(published) = published.filter(|_| !publish.retain) {
            self.took(published, now);
        }
    }

    fn took(&mut self, published: Duration, now: Duration) {
        match now.checked_sub(published) {
            Some(took) => self.times.add(took),
            None => self.early += 1,
        }
    }

    /// The times that were measured.
    pub fn times(&self) -> &Statistics {
        &self.times
    }

    /// Warns where messages could not be measured, and says why.
    pub fn explain(&self) {
        if self.early > 0 {
            let early = count(self.early, "message");
            let they = if self.early == 1 { "it was" } else { "they were" };
            report::warn(&format!(
                "latency: {early} arrived before {they} published: the clocks differ"
            ));
        } else if self.times.is_empty() {
            report::warn(
                "latency: no message has the user property `time`, which `mqttws pub --latency` \
                 sends",
            );
        }
    }
}

/// More cannot be in flight: a packet identifier has 16 bits.
const MOST: usize = 65_536;

/// How long messages wait for their acknowledgement.
#[derive(Debug, Default)]
pub struct Acknowledgements {
    /// When each record was published, in order; `None` is acknowledged.
    waiting: VecDeque<(u64, Option<Instant>)>,
    times: Statistics,
}

impl Acknowledgements {
    /// The record, the latest, was published then.
    pub fn published(&mut self, record: u64, time: Instant) {
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
        (1..=4).for_each(|record| acknowledgements.published(record, Instant::now()));
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
        (0..100_000).for_each(|record| acknowledgements.published(record, Instant::now()));
        assert_eq!(acknowledgements.waiting.len(), MOST);
    }
}
