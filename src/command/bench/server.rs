//! The server of a run.

use super::judge::ServerPlace;

/// The server, as the first connection found it.
#[derive(Debug, Clone)]
pub struct BenchServer {
    /// Its address.
    pub address: String,
    /// `ws` or `wss`.
    pub scheme: &'static str,
    /// Version and cipher of TLS.
    pub tls: Option<(String, String)>,
    /// The subprotocol.
    pub subprotocol: Option<String>,
    /// The version of MQTT.
    pub mqtt: String,
    /// How many messages it takes at once.
    pub receive_maximum: Option<u16>,
    /// The keep alive of the connections, in seconds.
    pub keep_alive: u64,
    /// Where it is.
    pub place: ServerPlace,
}
