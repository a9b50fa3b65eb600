//! When and how long to wait before the next try, and which failures another try may mend.

use std::time::Duration;

use super::error::Error;
use crate::mqtt::reason::ReasonCode;
use crate::transport;
use crate::transport::tls::TlsError;
use crate::websocket::upgrade::UpgradeError;

/// What to do about a lost connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// Whether to try again at all.
    pub enabled: bool,
    /// The first delay is at most this.
    pub shortest: Duration,
    /// No delay is longer than this.
    pub longest: Duration,
    /// How often to try after each loss; `None` is for ever.
    pub tries: Option<u32>,
}

impl Reconnect {
    /// The delay before try number `attempt` (from 0): exponential, with full jitter, so that a
    /// thousand clients of a restarted broker do not come back together. `random` is between 0 and
    /// 1.
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.min(31));
        self.shortest.saturating_mul(factor).min(self.longest).mul_f64(random.clamp(0.0, 1.0))
    }

    /// Whether another try is allowed after this many.
    pub fn allows(&self, attempts: u32) -> bool {
        self.enabled && self.tries.is_none_or(|tries| attempts < tries)
    }
}

impl Error {
    /// Whether a later try may succeed with nothing changed on our side.
    pub fn is_mendable(&self) -> bool {
        match self.root() {
            Self::Unreached(error) => !error.is_proxy_refusal(),
            Self::ConnectTimedOut { .. } | Self::RefusedSilently(_) | Self::Silent(_) => true,
            Self::Lost(error) => error.is_end() && !error.says_too_big(),
            Self::Transport(error) => is_passing(error),
            Self::Refused { connack, .. } => matches!(
                connack.code,
                // Before MQTT 5, 3 is "server unavailable".
                ReasonCode(3)
                    | ReasonCode::UNSPECIFIED_ERROR
                    | ReasonCode::SERVER_UNAVAILABLE
                    | ReasonCode::SERVER_BUSY
                    | ReasonCode::QUOTA_EXCEEDED
                    | ReasonCode::CONNECTION_RATE_EXCEEDED
            ),
            Self::Disconnected(disconnect) => {
                !is_unwelcome(disconnect.code)
                    && !matches!(
                        disconnect.code,
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
            Self::Local(_)
            | Self::TlsSetup(_)
            | Self::MessageTorn { .. }
            | Self::NotMended { .. }
            | Self::Unanswered { .. }
            | Self::Redirected { .. }
            | Self::NotMqtt(_)
            | Self::Violation(_)
            | Self::Interrupted(_) => false,
        }
    }
}

impl Error {
    /// Whether a session of ours stays at the server, and we may still be welcome there to end it.
    pub fn leaves_session(&self) -> bool {
        match self.root() {
            Self::Lost(_)
            | Self::Silent(_)
            | Self::MessageTorn { .. }
            | Self::NotMended { .. }
            | Self::Violation(_) => true,
            Self::Disconnected(disconnect) => !is_unwelcome(disconnect.code),
            _ => false,
        }
    }
}

/// A DISCONNECT with this code means us, wherever we come from.
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

/// Whether this may be a server, or the proxy before it, that is just starting.
fn is_passing(error: &transport::Error) -> bool {
    match error {
        transport::Error::Tls(error) => matches!(error, TlsError::Closed),
        transport::Error::Upgrade(UpgradeError::Status(refusal)) => {
            refusal.status >= 500 || refusal.status == 404 || refusal.status == 429
        }
        transport::Error::Upgrade(error) => {
            matches!(error, UpgradeError::Closed | UpgradeError::Truncated)
        }
        transport::Error::Redirect(_) => false,
        transport::Error::WebSocket(_) => error.is_end(),
        transport::Error::BrokenTls { .. }
        | transport::Error::Ended { .. }
        | transport::Error::Io { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Reconnect = Reconnect {
        enabled: true,
        shortest: Duration::from_secs(1),
        longest: Duration::from_secs(30),
        tries: Some(3),
    };

    #[test]
    fn delays_double_up_to_the_longest_and_are_jittered() {
        let longest: Vec<u64> =
            (0..8).map(|attempt| DEFAULT.delay(attempt, 1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(DEFAULT.delay(2, 0.5), Duration::from_secs(2));
        assert_eq!(DEFAULT.delay(4, 0.0), Duration::ZERO);
        assert_eq!(DEFAULT.delay(u32::MAX, 1.0), Duration::from_secs(30));
    }

    #[test]
    fn tries_are_counted() {
        assert!(DEFAULT.allows(2));
        assert!(!DEFAULT.allows(3));
        assert!(Reconnect { tries: None, ..DEFAULT }.allows(u32::MAX));
        assert!(!Reconnect { enabled: false, ..DEFAULT }.allows(0));
    }
}
