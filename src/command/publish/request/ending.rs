//! How `pub --request` ends: every answer is written before the goodbye. It must never know what is
//! asked.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Requester;
use crate::cli::value::Summary;
use crate::client::Event;
use crate::command::telling::Telling;
use crate::exit::Exit;
use crate::format::summary::RunSummary;

/// How long the output may take to write the last answers when the user has no time.
const LAST_WRITE: Duration = Duration::from_millis(250);

impl Requester<'_> {
    /// Waits until every answer is written, so that it is acknowledged, too.
    pub(super) fn finish_output(&mut self, mut result: Result<Exit>) -> Result<Exit> {
        self.output.flush();
        self.client.hold(true);
        let hurry = matches!(result, Ok(Exit::Signal(_)));
        let deadline = hurry.then(|| Instant::now() + LAST_WRITE);
        while !self.output.is_done() {
            let event = match &result {
                Ok(_) => self.client.next(deadline),
                Err(_) => Ok(self.client.await_output(deadline).unwrap_or(Event::Alarm)),
            };
            match event {
                Ok(Event::Written(number)) => self.output.written(number),
                Ok(Event::OutputFailed(error)) => {
                    self.output.abandon();
                    result = result.and_then(|exit| output_failed(error).map(|_| exit));
                }
                Ok(Event::Interrupted(signal)) => {
                    return result.map(|_| Exit::Signal(signal.into()));
                }
                Ok(Event::Alarm) => break,
                Ok(_) => {}
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        result
    }

    /// Ends the connection, and says what came of it.
    pub(super) fn end(self, result: Result<Exit>, began: Instant) -> Result<Exit> {
        let context = self.context();
        let exit = match result {
            Ok(exit) => exit,
            Err(error) => {
                crate::command::leave(self.client, &error);
                return Err(crate::command::while_doing(error, || context));
            }
        };
        // Every answer is there; nothing of ours can be lost any more.
        let _ = self.client.close();
        let form = self.args.summary.or(self.args.latency.then_some(Summary::Text));
        Telling::new(form, self.args.conversation.is_quiet(), began).end(false, |took| {
            RunSummary {
                verb: "answered",
                messages: self.latency.count(),
                bytes: self.bytes,
                refused: None,
                took,
                times: Some(("latency", &self.latency)),
            }
        });
        Ok(exit)
    }
}

/// A reader that has seen enough is no failure.
pub(super) fn output_failed(error: io::Error) -> Result<Exit> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Ok(Exit::Done)
    } else {
        Err(error).context("writing to stdout")
    }
}
