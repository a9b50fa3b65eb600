//! When each connection begins: in the open loop, too.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::team::OwnIds;

/// How many connections begin in one turn at most.
const AT_ONCE: usize = 64;

/// The connections that begin one after the other.
#[derive(Debug)]
pub struct Dialer {
    left: Range<usize>,
    own: OwnIds,
    first: usize,
    began: Instant,
    /// Connections a second; `None` is all at once.
    rate: Option<f64>,
}

impl Dialer {
    /// These connections begin from `began` on.
    pub fn new(ids: Range<usize>, own: OwnIds, rate: Option<f64>, began: Instant) -> Self {
        let mut dialer = Self { first: ids.start, left: ids, own, began, rate };
        dialer.pass_over();
        dialer
    }

    /// Goes on to the next connection of this loop: the others begin in theirs.
    fn pass_over(&mut self) {
        while !self.left.is_empty() && !self.own.has(self.left.start) {
            self.left.start += 1;
        }
    }

    /// When the next connection is to begin.
    #[expect(clippy::cast_precision_loss, reason = "there are at most three million")]
    pub fn next(&self) -> Option<Instant> {
        let number = (self.left.start - self.first) as f64;
        let after = self.rate.map_or(0.0, |rate| number / rate);
        (!self.left.is_empty()).then(|| self.began + Duration::from_secs_f64(after))
    }

    /// The connections that are to begin now, each with its time.
    pub fn due(&mut self, now: Instant) -> Vec<(usize, Instant)> {
        let mut due = Vec::new();
        while due.len() < AT_ONCE
            && let Some(at) = self.next().filter(|at| *at <= now)
        {
            due.push((self.left.start, at));
            self.left.start += 1;
            self.pass_over();
        }
        due
    }

    /// Whether all have begun.
    pub fn is_done(&self) -> bool {
        self.left.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_begin_at_their_rate() {
        let began = Instant::now();
        let mut dialer = Dialer::new(10..13, OwnIds::all(), Some(2.0), began);
        assert_eq!(dialer.due(began), [(10, began)]);
        let half = began + Duration::from_millis(500);
        assert_eq!(dialer.next(), Some(half));
        let late = began + Duration::from_secs(9);
        assert_eq!(dialer.due(late), [(11, half), (12, began + Duration::from_secs(1))]);
        assert!(dialer.is_done() && dialer.next().is_none());
        let all = Dialer::new(0..200, OwnIds::all(), None, began).due(began);
        assert_eq!(all.len(), AT_ONCE);
    }
}
