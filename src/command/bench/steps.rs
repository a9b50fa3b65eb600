//! The steps of a ramp, or of the search for the highest rate that holds: which comes next.

use std::time::Duration;

use super::course::LoadCourse;

/// What the next step is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepPlan {
    /// Messages, or connections, a second.
    pub rate: f64,
    /// How long it is measured.
    pub length: Duration,
}

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SearchPhase {
    /// Each step is given beforehand.
    Listed(usize),
    /// Each rate is twice the one before.
    Doubling,
    /// Each rate lies between one that held and one that did not.
    Bisecting,
    /// The highest is tried again; so often it still has to hold.
    Confirming(u8),
}

/// How often the highest rate is confirmed.
const CONFIRMATIONS: u8 = 2;

/// The search for the rate that does not hold.
#[derive(Debug, Clone)]
pub struct StepSearch {
    course: LoadCourse,
    length: Duration,
    phase: SearchPhase,
    /// The rates that held, in rising order.
    held: Vec<f64>,
    /// The lowest that did not.
    failed: Option<f64>,
    current: f64,
}

impl StepSearch {
    /// The search of a course; `None` if it has no steps.
    pub fn new(course: LoadCourse, length: Duration) -> Option<Self> {
        let (phase, current) = match course {
            LoadCourse::Once => return None,
            LoadCourse::Ramp(ramp) => (SearchPhase::Listed(0), ramp.from),
            LoadCourse::FindMax { from, .. } => (SearchPhase::Doubling, from),
        };
        Some(Self { course, length, phase, held: Vec::new(), failed: None, current })
    }

    /// Whether it is the rate of connecting.
    pub fn is_of_connecting(&self) -> bool {
        self.course.is_of_connecting()
    }

    /// What is to be done now.
    pub fn plan(&self) -> StepPlan {
        let length = match self.phase {
            SearchPhase::Confirming(_) => self.length * 2,
            SearchPhase::Listed(_) | SearchPhase::Doubling | SearchPhase::Bisecting => self.length,
        };
        StepPlan { rate: self.current, length }
    }

    /// The step has held or has not; what is to be done next, if anything is.
    pub fn go_on(&mut self, has_held: bool) -> Option<StepPlan> {
        if has_held {
            if !self.held.contains(&self.current) {
                self.held.push(self.current);
                self.held.sort_by(f64::total_cmp);
            }
        } else {
            let failed = self.current;
            self.failed = Some(self.failed.map_or(failed, |before| before.min(failed)));
            self.held.retain(|rate| *rate < failed);
        }
        self.current = match self.phase {
            SearchPhase::Listed(number) => self.listed(number + 1, has_held)?,
            SearchPhase::Confirming(left) if has_held && left <= 1 => return None,
            SearchPhase::Confirming(left) if has_held => {
                self.phase = SearchPhase::Confirming(left - 1);
                self.current
            }
            SearchPhase::Doubling | SearchPhase::Bisecting | SearchPhase::Confirming(_) => {
                self.nearer()?
            }
        };
        Some(self.plan())
    }

    fn listed(&mut self, number: usize, has_held: bool) -> Option<f64> {
        let LoadCourse::Ramp(ramp) = self.course else { return None };
        self.phase = SearchPhase::Listed(number);
        ramp.rates().get(number).copied().filter(|_| has_held)
    }

    /// The next rate of a search: above all that held, between, or the highest again.
    fn nearer(&mut self) -> Option<f64> {
        let LoadCourse::FindMax { of, resolution, .. } = self.course else { return None };
        let most = of.highest();
        let low = self.held.last().copied()?;
        let next = match self.failed {
            None if low < most => {
                self.phase = SearchPhase::Doubling;
                return Some((low * 2.0).min(most));
            }
            Some(high) if high > low * (1.0 + resolution) => f64::midpoint(low, high).round(),
            None | Some(_) => low,
        };
        let is_between = next > low && self.failed.is_some_and(|high| next < high);
        self.phase = if is_between {
            SearchPhase::Bisecting
        } else {
            SearchPhase::Confirming(CONFIRMATIONS)
        };
        Some(if is_between { next } else { low })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::course::{Ramp, RampStep, SteppedRate};

    const SECOND: Duration = Duration::from_secs(1);

    /// The rates that are tried at a server that holds those up to `limit`.
    fn tried(course: LoadCourse, limit: f64) -> Vec<StepPlan> {
        let mut search = StepSearch::new(course, SECOND).unwrap();
        let mut tried = vec![search.plan()];
        while let Some(next) = search.go_on(tried[tried.len() - 1].rate <= limit) {
            tried.push(next);
            assert!(tried.len() < 100, "{tried:?}");
        }
        tried
    }

    fn rates(course: LoadCourse, limit: f64) -> Vec<f64> {
        tried(course, limit).into_iter().map(|step| step.rate).collect()
    }

    fn ramp(from: f64, to: f64, step: RampStep) -> LoadCourse {
        LoadCourse::Ramp(Ramp { of: SteppedRate::Messages, from, to, step })
    }

    #[test]
    fn a_ramp_ends_at_its_end_or_at_the_first_that_does_not_hold() {
        let doubling = ramp(10.0, 160.0, RampStep::Times(2.0));
        assert_eq!(rates(doubling, 1000.0), [10.0, 20.0, 40.0, 80.0, 160.0]);
        assert_eq!(rates(doubling, 40.0), [10.0, 20.0, 40.0, 80.0]);
        assert_eq!(rates(doubling, 1.0), [10.0]);
        assert_eq!(rates(ramp(5.0, 21.0, RampStep::Plus(5.0)), 1e9), [5.0, 10.0, 15.0, 20.0]);
        let tenths = ramp(100.0, 130.0, RampStep::Times(1.1));
        assert_eq!(rates(tenths, 1e9).len(), 3);
        assert!(StepSearch::new(LoadCourse::Once, SECOND).is_none());
    }

    fn search(from: f64, resolution: f64) -> LoadCourse {
        LoadCourse::FindMax { of: SteppedRate::Messages, from, resolution }
    }

    #[test]
    fn a_search_doubles_then_halves_then_confirms_with_double_time() {
        let course = search(1000.0, 0.05);
        let tried = tried(course, 5200.0);
        let rates: Vec<f64> = tried.iter().map(|step| step.rate).collect();
        assert_eq!(rates[..4], [1000.0, 2000.0, 4000.0, 8000.0]);
        assert_eq!(rates[4..], [6000.0, 5000.0, 5500.0, 5250.0, 5000.0, 5000.0]);
        let doubled = tried.iter().filter(|step| step.length == SECOND * 2).count();
        assert_eq!(doubled, 2);
    }

    #[test]
    fn a_search_ends_wherever_the_limit_is() {
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..1000 {
            let limit = f64::from(random.u32(1..12_000_000));
            let from = f64::from(random.u32(1..5000));
            let resolution = 0.001 + random.f64() / 2.0;
            let tried = tried(search(from, resolution), limit);
            let last = tried[tried.len() - 1];
            if from <= limit {
                assert!(last.rate <= limit && last.length == SECOND * 2, "{limit} {tried:?}");
                let near = last.rate * (1.0 + resolution) + 1.0
                    >= limit.min(SteppedRate::Messages.highest());
                assert!(near, "{limit} {resolution} {tried:?}");
            } else {
                assert_eq!(tried.len(), 1);
            }
        }
    }

    #[test]
    fn a_highest_rate_that_is_not_confirmed_is_given_up() {
        let course = search(1000.0, 0.5);
        let mut search = StepSearch::new(course, SECOND).unwrap();
        let answers = [true, true, false, true, false, true, true];
        let mut rates = vec![search.plan().rate];
        for has_held in answers {
            rates.extend(search.go_on(has_held).map(|plan| plan.rate));
        }
        // 3000 held once and not again: between it and 2000 nothing is left to search.
        assert_eq!(rates, [1000.0, 2000.0, 4000.0, 3000.0, 3000.0, 2000.0, 2000.0]);
        assert_eq!(search.go_on(true), None);
    }
}
