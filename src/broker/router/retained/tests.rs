//! The store of retained messages: searches, expiry, and what clones share.

use bytes::Bytes;

use super::*;
use crate::mqtt::topic::TopicName;

fn retained(topics: &[TopicName]) -> Retained {
    let mut retained = Retained::default();
    for topic in topics {
        retained.store(&mut AppMessage::own(topic.clone(), Bytes::from_static(b"x")));
    }
    retained
}

/// What a filter matches, found in parts.
fn matching(store: &Retained, filter: &TopicFilter, part: usize) -> Vec<AppMessage> {
    let mut search = RetainedSearch::new(filter);
    let mut found = Vec::new();
    while !search.is_over() {
        let mut steps = part;
        found.extend(store.advance(&mut search, &mut steps, Instant::now()));
        assert!(search.is_over() || steps == 0);
    }
    found
}

#[test]
fn it_finds_what_the_filter_matches_one_by_one() {
    let seed = 152;
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let names = ["a", "b", "", "$x", "a!", "a\u{1}", "ä"];
    let wild = ["a", "b", "", "$x", "a!", "+", "+", "+"];
    let mut pick = |from: &[&str]| {
        let levels = (0..random.usize(1..6)).map(|_| from[random.usize(..from.len())]);
        levels.collect::<Vec<_>>().join("/")
    };
    let topics: Vec<_> = (0..800).filter_map(|_| TopicName::new(pick(&names)).ok()).collect();
    let store = retained(&topics);
    let mut matches = 0;
    for number in 0..2000 {
        let text = pick(&wild) + ["", "/#", "/a"][number % 3];
        let Ok(filter) = TopicFilter::new(text) else { continue };
        let found: Vec<_> = matching(&store, &filter, [1, 7, 5000][number % 3])
            .into_iter()
            .map(|message| message.topic)
            .collect();
        let all = store.all(Instant::now()).map(|message| message.topic.clone());
        let expected: Vec<_> = all.filter(|topic| filter.matches(topic)).collect();
        assert_eq!(found, expected, "{filter}");
        matches += found.len();
    }
    assert!(matches > 10_000, "{matches}");
    let everything = TopicFilter::new("#").unwrap();
    let visible = topics.iter().filter(|topic| !topic.as_str().starts_with('$'));
    let mut visible: Vec<_> = visible.map(|topic| key(topic.as_str())).collect();
    visible.sort();
    visible.dedup();
    assert_eq!(matching(&store, &everything, 100).len(), visible.len());
}

/// It takes minutes if each filter is compared with every topic that begins like it.
#[test]
fn many_filters_over_many_topics() {
    let topics: Vec<_> = (0..100_000)
        .map(|number| TopicName::new(format!("site/{}/{number}", number % 100)).unwrap())
        .collect();
    let store = retained(&topics);
    for number in 0..10_000 {
        for (text, count) in [
            (format!("site/{}/{number}", number % 100), 1),
            (format!("site/+/{number}x"), 0),
            ("site".to_owned(), 0),
            (format!("+/+/+/{number}"), 0),
            (format!("site/{number}/+/#"), if number < 100 { 1000 } else { 0 }),
        ] {
            // The two that walk through all branches take longer.
            if !text.contains("+/") || number % 2000 == 7 {
                let filter = TopicFilter::new(text).unwrap();
                assert_eq!(matching(&store, &filter, 20_000).len(), count, "{filter}");
            }
        }
    }
}

#[test]
fn clones_share_what_none_of_them_changes() {
    let now = Instant::now();
    let topics = ["a", "b"].map(|name| TopicName::new(name).unwrap());
    let first = retained(&topics);
    assert!(!first.is_shared());
    let (mut second, mut third) = (first.clone(), first.later_by(Duration::from_secs(9)));
    assert!(first.is_shared() && second.is_shared() && third.is_shared());
    // What changes nothing copies nothing.
    let other = TopicName::new("c").unwrap();
    second.store(&mut AppMessage::own(other, Bytes::new()));
    assert!(second.is_shared());
    second.store(&mut AppMessage::own(topics[0].clone(), Bytes::new()));
    third.store(&mut AppMessage::own(topics[0].clone(), Bytes::from_static(b"new")));
    assert!(!first.is_shared() && !second.is_shared() && !third.is_shared());
    let payloads = |store: &Retained| -> Vec<Bytes> {
        store.all(now).map(|message| message.payload.clone()).collect()
    };
    assert_eq!(payloads(&first), ["x", "x"]);
    assert_eq!(payloads(&second), ["x"]);
    assert_eq!(payloads(&third), ["new", "x"]);
}

#[test]
fn what_is_stored_later_expires_later() {
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let mut store = retained(&[TopicName::new("lasts").unwrap()]);
    let mut message = AppMessage::own(TopicName::new("a").unwrap(), Bytes::from_static(b"x"));
    message.expires_at = Some(now + second);
    store.store(&mut message);
    let later = store.later_by(5 * second);
    assert_eq!(
        (store.next_expiry(), later.next_expiry()),
        (Some(now + second), Some(now + 6 * second))
    );
    assert_eq!(later.all(now + 5 * second).count(), 2);
    assert_eq!(store.all(now + 5 * second).count(), 1);
}

#[test]
fn what_has_expired_is_gone() {
    let now = Instant::now();
    let after = |seconds| now + Duration::from_secs(seconds);
    let mut store = Retained::default();
    for (name, expires_at) in [("a", Some(5)), ("b", None), ("c", Some(5)), ("d", Some(9))] {
        let topic = TopicName::new(name).unwrap();
        let mut message = AppMessage::own(topic, Bytes::from_static(b"x"));
        message.expires_at = expires_at.map(after);
        store.store(&mut message);
    }
    let weight = store.weight / 4;
    // One that is replaced expires when the new one does.
    let topic = TopicName::new("c").unwrap();
    store.store(&mut AppMessage::own(topic, Bytes::from_static(b"y")));
    assert_eq!(store.next_expiry(), Some(after(5)));
    store.sweep(after(4));
    assert_eq!(store.len(), 4);
    store.sweep(after(5));
    assert_eq!((store.len(), store.weight), (3, 3 * weight));
    assert_eq!(store.next_expiry(), Some(after(9)));
    store.sweep(after(100));
    assert_eq!((store.len(), store.weight, store.next_expiry()), (2, 2 * weight, None));
}
