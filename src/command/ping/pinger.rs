//! The probes, one after the other: each is sent, and its answer awaited, until there are enough,
//! the time is up, or somebody ends it.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::config::ProbePlan;
use super::output::ProbeOutput;
use super::results::{PingResults, ProbesEnd};
use super::summary;
use crate::client::{Client, Event};
use crate::format::summary::SummaryForm;
use crate::mqtt::topic::TopicName;
use crate::stdio::stdout_reader::StdoutReader;
use crate::terminal::screen;

/// A server that leaves so many PINGREQs without an answer gets no more of them.
pub const MOST_LATE: u64 = 65_536;

/// Sends the probes.
pub struct Pinger<'a> {
    /// The connection.
    pub client: &'a mut Client,
    /// The probes to send.
    pub plan: ProbePlan,
    /// When the time for all is up.
    pub deadline: Option<Instant>,
    /// The topic of our own for `--via publish`.
    pub topic: TopicName,
    /// Overdue answers that may still arrive: they do not count for later probes.
    pub late: u64,
    /// The form of the summary that SIGQUIT asks for, if it is not a sentence.
    pub summary: Option<SummaryForm>,
    /// The reader of what is printed.
    pub reader: StdoutReader,
    /// What is printed of each probe.
    pub output: ProbeOutput,
    /// What is known so far.
    pub results: &'a mut PingResults,
}

/// What became of a probe.
enum ProbeFate {
    /// Its answer came.
    Answered(Instant),
    /// It did not.
    Missed,
    /// There are no more probes.
    Ended(ProbesEnd),
}

impl Pinger<'_> {
    /// Sends probes until there are no more.
    pub fn run(&mut self) -> Result<ProbesEnd> {
        loop {
            if self.reader.is_gone() {
                return Ok(ProbesEnd::NoReader);
            }
            let began = Instant::now();
            let (answer, now) = match self.probe(began)? {
                ProbeFate::Answered(at) => (Some(at - began), at),
                ProbeFate::Missed => (None, Instant::now()),
                ProbeFate::Ended(end) => return Ok(end),
            };
            self.note(answer, now);
            if self.has_enough() || self.is_over(now) {
                return Ok(ProbesEnd::Done);
            }
            if let Some(end) = self.await_next(began + self.plan.interval, now)? {
                return Ok(end);
            }
        }
    }

    /// This time, or the end of all.
    pub fn no_later(&self, time: Instant) -> Instant {
        self.deadline.map_or(time, |deadline| deadline.min(time))
    }

    fn is_over(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether there were as many probes as were asked for; as in ping(8) those with an answer
    /// count where there is a deadline.
    fn has_enough(&self) -> bool {
        let answered = self.results.answers.count();
        let counted = if self.deadline.is_some() { answered } else { self.results.sent };
        self.plan.count == Some(counted)
    }

    /// Sends a probe and waits for its answer, as long as it may take.
    fn probe(&mut self, began: Instant) -> Result<ProbeFate> {
        self.results.sent += 1;
        self.send_probe();
        let until = self.no_later(began + self.plan.timeout);
        loop {
            let alarm = self.output.deadline().map_or(until, |lines| lines.min(until));
            let event = self.client.next(Some(alarm))?;
            if matches!(event, Event::Alarm) && Instant::now() < until {
                if !self.output.write()? {
                    return Ok(ProbeFate::Ended(ProbesEnd::NoReader));
                }
            } else if let Some(fate) = self.fate(&event) {
                if matches!(fate, ProbeFate::Ended(ProbesEnd::Done)) {
                    self.results.cut(began.elapsed());
                }
                return Ok(fate);
            }
        }
    }

    /// What became of the latest probe, if this event says so; an alarm means that its time is up.
    fn fate(&mut self, event: &Event) -> Option<ProbeFate> {
        match *event {
            _ if self.is_answer(event) => Some(ProbeFate::Answered(Instant::now())),
            // Neither this answer nor a late one will come on the new connection.
            Event::Reconnected => {
                self.late = 0;
                Some(ProbeFate::Missed)
            }
            Event::Alarm if self.is_over(Instant::now()) => Some(ProbeFate::Ended(ProbesEnd::Done)),
            Event::Alarm => {
                self.late = MOST_LATE.min(self.late + 1);
                Some(ProbeFate::Missed)
            }
            Event::Interrupted(signal) => Some(ProbeFate::Ended(ProbesEnd::Interrupted(signal))),
            Event::Woken => self.woken().map(ProbeFate::Ended),
            // Answers to earlier probes, and events that do not concern `ping`.
            Event::Mqtt(_)
            | Event::WebSocketPong
            | Event::Sendable
            | Event::Input(_)
            | Event::Written(_)
            | Event::OutputFailed(_)
            | Event::Connected(_)
            | Event::Closed(_) => None,
        }
    }

    fn note(&mut self, answer: Option<Duration>, now: Instant) {
        if let Some(time) = answer {
            self.results.answers.add(time);
        }
        self.output.tell(self.results, answer, now);
    }

    /// Writes lines that must not wait, and waits for the time of the next probe; why there is
    /// none.
    fn await_next(&mut self, next: Instant, now: Instant) -> Result<Option<ProbesEnd>> {
        let is_due = self.output.deadline().is_some_and(|deadline| deadline <= now);
        if (is_due || next > now) && !self.output.write()? {
            return Ok(Some(ProbesEnd::NoReader));
        }
        if next <= now {
            return Ok(None);
        }
        if let Some(end) = self.pause(self.no_later(next))? {
            return Ok(Some(end));
        }
        Ok(self.is_over(Instant::now()).then_some(ProbesEnd::Done))
    }

    /// Waits; a signal ends it, and a reader that has gone.
    fn pause(&mut self, until: Instant) -> Result<Option<ProbesEnd>> {
        loop {
            match self.client.next(Some(until))? {
                Event::Alarm => return Ok(None),
                Event::Interrupted(signal) => return Ok(Some(ProbesEnd::Interrupted(signal))),
                Event::Reconnected => self.late = 0,
                event @ (Event::Mqtt(_) | Event::WebSocketPong) => drop(self.is_answer(&event)),
                Event::Woken => {
                    if let Some(end) = self.woken() {
                        return Ok(Some(end));
                    }
                }
                Event::Sendable
                | Event::Input(_)
                | Event::Written(_)
                | Event::OutputFailed(_)
                | Event::Connected(_)
                | Event::Closed(_) => {}
            }
        }
    }

    /// Another thread has something to tell: that nobody reads stdout any more, which ends all, or
    /// that SIGQUIT came.
    pub fn woken(&self) -> Option<ProbesEnd> {
        if self.reader.is_gone() {
            return Some(ProbesEnd::NoReader);
        }
        self.tell_summary();
        None
    }

    /// Prints the summary so far on stderr, over the `^\` that a terminal shows.
    fn tell_summary(&self) {
        screen::begin_line(false);
        summary::print_on_stderr(self.results, self.summary.unwrap_or(SummaryForm::Text));
    }
}
