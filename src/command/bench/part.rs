//! A part of a run: the topics whose number has one remainder, and by the rule of [`Plan`] the
//! connections that publish and subscribe to them.

use std::ops::Rem;

use super::plan::Plan;

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

    /// The number of one of its connections in the whole, which has so many.
    pub fn connection(self, number: usize, connections: usize, topics: usize) -> usize {
        if topics >= connections {
            return self.topic(number) % connections;
        }
        let own = self.share(topics);
        topics * (number / own) + self.topic(number % own)
    }

    /// The plan of this part; `None` if there are fewer topics than parts.
    pub fn of_plan(self, plan: &Plan) -> Option<Plan> {
        if plan.topics < self.of && plan.publishers + plan.subscribers > 0 {
            return None;
        }
        let connections = |all| if all == 0 { 0 } else { self.connections(all, plan.topics) };
        let subscribers = match plan.audience {
            super::plan::Audience::Shared => connections(plan.subscribers),
            // Each takes all topics, and so stands in each part.
            super::plan::Audience::Everyone | super::plan::Audience::Filtered => plan.subscribers,
        };
        Some(Plan {
            publishers: connections(plan.publishers),
            subscribers,
            idle: self.share(plan.idle),
            topics: self.share(plan.topics).max(1),
            ..*plan
        })
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
    use crate::command::bench::plan::Audience;

    fn plans() -> Vec<Plan> {
        let mut plans = Vec::new();
        for publishers in [0, 1, 2, 3, 4, 6, 7] {
            for subscribers in [0, 1, 2, 4, 5, 6, 9] {
                for topics in [1, 2, 3, 4, 5, 6, 8, 11, 12] {
                    for audience in [Audience::Shared, Audience::Everyone] {
                        let idle = subscribers;
                        plans.push(Plan {
                            publishers,
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

    /// All streams of a plan: publisher and topic, as numbers of the whole.
    fn streams(plan: &Plan, part: RunPart, whole: &Plan) -> Vec<(usize, usize)> {
        let streams = (0..plan.streams()).map(|stream| plan.stream(stream));
        let publisher = |own| part.connection(own, whole.publishers, whole.topics);
        streams.map(|(own, topic)| (publisher(own), part.topic(topic))).collect()
    }

    /// All pairs of a subscriber and a topic that it takes.
    fn readers(plan: &Plan, part: RunPart, whole: &Plan) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        for own in 0..plan.subscribers {
            let subscriber = match plan.audience {
                Audience::Shared => part.connection(own, whole.subscribers, whole.topics),
                Audience::Everyone | Audience::Filtered => own,
            };
            let topics = plan.topics_of_reader(own).into_iter();
            all.extend(topics.map(|topic| (subscriber, part.topic(topic))));
        }
        all
    }

    #[test]
    fn parts_are_a_partition_and_together_the_whole() {
        for whole in plans() {
            for of in 1..=5 {
                let parts: Vec<(RunPart, Option<Plan>)> = (1..=of)
                    .map(|number| RunPart { number, of })
                    .map(|part| (part, part.of_plan(&whole)))
                    .collect();
                let has_connections = whole.publishers + whole.subscribers > 0;
                if whole.topics < of && has_connections {
                    assert!(parts.iter().all(|(_, plan)| plan.is_none()));
                    continue;
                }
                let plans = || parts.iter().map(|(part, plan)| (*part, plan.unwrap()));
                let idle: usize = plans().map(|(_, plan)| plan.idle).sum();
                assert_eq!(idle, whole.idle);
                let of_whole: BTreeSet<_> =
                    streams(&whole, RunPart::WHOLE, &whole).into_iter().collect();
                let of_parts: Vec<_> =
                    plans().flat_map(|(part, plan)| streams(&plan, part, &whole)).collect();
                assert_eq!(of_parts.len(), of_whole.len(), "{whole:?} {of}");
                assert_eq!(of_parts.into_iter().collect::<BTreeSet<_>>(), of_whole);
                let of_whole: BTreeSet<_> =
                    readers(&whole, RunPart::WHOLE, &whole).into_iter().collect();
                let of_parts: Vec<_> =
                    plans().flat_map(|(part, plan)| readers(&plan, part, &whole)).collect();
                assert_eq!(of_parts.len(), of_whole.len(), "{whole:?} {of}");
                assert_eq!(of_parts.into_iter().collect::<BTreeSet<_>>(), of_whole);
            }
        }
    }

    #[test]
    fn the_whole_is_its_only_part() {
        for plan in plans() {
            assert_eq!(RunPart::WHOLE.of_plan(&plan), Some(plan));
            for publisher in 0..plan.publishers {
                let number = RunPart::WHOLE.connection(publisher, plan.publishers, plan.topics);
                assert_eq!(number, publisher);
            }
        }
    }
}
