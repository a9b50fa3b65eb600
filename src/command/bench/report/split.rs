//! What the object of a part says where the readers of its topic are in several parts.

use super::json::object::{Object, array, quoted, seconds};
use crate::command::bench::split::{ExcuseReason, ReadStream, SplitTally, WrittenStream};
use crate::command::bench::verify::Promise;

/// The member `split`; `None` if they are not.
pub fn split(split: &SplitTally) -> Option<String> {
    let object = Object::new()
        .raw("topic", split.topic?)
        .raw("late", seconds(split.late))
        .raw("other_clock", split.other_clock)
        .raw("written", array(split.written.iter().map(written)))
        .raw("read", array(split.read.iter().map(read)));
    Some(object.end())
}

fn written(stream: &WrittenStream) -> String {
    let excused = stream.excused.iter().map(|excuse| {
        Object::new()
            .raw("sequence", excuse.sequence)
            .raw("why", quoted(excuse.why.word()))
            .raw("in_window", excuse.is_in_window)
            .end()
    });
    Object::new()
        .raw("sent", stream.sent)
        .raw("in_window", stream.in_window)
        .raw("excused", array(excused))
        .end()
}

fn read((stream, readers): (&ReadStream, &u64)) -> String {
    let holes = stream.holes.iter().map(|(first, end)| format!("[{first},{end}]"));
    Object::new()
        .raw("stream", stream.stream)
        .raw("readers", readers)
        .raw("next", stream.tally.next)
        .raw("distinct", stream.tally.distinct)
        .raw("missed", stream.tally.missed)
        .raw("away", stream.tally.promise == Promise::Broken)
        .raw("holes", array(holes))
        .end()
}

impl ExcuseReason {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unacknowledged => "unacknowledged",
            Self::SessionLost => "session-lost",
        }
    }
}
