//! When a run of `sub` is over for another reason than its messages, and what is said about it.

use std::time::Instant;

use anyhow::Result;

use super::Subscriber;
use super::early_end::{CommandFailure, EarlyEnd};
use super::judge::Judge;
use crate::client;
use crate::exit::Exit;
use crate::format::count::count;
use crate::report;

impl Subscriber {
    /// The time of `-W`, of `--for` or of `--idle` is up; if not, it is time to draw.
    pub(super) fn time_is_up(&mut self) -> Result<Option<Exit>> {
        let now = Instant::now();
        let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        let ends = [self.times.deadline, self.times.ends, self.idle_deadline()];
        let failure = self.ending.failure.as_ref().map(|failure| failure.until);
        if ends.into_iter().chain([failure]).any(is_due)
            && let Some(exit) = self.command_has_failed()
        {
            return Ok(Some(exit));
        }
        if is_due(self.times.deadline) {
            return self.timed_out().map(Some);
        }
        if is_due(self.times.ends) {
            // A message that is written as it comes must not be taken for a whole one.
            let is_cut = self.receiver.is_amidst();
            self.tell_arriving();
            let after = self.options.end.after.unwrap_or_default();
            let exit = self.ended_before(EarlyEnd::TimedOut(after));
            return Ok(Some(if is_cut { Exit::TimedOut } else { exit }));
        }
        let is_idle = is_due(self.idle_deadline());
        Ok(is_idle.then(|| self.idle_is_over()))
    }

    /// The time of `-W` is up.
    pub(super) fn timed_out(&mut self) -> Result<Exit> {
        let after = self.options.end.timeout.unwrap_or_default();
        if let Some(what) = self.unanswered() {
            return Err(client::Error::Unanswered { what, after }.into());
        }
        if self.expects_nothing() {
            return Ok(if self.tell_arriving() { Exit::Local } else { Exit::Done });
        }
        self.ending.unfinished = Some(EarlyEnd::TimedOut(after));
        Ok(Exit::TimedOut)
    }

    /// The time of `--idle` is up: a message that has begun to arrive is not passed over.
    fn idle_is_over(&mut self) -> Exit {
        if self.tell_arriving() {
            return Exit::TimedOut;
        }
        self.ended_before(EarlyEnd::Silent(self.options.end.idle.unwrap_or_default()))
    }

    /// The exit where the run may end before the messages of `-C` have come, unless they have to
    /// match something.
    fn ended_before(&mut self, why: EarlyEnd) -> Exit {
        let has_criteria = self.judge().is_some_and(Judge::has_criteria);
        if !has_criteria || self.options.end.count.is_none() || self.expects_nothing() {
            return Exit::Done;
        }
        self.ending.unfinished = Some(why);
        Exit::TimedOut
    }

    /// Reports a message that has begun to arrive, if there is one. One that is written as it comes
    /// is reported with what was written of it.
    fn tell_arriving(&self) -> bool {
        let arrived = self.client.session().partial_packet();
        if arrived > 0 && !self.receiver.is_amidst() {
            report::line(&format!(
                "subscribed: ended in the middle of a message of which {} had arrived",
                count(arrived as u64, "byte")
            ));
        }
        arrived > 0 || self.receiver.is_amidst()
    }

    /// An endless subscription ends no other way, once it stands; one of a session that was kept
    /// may bring messages before the SUBACK.
    pub(super) fn interrupted(&mut self, signal: i32) -> Exit {
        let unanswered = self.unanswered().filter(|_| self.receiver.written.messages == 0);
        if unanswered.is_none() && self.options.end.is_never() && !self.expects_nothing() {
            return Exit::Done;
        }
        self.ending.unfinished = Some(match unanswered {
            Some(what) => EarlyEnd::Unanswered(what),
            None => EarlyEnd::Interrupted,
        });
        Exit::Signal(signal.into())
    }

    /// What the broker has not answered since the run began: subscribing or unsubscribing.
    fn unanswered(&self) -> Option<String> {
        let is_first = self.subscriptions.unanswered > 0;
        let pending = self.client.session().pending_subscribe().filter(|_| is_first)?;
        Some(pending.to_string())
    }

    /// Looks whether the command of the command line has failed. The messages that it has
    /// published before may be on their way: a PINGREQ asks for all that the broker has for us, and
    /// only after its answer the failure counts.
    pub(super) fn look_at_test_command(&mut self) -> Option<Exit> {
        if self.ending.failure.is_some() {
            return None;
        }
        let words = self.start.failure()?;
        let until = Instant::now() + self.client.options().limits.timeout;
        self.ending.failure = Some(CommandFailure { words, until });
        if !self.client.session().is_online() {
            return self.command_has_failed();
        }
        self.client.ping();
        None
    }

    /// The end, if the command of the command line has failed.
    pub(super) fn command_has_failed(&mut self) -> Option<Exit> {
        let failure = self.ending.failure.take()?;
        self.ending.unfinished = Some(EarlyEnd::CommandFailed(failure.words));
        Some(Exit::Local)
    }

    /// Whether the run has failed already, or is known to be unfinished: nothing changes that.
    pub(super) fn is_decided(&self) -> bool {
        self.ending.unfinished.is_some()
            || self.judge().is_some_and(|judge| judge.failure().is_some())
    }

    pub(super) fn expects_nothing(&self) -> bool {
        self.judge().is_some_and(Judge::expects_nothing)
    }

    fn judge(&self) -> Option<&Judge> {
        self.receiver.judge.as_deref()
    }

    /// Reports why the run failed, or how many messages were written when it ended early.
    pub(super) fn tell_unfinished(&self) {
        if let Some(failure) = self.judge().and_then(Judge::failure) {
            return report::line(failure);
        }
        let Some(why) = &self.ending.unfinished else { return };
        let (written, wanted) = (self.receiver.written.messages, self.options.end.count);
        let judge = self.judge().filter(|judge| judge.has_criteria());
        report::line(&match judge {
            Some(judge) => why.with_tally(|when| judge.tally(written, wanted, when)),
            None => why.with_count(written, wanted),
        });
    }
}
