//! `--expect`: what clients are expected to send while the broker runs, and what came nearest.

mod sent;
#[cfg(test)]
mod tests;

use std::fmt;

use super::traffic::ClientPacket;
use crate::format::pattern::Pattern;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;
use sent::Sent;

/// The packets of clients that can be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedPacket {
    /// CONNECT
    Connect,
    /// PUBLISH
    Publish,
    /// One topic filter of a SUBSCRIBE.
    Subscribe,
    /// One topic filter of an UNSUBSCRIBE.
    Unsubscribe,
    /// DISCONNECT
    Disconnect,
}

impl ExpectedPacket {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Connect, Self::Publish, Self::Subscribe, Self::Unsubscribe, Self::Disconnect];

    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Publish => "pub",
            Self::Subscribe => "sub",
            Self::Unsubscribe => "unsub",
            Self::Disconnect => "disconnect",
        }
    }
}

/// A condition on a packet.
#[derive(Debug, Clone)]
pub enum ExpectedField {
    /// `client=`: the client identifier.
    Client(String),
    /// `t=`: matches the topic of a PUBLISH; is the topic filter of the others.
    Topic(TopicFilter),
    /// `q=`
    QoS(QoS),
    /// `r=`: the RETAIN flag.
    Retain(bool),
    /// `payload=`: all of it.
    Payload(String),
    /// `payload~`: a part of it matches.
    PayloadMatch(Pattern),
}

impl ExpectedField {
    /// What it is about.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Topic(_) => "t",
            Self::QoS(_) => "q",
            Self::Retain(_) => "r",
            Self::Payload(_) | Self::PayloadMatch(_) => "payload",
        }
    }
}

/// One `--expect`.
#[derive(Debug, Clone)]
pub struct PacketExpectation {
    /// As it was given.
    pub text: String,
    /// The packet.
    pub packet: ExpectedPacket,
    /// The conditions, all of which must hold for one packet.
    pub fields: Vec<ExpectedField>,
}

/// An expectation, and what has come so far.
#[derive(Debug)]
enum ExpectationState {
    /// It has come.
    Met,
    /// Nothing of its kind has come.
    Nothing,
    /// This has come.
    Nearest(NearMiss),
}

/// A packet that is not what was expected.
#[derive(Debug)]
struct NearMiss {
    /// How many conditions it meets.
    held: usize,
    /// The packet in the words of `--expect`.
    text: String,
    /// What differs.
    differing: Vec<&'static str>,
}

/// All expectations.
#[derive(Debug)]
pub struct Expectations(Vec<(PacketExpectation, ExpectationState)>);

impl Expectations {
    /// Nothing has come yet.
    pub fn new(expected: &[PacketExpectation]) -> Self {
        let waiting = |one: &PacketExpectation| (one.clone(), ExpectationState::Nothing);
        Self(expected.iter().map(waiting).collect())
    }

    /// Compares a packet of a client.
    pub fn see(&mut self, seen: ClientPacket<'_>) {
        for (expected, progress) in &mut self.0 {
            if !matches!(progress, ExpectationState::Met) {
                for sent in Sent::all(seen, expected.packet) {
                    progress.compare(&expected.fields, &sent);
                }
            }
        }
    }

    /// A line for each that has not come.
    pub fn missing(&self) -> Vec<String> {
        let missing =
            self.0.iter().filter(|(_, progress)| !matches!(progress, ExpectationState::Met));
        let line = |(expected, progress): &(PacketExpectation, ExpectationState)| {
            let PacketExpectation { text, packet, .. } = expected;
            match progress {
                ExpectationState::Nearest(miss) => {
                    format!("--expect '{text}' did not come; {miss}")
                }
                _ => format!("--expect '{text}' did not come; there was no {}", packet.word()),
            }
        };
        missing.map(line).collect()
    }
}

impl ExpectationState {
    fn compare(&mut self, fields: &[ExpectedField], sent: &Sent<'_>) {
        let failing = fields.iter().filter(|field| !sent.meets(field));
        let differing: Vec<_> = failing.map(ExpectedField::name).collect();
        let held = fields.len() - differing.len();
        if differing.is_empty() {
            *self = Self::Met;
            return;
        }
        let is_nearer = match self {
            Self::Met => false,
            Self::Nothing => true,
            Self::Nearest(miss) => held > miss.held,
        };
        if is_nearer {
            *self = Self::Nearest(NearMiss { held, text: sent.to_string(), differing });
        }
    }
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, differing, .. } = self;
        let verb = if differing.len() == 1 { "differs" } else { "differ" };
        write!(f, "nearest: {text} ({} {verb})", differing.join(", "))
    }
}
