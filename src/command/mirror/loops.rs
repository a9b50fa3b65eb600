//! Loops over several mirrors: in MQTT 5 each message that is passed on carries marks of the broker
//! that it comes from, by which it is known where it must not go again.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use bytestring::ByteString;

use crate::mqtt::packet::Publish;
use crate::mqtt::property::{Properties, Property, Value};

/// The name of the user property.
const NAME: &str = "mqttws-mirror";

/// The marks of two brokers, one for each of their addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoopMarks {
    source: Vec<ByteString>,
    target: Vec<ByteString>,
}

impl LoopMarks {
    /// The marks of brokers at these addresses, as seen from `place`, which says what is meant by
    /// addresses such as localhost.
    pub fn new(place: &str, source: &[String], target: &[String]) -> Self {
        let marks = |addresses: &[String]| {
            addresses.iter().map(|address| mark(place, address)).collect::<Vec<_>>()
        };
        Self { source: marks(source), target: marks(target) }
    }

    /// Whether a message with these properties was at the target before it came to the source, or
    /// comes to the source for the second time.
    pub fn leads_back(&self, properties: &Properties) -> bool {
        properties.0.iter().any(|property| match property.value() {
            Value::Pair(name, value) if *name == NAME => {
                self.target.contains(value) || self.source.contains(value)
            }
            _ => false,
        })
    }

    /// Marks a message that goes to the target.
    pub fn mark(&self, properties: &mut Properties) {
        for value in &self.source {
            properties.push(Property::user(ByteString::from_static(NAME), value.clone()));
        }
    }
}

/// A hash (FNV-1a): nobody learns the address from it.
fn mark(place: &str, address: &str) -> ByteString {
    let bytes = place.bytes().chain([0]).chain(address.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}").into()
}

/// So many times the same message, within [`SOON`], is a sign of a loop.
const OFTEN: u32 = 100;

/// Sooner than most messages are published so often on purpose.
const SOON: Duration = Duration::from_secs(10);

/// How many other messages there are at most before another message is watched.
const OTHERS: u32 = 10_000;

/// Watches one message after the other for coming again and again: before MQTT 5 nothing else tells
/// that messages go round.
#[derive(Debug, Default)]
pub struct Circulation {
    watched: Option<(u64, Instant)>,
    times: u32,
    others: u32,
}

impl Circulation {
    /// Whether this message came very often at `now`.
    pub fn is_likely(&mut self, publish: &Publish, now: Instant) -> bool {
        let mut hasher = DefaultHasher::new();
        let beginning = &publish.payload[..publish.payload.len().min(64)];
        (publish.topic_or_empty(), publish.payload.len(), beginning).hash(&mut hasher);
        let mark = hasher.finish();
        match self.watched {
            Some((watched, since)) if watched == mark && now < since + SOON => {
                self.times += 1;
                return self.times == OFTEN;
            }
            Some((_, since)) if self.others < OTHERS && now < since + SOON => self.others += 1,
            _ => *self = Self { watched: Some((mark, now)), times: 1, others: 0 },
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::topic::TopicName;

    #[test]
    fn the_same_message_again_and_again_is_a_sign_of_a_loop() {
        let message = |payload: &'static [u8]| Publish {
            topic: Some(TopicName::new("t").unwrap()),
            payload: payload.into(),
            ..Publish::default()
        };
        let count = |pause: u64, others: usize| {
            let (mut circulation, mut now) = (Circulation::default(), Instant::now());
            let mut found = 0;
            for _ in 0..300 {
                found += u32::from(circulation.is_likely(&message(b"x"), now));
                for _ in 0..others {
                    assert!(!circulation.is_likely(&message(b"y"), now));
                }
                now += Duration::from_millis(pause);
            }
            found
        };
        assert_eq!(count(10, 0), 1);
        assert_eq!(count(10, 20), 1);
        assert_eq!(count(1000, 0), 0, "a sensor");
    }

    #[test]
    fn a_message_passes_each_broker_once() {
        let [a, b, c] = ["a:1/", "b:1/", "c:1/"].map(|address| [address.to_owned()]);
        let way = |from: &[String; 1], to: &[String; 1]| LoopMarks::new("here", from, to);
        let mut properties = Properties::default();
        assert!(!way(&a, &b).leads_back(&properties));
        way(&a, &b).mark(&mut properties);
        assert!(way(&b, &a).leads_back(&properties), "back");
        assert!(!way(&b, &c).leads_back(&properties), "further");
        way(&b, &c).mark(&mut properties);
        assert!(way(&c, &a).leads_back(&properties), "around");
        assert!(way(&a, &c).leads_back(&properties), "it came back on a way that is not ours");
        let other = LoopMarks::new("elsewhere", &b, &a);
        assert!(!other.leads_back(&properties), "another machine means another broker by it");
    }

    #[test]
    fn each_address_of_a_broker_is_marked() {
        let addresses = ["a:1/".to_owned(), "a:2/".to_owned()];
        let mut properties = Properties::default();
        LoopMarks::new("here", &addresses, &[]).mark(&mut properties);
        for address in addresses {
            assert!(LoopMarks::new("here", &[], &[address]).leads_back(&properties));
        }
    }
}
