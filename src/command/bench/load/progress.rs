//! The line of progress.

use std::time::{Duration, Instant};

use super::team::LoopCounts;
use super::{Load, LoadPhase, RunDisplay};
use crate::command::bench::config::WindowLength;
use crate::command::bench::measure::brief;
use crate::command::bench::results::{self, LoadEnding, Results, Second};
use crate::command::bench::words;

impl<D: RunDisplay> Load<D> {
    pub(super) fn show(&mut self, now: Instant) {
        let line = self.progress(now);
        if let Some(display) = &mut self.display {
            display.show(line, now);
        }
    }

    /// When something new is to be shown.
    pub(super) fn next_show(&self) -> Option<Instant> {
        self.display.as_ref().and_then(RunDisplay::next)
    }

    /// What would be found if nothing more came.
    pub(super) fn so_far(&self, now: Instant) -> Results {
        let mut results = self.results.clone();
        let at = self.context.clock.number(now).min(self.context.window.end);
        let window = at.saturating_sub(self.context.window.begin);
        results.messages.window = Duration::from_nanos(window);
        // What is missing is known of all loops together.
        let missing = if self.context.member.leads() { self.missing() } else { 0 };
        results.messages.expected = results.messages.received + missing;
        results.verified.copies = self.sending.expected;
        results.ending = LoadEnding::Running(now - self.times.began, missing);
        results.generator.cpu = self.seconds.cpu_of_window(now);
        if self.is_of_connecting() {
            self.note_due(&mut results, at);
        }
        results
    }

    /// The line of progress of a step of connecting.
    fn making_progress(&self, now: Instant) -> String {
        let LoopCounts { failed, online, .. } = self.total();
        let (at, begin) = (self.context.clock.number(now), self.context.window.begin);
        let since = at.saturating_sub(begin) / 1_000_000_000;
        let (rate, wanted) = (self.context.load.connect_rate, self.context.load.plan.connections());
        let (rate, rates) =
            (rate.map(words::rate), rates_of_connecting(self.seconds.of_all.last()));
        let rate = rate.unwrap_or_default();
        format!("{rate}  {since} s  {rates}  failed {failed}  online {online}/{wanted}")
    }

    /// The line of progress.
    pub(super) fn progress(&self, now: Instant) -> String {
        let total = self.total();
        let (online, wanted) = (total.online, self.context.load.plan.connections());
        match self.phase {
            LoadPhase::Setting | LoadPhase::Readers | LoadPhase::Others => {
                let LoopCounts { made, failed, .. } = total;
                let since = now.saturating_duration_since(self.times.began);
                let rate = words::rate(results::rate(made, since).round());
                format!("connecting  {made}/{wanted}  {rate}  failed {failed}")
            }
            LoadPhase::Holding(until) => {
                let left = until.saturating_duration_since(now).as_secs();
                format!("holding  {left} s left  online {online}/{wanted}")
            }
            LoadPhase::Making | LoadPhase::Settling(_) => self.making_progress(now),
            LoadPhase::Emptying(_)
            | LoadPhase::Closing(_)
            | LoadPhase::Clearing(_)
            | LoadPhase::Ending(_)
            | LoadPhase::Over => {
                format!("closing  online {online}/{wanted}")
            }
            LoadPhase::Sending | LoadPhase::Draining => {
                let Some(last) = self.seconds.of_all.last() else {
                    return format!("warming up  online {online}/{wanted}");
                };
                let (rates, late) = (rates(last), late(last));
                let (since, missing) = (self.measured(now), self.missing());
                format!("{since}  {rates}  missing {missing}  online {online}/{wanted}{late}")
            }
        }
    }

    /// How much of the window is over: `12/30 s`, or, of a number of messages, `12 s`.
    fn measured(&self, now: Instant) -> String {
        let at = self.context.clock.number(now);
        let since = Duration::from_nanos(at.saturating_sub(self.context.window.begin));
        match self.context.load.times.length {
            WindowLength::Time(length) => {
                format!("{}/{}", since.min(length).as_secs(), words::given(length))
            }
            WindowLength::Count(_) => format!("{} s", since.as_secs()),
        }
    }
}

/// The rate of a second in which connections are made, of one that is over.
fn rates_of_connecting(last: Option<&Second>) -> String {
    let Some(last) = last else { return "warming up".to_owned() };
    let p99 = last.quantiles.map(|(_, p99)| format!("  p99 {}", brief(p99)));
    format!("made {}/s{}", words::thousands(last.received), p99.unwrap_or_default())
}

/// The rates of a second.
fn rates(second: &Second) -> String {
    let (sent, received) = (words::thousands(second.sent), words::thousands(second.received));
    let p99 = second.quantiles.map(|(_, p99)| format!("  p99 {}", brief(p99)));
    format!("sent {sent}/s  received {received}/s{}", p99.unwrap_or_default())
}

/// How late the generator was in a second, in an open loop.
fn late(second: &Second) -> String {
    second.lateness.map(|late| format!("  late {}", brief(late))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_told_in_few_words() {
        let second = Second { sent: 20_001, received: 19_998, ..Second::default() };
        assert_eq!(
            (rates(&second), late(&second)),
            ("sent 20,001/s  received 19,998/s".into(), String::new())
        );
        let second =
            Second { quantiles: Some((700_000, 2_900_000)), lateness: Some(100_000), ..second };
        assert_eq!(rates(&second), "sent 20,001/s  received 19,998/s  p99 2.9 ms");
        assert_eq!(late(&second), "  late 0.1 ms");
    }
}
