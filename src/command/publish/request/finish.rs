//! The end of a run of requests: the last answers are written, and the connection is closed.

use std::time::Instant;

use anyhow::Result;

use super::Requester;
use crate::client::Event;
use crate::command::{self, summary::SummaryPrinter};
use crate::exit::{Exit, worse};
use crate::format::summary::RunSummary;

impl Requester {
    /// Waits until every answer is written, so that it is acknowledged, too.
    pub(super) fn finish_output(&mut self, mut result: Result<Exit>) -> Result<Exit> {
        self.output.flush();
        self.client.pause_reading(true);
        let hurry = matches!(result, Ok(Exit::Signal(_)));
        let deadline = hurry.then(|| Instant::now() + command::LAST_WRITE);
        while !self.output.is_done() {
            match self.client.next(deadline) {
                Ok(Event::Interrupted(signal)) => {
                    return result.map(|_| Exit::Signal(signal.into()));
                }
                Ok(Event::Alarm) => break,
                Ok(event) => result = self.finish_with(event, result),
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        result
    }

    /// What an event means for the result while the last answers are written.
    fn finish_with(&mut self, event: Event, result: Result<Exit>) -> Result<Exit> {
        match event {
            Event::Written(number) => self.output.written(number),
            Event::OutputFailed(error) => {
                self.output.abandon();
                return result
                    .and_then(|exit| command::output_failed(error, "stdout").map(|_| exit));
            }
            Event::Mqtt(event) => {
                let before = self.exit;
                self.handed_over(event);
                if self.exit != before {
                    return result.map(|exit| worse(exit, self.exit));
                }
            }
            // Nothing more is read or asked.
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
    pub(super) fn end(mut self, result: Result<Exit>, summary: &SummaryPrinter) -> Result<Exit> {
        let context = self.context();
        if matches!(result, Ok(Exit::TimedOut)) {
            self.client.shorten_close();
        }
        // Every answer is there; no message can be lost any more.
        let result = command::close_receiver(&mut self.client, result)
            .map_err(|error| command::while_connected(error, context, &self.client));
        let exit = command::with_earlier(result, self.exit)?;
        summary.print(false, |took| RunSummary {
            verb: "answered",
            messages: self.answers.latency.count(),
            bytes: self.answers.bytes,
            refused: None,
            took,
            times: Some(("latency", &self.answers.latency)),
        });
        Ok(exit)
    }
}
