//! The lifecycle of a connection under every input in every state: it ends when the caller asks,
//! the end is reported once, no deadline stays in the past, and what comes from this machine is
//! never swallowed.

use std::io;
use std::time::{Duration, Instant};

use super::choices::Choices;
use crate::client::lifecycle::{
    Action, ConnectionInput, CredentialsAsked, Lifecycle, LossFacts, Policy, ServerNaming,
    SessionFound, SessionRemains,
};
use crate::client::{Error, Event, Leaving, Reconnect, RedirectPolicy, Step, VersionChoice};
use crate::mqtt::packet::{ConnAck, Disconnect};
use crate::mqtt::property::Properties;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;
use crate::transport::dial::{AddressSource, DialError, FailedAttempt};
use crate::transport::endpoint::Endpoint;
use crate::transport::{self, Phase};
use crate::websocket::WebSocketError;
use crate::websocket::upgrade::{HttpResponse, Location, UpgradeError};

/// The most inputs, and the most actions that may follow one of them.
const STEPS: usize = 300;
const ACTIONS: usize = 16;

/// How many deadlines may pass before a connection that is to end has ended.
const DEADLINES: usize = 60;

pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut world = World::new(&mut choices);
    world.feed(ConnectionInput::Connect);
    for number in 0..STEPS as u64 {
        if choices.is_empty() || world.ends > 0 {
            break;
        }
        world.now += Duration::from_millis(u64::from(choices.byte()) * 16);
        world.step(&mut choices, number);
    }
    world.end();
}

struct World {
    lifecycle: Lifecycle,
    now: Instant,
    connect_timeout: Duration,
    /// How often the end was reported, as an error or as [`Event::Closed`].
    ends: usize,
    closes: bool,
    /// Something is to be reported as a failure.
    has_expired: bool,
}

impl World {
    fn new(choices: &mut Choices<'_>) -> Self {
        let addresses =
            ["ws://a/mqtt", "wss://b:9/x?y"].map(|url| Endpoint::parse(url).expect("a URL"));
        let versions = [Version::V5, Version::V3_1_1, Version::V3_1];
        let connect_timeout = Duration::from_secs(choices.of(&[12, 1, 60]));
        let policy = Policy {
            addresses: addresses[..=choices.below(2)].to_vec(),
            subprotocols: choices.of(&[None, Some(vec!["x".to_owned()]), Some(Vec::new())]),
            versions: versions[..=choices.below(3)].to_vec(),
            version_choice: choices.of(&[
                VersionChoice::Ours,
                VersionChoice::Asked,
                VersionChoice::NeededBy("--x"),
            ]),
            redirects: choices.of(&[RedirectPolicy::Report, RedirectPolicy::Follow]),
            credentials: CredentialsAsked::Never,
            identifying: choices.of(&[Vec::new(), vec!["the password"]]),
            connect_timeout,
            wait: Duration::from_secs(choices.of(&[0, 0, 3, 100])),
            retry: Reconnect {
                shortest: Duration::from_millis(choices.of(&[1000, 0, 50])),
                longest: Duration::from_secs(30),
                tries: choices.of(&[None, Some(0), Some(1), Some(3)]),
            },
            leaving: choices.of(&[
                Leaving::Disconnect,
                Leaving::DisconnectWithWill,
                Leaving::Reset,
            ]),
            naming: choices.of(&[ServerNaming::WhenChanged, ServerNaming::Always]),
        };
        let lifecycle = Lifecycle::new(policy, u64::from(choices.byte()));
        Self {
            lifecycle,
            now: Instant::now(),
            connect_timeout,
            ends: 0,
            closes: false,
            has_expired: false,
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>, number: u64) {
        if self.has_expired {
            self.report_expiry();
            return;
        }
        match choices.below(20) {
            untried @ (0 | 1) => self.feed(ConnectionInput::Dialled { untried }),
            2 | 3 => self.feed(ConnectionInput::Opened),
            4 | 5 => {
                let found =
                    choices.of(&[SessionFound::New, SessionFound::Resumed, SessionFound::Stale]);
                self.feed(ConnectionInput::Accepted(found));
            }
            6..9 => {
                let (error, facts) = (error(choices), facts(choices, self.now));
                self.feed(ConnectionInput::Failed(error, facts));
            }
            9 => self.feed(ConnectionInput::WriteFailed(write_error())),
            10 => self.feed(ConnectionInput::Received),
            11 => self.feed(ConnectionInput::Taken),
            12 => self.feed(ConnectionInput::Sent),
            13 => self.local(Event::Written(number)),
            14 => self.local(Event::Woken),
            15 => self.signal(choices.of(&[1, 2, 15])),
            16 => self.feed(ConnectionInput::ShortenClose),
            17 if choices.below(8) == 0 => self.close(choices.of(&REMAINS)),
            18 => {
                if choices.flag() {
                    self.lifecycle.note_progress();
                } else {
                    self.lifecycle.note_acknowledgement();
                }
            }
            _ => self.pass(),
        }
    }

    fn feed(&mut self, input: ConnectionInput) {
        self.actions_of(input);
    }

    /// Gives one input, and looks at all that is to be done about it.
    fn actions_of(&mut self, input: ConnectionInput) -> Vec<Action> {
        let words = format!("{input:?}");
        self.lifecycle.handle(input, self.now);
        let actions: Vec<Action> = std::iter::from_fn(|| self.lifecycle.action()).collect();
        assert!(actions.len() <= ACTIONS, "{words}: {actions:?}");
        for action in &actions {
            match action {
                Action::Event(Event::Closed(_)) => {
                    assert!(self.closes, "{words}: nobody asked for {actions:?}");
                    self.ends += 1;
                }
                Action::Fail(_) => self.ends += 1,
                Action::Expire => self.has_expired = true,
                Action::Dial(plan) => {
                    self.has_expired = false;
                    assert!(plan.deadline <= self.now + self.connect_timeout, "{words}: {plan:?}");
                }
                Action::Warn(line) | Action::Trace(line) => assert!(line.len() < 1000, "{line}"),
                _ => {}
            }
        }
        assert!(self.ends <= 1, "{words}: the end is reported again: {actions:?}");
        if self.ends == 0 {
            let waits = self.lifecycle.deadline().is_some() || self.has_expired;
            let is_still = self.lifecycle.is_online() || self.lifecycle.is_sending_disconnect();
            assert!(waits || is_still, "{words}: nothing is waited for");
        }
        actions
    }

    /// What comes from this machine is handed on as it is.
    fn local(&mut self, event: Event) {
        let expected = format!(
            "{:?}",
            [Action::Event(match &event {
                Event::Written(number) => Event::Written(*number),
                _ => Event::Woken,
            })]
        );
        assert_eq!(format!("{:?}", self.actions_of(ConnectionInput::Local(event))), expected);
    }

    fn signal(&mut self, signal: i32) {
        let actions = self.actions_of(ConnectionInput::Signal(signal));
        let is_it =
            |it: &Action| matches!(it, Action::Event(Event::Interrupted(n)) if *n == signal);
        assert_eq!(actions.iter().filter(|action| is_it(action)).count(), 1, "{actions:?}");
    }

    fn close(&mut self, remains: SessionRemains) {
        self.closes = true;
        self.feed(ConnectionInput::Close(remains));
    }

    /// The next deadline passes: something comes of it, and it is not due again.
    fn pass(&mut self) {
        let Some(deadline) = self.lifecycle.deadline() else { return };
        self.now = self.now.max(deadline);
        for _ in 0..8 {
            self.feed(ConnectionInput::Time(LossFacts::default()));
            if self.has_expired
                || self.lifecycle.deadline().is_none_or(|deadline| deadline > self.now)
            {
                return;
            }
        }
        panic!("a deadline stays in the past");
    }

    fn report_expiry(&mut self) {
        self.has_expired = false;
        let error = Error::ConnectTimedOut {
            step: Step::ConnAck,
            after: self.connect_timeout,
            tried: None,
        };
        self.feed(ConnectionInput::Failed(error, LossFacts::default()));
    }

    /// A caller that wants the end gets it, once.
    fn end(&mut self) {
        if self.ends > 0 && self.closes {
            return;
        }
        // After an error the caller may still end the session at the server.
        let begun = self.ends;
        self.ends = 0;
        if !self.closes || begun > 0 {
            self.close(SessionRemains::Always);
        }
        for _ in 0..DEADLINES {
            if self.ends > 0 {
                return;
            }
            if self.has_expired {
                self.report_expiry();
            } else if self.lifecycle.is_sending_disconnect() {
                self.feed(ConnectionInput::Sent);
            } else {
                self.pass();
            }
        }
        panic!("it does not end: {:?}", self.lifecycle);
    }
}

const REMAINS: [SessionRemains; 3] =
    [SessionRemains::Nothing, SessionRemains::WithoutDisconnect, SessionRemains::Always];

fn write_error() -> transport::Error {
    transport::Error::Io { phase: Phase::Open, source: io::ErrorKind::BrokenPipe.into() }
}

fn facts(choices: &mut Choices<'_>, now: Instant) -> LossFacts {
    LossFacts {
        is_cut: choices.below(8) == 0,
        sent: choices.of(&[None, Some(now)]),
        traffic: choices.of(&[None, Some(now)]),
        is_subscriber: choices.flag(),
        ..LossFacts::default()
    }
}

/// One of what may happen to a connection.
fn error(choices: &mut Choices<'_>) -> Error {
    let ended = || transport::Error::Ended { cause: None };
    let answer = |status, location: Option<&str>| {
        let location = location.map(|to| Location { target: to.to_owned(), shown: to.to_owned() });
        let refusal = HttpResponse { status, location, ..HttpResponse::default() };
        Error::Transport(UpgradeError::Status(Box::new(refusal)).into())
    };
    match choices.below(12) {
        0 => Error::Lost(ended()),
        1 => Error::Lost(transport::Error::Ended {
            cause: Some(io::ErrorKind::ConnectionReset.into()),
        }),
        2 => Error::Lost(
            WebSocketError::Closed {
                code: Some(choices.of(&[1000, 1001, 1008, 1009, 1013])),
                reason: String::new(),
            }
            .into(),
        ),
        3 => Error::RefusedSilently(ended()),
        4 => Error::Disconnected(Box::new(Disconnect {
            code: ReasonCode(choices.byte()),
            properties: Properties::default(),
        })),
        5 => {
            let connack = ConnAck {
                session_present: false,
                code: ReasonCode(choices.byte()),
                properties: Properties::default(),
            };
            Error::Refused { connack: Box::new(connack), version: Version::V5, needed_by: None }
        }
        6 => {
            let error = io::ErrorKind::ConnectionRefused.into();
            let attempts = vec![FailedAttempt { address: ([192, 0, 2, 1], 80).into(), error }];
            let source = AddressSource::LookedUp;
            Error::Unreached(DialError::Connect { attempts, timed_out: choices.flag(), source })
        }
        7 => answer(
            choices.of(&[302, 307]),
            Some(choices.of(&["ws://c/", "/x", "//a:9/y", "http://", "wss://a/mqtt"])),
        ),
        8 => answer(choices.of(&[400, 401, 404, 429, 502, 503, 101]), None),
        9 => Error::ConnectTimedOut {
            step: Step::ConnAck,
            after: Duration::from_secs(12),
            tried: None,
        },
        10 => Error::Transport(ended()),
        _ => Error::Local(io::ErrorKind::OutOfMemory.into()),
    }
}
