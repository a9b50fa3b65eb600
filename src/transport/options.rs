//! The options of a connection: address, TLS, subprotocols, headers, limits.

use std::fmt;

use super::endpoint::Endpoint;
use super::tls::TlsConfig;
use crate::websocket::Framing;

/// The options of a connection. Debug output names the headers but shows no value, because some are
/// secret.
#[derive(Clone)]
pub struct Options {
    /// The server.
    pub endpoint: Endpoint,
    /// The TLS configuration; needed for `wss`, ignored for `ws`.
    pub tls: Option<TlsConfig>,
    /// The subprotocols to offer; if there are none, the header is not sent.
    pub subprotocols: Vec<String>,
    /// Additional headers of the request, including `Authorization`.
    pub headers: Vec<(String, String)>,
    /// What is sent after the upgrade and is secret: it is hidden in what the server says.
    pub secrets: Vec<String>,
    /// Refuse deviations that are otherwise accepted with a warning.
    pub strict: bool,
    /// The largest message accepted, in bytes.
    pub max_message: usize,
    /// How what is sent becomes messages.
    pub framing: Framing,
    /// Log upgrade, TLS and frames for [`Transport::traced`].
    pub log: bool,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Options")
            .field("endpoint", &self.endpoint)
            .field("subprotocols", &self.subprotocols)
            .field("headers", &headers)
            .field("strict", &self.strict)
            .field("max_message", &self.max_message)
            .finish_non_exhaustive()
    }
}
