//! Which topics each reader gets where it does not subscribe to the topics themselves (`--filter`).

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::names::{Names, expanded};
use super::plan::{Audience, Plan};
use crate::exit::Usage;
use crate::mqtt::topic::{TopicFilter, TopicName};

/// The filters of all readers, and what they match.
#[derive(Debug)]
pub struct Interest {
    pattern: String,
    names: Names,
    /// A bit for each reader and topic; of readers that all have the same filters there is one row.
    matched: Vec<u64>,
    /// How many words a row has.
    width: usize,
}

impl Interest {
    /// What the readers of a plan get of these topics by the pattern of `--filter`. It must match
    /// some. The filters of a reader differ in a level without wildcard, so each topic is matched
    /// by one of them at most.
    pub fn new(pattern: &str, names: &Names, topics: &[TopicName]) -> Result<Self> {
        let is_common = !pattern.contains("%i") && !pattern.contains("%c");
        let rows = if is_common { names.plan.readers().min(1) } else { names.plan.readers() };
        let width = topics.len().div_ceil(64);
        let mut interest = Self {
            pattern: pattern.to_owned(),
            names: *names,
            matched: vec![0; rows * width],
            width,
        };
        let has_number = names.plan.groups.is_some() && pattern.contains("%c");
        let why = "--filter: %c: the subscribers of a share group have the same filter";
        ensure!(!has_number, Usage::new(why));
        for reader in 0..rows {
            interest.note(reader, &filters(pattern, names, reader)?, topics);
        }
        let why = format!("--filter {pattern}: it matches none of the topics of -t");
        ensure!(rows == 0 || interest.matched.iter().any(|word| *word != 0), Usage::new(why));
        Ok(interest)
    }

    /// Notes what the filters of a reader match.
    fn note(&mut self, reader: usize, filters: &[TopicFilter], topics: &[TopicName]) {
        let row = &mut self.matched[reader * self.width..(reader + 1) * self.width];
        for (number, topic) in topics.iter().enumerate() {
            if filters.iter().any(|filter| filter.matches(topic)) {
                row[number / 64] |= 1 << (number % 64);
            }
        }
    }

    /// Whether a reader gets a topic.
    pub fn has(&self, reader: usize, topic: usize) -> bool {
        let row = if self.matched.len() == self.width { 0 } else { reader };
        self.matched[row * self.width + topic / 64] & 1 << (topic % 64) != 0
    }

    /// The filters of a reader.
    pub fn filters(&self, reader: usize) -> Vec<TopicFilter> {
        // They were all made before.
        filters(&self.pattern, &self.names, reader).unwrap_or_default()
    }
}

/// What a reader subscribes to: the pattern for each of the topics that it has by the rule, but
/// each filter once.
fn filters(pattern: &str, names: &Names, reader: usize) -> Result<Vec<TopicFilter>> {
    let by_rule = Plan { audience: Audience::Shared, ..names.plan };
    let topics = by_rule.topics_of_reader(reader);
    let topics = if pattern.contains("%i") { &topics[..] } else { &topics[..topics.len().min(1)] };
    let mut seen = BTreeSet::new();
    let mut filters = Vec::new();
    for topic in topics {
        let filter = expanded("--filter", pattern, names.run, *topic, reader)?;
        if !seen.insert(filter.clone()) {
            continue;
        }
        let why = "--filter: $share is what --share-groups makes";
        ensure!(!filter.starts_with("$share"), Usage::new(why));
        let checked = TopicFilter::new(filter.clone());
        filters.push(checked.map_err(|error| Usage::new(format!("--filter: {filter}: {error}")))?);
    }
    Ok(filters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::part::RunPart;
    use crate::command::bench::plan::WriterPlace;

    fn names(subscribers: usize, topics: usize, groups: Option<usize>) -> Names {
        let audience = Audience::Filtered;
        let (publishers, writers) = (1, WriterPlace::Here);
        let plan = Plan { publishers, writers, subscribers, idle: 0, topics, audience, groups };
        Names { run: 7, part: RunPart::WHOLE, whole: plan, plan }
    }

    fn interest(pattern: &str, names: &Names) -> Result<Interest> {
        let topics = names.topics("t/%i").unwrap();
        Interest::new(pattern, names, &topics)
    }

    fn got(interest: &Interest, reader: usize, topics: usize) -> Vec<usize> {
        (0..topics).filter(|topic| interest.has(reader, *topic)).collect()
    }

    #[test]
    fn what_a_reader_gets_follows_from_matching() {
        let names = names(3, 130, None);
        let all = interest("t/+", &names).unwrap();
        assert_eq!(got(&all, 2, 130), (0..130).collect::<Vec<_>>());
        assert_eq!(all.filters(1), [TopicFilter::new("t/+").unwrap()]);
        let own = interest("t/%c", &names).unwrap();
        assert_eq!((got(&own, 0, 130), got(&own, 2, 130)), (vec![0], vec![2]));
        // By the rule reader 1 has 1, 4, 7...
        let each = interest("t/%i/#", &names).unwrap();
        assert_eq!(got(&each, 1, 130), (1..130).step_by(3).collect::<Vec<_>>());
        assert_eq!(each.filters(1).len(), 43);
        let one = interest("t/129", &names).unwrap();
        assert_eq!((got(&one, 0, 130), got(&one, 2, 130)), (vec![129], vec![129]));
    }

    #[test]
    fn filters_that_prove_nothing_are_refused() {
        for (pattern, groups, why) in [
            ("x/#", None, "--filter x/#: it matches none of the topics of -t"),
            ("t/#/%i", None, "--filter: t/#/0: '#' must stand alone"),
            ("t/%", None, "--filter: expected %i (topic), %c (connection), %r (run) or %% after %"),
            ("$share/g/t/+", None, "--filter: $share is what --share-groups makes"),
            ("t/%c", Some(2), "--filter: %c: the subscribers of a share group have the same"),
        ] {
            let error = interest(pattern, &names(2, 2, groups)).unwrap_err().to_string();
            assert!(error.starts_with(why), "{pattern}: {error}");
        }
    }
}
