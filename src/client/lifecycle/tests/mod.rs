//! The lifecycle in virtual time: a table of states and inputs, and what the rules of each part
//! promise.

mod closing;
mod connecting;
mod random;
mod renewal;
mod repeated;
mod round;
mod standstill;
mod table;
mod temporary;
mod waiting;

use std::io;
use std::time::{Duration, Instant};

use super::*;
use crate::client::error::Unacknowledged;
use crate::client::options::Leaving;
use crate::client::{Reconnect, RedirectPolicy, VersionChoice};
use crate::mqtt::packet::{ConnAck, Disconnect};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;
use crate::transport::dial::{AddressSource, DialError, FailedAttempt as DialAttempt};
use crate::transport::endpoint::Endpoint;
use crate::transport::tls::{CertificateFault, Fingerprint, GivenPlaces, TlsError, Untrusted};
use crate::websocket::WebSocketError;
use crate::websocket::upgrade::{HttpResponse, Location, UpgradeError};

/// A lifecycle and its clock.
pub struct World {
    pub lifecycle: Lifecycle,
    pub now: Instant,
    /// The actions since the last look.
    pub actions: Vec<String>,
}

pub fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url).expect("a test's own address")
}

/// As with no flag at all, but for two seconds of jitter-free pauses.
pub fn policy() -> Policy {
    Policy {
        addresses: vec![endpoint("ws://a/mqtt")],
        subprotocols: None,
        versions: vec![Version::V5, Version::V3_1_1, Version::V3_1],
        version_choice: VersionChoice::Ours,
        redirects: RedirectPolicy::Report,
        credentials: CredentialsAsked::Never,
        identifying: vec!["user name and password"],
        connect_timeout: Duration::from_secs(12),
        wait: Duration::ZERO,
        retry: Reconnect {
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            tries: None,
        },
        leaving: Leaving::Disconnect,
        naming: ServerNaming::WhenChanged,
    }
}

impl World {
    pub fn new(policy: Policy) -> Self {
        let lifecycle = Lifecycle::new(policy, 7);
        Self { lifecycle, now: Instant::now(), actions: Vec::new() }
    }

    /// Told this, what it wants.
    pub fn feed(&mut self, input: ConnectionInput) -> Vec<String> {
        self.lifecycle.handle(input, self.now);
        let actions: Vec<String> =
            std::iter::from_fn(|| self.lifecycle.action()).map(|output| words(&output)).collect();
        self.actions.extend(actions.iter().cloned());
        actions
    }

    pub fn feed_all(&mut self, inputs: impl IntoIterator<Item = ConnectionInput>) -> &mut Self {
        for input in inputs {
            self.feed(input);
        }
        self
    }

    /// Lets time pass, without telling.
    pub fn after(&mut self, milliseconds: u64) -> &mut Self {
        self.now += Duration::from_millis(milliseconds);
        self
    }

    /// Waits until the next deadline, and says so: how long it was, and what it wants.
    pub fn late(&mut self) -> (Duration, Vec<String>) {
        let deadline = self.lifecycle.deadline().expect("something is waited for");
        let waited = deadline.saturating_duration_since(self.now);
        self.now = self.now.max(deadline);
        (waited, self.feed(time()))
    }

    pub fn state(&self) -> &'static str {
        match &self.lifecycle.state {
            State::Idle => "Idle",
            State::Fetching(_) => "Fetching",
            State::Dialling(_) => "Dialling",
            State::Handshaking(_) => "Handshaking",
            State::AwaitingConnack(_) => "AwaitingConnack",
            State::Online(_) => "Online",
            State::Backoff(_) => "Backoff",
            State::ReplacingSession(..) => "ReplacingSession",
            State::Closing(_) => "Closing",
            State::Closed => "Closed",
        }
    }

    /// Connected for the first time.
    pub fn online(policy: Policy) -> Self {
        let mut world = Self::new(policy);
        world.feed_all([
            ConnectionInput::Connect,
            DIALLED,
            ConnectionInput::Opened,
            accept(SessionFound::New),
        ]);
        assert_eq!(world.state(), "Online");
        world.actions.clear();
        world
    }

    /// From a pause to a connection that is accepted again.
    pub fn reconnect(&mut self) {
        assert_eq!(self.state(), "Backoff");
        self.late();
        self.feed_all([DIALLED, ConnectionInput::Opened, accept(SessionFound::Resumed)]);
        assert_eq!(self.state(), "Online");
    }
}

/// An output in words.
pub fn words(action: &Action) -> String {
    match action {
        Action::ForgetSession(forget) => format!("forget {forget}"),
        Action::Fetch(endpoint) => format!("fetch {endpoint}"),
        Action::Dial(plan) => {
            let names = plan.subprotocols.join(",");
            let withheld =
                if plan.credentials == CredentialUse::Withhold { " withheld" } else { "" };
            format!("dial {} {} {names}{withheld}", plan.endpoint, plan.version)
        }
        Action::Connect(version) => format!("connect {version}"),
        Action::Disconnect => "disconnect".to_owned(),
        Action::Leave => "leave".to_owned(),
        Action::AskForAnswer => "ask".to_owned(),
        Action::Reset => "reset".to_owned(),
        Action::Drop => "drop".to_owned(),
        Action::Expire => "expire".to_owned(),
        Action::GiveUpSending => "give up sending".to_owned(),
        Action::Connected => "connected".to_owned(),
        Action::Event(Event::Closed(Ok(()))) => "closed".to_owned(),
        Action::Event(Event::Closed(Err(error))) => format!("closed: {error}"),
        Action::Event(event) => format!("{event:?}"),
        Action::Warn(line) => format!("warn: {line}"),
        Action::Note(line) => format!("note: {line}"),
        Action::Trace(line) => format!("trace: {line}"),
        Action::Fail(error) => format!("fail: {error}"),
    }
}

/// There is no other address of the name.
pub const DIALLED: ConnectionInput = ConnectionInput::Dialled { untried: 0 };

pub fn accept(accepted: SessionFound) -> ConnectionInput {
    ConnectionInput::Accepted(accepted)
}

pub fn time() -> ConnectionInput {
    ConnectionInput::Time(LossFacts::default())
}

pub fn fail(error: Error) -> ConnectionInput {
    ConnectionInput::Failed(error, LossFacts::default())
}

/// Credentials that last for ever.
pub fn fetched(change: CredentialChange) -> ConnectionInput {
    ConnectionInput::Fetched(Fetched { endpoint: None, change, renew_at: None })
}

/// FIN without a word.
pub fn fin() -> Error {
    Error::Lost(transport::Error::Ended { cause: None })
}

pub fn reset() -> Error {
    let cause = Some(io::ErrorKind::ConnectionReset.into());
    Error::Lost(transport::Error::Ended { cause })
}

pub fn close_frame(code: u16) -> Error {
    Error::Lost(WebSocketError::Closed { code: Some(code), reason: String::new() }.into())
}

pub fn disconnected(code: u8) -> Error {
    let (code, properties) = (ReasonCode(code), Properties::default());
    Error::Disconnected(Box::new(Disconnect { code, properties }))
}

pub fn refused(code: u8) -> Error {
    let connack = ConnAck {
        session_present: false,
        code: ReasonCode(code),
        properties: Properties::default(),
    };
    Error::Refused { connack: Box::new(connack), version: Version::V5, needed_by: None }
}

pub fn refused_silently() -> Error {
    Error::RefusedSilently(transport::Error::Ended { cause: None })
}

/// A Close frame in answer to CONNECT.
pub fn closed(code: u16, reason: &str) -> Error {
    let closed = WebSocketError::Closed { code: Some(code), reason: reason.into() };
    Error::RefusedSilently(transport::Error::WebSocket(closed))
}

pub fn unreached() -> Error {
    let address = ([192, 0, 2, 1], 80).into();
    let error = io::ErrorKind::ConnectionRefused.into();
    let attempts = vec![DialAttempt { address, error }];
    Error::Unreached(DialError::Connect {
        attempts,
        timed_out: false,
        source: AddressSource::LookedUp,
    })
}

pub fn status(status: u16) -> Error {
    let refusal = HttpResponse { status, ..HttpResponse::default() };
    Error::Transport(UpgradeError::Status(Box::new(refusal)).into())
}

pub fn redirect(location: &str) -> Error {
    let location = Some(Location { target: location.to_owned(), shown: location.to_owned() });
    let refusal = HttpResponse { status: 302, location, ..HttpResponse::default() };
    Error::Transport(UpgradeError::Status(Box::new(refusal)).into())
}

pub fn late_at(step: Step) -> Error {
    Error::ConnectTimedOut { step, after: Duration::from_secs(12), tried: None }
}

pub fn write_error() -> transport::Error {
    transport::Error::Io { phase: Phase::Open, source: io::ErrorKind::BrokenPipe.into() }
}

use crate::client::error::Step;
use crate::transport::Phase;
