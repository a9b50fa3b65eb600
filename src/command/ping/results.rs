//! What is known of a run of `ping` so far.

use std::time::{Duration, Instant};

use super::server::ServerFacts;
use crate::exit::{Exit, worse};
use crate::format::statistics::{Statistics, milliseconds};

/// What is known of a run so far.
#[derive(Debug)]
pub struct PingResults {
    /// The address that was given, without secrets.
    pub url: String,
    /// How many probes were asked for.
    pub count: Option<u64>,
    /// What was reached; `None` before.
    pub server: Option<ServerFacts>,
    /// Why the broker refused the subscription that probes need, if it did.
    pub refusal: Option<String>,
    /// How many probes were sent.
    pub sent: u64,
    /// How long their answers took.
    pub answers: Statistics,
    /// When the run began; later, when it was connected.
    pub began: Instant,
    /// When the last probe was over.
    pub ended: Option<Instant>,
}

/// Why there are no more probes.
#[derive(Debug)]
pub enum ProbesEnd {
    /// As many were answered or sent as were asked for, or the time is up.
    Done,
    /// The reader of our output has gone.
    NoReader,
    /// A signal came.
    Interrupted(i32),
}

impl PingResults {
    /// Nothing has happened yet.
    pub fn new(url: String, count: Option<u64>) -> Self {
        Self {
            url,
            count,
            server: None,
            refusal: None,
            sent: 0,
            answers: Statistics::default(),
            began: Instant::now(),
            ended: None,
        }
    }

    /// The time for all is up while the latest probe has waited for so long: it is not lost yet,
    /// and does not count, if another one was answered after as long a time.
    pub fn cut(&mut self, waited: Duration) {
        let slowest = self.answers.figures().map(|figures| figures.maximum);
        if slowest.is_some_and(|slowest| milliseconds(waited) <= slowest) {
            self.sent -= 1;
        }
    }

    /// How many probes have no answer.
    pub fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.answers.count())
    }

    /// The same in percent.
    #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 probes")]
    pub fn loss(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { self.lost() as f64 * 100.0 / self.sent as f64 }
    }

    /// How long the probes took so far.
    pub fn elapsed(&self) -> Duration {
        self.ended.unwrap_or_else(Instant::now).saturating_duration_since(self.began)
    }

    /// The exit code of probes that ended so.
    pub fn exit(&self, end: &ProbesEnd) -> Exit {
        let interrupted = match *end {
            ProbesEnd::Interrupted(signal) if self.count.is_some() => Exit::Signal(signal.into()),
            ProbesEnd::Interrupted(_) | ProbesEnd::Done | ProbesEnd::NoReader => Exit::Done,
        };
        let unanswered = if self.answers.is_empty() { Exit::TimedOut } else { Exit::Done };
        worse(interrupted, unanswered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_that_is_cut_short_is_lost_if_it_is_the_slowest() {
        let milliseconds = Duration::from_millis;
        for (answer, waited, lost) in
            [(None, 1, 1), (Some(10), 9, 0), (Some(10), 10, 0), (Some(10), 11, 1)]
        {
            let mut results = PingResults::new("ws://h/mqtt".to_owned(), None);
            results.sent = u64::from(answer.is_some()) + 1;
            if let Some(time) = answer {
                results.answers.add(milliseconds(time));
            }
            results.cut(milliseconds(waited));
            assert_eq!(results.lost(), lost, "{answer:?} {waited}");
        }
    }

    #[test]
    fn loss_is_that_of_what_was_sent() {
        let mut results = PingResults::new("ws://h/mqtt".to_owned(), None);
        assert_eq!((results.loss().to_bits(), results.lost()), (0.0_f64.to_bits(), 0));
        results.sent = 3;
        results.answers.add(Duration::ZERO);
        assert_eq!((format!("{:.3}", results.loss()), results.lost()), ("66.667".to_owned(), 2));
    }
}
