//! When each message is due: a formula, so that a backlog of any length needs no memory. Times are
//! nanoseconds since the start of the load.

/// How the messages of a publisher follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrivalPattern {
    /// At equal distances; the publishers are spread over one.
    Even,
    /// At random: exponential gaps.
    Poisson,
}

/// The rate that is offered, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OfferedRate {
    /// Messages a second, of all publishers together.
    pub rate: f64,
    /// How they follow each other.
    pub arrival: ArrivalPattern,
    /// Intended times lie on this grid, in nanoseconds; 0 is none.
    pub tick: u64,
}

/// When the messages of one publisher are due.
#[derive(Debug, Clone)]
pub struct SendSchedule {
    offer: OfferedRate,
    publishers: f64,
    publisher: f64,
    /// The number of the next message.
    number: u64,
    poisson: Poisson,
}

/// The state of a generator of random gaps.
#[derive(Debug, Clone)]
struct Poisson {
    state: u64,
    /// When the next message is due, in nanoseconds, before it is put on the grid.
    next: f64,
}

impl Poisson {
    /// The next gap, in units of the mean.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are wanted")]
    fn gap(&mut self) -> f64 {
        // splitmix64
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let unit = ((mixed >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -unit.ln()
    }
}

const NANOSECONDS: f64 = 1e9;

impl SendSchedule {
    /// The schedule of publisher number `publisher` of `publishers`.
    #[expect(clippy::cast_precision_loss, reason = "there are at most a million publishers")]
    pub fn new(offer: OfferedRate, publisher: usize, publishers: usize, seed: u64) -> Self {
        let state = seed ^ (publisher as u64 + 1).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mut schedule = Self {
            offer,
            publishers: publishers as f64,
            publisher: publisher as f64,
            number: 0,
            poisson: Poisson { state, next: 0.0 },
        };
        if offer.arrival == ArrivalPattern::Poisson {
            schedule.poisson.next = schedule.poisson.gap() * schedule.interval();
        }
        schedule
    }

    /// The time from one message of this publisher to the next, in nanoseconds.
    fn interval(&self) -> f64 {
        self.publishers / self.offer.rate * NANOSECONDS
    }

    /// When the next message is due.
    #[expect(clippy::cast_precision_loss, reason = "2^53 messages take longer than any run")]
    pub fn due(&self) -> u64 {
        let exact = match self.offer.arrival {
            ArrivalPattern::Even => {
                (self.number as f64 * self.publishers + self.publisher) / self.offer.rate
                    * NANOSECONDS
            }
            ArrivalPattern::Poisson => self.poisson.next,
        };
        self.on_grid(exact)
    }

    /// A time on the grid, at or after `exact`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a day has 10^14 nanoseconds"
    )]
    fn on_grid(&self, exact: f64) -> u64 {
        // The formula is exact to far less than a nanosecond.
        let nanoseconds = (exact - 1e-3).max(0.0).ceil() as u64;
        match self.offer.tick {
            0 => nanoseconds,
            tick => nanoseconds.div_ceil(tick) * tick,
        }
    }

    /// The next message was sent.
    pub fn advance(&mut self) {
        self.number += 1;
        if self.offer.arrival == ArrivalPattern::Poisson {
            self.poisson.next += self.poisson.gap() * self.interval();
        }
    }

    /// How many messages that were not sent are due before `end`.
    pub fn waiting_until(&self, end: u64) -> u64 {
        let mut ahead = self.clone();
        if self.offer.arrival == ArrivalPattern::Even {
            return ahead.skip_evenly_to(end);
        }
        let mut count = 0;
        while ahead.due() < end {
            ahead.advance();
            count += 1;
        }
        count
    }

    /// How many messages at equal distances are due before `end`.
    fn skip_evenly_to(&mut self, end: u64) -> u64 {
        let (first, mut low) = (self.number, self.number);
        let mut step = 1;
        while self.is_due_before(low + step, end) {
            low += step;
            step *= 2;
        }
        // The number of the first message that is not due lies in low..=low + step.
        let mut high = low + step;
        while low < high {
            let middle = low + (high - low) / 2;
            if self.is_due_before(middle, end) { low = middle + 1 } else { high = middle }
        }
        low - first
    }

    fn is_due_before(&mut self, number: u64, end: u64) -> bool {
        self.number = number;
        self.due() < end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn offer(rate: f64, arrival: ArrivalPattern, tick: u64) -> OfferedRate {
        OfferedRate { rate, arrival, tick }
    }

    /// How many messages all publishers have due before `end`.
    fn due_before(offer: OfferedRate, publishers: usize, end: u64) -> u64 {
        (0..publishers).map(|p| SendSchedule::new(offer, p, publishers, 1).waiting_until(end)).sum()
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn as_many_are_due_as_the_rate_says() {
        let mut random = fastrand::Rng::with_seed(17);
        for _ in 0..10_000 {
            let publishers = random.usize(1..50);
            let rate = f64::from(random.u32(1..2_000_000)) / 10.0;
            let tick = [0, 1000, 100_000][random.usize(0..3)];
            let seconds = random.u64(1..100);
            // An end on the grid: what is due before it exactly is put on the end.
            let end = seconds * SECOND;
            let due = due_before(offer(rate, ArrivalPattern::Even, tick), publishers, end);
            let expected = rate * seconds as f64;
            let slack = 1.0 + rate * tick as f64 / 1e9;
            assert!((due as f64 - expected).abs() <= slack, "{publishers} {rate} {tick} {seconds}");
        }
    }

    #[test]
    fn the_formula_and_the_steps_agree() {
        let offer = offer(12_345.6, ArrivalPattern::Even, 100_000);
        let mut schedule = SendSchedule::new(offer, 3, 7, 0);
        let whole = schedule.clone();
        let mut latest = 0;
        for count in 0..5000 {
            let due = schedule.due();
            assert!(due >= latest && due.is_multiple_of(100_000));
            latest = due;
            if count % 100 == 0 {
                let before = whole.waiting_until(due);
                assert!(before <= count && before + 3 > count, "{before} {count}");
            }
            schedule.advance();
        }
    }

    #[test]
    fn publishers_are_spread_over_the_interval() {
        let offer = offer(1000.0, ArrivalPattern::Even, 0);
        let first: Vec<u64> = (0..4).map(|p| SendSchedule::new(offer, p, 4, 0).due()).collect();
        assert_eq!(first, [0, 1_000_000, 2_000_000, 3_000_000]);
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn random_gaps_have_mean_and_variance_of_a_poisson_process() {
        let mut schedule = SendSchedule::new(offer(1000.0, ArrivalPattern::Poisson, 0), 0, 1, 7);
        let (mut sum, mut squares, mut last) = (0.0, 0.0, 0);
        let count = 200_000;
        for _ in 0..count {
            let gap = (schedule.due() - last) as f64 / 1e6;
            last = schedule.due();
            sum += gap;
            squares += gap * gap;
            schedule.advance();
        }
        let mean = sum / f64::from(count);
        let variance = squares / f64::from(count) - mean * mean;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
        // Each publisher has its own gaps, and the same seed gives the same.
        let offer = offer(1000.0, ArrivalPattern::Poisson, 0);
        let due = |p, seed| SendSchedule::new(offer, p, 2, seed).due();
        assert_ne!(due(0, 7), due(1, 7));
        assert_eq!(due(1, 7), due(1, 7));
    }
}
