//! Input and output on this machine: stdin, files, folders, stdout, the clock and the commands of
//! `--exec`.

pub mod decoded;
pub mod exec;
pub mod file;
pub mod folder;
pub mod lines;
pub mod records;
pub mod replace;
pub mod stdin;
pub mod stdout;
pub mod stdout_reader;
pub mod written;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::format::time::LocalTime;

/// The time that the clock of this machine shows now, in its time zone.
pub fn local_time() -> LocalTime {
    LocalTime::new(Timestamp::now(), TimeZone::system())
}
