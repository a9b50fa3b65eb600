//! What is known of the server that an error is about, and decides which hint fits.

use crate::client::{self, AtServer};
use crate::transport::endpoint::{Endpoint, Scheme};

/// What is known of the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server<'a> {
    /// The address; `None` if the error does not say.
    endpoint: Option<&'a Endpoint>,
    /// `--sni` gives the name that TLS sends.
    has_server_name: bool,
}

/// Nothing came over TLS, and the server was not told which of its names is meant.
pub(super) const NO_SERVER_NAME: &str =
    "no server name was sent, because the host is an address: give the server's name with --sni";

impl<'a> Server<'a> {
    /// The server that `error` is about. The program was doing something `at` the server that was
    /// asked for, unless a redirect has led elsewhere.
    pub(super) fn of(error: &'a client::Error, at: Option<&'a AtServer>) -> Self {
        let redirected = match error {
            client::Error::Redirected { to, .. } => Some(&**to),
            _ => None,
        };
        Self {
            endpoint: redirected.or(at.map(|at| &at.endpoint)),
            has_server_name: at.is_some_and(|at| at.has_server_name),
        }
    }

    /// A server of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self { endpoint: None, has_server_name: false }
    }

    /// Whether the connection is one of TLS, so that TLS is no advice.
    pub(super) fn is_secure(self) -> bool {
        self.endpoint.is_some_and(|endpoint| endpoint.scheme == Scheme::Wss)
    }

    /// Whether TLS sent no server name, because the host is an address and there is no `--sni`.
    pub(super) fn lacks_name(self) -> bool {
        self.is_secure() && !self.has_server_name && self.endpoint.is_some_and(Endpoint::is_address)
    }

    /// The hint where the port is one that is registered for MQTT without WebSockets.
    pub(super) fn port_hint(self) -> Option<&'static str> {
        match self.endpoint?.port {
            1883 => Some(
                "port 1883 is for MQTT without WebSockets: use the port of the broker's WebSocket \
                 listener",
            ),
            8883 => Some(
                "port 8883 is for MQTT over TLS without WebSockets: use the port of the broker's \
                 WebSocket listener",
            ),
            _ => None,
        }
    }
}
