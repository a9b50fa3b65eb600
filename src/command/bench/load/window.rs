//! The time in which is measured. Times are nanoseconds of the clock of the run.

/// The start of the load, and the window in it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    /// When the first message may be due.
    pub start: u64,
    /// When the window begins.
    pub begin: u64,
    /// When it ends; the largest number while that is not known.
    pub end: u64,
}

impl Window {
    /// Whether a point in time lies in the window.
    pub fn holds(&self, at: u64) -> bool {
        self.begin <= at && at < self.end
    }

    /// How much of a time lies in the window.
    pub fn overlap(&self, from: u64, to: u64) -> u64 {
        to.min(self.end).saturating_sub(from.max(self.begin))
    }

    /// 0 in the first third of the window, 1 in its last.
    pub fn outer_third(&self, at: u64) -> Option<usize> {
        if self.end == u64::MAX {
            return None;
        }
        let third = (self.end - self.begin) / 3;
        if at < self.begin + third { Some(0) } else { (at >= self.end - third).then_some(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_holds_its_beginning_and_not_its_end() {
        let window = Window { start: 0, begin: 100, end: 400 };
        assert!(!window.holds(99) && window.holds(100) && window.holds(399) && !window.holds(400));
        assert_eq!((window.overlap(50, 150), window.overlap(350, 500)), (50, 50));
        assert_eq!((window.overlap(0, 50), window.overlap(500, 600)), (0, 0));
        let thirds = [100, 199, 200, 299, 300, 399].map(|at| window.outer_third(at));
        assert_eq!(thirds, [Some(0), Some(0), None, None, Some(1), Some(1)]);
        let endless = Window { end: u64::MAX, ..window };
        assert_eq!(endless.outer_third(100), None);
    }
}
