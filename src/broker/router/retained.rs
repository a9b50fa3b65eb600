//! The last retained message of each topic (§3.3.1.3).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::message::AppMessage;
use crate::broker::limits::{Limit, Limits};
use crate::mqtt::topic::TopicFilter;

/// Stands between the levels of a key. No topic holds it, and no character is lower: what is below
/// a topic follows it at once in the order of the keys.
const SEPARATOR: char = '\0';
/// The lowest character that may follow in another level.
const AFTER_SEPARATOR: char = '\u{1}';
/// All keys that begin with `$` are below it.
const AFTER_DOLLAR: &str = "%";

/// All retained messages. Clones share them until one of them changes.
#[derive(Debug, Clone, Default)]
pub struct Retained {
    /// By their keys.
    messages: Arc<BTreeMap<Box<str>, AppMessage>>,
    /// When those expire that do.
    expiring: BTreeSet<(Instant, Box<str>)>,
    weight: usize,
    /// How often a message was stored or removed by one.
    changes: u64,
    /// Messages that were not stored because there was no room, and not yet reported.
    lost: u64,
}

/// A topic or a filter as it is ordered.
fn key(path: &str) -> String {
    path.replace('/', "\0")
}

impl Retained {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// How often a message was stored, or removed by an empty one.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether a message can be stored in place of the previous one of its topic.
    pub fn has_room(&self, message: &AppMessage, limits: &Limits) -> bool {
        if message.payload.is_empty() {
            return true;
        }
        let old = self.messages.get(&*key(message.topic.as_str())).map(AppMessage::weight);
        let count = self.messages.len() + usize::from(old.is_none());
        let weight = self.weight - old.unwrap_or(0) + message.weight();
        count <= limits.get(Limit::RetainedMessages) && weight <= limits.get(Limit::RetainedBytes)
    }

    /// Stores a message in place of the previous one, or only removes that one if the payload is
    /// empty `[MQTT-3.3.1-6]`.
    pub fn store(&mut self, message: &mut AppMessage) {
        let key = key(message.topic.as_str()).into_boxed_str();
        self.changes += 1;
        self.remove(&key);
        if !message.payload.is_empty() {
            self.weight += message.weight();
            message.detach();
            self.expiring.extend(message.expires_at.map(|at| (at, key.clone())));
            Arc::make_mut(&mut self.messages).insert(key, message.clone());
        }
    }

    fn remove(&mut self, key: &str) {
        if !self.messages.contains_key(key) {
            return;
        }
        let Some((key, old)) = Arc::make_mut(&mut self.messages).remove_entry(key) else { return };
        self.weight -= old.weight();
        if let Some(at) = old.expires_at {
            self.expiring.remove(&(at, key));
        }
    }

    /// Whether the next change copies what clones share.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.messages) > 1
    }

    /// Whether some of them expire.
    pub fn has_expiries(&self) -> bool {
        !self.expiring.is_empty()
    }

    /// The same as if each had been stored so much later.
    pub fn later_by(&self, time: Duration) -> Self {
        let mut later = self.clone();
        if self.has_expiries() {
            let messages = Arc::make_mut(&mut later.messages);
            let moved = self.expiring.iter().filter_map(|(at, key)| {
                let message = messages.get_mut(key)?;
                message.expires_at = at.checked_add(time);
                Some((message.expires_at?, key.clone()))
            });
            later.expiring = moved.collect();
        }
        later
    }

    /// When the next message expires.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.expiring.first().map(|(at, _)| *at)
    }

    /// Removes the messages that have expired at `now`.
    pub fn sweep(&mut self, now: Instant) {
        while self.next_expiry().is_some_and(|at| at <= now) {
            let Some((_, key)) = self.expiring.pop_first() else { return };
            self.remove(&key);
        }
    }

    /// Counts a message that was not stored; true if the one before it was.
    pub fn count_lost(&mut self) -> bool {
        self.lost += 1;
        self.lost == 1
    }

    /// How many messages were not stored since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// All messages that have not expired, in the order of their topics' levels.
    pub fn all(&self, now: Instant) -> impl Iterator<Item = &AppMessage> {
        self.messages.values().filter(move |message| !message.is_expired(now))
    }

    /// The next messages that a search finds, and that have not expired, in the same order. It
    /// looks at no more keys than there are `steps`, and takes those that it looks at off them.
    pub fn advance(
        &self,
        search: &mut RetainedSearch,
        steps: &mut usize,
        now: Instant,
    ) -> Vec<AppMessage> {
        let levels: Vec<_> = search.filter.split(SEPARATOR).collect();
        let mut found = Vec::new();
        while let Some(from) = search.from.take() {
            let rest = (Bound::Included(&*from), Bound::Unbounded);
            for (key, message) in self.messages.range::<str, _>(rest) {
                if *steps == 0 {
                    search.from = Some(key.to_string());
                    return found;
                }
                *steps -= 1;
                match step(key, &levels) {
                    MatchStep::Found if message.is_expired(now) => {}
                    MatchStep::Found => found.push(message.clone()),
                    MatchStep::Next => {}
                    MatchStep::GoTo(key) => {
                        search.from = Some(key);
                        break;
                    }
                    MatchStep::End => return found,
                }
            }
        }
        found
    }
}

/// A search for the messages that a filter matches. Only as much is looked at as there is below the
/// levels of the filter.
#[derive(Debug)]
pub struct RetainedSearch {
    /// As keys are written.
    filter: String,
    /// The first key that is looked at next, unless the search is over.
    from: Option<String>,
}

impl RetainedSearch {
    /// One that has not begun.
    pub fn new(filter: &TopicFilter) -> Self {
        let filter = key(filter.as_str());
        let from = Some(literal_part(&filter).to_owned());
        Self { filter, from }
    }

    /// Whether all was found.
    pub fn is_over(&self) -> bool {
        self.from.is_none()
    }
}

/// What is looked at after a key.
#[derive(Debug, PartialEq, Eq)]
enum MatchStep {
    /// The filter matches it; the next key.
    Found,
    /// The next key: the filter may match what is below this one.
    Next,
    /// The first key that is not below this one.
    GoTo(String),
    /// Nothing: no key that follows matches.
    End,
}

/// Compares a key with the levels of a filter.
fn step(key: &str, levels: &[&str]) -> MatchStep {
    // `[MQTT-4.7.2-1]`
    if key.starts_with('$') && matches!(levels[0], "+" | "#") {
        return MatchStep::GoTo(AFTER_DOLLAR.to_owned());
    }
    // Where the next level begins, and where that ends which the last `+` stands for.
    let (mut start, mut wild_end) = (Some(0), None);
    let other_branch = |wild_end: Option<usize>| {
        let next = |end| format!("{}{AFTER_SEPARATOR}", &key[..end]);
        wild_end.map_or(MatchStep::End, |end| MatchStep::GoTo(next(end)))
    };
    for wanted in levels {
        // `a/#` matches `a`, too `[MQTT-4.7.1-2]`.
        if *wanted == "#" {
            return MatchStep::Found;
        }
        let Some(begin) = start else { return MatchStep::Next };
        let end = key[begin..].find(SEPARATOR).map_or(key.len(), |length| begin + length);
        if *wanted == "+" {
            wild_end = Some(end);
        } else {
            match key[begin..end].cmp(wanted) {
                Ordering::Less => return MatchStep::GoTo(format!("{}{wanted}", &key[..begin])),
                Ordering::Equal => {}
                Ordering::Greater => return other_branch(wild_end),
            }
        }
        start = (end < key.len()).then_some(end + 1);
    }
    if start.is_some() { other_branch(wild_end) } else { MatchStep::Found }
}

/// What every key that a filter matches begins with.
fn literal_part(filter: &str) -> &str {
    let end = filter.find(['+', '#']).unwrap_or(filter.len());
    let part = &filter[..end];
    // `a/#` matches `a`, too.
    if end < filter.len() { part.strip_suffix(SEPARATOR).unwrap_or(part) } else { part }
}

#[cfg(test)]
mod tests;
