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

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::format::time::LocalTime;

/// A time since 1970, in the time zone of this machine.
pub fn local_time_of(time: Duration) -> LocalTime {
    let since = jiff::SignedDuration::try_from(time).ok();
    let time = since.and_then(|since| Timestamp::from_duration(since).ok());
    LocalTime::new(time.unwrap_or_default(), TimeZone::system())
}

/// The time that the clock of this machine shows now, in its time zone.
pub fn local_time() -> LocalTime {
    LocalTime::new(Timestamp::now(), TimeZone::system())
}
