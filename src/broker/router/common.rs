//! Messages that wait for several sessions alike: each is stored once, and each session has its
//! place among them.

use std::sync::Arc;

use super::SessionKey;
use super::message::Grant;
use crate::broker::limits::COMMON_BYTES;

/// What waits in a common queue, for one session: the rest of a part of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommonMessages<T> {
    part: Arc<Vec<T>>,
    /// The place of the next in it.
    next: usize,
    /// What the rest weighs, in bytes.
    weight: usize,
}

impl<T: CommonItem> CommonMessages<T> {
    /// What waits weighs so much, in bytes.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// All of the part, with what others still wait for.
    #[cfg(test)]
    pub fn part(&self) -> &Arc<Vec<T>> {
        &self.part
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.part.len() - self.next
    }
}

impl<T: CommonItem> Iterator for CommonMessages<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let item = self.part.get(self.next)?.clone();
        self.next += 1;
        self.weight -= item.weight();
        Some(item)
    }
}

#[cfg(test)]
impl<T: CommonItem> FromIterator<T> for CommonMessages<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let part: Vec<T> = items.into_iter().collect();
        let weight = part.iter().map(T::weight).sum();
        Self { part: Arc::new(part), next: 0, weight }
    }
}

/// What can wait in a common queue.
pub trait CommonItem: Clone {
    /// What it weighs, in bytes.
    fn weight(&self) -> usize;

    /// How many messages it is.
    fn messages(&self) -> usize;
}

/// An amount of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many they are.
    pub messages: usize,
    /// What they weigh, in bytes.
    pub weight: usize,
}

/// In which form the sessions that have a common queue get a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommonForm {
    /// Its QoS and its subscription identifiers; and its RETAIN flag, if it was published with one.
    pub grant: Grant,
    /// Whether it may have properties. Of what waits in a session this is not known.
    pub has_properties: bool,
}

/// The messages that several sessions are to get alike, and that none of them can take now.
#[derive(Debug)]
pub struct CommonQueue<T> {
    form: CommonForm,
    /// In the order of their keys.
    followers: Vec<Follower>,
    /// The part of it that is not full.
    open: Vec<T>,
    /// How much is in that.
    amount: Amount,
    /// How much more it can take before one of the sessions has all that may wait for it.
    room: Amount,
}

#[derive(Debug)]
struct Follower {
    key: SessionKey,
    /// The place in the open part at which its messages begin.
    first: usize,
    /// How much is before that place.
    before: Amount,
}

impl<T: CommonItem> CommonQueue<T> {
    /// An empty one.
    pub fn new(form: CommonForm) -> Self {
        let room = Amount { messages: usize::MAX, weight: usize::MAX };
        Self { form, followers: Vec::new(), open: Vec::new(), amount: Amount::default(), room }
    }

    /// In which form its messages are.
    pub fn form(&self) -> &CommonForm {
        &self.form
    }

    /// Whether it takes a message of this weight in bytes.
    pub fn has_room(&self, weight: usize) -> bool {
        self.room.messages > 0 && self.room.weight >= weight
    }

    /// Adds an item. The parts that are full then go to the sessions.
    pub fn push(&mut self, item: T) {
        let (messages, weight) = (item.messages(), item.weight());
        self.open.push(item);
        self.amount.messages += messages;
        self.amount.weight += weight;
        self.room.messages = self.room.messages.saturating_sub(messages);
        self.room.weight = self.room.weight.saturating_sub(weight);
    }

    /// Whether the open part is as large as one becomes.
    pub fn is_part_full(&self) -> bool {
        self.amount.weight >= COMMON_BYTES
    }

    /// From now on a session gets what is added, of which it can take so much.
    pub fn join(&mut self, key: SessionKey, room: Amount) {
        let at = self.followers.partition_point(|follower| follower.key < key);
        let follower = Follower { key, first: self.open.len(), before: self.amount };
        self.followers.insert(at, follower);
        self.room.messages = self.room.messages.min(room.messages);
        self.room.weight = self.room.weight.min(room.weight);
    }

    /// Whether a session gets what is added.
    pub fn contains(&self, key: SessionKey) -> bool {
        self.followers.binary_search_by_key(&key, |follower| follower.key).is_ok()
    }

    /// Takes out what each session has got since the last time, and how many messages that is.
    pub fn take_part(&mut self) -> Vec<(SessionKey, CommonMessages<T>, usize)> {
        let next = Vec::with_capacity(self.open.len());
        let part = Arc::new(std::mem::replace(&mut self.open, next));
        let amount = std::mem::take(&mut self.amount);
        let mut taken = Vec::with_capacity(self.followers.len());
        for Follower { key, first, before } in &mut self.followers {
            let before = std::mem::take(before);
            let next = std::mem::take(first);
            let weight = amount.weight - before.weight;
            if next < part.len() {
                let messages = CommonMessages { part: part.clone(), next, weight };
                taken.push((*key, messages, amount.messages - before.messages));
            }
        }
        taken
    }
}
