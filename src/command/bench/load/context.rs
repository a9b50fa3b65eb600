//! What all parts of a load know.

use std::time::{Duration, Instant};

use super::team::TeamMember;
use super::window::Window;
use crate::command::bench::clock::RunClock;
use crate::command::bench::config::LoadPlan;
use crate::command::bench::interest::Interest;
use crate::command::bench::payload::Payloads;
use crate::mqtt::topic::{TopicFilter, TopicName};

/// What does not change in a run, and the window.
pub struct Context {
    /// What is done.
    pub load: LoadPlan,
    /// The topics by their number.
    pub topics: Vec<TopicName>,
    /// What the readers get of them, if that is said by a filter.
    pub interest: Option<Interest>,
    /// The payloads.
    pub payloads: Payloads,
    /// The clock of the times in them.
    pub clock: RunClock,
    /// What time it is.
    pub now: fn() -> Instant,
    /// The window.
    pub window: Window,
    /// What the topics of the wills begin with, if the connections have wills.
    pub wills: Option<String>,
    /// How many subscribers get each message of a topic.
    pub readers: Vec<u64>,
    /// When sending begins; `None` is as soon as all are connected.
    pub start_at: Option<Instant>,
    /// How many steps there were before.
    pub step: u32,
    /// This loop among the others.
    pub member: TeamMember,
}

/// The tokens of a step begin at its number times this.
const STEP_TOKENS: u64 = 1 << 48;

impl Context {
    /// What a subscriber subscribes to.
    pub fn filters(&self, subscriber: usize) -> Vec<TopicFilter> {
        let plan = &self.load.plan;
        let reader = plan.reader(subscriber);
        let names: Vec<String> = if let Some(interest) = &self.interest {
            let filters = interest.filters(reader).into_iter();
            filters.map(|filter| filter.as_str().to_owned()).collect()
        } else {
            let topics = plan.topics_of_reader(reader).into_iter();
            topics.map(|topic| self.topics[topic].as_str().to_owned()).collect()
        };
        let names = names.into_iter().map(|name| match plan.groups {
            Some(_) => format!("$share/b{:08x}g{reader}/{name}", self.payloads.run()),
            None => name,
        });
        // A name of a topic is a filter, too.
        names.filter_map(|name| TopicFilter::new(name).ok()).collect()
    }

    /// Whether a reader gets a topic.
    pub fn takes(&self, reader: usize, topic: usize) -> bool {
        match &self.interest {
            Some(interest) => interest.has(reader, topic),
            None => self.load.plan.takes(reader, topic),
        }
    }

    /// The topics that a reader gets.
    pub fn topics_of_reader(&self, reader: usize) -> Vec<usize> {
        let mut topics = self.load.plan.topics_of_reader(reader);
        topics.retain(|topic| self.takes(reader, *topic));
        topics
    }

    /// How many topics a subscriber gets, if anything is retained of them.
    pub fn topics_of_subscriber(&self, subscriber: usize) -> usize {
        if !self.load.messages.retain.is_set_before() {
            return 0;
        }
        self.topics_of_reader(self.load.plan.reader(subscriber)).len()
    }

    /// The streams that a reader gets.
    pub fn streams_of(&self, reader: usize) -> impl Iterator<Item = usize> + use<> {
        let topics = self.topics_of_reader(reader);
        let plan = self.load.plan;
        topics.into_iter().flat_map(move |topic| plan.streams_of(topic))
    }

    /// The topic whose retained message has this number of a stream.
    pub fn retained_topic(&self, stream: u32) -> Option<usize> {
        let topic = (stream as usize).checked_sub(self.load.plan.streams())?;
        (topic < self.topics.len() && self.load.messages.retain.is_set_before()).then_some(topic)
    }

    /// The filter of all wills, if the connections have wills.
    pub fn will_filter(&self) -> Option<TopicFilter> {
        self.wills.as_ref().and_then(|prefix| TopicFilter::new(format!("{prefix}+")).ok())
    }

    /// How many loops there are.
    #[expect(clippy::cast_precision_loss, reason = "there are at most a few hundred")]
    pub fn loops(&self) -> f64 {
        self.member.share.of as f64
    }

    /// The number of this one.
    #[expect(clippy::cast_precision_loss, reason = "there are at most a few hundred")]
    pub fn loop_number(&self) -> f64 {
        self.member.share.number as f64
    }

    /// Where this loop keeps the pair of one of its readers and a stream.
    pub fn pair(&self, reader: usize, stream: usize) -> usize {
        self.load.plan.pair(self.member.share.place_of_reader(reader), stream)
    }

    /// Whether anyone reads.
    pub fn has_readers(&self) -> bool {
        self.readers.iter().any(|readers| *readers > 0)
    }

    /// How many copies of a message there are, about.
    pub fn copies(&self) -> u64 {
        let topics = self.readers.len().max(1) as u64;
        self.readers.iter().sum::<u64>() / topics
    }

    /// The token of message `number` of a publisher.
    pub fn token_of(&self, number: u64) -> u64 {
        u64::from(self.step) * STEP_TOKENS + number
    }

    /// The message of a publisher that a token stands for; `None` if that was in another step.
    pub fn number_of(&self, token: u64) -> Option<u64> {
        (token / STEP_TOKENS == u64::from(self.step)).then_some(token % STEP_TOKENS)
    }

    /// How many messages of a publisher so many copies stand for.
    pub fn messages_of(&self, publisher: usize, copies: u64) -> u64 {
        let plan = &self.load.plan;
        let topics = plan.topics_of_publisher(publisher);
        let readers = (0..topics as u64).map(|n| self.readers[plan.place(publisher, n).0]);
        let readers: u64 = readers.sum();
        copies * topics as u64 / readers.max(1)
    }
}

/// What the load asks the system.
#[derive(Clone, Copy)]
pub struct System {
    /// The CPU time of this thread.
    pub cpu: fn() -> Duration,
    /// The CPU time of the machine: busy, stolen, all.
    pub machine: fn() -> Option<[u64; 3]>,
}
