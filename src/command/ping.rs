//! `ping`: what was reached and how long each step took, then a PINGREQ at a time and how long its
//! answer took.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::BytesMut;

use crate::cli;
use crate::cli::ping::Via;
use crate::client::{Client, Error, Established, Event};
use crate::exit::Exit;
use crate::format::statistics::{Statistics, milliseconds};
use crate::mqtt::packet::{Publish, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::session;
use crate::mqtt::topic::{TopicFilter, TopicName};
use crate::report;
use crate::stdio::lines::Lines;
use crate::terminal::screen;

/// Runs `mqttws ping`.
pub fn run(args: &cli::Ping) -> Result<Exit> {
    let mut options = args.connection.resolve()?;
    // Nobody has asked for messages but our own.
    options.session.receiving.parts_above =
        Some(super::LARGE_MESSAGE.saturating_add(args.size as usize));
    let url = options.endpoint.to_string();
    let (client, established) = super::connect(options, None)?;
    let began = Instant::now();
    let target = established.address.to_string();
    let topic = own_topic(&client)?;
    let mut pinger = Pinger {
        client,
        args,
        target,
        topic,
        sent: 0,
        late: 0,
        statistics: Statistics::default(),
        lines: Lines::new(),
    };
    if !super::print(&describe(&url, &established))? {
        return Ok(Exit::Done);
    }
    let is_granted = if args.via == Via::Publish { pinger.subscribe() } else { Ok(true) };
    match is_granted {
        Ok(true) => {}
        Ok(false) => {
            let _ = pinger.client.close();
            return Ok(Exit::Denied);
        }
        Err(error) => {
            let error = super::while_doing(error.into(), || format!("pinging {url}"));
            super::leave(pinger.client, &error);
            return Err(error);
        }
    }
    let end = pinger.run();
    if matches!(end, Ok(End::Interrupted(_))) {
        screen::begin_line(false);
    }
    let elapsed = began.elapsed();
    let listening = pinger.write_lines()? && pinger.print_summary(&url, elapsed)?;
    let exit = match end.with_context(|| format!("pinging {url}"))? {
        // Without a reader nothing more was asked.
        End::NoReader => Exit::Done,
        _ if !listening => Exit::Done,
        End::Interrupted(signal) if args.count.is_some() => Exit::Signal(signal),
        _ if pinger.statistics.is_empty() => {
            report::failure(&format!("pinging {url}: no probe was answered"));
            Exit::TimedOut
        }
        _ => Exit::Done,
    };
    // Nothing of ours can be lost any more.
    let _ = pinger.client.close();
    Ok(exit)
}

/// Where the messages of `--via publish` go, and come back from.
fn own_topic(client: &Client) -> Result<TopicName> {
    let id = client.session().config().client_id.replace(['+', '#', '\0'], "_");
    Ok(TopicName::new(format!("mqttws/ping/{id}"))?)
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
    let steps =
        steps.iter().filter_map(|(name, time)| Some(format!("{name} {}", milliseconds((*time)?))));
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
    topic: TopicName,
    sent: u64,
    /// Answers that come after their time was up are not taken for those of later probes.
    late: u64,
    statistics: Statistics,
    /// What was not printed yet: probes that follow each other without a pause share a write.
    lines: Lines,
}

/// What became of a probe.
enum Probe {
    /// Its answer came.
    Answered(Instant),
    /// It did not.
    Missed,
    /// It does not matter any more.
    Ended(End),
}

impl Pinger<'_> {
    fn run(&mut self) -> Result<End> {
        loop {
            let began = Instant::now();
            let (answer, now) = match self.probe(began)? {
                Probe::Answered(at) => (Some(at - began), at),
                Probe::Missed => (None, Instant::now()),
                Probe::Ended(end) => return Ok(end),
            };
            self.tell(answer, now);
            if Some(self.sent) == self.args.count {
                return Ok(End::Done);
            }
            let next = began + self.args.interval;
            let is_due = self.lines.deadline().is_some_and(|deadline| deadline <= now);
            if (is_due || next > now) && !self.write_lines()? {
                return Ok(End::NoReader);
            }
            if next > now
                && let Some(signal) = self.pause(next)?
            {
                return Ok(End::Interrupted(signal));
            }
        }
    }

    /// Sends a PINGREQ and waits for its answer, as long as it may take.
    fn probe(&mut self, began: Instant) -> Result<Probe> {
        self.sent += 1;
        self.send_probe();
        let until = began + self.args.timeout;
        loop {
            let event = self.client.next_reminded(Some(until), self.lines.deadline())?;
            if self.is_answer(&event) {
                return Ok(Probe::Answered(Instant::now()));
            }
            if matches!(event, Event::Alarm) && Instant::now() < until {
                if !self.write_lines()? {
                    return Ok(Probe::Ended(End::NoReader));
                }
                continue;
            }
            match event {
                // Neither this answer nor a late one will come on the new connection.
                Event::Reconnected => {
                    self.late = 0;
                    return Ok(Probe::Missed);
                }
                Event::Alarm => {
                    self.late += 1;
                    return Ok(Probe::Missed);
                }
                Event::Interrupted(signal) => return Ok(Probe::Ended(End::Interrupted(signal))),
                _ => {}
            }
        }
    }

    fn send_probe(&mut self) {
        match self.args.via {
            Via::Mqtt => self.client.ping(),
            Via::Websocket => self.client.ping_websocket(),
            Via::Publish => {
                let mut payload = BytesMut::zeroed(self.args.size as usize);
                payload[..8].copy_from_slice(&self.sent.to_be_bytes());
                let publish = Publish {
                    qos: self.args.qos,
                    ..Publish::new(self.topic.clone(), payload.freeze())
                };
                // While the connection is lost, or if the broker does not take it, there is no
                // answer.
                if self.client.can_publish(self.args.qos) {
                    let _ = self.client.publish(publish, self.sent);
                }
            }
        }
    }

    /// Whether this answers the latest probe.
    fn is_answer(&mut self, event: &Event) -> bool {
        match (self.args.via, event) {
            (Via::Mqtt, Event::Mqtt(session::Event::Pong))
            | (Via::Websocket, Event::WebSocketPong) => {
                let late = self.late > 0;
                self.late -= u64::from(late);
                !late
            }
            (Via::Publish, Event::Mqtt(session::Event::Message(delivery))) => {
                self.client.settle(delivery.number);
                delivery.publish.payload.get(..8) == Some(&self.sent.to_be_bytes())
            }
            _ => false,
        }
    }

    /// Subscribes to the topic of our own; whether the broker lets us.
    fn subscribe(&mut self) -> Result<bool, Error> {
        let filter = TopicFilter::new(self.topic.as_str().to_owned());
        let Ok(filter) = filter else { return Ok(false) };
        self.client
            .subscribe(vec![Subscription::new(filter, self.args.qos)], Properties::default());
        let deadline = Instant::now() + self.args.timeout;
        loop {
            match self.client.next(Some(deadline))? {
                Event::Mqtt(session::Event::Subscribed(suback)) => {
                    let refused = suback.codes.iter().find(|code| code.is_error());
                    if let Some(code) = refused {
                        report::failure(&format!("subscribing to {}: refused: {code}", self.topic));
                    }
                    return Ok(refused.is_none());
                }
                Event::Interrupted(signal) => return Err(Error::Interrupted(signal)),
                Event::Alarm => {
                    let what = format!("subscribing to {}", self.topic);
                    return Err(Error::Unanswered { what, after: self.args.timeout });
                }
                _ => {}
            }
        }
    }

    fn tell(&mut self, answer: Option<Duration>, now: Instant) {
        let line = match answer {
            Some(time) => {
                self.statistics.add(time);
                format!(
                    "answer from {}: seq={} time={}",
                    self.target,
                    self.sent,
                    milliseconds(time)
                )
            }
            None => format!("no answer from {}: seq={}", self.target, self.sent),
        };
        if !self.args.connection.is_quiet() {
            self.lines.add(&line, now);
        }
    }

    /// Prints what waits; whether anybody still reads it.
    fn write_lines(&mut self) -> Result<bool> {
        self.lines.write().context("writing to stdout")
    }

    /// Waits for the time of the next probe; a signal ends it.
    fn pause(&mut self, until: Instant) -> Result<Option<i32>> {
        loop {
            match self.client.next(Some(until))? {
                Event::Alarm => return Ok(None),
                Event::Interrupted(signal) => return Ok(Some(signal)),
                Event::Reconnected => self.late = 0,
                event => drop(self.is_answer(&event)),
            }
        }
    }

    fn print_summary(&self, url: &str, elapsed: Duration) -> Result<bool> {
        let answered = self.statistics.count();
        let lost = ((self.sent - answered) * 100).checked_div(self.sent).unwrap_or(0);
        let total = milliseconds(elapsed);
        let counts = format!("{} sent, {answered} answered, {lost}% lost, time {total}", self.sent);
        let lines = [Some(format!("--- {url} ---")), Some(counts), self.statistics.summary()];
        super::print(&lines.into_iter().flatten().collect::<Vec<_>>().join("\n"))
    }
}
