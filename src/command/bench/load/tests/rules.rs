//! What a server of a load in virtual time does, as a test wants it.

use std::time::Duration;

use bytes::Bytes;

use crate::client::fleet::Cause;
use crate::mqtt::packet::Publish;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicName;

/// How a copy differs from what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Not at all.
    Nothing,
    /// It has the DUP flag.
    Dup,
    /// One bit of this byte of the payload is another.
    Flipped(usize),
    /// The last byte is missing.
    Shortened,
    /// It has this topic.
    Topic(&'static str),
}

/// What is done with a message.
#[derive(Debug, Clone)]
pub struct Treatment {
    /// Each reader gets these copies, each so long after the message came.
    pub copies: Vec<(Duration, Change)>,
    /// When it is acknowledged, and how; `None` is never.
    pub answer: Option<(Duration, ReasonCode)>,
}

impl Treatment {
    /// It is passed on after this time, and acknowledged.
    pub fn after(delay: Duration) -> Self {
        let answer = Some((delay, ReasonCode::SUCCESS));
        Self { copies: vec![(delay, Change::Nothing)], answer }
    }

    /// It is acknowledged and goes nowhere.
    pub fn lost() -> Self {
        Self { copies: Vec::new(), ..Self::after(Duration::ZERO) }
    }
}

/// What the server does, and how slow the generator is. Times are counted from the first message.
pub struct Rules {
    /// What is done with the message of this number, from 0.
    pub treat: Box<dyn FnMut(u64) -> Treatment>,
    /// How long a connection takes, or why it is not made; by the number of the try, from 0.
    pub connect: Box<dyn FnMut(u64) -> Result<Duration, Cause>>,
    /// From when on nothing is read or said, and for how long.
    pub stall: Option<(Duration, Duration)>,
    /// How long a message takes, in which no other is looked at.
    pub work: Duration,
    /// How many messages of a connection wait to be looked at before it is congested.
    pub socket: usize,
    /// How many messages of QoS 1 and 2 it takes at once.
    pub receive_maximum: usize,
    /// When it loses a connection, and which.
    pub loses: Option<(Duration, usize)>,
    /// How long the generator works on each message.
    pub cost: Duration,
    /// When the generator is stopped, and for how long.
    pub pause: Option<(Duration, Duration)>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            treat: Box::new(|_| Treatment::after(Duration::ZERO)),
            connect: Box::new(|_| Ok(Duration::from_millis(1))),
            stall: None,
            work: Duration::ZERO,
            socket: usize::MAX,
            receive_maximum: 65_535,
            loses: None,
            cost: Duration::ZERO,
            pause: None,
        }
    }
}

/// A copy with a change.
pub fn changed(head: &Publish, payload: &Bytes, change: Change) -> (Publish, Bytes) {
    let (mut head, mut bytes) = (head.clone(), payload.to_vec());
    match change {
        Change::Nothing => {}
        Change::Dup => head.dup = true,
        Change::Flipped(at) => bytes[at] ^= 1,
        Change::Shortened => bytes.truncate(bytes.len() - 1),
        Change::Topic(name) => head.topic = TopicName::new(name).ok(),
    }
    (head, bytes.into())
}
