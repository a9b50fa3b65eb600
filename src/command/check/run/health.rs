//! Whether the server still answers, and whether it still takes connections.

use std::time::Duration;

use super::{RateLimit, Runner, Task};
use crate::command::check::bench::{Bench, TurnedAway};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop, Verdict};
use crate::command::check::points::{Harm, Point};

/// When the server is asked whether it is still there, after the first time.
const ALIVE_AFTER: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long the run waits once where the server begins to refuse connections.
const REST: Duration = Duration::from_secs(10);

/// Why a point is not asked of a server that refuses connections which it took before.
fn limit_words(turned_away: &TurnedAway) -> String {
    format!("{}, which was taken before: rate limit? try --pause 4s", turned_away.words())
}

impl Runner<'_> {
    /// Asks again where the server begins to refuse connections: the run waits once, and stops if
    /// that does not help.
    pub(super) fn ask_after_rest(
        &mut self,
        task: Task,
        probe: fn(&mut Bench) -> Probed,
    ) -> Finding {
        if matches!(self.limit, RateLimit::NotSeen) {
            self.limit = RateLimit::Rested;
            self.leave(task);
            if let Err(stop) = self.bench.idle(REST) {
                return stop.finding();
            }
            let again = self.attempt(task, probe);
            if !self.is_turned_away(task) {
                return again;
            }
        }
        let words = self.bench.asked.turned_away.as_ref().map(limit_words).unwrap_or_default();
        self.limit = RateLimit::Reached(words.clone());
        Finding::unknown(words)
    }

    /// Whether a connection was refused that was taken before. A mute end may also be the end of
    /// the server where broken bytes were sent: still-alive judges that.
    pub(super) fn is_turned_away(&self, task: Task) -> bool {
        let is_harmless = task.point.harm == Harm::None;
        let turned_away = self.bench.asked.turned_away.as_ref();
        turned_away.is_some_and(|how| is_harmless || matches!(how, TurnedAway::Answered(_)))
    }

    /// Asks whether the server still answers; if not, waits for it to come back.
    pub(super) fn ask_whether_alive(&mut self, after: &'static Point) {
        self.bench.begin_as("still-alive", None);
        // As of a point that rests on an end or on silence: one lost connection proves nothing.
        let first = match self.bench.is_alive() {
            asked @ (Ok(()) | Err(Stop::Interrupted)) => asked,
            Err(_) => self.bench.is_alive(),
        };
        let alive = match &first {
            Ok(()) => Ok(()),
            Err(_) => self.await_return(),
        };
        let turned_away = self.bench.asked.turned_away.as_ref();
        let (verdict, words) = match (&first, &alive, turned_away) {
            (_, Err(Stop::Interrupted), _) => return,
            (_, Err(_), Some(how @ TurnedAway::Answered(_))) => {
                self.limit = RateLimit::Reached(limit_words(how));
                return self.bench.end_point();
            }
            (Ok(()), _, _) => (Verdict::Pass, String::new()),
            (Err(_), Ok(()), _) => {
                (Verdict::Fail, format!("did not answer for a while after {}", after.name))
            }
            (_, Err(_), _) => (Verdict::Fail, format!("no longer answers after {}", after.name)),
        };
        self.bench.journal.observe("still-alive", None, verdict, words);
        if alive.is_err() {
            self.dead = Some(after.name.to_owned());
        }
        self.bench.end_point();
    }

    /// Asks again until the server is back, or was away for too long.
    fn await_return(&mut self) -> StepResult<()> {
        let mut alive = Ok(());
        for time in ALIVE_AFTER {
            self.bench.allow(time);
            self.bench.idle(time)?;
            alive = self.bench.is_alive();
            if alive.is_ok() {
                break;
            }
        }
        alive
    }
}
