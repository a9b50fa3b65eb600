//! What the server owes an answer, in words. It must never know for how long.

use std::fmt;

use crate::mqtt::topic::TopicFilter;

/// What the server was asked and has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered<'a> {
    /// To send what these filters match.
    Subscribe(&'a [TopicFilter]),
    /// To send it no more.
    Unsubscribe(&'a [TopicFilter]),
}

/// The same as what one was doing: "subscribing to a and 2 more".
impl fmt::Display for Unanswered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, filters) = match self {
            Self::Subscribe(filters) => ("subscribing to", filters),
            Self::Unsubscribe(filters) => ("unsubscribing from", filters),
        };
        let first = filters.first().map_or("nothing", TopicFilter::as_str);
        write!(f, "{verb} {first}")?;
        match filters.len() {
            0 | 1 => Ok(()),
            count => write!(f, " and {} more", count - 1),
        }
    }
}
