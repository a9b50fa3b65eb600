//! Topic names and topic filters (§4.7): validated when they are made, matched without allocation.

use bytestring::ByteString;

/// The topic of one message: no wildcards, not empty, at most 65,535 bytes, no U+0000.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(ByteString);

/// What a subscription asks for: may hold `+` and `#`, and may begin with `$share/GROUP/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter(ByteString);
