//! How `sub` ends: received messages are written, and written ones are acknowledged.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Subscriber;
use super::exec::Exec;
use super::sink::Sink;
use crate::client::{self, Event};
use crate::command::summary::SummaryPrinter;
use crate::exit::{Exit, worse};
use crate::format::summary::RunSummary;

/// What is being done while messages of ours await their acknowledgements.
const REMOVING: &str = "removing retained messages";
const REPLYING: &str = "replying";

impl Subscriber {
    /// Waits until everything received is written, as long as the output can be written at all;
    /// from then on only what was written counts.
    pub(super) fn finish_output(&mut self, result: Result<Exit>) -> Result<Exit> {
        let result = self.await_output(result);
        if let Some(written) = self.receiver.sink.stop() {
            self.receiver.written = written;
        }
        result
    }

    fn await_output(&mut self, mut result: Result<Exit>) -> Result<Exit> {
        if matches!(self.receiver.sink, Sink::Commands(_)) {
            return self.finish_commands(result);
        }
        self.progress.finish();
        self.receiver.sink.finish();
        self.client.pause_reading(true);
        let hurry = self.hurries(&result);
        let last_write = hurry.then(|| Instant::now() + crate::command::LAST_WRITE);
        let deadline = last_write.or(self.times.deadline);
        while !self.receiver.sink.is_done() {
            // The connection stays alive meanwhile, or messages that are written late could not be
            // acknowledged.
            match self.client.next(deadline) {
                Ok(Event::Interrupted(signal)) => {
                    let is_decided = hurry || self.is_decided();
                    return result
                        .map(|exit| if is_decided { exit } else { self.interrupted(signal) });
                }
                Ok(Event::Alarm) if hurry || self.is_decided() => break,
                Ok(Event::Alarm) => return result.and_then(|_| self.timed_out()),
                Ok(event) => result = self.output_event(event, result),
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        result
    }

    /// Whether a reader that has stopped is not waited for, as after an interrupt.
    fn hurries(&self, result: &Result<Exit>) -> bool {
        match result {
            Ok(Exit::Signal(_) | Exit::TimedOut) => true,
            // Where nothing is expected, the time has passed in silence.
            Ok(_) => self.ending.signal.is_some() || self.expects_nothing(),
            Err(_) => false,
        }
    }

    /// What an event means for the result while the last messages are written.
    fn output_event(&mut self, event: Event, result: Result<Exit>) -> Result<Exit> {
        match event {
            Event::Written(number) => {
                self.receiver.sink.written(number);
                if let Some(removals) = &mut self.receiver.removals {
                    removals.written(number);
                }
            }
            Event::OutputFailed(error) => {
                self.receiver.abandon();
                return result.and_then(|exit| self.output_failed(error).map(|_| exit));
            }
            Event::Mqtt(event) => self.handed_over(&event),
            // No message is read any more, and the other events were not asked for.
            Event::Input(_)
            | Event::Woken
            | Event::Connected(_)
            | Event::Closed(_)
            | Event::Interrupted(_)
            | Event::Alarm
            | Event::WebSocketPong
            | Event::Sendable
            | Event::Reconnected => {}
        }
        result
    }

    /// Closes the connection, and prints the summary.
    pub(super) fn end(mut self, result: Result<Exit>, summary: SummaryPrinter) -> Result<Exit> {
        let doing = match self.subscriptions.unanswered {
            0 => "subscribed at",
            _ if self.subscriptions.asked.subscribe.is_empty() => "unsubscribing at",
            _ => "subscribing at",
        };
        let result = result
            .map_err(|error| crate::command::while_doing(error, || self.client.at_server(doing)))
            .and_then(|exit| self.finish_removals(exit).map(|()| exit));
        if matches!(result, Ok(Exit::TimedOut)) {
            self.client.shorten_close();
        }
        // No message can be lost any more.
        let result = crate::command::close_receiver(&mut self.client, result);
        let latency = self.receiver.latency.as_ref();
        summary.print(self.ending.signal.is_some(), |took| RunSummary {
            verb: "received",
            messages: self.receiver.written.messages,
            bytes: self.receiver.written.bytes,
            refused: None,
            took,
            times: latency.map(|latency| ("latency", latency.times())),
        });
        if let Some(latency) = latency.filter(|_| self.receiver.verbosity.warns()) {
            latency.explain();
        }
        crate::command::with_earlier(result, self.ending.exit)
    }

    /// Waits until the broker has removed the retained messages that were written.
    fn finish_removals(&mut self, exit: Exit) -> Result<()> {
        if self.receiver.removals.is_none() || matches!(exit, Exit::Signal(_)) {
            return Ok(());
        }
        self.client.pause_reading(false);
        let mut acknowledged = Instant::now();
        loop {
            let Some(removals) = &mut self.receiver.removals else { return Ok(()) };
            removals.publish(&mut self.client);
            if removals.is_done(&self.client) {
                return Ok(());
            }
            acknowledged = self.await_acknowledgement(REMOVING, exit, acknowledged)?;
        }
    }

    /// Waits for the next acknowledgement of a message of ours; the one before came at `before`.
    fn await_acknowledgement(
        &mut self,
        doing: &'static str,
        exit: Exit,
        before: Instant,
    ) -> Result<Instant> {
        let (until, after) = self.acknowledgement_due(exit, before);
        let in_flight = self.client.session().in_flight();
        let event = self.client.next(Some(until)).context(doing)?;
        if matches!(event, Event::Alarm) && until <= Instant::now() {
            let what = doing.to_owned();
            return Err(client::Error::Unanswered { what, after }.into());
        }
        self.event_before_acknowledgement(&event).context(doing)?;
        let is_progress = self.client.session().in_flight() < in_flight;
        Ok(if is_progress { Instant::now() } else { before })
    }

    /// Until when the next acknowledgement is waited for, and how long that is: `-W` counts, too,
    /// unless it has ended the run.
    fn acknowledgement_due(&self, exit: Exit, before: Instant) -> (Instant, Duration) {
        let after = if exit == Exit::TimedOut || self.client.is_hurried() {
            crate::command::HURRIED_RELEASE
        } else {
            self.client.options().limits.timeout
        };
        let until = before + after;
        match (self.times.deadline, self.options.end.timeout) {
            (Some(deadline), Some(timeout)) if exit != Exit::TimedOut && deadline < until => {
                (deadline, timeout)
            }
            _ => (until, after),
        }
    }

    /// What an event means while only acknowledgements of our own messages are waited for.
    fn event_before_acknowledgement(&mut self, event: &Event) -> Result<(), client::Error> {
        match event {
            Event::Interrupted(signal) => return Err(client::Error::Interrupted(*signal)),
            Event::Mqtt(event) => self.handed_over(event),
            Event::Alarm
            | Event::Input(_)
            | Event::Written(_)
            | Event::OutputFailed(_)
            | Event::Woken
            | Event::Connected(_)
            | Event::Closed(_)
            | Event::WebSocketPong
            | Event::Sendable
            | Event::Reconnected => {}
        }
        Ok(())
    }

    /// Waits until every command has ended, and every answer is on its way.
    fn finish_commands(&mut self, mut result: Result<Exit>) -> Result<Exit> {
        self.settle_commands();
        match result {
            Ok(Exit::Done) => {}
            Ok(Exit::TimedOut) => self.with_commands(Exec::terminate),
            _ => self.with_commands(|exec| exec.commands.stop()),
        }
        let mut deadline = self.times.deadline.filter(|_| !matches!(result, Ok(Exit::TimedOut)));
        loop {
            if result.is_err() {
                // They have nowhere to go.
                self.with_commands(|exec| exec.replies.clear());
            }
            if self.receiver.sink.is_done() {
                return self.await_replies(result);
            }
            let kill_at = self.receiver.sink.commands().and_then(|exec| exec.kill_at);
            // Only acknowledgements of replies are of interest any more.
            let is_paused = !self.replies() || self.receiver.sink.is_full();
            self.client.pause_reading(is_paused);
            result = match self.client.next(kill_at.or(deadline)) {
                Ok(Event::Alarm) if kill_at.is_none() => {
                    deadline = None;
                    self.commands_are_late(result)
                }
                Ok(event) => self.command_event(&event, result),
                // Nothing can be acknowledged any more; those that run end all the same.
                Err(error) => {
                    self.with_commands(|exec| exec.commands.stop());
                    result.and(Err(error.into()))
                }
            };
        }
    }

    /// The time of `-W` is up while the last commands run.
    fn commands_are_late(&mut self, result: Result<Exit>) -> Result<Exit> {
        self.with_commands(Exec::terminate);
        match result {
            Ok(Exit::Done) => self.timed_out(),
            result => result,
        }
    }

    /// What an event means for the result while the last commands run.
    fn command_event(&mut self, event: &Event, result: Result<Exit>) -> Result<Exit> {
        match *event {
            Event::Interrupted(signal) => {
                self.interrupt_commands(signal);
                return result
                    .map(|exit| if exit == Exit::Done { self.interrupted(signal) } else { exit });
            }
            Event::Alarm => self.with_commands(|exec| {
                exec.kill();
                exec.replies.clear();
            }),
            Event::Mqtt(ref event) => self.handed_over(event),
            // That a command has ended is looked at after every event.
            Event::Woken
            | Event::Input(_)
            | Event::Written(_)
            | Event::OutputFailed(_)
            | Event::Connected(_)
            | Event::Closed(_)
            | Event::WebSocketPong
            | Event::Sendable
            | Event::Reconnected => {}
        }
        match self.look_at_commands() {
            Some(exit) => result.map(|before| worse(before, exit)),
            None => result,
        }
    }

    fn with_commands(&mut self, act: impl FnOnce(&mut Exec)) {
        if let Some(exec) = self.receiver.sink.commands() {
            act(exec);
        }
    }

    fn replies(&mut self) -> bool {
        self.receiver.sink.commands().is_some_and(|exec| exec.replies())
    }

    /// Waits for the acknowledgements of the answers.
    fn await_replies(&mut self, result: Result<Exit>) -> Result<Exit> {
        let is_wanted = self.replies() && !matches!(result, Err(_) | Ok(Exit::Signal(_)));
        if !is_wanted {
            return result;
        }
        self.client.pause_reading(false);
        let exit = *result.as_ref().unwrap_or(&Exit::Done);
        let mut acknowledged = Instant::now();
        while !self.client.is_settled() {
            acknowledged = self.await_acknowledgement(REPLYING, exit, acknowledged)?;
        }
        result
    }
}
