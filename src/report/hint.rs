//! Hints: what to do about an error, where that is not obvious from its cause.

mod certificate;
mod proxy;
#[cfg(test)]
mod tests;
mod tls;
mod upgrade;

use std::borrow::Cow;
use std::io;

use rustix::io::Errno;

use crate::client::{self, Step};
use crate::mqtt::reason::ReasonCode;
use crate::transport::dial::{DialError, FailedAttempt};
use crate::transport::proxy::ProxyError;
use crate::transport::tls::{CertificateFault, TlsError};
use crate::transport::{self, Phase};
use crate::websocket::WebSocketError;
use crate::websocket::upgrade::UpgradeError;

/// The hint of an error, if there is one.
pub fn of(error: &anyhow::Error) -> Option<Cow<'static, str>> {
    let error = error.chain().find_map(|cause| cause.downcast_ref::<client::Error>())?.root();
    match error {
        client::Error::Transport(transport::Error::Upgrade(UpgradeError::Status(refusal)))
            if refusal.status == 404 =>
        {
            Some(Cow::Owned(path_hint(&refusal.target)))
        }
        client::Error::Refused { needed_by: Some(flag), connack, .. }
            if matches!(connack.code.0, 0x01 | 0x84) =>
        {
            Some(Cow::Owned(version_5_hint(flag)))
        }
        client::Error::Repeated { number: Some(number), .. } => Some(Cow::Owned(format!(
            "{REPEATED}: correct the message, or go on with number {}",
            number + 1
        ))),
        error => match refused_certificate(error).and_then(certificate::trust_hint) {
            Some(hint) => Some(Cow::Owned(hint)),
            None => client_hint(error).map(Cow::Borrowed),
        },
    }
}

/// The fault of a certificate, of the server or of a proxy.
fn refused_certificate(error: &client::Error) -> Option<&CertificateFault> {
    match error {
        client::Error::Transport(transport::Error::Tls(TlsError::Certificate(fault))) => {
            Some(fault)
        }
        client::Error::Unreached(DialError::Proxy { error, .. }) => match &**error {
            ProxyError::Tls(TlsError::Certificate(fault)) => Some(fault),
            _ => None,
        },
        _ => None,
    }
}

/// A broker that refuses a message in this way rarely says why.
const REPEATED: &str = "the broker may forbid its topic, QoS, retain flag or size";

/// The hint where a flag needs MQTT 5, so that another version does not help.
fn version_5_hint(flag: &str) -> String {
    match flag {
        client::LONELY_PASSWORD => format!("{flag} needs MQTT 5: give one with -u"),
        flag => format!("{flag} needs MQTT 5: leave it out, or use a broker that speaks MQTT 5"),
    }
}

/// The hint that names the other paths that brokers use.
fn path_hint(target: &str) -> String {
    let asked = target.split('?').next().unwrap_or_default();
    let others: Vec<&str> =
        ["/mqtt", "/ws", "/"].into_iter().filter(|path| *path != asked).collect();
    let (last, others) = others.split_last().unwrap_or((&"/", &[]));
    format!("no WebSocket at this path: try {} or {last}", others.join(", "))
}

fn client_hint(error: &client::Error) -> Option<&'static str> {
    use client::Error;
    match error {
        Error::Unreached(error) => dial_hint(error),
        Error::Transport(
            transport::Error::Tls(error) | transport::Error::BrokenTls { error, .. },
        ) => tls::hint(error),
        Error::Transport(transport::Error::Upgrade(error)) => upgrade::hint(error),
        Error::TlsSetup(error) => tls::setup_hint(error),
        Error::ConnectTimedOut { step, tried, .. } => timeout_hint(*step, tried.is_some()),
        Error::Repeated { .. } => Some(REPEATED),
        Error::Refused { connack, .. } => find(&REFUSED, connack.code),
        Error::RefusedSilently(_) => Some(
            "some brokers refuse credentials, a client id or a version this way: check -u, -P, \
             -i, -V",
        ),
        Error::Disconnected(disconnect) => find(&DISCONNECTED, disconnect.code),
        Error::NotMqtt(_) => Some("try another path, such as /mqtt"),
        Error::Lost(transport::Error::WebSocket(error)) => close_hint(error),
        _ => None,
    }
}

/// Return codes of CONNACK before MQTT 5 (MQTT 3.1.1 §3.2.2.3).
mod v3 {
    use crate::mqtt::reason::ReasonCode;

    pub const UNACCEPTABLE_PROTOCOL_VERSION: ReasonCode = ReasonCode(1);
    pub const IDENTIFIER_REJECTED: ReasonCode = ReasonCode(2);
    pub const SERVER_UNAVAILABLE: ReasonCode = ReasonCode(3);
    pub const BAD_USER_NAME_OR_PASSWORD: ReasonCode = ReasonCode(4);
    pub const NOT_AUTHORIZED: ReasonCode = ReasonCode(5);
}

const CREDENTIALS: &str = "check -u and -P";
const CLIENT_ID: &str = "choose another client id with -i";
const VERSION: &str = "try another version with -V";
const LATER: &str = "try again later, or with --wait";
const ANOTHER_SERVER: &str = "connect to the server that it names, or ask its operator";

/// The hints for the reason codes of CONNACK.
const REFUSED: [(ReasonCode, &str); 16] = [
    (v3::UNACCEPTABLE_PROTOCOL_VERSION, VERSION),
    (v3::IDENTIFIER_REJECTED, CLIENT_ID),
    (v3::SERVER_UNAVAILABLE, LATER),
    (v3::BAD_USER_NAME_OR_PASSWORD, CREDENTIALS),
    (v3::NOT_AUTHORIZED, CREDENTIALS),
    (ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, VERSION),
    (ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, CLIENT_ID),
    (ReasonCode::BAD_USER_NAME_OR_PASSWORD, CREDENTIALS),
    (ReasonCode::NOT_AUTHORIZED, CREDENTIALS),
    (ReasonCode::SERVER_UNAVAILABLE, LATER),
    (ReasonCode::SERVER_BUSY, LATER),
    (ReasonCode::QUOTA_EXCEEDED, LATER),
    (ReasonCode::CONNECTION_RATE_EXCEEDED, LATER),
    (ReasonCode::BAD_AUTHENTICATION_METHOD, "choose another --auth-method"),
    (ReasonCode::USE_ANOTHER_SERVER, ANOTHER_SERVER),
    (ReasonCode::SERVER_MOVED, ANOTHER_SERVER),
];

/// The hints for the reason codes of DISCONNECT.
const DISCONNECTED: [(ReasonCode, &str); 7] = [
    (ReasonCode::NOT_AUTHORIZED, "the broker's rules forbid it to this user or client id"),
    (ReasonCode::KEEP_ALIVE_TIMEOUT, "it received nothing for too long: a shorter -k may help"),
    (ReasonCode::SESSION_TAKEN_OVER, "another client uses the same id: choose another with -i"),
    (ReasonCode::PACKET_TOO_LARGE, "send smaller messages, or raise the broker's limit"),
    (ReasonCode::MESSAGE_RATE_TOO_HIGH, "send fewer messages a second: --rate"),
    (ReasonCode::USE_ANOTHER_SERVER, ANOTHER_SERVER),
    (ReasonCode::SERVER_MOVED, ANOTHER_SERVER),
];

fn find(hints: &[(ReasonCode, &'static str)], code: ReasonCode) -> Option<&'static str> {
    hints.iter().find(|(known, _)| *known == code).map(|(_, hint)| *hint)
}

/// `was_tried`: an earlier try, with another version or subprotocol, was answered.
fn timeout_hint(step: Step, was_tried: bool) -> Option<&'static str> {
    match step {
        Step::Transport(Phase::Tls) => Some("does the server speak TLS on this port?"),
        Step::Transport(Phase::Upgrade) if was_tried => Some(
            "the server, or a proxy on the way, is stuck: try again, or a longer --connect-timeout",
        ),
        Step::Transport(Phase::Upgrade) => Some(
            "does a WebSocket server listen at this port and path? a plain MQTT or TLS port does \
             not answer, and neither do some brokers at a wrong path",
        ),
        Step::ConnAck | Step::ConnAckTo(_) => {
            Some("the WebSocket is open, but no MQTT broker answers: try another --path or -V")
        }
        Step::Connection | Step::Transport(_) => None,
    }
}

fn close_hint(error: &WebSocketError) -> Option<&'static str> {
    match error {
        WebSocketError::Closed { code: Some(1008), .. } => {
            Some("the server's rules forbid it: check credentials and permissions")
        }
        WebSocketError::Closed { code: Some(1009), .. } => Some(
            "the broker, or a proxy in front of it, does not accept a message of this size: send \
             smaller ones, and do not use --frame-per-packet",
        ),
        WebSocketError::Closed { code: Some(1012..=1014), .. } => Some("try again later"),
        WebSocketError::TooLarge { .. } if !error.is_spoilt() => Some("raise --max-message-size"),
        _ => None,
    }
}

fn dial_hint(error: &DialError) -> Option<&'static str> {
    match error {
        DialError::Lookup { .. } => Some("check the host name"),
        DialError::Connect { attempts, .. } => {
            let is_refused =
                |attempt: &FailedAttempt| attempt.error.kind() == io::ErrorKind::ConnectionRefused;
            let is_closed =
                attempts.iter().all(|attempt| is_refused(attempt) || lacks_family(&attempt.error))
                    && attempts.iter().any(is_refused);
            is_closed.then_some("nothing listens at this port: check it, or start `mqttws serve`")
        }
        DialError::Unix { error, .. } if error.kind() == io::ErrorKind::ConnectionRefused => {
            Some("nothing listens at this socket")
        }
        DialError::Unix { .. } | DialError::BadProxy(_) => None,
        DialError::ProxyUnreached { .. } => Some("check --proxy, or $https_proxy and the like"),
        DialError::Proxy { error, .. } => proxy::hint(error),
    }
}

/// Whether this machine has no IPv6 (or IPv4) at all: `localhost` is in both.
fn lacks_family(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}
