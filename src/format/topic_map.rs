//! The topics of messages that are passed on to another broker (`--map`): the first rule whose
//! regular expression matches the whole topic says what it becomes.

use std::fmt;
use std::str::FromStr;

use regex::bytes::{Captures, Regex};

use super::pattern::compiled;
use crate::mqtt::topic::{TopicError, TopicFilter, TopicName};

/// `REGEX=TEXT`: a topic that REGEX matches becomes TEXT, in which `$1` stands for what the first
/// group has matched.
#[derive(Debug, Clone)]
pub struct TopicRule {
    pattern: Regex,
    pieces: Vec<TopicPart>,
}

/// A piece of TEXT.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TopicPart {
    Literal(String),
    /// What the group of this number has matched.
    Group(usize),
}

/// The reason why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadRule {
    /// There is no `=`.
    NoText,
    /// What stands before it is no regular expression.
    Pattern(String),
    /// `$N` or `$NAME` for which there is no group.
    NoGroup {
        /// What stands after the dollar sign.
        name: String,
        /// How many groups there are.
        groups: usize,
    },
    /// A dollar sign without the name or the number of a group.
    LoneDollar,
    /// TEXT can never be a topic.
    Topic(TopicError),
}

impl fmt::Display for BadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoText => f.write_str("expected REGEX=TEXT, as in in/(.*)=out/$1"),
            Self::Pattern(error) => write!(f, "before the =: {error}"),
            Self::NoGroup { name, groups } => write!(
                f,
                "${name}: the regular expression has no such group ({groups} in all); a dollar \
                 sign is written $$"
            ),
            Self::LoneDollar => {
                f.write_str("$ stands before the number of a group; a dollar sign is written $$")
            }
            Self::Topic(error) => write!(f, "after the =: {error}"),
        }
    }
}

impl std::error::Error for BadRule {}

impl FromStr for TopicRule {
    type Err = BadRule;

    fn from_str(rule: &str) -> Result<Self, BadRule> {
        let (pattern, text) = rule.split_once('=').ok_or(BadRule::NoText)?;
        // Its own error names the place in what the user has written.
        compiled(pattern).map_err(BadRule::Pattern)?;
        let pattern = compiled(&format!("^(?:{pattern})$")).map_err(BadRule::Pattern)?;
        let pieces = pieces(text, &pattern)?;
        check_pieces(&pieces)?;
        Ok(Self { pattern, pieces })
    }
}

/// TEXT in its pieces.
fn pieces(text: &str, pattern: &Regex) -> Result<Vec<TopicPart>, BadRule> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        literal.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            literal.push('$');
            rest = after;
            continue;
        }
        let (name, after) = reference(after)?;
        let group = group(name, pattern).ok_or_else(|| BadRule::NoGroup {
            name: name.to_owned(),
            groups: pattern.captures_len() - 1,
        })?;
        pieces.extend(taken(&mut literal));
        pieces.push(TopicPart::Group(group));
        rest = after;
    }
    literal.push_str(rest);
    pieces.extend(taken(&mut literal));
    Ok(pieces)
}

fn taken(literal: &mut String) -> Option<TopicPart> {
    Some(std::mem::take(literal)).filter(|text| !text.is_empty()).map(TopicPart::Literal)
}

/// The number or the name after a dollar sign, and what follows it.
fn reference(after: &str) -> Result<(&str, &str), BadRule> {
    if let Some(inner) = after.strip_prefix('{') {
        return inner.split_once('}').ok_or(BadRule::LoneDollar);
    }
    let is_number = after.starts_with(|first: char| first.is_ascii_digit());
    let belongs = |c: char| {
        if is_number { c.is_ascii_digit() } else { c.is_ascii_alphanumeric() || c == '_' }
    };
    let end = after.find(|c| !belongs(c)).unwrap_or(after.len());
    if end == 0 { Err(BadRule::LoneDollar) } else { Ok(after.split_at(end)) }
}

fn group(name: &str, pattern: &Regex) -> Option<usize> {
    match name.parse::<usize>() {
        Ok(number) => (number < pattern.captures_len()).then_some(number),
        Err(_) => pattern.capture_names().position(|known| known == Some(name)),
    }
}

/// Refuses what can be no topic, whatever the groups match.
fn check_pieces(pieces: &[TopicPart]) -> Result<(), BadRule> {
    if pieces.is_empty() {
        return Err(BadRule::Topic(TopicError::Empty));
    }
    for piece in pieces {
        if let TopicPart::Literal(text) = piece {
            TopicName::new(text.clone()).map_err(BadRule::Topic)?;
        }
    }
    Ok(())
}

impl TopicRule {
    fn expanded(&self, captures: &Captures<'_>) -> Vec<u8> {
        let mut topic = Vec::new();
        for piece in &self.pieces {
            match piece {
                TopicPart::Literal(text) => topic.extend_from_slice(text.as_bytes()),
                TopicPart::Group(number) => {
                    let found = captures.get(*number).map_or(&b""[..], |found| found.as_bytes());
                    topic.extend_from_slice(found);
                }
            }
        }
        topic
    }

    /// Whether a topic that the rule makes may match this filter. Where groups stand anything may
    /// come.
    fn may_match(&self, filter: &TopicFilter) -> bool {
        let filter = filter.share().map_or(filter.as_str(), |(_, inner)| inner);
        let mut made = Vec::new();
        for piece in &self.pieces {
            match piece {
                TopicPart::Literal(text) => made.extend(text.chars().map(Some)),
                TopicPart::Group(_) => made.push(None),
            }
        }
        let filter: Vec<char> = filter.chars().collect();
        may_match(&made, &filter)
    }
}

/// Whether what is made, `None` being any text, may match what is left of a filter. Positions of
/// the filter that can be reached are followed from one piece to the next.
fn may_match(made: &[Option<char>], filter: &[char]) -> bool {
    let mut reached = vec![false; filter.len() + 1];
    reached[0] = true;
    skip_empty_levels(&mut reached, filter);
    for piece in made {
        let mut next = vec![false; filter.len() + 1];
        for (at, _) in reached.iter().enumerate().filter(|(_, is_reached)| **is_reached) {
            match (piece, filter.get(at)) {
                (_, Some('#')) => next[at] = true,
                // Any text ends anywhere.
                (None, _) => next[at..].fill(true),
                (Some(c), Some('+')) if *c != '/' => next[at] = true,
                (Some(c), Some(wanted)) if c == wanted => next[at + 1] = true,
                (Some(_), _) => {}
            }
        }
        skip_empty_levels(&mut next, filter);
        reached = next;
    }
    let end = filter.len();
    // `a/#` matches its parent, too (§4.7.1.2).
    let parent = filter.strip_suffix(&['/', '#']).map(<[char]>::len);
    let rest = filter.strip_suffix(&['#']).map(<[char]>::len);
    [Some(end), parent, rest].into_iter().flatten().any(|at| reached[at])
}

/// A `+` may match nothing.
fn skip_empty_levels(reached: &mut [bool], filter: &[char]) {
    for (at, _) in filter.iter().enumerate().filter(|(_, c)| **c == '+') {
        reached[at + 1] |= reached[at];
    }
}

/// The rules, in their order.
#[derive(Debug, Clone, Default)]
pub struct TopicMap(pub Vec<TopicRule>);

impl TopicMap {
    /// The topic that this one becomes: itself where no rule matches it.
    pub fn apply(&self, topic: &TopicName) -> Result<TopicName, TopicError> {
        let bytes = topic.as_str().as_bytes();
        let made = self
            .0
            .iter()
            .find_map(|rule| rule.pattern.captures(bytes).map(|captures| rule.expanded(&captures)));
        made.map_or_else(|| Ok(topic.clone()), |made| TopicName::from_bytes(made.into()))
    }

    /// Whether a message that comes by one of these filters may be passed on to a topic that
    /// another of them matches, as far as that can be seen without the messages. A topic that no
    /// rule matches is only seen where there are no rules.
    pub fn may_lead_back(&self, filters: &[TopicFilter]) -> bool {
        let leads_back = |rule: &TopicRule| filters.iter().any(|filter| rule.may_match(filter));
        self.0.is_empty() || self.0.iter().any(leads_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> TopicName {
        TopicName::new(text.to_owned()).expect("a topic")
    }

    fn map(rules: &[&str]) -> TopicMap {
        TopicMap(rules.iter().map(|rule| rule.parse().expect("a rule")).collect())
    }

    #[test]
    fn the_first_rule_that_matches_the_whole_topic_counts() {
        let rules =
            ["in/(.*)=out/$1", "(?P<a>[^/]+)/(b)=${2}/$a/$$x/$0", "in/x=never", "(?i)C.?=$$c"];
        let map = map(&rules);
        for (from, to) in [
            ("in/a/b", "out/a/b"),
            ("in/x", "out/x"),
            ("in", "in"),
            ("main/x", "main/x"),
            ("grün/b", "b/grün/$x/grün/b"),
            ("c", "$c"),
            ("cc", "$c"),
            ("ccc", "ccc"),
        ] {
            assert_eq!(map.apply(&topic(from)), Ok(topic(to)), "{from}");
        }
        assert_eq!(TopicMap::default().apply(&topic("a")), Ok(topic("a")));
    }

    #[test]
    fn what_a_rule_makes_is_checked() {
        let map = map(&["a(.*)=$1", r"(?s-u)(.).*=b/$1"]);
        assert_eq!(map.apply(&topic("a")), Err(TopicError::Empty));
        assert_eq!(map.apply(&topic("ab")), Ok(topic("b")));
        assert_eq!(map.apply(&topic("ü")), Err(TopicError::NotUtf8));
    }

    #[test]
    fn what_is_no_rule_is_named() {
        let error = |rule: &str| rule.parse::<TopicRule>().expect_err(rule).to_string();
        for (rule, expected) in [
            ("in/(.*)", "expected REGEX=TEXT, as in in/(.*)=out/$1"),
            ("in/(=x", "before the =: unclosed group"),
            (
                "in/(.*)=out/$2",
                "$2: the regular expression has no such group (1 in all); a dollar sign is \
                 written $$",
            ),
            (
                "(.*)=$SYS/$1",
                "$SYS: the regular expression has no such group (1 in all); a dollar sign is \
                 written $$",
            ),
            ("(.*)=a$/$1", "$ stands before the number of a group; a dollar sign is written $$"),
            ("(.*)=a${1", "$ stands before the number of a group; a dollar sign is written $$"),
        ] {
            assert_eq!(error(rule), expected, "{rule}");
        }
        for rule in ["a=", "a=b/#", "(.*)=+/$1"] {
            assert!(error(rule).starts_with("after the =: "), "{rule}: {}", error(rule));
        }
    }

    #[test]
    fn a_map_may_lead_back_into_the_filters() {
        let filters = |list: &[&str]| -> Vec<TopicFilter> {
            list.iter().map(|text| TopicFilter::new((*text).to_owned()).expect("one")).collect()
        };
        for (rules, list, expected) in [
            (&[][..], &["a"][..], true),
            (&["in/(.*)=out/$1"], &["in/#"], false),
            (&["in/(.*)=in/$1"], &["in/#"], true),
            (&["in/(.*)=in"], &["in/#"], true),
            (&["in/(.*)=$1"], &["in/#"], true),
            (&["in/(.*)=out/$1", "(.*)=in/$1"], &["in/#"], true),
            (&["(.*)=copy/$1"], &["#"], true),
            (&["(.*)=copy/$1"], &["+/a"], true),
            (&["a/(.*)=a/copy/$1"], &["a/+"], false),
            (&["a/(.*)=a/copy$1"], &["a/+"], true),
            (&["a/(.*)=a/copy"], &["a/+"], true),
            (&["a/(.*)=a/copy"], &["a/+/+"], false),
            (&["a/(.*)=b/$1/c"], &["b/+/d", "b/x"], false),
            (&["a/(.*)=b/$1/c"], &["$share/g/b/+/c"], true),
            (&["a=b"], &["a", "c"], false),
            (&["a=c"], &["a", "c"], true),
        ] {
            assert_eq!(map(rules).may_lead_back(&filters(list)), expected, "{rules:?} {list:?}");
        }
    }
}
