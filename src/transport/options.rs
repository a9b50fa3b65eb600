//! What a connection is made with: address, TLS, subprotocols, headers, limits.

use std::fmt;

use super::endpoint::Endpoint;
use super::tls::TlsConfig;

/// What to connect with. A debug print names the headers but shows no value: some are secret.
#[derive(Clone)]
pub struct Options {
    /// The server.
    pub endpoint: Endpoint,
    /// How to speak TLS; needed for `wss`, not looked at for `ws`.
    pub tls: Option<TlsConfig>,
    /// The subprotocols to offer; none sends no header.
    pub subprotocols: Vec<String>,
    /// Additional headers of the request, `Authorization` among them.
    pub headers: Vec<(String, String)>,
    /// Refuse what is otherwise taken with a warning.
    pub strict: bool,
    /// The largest message accepted, in bytes.
    pub max_message: usize,
    /// Each piece that is written is a message of its own, however long.
    pub whole_pieces: bool,
    /// Keep lines about upgrade, TLS and frames for [`Transport::traced`].
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
