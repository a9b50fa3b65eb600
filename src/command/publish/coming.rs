//! The records that come next.

use bytes::Bytes;

use crate::stdio::records::Block;

/// The records that are there, to be looked at without taking them.
pub struct ComingRecords {
    /// The one that was taken from the input, and not published.
    pub current: Option<Bytes>,
    /// The one that was looked at last.
    pub latest: Bytes,
    /// How often the one record comes.
    pub times: u64,
    /// The one record.
    pub whole: Bytes,
    /// The records of a block.
    pub block: Block,
}

impl ComingRecords {
    /// The next one.
    pub fn next(&mut self) -> Option<&[u8]> {
        if let Some(current) = self.current.take() {
            self.latest = current;
            return Some(&self.latest);
        }
        if self.times > 0 {
            self.times -= 1;
            return Some(&self.whole);
        }
        let record = self.block.next_within(usize::MAX)?;
        Some(&self.block.bytes()[record])
    }
}
