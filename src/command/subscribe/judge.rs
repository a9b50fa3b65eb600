//! Which messages count and which end the run (`--match`, `--fail-on`, `--expect-none`), and what
//! is said about it at the end.

use super::config::{Criteria, Criterion, Expectation, OtherMessages};
use crate::format::count::{count, count_of};
use crate::mqtt::packet::Publish;
use crate::report;

/// So many characters of a message stand in a line.
const SHOWN: usize = 200;

/// What a message means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageMeaning {
    /// It is one of those that are wanted.
    Counts,
    /// It is left out.
    Other,
    /// It ends the run.
    Fails,
}

/// Judges messages, and keeps what is to be told of them.
#[derive(Debug)]
pub struct Judge {
    criteria: Criteria,
    /// How many messages did not count, and the last of them in short.
    others: u64,
    last: String,
    /// Why the run has failed.
    failure: Option<String>,
}

impl Judge {
    /// A judge, unless every message counts.
    pub fn new(criteria: &Criteria) -> Option<Box<Self>> {
        criteria.are_given().then(|| {
            let criteria = criteria.clone();
            Box::new(Self { criteria, others: 0, last: String::new(), failure: None })
        })
    }

    /// What this message means. One that ends the run is kept for the verdict, and with
    /// `--show-others` one that does not count is shown.
    pub fn judge(&mut self, publish: &Publish) -> MessageMeaning {
        let payload = &publish.payload[..];
        let fails = self.criteria.fail_on.iter().find(|pattern| pattern.is_match(payload));
        if let Some(pattern) = fails {
            let told = in_short(publish);
            self.failure = Some(format!("a message matches --fail-on {pattern}: {told}"));
            return MessageMeaning::Fails;
        }
        if self.criteria.matching.iter().all(|criterion| holds(criterion, publish)) {
            if self.criteria.expectation == Expectation::Nothing {
                let (wanted, told) = (self.wanted(1), in_short(publish));
                self.failure = Some(format!("expected no message{wanted}, but one came: {told}"));
            }
            return MessageMeaning::Counts;
        }
        self.others += 1;
        self.last = in_short(publish);
        if self.criteria.others == OtherMessages::Shown {
            report::line(&format!("not counted: {}", self.last));
        }
        MessageMeaning::Other
    }

    /// Whether the silence until the end is what is wanted.
    pub fn expects_nothing(&self) -> bool {
        self.criteria.expectation == Expectation::Nothing
    }

    /// Whether messages must match something to count.
    pub fn has_criteria(&self) -> bool {
        !self.criteria.matching.is_empty()
    }

    /// Why the run has failed, if a message has decided that.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// No other retained message comes: too few have matched.
    pub fn fail_early(&mut self, came: u64, wanted: Option<u64>) {
        self.failure = Some(self.tally(came, wanted, " among the retained ones"));
    }

    /// How many of the messages that are wanted have come (`when` says until when), and what else
    /// came.
    pub fn tally(&self, came: u64, wanted: Option<u64>, when: &str) -> String {
        let messages = match (came, wanted) {
            (0, _) => format!("no message{}", self.wanted(1)),
            (_, Some(all)) => format!("{}{}", count_of(came, all, "message"), self.wanted(all)),
            (_, None) => format!("{}{}", count(came, "message"), self.wanted(came)),
        };
        match self.others {
            0 => format!("{messages}{when}; no other came"),
            others => {
                format!(
                    "{messages}{when}; {} came, the last: {}",
                    count(others, "other"),
                    self.last
                )
            }
        }
    }

    /// What a message must be to count, for a number of messages.
    fn wanted(&self, number: u64) -> String {
        let verb = if number == 1 { "matches" } else { "match" };
        let conditions = self.criteria.matching.iter().map(|criterion| match criterion {
            Criterion::Payload(pattern) => format!(" that {verb} {pattern}"),
            Criterion::Topic(pattern) => format!(" whose topic matches {pattern}"),
            Criterion::Json(condition) => format!(" with {condition}"),
        });
        conditions.collect::<Vec<_>>().join(" and")
    }
}

fn holds(criterion: &Criterion, publish: &Publish) -> bool {
    match criterion {
        Criterion::Payload(pattern) => pattern.is_match(&publish.payload),
        Criterion::Topic(pattern) => pattern.is_match(publish.topic_or_empty().as_bytes()),
        Criterion::Json(condition) => condition.holds(&publish.payload),
    }
}

/// Topic and payload; a long one is cut.
fn in_short(publish: &Publish) -> String {
    // A character has at most four bytes.
    let payload = &publish.payload[..publish.payload.len().min(4 * SHOWN + 4)];
    let text = format!("{} {}", publish.topic_or_empty(), String::from_utf8_lossy(payload));
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}\u{2026}", &text[..at]),
        None => text,
    }
}
