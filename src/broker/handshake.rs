//! The upgrade of a new connection, pure: takes the bytes of the request; returns the answer.

use super::access::UpgradeRules;
use super::brokers::{BrokerName, NoBroker};
use super::limits::{HEAD_BYTES, NAMED_BROKERS, PATIENCE};
use crate::websocket::upgrade::accept::{Refusal, answer};
use crate::websocket::upgrade::{Request, RequestError, parse_request};

/// What becomes of a connection that has sent these bytes.
#[derive(Debug)]
pub enum Upgraded {
    /// More of the request must come.
    NotYet,
    /// It is a WebSocket now.
    Yes {
        /// The head of the answer.
        answer: String,
        /// The broker that it asks for.
        name: Option<BrokerName>,
        /// The length of the request's head: what came after it are frames.
        head: usize,
    },
    /// It was refused.
    No(Refusal),
}

/// Judges what has come of a request. Upgrades are granted at `path`, alone or after the name of a
/// broker, and as `rules` say.
pub fn upgrade(arrived: &[u8], path: &str, rules: &UpgradeRules) -> Upgraded {
    match parse_request(arrived) {
        Ok(None) if arrived.len() > HEAD_BYTES => Upgraded::No(too_long()),
        Ok(Some((_, head))) if head > HEAD_BYTES => Upgraded::No(too_long()),
        Err(RequestError::TooLarge) => Upgraded::No(too_long()),
        Ok(None) => Upgraded::NotYet,
        Ok(Some((request, head))) => match judge(&request, path, rules) {
            Ok((answer, name)) => Upgraded::Yes { answer, name, head },
            Err(refusal) => Upgraded::No(refusal.of(&request)),
        },
        Err(error) => {
            let sentence = other_protocol(arrived).map_or_else(|| error.to_string(), str::to_owned);
            Upgraded::No(Refusal::new("400 Bad Request", sentence))
        }
    }
}

/// The answer to a request with a head of more than [`HEAD_BYTES`].
fn too_long() -> Refusal {
    let sentence = format!("the request has a head of more than {} KiB", HEAD_BYTES / 1024);
    Refusal::new("431 Request Header Fields Too Large", sentence)
}

/// The answer to a request that is granted, and the broker that it asks for.
fn judge(
    request: &Request,
    path: &str,
    rules: &UpgradeRules,
) -> Result<(String, Option<BrokerName>), Refusal> {
    rules.judge(request)?;
    let asked = request.target.split('?').next().unwrap_or_default();
    let name = asked.strip_suffix(path).and_then(|name| name.strip_prefix('/'));
    let Some(name) = name.filter(|name| !name.contains('/')) else {
        return Ok((answer(request, path)?, None));
    };
    let refusal = || {
        let sentence = "a broker has a name of 1 to 64 letters, digits, '-', '.', '_' and '~', \
                        which begins with a letter or digit, as in /NAME/mqtt";
        Refusal::new("404 Not Found", sentence.to_owned())
    };
    let name = BrokerName::new(name).ok_or_else(refusal)?;
    Ok((answer(request, asked)?, Some(name)))
}

/// The answer to a request for a broker that cannot begin.
pub fn no_broker(reason: NoBroker) -> Refusal {
    let sentence = match reason {
        NoBroker::TooMany => {
            format!("mqttws serve has {NAMED_BROKERS} brokers with a name, all in use")
        }
        NoBroker::NoMemory => {
            "mqttws serve has too little memory left for a broker with another name".to_owned()
        }
    };
    Refusal::new("503 Service Unavailable", sentence)
}

/// What a client speaks that has sent no HTTP: the first byte of a handshake of TLS, or of CONNECT.
fn other_protocol(arrived: &[u8]) -> Option<&'static str> {
    Some(match arrived.first()? {
        0x16 => "this is TLS, which is not spoken here: the URL begins with ws://, not with wss://",
        0x10 => "this is MQTT without WebSocket: the client must be given a URL with ws://",
        _ => return None,
    })
}

/// The answer to a plain request where TLS is spoken.
pub fn not_tls() -> Refusal {
    let sentence = "TLS is spoken at this port: connect by wss:// or https://".to_owned();
    Refusal::new("400 Bad Request", sentence)
}

/// The answer to a request that did not come in time.
pub fn too_late() -> Refusal {
    let sentence = format!("no whole request within {} seconds", PATIENCE.as_secs());
    Refusal::new("408 Request Timeout", sentence)
}

/// The answer to a connection that is one too many.
pub fn busy() -> Refusal {
    let sentence = "mqttws serve has too many connections".to_owned();
    Refusal::new("503 Service Unavailable", sentence)
}

/// The answer to a request that is incomplete while others need the memory.
pub fn no_memory() -> Refusal {
    let sentence = "mqttws serve has no memory left for requests that come slowly".to_owned();
    Refusal::new("503 Service Unavailable", sentence)
}

/// The answer to a connection that `--fault refuse` concerns.
pub fn refused_on_purpose() -> Refusal {
    let sentence = "refused on purpose, by --fault refuse".to_owned();
    Refusal::new("503 Service Unavailable", sentence)
}
