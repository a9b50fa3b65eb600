//! The topics of `--watch` with the latest payload of each: the newest ones, as many as memory
//! allows.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Instant;

use super::activity::Activity;

/// The most topics that are remembered: far more than a terminal has lines.
const MOST_TOPICS: usize = 10_000;

/// The most bytes of topics that are remembered; each topic may have 64 KiB.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// How much of a payload is remembered, in bytes: more than a line shows.
const LONGEST: usize = 1024;

/// All topics that are remembered.
#[derive(Debug, Default)]
pub struct WatchedTopics {
    rows: HashMap<Rc<str>, TopicState>,
    /// The topics, from the one with the oldest message to the one with the newest.
    order: BTreeMap<u64, Rc<str>>,
    /// Counts the messages.
    count: u64,
    /// Of all topics together.
    bytes: usize,
}

#[derive(Debug)]
struct TopicState {
    /// When it first came, and when last, in messages.
    first: u64,
    latest: u64,
    payload: Vec<u8>,
    is_cut: bool,
    activity: Activity,
}

/// A topic to be shown.
#[derive(Debug)]
pub struct VisibleTopic<'a> {
    /// The whole of it.
    pub topic: &'a str,
    /// The beginning of its payload.
    pub payload: &'a [u8],
    /// There is more of it.
    pub is_cut: bool,
    /// Its messages.
    pub activity: &'a Activity,
}

impl WatchedTopics {
    /// A message has come.
    pub fn put(&mut self, topic: &str, payload: &[u8], now: Instant) {
        self.count += 1;
        if let Some(row) = self.rows.get_mut(topic) {
            if let Some(topic) = self.order.remove(&row.latest) {
                self.order.insert(self.count, topic);
            }
            row.update(self.count, payload, now);
        } else {
            let topic: Rc<str> = Rc::from(topic);
            let mut row = TopicState {
                first: self.count,
                latest: 0,
                payload: Vec::new(),
                is_cut: false,
                activity: Activity::new(now),
            };
            row.update(self.count, payload, now);
            self.bytes += topic.len();
            self.order.insert(self.count, Rc::clone(&topic));
            self.rows.insert(topic, row);
            self.forget();
        }
    }

    /// Removes the topics with the oldest messages.
    fn forget(&mut self) {
        while self.rows.len() > MOST_TOPICS || (self.bytes > MOST_BYTES && self.rows.len() > 1) {
            let Some((_, topic)) = self.order.pop_first() else { return };
            self.bytes -= topic.len();
            self.rows.remove(&topic);
        }
    }

    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The newest ones, but in the order in which they first came: a line stays where it is.
    pub fn newest(&self, most: usize) -> Vec<VisibleTopic<'_>> {
        let newest = self.order.values().rev().take(most);
        let mut rows: Vec<(&Rc<str>, &TopicState)> =
            newest.filter_map(|topic| self.rows.get_key_value(topic)).collect();
        rows.sort_by_key(|(_, row)| row.first);
        rows.into_iter()
            .map(|(topic, row)| VisibleTopic {
                topic,
                payload: &row.payload,
                is_cut: row.is_cut,
                activity: &row.activity,
            })
            .collect()
    }
}

impl TopicState {
    fn update(&mut self, number: u64, payload: &[u8], now: Instant) {
        self.activity.put(payload, now);
        self.latest = number;
        self.is_cut = payload.len() > LONGEST;
        self.payload.clear();
        self.payload.extend_from_slice(beginning(payload));
    }
}

/// The end of a topic, which says more than its beginning: as much as any line shows; and whether
/// that is not all of it.
pub fn ending(topic: &str) -> (&str, bool) {
    let start = topic.len().saturating_sub(LONGEST);
    let start = (start..topic.len()).find(|at| topic.is_char_boundary(*at)).unwrap_or_default();
    (&topic[start..], start > 0)
}

/// As much as is remembered, without half a character at its end.
fn beginning(payload: &[u8]) -> &[u8] {
    let Some(piece) = payload.get(..LONGEST + 1) else { return payload };
    let is_continuation = |at: &usize| piece[*at] & 0xc0 == 0x80;
    let start = (LONGEST - 3..=LONGEST).rev().find(|at| !is_continuation(at)).unwrap_or(LONGEST);
    &piece[..start]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(topics: &WatchedTopics, most: usize) -> Vec<(&str, &[u8])> {
        topics.newest(most).into_iter().map(|row| (row.topic, row.payload)).collect()
    }

    #[test]
    fn the_newest_are_shown_where_they_were() {
        let mut topics = WatchedTopics::default();
        for (topic, payload) in [("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")] {
            topics.put(topic, payload.as_bytes(), Instant::now());
        }
        assert_eq!(shown(&topics, 9), [("a", &b"4"[..]), ("b", b"2"), ("c", b"3")]);
        assert_eq!(shown(&topics, 2), [("a", &b"4"[..]), ("c", b"3")]);
        assert_eq!(topics.len(), 3);
    }

    #[test]
    fn memory_is_bounded() {
        let mut topics = WatchedTopics::default();
        (0..MOST_TOPICS + 5)
            .for_each(|n| topics.put(&n.to_string(), &[b'x'; 5000], Instant::now()));
        assert_eq!((topics.len(), topics.order.len()), (MOST_TOPICS, MOST_TOPICS));
        assert!(!topics.rows.contains_key("4") && topics.rows.contains_key("5"));
        assert!(topics.rows.values().all(|row| row.payload.len() == LONGEST && row.is_cut));
        let long = "x".repeat(65_000);
        (0..1000).for_each(|n| topics.put(&format!("{n}{long}"), b"", Instant::now()));
        assert!(topics.bytes <= MOST_BYTES && topics.len() > 100, "{} bytes", topics.bytes);
        assert_eq!(topics.bytes, topics.rows.keys().map(|topic| topic.len()).sum::<usize>());
    }

    #[test]
    fn a_character_is_not_cut_in_two() {
        for lead in 0..4 {
            let text = format!("{}{}", "x".repeat(lead), "日😀é".repeat(400));
            let kept = beginning(text.as_bytes());
            assert!(
                std::str::from_utf8(kept).is_ok() && kept.len() > LONGEST - 4,
                "{} bytes",
                kept.len()
            );
        }
        for lead in 0..4 {
            let topic = format!("{}{}", "日😀é".repeat(400), "x".repeat(lead));
            let (end, is_cut) = ending(&topic);
            assert!(is_cut && end.len() > LONGEST - 4 && topic.ends_with(end));
        }
        assert_eq!((ending("a"), ending("")), (("a", false), ("", false)));
        assert_eq!(beginning(&[0x80; 2000]).len(), LONGEST);
        assert_eq!(beginning(&[b'x'; LONGEST]).len(), LONGEST);
    }
}
