//! What of the options decides how connections are made.

use std::time::Duration;

use crate::client::options::{Options, Reconnect, VersionChoice};
use crate::mqtt::packet::Credentials;
use crate::mqtt::version::Version;
use crate::transport::endpoint::Endpoint;

/// See the fields; it does not change.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Each is tried in turn.
    pub addresses: Vec<Endpoint>,
    /// What was asked for instead of our own names.
    pub subprotocols: Option<Vec<String>>,
    /// From the first to be tried to the last.
    pub versions: Vec<Version>,
    /// Who chose them.
    pub version_choice: VersionChoice,
    /// Whether redirects are followed.
    pub follow: bool,
    /// Whether there is anything that must not go to another server.
    pub has_credentials: bool,
    /// From name look-up to CONNACK.
    pub connect_timeout: Duration,
    /// For how long a first connection is tried.
    pub wait: Duration,
    /// What to do about a lost connection.
    pub retry: Reconnect,
}

impl Policy {
    /// What these options ask for.
    pub fn of(options: &Options) -> Self {
        let config = &options.session;
        Self {
            addresses: vec![options.endpoint.clone()],
            subprotocols: options.subprotocols.clone(),
            versions: options.versions.clone(),
            version_choice: options.version_choice,
            follow: options.follow,
            has_credentials: config.login.credentials != Credentials::default()
                || config.login.authentication.is_some(),
            connect_timeout: options.connect_timeout,
            wait: options.wait,
            retry: options.reconnect,
        }
    }
}
