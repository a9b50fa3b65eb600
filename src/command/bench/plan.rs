//! Which connection publishes and subscribes to which topic, and where the numbers of a reader and
//! a stream are kept. A stream is one publisher on one topic: what MQTT orders.

/// Which topics a subscriber takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Those that fall to it by the rule of [`Plan`].
    Shared,
    /// All (`--sub-all`).
    Everyone,
    /// What its filter matches (`--filter`). As any topic may be matched there is a place for each.
    Filtered,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It subscribes; its place among the subscribers.
    Subscriber(usize),
    /// It publishes; its place among the publishers.
    Publisher(usize),
    /// It only stands; its place among those.
    Idle(usize),
}

/// Where the publishers of a plan are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriterPlace {
    /// They are connections of the plan, and so is everyone who reads what they publish.
    #[default]
    Here,
    /// They are connections of the plan; those who read the topic, which has this number in the
    /// whole, are also in other parts of the run.
    HereForAll(usize),
    /// They are in another part of the run: what they publish to the topic of this number in the
    /// whole is read here.
    Elsewhere(usize),
}

impl WriterPlace {
    /// Whether they are connections of the plan.
    pub fn is_here(self) -> bool {
        match self {
            Self::Here | Self::HereForAll(_) => true,
            Self::Elsewhere(_) => false,
        }
    }

    /// The number in the whole of the topic whose readers are in several parts, if they are.
    pub fn split_topic(self) -> Option<usize> {
        match self {
            Self::Here => None,
            Self::HereForAll(topic) | Self::Elsewhere(topic) => Some(topic),
        }
    }
}

/// How many connections and topics there are.
///
/// One rule on both sides: of K topics and n connections, connection c takes every topic k with
/// k mod n = c if K >= n, else topic c mod K. So no topic is without reader or writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Connections that publish.
    pub publishers: usize,
    /// Where these are.
    pub writers: WriterPlace,
    /// Connections that subscribe.
    pub subscribers: usize,
    /// Connections that only stand.
    pub idle: usize,
    /// Topics; at least one where there is a publisher or a subscriber.
    pub topics: usize,
    /// Which topics a reader takes.
    pub audience: Audience,
    /// How many groups the subscribers form that share their subscriptions; `None` if each has its
    /// own.
    pub groups: Option<usize>,
}

/// The number of topics that connection `c` of `n` takes by the rule.
fn shares(topics: usize, n: usize, c: usize) -> usize {
    if topics >= n { (topics - c).div_ceil(n) } else { 1 }
}

impl Plan {
    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.own_publishers() + self.subscribers + self.idle
    }

    /// How many of the publishers are connections of this plan.
    pub fn own_publishers(&self) -> usize {
        if self.writers.is_here() { self.publishers } else { 0 }
    }

    /// How many topics are published here; all, if none is anywhere.
    pub fn own_topics(&self) -> usize {
        if self.writers.is_here() { self.topics } else { 0 }
    }

    /// What a connection is for: subscribers come first, as they connect first.
    pub fn role(&self, id: usize) -> Role {
        if id < self.subscribers {
            Role::Subscriber(id)
        } else if id < self.first_idle() {
            Role::Publisher(id - self.subscribers)
        } else {
            Role::Idle(id - self.first_idle())
        }
    }

    /// How many readers there are: subscribers, or groups of them.
    pub fn readers(&self) -> usize {
        self.groups.unwrap_or(self.subscribers)
    }

    /// The reader that a subscriber is, or belongs to.
    pub fn reader(&self, subscriber: usize) -> usize {
        self.groups.map_or(subscriber, |groups| subscriber % groups)
    }

    /// The subscribers that are a reader.
    pub fn members(&self, reader: usize) -> impl Iterator<Item = usize> + use<> {
        let end = if self.groups.is_some() { self.subscribers } else { reader + 1 };
        (reader..end).step_by(self.readers().max(1))
    }

    /// The connection of a publisher; the largest number for one that is elsewhere.
    pub fn publisher_id(&self, publisher: usize) -> usize {
        if self.writers.is_here() { self.subscribers + publisher } else { usize::MAX }
    }

    /// The first connection that only stands.
    pub fn first_idle(&self) -> usize {
        self.subscribers + self.own_publishers()
    }

    /// How many topics a publisher has.
    pub fn topics_of_publisher(&self, publisher: usize) -> usize {
        shares(self.topics, self.publishers, publisher)
    }

    /// The topic of message number `n` of a publisher, its stream, and its number there.
    pub fn place(&self, publisher: usize, n: u64) -> (usize, usize, u64) {
        if self.topics < self.publishers {
            return (publisher % self.topics, publisher, n);
        }
        let own = self.topics_of_publisher(publisher) as u64;
        let topic = publisher + usize::try_from(n % own).unwrap_or(0) * self.publishers;
        (topic, topic, n / own)
    }

    /// How many streams there are.
    pub fn streams(&self) -> usize {
        if self.publishers == 0 { 0 } else { self.publishers.max(self.topics) }
    }

    /// The publisher of a stream, and its topic.
    pub fn stream(&self, stream: usize) -> (usize, usize) {
        if self.topics >= self.publishers {
            (stream % self.publishers, stream)
        } else {
            (stream, stream % self.topics)
        }
    }

    /// Whether a reader takes a topic.
    pub fn takes(&self, reader: usize, topic: usize) -> bool {
        match self.audience {
            Audience::Everyone | Audience::Filtered => true,
            Audience::Shared if self.topics >= self.readers() => topic % self.readers() == reader,
            Audience::Shared => topic == reader % self.topics,
        }
    }

    /// The topics that a reader takes.
    pub fn topics_of_reader(&self, reader: usize) -> Vec<usize> {
        match self.audience {
            Audience::Everyone | Audience::Filtered => (0..self.topics).collect(),
            Audience::Shared if self.topics >= self.readers() => {
                (reader..self.topics).step_by(self.readers()).collect()
            }
            Audience::Shared => vec![reader % self.topics],
        }
    }

    /// How many topics there are in the memory of each reader.
    fn topics_kept(&self) -> usize {
        match self.audience {
            Audience::Everyone | Audience::Filtered => self.topics,
            Audience::Shared if self.topics >= self.readers() => {
                self.topics.div_ceil(self.readers().max(1))
            }
            Audience::Shared => 1,
        }
    }

    /// How many streams there are in the memory of each topic.
    fn streams_kept(&self) -> usize {
        if self.topics >= self.publishers { 1 } else { self.publishers.div_ceil(self.topics) }
    }

    /// How many pairs of a reader and a stream are kept.
    pub fn pairs(&self) -> usize {
        if self.publishers == 0 || self.readers() == 0 {
            return 0;
        }
        self.readers() * self.topics_kept() * self.streams_kept()
    }

    /// Where the pair of a reader and a stream that it takes is kept.
    pub fn pair(&self, reader: usize, stream: usize) -> usize {
        let (publisher, topic) = self.stream(stream);
        let stream_kept = if self.topics >= self.publishers { 0 } else { publisher / self.topics };
        self.topic_place(reader, topic) * self.streams_kept() + stream_kept
    }

    /// How many pairs of a reader and a topic are kept.
    pub fn topic_places(&self) -> usize {
        self.readers() * self.topics_kept()
    }

    /// Where the pair of a reader and a topic that it takes is kept.
    pub fn topic_place(&self, reader: usize, topic: usize) -> usize {
        let topic_kept = match self.audience {
            Audience::Everyone | Audience::Filtered => topic,
            Audience::Shared if self.topics >= self.readers() => topic / self.readers(),
            Audience::Shared => 0,
        };
        reader * self.topics_kept() + topic_kept
    }

    /// The streams of a topic.
    pub fn streams_of(&self, topic: usize) -> Vec<usize> {
        if self.publishers == 0 {
            Vec::new()
        } else if self.topics >= self.publishers {
            vec![topic]
        } else {
            (topic..self.publishers).step_by(self.topics).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn plan(publishers: usize, subscribers: usize, topics: usize, audience: Audience) -> Plan {
        let writers = WriterPlace::Here;
        Plan { publishers, writers, subscribers, idle: 0, topics, audience, groups: None }
    }

    fn all() -> Vec<Plan> {
        let mut plans = Vec::new();
        for publishers in [1, 2, 3, 7] {
            for subscribers in [1, 2, 5, 8] {
                for topics in [1, 2, 3, 5, 6, 11] {
                    for audience in [Audience::Shared, Audience::Everyone] {
                        plans.push(plan(publishers, subscribers, topics, audience));
                    }
                }
            }
        }
        plans
    }

    #[test]
    fn each_topic_has_reader_and_writer() {
        for plan in all() {
            for topic in 0..plan.topics {
                let written = (0..plan.streams()).any(|stream| plan.stream(stream).1 == topic);
                let readers = (0..plan.subscribers).filter(|s| plan.takes(*s, topic)).count();
                assert!(written && readers > 0, "{plan:?} {topic}");
            }
            for subscriber in 0..plan.subscribers {
                let topics = plan.topics_of_reader(subscriber);
                let taken: Vec<usize> =
                    (0..plan.topics).filter(|k| plan.takes(subscriber, *k)).collect();
                assert_eq!(topics, taken, "{plan:?}");
            }
        }
    }

    #[test]
    fn each_pair_has_a_place_of_its_own() {
        for plan in all() {
            let mut places = BTreeSet::new();
            for subscriber in 0..plan.subscribers {
                let topics = plan.topics_of_reader(subscriber).into_iter();
                for stream in topics.flat_map(|topic| plan.streams_of(topic)) {
                    let place = plan.pair(subscriber, stream);
                    assert!(place < plan.pairs(), "{plan:?}");
                    assert!(places.insert(place), "{plan:?} {place}");
                }
            }
        }
    }

    #[test]
    fn the_numbers_of_a_publisher_are_spread_over_its_streams() {
        for plan in all() {
            for publisher in 0..plan.publishers {
                let mut next = vec![0; plan.streams()];
                for n in 0..50 {
                    let (topic, stream, sequence) = plan.place(publisher, n);
                    assert_eq!(plan.stream(stream), (publisher, topic), "{plan:?}");
                    assert_eq!(sequence, next[stream], "{plan:?}");
                    next[stream] += 1;
                }
            }
        }
    }

    #[test]
    fn subscribers_that_share_are_one_reader() {
        let plan = Plan { groups: Some(2), ..plan(3, 5, 4, Audience::Shared) };
        assert_eq!(plan.readers(), 2);
        assert_eq!(plan.members(1).collect::<Vec<_>>(), [1, 3]);
        assert_eq!([0, 1, 2, 3, 4].map(|subscriber| plan.reader(subscriber)), [0, 1, 0, 1, 0]);
        assert_eq!((plan.topics_of_reader(1), plan.pairs()), (vec![1, 3], 4));
        let alone = Plan { groups: None, ..plan };
        assert_eq!(alone.members(3).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn fan_in_and_fan_out_follow_from_the_rule() {
        let pairs = plan(100, 100, 100, Audience::Shared);
        assert_eq!(pairs.topics_of_reader(7), [7]);
        let fan_in = plan(1000, 1, 1000, Audience::Shared);
        assert_eq!(fan_in.topics_of_reader(0).len(), 1000);
        let fan_out = plan(1, 1000, 1, Audience::Shared);
        assert!((0..1000).all(|subscriber| fan_out.takes(subscriber, 0)));
    }
}
