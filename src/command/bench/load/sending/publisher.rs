//! One publisher: what it has sent, and what it waits for.

use std::collections::VecDeque;

use crate::command::bench::config::WindowLength;
use crate::command::bench::schedule::SendSchedule;

/// What a publisher waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// Its connection.
    Offline,
    /// The time of its next message.
    Due,
    /// Its next turn.
    Turn,
    /// The acknowledgement of a message.
    Window,
    /// The server, which does not take what was sent.
    Socket,
    /// Nothing: it has sent all.
    Done,
}

/// One publisher.
#[derive(Debug)]
pub struct LoadPublisher {
    pub schedule: Option<SendSchedule>,
    /// How many messages it has sent.
    pub sent: u64,
    /// How many it may send (`-C`).
    pub quota: u64,
    pub wait: WaitReason,
    /// Since when it waits for that, in nanoseconds.
    pub since: u64,
    /// When the time of each message was that is not finished, from number `first` on.
    pub unfinished: VecDeque<u64>,
    pub first: u64,
    /// How many of them are not finished.
    pub open: u64,
    /// How many copies of its messages came, or will not come any more (QoS 0).
    pub arrived: u64,
    /// When the latest came, in nanoseconds.
    pub progress: u64,
    /// How many of its messages were written off.
    pub written_off: u64,
}

/// What stands in the place of the time of a message that is finished.
pub const FINISHED: u64 = u64::MAX;

impl LoadPublisher {
    /// Whether it waits for a message that is due at `at`.
    pub fn is_due(&self, at: u64, start: u64) -> bool {
        let due = self.schedule.as_ref().map(|schedule| schedule.due() + start);
        self.wait == WaitReason::Due && due == Some(at)
    }

    /// How many messages are due before `end` and not sent; with a quota and no schedule all that
    /// are left.
    pub fn unsent(&self, end: u64) -> u64 {
        let left = self.quota - self.sent;
        match &self.schedule {
            Some(schedule) => schedule.waiting_until(end).min(left),
            None if self.quota == u64::MAX => 0,
            None => left,
        }
    }

    /// Whether it waits for nothing but the loop.
    pub fn waits_for_us(&self) -> bool {
        match self.wait {
            WaitReason::Due | WaitReason::Turn => true,
            WaitReason::Offline | WaitReason::Window | WaitReason::Socket | WaitReason::Done => {
                false
            }
        }
    }

    /// The times at the front that are finished are forgotten.
    pub fn forget_finished(&mut self) {
        while self.unfinished.front() == Some(&FINISHED) {
            self.unfinished.pop_front();
            self.first += 1;
        }
    }
}

/// How many messages a publisher may send.
pub fn quota(length: WindowLength, publisher: usize, publishers: usize) -> u64 {
    match length {
        WindowLength::Time(_) => u64::MAX,
        WindowLength::Count(count) => {
            let (publisher, publishers) = (publisher as u64, publishers as u64);
            count / publishers + u64::from(publisher < count % publishers)
        }
    }
}
