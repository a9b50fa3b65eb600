//! `ping`: prints the address that was reached and the time of each step of connecting, then sends
//! probes, one at a time, and prints how long each answer took.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::BytesMut;

use crate::client::{self, Client, Error, Established, Event};
use crate::exit::{Exit, worse};
use crate::format::count::count_of;
use crate::format::statistics::{Statistics, in_milliseconds};
use crate::mqtt::packet::{Publish, SubAck, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::session;
use crate::mqtt::topic::{TopicFilter, TopicName};
use crate::report::{self, Verbosity};
use crate::stdio::lines::Lines;
use crate::terminal::screen;

/// What `ping` is asked to do.
pub struct Config {
    /// Where to connect, and how.
    pub client: client::Options,
    /// The probes.
    pub plan: ProbePlan,
    /// Which lines go to stderr.
    pub verbosity: Verbosity,
}

/// The probes to send.
#[derive(Debug, Clone, Copy)]
pub struct ProbePlan {
    /// How many are sent; `None` is without end.
    pub count: Option<u64>,
    /// The time from one probe to the next.
    pub interval: Duration,
    /// What a probe is.
    pub probe: ProbeKind,
    /// How long to wait for each answer.
    pub timeout: Duration,
}

/// What a probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    /// PINGREQ, answered by PINGRESP.
    Mqtt,
    /// A Ping of the WebSocket, answered by a Pong.
    WebSocket,
    /// A message of this QoS and size, in bytes, to a topic of our own and back.
    Publish {
        /// How it is published and subscribed to.
        qos: QoS,
        /// At least 8.
        size: usize,
    },
}

/// Runs `mqttws ping`.
pub fn run(config: Config) -> Result<Exit> {
    let Config { client: options, plan, verbosity } = config;
    let url = options.endpoint.to_string();
    let (client, established) = super::connect(options, None)?;
    let began = Instant::now();
    let target = established.address.to_string();
    let topic = super::own_topic("ping", &client.session().config().client_id)?;
    let mut pinger = Pinger {
        client,
        plan,
        verbosity,
        target,
        topic,
        sent: 0,
        late: 0,
        statistics: Statistics::default(),
        lines: Lines::new(),
    };
    let result = pinger.measure(&url, &describe(&url, &established), began);
    // No message can be lost any more.
    super::close_receiver(&mut pinger.client, result)
}

/// The line of phases.
fn describe(url: &str, established: &Established) -> String {
    let Established { address, info, version, timings, .. } = established;
    let subprotocol = info.subprotocol.as_deref().unwrap_or("none");
    let tls = info.tls.as_ref().map(|tls| format!(", {}", tls.version)).unwrap_or_default();
    let steps = [
        ("name", Some(timings.name)),
        ("tcp", Some(timings.tcp)),
        ("proxy", timings.proxy),
        ("tls", timings.tls),
        ("upgrade", Some(timings.upgrade)),
        ("connack", Some(timings.connack)),
    ];
    let steps = steps
        .iter()
        .filter_map(|(name, time)| Some(format!("{name} {}", in_milliseconds((*time)?))));
    let steps = steps.collect::<Vec<_>>().join(", ");
    format!("PING {url} ({address}{tls}, subprotocol {subprotocol}, MQTT {version}): {steps}")
}

/// Why there are no more probes.
enum PingEnd {
    /// As many as were asked for.
    Done,
    /// The reader of our output has gone.
    NoReader,
    /// A signal came.
    Interrupted(i32),
}

struct Pinger {
    client: Client,
    plan: ProbePlan,
    verbosity: Verbosity,
    target: String,
    topic: TopicName,
    sent: u64,
    /// Overdue answers that may still arrive: they do not count for later probes.
    late: u64,
    statistics: Statistics,
    /// Lines that are not printed yet: probes that follow each other without a pause share a write.
    lines: Lines,
}

/// What became of a probe.
enum Probe {
    /// Its answer came.
    Answered(Instant),
    /// It did not.
    Missed,
    /// There are no more probes.
    Ended(PingEnd),
}

impl Pinger {
    /// Subscribes before the first probe, where that is needed; whether the broker granted it.
    fn prepare(&mut self) -> Result<bool, Error> {
        match self.plan.probe {
            ProbeKind::Publish { qos, .. } => self.subscribe(qos),
            ProbeKind::Mqtt | ProbeKind::WebSocket => Ok(true),
        }
    }

    /// Prints `description`, sends all probes, and prints the summary.
    fn measure(&mut self, url: &str, description: &str, began: Instant) -> Result<Exit> {
        if !super::print(description)? {
            return Ok(Exit::Done);
        }
        let is_granted = self.prepare().map_err(|error| {
            super::while_doing(error.into(), || self.client.at_server("pinging"))
        })?;
        if !is_granted {
            return Ok(Exit::Denied);
        }
        let end = self.run();
        if matches!(end, Ok(PingEnd::Interrupted(_))) {
            screen::begin_line(false);
        }
        let elapsed = began.elapsed();
        let has_reader = !matches!(end, Ok(PingEnd::NoReader))
            && self.write_lines()?
            && self.print_summary(url, elapsed)?;
        let end = end.with_context(|| self.client.at_server("pinging"))?;
        // Without a reader nothing more was asked.
        Ok(if has_reader { self.verdict(&end, url) } else { Exit::Done })
    }

    /// The exit code of probes that ended so, and a line where none was answered.
    fn verdict(&self, end: &PingEnd, url: &str) -> Exit {
        let interrupted = match *end {
            PingEnd::Interrupted(signal) if self.plan.count.is_some() => {
                Exit::Signal(signal.into())
            }
            PingEnd::Interrupted(_) | PingEnd::Done | PingEnd::NoReader => Exit::Done,
        };
        let unanswered = if self.statistics.is_empty() { Exit::TimedOut } else { Exit::Done };
        let exit = worse(interrupted, unanswered);
        if let (Exit::Signal(_), Some(all)) = (exit, self.plan.count) {
            let probes = count_of(self.sent, all, "probe");
            report::line(&format!("pinging {url}: interrupted after {probes}"));
        }
        if exit == Exit::TimedOut {
            report::line(&format!("pinging {url}: no probe was answered"));
        }
        exit
    }

    fn run(&mut self) -> Result<PingEnd> {
        loop {
            let began = Instant::now();
            let (answer, now) = match self.probe(began)? {
                Probe::Answered(at) => (Some(at - began), at),
                Probe::Missed => (None, Instant::now()),
                Probe::Ended(end) => return Ok(end),
            };
            self.tell(answer, now);
            if Some(self.sent) == self.plan.count {
                return Ok(PingEnd::Done);
            }
            let next = began + self.plan.interval;
            let is_due = self.lines.deadline().is_some_and(|deadline| deadline <= now);
            if (is_due || next > now) && !self.write_lines()? {
                return Ok(PingEnd::NoReader);
            }
            if next > now
                && let Some(signal) = self.pause(next)?
            {
                return Ok(PingEnd::Interrupted(signal));
            }
        }
    }

    /// Sends a probe and waits for its answer, as long as it may take.
    fn probe(&mut self, began: Instant) -> Result<Probe> {
        self.sent += 1;
        self.send_probe();
        let until = began + self.plan.timeout;
        loop {
            let alarm = self.lines.deadline().map_or(until, |lines| lines.min(until));
            let event = self.client.next(Some(alarm))?;
            if matches!(event, Event::Alarm) && Instant::now() < until {
                if !self.write_lines()? {
                    return Ok(Probe::Ended(PingEnd::NoReader));
                }
            } else if let Some(probe) = self.probe_ends(&event) {
                return Ok(probe);
            }
        }
    }

    /// What became of the latest probe, if this event says so; an alarm means that its time is up.
    fn probe_ends(&mut self, event: &Event) -> Option<Probe> {
        match *event {
            _ if self.is_answer(event) => Some(Probe::Answered(Instant::now())),
            // Neither this answer nor a late one will come on the new connection.
            Event::Reconnected => {
                self.late = 0;
                Some(Probe::Missed)
            }
            Event::Alarm => {
                self.late += 1;
                Some(Probe::Missed)
            }
            Event::Interrupted(signal) => Some(Probe::Ended(PingEnd::Interrupted(signal))),
            // Answers to earlier probes, and events that do not concern `ping`.
            Event::Mqtt(_)
            | Event::WebSocketPong
            | Event::Sendable
            | Event::Input(_)
            | Event::Written(_)
            | Event::OutputFailed(_)
            | Event::Woken
            | Event::Connected(_)
            | Event::Closed(_) => None,
        }
    }

    fn send_probe(&mut self) {
        match self.plan.probe {
            ProbeKind::Mqtt => self.client.ping(),
            ProbeKind::WebSocket => self.client.ping_websocket(),
            ProbeKind::Publish { qos, size } => {
                let mut payload = BytesMut::zeroed(size);
                payload[..8].copy_from_slice(&self.sent.to_be_bytes());
                let publish = Publish { qos, ..Publish::new(self.topic.clone(), payload.freeze()) };
                // While the connection is lost, or if the broker does not take it, there is no
                // answer.
                if self.client.can_publish(qos) {
                    let _ = self.client.publish(publish, self.sent);
                }
            }
        }
    }

    /// Whether this answers the latest probe.
    fn is_answer(&mut self, event: &Event) -> bool {
        match (self.plan.probe, event) {
            (ProbeKind::Mqtt, Event::Mqtt(session::Event::Pong))
            | (ProbeKind::WebSocket, Event::WebSocketPong) => {
                let late = self.late > 0;
                self.late -= u64::from(late);
                !late
            }
            (ProbeKind::Publish { .. }, Event::Mqtt(session::Event::Message(delivery))) => {
                self.client.acknowledge_up_to(delivery.number);
                delivery.publish.payload.get(..8) == Some(&self.sent.to_be_bytes())
            }
            _ => false,
        }
    }

    /// Subscribes to the topic of our own; whether the broker lets us.
    fn subscribe(&mut self, qos: QoS) -> Result<bool, Error> {
        let filter = TopicFilter::new(self.topic.as_str().to_owned());
        let Ok(filter) = filter else { return Ok(false) };
        self.client.subscribe(vec![Subscription::new(filter, qos)], Properties::default());
        let deadline = Instant::now() + self.plan.timeout;
        loop {
            match self.client.next(Some(deadline))? {
                Event::Mqtt(session::Event::Subscribed(suback)) => {
                    return Ok(self.is_granted(&suback));
                }
                Event::Interrupted(signal) => return Err(Error::Interrupted(signal)),
                Event::Alarm => {
                    let what = format!("subscribing to {}", self.topic);
                    return Err(Error::Unanswered { what, after: self.plan.timeout });
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

    fn is_granted(&self, suback: &SubAck) -> bool {
        let refused = suback.codes.iter().find(|code| code.is_error());
        if let Some(code) = refused {
            let why = super::refusal(*code, suback.reason());
            report::line(&format!("subscribing to {}: refused: {why}", self.topic));
        }
        refused.is_none()
    }

    fn tell(&mut self, answer: Option<Duration>, now: Instant) {
        let line = match answer {
            Some(time) => {
                self.statistics.add(time);
                format!(
                    "answer from {}: seq={} time={}",
                    self.target,
                    self.sent,
                    in_milliseconds(time)
                )
            }
            None => format!("no answer from {}: seq={}", self.target, self.sent),
        };
        if self.verbosity.warns() {
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
                event @ (Event::Mqtt(_) | Event::WebSocketPong) => drop(self.is_answer(&event)),
                Event::Sendable
                | Event::Input(_)
                | Event::Written(_)
                | Event::OutputFailed(_)
                | Event::Woken
                | Event::Connected(_)
                | Event::Closed(_) => {}
            }
        }
    }

    fn print_summary(&self, url: &str, elapsed: Duration) -> Result<bool> {
        let answered = self.statistics.count();
        let lost = ((self.sent - answered) * 100).checked_div(self.sent).unwrap_or(0);
        let total = in_milliseconds(elapsed);
        let counts = format!("{} sent, {answered} answered, {lost}% lost, time {total}", self.sent);
        let lines = [Some(format!("--- {url} ---")), Some(counts), self.statistics.summary()];
        super::print(&lines.into_iter().flatten().collect::<Vec<_>>().join("\n"))
    }
}
