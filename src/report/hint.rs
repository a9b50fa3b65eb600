//! Hints: what to do about an error, where that is not obvious from its cause.

mod certificate;
mod phrase;
mod proxy;
mod server;
#[cfg(test)]
mod tests;
mod tls;
mod upgrade;

use std::borrow::Cow;
use std::io;

use rustix::io::Errno;
use server::Server;

use crate::client::{self, AtServer, FlagPlace, Step};
use crate::mqtt::property::Properties;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::Violation;
use crate::transport::dial::{DialError, FailedAttempt};
use crate::transport::proxy::ProxyError;
use crate::transport::tls::{CertificateFault, TlsError};
use crate::transport::{self, Phase};
use crate::websocket::upgrade::NONE_CONFIRMED;
use crate::websocket::{Look, WebSocketError};

/// The hint of an error, if there is one.
pub fn of(error: &anyhow::Error) -> Option<Cow<'static, str>> {
    let at = error.downcast_ref::<AtServer>();
    let error = error.chain().find_map(|cause| cause.downcast_ref::<client::Error>())?;
    let last = match error {
        client::Error::NotReconnected { last, .. } | client::Error::WaitOver(last) => last,
        error => error,
    };
    let hint = of_root(last.root(), Server::of(last, at))?;
    // The user has given it already.
    let hint = match error {
        client::Error::WaitOver(_) => hint.replace("--wait", "a longer --wait").into(),
        _ => hint,
    };
    let is_for_target = at.is_some_and(|at| at.flags == FlagPlace::TargetProfile);
    Some(if is_for_target { for_target(hint) } else { hint })
}

/// A mirror takes these flags for its target from `--to-profile` alone; `--wait` is for both.
fn for_target(hint: Cow<'static, str>) -> Cow<'static, str> {
    let names_flag = [" -", "(-"].iter().any(|flag| hint.contains(flag));
    if !names_flag || hint.contains("--wait") {
        return hint;
    }
    format!("{hint} (for --to they stand in its URL and in --to-profile)").into()
}

fn of_root(error: &client::Error, server: Server<'_>) -> Option<Cow<'static, str>> {
    match error {
        client::Error::Transport(transport::Error::Upgrade(error)) => upgrade::hint(error, server),
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
            None => client_hint(error, server).map(Cow::Borrowed),
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

fn client_hint(error: &client::Error, server: Server<'_>) -> Option<&'static str> {
    use client::Error;
    match error {
        Error::Unreached(error) => dial_hint(error),
        Error::Transport(
            transport::Error::Tls(error) | transport::Error::BrokenTls { error, .. },
        ) => tls::hint(error, server),
        Error::TlsSetup(error) => tls::setup_hint(error),
        Error::ConnectTimedOut { step, tried, .. } => timeout_hint(*step, tried.as_deref(), server),
        Error::Repeated { .. } => Some(REPEATED),
        Error::Refused { connack, .. } => {
            another_server(connack.code, &connack.properties).or(find(&REFUSED, connack.code))
        }
        Error::RefusedSilently(error) => Some(silence_hint(error)),
        Error::Disconnected(disconnect) => another_server(disconnect.code, &disconnect.properties)
            .or_else(|| find(&DISCONNECTED, disconnect.code))
            .or_else(|| find(&REFUSED, disconnect.code).filter(|_| disconnect.code.is_error())),
        Error::NotMqtt(_) | Error::Echo => Some(OTHER_PATH),
        Error::Violation(Violation::ReceiveMaximumExceeded) => Some(
            "mosquitto 2.0 sends all that it has, whatever was announced: leave out -D connect \
             receive-maximum, and --strict",
        ),
        Error::Lost(transport::Error::WebSocket(error)) => websocket_hint(error),
        _ => None,
    }
}

/// The service behind a WebSocket is another.
const OTHER_PATH: &str = "try another path, such as /mqtt";

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

/// The hint where a server sends its clients to another one, which the error names if it does.
fn another_server(code: ReasonCode, properties: &Properties) -> Option<&'static str> {
    if !matches!(code, ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED) {
        return None;
    }
    Some(match properties.server_reference() {
        Some(_) => "give that address, or --follow, which goes there by itself",
        None => "it does not say which: ask its operator",
    })
}

/// The hints for the reason codes of CONNACK.
const REFUSED: [(ReasonCode, &str); 14] = [
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
];

/// The hints for the reason codes of DISCONNECT.
const DISCONNECTED: [(ReasonCode, &str); 5] = [
    (ReasonCode::NOT_AUTHORIZED, "the broker's rules forbid it to this user or client id"),
    (ReasonCode::KEEP_ALIVE_TIMEOUT, "it received nothing for too long: a shorter -k may help"),
    (ReasonCode::SESSION_TAKEN_OVER, "another client uses the same id: choose another id with -i"),
    (ReasonCode::PACKET_TOO_LARGE, "send smaller messages, or raise the broker's limit"),
    (ReasonCode::MESSAGE_RATE_TOO_HIGH, "send fewer messages a second: --rate"),
];

fn find(hints: &[(ReasonCode, &'static str)], code: ReasonCode) -> Option<&'static str> {
    hints.iter().find(|(known, _)| *known == code).map(|(_, hint)| *hint)
}

/// The hint of an end of the connection after CONNECT.
fn silence_hint(error: &transport::Error) -> &'static str {
    const SILENCE: &str = "some brokers refuse credentials, a client id or a version this way: \
                           check -u, -P, -i, -V";
    match error {
        transport::Error::WebSocket(WebSocketError::Closed { code: Some(code), .. }) => {
            match code {
                1001 | 1011..=1014 => {
                    "the server, or what is behind it, is busy or not ready: try \
                                   again later, or with --wait"
                }
                1003 => OTHER_PATH,
                1009 => "CONNECT is too large for the server: shorten the will or the password",
                _ => SILENCE,
            }
        }
        _ => SILENCE,
    }
}

/// `tried`: what came of an earlier try, or what is known of the one that took too long.
fn timeout_hint(step: Step, tried: Option<&str>, server: Server<'_>) -> Option<&'static str> {
    match (step, tried) {
        (Step::Transport(Phase::Tls | Phase::Upgrade), _) if server.port_hint().is_some() => {
            server.port_hint()
        }
        (Step::Transport(Phase::Tls), _) => Some("does the server speak TLS on this port?"),
        (Step::Transport(Phase::Upgrade), Some(_)) => Some(
            "the server, or a proxy on the way, is stuck: try again, or a longer --connect-timeout",
        ),
        (Step::Transport(Phase::Upgrade), None) if server.is_secure() => Some(
            "does a WebSocket server listen at this port and path? a plain MQTT port does not \
             answer, and neither do some brokers at a wrong path",
        ),
        (Step::Transport(Phase::Upgrade), None) => Some(
            "does a WebSocket server listen at this port and path? a plain MQTT or TLS port does \
             not answer, and neither do some brokers at a wrong path",
        ),
        (Step::ConnAck | Step::ConnAckTo(_), tried) => Some(connack_hint(tried)),
        (Step::Credentials | Step::Connection | Step::Transport(_), _) => None,
    }
}

/// The hint where CONNECT is not answered.
fn connack_hint(tried: Option<&str>) -> &'static str {
    if tried.is_some_and(|warning| warning.starts_with(NONE_CONFIRMED)) {
        "a proxy on the way may drop the header Sec-WebSocket-Protocol, without which some \
         brokers are mute"
    } else {
        "the WebSocket is open, but no MQTT broker answers: try another --path or -V"
    }
}

/// The hint of a WebSocket that the server closed, or whose frames make no sense.
fn websocket_hint(error: &WebSocketError) -> Option<&'static str> {
    match error {
        WebSocketError::Closed { code: Some(1008), .. } => {
            Some("the server's rules forbid it: check credentials and permissions")
        }
        WebSocketError::Closed { code: Some(1009), .. } => Some(
            "the broker, or a proxy in front of it, does not accept a message of this size: send \
             smaller messages, and do not use --frame-per-packet",
        ),
        WebSocketError::Closed { code: Some(1012..=1014), .. } => Some("try again later"),
        WebSocketError::Closed { code: Some(1002 | 1007), .. } => Some(
            "the broker takes what it was sent for a breach of the protocol: it may forbid the \
             topic or filter, its QoS or size",
        ),
        WebSocketError::TooLarge { .. } if !error.is_spoilt() => Some("raise --max-message-size"),
        WebSocketError::TextFrame(_) => {
            Some("another service may be at this path: try another path, such as /mqtt")
        }
        WebSocketError::Garbled { look: Look::Text, .. } => Some(
            "the data after the upgrade are no WebSocket frames: try another path, such as /mqtt",
        ),
        WebSocketError::Garbled { .. } | WebSocketError::TooLarge { .. } => Some(
            "the frames may be compressed without agreement, or changed by a proxy on the way: -dd \
             shows them",
        ),
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
            is_closed.then(|| closed_port_hint(attempts.first().map(|first| first.address.port())))
        }
        DialError::Unix { error, .. } if error.kind() == io::ErrorKind::ConnectionRefused => {
            Some("nothing listens at this socket")
        }
        DialError::Unix { .. } | DialError::BadProxy(_) => None,
        DialError::ProxyUnreached { .. } => Some("check --proxy, or $https_proxy and the like"),
        DialError::Proxy { error, .. } => proxy::hint(error),
    }
}

/// The hint for a port at which nothing listens: without one the user may not know which it is.
fn closed_port_hint(port: Option<u16>) -> &'static str {
    match port {
        Some(80) => {
            "port 80 is that of an address without a port: `mqttws serve` listens at 8080, \
             mosquitto's WebSockets mostly at 9001, other brokers' at 8000, 8083 or 15675; give \
             it with -p or in the URL"
        }
        Some(443) => {
            "port 443 is that of wss without a port: brokers listen for it at 8084, 8443, 8884 or \
             9001, too; give it with -p or in the URL"
        }
        _ => "nothing listens at this port: check it, or start `mqttws serve`",
    }
}

/// Whether this machine has no IPv6 (or IPv4) at all: `localhost` is in both.
fn lacks_family(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}
