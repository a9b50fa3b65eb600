//! Who may read and write which topics: a file as mosquitto's `acl_file`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::mqtt::topic::{TopicError, TopicFilter, TopicName};

/// What a client wants to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicAccess {
    /// Get its messages.
    Read,
    /// Publish to it.
    Write,
}

/// The client that wants it.
#[derive(Debug, Clone, Copy)]
pub struct AclClient<'a> {
    /// Its client identifier.
    pub id: &'a str,
    /// Its user name; `None` is an anonymous client.
    pub username: Option<&'a str>,
}

/// The lines of one user, for all its clients.
type UserRules = Arc<Vec<AclRule<TopicFilter>>>;

/// What the lines of a file grant; what no line grants is denied. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Acl {
    /// By user name; `None` has the lines for anonymous clients. Denials come first.
    users: Arc<HashMap<Option<String>, UserRules>>,
    /// With `%u` and `%c`, for all clients. Denials come first.
    patterns: Arc<Vec<AclRule<String>>>,
}

/// What the lines of a file grant to one client.
#[derive(Debug, Clone, Default)]
pub struct ClientRights {
    /// The lines of its user, which count before patterns.
    user: UserRules,
    /// The patterns with its names.
    patterns: Vec<AclRule<TopicFilter>>,
}

/// What one line says.
#[derive(Debug, Clone)]
struct AclRule<F> {
    grant: AclGrant,
    filter: F,
}

/// What is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AclGrant {
    Deny,
    Read,
    Write,
    ReadWrite,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AclProblem {
    /// It begins with another word than `user`, `topic` or `pattern`.
    UnknownWord(String),
    /// `user` without a name.
    NoUser,
    /// `topic` or `pattern` without a topic.
    NoTopic,
    /// What stands before the topic is not one of the four words.
    UnknownGrant(String),
    /// It is not a topic filter.
    Topic(TopicError),
}

/// A word that stands in the place of another one, if it is one: a file of passwords may have been
/// taken for one of topics.
struct Instead<'a>(&'a str);

impl fmt::Display for Instead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_word = self.0.bytes().all(|byte| byte.is_ascii_alphabetic());
        if is_word { write!(f, ", not {}", self.0) } else { Ok(()) }
    }
}

impl fmt::Display for AclProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownWord(word) => {
                write!(f, "expected user, topic or pattern{}", Instead(word))
            }
            Self::NoUser => f.write_str("expected a name after user"),
            Self::NoTopic => f.write_str("expected a topic"),
            Self::UnknownGrant(word) => {
                let word = Instead(word);
                write!(f, "expected read, write, readwrite or deny before the topic{word}")
            }
            Self::Topic(error) => error.fmt(f),
        }
    }
}

impl Acl {
    /// Reads a file; `Err` has the number of the line.
    pub fn parse(text: &str) -> Result<Self, (usize, AclProblem)> {
        let mut acl = Self::default();
        let mut user = None;
        for (number, line) in (1..).zip(text.lines()) {
            acl.read_line(line.trim(), &mut user).map_err(|problem| (number, problem))?;
        }
        for rules in Arc::make_mut(&mut acl.users).values_mut() {
            Arc::make_mut(rules).sort_by_key(|rule| rule.grant != AclGrant::Deny);
        }
        Arc::make_mut(&mut acl.patterns).sort_by_key(|rule| rule.grant != AclGrant::Deny);
        Ok(acl)
    }

    /// Reads a line; `user` is whom its topics are for.
    fn read_line(&mut self, line: &str, user: &mut Option<String>) -> Result<(), AclProblem> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (word, rest) = first_word(line);
        match word {
            "user" if rest.is_empty() => return Err(AclProblem::NoUser),
            "user" => *user = Some(rest.to_owned()),
            "topic" => {
                let (grant, topic) = grant_and_topic(rest)?;
                let filter = TopicFilter::new(topic.to_owned()).map_err(AclProblem::Topic)?;
                let rules = Arc::make_mut(&mut self.users).entry(user.clone()).or_default();
                Arc::make_mut(rules).push(AclRule { grant, filter });
            }
            "pattern" => {
                let (grant, topic) = grant_and_topic(rest)?;
                TopicFilter::new(topic.to_owned()).map_err(AclProblem::Topic)?;
                Arc::make_mut(&mut self.patterns).push(AclRule { grant, filter: topic.to_owned() });
            }
            _ => return Err(AclProblem::UnknownWord(word.to_owned())),
        }
        Ok(())
    }

    /// What a client may do.
    pub fn rights(&self, client: AclClient<'_>) -> ClientRights {
        let user = self.users.get(&client.username.map(str::to_owned)).cloned();
        ClientRights { user: user.unwrap_or_default(), patterns: self.patterns_of(client) }
    }

    fn patterns_of(&self, client: AclClient<'_>) -> Vec<AclRule<TopicFilter>> {
        // Such a name would be a wildcard in the pattern.
        let is_wild = |name: &str| name.contains(['+', '#']);
        if is_wild(client.id) || client.username.is_some_and(is_wild) {
            return Vec::new();
        }
        let of_client = |rule: &AclRule<String>| {
            let filter = TopicFilter::new(filled(&rule.filter, client)?).ok()?;
            Some(AclRule { grant: rule.grant, filter })
        };
        self.patterns.iter().filter_map(of_client).collect()
    }
}

impl ClientRights {
    /// Whether the client may do this with this topic. The lines of its user count before patterns,
    /// and of each the denials first, as in mosquitto.
    pub fn allows(&self, access: TopicAccess, topic: &TopicName) -> bool {
        let answers = |rule: &AclRule<TopicFilter>| {
            rule.grant.answers(access).filter(|_| rule.filter.matches(topic))
        };
        self.rules().find_map(answers).unwrap_or(false)
    }

    /// Whether the client may read one of the topics of a subscription, as far as that can be told
    /// without a topic.
    pub fn may_read_some(&self, filter: &TopicFilter) -> bool {
        let path = filter.share().map_or(filter.as_str(), |(_, path)| path);
        if let Ok(topic) = TopicName::new(path.to_owned()) {
            return self.allows(TopicAccess::Read, &topic);
        }
        let is_read =
            |rule: &&AclRule<TopicFilter>| rule.grant.answers(TopicAccess::Read) == Some(true);
        self.rules().filter(is_read).any(|rule| overlap(rule.filter.as_str(), path))
    }

    fn rules(&self) -> impl Iterator<Item = &AclRule<TopicFilter>> {
        self.user.iter().chain(&self.patterns)
    }
}

/// Whether there are topics that both filters match.
fn overlap(one: &str, other: &str) -> bool {
    // `[MQTT-4.7.2-1]`: a leading wildcard does not match a topic that begins with `$`.
    let is_hidden = |a: &str, b: &str| a.starts_with('$') && b.starts_with(['+', '#']);
    if is_hidden(one, other) || is_hidden(other, one) {
        return false;
    }
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "+" || b == "+" => {}
            _ => return false,
        }
    }
}

impl AclGrant {
    /// Whether this is granted or denied; `None` if the line says nothing about it.
    fn answers(self, access: TopicAccess) -> Option<bool> {
        match (self, access) {
            (Self::Deny, _) => Some(false),
            (Self::ReadWrite, _)
            | (Self::Read, TopicAccess::Read)
            | (Self::Write, TopicAccess::Write) => Some(true),
            (Self::Read, TopicAccess::Write) | (Self::Write, TopicAccess::Read) => None,
        }
    }
}

/// The first word, and what comes after it.
fn first_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// `[read|write|readwrite|deny] TOPIC`: a topic with a blank needs one of these words.
fn grant_and_topic(text: &str) -> Result<(AclGrant, &str), AclProblem> {
    let (word, topic) = first_word(text);
    let grant = match word {
        "" => return Err(AclProblem::NoTopic),
        _ if topic.is_empty() => return Ok((AclGrant::ReadWrite, word)),
        "read" => AclGrant::Read,
        "write" => AclGrant::Write,
        "readwrite" => AclGrant::ReadWrite,
        "deny" => AclGrant::Deny,
        _ => return Err(AclProblem::UnknownGrant(word.to_owned())),
    };
    Ok((grant, topic))
}

/// The pattern with the names of the client; `None` if it wants a user name that there is not.
fn filled(pattern: &str, client: AclClient<'_>) -> Option<String> {
    let mut filled = String::with_capacity(pattern.len());
    let mut left = pattern;
    while let Some(at) = left.find('%') {
        filled.push_str(&left[..at]);
        let (name, length) = match left.as_bytes().get(at + 1) {
            Some(b'c') => (client.id, 2),
            Some(b'u') => (client.username?, 2),
            _ => ("%", 1),
        };
        filled.push_str(name);
        left = &left[at + length..];
    }
    filled.push_str(left);
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Anonymous clients.
topic read public/#
topic $SYS/broker/uptime

user ann
topic readwrite lab/#
topic deny lab/secret
topic write  log/with blank
 user bob the builder
topic read #
pattern write devices/%c/up
pattern devices/%u/#
pattern deny devices/+/off
pattern read 100%/%c%u
";

    /// `r`, `w`, `rw` or nothing.
    fn rights(acl: &Acl, username: Option<&str>, id: &str, topic: &str) -> String {
        let topic = TopicName::new(topic.to_owned()).unwrap();
        let rights = acl.rights(AclClient { id, username });
        let allows = |access| rights.allows(access, &topic);
        let words = [(TopicAccess::Read, "r"), (TopicAccess::Write, "w")];
        words.into_iter().filter(|(access, _)| allows(*access)).map(|(_, word)| word).collect()
    }

    #[test]
    fn a_file_grants_what_mosquitto_would() {
        let acl = Acl::parse(FILE).unwrap();
        let (ann, bob) = (Some("ann"), Some("bob the builder"));
        for (username, topic, expected) in [
            (None, "public/x", "r"),
            (None, "public", "r"),
            (None, "lab/x", ""),
            (None, "$SYS/broker/uptime", "rw"),
            (ann, "public/x", ""),
            (ann, "lab/x", "rw"),
            (ann, "lab/secret", ""),
            (ann, "lab/secret/x", "rw"),
            (ann, "log/with blank", "w"),
            (bob, "lab/secret", "r"),
            (bob, "$SYS/broker/uptime", ""),
            (Some("mallory"), "public/x", ""),
            // Patterns are for all.
            (None, "devices/d1/up", "w"),
            (None, "devices/d2/up", ""),
            (ann, "devices/d1/up", "w"),
            (ann, "devices/ann/up", "rw"),
            (ann, "devices/ann", "rw"),
            (ann, "devices/ann/off", ""),
            (None, "devices/d1/off", ""),
            // The lines of the user come first.
            (bob, "devices/bob the builder/off", "r"),
            (ann, "100%/d1ann", "r"),
            (None, "100%/d1", ""),
        ] {
            assert_eq!(rights(&acl, username, "d1", topic), expected, "{username:?} {topic}");
        }
    }

    #[test]
    fn a_subscription_needs_a_topic_that_can_be_read() {
        let rights = |username| {
            let acl = Acl::parse(FILE).unwrap();
            acl.rights(AclClient { id: "d1", username })
        };
        for (username, filter, expected) in [
            (None, "public/x", true),
            (None, "public/+/y", true),
            (None, "#", true),
            (None, "+/x", true),
            (None, "$share/g/public/#", true),
            (None, "$share/g/lab/#", false),
            (None, "+", true),
            (None, "lab/+", false),
            (None, "$SYS/broker/uptime", true),
            (None, "$SYS/#", true),
            (None, "$SYS/+/load", false),
            (Some("ann"), "lab/secret", false),
            (Some("ann"), "lab/#", true),
            (Some("ann"), "log/#", false),
            (Some("ann"), "devices/ann/x", true),
            (Some("ann"), "devices/bob/#", false),
            (Some("bob the builder"), "$SYS/#", false),
        ] {
            let filter = TopicFilter::new(filter.to_owned()).unwrap();
            assert_eq!(
                rights(username).may_read_some(&filter),
                expected,
                "{username:?} {filter:?}"
            );
        }
    }

    /// CVE-2017-7650.
    #[test]
    fn a_name_is_no_wildcard() {
        let acl = Acl::parse(FILE).unwrap();
        for id in ["+", "#", "d+", "#x"] {
            assert_eq!(rights(&acl, None, id, "devices/d1/up"), "", "{id}");
            assert_eq!(rights(&acl, Some("ann"), id, "lab/x"), "rw", "{id}");
        }
        assert_eq!(rights(&acl, Some("+"), "d1", "devices/x/up"), "");
        let long = "x".repeat(65_530);
        assert_eq!(rights(&acl, None, &long, "devices/d1/up"), "");
    }

    #[test]
    fn an_empty_file_denies_all() {
        let acl = Acl::parse("# nothing\n\n").unwrap();
        assert_eq!(rights(&acl, Some("ann"), "d1", "t"), "");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let word = str::to_owned;
        for (line, problem) in [
            ("users ann", AclProblem::UnknownWord(word("users"))),
            ("Topic a", AclProblem::UnknownWord(word("Topic"))),
            ("user", AclProblem::NoUser),
            ("user   ", AclProblem::NoUser),
            ("topic", AclProblem::NoTopic),
            ("pattern ", AclProblem::NoTopic),
            ("topic a b", AclProblem::UnknownGrant(word("a"))),
            ("pattern rw a", AclProblem::UnknownGrant(word("rw"))),
            ("topic read a#", AclProblem::Topic(TopicError::MisplacedHash)),
            ("pattern a/+%u", AclProblem::Topic(TopicError::MisplacedPlus)),
        ] {
            let text = format!("# one\n\n{line}\n");
            assert_eq!(Acl::parse(&text).err(), Some((3, problem)), "{line}");
        }
        // As in mosquitto: one word is a topic.
        assert!(Acl::parse("topic read").is_ok());
    }
}
