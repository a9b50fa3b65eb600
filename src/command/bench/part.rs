//! A part of a run: the topics whose number has one remainder, and by the rule of [`Plan`] the
//! connections that publish and subscribe to them. With fewer topics than parts the readers are
//! split: each part has one topic, whose publishers are in one of its parts, and whose subscribers
//! are dealt to all of these.

use std::ops::Rem;

use super::plan::{Audience, Plan, WriterPlace};

/// Part `number` of `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunPart {
    /// Its number, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

/// The most parts of a run.
pub const MOST_PARTS: usize = 256;

impl RunPart {
    /// The whole.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// The number of one of its topics in the whole.
    pub fn topic(self, topic: usize) -> usize {
        self.number - 1 + self.of * topic
    }

    /// Whether there are fewer topics than parts, so that the readers of a topic are in several.
    pub fn is_split(self, whole: &Plan) -> bool {
        whole.topics < self.of && whole.publishers + whole.subscribers > 0
    }

    /// The part that has the publishers of its topics: itself, unless the readers are split.
    pub fn writer(self, whole: &Plan) -> Self {
        let number = (self.number - 1) % whole.topics.max(1) + 1;
        if self.is_split(whole) { Self { number, ..self } } else { self }
    }

    /// The number of one of its topics in the whole.
    pub fn topic_of(self, topic: usize, whole: &Plan) -> usize {
        self.writer(whole).topic(topic)
    }

    /// Which of the parts with the same topic it is, and how many these are.
    fn place(self, whole: &Plan) -> (usize, usize) {
        let topic = (self.number - 1) % whole.topics;
        ((self.number - 1) / whole.topics, (self.of - 1 - topic) / whole.topics + 1)
    }

    /// It among the parts that publish, if it is one of these.
    pub fn among_writers(self, whole: &Plan) -> Option<Self> {
        if !self.is_split(whole) {
            return Some(self);
        }
        (self.number <= whole.topics).then_some(Self { of: whole.topics, ..self })
    }

    /// What it has of a rate of the whole.
    #[expect(clippy::cast_precision_loss, reason = "there are at most 256 parts")]
    pub fn of_rate(self, rate: f64) -> f64 {
        rate / self.of as f64
    }

    /// How many of so many it has, by their remainder.
    pub fn share(self, all: usize) -> usize {
        (all + self.of - self.number) / self.of
    }

    /// How many of `connections` have one of its topics of `topics`.
    ///
    /// With as many topics as connections or more, a connection whose topics lie in several parts
    /// stands in each of them.
    fn connections(self, connections: usize, topics: usize) -> usize {
        let own = self.share(topics);
        if topics >= connections {
            let apart = connections / divisor(connections, self.of);
            return own.min(apart);
        }
        let (rows, rest) = (connections / topics, connections % topics);
        rows * own + self.share(rest)
    }

    /// The number of one of its publishers in the whole.
    pub fn publisher(self, number: usize, whole: &Plan) -> usize {
        if self.is_split(whole) {
            return self.of_topic(number, whole.publishers, whole.topics);
        }
        self.connection(number, whole.publishers, whole.topics)
    }

    /// The number of one of its subscribers in the whole.
    pub fn subscriber(self, number: usize, whole: &Plan) -> usize {
        let is_split = self.is_split(whole);
        let (place, parts) = if is_split { self.place(whole) } else { (0, 1) };
        match whole.audience {
            Audience::Everyone | Audience::Filtered => place + parts * number,
            Audience::Shared if is_split => {
                self.of_topic(place + parts * number, whole.subscribers, whole.topics)
            }
            Audience::Shared => self.connection(number, whole.subscribers, whole.topics),
        }
    }

    /// The connection of this place among those that have its topic, of so many.
    fn of_topic(self, place: usize, connections: usize, topics: usize) -> usize {
        let topic = (self.number - 1) % topics;
        if topics >= connections { topic % connections.max(1) } else { topic + topics * place }
    }

    /// How many of so many connections have its topic.
    fn count_of_topic(self, connections: usize, topics: usize) -> usize {
        let topic = (self.number - 1) % topics;
        match connections {
            0 => 0,
            _ if topics >= connections => 1,
            _ => (connections - 1 - topic) / topics + 1,
        }
    }

    /// The number of one of its connections in the whole, which has so many.
    fn connection(self, number: usize, connections: usize, topics: usize) -> usize {
        if topics >= connections {
            return self.topic(number) % connections;
        }
        let own = self.share(topics);
        topics * (number / own) + self.topic(number % own)
    }

    /// The plan of this part where the readers are split.
    fn of_split(self, whole: &Plan) -> Plan {
        let (place, parts) = self.place(whole);
        let readers = match whole.audience {
            Audience::Shared => self.count_of_topic(whole.subscribers, whole.topics),
            Audience::Everyone | Audience::Filtered => whole.subscribers,
        };
        let subscribers = (readers + parts - 1 - place) / parts;
        // Without a reader it does not matter what is published elsewhere.
        let matters = place == 0 || subscribers > 0;
        let publishers = self.count_of_topic(whole.publishers, whole.topics);
        let publishers = if matters { publishers } else { 0 };
        let topic = (self.number - 1) % whole.topics;
        Plan {
            publishers,
            writers: match (publishers, place) {
                (0, _) => WriterPlace::Here,
                (_, 0) => WriterPlace::HereForAll(topic),
                _ => WriterPlace::Elsewhere(topic),
            },
            subscribers,
            idle: self.share(whole.idle),
            topics: 1,
            ..*whole
        }
    }

    /// The plan of this part.
    pub fn of_plan(self, plan: &Plan) -> Plan {
        if self.is_split(plan) {
            return self.of_split(plan);
        }
        let connections = |all| if all == 0 { 0 } else { self.connections(all, plan.topics) };
        let subscribers = match plan.audience {
            Audience::Shared => connections(plan.subscribers),
            // Each takes all topics, and so stands in each part.
            Audience::Everyone | Audience::Filtered => plan.subscribers,
        };
        Plan {
            publishers: connections(plan.publishers),
            subscribers,
            idle: self.share(plan.idle),
            topics: self.share(plan.topics).max(1),
            ..*plan
        }
    }
}

/// The greatest common divisor.
pub fn divisor<T: Copy + Default + PartialEq + Rem<Output = T>>(one: T, other: T) -> T {
    if other == T::default() { one } else { divisor(other, one % other) }
}

impl std::fmt::Display for RunPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn plans() -> Vec<Plan> {
        let mut plans = Vec::new();
        for publishers in [0, 1, 2, 3, 4, 6, 7] {
            for subscribers in [0, 1, 2, 4, 5, 6, 9] {
                for topics in [1, 2, 3, 4, 5, 6, 8, 11, 12] {
                    for audience in [Audience::Shared, Audience::Everyone] {
                        let idle = subscribers;
                        plans.push(Plan {
                            publishers,
                            writers: WriterPlace::Here,
                            subscribers,
                            idle,
                            topics,
                            audience,
                            groups: None,
                        });
                    }
                }
            }
        }
        plans
    }

    /// All streams that a part publishes: publisher and topic, as numbers of the whole.
    fn streams(plan: &Plan, part: RunPart, whole: &Plan) -> Vec<(usize, usize)> {
        let streams = (0..plan.streams()).filter(|_| plan.writers.is_here());
        let streams = streams.map(|stream| plan.stream(stream));
        let publisher = |own| part.publisher(own, whole);
        streams.map(|(own, topic)| (publisher(own), part.topic_of(topic, whole))).collect()
    }

    /// All pairs of a subscriber and a topic that it takes.
    fn readers(plan: &Plan, part: RunPart, whole: &Plan) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        for own in 0..plan.subscribers {
            let subscriber = part.subscriber(own, whole);
            let topics = plan.topics_of_reader(own).into_iter();
            all.extend(topics.map(|topic| (subscriber, part.topic_of(topic, whole))));
        }
        all
    }

    /// All triples of a subscriber, a publisher and a topic by which a message goes.
    fn ways(plan: &Plan, part: RunPart, whole: &Plan) -> Vec<(usize, usize, usize)> {
        let mut all = Vec::new();
        for own in 0..plan.subscribers {
            for topic in plan.topics_of_reader(own) {
                for stream in plan.streams_of(topic) {
                    let publisher = part.publisher(plan.stream(stream).0, whole);
                    let topic = part.topic_of(topic, whole);
                    all.push((part.subscriber(own, whole), publisher, topic));
                }
            }
        }
        all
    }

    #[track_caller]
    fn same<T: Ord + Clone + std::fmt::Debug>(of_parts: &[T], of_whole: &[T], what: &str) {
        let set = |all: &[T]| all.iter().cloned().collect::<BTreeSet<T>>();
        assert_eq!(of_parts.len(), of_whole.len(), "{what}");
        assert_eq!(set(of_parts), set(of_whole), "{what}");
    }

    #[test]
    fn parts_are_a_partition_and_together_the_whole() {
        for whole in plans() {
            for of in 1..=5 {
                let parts = (1..=of).map(|number| RunPart { number, of });
                let parts: Vec<_> = parts.map(|part| (part, part.of_plan(&whole))).collect();
                let what = format!("{whole:?} {of}");
                let idle: usize = parts.iter().map(|(_, plan)| plan.idle).sum();
                assert_eq!(idle, whole.idle, "{what}");
                let all = |list: fn(&Plan, RunPart, &Plan) -> Vec<(usize, usize)>| {
                    parts.iter().flat_map(|(part, plan)| list(plan, *part, &whole)).collect()
                };
                let (written, read): (Vec<_>, Vec<_>) = (all(streams), all(readers));
                same(&written, &streams(&whole, RunPart::WHOLE, &whole), &what);
                same(&read, &readers(&whole, RunPart::WHOLE, &whole), &what);
                let ways = |(part, plan): &(RunPart, Plan)| ways(plan, *part, &whole);
                let of_parts: Vec<_> = parts.iter().flat_map(ways).collect();
                same(&of_parts, &ways(&(RunPart::WHOLE, whole)), &what);
            }
        }
    }

    #[test]
    fn with_fewer_topics_than_parts_one_part_of_each_topic_publishes() {
        let (audience, writers) = (Audience::Shared, WriterPlace::Here);
        let whole = Plan {
            publishers: 3,
            writers,
            subscribers: 10,
            idle: 0,
            topics: 2,
            audience,
            groups: None,
        };
        let parts = (1..=5).map(|number| RunPart { number, of: 5 });
        let plans: Vec<Plan> = parts.clone().map(|part| part.of_plan(&whole)).collect();
        // Topic 0 is that of parts 1, 3 and 5, topic 1 that of parts 2 and 4.
        let own: Vec<usize> = plans.iter().map(Plan::own_publishers).collect();
        assert_eq!(own, [2, 1, 0, 0, 0]);
        let subscribers: Vec<usize> = plans.iter().map(|plan| plan.subscribers).collect();
        assert_eq!(subscribers, [2, 3, 2, 2, 1]);
        let writers: Vec<usize> = parts.map(|part| part.writer(&whole).number).collect();
        assert_eq!(writers, [1, 2, 1, 2, 1]);
        let third = RunPart { number: 3, of: 5 };
        assert_eq!(third.among_writers(&whole), None);
        let first = RunPart { number: 1, of: 5 };
        assert_eq!(first.among_writers(&whole), Some(RunPart { number: 1, of: 2 }));
    }

    #[test]
    fn the_whole_is_its_only_part() {
        for plan in plans() {
            assert_eq!(RunPart::WHOLE.of_plan(&plan), plan);
            for publisher in 0..plan.publishers {
                let number = RunPart::WHOLE.connection(publisher, plan.publishers, plan.topics);
                assert_eq!(number, publisher);
            }
        }
    }
}
