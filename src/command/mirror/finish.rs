//! How a mirror ends: what is on its way is finished, and both connections are closed.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Mirror, TARGET};
use crate::client::{Error, Event};
use crate::command::summary::SummaryPrinter;
use crate::command::{self, HURRIED_RELEASE};
use crate::exit::Exit;
use crate::format::count::count;
use crate::format::summary::RunSummary;
use crate::report;

impl Mirror {
    /// Waits until everything that is on its way is finished at both ends. Each step may take
    /// `--connect-timeout`; when the user has interrupted us, [`HURRIED_RELEASE`], and all of them
    /// `--connect-timeout`.
    pub(super) fn finish(&mut self, mut exit: Exit) -> Result<Exit> {
        let cap = self.source.options().limits.timeout;
        let mut progress = (self.messages.steps(), Instant::now());
        let mut hurried = None;
        loop {
            self.pump();
            if self.messages.unfinished() == 0 {
                return Ok(exit);
            }
            if self.messages.steps() != progress.0 {
                progress = (self.messages.steps(), Instant::now());
            }
            if self.is_hurried(exit) && hurried.is_none() {
                self.source.extend_end(cap);
                self.target.extend_end(cap);
                progress.1 = Instant::now();
                hurried = Some(progress.1);
            }
            let until =
                hurried.map_or(progress.1 + cap, |at| (progress.1 + HURRIED_RELEASE).min(at + cap));
            let until =
                self.times.deadline.filter(|_| hurried.is_none()).map_or(until, |at| at.min(until));
            match self.next(Some(until))? {
                (_, Event::Alarm) if until <= Instant::now() => {
                    return self.unfinished(exit, hurried.is_some(), cap);
                }
                (which, event) => {
                    if let Some(signal @ Exit::Signal(_)) = self.handle(which, event)?
                        && exit == Exit::Done
                    {
                        exit = signal;
                    }
                }
            }
        }
    }

    fn is_hurried(&self, exit: Exit) -> bool {
        self.ending.signal.is_some() || exit == Exit::TimedOut
    }

    /// A broker goes no further: what is not finished stays with the source.
    fn unfinished(&mut self, exit: Exit, is_hurried: bool, after: Duration) -> Result<Exit> {
        if is_hurried {
            return Ok(exit);
        }
        if command::is_over(self.times.deadline) {
            let after = self.times.end.timeout.unwrap_or_default().as_secs_f64();
            self.ending.early = Some(format!("timed out after {after} s"));
            return Ok(Exit::TimedOut);
        }
        let messages = count(self.messages.unfinished() as u64, "message");
        let what = format!("finishing {messages}");
        Err(Error::Unanswered { what, after }.into())
    }

    /// Closes both connections, and says how much was mirrored.
    pub(super) fn end(mut self, result: Result<Exit>, summary: SummaryPrinter) -> Result<Exit> {
        if matches!(result, Ok(Exit::TimedOut)) {
            self.source.shorten_close();
            self.target.shorten_close();
        }
        let result = match (result, self.ending.failed) {
            (Err(error), failed) => {
                let (first, other) = if failed == Some(TARGET) {
                    (&mut self.target, &mut self.source)
                } else {
                    (&mut self.source, &mut self.target)
                };
                command::close_after(first, None, &error);
                other.close();
                // The first failure is the one that the user has to know.
                let _ = command::await_closed(other, None, |_| {});
                Err(error)
            }
            (Ok(exit), _) => self.close(exit),
        };
        self.tell(summary);
        command::with_earlier(result, self.ending.exit)
    }

    /// Closes both connections in order. What was sent to the target at QoS 0 may be lost with its
    /// connection.
    fn close(&mut self, exit: Exit) -> Result<Exit> {
        let result = command::close_receiver(&mut self.source, Ok(exit));
        self.target.close();
        match (result, command::await_closed(&mut self.target, None, |_| {})) {
            (Ok(Exit::Done), Err(error)) => {
                let context = self.target.at_server("mirroring to");
                Err(anyhow::Error::from(error).context(context))
            }
            (result, Ok(()) | Err(_)) => result,
        }
    }

    fn tell(&self, summary: SummaryPrinter) {
        if !self.subscriptions.are_sent() {
            return;
        }
        let tally = self.messages.tally;
        if summary.is_wanted() {
            if let Some(early) = &self.ending.early {
                report::line(early);
            }
            return summary.print(false, |took| RunSummary {
                verb: "mirrored",
                messages: tally.mirrored,
                bytes: tally.bytes,
                refused: Some(tally.refused),
                took,
                times: None,
            });
        }
        let early = self.ending.early.as_deref();
        let unfinished = self.messages.unfinished() as u64;
        if self.verbosity.warns() || early.is_some() || unfinished > 0 {
            report::line(&tally.line(early, unfinished));
        }
    }
}
