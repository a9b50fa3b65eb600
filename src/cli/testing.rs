//! The flags of `sub` for tests in scripts: which messages count, which end the run, and the
//! command that is run meanwhile.

use std::ffi::OsString;

use anyhow::{Result, ensure};
use clap::{Arg, ArgGroup, Args};

use super::choice::{Choice, Chosen, Flag};
use super::value;
use crate::command::subscribe::config::{Criteria, Criterion, Expectation, OtherMessages};
use crate::exit::Usage;
use crate::format::json_path::JsonCondition;
use crate::format::pattern::Pattern;

/// Which messages count, and which end the run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tests")]
#[command(group = ArgGroup::new("matching").multiple(true))]
pub struct TestFlags {
    /// Only messages whose payload matches this regular expression count; the others are left out
    /// (repeatable: all must match)
    #[arg(long = "match", value_name = "REGEX", value_parser = value::pattern, group = "matching",
          allow_hyphen_values = true)]
    payload: Vec<Pattern>,

    /// Only messages whose topic matches this regular expression count
    #[arg(long, value_name = "REGEX", value_parser = value::pattern, group = "matching",
          allow_hyphen_values = true)]
    match_topic: Vec<Pattern>,

    /// Only messages whose payload is JSON with this value at this path count: door.state=open,
    /// list.0=1
    #[arg(long, value_name = "PATH=VALUE", value_parser = value::json_condition,
          group = "matching", allow_hyphen_values = true)]
    match_json: Vec<JsonCondition>,

    /// Exit with code 1 at the first message whose payload matches this regular expression
    #[arg(long, value_name = "REGEX", value_parser = value::pattern,
          allow_hyphen_values = true)]
    fail_on: Vec<Pattern>,

    /// `--expect-none`
    #[command(flatten)]
    expectation: Chosen<ExpectNone>,

    /// `--show-others`
    #[command(flatten)]
    others: Chosen<ShowOthers>,

    /// Write a line feed to this open file descriptor when all subscriptions are granted
    #[arg(long, value_name = "N", value_parser = value::descriptor, allow_hyphen_values = true)]
    pub ready_fd: Option<u32>,
}

/// The command that is run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tests")]
pub struct TestCommandFlags {
    /// Command to run when all subscriptions are granted, with its arguments; its stdout goes to
    /// stderr
    ///
    /// If it fails before this program ends, the exit code is 1; if it still runs then, it gets
    /// SIGTERM, and SIGKILL after 3 s, with all that it has started. It finds the broker in
    /// `$MQTTWS_URL`, and mqttws on its `$PATH`.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Whether messages are expected.
#[derive(Debug)]
enum ExpectNone {}

impl Choice for ExpectNone {
    type Value = Expectation;
    const DEFAULT: Expectation = Expectation::Messages;
    const FLAGS: &'static [Flag<Expectation>] = &[Flag {
        id: "expect_none",
        short: None,
        long: Some("expect-none"),
        help: "Exit with code 1 at the first message that counts, and with 0 when the time of -W, \
               --for or --idle has passed without one",
        conflicts: &["count"],
        value: Expectation::Nothing,
    }];
}

/// What becomes of messages that do not count.
#[derive(Debug)]
enum ShowOthers {}

impl Choice for ShowOthers {
    type Value = OtherMessages;
    const DEFAULT: OtherMessages = OtherMessages::LeftOut;
    const FLAGS: &'static [Flag<OtherMessages>] = &[Flag {
        id: "show_others",
        short: None,
        long: Some("show-others"),
        help: "Show messages that do not count on stderr",
        conflicts: &[],
        value: OtherMessages::Shown,
    }];

    fn refine(flag: Arg) -> Arg {
        flag.requires("matching")
    }
}

impl TestFlags {
    /// Which messages count, and which end the run.
    pub fn criteria(&self) -> Criteria {
        let payloads = self.payload.iter().cloned().map(Criterion::Payload);
        let topics = self.match_topic.iter().cloned().map(Criterion::Topic);
        let values = self.match_json.iter().cloned().map(Criterion::Json);
        Criteria {
            matching: payloads.chain(topics).chain(values).collect(),
            fail_on: self.fail_on.clone(),
            expectation: self.expectation.0,
            others: self.others.0,
        }
    }
}

/// Refuses a command line that ends with `--`: a script whose command is empty would wait for ever.
pub fn check_command(words: &[OsString]) -> Result<(), Usage> {
    let ends_with_dashes = || std::env::args_os().next_back().is_some_and(|word| word == "--");
    if words.is_empty() && ends_with_dashes() {
        return Err(Usage::new("after -- a command to run is missing; leave -- out to run none"));
    }
    Ok(())
}

impl TestCommandFlags {
    /// The command and its arguments.
    pub fn words(&self) -> Result<Vec<OsString>> {
        let first = self.command.first().and_then(|word| word.to_str()).unwrap_or_default();
        let is_url = ["ws://", "wss://"].iter().any(|scheme| first.starts_with(scheme));
        ensure!(!is_url, Usage::new("after -- stands a command to run: write the URL before it"));
        check_command(&self.command)?;
        Ok(self.command.clone())
    }
}
