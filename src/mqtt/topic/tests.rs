//! Topics: which are valid, and which filters match them.

use super::*;

fn matching(filter: &str, topic: &str) -> bool {
    TopicFilter::new(filter).unwrap().matches(&TopicName::new(topic).unwrap())
}

#[test]
fn filters_match() {
    let pairs = [
        ("a", "a"),
        ("a/b", "a/b"),
        ("/", "/"),
        ("+", "a"),
        ("+/+", "/a"),
        ("+/+", "a/"),
        ("/+", "/a"),
        ("a/+", "a/"),
        ("a/+/c", "a/b/c"),
        ("a/+/c", "a//c"),
        ("#", "a/b/c"),
        ("#", "/"),
        ("a/#", "a"),
        ("a/#", "a/"),
        ("a/#", "a/b/c"),
        ("+/#", "a"),
        ("a/+/#", "a/b"),
        ("a/+/#", "a/b/c"),
        ("+/b/+/d/#", "a/b/c/d"),
        ("$SYS/#", "$SYS/a"),
        ("$SYS/+", "$SYS/a"),
        ("a/$b/#", "a/$b/c"),
        ("$share/g/a/+", "a/b"),
        ("$share/g//a", "/a"),
        ("$share/g/#", "a"),
        ("$share/g/$SYS/#", "$SYS/a"),
        ("$shared", "$shared"),
        ("é/+", "é/€"),
    ];
    for (filter, topic) in pairs {
        assert!(matching(filter, topic), "{filter} {topic}");
    }
}

#[test]
fn filters_do_not_match() {
    let pairs = [
        ("a", "b"),
        ("a", "A"),
        ("a", "a/"),
        ("a", "/a"),
        ("a", "ab"),
        ("ab", "a"),
        ("a/", "a"),
        ("+", "a/b"),
        ("+", "/a"),
        ("+/+", "a"),
        ("a/+", "a"),
        ("a/+", "a/b/c"),
        ("a/+/c", "a/b/d"),
        ("a/#", "ab"),
        ("a/b/#", "a"),
        ("a/+/#", "a"),
        ("#", "$SYS/a"),
        ("+/a", "$SYS/a"),
        ("+", "$a"),
        ("$share/g/#", "$SYS/a"),
        ("$share/g/+/a", "$SYS/a"),
        ("$share/g/a", "$share/g/a"),
    ];
    for (filter, topic) in pairs {
        assert!(!matching(filter, topic), "{filter} {topic}");
    }
}

/// The definition of §4.7, level by level and slow.
fn matching_by_levels(filter: &str, topic: &str) -> bool {
    let (mut filter_levels, mut topic_levels) = (filter.split('/'), topic.split('/'));
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    loop {
        match (filter_levels.next(), topic_levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            _ => return false,
        }
    }
}

/// All texts of up to this length over these characters.
fn texts(characters: &str, length: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..length {
        last = last
            .iter()
            .flat_map(|text| characters.chars().map(move |c| format!("{text}{c}")))
            .collect();
        all.extend_from_slice(&last);
    }
    all
}

#[test]
fn small_filters_match_small_topics_as_the_definition_says() {
    let filters: Vec<_> =
        texts("a/+#$", 5).into_iter().filter_map(|text| TopicFilter::new(text).ok()).collect();
    let topics: Vec<_> =
        texts("a/$", 4).into_iter().filter_map(|text| TopicName::new(text).ok()).collect();
    assert!(filters.len() > 500 && topics.len() == 3 + 9 + 27 + 81);
    for filter in &filters {
        for topic in &topics {
            let expected = matching_by_levels(filter.as_str(), topic.as_str());
            assert_eq!(filter.matches(topic), expected, "{filter} {topic}");
        }
    }
}

/// Validity as §4.7.1 defines it, level by level.
#[test]
fn small_filters_are_valid_as_the_definition_says() {
    for text in texts("a/+#", 6).into_iter().filter(|text| !text.is_empty()) {
        let levels: Vec<_> = text.split('/').collect();
        let valid = levels.iter().enumerate().all(|(index, level)| match *level {
            "+" => true,
            "#" => index + 1 == levels.len(),
            level => !level.contains(['+', '#']),
        });
        assert_eq!(TopicFilter::new(&*text).is_ok(), valid, "{text}");
        assert_eq!(TopicName::new(&*text).is_ok(), !text.contains(['+', '#']), "{text}");
    }
}

#[test]
fn invalid_names_say_why() {
    let long = "x".repeat(65_536);
    let cases = [
        ("", TopicError::Empty),
        (&*long, TopicError::TooLong { length: 65_536 }),
        ("a/+", TopicError::WildcardInName),
        ("#", TopicError::WildcardInName),
        ("a\0", TopicError::Nul),
    ];
    for (text, error) in cases {
        assert_eq!(TopicName::new(text), Err(error));
        assert!(!error.to_string().is_empty());
    }
    assert!(TopicName::new(&long[1..]).is_ok());
    assert_eq!(TopicName::from_bytes(Bytes::from_static(&[0xC0, 0x80])), Err(TopicError::NotUtf8));
}

#[test]
fn invalid_filters_say_why() {
    let cases = [
        ("", TopicError::Empty),
        ("a+", TopicError::MisplacedPlus),
        ("+a/b", TopicError::MisplacedPlus),
        ("++", TopicError::MisplacedPlus),
        ("a#", TopicError::MisplacedHash),
        ("#/", TopicError::MisplacedHash),
        ("a/\0", TopicError::Nul),
        ("$share", TopicError::BadShare),
        ("$share/", TopicError::BadShare),
        ("$share/g", TopicError::BadShare),
        ("$share/g/", TopicError::BadShare),
        ("$share//a", TopicError::BadShare),
        ("$share/+/a", TopicError::BadShare),
        ("$share/g#/a", TopicError::BadShare),
        ("$share/g/a#", TopicError::MisplacedHash),
        ("$share/\0/a", TopicError::Nul),
    ];
    for (text, error) in cases {
        assert_eq!(TopicFilter::new(text), Err(error), "{text}");
        assert!(!error.to_string().is_empty());
    }
    assert_eq!(TopicFilter::from_bytes(Bytes::from_static(&[0xFF])), Err(TopicError::NotUtf8));
}

#[test]
fn a_share_has_a_group_and_a_filter() {
    let filter: TopicFilter = "$share/g/a/+".parse().unwrap();
    assert_eq!(filter.share(), Some(("g", "a/+")));
    let filter: TopicFilter = "a/b".parse().unwrap();
    assert_eq!(filter.share(), None);
    assert_eq!(format!("{filter:>5}"), "  a/b");
}

/// MQTT 5 §1.5.4.
#[test]
fn control_characters_and_non_characters_are_found() {
    let found = |text: &str| DiscouragedCharacter::find(text).map(|found| found.to_string());
    for code in (1..=0x1F).chain(0x7F..=0x9F) {
        let character = char::from_u32(code).unwrap();
        let expected = format!("the topic holds the control character U+{code:04X}");
        assert_eq!(found(&format!("a/{character}b")), Some(expected));
    }
    for code in (0xFDD0..=0xFDEF).chain([0xFFFE, 0xFFFF, 0x1_FFFE, 0x10_FFFF]) {
        let character = char::from_u32(code).unwrap();
        let expected = format!("the topic holds the non-character U+{code:04X}");
        assert_eq!(found(&format!("{character}")), Some(expected));
    }
    for text in ["", "a/b c~", "\u{a0}ü\u{feff}\u{202e}\u{fdcf}\u{fdf0}\u{fffd}\u{10fffd}"] {
        assert_eq!(found(text), None, "{text}");
    }
}

/// Every text without a misplaced wildcard is one; those of MQTT 5 mean the same in both.
#[test]
fn before_mqtt_5_share_is_the_beginning_of_any_filter() {
    let before_5 = |text: &str| TopicFilter::from_bytes_before_5(Bytes::from(text.to_owned()));
    for text in ["$share", "$share/", "$share/g", "$share/g/", "$share//t", "$share/+/t"] {
        assert_eq!(TopicFilter::new(text), Err(TopicError::BadShare), "{text}");
        let filter = before_5(text).unwrap();
        assert_eq!((filter.share(), filter.as_str()), (None, text));
        assert_eq!(filter.detached(), filter);
        let topic = TopicName::new(text.replace('+', "x")).unwrap();
        assert!(filter.matches(&topic), "{text}");
    }
    for text in ["$share/g/t", "$share/g//", "$share/g/#", "a/+", "$shared/+", "#"] {
        assert_eq!(before_5(text), TopicFilter::new(text), "{text}");
    }
    for text in ["", "a+", "#/a", "$share/g#/t", "$share/g/a#", "$share/\0/t"] {
        assert!(before_5(text).is_err(), "{text}");
    }
}
