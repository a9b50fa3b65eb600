//! What may help after an error: another try, another server, or neither; and what the server keeps
//! after it.

use super::redirect::names_another;
use crate::client::error::Error;
use crate::mqtt::reason::ReasonCode;
use crate::transport;
use crate::transport::tls::TlsError;
use crate::websocket::upgrade::UpgradeError;

/// What may help after an error, with nothing changed on our side. What comes later in the list
/// includes what comes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Remedy {
    /// Neither: the server has refused us or cannot be trusted, or the fault is ours.
    None,
    /// Another server.
    AnotherServer,
    /// A later try at the same server.
    AnotherTry,
}

impl Error {
    /// Whether a later try may succeed with nothing changed on our side.
    pub fn is_temporary(&self) -> bool {
        self.remedy() == Remedy::AnotherTry
    }

    /// Whether this server may be the reason, so that another one may do better; not where it has
    /// refused us, or cannot be trusted.
    pub(super) fn may_be_of_one_server(&self) -> bool {
        self.remedy() >= Remedy::AnotherServer
    }

    fn remedy(&self) -> Remedy {
        match self.root() {
            Self::Unreached(error) if error.is_proxy_refusal() => Remedy::None,
            Self::Unreached(_)
            | Self::ConnectTimedOut { .. }
            | Self::RefusedSilently(_)
            | Self::Silent(_) => Remedy::AnotherTry,
            Self::Lost(error) if error.is_end() && !error.says_too_big() => Remedy::AnotherTry,
            Self::Lost(_) | Self::NotMqtt(_) | Self::Echo | Self::Violation(_) => {
                Remedy::AnotherServer
            }
            Self::Transport(error) => of_transport(error),
            Self::Refused { connack, .. } => of_refusal(connack.code),
            Self::Disconnected(disconnect) => of_disconnect(disconnect.code),
            Self::Local(_)
            | Self::Credentials(_)
            | Self::TlsSetup(_)
            | Self::MessageCut { .. }
            | Self::Unreleased { .. }
            | Self::NotReconnected { .. }
            | Self::Repeated { .. }
            | Self::Unanswered { .. }
            | Self::Redirected { .. }
            | Self::WaitOver(_)
            | Self::Interrupted(_) => Remedy::None,
        }
    }

    /// Whether our session may remain at the server, and the server may let us end it.
    pub fn leaves_session(&self) -> bool {
        match self.root() {
            Self::Lost(_)
            | Self::Silent(_)
            | Self::MessageCut { .. }
            | Self::NotReconnected { .. }
            | Self::Violation(_) => true,
            Self::Disconnected(disconnect) => !is_unwelcome(disconnect.code),
            // The session is to remain, and nothing more is sent after a packet that the server
            // does not take.
            Self::Unreleased { .. }
            | Self::Repeated { .. }
            | Self::Local(_)
            | Self::Credentials(_)
            | Self::TlsSetup(_)
            | Self::Unreached(_)
            | Self::Transport(_)
            | Self::ConnectTimedOut { .. }
            | Self::Redirected { .. }
            | Self::WaitOver(_)
            | Self::Refused { .. }
            | Self::RefusedSilently(_)
            | Self::Unanswered { .. }
            | Self::NotMqtt(_)
            | Self::Echo
            | Self::Interrupted(_) => false,
        }
    }
}

/// Where this may be a server, or the proxy before it, that is just starting, another try may help.
fn of_transport(error: &transport::Error) -> Remedy {
    match error {
        transport::Error::Tls(error) => of_tls(error),
        transport::Error::Upgrade(error) => of_upgrade(error),
        transport::Error::WebSocket(_) if error.is_end() => Remedy::AnotherTry,
        transport::Error::WebSocket(_) | transport::Error::Redirect(_) => Remedy::AnotherServer,
        transport::Error::BrokenTls { .. }
        | transport::Error::Ended { .. }
        | transport::Error::Io { .. } => Remedy::AnotherTry,
    }
}

/// A handshake that ended because of what happened to it on the way may succeed later.
fn of_tls(error: &TlsError) -> Remedy {
    match error {
        TlsError::Closed | TlsError::Reset => Remedy::AnotherTry,
        TlsError::Alert(_) | TlsError::Protocol(_) if !error.is_refusal() => Remedy::AnotherTry,
        TlsError::NotTls(_) | TlsError::Incompatible(_) | TlsError::HandshakeTooLong => {
            Remedy::AnotherServer
        }
        TlsError::Alert(_)
        | TlsError::Protocol(_)
        | TlsError::Name(_)
        | TlsError::Certificate(_)
        | TlsError::ClientCertificateRequired
        | TlsError::ClientCertificateMissed
        | TlsError::ClientCertificateRefused(_) => Remedy::None,
    }
}

fn of_upgrade(error: &UpgradeError) -> Remedy {
    match error {
        UpgradeError::Status(refusal) => match refusal.status {
            401 | 403 | 407 => Remedy::None,
            404 | 429 | 500.. => Remedy::AnotherTry,
            _ => Remedy::AnotherServer,
        },
        UpgradeError::Closed | UpgradeError::Reset | UpgradeError::Truncated => Remedy::AnotherTry,
        UpgradeError::Http2Chosen
        | UpgradeError::NotHttp(_)
        | UpgradeError::HeadTooLarge
        | UpgradeError::Malformed(_)
        | UpgradeError::Bad(_)
        | UpgradeError::BadHeader(_) => Remedy::AnotherServer,
    }
}

fn of_refusal(code: ReasonCode) -> Remedy {
    if is_about_us(code) {
        Remedy::None
    } else if is_busy(code) {
        Remedy::AnotherTry
    } else {
        Remedy::AnotherServer
    }
}

fn of_disconnect(code: ReasonCode) -> Remedy {
    if names_another(code) {
        Remedy::AnotherServer
    } else if is_unwelcome(code) || is_about_packet(code) {
        Remedy::None
    } else {
        Remedy::AnotherTry
    }
}

/// Whether a CONNACK with this code is about the user or about CONNECT, which would be the same for
/// another server.
fn is_about_us(code: ReasonCode) -> bool {
    matches!(
        code,
        // Before MQTT 5: the client id, user name and password, the user.
        ReasonCode(2 | 4 | 5)
            | ReasonCode::MALFORMED_PACKET
            | ReasonCode::PROTOCOL_ERROR
            | ReasonCode::CLIENT_IDENTIFIER_NOT_VALID
            | ReasonCode::BAD_USER_NAME_OR_PASSWORD
            | ReasonCode::NOT_AUTHORIZED
            | ReasonCode::BANNED
            | ReasonCode::BAD_AUTHENTICATION_METHOD
            | ReasonCode::TOPIC_NAME_INVALID
            | ReasonCode::PACKET_TOO_LARGE
            | ReasonCode::PAYLOAD_FORMAT_INVALID
            | ReasonCode::RETAIN_NOT_SUPPORTED
            | ReasonCode::QOS_NOT_SUPPORTED
    )
}

/// A CONNACK with this code is about the state of the server, which may change.
fn is_busy(code: ReasonCode) -> bool {
    matches!(
        code,
        // Before MQTT 5, 3 is "server unavailable".
        ReasonCode(3)
            | ReasonCode::UNSPECIFIED_ERROR
            | ReasonCode::SERVER_UNAVAILABLE
            | ReasonCode::SERVER_BUSY
            | ReasonCode::QUOTA_EXCEEDED
            | ReasonCode::CONNECTION_RATE_EXCEEDED
    )
}

/// Whether a DISCONNECT with this code is about a packet that was sent and would be sent again.
fn is_about_packet(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::MALFORMED_PACKET
            | ReasonCode::PROTOCOL_ERROR
            | ReasonCode::PACKET_TOO_LARGE
            | ReasonCode::TOPIC_FILTER_INVALID
            | ReasonCode::TOPIC_NAME_INVALID
            | ReasonCode::QOS_NOT_SUPPORTED
            | ReasonCode::RETAIN_NOT_SUPPORTED
            | ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
            | ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
            | ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED
    )
}

/// A DISCONNECT with this code is about us: another connection would end in the same way.
fn is_unwelcome(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::NOT_AUTHORIZED
            | ReasonCode::BANNED
            | ReasonCode::SESSION_TAKEN_OVER
            | ReasonCode::USE_ANOTHER_SERVER
            | ReasonCode::SERVER_MOVED
            | ReasonCode::BAD_AUTHENTICATION_METHOD
            | ReasonCode::ADMINISTRATIVE_ACTION
    )
}
