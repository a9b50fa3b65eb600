//! What a part knows of streams whose readers are in several parts.

use std::collections::BTreeMap;

use super::value::StoredMember;
use crate::command::bench::split::{
    ExcuseReason, ExcusedMessage, ReadStream, SplitTally, WrittenStream,
};
use crate::command::bench::verify::{PairTally, Promise};

/// How many readers, streams and topics there are at most.
const MOST: usize = 1 << 24;

/// All of it.
pub fn split(split: &StoredMember<'_>) -> Result<SplitTally, String> {
    let written = split.get("written")?.elements()?;
    let mut read: BTreeMap<ReadStream, u64> = BTreeMap::new();
    for member in split.get("read")?.elements()? {
        let readers = member.get("readers")?.up_to(MOST)?;
        let all = read.entry(self::read(&member)?).or_default();
        *all = all.saturating_add(readers as u64);
    }
    Ok(SplitTally {
        topic: Some(split.get("topic")?.up_to(MOST)?),
        written: written.iter().map(self::written).collect::<Result<_, _>>()?,
        read,
        other_clock: split.get("other_clock")?.count()?,
        late: split.get("late")?.time()?,
    })
}

fn written(stream: &StoredMember<'_>) -> Result<WrittenStream, String> {
    let excused = stream.get("excused")?.elements()?;
    Ok(WrittenStream {
        sent: stream.get("sent")?.count()?,
        in_window: stream.get("in_window")?.count()?,
        excused: excused.iter().map(self::excused).collect::<Result<_, _>>()?,
    })
}

fn excused(message: &StoredMember<'_>) -> Result<ExcusedMessage, String> {
    let why = message.get("why")?;
    let (text, reasons) = (why.text()?, [ExcuseReason::Unacknowledged, ExcuseReason::SessionLost]);
    let reason = reasons.into_iter().find(|reason| reason.word() == text);
    Ok(ExcusedMessage {
        sequence: message.get("sequence")?.count()?,
        why: reason.ok_or_else(|| why.wrong("unacknowledged or session-lost"))?,
        is_in_window: message.get("in_window")?.truth()?,
    })
}

fn read(stream: &StoredMember<'_>) -> Result<ReadStream, String> {
    let count = |name: &str| stream.get(name)?.count();
    let holes =
        stream.get("holes")?.elements()?.into_iter().map(|hole| match &hole.elements()?[..] {
            [first, end] => Ok((first.count()?, end.count()?)),
            _ => Err(hole.wrong("the first number and the end")),
        });
    let is_away = stream.get("away")?.truth()?;
    Ok(ReadStream {
        stream: stream.get("stream")?.up_to(MOST)?,
        tally: PairTally {
            next: count("next")?,
            distinct: count("distinct")?,
            missed: count("missed")?,
            promise: if is_away { Promise::Broken } else { Promise::Whole },
        },
        holes: holes.collect::<Result<_, String>>()?,
    })
}
