//! What is checked, as whom, and which points are asked.

use std::sync::Arc;
use std::time::Duration;

use crate::command::check::select::PointSelection;
use crate::mqtt::session::Login;
use crate::mqtt::version::Version;
use crate::transport::dial::Route;
use crate::transport::endpoint::{Endpoint, Scheme};
use crate::transport::tls::TlsConfig;

/// How the server is reached.
pub struct ServerAccess {
    /// The server.
    pub endpoint: Endpoint,
    /// The way to it.
    pub route: Arc<Route>,
    /// How it is trusted, with `wss` or a proxy that needs it.
    pub tls: Option<TlsConfig>,
    /// The same without `--insecure`, to judge what the server shows.
    pub judge: Option<TlsConfig>,
    /// More headers of the upgrade.
    pub headers: Vec<(String, String)>,
    /// From look-up to CONNACK.
    pub connect_timeout: Duration,
    /// Between two connections.
    pub pause: Duration,
}

impl ServerAccess {
    /// How the server is trusted; `None` without `wss`.
    pub fn server_tls(&self) -> Option<&TlsConfig> {
        self.tls.as_ref().filter(|_| self.endpoint.scheme == Scheme::Wss)
    }
}

/// What is checked, and as whom.
pub struct CheckTarget {
    /// How the server is reached.
    pub access: ServerAccess,
    /// How the user logs in.
    pub login: Login,
    /// `-i`
    pub client_id: Option<String>,
    /// What every topic begins with.
    pub prefix: String,
    /// Which points are asked.
    pub selection: PointSelection,
    /// The versions that the user asks for, of which one that is refused fails; none for all.
    pub asked_versions: Vec<Version>,
    /// The upper bound of a point.
    pub timeout: Duration,
    /// The length of `idle-survives`.
    pub idle_time: Duration,
}

impl CheckTarget {
    /// The versions that are tried, the newest first.
    pub fn versions(&self) -> Vec<Version> {
        let all = [Version::V5, Version::V3_1_1, Version::V3_1];
        let is_asked = |version: &Version| {
            self.asked_versions.is_empty() || self.asked_versions.contains(version)
        };
        all.into_iter().filter(is_asked).collect()
    }
}
