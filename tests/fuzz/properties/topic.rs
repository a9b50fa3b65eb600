//! Topic names and filters: what is taken follows MQTT's rules, and a filter matches as a simple
//! definition of it does.

use super::choices::Choices;
use crate::mqtt::topic::{TopicFilter, TopicName};

pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let filter = String::from_utf8_lossy(choices.bytes()).into_owned();
    let name = String::from_utf8_lossy(choices.rest()).into_owned();
    let topic = TopicName::new(name.clone());
    let is_text = |text: &str| !text.is_empty() && text.len() <= 65_535 && !text.contains('\0');
    assert_eq!(topic.is_ok(), is_text(&name) && !name.contains(['+', '#']), "{name:?}");
    let parsed = TopicFilter::new(filter.clone());
    let levels: Vec<&str> = filter.split('/').collect();
    let plain = |level: &&str| !level.contains(['+', '#']) || **level == *"+";
    let (last, others) = levels.split_last().expect("there is one level at least");
    let is_filter = is_text(&filter) && others.iter().all(plain) && (plain(last) || *last == "#");
    if levels[0] == "$share" {
        // It needs a share name and a filter, too.
        assert!(is_filter || parsed.is_err(), "{filter:?}");
    } else {
        assert_eq!(parsed.is_ok(), is_filter, "{filter:?}");
    }
    let (Ok(topic), Ok(parsed)) = (topic, parsed) else { return };
    assert_eq!(parsed.as_str(), filter);
    let pattern = parsed.share().map_or(filter.as_str(), |(_, rest)| rest);
    let expected =
        matches(pattern, &name) && !(name.starts_with('$') && pattern.starts_with(['+', '#']));
    assert_eq!(parsed.matches(&topic), expected, "{filter:?} {name:?}");
}

/// §4.7.1, level by level.
fn matches(filter: &str, name: &str) -> bool {
    let mut names = name.split('/');
    for level in filter.split('/') {
        match (level, names.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (level, Some(name)) if level == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}
