//! The wills of all connections: which are due, which came, and which should not have.

use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::results::WillResults;

/// The will of one connection.
#[derive(Debug, Clone, Copy, Default)]
struct WillCounts {
    /// How often it was due.
    due: u32,
    /// How often it may come or not: the server has ended the connection.
    allowed: u32,
    came: u32,
    /// When it was due last, in nanoseconds.
    since: u64,
}

/// All wills.
#[derive(Debug, Default)]
pub struct Wills {
    each: Vec<WillCounts>,
    delay: LatencyTimes,
}

impl Wills {
    /// So many connections have a will.
    pub fn new(connections: usize) -> Self {
        Self { each: vec![WillCounts::default(); connections], delay: LatencyTimes::default() }
    }

    /// A connection was ended without DISCONNECT.
    pub fn due(&mut self, id: usize, now: u64) {
        if let Some(will) = self.each.get_mut(id) {
            will.due += 1;
            will.since = now;
        }
    }

    /// A connection was lost: its will may come.
    pub fn allow(&mut self, id: usize) {
        if let Some(will) = self.each.get_mut(id) {
            will.allowed += 1;
        }
    }

    /// A will came.
    pub fn came(&mut self, id: u64, now: u64) {
        let place = usize::try_from(id).ok().and_then(|id| self.each.get_mut(id));
        let Some(will) = place else { return };
        will.came += 1;
        if will.came <= will.due {
            self.delay.add(now.saturating_sub(will.since));
        }
    }

    /// What came of them, at the end of the run.
    pub fn finish(&self) -> WillResults {
        let mut results = WillResults { delay: self.delay.clone(), ..WillResults::default() };
        for will in &self.each {
            results.expected += u64::from(will.due);
            results.received += u64::from(will.came.min(will.due));
            let unexpected = will.came.saturating_sub(will.due + will.allowed);
            results.unexpected += u64::from(unexpected);
        }
        results
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_will_is_due_allowed_or_neither() {
        let mut wills = Wills::new(4);
        wills.due(0, 1000);
        wills.due(1, 1000);
        wills.allow(2);
        for id in [0, 2, 3, 9] {
            wills.came(id, 5000);
        }
        let results = wills.finish();
        assert_eq!((results.expected, results.received, results.unexpected), (2, 1, 1));
        assert_eq!((results.delay.count(), results.delay.minimum()), (1, Some(4000)));
    }
}
