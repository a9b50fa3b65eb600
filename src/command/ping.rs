//! `ping`: what was reached and how long each step took, then a PINGREQ at a time and how long its answer
//! took.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cli;
use crate::client::{Client, Error, Established, Event};
use crate::mqtt::session;
use crate::report::{self, Exit};
use crate::terminal::output::print_line;
use crate::terminal::statistics::{Statistics, milliseconds};

/// Runs `mqttws ping`.
pub fn run(args: &cli::Ping) -> Result<Exit> {
    let options = args.connection.resolve()?;
    let url = options.endpoint.to_string();
    let (client, established) = super::connect(options)?;
    let began = Instant::now();
    let target = established.address.to_string();
    let mut pinger = Pinger { client, args, target, sent: 0, late: 0, statistics: Statistics::default() };
    if !print_line(&describe(&url, &established))? {
        return Ok(Exit::Done);
    }
    let end = pinger.run();
    let listening = pinger.print_summary(&url, began.elapsed())?;
    let exit = match end.with_context(|| format!("pinging {url}"))? {
        // Without a reader nothing more was asked.
        End::NoReader => Exit::Done,
        _ if !listening => Exit::Done,
        End::Interrupted(signal) if args.count.is_some() => Exit::Signal(signal),
        End::Interrupted(_) if pinger.sent == 0 => Exit::Done,
        _ if pinger.statistics.is_empty() => {
            let patience = args.timeout.as_secs_f64();
            report::failure(&format!("pinging {url}: no probe was answered within {patience} s"));
            Exit::TimedOut
        }
        _ => Exit::Done,
    };
    // Nothing of ours can be lost any more.
    let _ = pinger.client.close();
    Ok(exit)
}

/// The line of phases.
fn describe(url: &str, established: &Established) -> String {
    let Established { address, facts, version, timings, .. } = established;
    let subprotocol = facts.subprotocol.as_deref().unwrap_or("none");
    let tls = facts.tls.as_ref().map(|tls| format!(", {}", tls.version)).unwrap_or_default();
    let steps = [
        ("name", Some(timings.name)),
        ("tcp", Some(timings.tcp)),
        ("proxy", timings.proxy),
        ("tls", timings.tls),
        ("upgrade", Some(timings.upgrade)),
        ("connack", Some(timings.connack)),
    ];
    let steps = steps.iter().filter_map(|(name, time)| Some(format!("{name} {}", milliseconds((*time)?))));
    let steps = steps.collect::<Vec<_>>().join(", ");
    format!("PING {url} ({address}{tls}, subprotocol {subprotocol}, MQTT {version}): {steps}")
}

/// Why there are no more probes.
enum End {
    /// As many as were asked for.
    Done,
    /// The reader of our output has gone.
    NoReader,
    /// A signal came.
    Interrupted(i32),
}

struct Pinger<'a> {
    client: Client,
    args: &'a cli::Ping,
    target: String,
    sent: u64,
    /// Answers that come after their time was up are not taken for those of later probes.
    late: u64,
    statistics: Statistics,
}

impl Pinger<'_> {
    fn run(&mut self) -> Result<End> {
        loop {
            let began = Instant::now();
            let answer = match self.probe(began) {
                Ok(answer) => answer,
                Err(Error::Interrupted(signal)) => return Ok(End::Interrupted(signal)),
                Err(error) => return Err(error.into()),
            };
            if !self.tell(answer)? {
                return Ok(End::NoReader);
            }
            if Some(self.sent) == self.args.count {
                return Ok(End::Done);
            }
            if let Some(signal) = self.pause(began + self.args.interval)? {
                return Ok(End::Interrupted(signal));
            }
        }
    }

    /// Sends a PINGREQ and waits for its answer; `None` when its time is up.
    fn probe(&mut self, began: Instant) -> Result<Option<Duration>, Error> {
        self.sent += 1;
        self.client.ping();
        loop {
            match self.client.next(Some(began + self.args.timeout))? {
                Event::Mqtt(session::Event::Pong) if self.late > 0 => self.late -= 1,
                Event::Mqtt(session::Event::Pong) => return Ok(Some(began.elapsed())),
                // Neither this answer nor a late one will come on the new connection.
                Event::Reconnected => {
                    self.late = 0;
                    return Ok(None);
                }
                Event::Alarm => {
                    self.late += 1;
                    return Ok(None);
                }
                Event::Interrupted(signal) => return Err(Error::Interrupted(signal)),
                _ => {}
            }
        }
    }

    fn tell(&mut self, answer: Option<Duration>) -> Result<bool> {
        let line = match answer {
            Some(time) => {
                self.statistics.add(time);
                format!("answer from {}: seq={} time={}", self.target, self.sent, milliseconds(time))
            }
            None => format!("no answer from {}: seq={}", self.target, self.sent),
        };
        if self.args.connection.is_quiet() { Ok(true) } else { Ok(print_line(&line)?) }
    }

    /// Waits for the time of the next probe; a signal ends it.
    fn pause(&mut self, until: Instant) -> Result<Option<i32>> {
        loop {
            match self.client.next(Some(until))? {
                Event::Alarm => return Ok(None),
                Event::Interrupted(signal) => return Ok(Some(signal)),
                Event::Mqtt(session::Event::Pong) => self.late = self.late.saturating_sub(1),
                Event::Reconnected => self.late = 0,
                _ => {}
            }
        }
    }

    fn print_summary(&self, url: &str, elapsed: Duration) -> Result<bool> {
        let answered = self.statistics.count();
        let lost = ((self.sent - answered) * 100).checked_div(self.sent).unwrap_or(0);
        let total = milliseconds(elapsed);
        let counts = format!("{} sent, {answered} answered, {lost}% lost, time {total}", self.sent);
        let lines = [Some(format!("--- {url} ---")), Some(counts), self.statistics.summary()];
        Ok(print_line(&lines.into_iter().flatten().collect::<Vec<_>>().join("\n"))?)
    }
}
