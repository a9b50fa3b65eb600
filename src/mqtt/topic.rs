//! Topic names and topic filters (§4.7), checked when they are made; matching allocates nothing.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use bytes::Bytes;
use bytestring::ByteString;
use memchr::{memchr, memchr2, memchr3, memchr3_iter};

#[cfg(test)]
mod tests;

/// The longest string of MQTT, in bytes (§1.5.4).
const MAXIMUM_LENGTH: usize = 65_535;

/// The beginning of the filter of a shared subscription (§4.8.2).
const SHARE_PREFIX: &str = "$share/";

/// The topic of one message: no wildcards, not empty, at most 65,535 bytes, no U+0000.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(ByteString);

/// A topic name that stands in a longer text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSlice<'a> {
    name: &'a [u8],
    start: usize,
}

/// The filter of a subscription: may hold `+` and `#`, and may begin with `$share/GROUP/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter(ByteString);

/// The reason why a text is not a topic name or a topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicError {
    /// No characters at all `[MQTT-4.7.3-1]`.
    Empty,
    /// More than 65,535 bytes `[MQTT-4.7.3-3]`.
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// `+` or `#` where a message is published `[MQTT-3.3.2-2]`.
    WildcardInName,
    /// `+` that is not a whole level `[MQTT-4.7.1-2]`.
    MisplacedPlus,
    /// `#` that is not the whole last level `[MQTT-4.7.1-1]`.
    MisplacedHash,
    /// U+0000 `[MQTT-4.7.3-2]`.
    Nul,
    /// Bytes that are not UTF-8 `[MQTT-1.5.4-1]`.
    NotUtf8,
    /// A character that no topic should hold, where it also makes a wildcard stand in a wrong
    /// place.
    Discouraged(DiscouragedCharacter),
    /// `$share` with a group that is empty or holds `+` or `#`, or without a filter after it
    /// `[MQTT-4.8.2-1]`.
    BadShare,
}

/// A character that a topic, or any other text in a packet, should not hold: a control character or
/// a non-character. A server may end the connection of a client that sends it (MQTT 5 §1.5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscouragedCharacter(char);

impl DiscouragedCharacter {
    /// The first one of this text.
    pub fn find(text: &str) -> Option<Self> {
        Self::all(text).next()
    }

    /// All of them.
    pub fn all(text: &str) -> impl Iterator<Item = Self> {
        // Most texts need no look at each of their characters.
        let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let characters = if is_plain { "" } else { text }.chars();
        characters.filter(|&character| is_discouraged(character)).map(Self)
    }

    /// Its kind and its number.
    pub fn name(self) -> String {
        let kind = if self.0.is_control() { "control character" } else { "non-character" };
        format!("{kind} U+{:04X}", u32::from(self.0))
    }
}

fn is_discouraged(character: char) -> bool {
    let is_non_character = |code: u32| (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE;
    character.is_control() || is_non_character(u32::from(character))
}

impl fmt::Display for DiscouragedCharacter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the topic holds the {}", self.name())
    }
}

impl TopicName {
    /// Checks a text; it is not copied.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        let text = text.into();
        check_name(&text)?;
        Ok(Self(text))
    }

    /// Checks bytes, UTF-8 included; they are not copied.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, TopicError> {
        Self::new(ByteString::try_from(bytes).map_err(|_| TopicError::NotUtf8)?)
    }

    /// The topic as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> TopicSlice<'a> {
    /// Checks what stands there in `text`. A name with a discouraged character is none of these.
    #[inline]
    pub fn plain(text: &'a [u8], place: Range<usize>) -> Option<Self> {
        let name = text.get(place.clone())?;
        // Without an early end the compiler takes several bytes at once.
        let is_unusual = |byte: &&u8| !matches!(byte, b' '..=b'"' | b'$'..=b'*' | b','..=b'~');
        let is_usual = name.iter().filter(is_unusual).count() == 0;
        let is_name = is_usual && (1..=MAXIMUM_LENGTH).contains(&name.len());
        (is_name || is_plain_name(name)).then_some(Self { name, start: place.start })
    }

    /// Its bytes, which are UTF-8.
    #[inline]
    pub fn as_bytes(self) -> &'a [u8] {
        self.name
    }

    /// Where it stands.
    #[inline]
    pub fn place(self) -> Range<usize> {
        self.start..self.start + self.name.len()
    }
}

/// Whether the parts of `$share/GROUP/FILTER` are those of a shared subscription `[MQTT-4.8.2-1]`
/// `[MQTT-4.8.2-2]`.
fn is_shared(group: &str, filter: &str) -> bool {
    !group.is_empty() && !filter.is_empty() && memchr2(b'+', b'#', group.as_bytes()).is_none()
}

/// Whether this is a topic name without a discouraged character.
#[cold]
fn is_plain_name(name: &[u8]) -> bool {
    std::str::from_utf8(name)
        .is_ok_and(|text| check_name(text).is_ok() && DiscouragedCharacter::find(text).is_none())
}

impl TopicFilter {
    /// Checks a text; it is not copied.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        let text = text.into();
        check_length(&text)?;
        if &*text == "$share" {
            return Err(TopicError::BadShare);
        }
        match text.strip_prefix(SHARE_PREFIX) {
            None => check_wildcards(text.as_bytes())?,
            Some(rest) => {
                let (group, filter) = rest.split_once('/').ok_or(TopicError::BadShare)?;
                if !is_shared(group, filter) {
                    return Err(TopicError::BadShare);
                }
                if memchr(0, group.as_bytes()).is_some() {
                    return Err(TopicError::Nul);
                }
                check_wildcards(filter.as_bytes())?;
            }
        }
        Ok(Self(text))
    }

    /// Checks bytes, UTF-8 included; they are not copied.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, TopicError> {
        Self::new(ByteString::try_from(bytes).map_err(|_| TopicError::NotUtf8)?)
    }

    /// Checks the bytes of a filter of MQTT 3.1.1 or 3.1. Theirs know no shared subscriptions:
    /// `$share/GROUP/FILTER` is one all the same, as brokers have it, and what has not that form is
    /// a filter like any other (3.1.1 §4.7).
    pub fn from_bytes_before_5(bytes: Bytes) -> Result<Self, TopicError> {
        let text = ByteString::try_from(bytes).map_err(|_| TopicError::NotUtf8)?;
        check_length(&text)?;
        check_wildcards(text.as_bytes())?;
        Ok(Self(text))
    }

    /// A copy in memory of its own.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(ByteString::from(self.as_str()))
    }

    /// The filter as text, `$share/GROUP/` included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The group and the inner filter of a shared subscription (§4.8.2).
    pub fn share(&self) -> Option<(&str, &str)> {
        let (group, filter) = self.0.strip_prefix(SHARE_PREFIX)?.split_once('/')?;
        is_shared(group, filter).then_some((group, filter))
    }

    /// Whether the filter has a wildcard, and so can match more than one topic (§4.7.1).
    pub fn has_wildcard(&self) -> bool {
        self.as_str().contains(['+', '#'])
    }

    /// Whether the filter matches this topic (§4.7). A shared subscription matches as its inner
    /// filter does. A leading wildcard does not match a topic that begins with `$`
    /// `[MQTT-4.7.2-1]`.
    pub fn matches(&self, topic: &TopicName) -> bool {
        let filter = self.share().map_or(self.as_str(), |(_, inner)| inner).as_bytes();
        let topic = topic.0.as_bytes().as_ref();
        let hidden = topic.first() == Some(&b'$') && matches!(filter.first(), Some(b'+' | b'#'));
        !hidden && matches(filter, topic)
    }
}

/// Matches byte by byte: `+` skips to the next slash, `#` ends the comparison. The filter must be
/// valid.
fn matches(mut filter: &[u8], mut topic: &[u8]) -> bool {
    loop {
        match (filter.first(), topic.first()) {
            (Some(b'#'), _) | (None, None) => return true,
            (Some(b'+'), _) => {
                topic = &topic[memchr(b'/', topic).unwrap_or(topic.len())..];
                filter = &filter[1..];
            }
            // `a/#` matches its parent `a`, too (§4.7.1.2).
            (Some(_), None) => return filter == b"/#",
            (Some(wanted), Some(found)) if wanted == found => {
                (filter, topic) = (&filter[1..], &topic[1..]);
            }
            _ => return false,
        }
    }
}

/// Checks that a message can be published to a topic with this name.
#[inline]
fn check_name(text: &str) -> Result<(), TopicError> {
    check_length(text)?;
    match memchr3(b'+', b'#', 0, text.as_bytes()) {
        None => Ok(()),
        Some(at) if text.as_bytes()[at] == 0 => Err(TopicError::Nul),
        Some(_) => Err(TopicError::WildcardInName),
    }
}

/// Checks that the text has 1 to 65,535 bytes.
fn check_length(text: &str) -> Result<(), TopicError> {
    match text.len() {
        0 => Err(TopicError::Empty),
        1..=MAXIMUM_LENGTH => Ok(()),
        length => Err(TopicError::TooLong { length }),
    }
}

/// Checks that every `+` is a whole level, `#` is the whole last level, and there is no U+0000.
fn check_wildcards(filter: &[u8]) -> Result<(), TopicError> {
    for at in memchr3_iter(b'+', b'#', 0, filter) {
        let begins_level = at == 0 || filter[at - 1] == b'/';
        let next = filter.get(at + 1);
        match filter[at] {
            0 => return Err(TopicError::Nul),
            b'+' if !begins_level || next.is_some_and(|&byte| byte != b'/') => {
                return Err(TopicError::MisplacedPlus);
            }
            b'#' if !begins_level || next.is_some() => return Err(TopicError::MisplacedHash),
            _ => {}
        }
    }
    Ok(())
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for TopicName {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl FromStr for TopicFilter {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        // A line feed after `lab/#` is easier to find than the level that it makes.
        Self::new(text).map_err(|error| match (error, DiscouragedCharacter::find(text)) {
            (TopicError::MisplacedPlus | TopicError::MisplacedHash, Some(found)) => {
                TopicError::Discouraged(found)
            }
            (error, _) => error,
        })
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the topic is empty"),
            Self::TooLong { length } => {
                write!(f, "the topic has {length} bytes, at most 65535 are possible")
            }
            Self::WildcardInName => f.write_str("a message cannot be published to '+' or '#'"),
            Self::MisplacedPlus => {
                f.write_str("'+' must stand alone between slashes, as in 'a/+/b'")
            }
            Self::MisplacedHash => {
                f.write_str("'#' must stand alone after the last slash, as in 'a/#'")
            }
            Self::Nul => f.write_str("the topic holds a NUL character"),
            Self::Discouraged(character) => character.fmt(f),
            Self::NotUtf8 => f.write_str("the topic is not UTF-8"),
            Self::BadShare => f.write_str(
                "a shared subscription is '$share/GROUP/FILTER', GROUP without '+' and '#'",
            ),
        }
    }
}

impl std::error::Error for TopicError {}
