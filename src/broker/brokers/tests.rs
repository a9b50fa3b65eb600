//! Names, and brokers that begin, make room, or cannot begin.

use super::*;
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::topic::TopicName;

#[test]
fn names_are_parts_of_paths() {
    let longest = "x".repeat(LONGEST_NAME);
    for name in ["a", "A-1_b.c~", "7", &longest] {
        assert!(BrokerName::new(name).is_some(), "{name}");
    }
    let longer = "x".repeat(LONGEST_NAME + 1);
    for name in ["", ".", "..", "-a", "a b", "a/b", "%41", "ü", "a#", &longer] {
        assert!(BrokerName::new(name).is_none(), "{name}");
    }
}

#[test]
fn empty_brokers_make_room() {
    let now = Instant::now();
    let mut brokers = Brokers::new(Limits::default(), None, None);
    let name = |number: u64| BrokerName::new(&format!("n{number}"));
    for id in 0..NAMED_BROKERS as u64 {
        brokers.open(id, name(id), now).unwrap();
    }
    brokers.open(5000, name(3), now).unwrap();
    brokers.open(5001, None, now).unwrap();
    assert!(brokers.open(5002, name(5002), now).is_err());
    brokers.lost(7, now);
    brokers.drain(|_| {}, |_, _| {});
    brokers.open(5003, name(5003), now).unwrap();
    assert!(brokers.open(5004, name(5004), now).is_err());
    assert_eq!(brokers.named.len(), NAMED_BROKERS);
    assert!(!brokers.named.contains_key(&name(7).unwrap()));
}

/// One in which nothing but the messages is that each begins with makes room, too; one in which
/// they have changed does not.
#[test]
fn each_begins_with_the_messages_that_were_loaded() {
    let now = Instant::now();
    let mut brokers = Brokers::new(Limits::default(), None, None);
    let message = |payload: &'static str| Publish {
        retain: true,
        ..Publish::new(TopicName::new("t").unwrap(), payload.into())
    };
    assert_eq!(brokers.load(vec![message("loaded")], now), Ok(()));
    let name = |number: u64| BrokerName::new(&format!("n{number}"));
    for id in 0..NAMED_BROKERS as u64 {
        brokers.open(id, name(id), now).unwrap();
    }
    let changed = brokers.named.get_mut(&name(3).unwrap()).unwrap();
    assert_eq!(changed.router.retained_messages(now), [message("loaded")]);
    assert!(changed.router.load_retained(message("changed"), now));
    for id in [3, 7] {
        brokers.lost(id, now);
    }
    brokers.drain(|_| {}, |_, _| {});
    brokers.open(5000, name(5000), now).unwrap();
    assert!(brokers.open(5001, name(5001), now).is_err());
    assert!(!brokers.named.contains_key(&name(7).unwrap()));
    assert_eq!(brokers.retained_messages(now), [message("loaded")]);
}

/// Where messages expire each broker has a copy of its own, which needs memory.
#[test]
fn each_counts_the_expiry_from_its_own_beginning() {
    let now = Instant::now();
    let mut brokers = Brokers::new(Limits::default(), None, None);
    let properties = Properties(vec![Property::number(PropertyId::MessageExpiryInterval, 60)]);
    let message = Publish {
        retain: true,
        properties,
        ..Publish::new(TopicName::new("t").unwrap(), "x".into())
    };
    assert_eq!(brokers.load(vec![message.clone()], now), Ok(()));
    let later = now + Duration::from_secs(50);
    brokers.open(1, BrokerName::new("n1"), later).unwrap();
    let named = &brokers.named[&BrokerName::new("n1").unwrap()];
    assert_eq!(named.router.retained_messages(later), [message]);
    assert!(brokers.retained_messages(now + Duration::from_secs(61)).is_empty());
    brokers.set_memory(MemoryLevel::Low);
    let refused = brokers.open(2, BrokerName::new("n2"), later);
    assert_eq!(refused, Err(NoBroker::NoMemory));
    brokers.open(3, BrokerName::new("n1"), later).unwrap();
}
