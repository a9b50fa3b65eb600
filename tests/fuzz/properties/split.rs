//! Lines of `pub -l`, also with `--split`: wherever the input is cut, the records are the same, no
//! byte of them is lost, and topic and payload are what stood before and after the separator.

use std::io;

use bytes::Bytes;

use super::choices::Choices;
use super::stream::pieces;
use crate::command::publish::config::{DiscouragedTopics, MessageFormat, RecordForm};
use crate::command::publish::message::{MessageBuilder, PreparedMessage};
use crate::mqtt::packet::Publish;
use crate::mqtt::topic::TopicName;
use crate::stdio::records::{Block, Records};
use crate::stdio::stdin::Blocks;

/// The longest record that is taken, in bytes.
const LONGEST: usize = 300;

/// Input that comes in these pieces.
struct Pieces<'a, I: Iterator<Item = &'a [u8]>>(I);

impl<'a, I: Iterator<Item = &'a [u8]>> Blocks for Pieces<'a, I> {
    fn read_more(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let piece = self.0.next().unwrap_or_default();
        buffer.extend_from_slice(piece);
        Ok(piece.len())
    }
}

pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (seed, separator) = (choices.byte(), choices.of(b"|, \t=\0"));
    let delimiter = choices.of(b"\n\0");
    let prefix = choices.of(&["", "site/"]);
    let input = choices.rest();
    let whole = records(std::iter::once(input), delimiter);
    let cut = records(pieces(input, seed), delimiter);
    assert_eq!(cut.as_ref().ok(), whole.as_ref().ok().filter(|_| cut.is_ok()));
    let Ok(whole) = whole else { return };
    let mut joined = whole.join(&delimiter);
    // The last delimiter ends a record, and does not begin another.
    if input.last() == Some(&delimiter) {
        joined.push(delimiter);
    }
    assert_eq!(joined, input);
    for record in whole {
        split(&record, separator, prefix);
    }
}

fn records<'a>(pieces: impl Iterator<Item = &'a [u8]>, delimiter: u8) -> io::Result<Vec<Vec<u8>>> {
    let mut records = Records::new(Pieces(pieces), delimiter, LONGEST, 64);
    let mut found = Vec::new();
    while let Some(block) = records.next_block()? {
        found.extend(Block::new(block, delimiter).map(|record| record.to_vec()));
    }
    Ok(found)
}

fn split(record: &[u8], separator: u8, prefix: &str) {
    let mut builder = MessageBuilder::new(MessageFormat {
        template: Publish::default(),
        topic_prefix: prefix.to_owned(),
        form: RecordForm::Split(separator),
        stamps: false,
        characters: DiscouragedTopics::Refused,
        encoding: None,
        composition: None,
    });
    let made = builder.make(Bytes::copy_from_slice(record));
    let at = record.iter().position(|byte| *byte == separator);
    let Ok(made) = made else {
        // Refused: without a separator, or with a topic that is none, or should be none.
        let topic = at.map(|at| TopicName::from_bytes(Bytes::copy_from_slice(&record[..at])));
        let is_good = topic.and_then(Result::ok).is_some_and(|topic| {
            !topic.as_str().chars().any(|c| {
                c.is_control()
                    || c as u32 & 0xfffe == 0xfffe
                    || ('\u{fdd0}'..='\u{fdef}').contains(&c)
            }) && topic.as_str().len() + prefix.len() <= 65_535
        });
        assert!(!is_good, "{}", record.escape_ascii());
        return;
    };
    let PreparedMessage::Whole { publish, time: None } = made else { panic!("{made:?}") };
    let at = at.expect("there is a separator");
    assert_eq!(publish.payload, &record[at + 1..]);
    let topic = publish.topic_or_empty().as_bytes();
    assert_eq!(topic, [prefix.as_bytes(), &record[..at]].concat());
}
