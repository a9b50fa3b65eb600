//! The flags of `pub` for messages that are made of parts: several topics, fields that each message
//! fills in, and encoded payloads.

use std::cell::Cell;
use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;

use super::choice::{Choice, Chosen, Flag};
use super::value;
use crate::command::publish::config::{Composition, TopicText, prefixed};
use crate::exit::{Exit, Usage};
use crate::format::decoder::TextDecoder;
use crate::format::encoding::Encoding;
use crate::format::text_template::{TemplateSource, TextTemplate};
use crate::mqtt::topic::TopicName;
use crate::report::CaretError;
use crate::transport::file;

/// The longest payload, in bytes: a packet can hold no more.
const LONGEST_PAYLOAD: usize = 268_435_455;

/// The longest topic, in bytes.
const LONGEST_TOPIC: usize = 65_535;

/// Parts of messages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
pub struct CompositionFlags {
    /// `--template`
    #[command(flatten)]
    template: Chosen<TemplateFlag>,

    /// The payloads are given as hexadecimal digits (hex) or base64, and published as the bytes
    /// that these stand for
    #[arg(long, value_name = "ENCODING", value_parser = value::encoding,
          conflicts_with_all = ["json", "template", "null_message"], allow_hyphen_values = true)]
    pub payload_encoding: Option<Encoding>,
}

/// Whether braces have a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BraceMeaning {
    /// None.
    Themselves,
    /// They hold fields.
    Fields,
}

/// `--template`
#[derive(Debug)]
enum TemplateFlag {}

impl Choice for TemplateFlag {
    type Value = BraceMeaning;
    const DEFAULT: BraceMeaning = BraceMeaning::Themselves;
    const FLAGS: &'static [Flag<BraceMeaning>] = &[Flag {
        id: "template",
        short: None,
        long: Some("template"),
        // clap makes a line break of `{n}`.
        help: "Fill in the fields of -t and -m for each message: its number (n in braces), \
               {n%100}, {time}, {unix_ms}, {uuid}, {rand 0 100}, {bytes 1K}, {line FILE}; {{ and \
               }} are braces",
        conflicts: &["json", "split"],
        value: BraceMeaning::Fields,
    }];
}

impl CompositionFlags {
    /// What makes messages of a record, where that is only a part of them: of these topics, the
    /// prefix of which they do not have yet, and of the text of `-m`.
    pub fn composition(
        &self,
        topics: &[TopicName],
        prefix: &str,
        message: Option<&OsStr>,
    ) -> Result<Option<Box<Composition>>> {
        let fills = self.template.0 == BraceMeaning::Fields;
        if topics.len() < 2 && !fills {
            return Ok(None);
        }
        let topic = |topic: &TopicName| {
            if fills && topic.as_str().contains(['{', '}']) {
                return template("-t", topic.as_str(), LONGEST_TOPIC).map(TopicText::Filled);
            }
            let topic = prefixed(prefix, topic);
            Ok(TopicText::Fixed(topic.map_err(|e| Usage::new(format!("--topic-prefix: {e}")))?))
        };
        let payload = match message.filter(|_| fills) {
            Some(message) => Some(payload(message)?),
            None => None,
        };
        let topics = topics.iter().map(topic).collect::<Result<_>>()?;
        Ok(Some(Box::new(Composition { topics, prefix: prefix.to_owned(), payload })))
    }

    /// The payload of `-m`.
    pub fn decoded(&self, message: Vec<u8>) -> Result<Vec<u8>, Usage> {
        let Some(encoding) = self.payload_encoding else { return Ok(message) };
        TextDecoder::decode(encoding, &message).map_err(|error| Usage::new(format!("-m: {error}")))
    }
}

fn payload(message: &OsStr) -> Result<TextTemplate> {
    let Some(text) = message.to_str() else {
        bail!(Usage::new("-m: with --template it is text in UTF-8"));
    };
    template("-m", text, LONGEST_PAYLOAD)
}

fn template(flag: &'static str, text: &str, longest: usize) -> Result<TextTemplate> {
    let exit = Cell::new(Exit::Usage);
    let read = |path: &str| {
        let content = file::read(Path::new(path)).map_err(|error| error.to_string());
        if content.as_ref().map_or(true, Vec::is_empty) {
            exit.set(Exit::Local);
        }
        content
    };
    TextTemplate::parse(text, &TemplateSource { longest, read: &read }).map_err(|fault| {
        let (sentence, value) = (fault.sentence, text.to_owned());
        CaretError { flag, sentence, value, at: fault.at, exit: exit.get() }.into()
    })
}
