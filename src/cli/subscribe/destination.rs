//! Where and how `sub` writes messages.

use std::path::Path;

use anyhow::{Result, ensure};

use super::SubscribeFlags;
use crate::command::subscribe::config::{CommandOptions, Destination, OnFailure, WatchOptions};
use crate::exit::Usage;
use crate::format::escape::ControlCharacters;
use crate::format::layout::{Content, Layout, TopicColour};
use crate::terminal::screen;

impl SubscribeFlags {
    pub(super) fn destination(&self) -> Result<Destination> {
        if let Some(words) = self.commands.words()? {
            return Ok(Destination::Commands(CommandOptions {
                words,
                jobs: usize::from(self.commands.jobs),
                on_failure: if self.commands.keep_going {
                    OnFailure::KeepGoing
                } else {
                    OnFailure::Stop
                },
                reply: self.commands.reply,
            }));
        }
        if let Some(reports) = self.watching.reports(self.output.json.is_some())? {
            // What a command writes would be drawn over.
            let is_live = self.test_command.words()?.is_empty()
                && reports.is_drawn_over()
                && screen::stdout_is_terminal()
                && screen::can_redraw();
            return Ok(if is_live {
                Destination::Watch(WatchOptions::Tree { depth: reports.depth })
            } else {
                Destination::Report(reports)
            });
        }
        if self.display.watch {
            let (colour, encoding) = (self.display.topic_colour(), self.output.encoding.0);
            return Ok(Destination::Watch(WatchOptions::Topics { colour, encoding }));
        }
        match &self.output.output_dir {
            Some(path) => folder(path),
            None => Ok(Destination::Stdout),
        }
    }

    /// How a message is written.
    pub(super) fn layout(&self) -> Result<Layout> {
        if self.display.watch {
            return watch_layout();
        }
        if self.watching.counts() {
            return Ok(layout_of_frames());
        }
        let output = &self.output;
        let into_files = output.output_dir.is_some() || self.commands.are_given();
        let control_characters =
            ControlCharacters::on_terminal(!into_files && screen::stdout_is_terminal());
        let content = output.form().content(output.pretty, control_characters)?;
        // Files and the stdin of commands hold payloads, byte for byte.
        let is_bare = into_files && matches!(content, Content::Payload { .. });
        let end = if is_bare { None } else { output.end.0 };
        let colour = if into_files { TopicColour::Plain } else { self.display.topic_colour() };
        Ok(Layout { content, end, control_characters, colour })
    }
}

/// A folder for messages.
fn folder(path: &Path) -> Result<Destination> {
    ensure!(
        !path.is_file(),
        Usage::new(format!(
            "--output-dir {}: expected a folder for the messages; flags come from a file with -o",
            path.display()
        ))
    );
    Ok(Destination::Folder(path.to_owned()))
}

/// The layout of `--watch`, which writes frames as they are.
fn watch_layout() -> Result<Layout> {
    ensure!(
        screen::stdout_is_terminal() && screen::can_redraw(),
        Usage::new("--watch needs a terminal on stdout that can be redrawn; use -v")
    );
    Ok(layout_of_frames())
}

/// The layout of what is written as it is.
fn layout_of_frames() -> Layout {
    Layout {
        content: Content::Payload { verbose: false, encoding: None },
        end: None,
        control_characters: ControlCharacters::Unchanged,
        colour: TopicColour::Plain,
    }
}
