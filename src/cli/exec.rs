//! The flags of `sub --exec`: a command for each message.

use std::ffi::OsString;

use clap::{ArgGroup, Args};

use super::value;
use crate::exit::Usage;

/// A command for each message.
#[derive(Debug, Args)]
#[command(next_help_heading = "Commands")]
#[command(group = ArgGroup::new("runs").multiple(false))]
pub struct CommandFlags {
    /// Run this command for each message, with its payload on stdin and `$MQTT_TOPIC`,
    /// `$MQTT_QOS`... set
    ///
    /// The message is acknowledged when the command has ended with exit code 0. With any other the
    /// program ends, with exit code 1, and the message stays with the broker.
    #[arg(long, value_name = "CMD", conflicts_with_all = ["output_dir", "null"],
          group = "runs", allow_hyphen_values = true)]
    exec: Option<String>,

    /// Run the command of --exec with this shell [default: sh]
    ///
    /// With `--shell bash` it can be a function that bash has exported (`export -f`).
    #[arg(long, value_name = "SHELL", requires = "exec", allow_hyphen_values = true)]
    shell: Option<OsString>,

    /// Run a command without a shell for each message: its program, and then each of its arguments
    /// (repeatable)
    #[arg(long, value_name = "WORD", conflicts_with_all = ["output_dir", "null"],
          group = "runs", allow_hyphen_values = true)]
    exec_argv: Vec<OsString>,

    /// Run up to this many commands at once; messages are still acknowledged in order
    #[arg(long, value_name = "N", default_value = "1", hide_default_value = true,
          value_parser = value::jobs, requires = "runs",
          allow_hyphen_values = true)]
    pub jobs: u16,

    /// Go on after a command has failed; its message is acknowledged, and the exit code at the end
    /// is 1
    #[arg(long, requires = "runs")]
    pub keep_going: bool,

    /// Publish what the command writes to stdout to the response topic of its message, with the
    /// same correlation data (MQTT 5)
    #[arg(long, requires = "runs")]
    pub reply: bool,
}

impl CommandFlags {
    /// Whether there is a command.
    pub fn are_given(&self) -> bool {
        self.exec.is_some() || !self.exec_argv.is_empty()
    }

    /// The program to run and its arguments.
    pub fn words(&self) -> Result<Option<Vec<OsString>>, Usage> {
        let Some(command) = &self.exec else {
            let is_nameless = self.exec_argv.first().is_some_and(|program| program.is_empty());
            if is_nameless {
                return Err(Usage::new(
                    "--exec-argv: the first one is the program, and it is empty",
                ));
            }
            return Ok(Some(self.exec_argv.clone()).filter(|words| !words.is_empty()));
        };
        let shell = self.shell.clone().unwrap_or_else(|| "sh".into());
        if shell.is_empty() {
            return Err(Usage::new("--shell: expected the name of a shell"));
        }
        Ok(Some(vec![shell, "-c".into(), command.into()]))
    }
}
