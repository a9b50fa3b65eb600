//! The choices of `sub` that are spelt as flags without a value.

use crate::cli::choice::{Choice, Flag};
use crate::cli::layout;
use crate::command::subscribe::config::RetainedFilter;
use crate::format::encoding::Encoding;

/// Which retained messages are taken.
#[derive(Debug)]
pub enum RetainedMessages {}

impl Choice for RetainedMessages {
    type Value = RetainedFilter;
    const DEFAULT: RetainedFilter = RetainedFilter::Included;
    const FLAGS: &'static [Flag<RetainedFilter>] = &[
        Flag {
            id: "no_stale",
            short: Some('R'),
            long: None,
            help: "Leave out retained messages",
            conflicts: &["retained_only"],
            value: RetainedFilter::LeftOut,
        },
        Flag {
            id: "retained_only",
            short: None,
            long: Some("retained-only"),
            help: "Take only retained messages, and exit when the first other one comes",
            conflicts: &[],
            value: RetainedFilter::Only,
        },
    ];
}

/// How payloads are written.
#[derive(Debug)]
pub enum PayloadEncoding {}

impl Choice for PayloadEncoding {
    type Value = Option<Encoding>;
    const DEFAULT: Option<Encoding> = None;
    const FLAGS: &'static [Flag<Option<Encoding>>] = &[
        layout::hex("Write payloads as hexadecimal digits", &["base64"]),
        layout::base64("Write payloads as base64", &[]),
    ];
}

/// The byte after each message.
#[derive(Debug)]
pub enum MessageEnd {}

impl Choice for MessageEnd {
    type Value = Option<u8>;
    const DEFAULT: Option<u8> = Some(b'\n');
    const FLAGS: &'static [Flag<Option<u8>>] = &[
        layout::no_newline("Write no line feed after each message"),
        Flag {
            id: "null",
            short: Some('0'),
            long: Some("null"),
            help: "Write NUL instead of a line feed after each message",
            conflicts: &["no_newline"],
            value: Some(0),
        },
    ];
}
