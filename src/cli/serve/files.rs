//! The flags of `serve` for files of messages.

use std::path::PathBuf;

use clap::Args;

use crate::cli::value;
use crate::command::serve::ServeFiles;

/// `--load`, `--save`, `--record`
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub struct FileFlags {
    /// Retain the messages of this file from the beginning: records as `sub --json` writes them
    ///
    /// Each broker at /NAME/mqtt begins with them, too. A file that is not there is empty if
    /// `--save` names it, too.
    #[arg(long, value_name = "FILE", value_parser = value::file())]
    load: Option<PathBuf>,

    /// Write the retained messages to this file when the broker ends, for `--load` or `pub --json`
    ///
    /// They are those of the broker at /mqtt, not of those at /NAME/mqtt. The file is replaced as a
    /// whole. Messages with an expiry have what is left of it.
    #[arg(long, value_name = "FILE",
          value_parser = value::file_instead_of("expected a file: stdout is for the URL"))]
    save: Option<PathBuf>,

    /// Write every PUBLISH of every client to this file, for `pub --json --replay`
    ///
    /// Each is a record as `sub --json` writes it, with the time and the client id, as soon as it
    /// comes. The file is begun anew.
    #[arg(long, value_name = "FILE",
          value_parser = value::file_instead_of("expected a file: stdout is for the URL"))]
    record: Option<PathBuf>,
}

impl From<FileFlags> for ServeFiles {
    fn from(flags: FileFlags) -> Self {
        let FileFlags { load, save, record } = flags;
        Self { load, save, record }
    }
}
