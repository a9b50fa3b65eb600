//! Counts of messages by topic, or by the first levels of topics, in bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::summary::rounded;

/// The most topics that are told apart.
pub const MOST_TOPICS: usize = 10_000;

/// The most bytes of topics that are kept; each topic may have 64 KiB.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// What came under a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicCount {
    /// Messages.
    pub messages: u64,
    /// Their payloads, in bytes.
    pub bytes: u64,
    /// Those of the messages that were retained.
    pub retained: u64,
    /// When the last one came, since 1970.
    pub last: Duration,
    /// Messages and bytes when the report before was made.
    reported: (u64, u64),
}

/// A message, as far as it is counted.
#[derive(Debug, Clone, Copy)]
pub struct CountedMessage {
    /// The length of its payload, in bytes.
    pub bytes: u64,
    /// Whether it was retained.
    pub age: MessageAge,
    /// When it came, since 1970.
    pub time: Duration,
}

/// Whether a message came because it was published or because it was retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageAge {
    /// It was published.
    New,
    /// It was retained.
    Retained,
}

/// A line of a report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountRow<'a> {
    /// The topic; `None` stands for all topics that are not told apart.
    pub topic: Option<&'a str>,
    /// What came under it.
    pub count: TopicCount,
    /// Messages and bytes a second since the report before.
    pub rate: f64,
    /// The same of bytes.
    pub byte_rate: f64,
}

/// Counts by topic.
#[derive(Debug)]
pub struct TopicCounts {
    topics: HashMap<Box<str>, TopicCount>,
    /// The length of all topics together, in bytes.
    length: usize,
    /// What came under other topics, for which there was no room.
    others: TopicCount,
    /// Topics with more levels are counted together, by so many of them.
    depth: usize,
}

impl TopicCounts {
    /// Nothing has come.
    pub fn new(depth: usize) -> Self {
        Self { topics: HashMap::new(), length: 0, others: TopicCount::default(), depth }
    }

    /// Counts a message; whether it is the first for whose topic there is no room.
    pub fn add(&mut self, topic: &str, message: CountedMessage) -> bool {
        let (levels, is_cut) = first_levels(topic, self.depth);
        // A topic name has no #, and so a cut one is told from all others.
        let cut;
        let key = if is_cut {
            cut = format!("{levels}/#");
            cut.as_str()
        } else {
            levels
        };
        if let Some(count) = self.topics.get_mut(key) {
            count.add(message);
            return false;
        }
        let has_room = self.topics.len() < MOST_TOPICS && self.length + key.len() <= MOST_BYTES;
        if has_room {
            self.length += key.len();
            self.topics.entry(key.into()).or_default().add(message);
            return false;
        }
        self.others.add(message);
        self.others.messages == 1
    }

    /// The lines of a report on the time `since` the one before: by topic, the others last.
    pub fn rows(&self, since: Duration) -> Vec<CountRow<'_>> {
        let mut rows: Vec<CountRow<'_>> =
            self.topics.iter().map(|(topic, count)| count.row(Some(topic), since)).collect();
        rows.sort_unstable_by(|one, other| one.topic.cmp(&other.topic));
        if self.others.messages > 0 {
            rows.push(self.others.row(None, since));
        }
        rows
    }

    /// A report was made.
    pub fn reported(&mut self) {
        for count in self.topics.values_mut().chain([&mut self.others]) {
            count.reported = (count.messages, count.bytes);
        }
    }

    /// The topics as a tree.
    pub fn tree(&self) -> TopicTree {
        let mut tree = TopicTree::default();
        for (topic, count) in &self.topics {
            let levels = topic.split('/');
            let node = levels
                .fold(&mut tree, |node, level| node.below.entry(level.to_owned()).or_default());
            node.count = *count;
        }
        tree
    }

    /// What came under topics that are not told apart.
    pub fn others(&self) -> TopicCount {
        self.others
    }
}

impl TopicCount {
    fn add(&mut self, message: CountedMessage) {
        self.messages += 1;
        self.bytes += message.bytes;
        self.retained += u64::from(message.age == MessageAge::Retained);
        self.last = message.time;
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^52 messages or bytes")]
    fn row<'a>(&self, topic: Option<&'a str>, since: Duration) -> CountRow<'a> {
        let seconds = since.as_secs_f64();
        let rate = |now: u64, before: u64| {
            if seconds > 0.0 { (now - before) as f64 / seconds } else { 0.0 }
        };
        let (messages, bytes) = self.reported;
        let (rate, byte_rate) = (rate(self.messages, messages), rate(self.bytes, bytes));
        CountRow { topic, count: *self, rate, byte_rate }
    }
}

impl CountRow<'_> {
    /// The line as JSON; the times are RFC 3339, that of the report and that of the last message.
    pub fn json(&self, time: &str, last: &str) -> String {
        let TopicCount { messages, bytes, retained, .. } = self.count;
        json!({
            "time": time,
            "topic": self.topic,
            "messages": messages,
            "bytes": bytes,
            "rate": rounded(self.rate),
            "byte_rate": rounded(self.byte_rate),
            "retained": retained,
            "last": last,
        })
        .to_string()
    }
}

/// The levels of topics as a tree; it has no more levels than topics are told apart by.
#[derive(Debug, Default)]
pub struct TopicTree {
    /// What came under the topic that ends here.
    pub count: TopicCount,
    /// The next levels.
    pub below: BTreeMap<String, TopicTree>,
}

impl TopicTree {
    /// The tree as JSON: what came under each topic, and `topics` below it.
    pub fn json(&self, others: TopicCount) -> String {
        let mut tree = self.value();
        if others.messages > 0 {
            tree.insert("others".to_owned(), count_value(others).into());
        }
        Value::Object(tree).to_string()
    }

    fn value(&self) -> Map<String, Value> {
        let mut value = if self.count.messages > 0 { count_value(self.count) } else { Map::new() };
        if !self.below.is_empty() {
            let below = self.below.iter();
            let below: Map<String, Value> =
                below.map(|(level, tree)| (level.clone(), tree.value().into())).collect();
            value.insert("topics".to_owned(), below.into());
        }
        value
    }
}

fn count_value(count: TopicCount) -> Map<String, Value> {
    [("messages", count.messages), ("bytes", count.bytes), ("retained", count.retained)]
        .map(|(name, number)| (name.to_owned(), number.into()))
        .into_iter()
        .collect()
}

/// The first levels of a topic, and whether there are more.
fn first_levels(topic: &str, depth: usize) -> (&str, bool) {
    let mut ends = memchr::memchr_iter(b'/', topic.as_bytes());
    match depth.checked_sub(1).and_then(|before| ends.nth(before)) {
        Some(end) => (&topic[..end], true),
        None => (topic, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: u64) -> CountedMessage {
        let age = if bytes == 1 { MessageAge::Retained } else { MessageAge::New };
        CountedMessage { bytes, age, time: Duration::from_secs(bytes) }
    }

    #[test]
    fn topics_are_counted_apart_or_by_their_levels() {
        let mut counts = TopicCounts::new(2);
        for (topic, bytes) in [("a/b/c", 1), ("a/b/d/e", 2), ("a/b", 3), ("x", 4), ("/", 5)] {
            assert!(!counts.add(topic, message(bytes)));
        }
        let rows: Vec<_> = counts.rows(Duration::from_secs(2));
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.topic.unwrap_or_default(), row.count.messages, row.rate, row.byte_rate))
            .collect();
        let expected =
            [("/", 1, 0.5, 2.5), ("a/b", 1, 0.5, 1.5), ("a/b/#", 2, 1.0, 1.5), ("x", 1, 0.5, 2.0)];
        assert_eq!(told, expected);
        assert_eq!((rows[2].count.retained, rows[2].count.last.as_secs()), (1, 2));
        counts.reported();
        assert!(counts.rows(Duration::from_secs(1)).iter().all(|row| row.rate == 0.0));
        assert_eq!(first_levels("a/b", 0), ("a/b", false));
    }

    #[test]
    fn memory_is_bounded() {
        let mut counts = TopicCounts::new(9);
        let first: Vec<usize> =
            (0..MOST_TOPICS + 5).filter(|n| counts.add(&n.to_string(), message(1))).collect();
        assert_eq!(first, [MOST_TOPICS]);
        let rows = counts.rows(Duration::ZERO);
        assert_eq!(rows.len(), MOST_TOPICS + 1);
        assert_eq!(rows[MOST_TOPICS].topic, None);
        assert_eq!(rows[MOST_TOPICS].count.messages, 5);
        let mut counts = TopicCounts::new(9);
        let long = "x".repeat(65_000);
        let refused = (0..1000).filter(|n| counts.add(&format!("{n}{long}"), message(1))).count();
        assert_eq!(refused, 1);
        assert!(counts.length <= MOST_BYTES && counts.topics.len() > 200);
    }

    #[test]
    fn both_forms_of_json() {
        let mut counts = TopicCounts::new(9);
        counts.add("a/b", message(1));
        counts.add("a", message(2));
        let rows = counts.rows(Duration::from_secs(1));
        let expected = concat!(
            r#"{"byte_rate":2.0,"bytes":2,"last":"L","messages":1,"rate":1.0,"retained":0,"#,
            r#""time":"T","topic":"a"}"#
        );
        assert_eq!(rows[0].json("T", "L"), expected);
        let expected = concat!(
            r#"{"topics":{"a":{"bytes":2,"messages":1,"retained":0,"topics":{"b":{"bytes":1,"#,
            r#""messages":1,"retained":1}}}}}"#
        );
        assert_eq!(counts.tree().json(counts.others()), expected);
    }
}
