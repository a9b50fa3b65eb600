//! The time of day of this machine, in its time zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::format::time::LocalTime;

/// What the clock shows now.
pub fn now() -> LocalTime {
    LocalTime::new(Timestamp::now(), TimeZone::system())
}
