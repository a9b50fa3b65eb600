//! Files of profiles and files of flags: each is taken, or refused in a line; a flag that is typed
//! after them still counts.

use std::ffi::OsString;
use std::sync::LazyLock;

use clap::{Command, CommandFactory};

use super::choices::Choices;
use super::file::InputFile;
use crate::cli::Cli;
use crate::cli::source::{mosquitto, profile};

thread_local! {
    static FILE: InputFile = InputFile::new();
}

/// As the program builds it.
static COMMAND: LazyLock<Command> = LazyLock::new(|| {
    let mut command = Cli::command().args_override_self(true);
    command.build();
    command
});

pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let verb = choices.of(&["pub", "sub", "ping"]);
    let is_profile = choices.flag();
    FILE.with(|file| {
        let path = file.fill(choices.rest()).to_owned().into_os_string();
        let mut words: Vec<OsString> = ["mqttws", verb].map(OsString::from).to_vec();
        if is_profile {
            words.extend(["--config".into(), path, "--profile".into(), "lab".into()]);
        } else {
            words.extend(["-o".into(), path]);
        }
        words.extend(["-i", "typed-id", "-t", "t"].map(OsString::from));
        let words = match mosquitto::translated(words) {
            Ok(words) => words,
            Err(error) => return assert_line(&error),
        };
        let words = match profile::extended(words, &COMMAND) {
            Ok((words, _)) => words,
            Err(error) => return assert_line(&error),
        };
        if let Ok(matches) = COMMAND.clone().try_get_matches_from(words)
            && let Some((name, flags)) = matches.subcommand()
            && name == verb
            && verb != "ping"
        {
            let id = flags.try_get_one::<String>("id").ok().flatten();
            assert_eq!(id.map(String::as_str), Some("typed-id"));
        }
    });
}

/// An error of bounded length; `report` escapes what could control a terminal.
fn assert_line(error: &anyhow::Error) {
    let text = format!("{error:#}");
    assert!(!text.is_empty() && text.len() < 8 * 1024, "{text}");
}
