//! The choices of `pub` that are spelt as flags without a value.

use clap::Arg;

use crate::cli::choice::{Choice, Flag};

/// An input without a name or a text of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unnamed {
    /// `-s`: all of stdin.
    Stdin,
    /// `-l`: the lines of stdin.
    Lines,
    /// `-n`: one empty message.
    Empty,
}

/// `-s`, `-l` and `-n`.
#[derive(Debug)]
pub enum UnnamedInput {}

impl Choice for UnnamedInput {
    type Value = Option<Unnamed>;
    const DEFAULT: Option<Unnamed> = None;
    const FLAGS: &'static [Flag<Option<Unnamed>>] = &[
        Flag {
            id: "stdin_file",
            short: Some('s'),
            long: Some("stdin-file"),
            help: "Publish all of stdin as one message; nothing at all is an error, as with \
                   `mosquitto_pub`",
            conflicts: &["stdin_line", "null_message"],
            value: Some(Unnamed::Stdin),
        },
        Flag {
            id: "stdin_line",
            short: Some('l'),
            long: Some("stdin-line"),
            help: "Publish each line of stdin as a message",
            conflicts: &["null_message"],
            value: Some(Unnamed::Lines),
        },
        Flag {
            id: "null_message",
            short: Some('n'),
            long: Some("null-message"),
            help: "Publish an empty message",
            conflicts: &[],
            value: Some(Unnamed::Empty),
        },
    ];

    fn refine(flag: Arg) -> Arg {
        flag.group("input")
    }
}

/// `-0`.
#[derive(Debug)]
pub enum RecordEnd {}

impl Choice for RecordEnd {
    type Value = u8;
    const DEFAULT: u8 = b'\n';
    const FLAGS: &'static [Flag<u8>] = &[Flag {
        id: "null",
        short: Some('0'),
        long: Some("null"),
        help: "With -l or --json: each record ends in NUL, not in a line feed",
        conflicts: &["delimiter", "message", "file", "stdin_file", "null_message"],
        value: 0,
    }];
}
