//! How `sub` ends: received messages are written, and written ones are acknowledged.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Subscriber;
use super::sink::Sink;
use crate::client::Event;
use crate::command::summary::SummaryPrinter;
use crate::exit::{Exit, worse};
use crate::format::summary::RunSummary;
use crate::mqtt::session;
use crate::report::Verbosity;

/// How long the output may take for the last messages, when nobody waits for them.
const LAST_WRITE: Duration = Duration::from_millis(250);

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
        // A user who interrupts us does not want to wait for a reader that has stopped.
        let hurry = match result {
            Ok(Exit::Signal(_) | Exit::TimedOut) => true,
            Ok(_) => self.end.count.is_none(),
            Err(_) => false,
        };
        let deadline = hurry.then(|| Instant::now() + LAST_WRITE);
        while !self.receiver.sink.is_done() {
            // The connection stays alive meanwhile, or messages that are written late could not be
            // acknowledged.
            match self.client.next(deadline) {
                Ok(Event::Written(number)) => {
                    self.receiver.sink.written(number);
                    if let Some(removals) = &mut self.receiver.removals {
                        removals.written(number);
                    }
                }
                Ok(Event::OutputFailed(error)) => {
                    self.receiver.abandon();
                    result = result.and_then(|exit| self.output_failed(error).map(|_| exit));
                }
                Ok(Event::Interrupted(signal)) => {
                    return result.map(|exit| if hurry { exit } else { self.interrupted(signal) });
                }
                Ok(Event::Alarm) => break,
                Ok(
                    Event::Mqtt(_)
                    | Event::Input(_)
                    | Event::Woken
                    | Event::Connected(_)
                    | Event::Closed(_)
                    | Event::WebSocketPong
                    | Event::Sendable
                    | Event::Reconnected,
                ) => {}
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        result
    }

    /// Closes the connection, and prints the summary.
    pub(super) fn end(
        mut self,
        result: Result<Exit>,
        summary: SummaryPrinter,
        verbosity: Verbosity,
    ) -> Result<Exit> {
        let result = result
            .map_err(|error| {
                crate::command::while_doing(error, || {
                    format!("subscribed at {}", self.client.options().endpoint)
                })
            })
            .and_then(|exit| self.finish_removals(exit).map(|()| exit));
        if matches!(result, Ok(Exit::TimedOut)) {
            self.client.hurry();
        }
        // No message can be lost any more.
        let result = crate::command::close_receiver(&mut self.client, result);
        let latency = self.receiver.latency.as_ref();
        summary.print(self.signalled, |took| RunSummary {
            verb: "received",
            messages: self.receiver.written.messages,
            bytes: self.receiver.written.bytes,
            refused: None,
            took,
            times: latency.map(|latency| ("latency", latency.times())),
        });
        if let Some(latency) = latency.filter(|_| verbosity.warns()) {
            latency.explain();
        }
        let denied = if self.denied { Exit::Denied } else { Exit::Done };
        let failed = if self.receiver.sink.has_failed() { Exit::Local } else { Exit::Done };
        Ok(worse(result?, worse(denied, failed)))
    }

    /// Waits until the broker has removed the retained messages that were written.
    fn finish_removals(&mut self, exit: Exit) -> Result<()> {
        if self.receiver.removals.is_none() || matches!(exit, Exit::Signal(_)) {
            return Ok(());
        }
        self.client.pause_reading(false);
        let deadline = Instant::now() + self.client.options().connect_timeout;
        loop {
            let Some(removals) = &mut self.receiver.removals else { return Ok(()) };
            removals.publish(&mut self.client);
            if removals.is_done(&self.client) {
                return Ok(());
            }
            match self.client.next(Some(deadline)).context("removing retained messages")? {
                Event::Alarm => {
                    anyhow::bail!("removing retained messages: the broker does not answer")
                }
                Event::Interrupted(_) => return Ok(()),
                Event::Mqtt(session::Event::Acknowledged { code, .. }) if code.is_error() => {
                    self.denied = true;
                }
                Event::Mqtt(_)
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
        }
    }

    /// The time is up for the commands, too.
    fn terminate_commands(&mut self) {
        if let Sink::Commands(exec) = &mut self.receiver.sink {
            exec.terminate();
        }
    }

    /// Waits until every command has ended, and every answer is on its way.
    fn finish_commands(&mut self, mut result: Result<Exit>) -> Result<Exit> {
        self.settle_commands();
        match result {
            Ok(Exit::Done) => {}
            Ok(Exit::TimedOut) => self.terminate_commands(),
            _ => self.stop_commands(),
        }
        loop {
            if result.is_err() {
                // They have nowhere to go.
                self.forget_replies();
            }
            if self.receiver.sink.is_done() {
                break;
            }
            let alarm =
                if let Sink::Commands(exec) = &self.receiver.sink { exec.kill_at } else { None };
            // Only acknowledgements of replies are of interest any more.
            self.client.pause_reading(!self.replies() || self.receiver.sink.is_full());
            result = match self.client.next(alarm) {
                Ok(event) => self.finish_command(&event, result),
                // Nothing can be acknowledged any more; those that run end all the same.
                Err(error) => {
                    self.stop_commands();
                    result.and(Err(error.into()))
                }
            };
        }
        self.await_replies(result)
    }

    fn finish_command(&mut self, event: &Event, result: Result<Exit>) -> Result<Exit> {
        match *event {
            Event::Interrupted(signal) => {
                self.interrupt_commands(signal);
                return result
                    .map(|exit| if exit == Exit::Done { self.interrupted(signal) } else { exit });
            }
            Event::Alarm => {
                if let Sink::Commands(exec) = &mut self.receiver.sink {
                    exec.kill();
                }
                self.forget_replies();
            }
            Event::Mqtt(session::Event::Acknowledged { token: record, code, .. }) => {
                self.acknowledged(record, code);
            }
            Event::Mqtt(session::Event::InDoubt { .. }) => self.in_doubt(),
            Event::Mqtt(_)
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
        match self.look_at_commands() {
            Some(exit) => result.map(|before| worse(before, exit)),
            None => result,
        }
    }

    fn stop_commands(&mut self) {
        if let Sink::Commands(exec) = &mut self.receiver.sink {
            exec.commands.stop();
        }
    }

    fn replies(&self) -> bool {
        matches!(&self.receiver.sink, Sink::Commands(exec) if exec.reply)
    }

    fn forget_replies(&mut self) {
        if let Sink::Commands(exec) = &mut self.receiver.sink {
            exec.replies.clear();
        }
    }

    /// Waits for the acknowledgements of the answers.
    fn await_replies(&mut self, result: Result<Exit>) -> Result<Exit> {
        let is_wanted = self.replies() && !matches!(result, Err(_) | Ok(Exit::Signal(_)));
        if !is_wanted {
            return result;
        }
        self.client.pause_reading(false);
        let deadline = Instant::now() + self.client.options().connect_timeout;
        while !self.client.is_settled() {
            match self.client.next(Some(deadline)).context("replying")? {
                Event::Alarm => anyhow::bail!("replying: the broker does not acknowledge"),
                Event::Interrupted(_) => break,
                Event::Mqtt(session::Event::Acknowledged { token: record, code, .. }) => {
                    self.acknowledged(record, code);
                }
                Event::Mqtt(session::Event::InDoubt { .. }) => self.in_doubt(),
                Event::Mqtt(_)
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
        }
        result
    }
}
