//! The server of a run.

use super::judge::ServerPlace;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::unsaid_window;
use crate::mqtt::version::Version;

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

impl BenchServer {
    /// Notes what it has announced: without a word it takes as many as there are packet
    /// identifiers ([MQTT5 3.2.2.3.3]).
    pub fn note_maximum(&mut self, announced: Option<u16>) {
        let is_5 = self.mqtt == Version::V5.to_string();
        self.receive_maximum = announced.or(is_5.then_some(u16::MAX));
    }

    /// How many messages of a publisher may be unfinished where the user asks for no less; `None`
    /// is without limit.
    pub fn window(&self, qos: QoS) -> Option<u64> {
        let most = self.receive_maximum.unwrap_or_else(|| unsaid_window(qos));
        (qos > QoS::AtMostOnce).then(|| most.into())
    }
}
